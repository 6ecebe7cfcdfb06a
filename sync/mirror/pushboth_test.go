package mirror_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rules 5.3 and 5.6: states and options go both ways, as far as each script can.
func storyBothWays(t *testing.T, target mirrortest.Target) {
	for _, c := range []struct {
		script                    string
		office, guest, labs, free string // on the servers after the edits in NetBox
	}{
		{psutest.Own, "inactive 10.1.1.7", "inactive inactive", "inactive 10.1.1.9", "active 10.1.1.7"},
		{psutest.OwnBefore, "inactive 10.1.1.1,10.1.1.2", "inactive inactive", "inactive ", "active 10.1.1.1,10.1.1.2"},
		{psutest.Lists, "inactive 10.1.1.1,10.1.1.2", "inactive inactive", "inactive ", "active 10.1.1.1,10.1.1.2"},
		{"1.0.2", "active 10.1.1.1,10.1.1.2", "active active", "none", "active 10.1.1.1,10.1.1.2"},
	} {
		if target.IsReal() && (c.script == psutest.OwnBefore || c.script == psutest.Lists) {
			continue // what differs is on the servers, and a real NetBox takes a minute for each
		}
		t.Run(c.script, func(t *testing.T) {
			l, m := pairInStep(t, target, c.script)
			edit := func(start string, fields map[string]any) {
				l.Patch("ipam/ip-ranges", l.Get("ipam/ip-ranges", "start_address="+start)[0]["id"], map[string]any{"custom_fields": fields})
			}
			dns := func(value string) []any { return []any{map[string]any{"code": 6, "value": value}} }
			edit("10.8.4.20", map[string]any{"dhcp_scope_state": "Inactive", "dhcp_options": append(dns("10.1.1.7"), map[string]any{"code": 15, "value": "corp.example"},
				map[string]any{"code": 1, "value": "2", "vendor_class": "Microsoft Windows 2000 Options"})})
			edit("10.8.6.10", map[string]any{"dhcp_scope_state": "Inactive"})
			l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.9.0/24"})
			l.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.9.10/24", "end_address": "10.8.9.99/24", "role": map[string]any{"slug": "dhcp-scope"},
				"custom_fields": map[string]any{"dhcp_server": "dh1.corp.example", "dhcp_scope_name": "Labs", "dhcp_lease_seconds": 3600, "dhcp_scope_state": "Inactive", "dhcp_options": dns("10.1.1.9")}})
			run(t, m, mirror.Options{})
			run(t, m, mirror.Options{})
			settled(t, l, m)
			check := func(what, got, want string) {
				t.Helper()
				if got != want {
					t.Errorf("%s is %q, want %q", what, got, want)
				}
			}
			check("the office", shown(l.Servers[0], "10.8.4.0", true), c.office)
			check("the guests' scope", shown(l.Servers[0], "10.8.6.0", false)+" "+shown(l.Servers[1], "10.8.6.0", false), c.guest)
			check("the new scope", shown(l.Servers[0], "10.8.9.0", true), c.labs)
			edit("10.8.4.20", map[string]any{"dhcp_scope_state": "Active"})
			run(t, m, mirror.Options{})
			check("the office at the end", shown(l.Servers[0], "10.8.4.0", true), c.free)
			if c.script != psutest.Own {
				return
			}
			l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.9.0").Options[0].Values = []string{"10.1.1.5"} })
			run(t, m, mirror.Options{})
			wantField(t, l.Get("ipam/ip-ranges", "start_address=10.8.9.10")[0], "custom_fields.dhcp_options", "[map[code:6 value:10.1.1.5]]")
			settled(t, l, m)
		})
	}
}

// pairInStep are two servers with one scope in common, which NetBox has as they are.
func pairInStep(t *testing.T, target mirrortest.Target, script string) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, target, netboxtest.World{})
	first := l.Add(psutest.Example("dh1.corp.example"))
	guest := psutest.Example("x").Scopes[1]
	guest.Leases = nil
	second := l.Add(psutest.World{Name: "dh2.corp.example", Scopes: []*psutest.Scope{guest}})
	psutest.Pair(first, second, psutest.Failover{Name: "east-pair", Scopes: []string{"10.8.6.0"}})
	for i, s := range l.Servers {
		s.Configure(func(c *psutest.Config) { c.Script, c.Computer = script, []string{"DH1", "DH2"}[i] })
	}
	m := l.Open("push_scope_info: true\npush: {push_to_partner: true, activate_scopes: true}\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	return l, m
}

// shown is the state of a scope on a server, and its option 6.
func shown(s *psutest.Server, id string, options bool) (text string) {
	text = "none"
	s.Edit(func(w *psutest.World) {
		scope := w.Scope(id)
		if scope == nil {
			return
		}
		text = "active"
		if strings.EqualFold(scope.State, "Inactive") {
			text = "inactive"
		}
		if !options {
			return
		}
		text += " "
		for _, o := range scope.Options {
			if o.Code == 6 {
				text += strings.Join(o.Values, ",")
			}
		}
	})
	return text
}

// rule 5.6: a state that one partner does not take goes to neither, and to both once it
// does; options that a server refuses are tried again.
func TestWhatAServerRefusedIsNotTakenForAgreed(t *testing.T) {
	l, m := pairInStep(t, mirrortest.StandIn(t, netboxtest.Config{}), psutest.Own)
	id := func(start string) any { return l.Get("ipam/ip-ranges", "start_address="+start)[0]["id"] }
	l.Patch("ipam/ip-ranges", id("10.8.6.10"), map[string]any{"custom_fields": map[string]any{"dhcp_scope_state": "Inactive", "dhcp_options": []any{map[string]any{"code": 6, "value": "10.1.1.7"}}}})
	l.Servers[1].Fail(psutest.Fault{Method: http.MethodPut, Path: "scopes/10.8.6.0", Kind: psutest.Error500, Times: 1})
	l.Servers[0].Fail(psutest.Fault{Method: http.MethodPut, Path: "options/scope/10.8.6.0", Kind: psutest.Error500, Times: 1})
	fails(t, m)
	if got := shown(l.Servers[0], "10.8.6.0", true) + "," + shown(l.Servers[1], "10.8.6.0", false); got != "active ,active" {
		t.Errorf("after a refusal: %s", got)
	}
	run(t, m, mirror.Options{})
	if got := shown(l.Servers[0], "10.8.6.0", true) + "," + shown(l.Servers[1], "10.8.6.0", false); got != "inactive 10.1.1.7,inactive" {
		t.Errorf("after the next run: %s", got)
	}
	settled(t, l, m)
}
