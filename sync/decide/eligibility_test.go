package decide

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// paired is a lab whose scope belongs to the relationship east of dh1 and dh2,
// which NetBox knows.
func paired(t *testing.T) *lab {
	l := &lab{T: t, w: newWorld(), p: defaults(dh1, dh2)}
	l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	l.importAll()
	return l
}

// twin is the lab's scope on the partner.
func (l *lab) twin() *wscope { return l.w.server(dh2).scopes[l.scope.ID()] }

// synced lists the servers the lab's scope was synced from.
func (l *lab) synced(p *plan.Plan) (hosts []string) {
	for _, s := range p.Scopes {
		if s.Synced && s.Scope == l.scope.Subnet {
			hosts = append(hosts, s.Server)
		}
	}
	return hosts
}

// leave takes the lab's scope out of its relationship, as Windows does: the
// partner loses it.
func (l *lab) leave() {
	l.scope.Failover = ""
	delete(l.w.server(dh2).scopes, l.scope.ID())
	for _, host := range []string{dh1, dh2} {
		for i := range l.w.server(host).failovers {
			l.w.server(host).failovers[i].Scopes = nil
		}
	}
}

func (l *lab) context(name string) *state.Context {
	for i := range l.w.nb.Contexts {
		if l.w.nb.Contexts[i].Name == name {
			return &l.w.nb.Contexts[i]
		}
	}
	l.Fatalf("no context %q", name)
	return nil
}

// rule 3.2, 9 rows 41 and 42.
func TestEligibility(t *testing.T) {
	alone := func(t *testing.T) *lab { return newLab(t) }
	for _, c := range []struct {
		name   string
		lab    func(*testing.T) *lab
		change func(*lab)
		want   []string
		why    string
	}{
		{"3.2 failover, sync enabled: from the acting primary only", paired, func(*lab) {}, []string{dh1}, "is the acting primary"},
		{"3.2 failover, is_active off in NetBox: never, on any server", paired, func(l *lab) { l.context("windows-dhcp failover east").Active = false }, nil, "not sync enabled"},
		{"3.2 failover, sync_enabled off in the settings: never", paired, func(l *lab) { l.p.Failovers = map[string]plan.Failover{"EAST": {Disabled: true}} }, nil, "not sync enabled"},
		{"3.2 failover in maintenance: ignored", paired, func(l *lab) { l.p.Failovers = map[string]plan.Failover{"east": {Maintenance: true}} }, nil, "in maintenance"},
		{"3.2 failover does not mind sync_standalone_scopes", paired, func(l *lab) { l.p.Servers[0].Standalone = false }, []string{dh1}, ""},
		{"3.2 standalone, assigned to this server", alone, func(*lab) {}, []string{dh1}, ""},
		{"3.2 standalone, flag off", alone, func(l *lab) { l.p.Servers[0].Standalone = false }, nil, "sync_standalone_scopes is off"},
		{"3.2 standalone, assigned to another server", alone, func(l *lab) {
			l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
			l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		}, []string{dh1}, "not known to NetBox"},
		{"3.2 neither server nor relationship: never", alone, func(l *lab) { l.w.nb.Ranges[0].Server = "" }, nil, "not known to NetBox"},
		{"3.2 scope in maintenance", alone, func(l *lab) { l.p.MaintenanceScopes = []netip.Prefix{l.scope.Subnet} }, nil, "in maintenance"},
		{"3.2 server in maintenance", alone, func(l *lab) { l.p.Servers[0].Maintenance = true }, nil, "in maintenance"},
		{"3.2 active_scopes_only passes an inactive scope over", alone, func(l *lab) { l.p.ActiveScopesOnly = true; l.scope.State = "Inactive" }, nil, "not active"},
		{"3.2 active_scopes_only passes a scope of unknown state over", alone, func(l *lab) { l.p.ActiveScopesOnly = true; l.scope.State = "?" }, nil, "not active"},
		{"3.2 without active_scopes_only an inactive scope is synced", alone, func(l *lab) { l.scope.State = "Inactive" }, []string{dh1}, ""},
		{"3.6 vrf: a prefix in several VRFs and no mapping is an error of that scope", alone, func(l *lab) {
			l.w.nb.Ranges = nil
			l.p.AutoImport = true
			l.w.addPrefix("10.8.4.0/24", 7)
		}, nil, "is in several VRFs"},
		{"3.6 vrf: an unknown VRF in the settings is an error of that scope", alone, func(l *lab) { l.p.Servers[0].VRF = "nosuch" }, nil, "no such VRF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := c.lab(t)
			c.change(l)
			p := l.run()
			if diff := cmp.Diff(c.want, l.synced(p), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, describe(p))
			}
			told := slices.ContainsFunc(p.Notes, func(n plan.Note) bool { return n.Rule == "3.2" && strings.Contains(n.Text, c.why) })
			if c.why != "" && !told {
				t.Errorf("no note says %q:\n%s", c.why, describe(p))
			}
		})
	}
}

// rule 3.2 pre-flight, 9 row 41: the servers a run connects
// to.
func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab)
		want   []string
	}{
		{"3.2 pre-flight: servers with standalone scopes are asked", func(*lab) {}, []string{dh1, dh2}},
		{"3.2 pre-flight: without those, the acting primary only", func(l *lab) { l.p.Servers[0].Standalone, l.p.Servers[1].Standalone = false, false }, []string{dh1}},
		{"3.2 pre-flight: no server where the relationship is off", func(l *lab) {
			l.p.Servers[0].Standalone, l.p.Servers[1].Standalone = false, false
			l.context("windows-dhcp failover east").Active = false
		}, nil},
		{"3.2 pre-flight: no server in maintenance, none switched off", func(l *lab) { l.p.Servers[0].Disabled, l.p.Servers[1].Maintenance = true, true }, nil},
		{"3.2 pre-flight: --server asks that one", func(l *lab) { l.p.Servers[0].Selected = false }, []string{dh2}}, // rule 9 row 19
		{"3.2 pre-flight: the partner is asked where it is written to", func(l *lab) {
			l.p.Servers[0].Standalone, l.p.Servers[1].Standalone = false, false
			l.p.PushReservations, l.p.PushToPartner = true, true
		}, []string{dh1, dh2}},
		{"3.2 pre-flight: the partner of a server that is down is asked next", func(l *lab) {
			l.p.Servers[0].Standalone, l.p.Servers[1].Standalone = false, false
			l.w.server(dh1).down = true
		}, []string{dh1, dh2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := paired(t)
			c.change(l)
			var asked []string
			for _, s := range l.w.read(l.p).Windows {
				asked = append(asked, s.Host)
			}
			if diff := cmp.Diff(c.want, asked, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// rule 3.3.
func TestWhoIsTheActingPrimary(t *testing.T) {
	off := func(l *lab) { l.p.Servers[0].Standalone, l.p.Servers[1].Standalone = false, false }
	for _, c := range []struct {
		name   string
		change func(*lab)
		want   []string
	}{
		{"3.3 the settings win", func(l *lab) { l.p.Failovers = map[string]plan.Failover{"east": {Primary: "DH2"}} }, []string{dh2}},
		{"3.3 else the recorded primary", off, []string{dh1}},
		{"3.3 a report of the partner does not swap roles", func(l *lab) { l.w.server(dh1).failovers = nil }, []string{dh1}},
		{"3.3 the recorded names match by short name, case and a trailing dot", func(l *lab) {
			c := l.context("windows-dhcp failover east")
			c.Data = json.RawMessage(strings.NewReplacer(dh1, "DH1.", dh2, "Dh2.CORP.example.").Replace(string(c.Data)))
		}, []string{dh1}},
		{"3.3 reported names match by address and alias", func(l *lab) {
			l.p.Servers[1].Aliases = []string{"192.0.2.2"}
			l.w.server(dh1).failovers[0].Secondary = "192.0.2.2"
		}, []string{dh1}},
		{"3.3 the same name with another pair: both are passed over", func(l *lab) {
			l.p.Servers = append(l.p.Servers, defaults(dh3).Servers...)
			l.w.server(dh3).failovers = []windhcp.Failover{{Name: "east", Primary: dh3, Secondary: dh2}}
		}, nil},
		{"3.3 fallback: the secondary acts where the primary is down", func(l *lab) { l.w.server(dh1).down = true }, []string{dh2}},
		{"3.3 fallback: or in maintenance", func(l *lab) { l.p.Servers[0].Maintenance = true }, []string{dh2}},
		{"3.3 fallback: not if it is in maintenance itself", func(l *lab) { l.w.server(dh1).down = true; l.p.Servers[1].Maintenance = true }, nil},
		{"3.3 fallback: not in a run for one server", func(l *lab) { l.p.Servers[0].Selected = false }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := paired(t)
			c.change(l)
			p := l.run()
			if diff := cmp.Diff(c.want, l.synced(p), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, describe(p))
			}
		})
	}
	t.Run("3.3 else the first configured server that reports it", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh2, dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.w.pair("east", dh1, dh2, "10.8.4.0")
		l.importAll()
		if got := l.synced(l.run()); !slices.Equal(got, []string{dh2}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestFallbackNeitherCleansUpNorPushesNorPullsConfiguration(t *testing.T) { // rule 3.3
	l := paired(t)
	l.p.PushReservations, l.p.PushScopeInfo, l.p.DeleteRemoved = true, true, true
	l.w.server(dh1).down = true
	l.twin().Name = "old name"
	l.twin().lease("10.8.4.40", pc, "pc")
	l.add(state.Address{Status: "dhcp"})
	l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "reserved", ClientID: mfp})
	wantSteps(t, l.run(), anyStep, "create 10.8.4.40/24 [3.5 row 4]")
	l.p.PushScopeInfo = false
	delete(l.w.server(dh2).scopes, l.scope.ID())
	wantSteps(t, l.run(), anyStep)
}

// pairsOfOneName are two pairs, dh1 with dh2 and dh3 with dh4, whose relationships
// have the same name.
func pairsOfOneName(t *testing.T) *lab {
	l := paired(t)
	l.p = defaults(dh1, dh2, dh3, dh4)
	l.w.server(dh3).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250").lease("10.8.6.40", cam, "cam")
	l.w.pair("East", dh3, dh4, "10.8.6.0")
	l.scope.lease("10.8.4.40", pc, "pc")
	return l
}

const dh4 = "dh4.corp.example"

// Rule 3.3 point 1.
func TestRelationshipsOfOneNameAreKnownByTheirPair(t *testing.T) {
	first, both := "create 10.8.4.40/24 [3.5 row 4]", []string{"create 10.8.4.40/24 [3.5 row 4]", "create 10.8.6.40/24 [3.5 row 4]"}
	t.Run("3.3 point 1: a second pair does not stop the first", func(t *testing.T) {
		l := pairsOfOneName(t)
		wantSteps(t, l.run(), onAddresses, first)
	})
	t.Run("3.3 point 1: and is recorded beside it", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.importAll()
		wantSteps(t, l.run(), onAddresses, both...)
		if r := l.w.nb.Ranges; r[0].Failover != "east" || r[1].Failover != "East (dh3, dh4)" {
			t.Errorf("recorded %q and %q", r[0].Failover, r[1].Failover)
		}
		if c := l.context("windows-dhcp failover East (dh3, dh4)"); !strings.Contains(string(c.Data), `"name":"East"`) {
			t.Errorf("recorded %s", c.Data)
		}
	})
	t.Run("3.3 point 1: at once, by a server of either pair", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.w.nb.Ranges, l.w.nb.Contexts = nil, l.w.nb.Contexts[:2]
		l.importAll()
		wantSteps(t, l.run(), onAddresses, both...)
		l.p.Servers[0].Selected, l.p.Servers[1].Selected = false, false
		l.w.server(dh3).scopes[netip.MustParseAddr("10.8.6.0")].lease("10.8.6.41", mfp, "mfp")
		wantSteps(t, l.run(), onAddresses, "create 10.8.6.41/24 [3.5 row 4]")
	})
	t.Run("3.3 point 1: each has its own switch in NetBox", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.importAll()
		l.context("windows-dhcp failover East (dh3, dh4)").Active = false
		wantSteps(t, l.run(), onAddresses, first)
	})
	t.Run("3.3 point 1: settings that could mean either are an error of both", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.importAll()
		l.p.Failovers = map[string]plan.Failover{"EAST": {Primary: dh1}}
		wantSteps(t, l.run(), onAddresses)
	})
	t.Run("3.3 point 1: settings that name the pair are that pair's", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.importAll()
		l.p.Failovers = map[string]plan.Failover{"EAST": {Disabled: true, Servers: []string{"DH4", "dh3"}}}
		wantSteps(t, l.run(), onAddresses, first)
	})
	t.Run("3.3 point 1: and so are those with the name NetBox shows", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.importAll()
		l.p.Failovers = map[string]plan.Failover{"east (DH3, DH4)": {Disabled: true}}
		wantSteps(t, l.run(), onAddresses, first)
	})
	t.Run("3.3 point 1: a partner that is not configured makes no other pair unusable", func(t *testing.T) {
		l := pairsOfOneName(t)
		l.p.Servers = l.p.Servers[:3]
		wantSteps(t, l.run(), onAddresses, first)
	})
}
