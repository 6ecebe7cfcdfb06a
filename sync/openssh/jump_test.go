package openssh_test

import (
	"path/filepath"
	"strings"
	"testing"

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
