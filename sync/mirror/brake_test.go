package mirror_test

import (
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// renamed is a lab that is in step with a server of our script, and in which then the
// name of a scope was edited in NetBox.
func renamed(t *testing.T, perServer string) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	m := l.Open("push_scope_info: true\n", map[string]string{l.Host(0): perServer})
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{"dhcp_scope_name": "edited"}})
	dh1.ForgetRequests()
	return l, m
}

// nameOnBoth are the names of the scope in NetBox and on the server.
func nameOnBoth(l *mirrortest.Lab) (netbox, server string) {
	netbox, _ = mirrortest.Field(l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0], "custom_fields.dhcp_scope_name").(string)
	l.Servers[0].Edit(func(w *psutest.World) { server = w.Scope("10.8.4.0").Name })
	return netbox, server
}

// rule 5.7: a script without endpoints that write, and the brake of one server, make no
// run fail, and the edit waits.
func TestAServerThatMayOnlyBeReadIsNotPushedTo(t *testing.T) {
	for name, perServer := range map[string]string{"its script says so": "", "the settings say so": "read_only: true\n"} {
		t.Run(name, func(t *testing.T) {
			l, m := renamed(t, perServer)
			if perServer == "" {
				l.Servers[0].Configure(func(c *psutest.Config) { c.Rights = "read" })
			}
			run(t, m, mirror.Options{})
			if netbox, server := nameOnBoth(l); netbox != "edited" || server == "edited" || len(l.Servers[0].Writes()) > 0 {
				t.Errorf("NetBox has %q, the server %q; %d writes", netbox, server, len(l.Servers[0].Writes()))
			}
		})
	}
	t.Run("the server wins", func(t *testing.T) {
		l, m := renamed(t, "push: false\n")
		run(t, m, mirror.Options{})
		if netbox, server := nameOnBoth(l); netbox == "edited" || netbox != server || len(l.Servers[0].Writes()) > 0 {
			t.Errorf("NetBox has %q, the server %q; %d writes", netbox, server, len(l.Servers[0].Writes()))
		}
	})
}

// rule 3.7 guard o.
func TestAnotherComputerIsNotWrittenToUntilItIsTrusted(t *testing.T) {
	l, m := renamed(t, "")
	l.Servers[0].Configure(func(c *psutest.Config) { c.Computer = "OTHER" })
	for range 2 {
		r, err := m.Sync(t.Context(), mirror.Options{})
		if err != nil || r.Outcome != mirror.HeldBack || len(l.Servers[0].Writes()) > 0 {
			t.Fatalf("%v %v: %s", r.Outcome.ExitCode(), err, r.Summary)
		}
	}
	if err := mirror.ForgetComputer(m.File, l.Host(0)); err != nil {
		t.Fatal(err)
	}
	run(t, m, mirror.Options{})
	if _, server := nameOnBoth(l); server != "edited" {
		t.Errorf("the server has %q", server)
	}
}
