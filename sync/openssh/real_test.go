package openssh_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

// rule 13: what was tried in-process holds with Debian's sshd as well.
func TestTheDoorOnARealSSHD(t *testing.T) {
	l := labOf(t, sshtest.Real)
	c := l.client()
	for range 3 {
		if list := c.Scopes(t.Context(), false); !list.Complete() || len(list.Items) == 0 {
			t.Fatalf("%+v", list)
		}
	}
	name := "mfp-3"
	if err := c.UpdateReservation(t.Context(), office, reserved(), endpoint.ReservationChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if n := l.ssh.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if got := strings.Join(c.Facts(), "; "); !strings.Contains(got, "the key is not bound") {
		t.Errorf("facts %s", got)
	}
	l.ssh.Cut()
	if list := c.Scopes(t.Context(), false); !list.Complete() {
		t.Errorf("after a cut: %v", list.Err)
	}
	c.Close()
	l.ssh.AwaitIdle()

	old := l.ssh.Fingerprint()
	l.ssh.NewHostKeys(t)
	_, err := c.Health(t.Context())
	if e := wantKind(t, err, endpoint.HostKeyMismatch); !strings.Contains(e.Error(), old) {
		t.Error(e)
	}
	l.trusting()
	l.ssh.Refuse(t, true)
	_, err = c.Health(t.Context())
	wantKind(t, err, endpoint.LoginRefused)
}

// rule 13.5: a forced command decides, whatever is asked for.
func TestABoundKeyOnARealSSHD(t *testing.T) {
	l := labOf(t, sshtest.Real, func(c *sshtest.Config) { c.Bound = openssh.Script(false, true) })
	c := l.client(func(o *openssh.Config) { o.Bound = true })
	if list := c.Scopes(t.Context(), false); !list.Complete() {
		t.Fatal(list.Err)
	}
	if got := strings.Join(c.Facts(), "; "); !strings.Contains(got, "rights read; the key is bound") || len(c.Warnings()) > 0 {
		t.Errorf("facts %s, warns %q", got, c.Warnings())
	}
	wantKind(t, c.CheckWriter(t.Context()), endpoint.Rejected)
}

// rule 13.1: sshd's own limit of sessions is lived with.
func TestMaxSessionsOnARealSSHD(t *testing.T) {
	l := labOf(t, sshtest.Real, func(c *sshtest.Config) { c.MaxSessions = 1 })
	c := l.through(l.config(), endpoint.Config{Parallel: 4}, quiet())
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 8 {
		go func() { done <- c.Leases(t.Context(), office).Err }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := l.ssh.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// rule 13.7: through a jump host.
func TestAJumpHostOnARealSSHD(t *testing.T) {
	l := labOf(t, sshtest.Real)
	jump := sshtest.RealJump(t, sshtest.Config{})
	jump.Authorize(t, l.ssh.Key.PublicKey())
	l.trust.File = filepath.Join(t.TempDir(), "known_hosts")
	through := func(c *openssh.Config) { c.Jump = &openssh.Jump{User: jump.User, Host: jump.Host, Port: jump.Port} }
	for _, fingerprint := range []string{jump.Fingerprint(), l.ssh.Fingerprint()} {
		if _, err := l.trust.Trust(t.Context(), l.config(through), fingerprint); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.client(through).Health(t.Context()); err != nil {
		t.Error(err)
	}
}
