package mirror_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// behindSSH is a lab of one server behind OpenSSH whose host key is trusted. sync is below
// sync:, own at the server, and more below its ssh:.
func behindSSH(t *testing.T, sync, own, more string, change func(*sshtest.Config)) (*mirrortest.Lab, *sshtest.Server, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	c := sshtest.Config{Windows: l.Add(psutest.Example("dh1.corp.example")), Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}}
	if change != nil {
		change(&c)
	}
	server := sshtest.New(t, c)
	l.File("known_hosts", fmt.Sprintf("[%s]:%d %s", server.Host, server.Port, ssh.MarshalAuthorizedKey(server.HostKey())))
	m := l.Open(sync, map[string]string{l.Host(0): own + fmt.Sprintf("transport: ssh\nssh: {user: %s, port: %d, key_file: %q, known_hosts: known_hosts%s}\n", server.User, server.Port, server.KeyFile, more)})
	return l, server, m
}

// rule 13.1: PowerShell runs on a server while a run, a plan or the doctor asks it, and not
// a moment longer, however that ends; the next one opens it again.
func TestNoSessionOutlivesARun(t *testing.T) {
	_, server, m := behindSSH(t, "sync_ips_from_dhcp: true\n", "", "", nil)
	sessions := 0
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"import", func() error { _, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import}); return err }},
		{"sync", func() error { _, err := m.Sync(t.Context(), mirror.Options{}); return err }},
		{"plan", func() error { _, err := m.Plan(t.Context(), mirror.Options{}); return err }},
		{"doctor", func() error { m.Doctor(t.Context(), mirror.Options{}); return nil }},
		{"a plan that is not the one that was shown", func() error {
			if _, err := m.Sync(t.Context(), mirror.Options{Digest: "another"}); err == nil {
				return fmt.Errorf("carried out")
			}
			return nil
		}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		server.AwaitIdle()
		if n := server.Sessions(); n <= sessions {
			t.Errorf("%s: asked nothing through SSH", step.name)
		}
		sessions = server.Sessions()
	}
}

// rules 13.5, 13.8 and 9 row 22: the doctor tells what it found behind the door, and speaks of
// keys and accounts instead of tokens and roles.
func TestTheDoctorLooksThroughTheSSHDoor(t *testing.T) {
	bound := func(write bool) func(*sshtest.Config) {
		return func(c *sshtest.Config) { c.Bound = openssh.Script(write, true) }
	}
	shell := func(change func(*sshtest.Shell)) func(*sshtest.Config) {
		return func(c *sshtest.Config) { change(&c.Shell) }
	}
	for _, c := range []struct {
		name            string
		sync, own, more string
		change          func(*sshtest.Config)
		spoil           func(*testing.T, *mirrortest.Lab, *sshtest.Server)
		severity        prepare.Severity
		say             []string
		quiet           bool // nothing but notices otherwise
	}{
		{name: "what greets", severity: prepare.Notice, say: []string{"PowerShell 5.1", `CORP\netbox-dhcp`}, quiet: true},
		{name: "a key that is not bound is a fact", severity: prepare.Notice, say: []string{"not bound"}, quiet: true},
		{name: "and a warning where it should be", more: ", bound: true", severity: prepare.Warning, say: []string{"ssh.bound is true"}},
		{name: "a bound key", more: ", bound: true", change: bound(false), severity: prepare.Notice, say: []string{"the key is bound"}, quiet: true},
		{name: "a bound script that only reads, not pushed to", change: bound(false), severity: prepare.Notice, say: []string{"rights read"}, quiet: true},
		{name: "a bound script that only reads, with a push on", sync: "push_reservations: true\n", change: bound(false), severity: prepare.Notice, say: []string{"the script on this server has no routes that write", "windows-script --write"}},
		{name: "a bound script that writes, and a brake", own: "read_only: true\n", sync: "push_reservations: true\n", change: bound(true), severity: prepare.Notice, say: []string{"nothing is written to this server", "routes that write", "without --write"}, quiet: true},
		{name: "a script that is sent, and a brake", own: "read_only: true\n", sync: "push_reservations: true\n", severity: prepare.Notice, say: []string{"rights read"}, quiet: true},
		{name: "pushing is on", sync: "push_reservations: true\n", severity: prepare.Notice, say: []string{"rights write"}, quiet: true},
		{name: "an older script that is bound", change: bound(true), spoil: func(_ *testing.T, l *mirrortest.Lab, _ *sshtest.Server) {
			l.Servers[0].Configure(func(p *psutest.Config) { p.Script = "2026.1.0" })
		}, severity: prepare.Notice, say: []string{"our endpoint script 2026.1.0", "install the output of netbox-dhcp-sync windows-script"}},
		{name: "no scopes", spoil: func(_ *testing.T, l *mirrortest.Lab, _ *sshtest.Server) {
			l.Servers[0].Edit(func(w *psutest.World) { w.Scopes = nil })
		}, severity: prepare.Warning, say: []string{"lists no scope", "the account netbox-dhcp may read it"}},
		{name: "a key that is not let in", spoil: func(t *testing.T, _ *mirrortest.Lab, s *sshtest.Server) { s.Refuse(t, true) }, severity: prepare.Failure, say: []string{"authorized_keys"}},
		{name: "another host key", spoil: func(t *testing.T, _ *mirrortest.Lab, s *sshtest.Server) { s.NewHostKeys(t) }, severity: prepare.Failure, say: []string{"SHA256:", "cert trust"}},
		{name: "nobody there", spoil: func(_ *testing.T, _ *mirrortest.Lab, s *sshtest.Server) { s.Stop() }, severity: prepare.Failure, say: []string{"sshd"}},
		{name: "denied", spoil: func(_ *testing.T, l *mirrortest.Lab, _ *sshtest.Server) {
			l.Servers[0].Configure(func(p *psutest.Config) { p.Rights = "none" })
		}, severity: prepare.Failure, say: []string{"WIN32 5", "DHCP Users"}},
		{name: "a clock that is off", change: shell(func(s *sshtest.Shell) { s.Clock = time.Hour }), severity: prepare.Warning, say: []string{"clock"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, server, m := behindSSH(t, c.sync, c.own, c.more, c.change)
			if c.spoil != nil {
				c.spoil(t, l, server)
			}
			var found bool
			var about []prepare.Finding
			for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
				if f.Object != "server "+l.Host(0) {
					continue
				}
				about = append(about, f)
				lacks := func(text string) bool { return !strings.Contains(f.String(), text) }
				found = found || f.Severity == c.severity && !slices.ContainsFunc(c.say, lacks)
				for _, word := range []string{"token", "DHCPWriter", "PowerShellUniversal", "PowerShell Universal", "HTTP", "certificate"} {
					if strings.Contains(f.String(), word) {
						t.Errorf("%q speaks of the other door", f)
					}
				}
				if c.quiet && f.Severity != prepare.Notice {
					t.Errorf("%s", f)
				}
			}
			if !found {
				t.Errorf("no %s with %q: %v", c.severity, c.say, about)
			}
		})
	}
}

// rule 13.9: changing the transport is the whole move, there and back: with our script of
// the same version at both doors the first run writes nothing.
func TestChangingTheTransportIsTheWholeMove(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	windows := l.Add(psutest.Example("dh1.corp.example"))
	windows.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	server := sshtest.New(t, sshtest.Config{Windows: windows, Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}})
	l.File("known_hosts", fmt.Sprintf("[%s]:%d %s", server.Host, server.Port, ssh.MarshalAuthorizedKey(server.HostKey())))
	at := func(transport string) *mirror.Mirror {
		return l.Open("sync_ips_from_dhcp: true\npush_reservations: true\npush_scope_info: true\n", map[string]string{l.Host(0): fmt.Sprintf(
			"transport: %s\nssh: {user: %s, port: %d, key_file: %q, known_hosts: known_hosts}\n", transport, server.User, server.Port, server.KeyFile)})
	}
	m := at("psu")
	run(t, m, mirror.Options{Mode: plan.Import})
	for range 2 {
		run(t, m, mirror.Options{})
	}
	for _, transport := range []string{"ssh", "psu"} {
		m.Close()
		m = at(transport)
		l.Front.Forget()
		windows.ForgetRequests()
		before := server.Sessions()
		run(t, m, mirror.Options{})
		if writes := windows.Writes(); len(writes) > 0 || len(l.Front.Writes()) > 0 {
			t.Errorf("%s: the server was sent %v, NetBox %v", transport, writes, l.Front.Writes())
		}
		if through := server.Sessions() > before; through != (transport == "ssh") {
			t.Errorf("%s: through SSH: %t", transport, through)
		}
	}
}
