package openssh_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

// rule 13.7: the jump host's key is trusted first, then the server's, through it.
func TestAServerBehindAJumpHost(t *testing.T) {
	l := newLab(t)
	jump := sshtest.NewJump(t, sshtest.Config{User: "passer"})
	jump.Authorize(t, l.ssh.Key.PublicKey())
	l.trust.File = filepath.Join(t.TempDir(), "known_hosts")
	through := func(c *openssh.Config) { c.Jump = &openssh.Jump{User: "passer", Host: jump.Host, Port: jump.Port} }
	asks := func(want endpoint.Kind) *endpoint.Error {
		t.Helper()
		_, err := l.client(through).Health(t.Context())
		return wantKind(t, err, want)
	}
	trusts := func(ofJump bool, fingerprint string) {
		t.Helper()
		key, err := openssh.Fetch(t.Context(), l.config(through))
		if err != nil || key.Jump != ofJump || key.Fingerprint != fingerprint {
			t.Fatalf("%+v, %v; want %s", key, err, fingerprint)
		}
		if _, err := l.trust.Trust(t.Context(), l.config(through), fingerprint); err != nil {
			t.Fatal(err)
		}
	}
	if e := asks(endpoint.HostKeyUnknown); !strings.Contains(e.Error(), jump.Fingerprint()) || jump.Sessions() > 0 {
		t.Error(e)
	}
	trusts(true, jump.Fingerprint())
	if e := asks(endpoint.HostKeyUnknown); !strings.Contains(e.Error(), l.ssh.Fingerprint()) {
		t.Error(e)
	}
	trusts(false, l.ssh.Fingerprint())
	c := l.client(through)
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	jump.Cut()
	if _, err := c.Health(t.Context()); err != nil {
		t.Errorf("after the jump host cut the connection: %v", err)
	}
	c.Close()
	jump.AwaitIdle()
	l.ssh.AwaitIdle()

	jump.NewHostKeys(t)
	if e := asks(endpoint.HostKeyMismatch); !strings.Contains(e.Error(), jump.Fingerprint()) {
		t.Error(e)
	}
	jump.Stop()
	if e := asks(endpoint.Unreachable); e.Unsure() {
		t.Error(e)
	}
}

// behind is a lab behind a jump host, both trusted.
func behind(t *testing.T) (l *lab, jump *sshtest.Server, through func(*openssh.Config)) {
	t.Helper()
	l, jump = newLab(t), sshtest.NewJump(t, sshtest.Config{User: "passer"})
	jump.Authorize(t, l.ssh.Key.PublicKey())
	through = func(c *openssh.Config) {
		c.Jump, c.Timeout = &openssh.Jump{User: "passer", Host: jump.Host, Port: jump.Port}, 2*time.Second
	}
	if _, err := l.trust.Trust(t.Context(), l.config(through), jump.Fingerprint()); err != nil {
		t.Fatal(err)
	}
	return l, jump, through
}

// rule 13.2: a jump host that is gone holds up neither a request nor the end of a run.
func TestAJumpHostThatIsGoneHoldsUpNothing(t *testing.T) {
	l, jump, through := behind(t)
	c := l.client(through)
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	jump.Freeze()
	wantKind(t, c.Leases(t.Context(), office).Err, endpoint.TimedOut)
	c.Close()
	jump.Thaw()
	jump.AwaitIdle()

	l.ssh.Freeze() // the connection to the server stands, and its handshake does not begin
	came := l.ssh.Connections()
	done := make(chan error)
	go func() {
		_, err := c.Health(t.Context())
		done <- err
	}()
	for l.ssh.Connections() == came {
		runtime.Gosched()
	}
	jump.Freeze()
	wantKind(t, <-done, endpoint.TimedOut)
	jump.Thaw()
	l.ssh.Thaw()
}

// An error says which of the two hosts it is about, and the advice is for that one.
func TestWhichHostFailedIsSaid(t *testing.T) {
	l, jump, through := behind(t)
	jump.Refuse(t, true)
	_, err := l.client(through).Health(t.Context())
	if e := wantKind(t, err, endpoint.LoginRefused); !strings.Contains(e.Error(), "jump host "+jump.Host) || strings.Contains(e.Fix(), "administrators") {
		t.Error(e)
	}
	jump.Refuse(t, false)
	l.ssh.Stop()
	_, err = l.client(through).Health(t.Context())
	if e := wantKind(t, err, endpoint.Unreachable); !strings.Contains(e.Error(), "from the jump host") || strings.Contains(e.Error(), "MaxSessions") || e.Unsure() {
		t.Error(e)
	}
}
