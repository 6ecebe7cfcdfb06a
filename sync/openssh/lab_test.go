package openssh_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

// The opening of a session in x/crypto v0.58.0 does not return where the connection ends
// in that very moment: nothing can end it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/crypto/ssh.(*mux).openChannel"))
}

var office = netip.MustParseAddr("10.8.4.0")

func quiet() logrus.FieldLogger {
	log, _ := logtest.NewNullLogger()
	return log
}

// lab is a Windows server at both doors, and the trust of the mirror.
type lab struct {
	testing.TB
	windows *psutest.Server
	ssh     *sshtest.Server
	trust   openssh.HostKeys
	hook    *logtest.Hook
}

// newLab starts a server in-process, whose key is trusted.
func newLab(t testing.TB, change ...func(*sshtest.Config)) *lab {
	return labOf(t, sshtest.New, change...)
}

func labOf(t testing.TB, start func(testing.TB, sshtest.Config) *sshtest.Server, change ...func(*sshtest.Config)) *lab {
	t.Helper()
	l := &lab{TB: t, windows: psutest.New(t, psutest.Config{World: psutest.Example("dh1.corp.example"), Script: psutest.Own})}
	c := sshtest.Config{Windows: l.windows, Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}}
	for _, f := range change {
		f(&c)
	}
	l.ssh = start(t, c)
	l.trust = openssh.HostKeys{File: filepath.Join(t.TempDir(), "certificates", "known_hosts")}
	l.trusting()
	return l
}

// trusting trusts the key that the server has now.
func (l *lab) trusting() {
	l.Helper()
	if _, err := l.trust.Trust(l.Context(), l.config(), l.ssh.Fingerprint()); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) config(change ...func(*openssh.Config)) openssh.Config {
	c := openssh.Config{
		Host: l.ssh.Host, Port: l.ssh.Port, User: l.ssh.User, Key: openssh.Key{File: l.ssh.KeyFile}, HostKeys: l.trust, Timeout: 20 * time.Second,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

// client asks the server through SSH.
func (l *lab) client(change ...func(*openssh.Config)) *endpoint.Client {
	l.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	l.hook = hook
	return l.through(l.config(change...), endpoint.Config{RetryPause: time.Millisecond}, log)
}

// through asks by a door that is made for it.
func (l *lab) through(o openssh.Config, c endpoint.Config, log logrus.FieldLogger) *endpoint.Client {
	l.Helper()
	door, err := openssh.New(o, log)
	if err != nil {
		l.Fatal(err)
	}
	out, err := endpoint.New(door, c, log)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(out.Close)
	return out
}

func wantKind(t *testing.T, err error, want endpoint.Kind) *endpoint.Error {
	t.Helper()
	e, ok := errors.AsType[*endpoint.Error](err)
	if !ok || e.Kind != want {
		t.Fatalf("got %v (kind %q), want kind %q", err, endpoint.KindOf(err), want)
	}
	return e
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}
