package decide

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Rule 3.2 point 1: a scope that is recorded, listed and not mirrored is an error,
// unless a switch says so.
func TestWhatStopsBeingMirroredIsAnError(t *testing.T) {
	alone := func(t *testing.T) *lab { return newLab(t) }
	twice := func(t *testing.T) *lab { l := pairsOfOneName(t); l.importAll(); return l }
	for _, c := range []struct {
		name   string
		lab    func(*testing.T) *lab
		change func(*lab)
		say    string // empty: no error
	}{
		{"3.2 point 1: nothing is wrong", paired, func(*lab) {}, ""},
		{"3.2 point 1: two pairs of one name and settings for one of them", twice, func(l *lab) {
			l.p.Failovers = map[string]plan.Failover{"east": {Primary: dh1}}
		}, "servers; not mirrored: 1 scope"},
		{"3.2 point 1: another pair shares a server, and no server has scopes of its own", paired, func(l *lab) {
			l.p = defaults(dh1, dh2, dh3)
			for i := range l.p.Servers {
				l.p.Servers[i].Standalone = i == 2
			}
			l.w.server(dh3).failovers = []windhcp.Failover{{Name: "east", Primary: dh3, Secondary: dh2}}
		}, "not mirrored: 1 scope"},
		{"3.2 point 1: neither server of the relationship is configured", paired, func(l *lab) {
			c := l.context("windows-dhcp failover east")
			c.Data = json.RawMessage(strings.NewReplacer(dh1, "dh8.corp.example", dh2, "dh9.corp.example").Replace(string(c.Data)))
			l.w.server(dh1).failovers, l.w.server(dh2).failovers = nil, nil
		}, "neither dh8.corp.example nor dh9.corp.example"},
		{"3.2 point 1: the config context is gone", paired, func(l *lab) {
			l.w.nb.Contexts = slices.DeleteFunc(l.w.nb.Contexts, func(c state.Context) bool { return c.Name == "windows-dhcp failover east" })
		}, "recorded as failover east's, which is not known here"},
		{"3.2 point 1: the server has another name", alone, func(l *lab) { l.w.nb.Ranges[0].Server = "dh9.corp.example" }, "recorded as dh9.corp.example's, which is not known here, and left alone; listed now by dh1"},
		{"3.2 point 1: the settings name another VRF", alone, func(l *lab) { l.p.Servers[0].VRF = "red" }, "recorded in the global table, but the settings of this server say VRF red"},
		{"3.2 point 1: the settings name a VRF that is gone", alone, func(l *lab) { l.p.Servers[0].VRF = "nosuch" }, "no such VRF"},
		{"3.2 point 1: a second record in another VRF: the prefix says which one counts", alone, func(l *lab) { l.recordAgain(7) }, ""},
		{"3.2 point 1: a second record in another VRF, with a prefix there too", alone, func(l *lab) { l.recordAgain(7); l.w.addPrefix("10.8.4.0/24", 7) }, "is in several VRFs"},
		{"3.2 point 1: two records in VRFs, and a prefix in neither", alone, func(l *lab) {
			l.recordAgain(8)
			l.w.nb.Ranges[0].VRF = 7
		}, "recorded in VRF red"},
		{"3.2 point 1: a second record in another VRF, and the settings name one", alone, func(l *lab) {
			l.recordAgain(7)
			l.w.addPrefix("10.8.4.0/24", 7)
			l.p.Servers[0].VRF = "red"
		}, ""},
		{"3.2 point 1: a prefix of the same network in another VRF", alone, func(l *lab) { l.w.addPrefix("10.8.4.0/24", 7) }, ""},
		{"3.2 point 1: the prefix only in another VRF", alone, func(l *lab) { l.w.nb.Prefixes[0].VRF = 7 }, ""},
		{"3.2 point 1: a prefix in another VRF of a scope that had none", paired, func(l *lab) { l.w.addPrefix("10.8.4.0/24", 7) }, ""},
		{"3.2 point 1: the record cannot be read", alone, func(l *lab) { l.w.nb.Ranges[0].Exclusions = json.RawMessage(`"x"`) }, "it is left alone"},
		{"3.2 point 1: only the secondary lists the scope", paired, func(l *lab) { delete(l.w.server(dh1).scopes, l.scope.ID()) }, "does not list the scope, but its partner does"},
		{"3.2 point 1: a range is in the way of a scope that is not recorded", alone, func(l *lab) {
			l.w.nb.Ranges[0].Role, l.w.nb.Ranges[0].Server = "dhcp-pool", ""
		}, "IP range 10.8.4.20-10.8.4.250"},
		{"3.2 point 1: a range that only touches it is, too", alone, func(l *lab) {
			l.w.nb.Ranges[0].Role, l.w.nb.Ranges[0].Server, l.w.nb.Ranges[0].Start = "", "", netip.MustParseAddr("10.8.4.250")
		}, "IP range 10.8.4.250-10.8.4.250"},
		{"3.2 point 1: a scope that was never imported is no error", alone, func(l *lab) { l.w.nb.Ranges = nil }, ""},
		{"3.2 point 1: switched off in NetBox", paired, func(l *lab) { l.context("windows-dhcp failover east").Active = false }, ""},
		{"3.2 point 1: switched off in the settings", paired, func(l *lab) { l.p.Failovers = map[string]plan.Failover{"east": {Disabled: true}} }, ""},
		{"3.2 point 1: the relationship is in maintenance", paired, func(l *lab) { l.p.Failovers = map[string]plan.Failover{"east": {Maintenance: true}} }, ""},
		{"3.2 point 1: the scope is in maintenance", alone, func(l *lab) {
			l.w.nb.Ranges[0].Server, l.p.MaintenanceScopes = "dh9.corp.example", []netip.Prefix{l.scope.Subnet}
		}, ""},
		{"3.2 point 1: the server is disabled", alone, func(l *lab) { l.p.Servers[0].Disabled = true }, ""},
		{"3.2 point 1: the server is not part of the run", alone, func(l *lab) { l.p.Servers[0].Selected = false }, ""},
		{"3.2 point 1: sync_standalone_scopes is off", alone, func(l *lab) { l.p.Servers[0].Standalone = false }, ""},
		{"3.2 point 1: active_scopes_only", alone, func(l *lab) { l.p.ActiveScopesOnly = true; l.scope.State = "Inactive" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := c.lab(t)
			c.change(l)
			in := l.w.read(l.p)
			p := Build(in)
			says := func(notes []plan.Note) bool {
				return slices.ContainsFunc(notes, func(n plan.Note) bool { return n.Level == plan.Failure && strings.Contains(n.Text, c.say) })
			}
			if c.say == "" && (p.Failed() || says(Stopped(&in))) || c.say != "" && (!says(p.Notes) || !says(Stopped(&in))) {
				t.Errorf("want an error with %q:\n%s\nand for the doctor %v", c.say, describe(p), Stopped(&in))
			}
			for _, s := range p.Steps {
				if s.Kind == state.IPRange || s.Kind == state.IPAddress {
					t.Errorf("changes something: %s", describe(p))
				}
			}
		})
	}
}

// rule 3.6 vrf: what people add in another VRF does not move a recorded scope there.
func TestARecordedScopeStaysInTheVRFOfItsRecord(t *testing.T) {
	for _, c := range []struct {
		name   string
		lab    func(*testing.T) *lab
		change func(*lab)
	}{
		{"a prefix in a second VRF", newLab, func(l *lab) { l.w.addPrefix("10.8.4.0/24", 7) }},
		{"the prefix is in another VRF now", newLab, func(l *lab) { l.w.nb.Prefixes[0].VRF = 7 }},
		{"a prefix in a VRF, of a scope that had none", paired, func(l *lab) { l.w.addPrefix("10.8.4.0/24", 7) }},
		{"a second record in another VRF", newLab, func(l *lab) { l.recordAgain(7) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := c.lab(t)
			c.change(l)
			l.scope.lease("10.8.4.40", pc, "pc")
			p := l.run()
			wantSteps(t, p, onAddresses, "create 10.8.4.40/24 [3.5 row 4]")
			if x := l.w.address("10.8.4.40"); x == nil || p.Failed() {
				t.Errorf("not in the VRF of its record\n%s", describe(p))
			}
		})
	}
}

// recordAgain records the lab's scope in another VRF too.
func (l *lab) recordAgain(vrf int64) {
	again := l.w.nb.Ranges[0]
	again.ID, again.VRF = l.w.id(), vrf
	l.w.nb.Ranges = append(l.w.nb.Ranges, again)
}

func TestRecordsOfAServerThatIsGoneAreToldOnceForTheServer(t *testing.T) { // rule 3.2 point 1
	l := newLab(t)
	l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	l.importAll()
	l.w.nb.Ranges[0].Server, l.w.nb.Ranges[1].Server = "dh9.corp.example", "dh9.corp.example"
	delete(l.w.server(dh1).scopes, netip.MustParseAddr("10.8.4.0"))
	delete(l.w.server(dh1).scopes, netip.MustParseAddr("10.8.6.0"))
	p := l.plan()
	wantNote(t, p, plan.Warning, "3.2", "2 scopes are recorded as dh9.corp.example's")
	if n := len(p.Notes); n != 1 || p.Failed() {
		t.Errorf("%d notes:\n%s", n, describe(p))
	}
}

// Rule 3.8 point 2: what lasts is told when it changes, and once a day.
func TestWhatLastsIsToldWhenItChangesAndOnceADay(t *testing.T) {
	l := newLab(t)
	news := func(change func()) (told []string) {
		t.Helper()
		change()
		p := Build(l.w.read(l.p))
		if err := l.w.apply(p); err != nil {
			t.Fatal(err)
		}
		if !p.Failed() {
			t.Errorf("not an error any more:\n%s", describe(p))
		}
		for _, n := range p.Notes {
			if n.Level == plan.Failure && !n.Repeated {
				told = append(told, n.Text)
			}
		}
		return told
	}
	later := func(d time.Duration) func() { return func() { l.w.now = l.w.now.Add(d) } }
	for _, c := range []struct {
		name   string
		change func()
		want   int
	}{
		{"the first run tells it", func() { l.scope.exclusionsFail = true }, 1},
		{"the next one does not", later(time.Hour), 0},
		{"what is new is told", func() { l.scope.optionsFail = true }, 1},
		{"a run over another part tells only what is new there", func() { l.p.OnlyScopes = []netip.Prefix{l.scope.Subnet} }, 0},
		{"nor is it forgotten by that", func() { l.p.OnlyScopes = nil }, 0},
		{"what only a sync reads is told", func() { l.scope.malformed = true }, 1},
		{"and not forgotten by an import", func() { l.importAll() }, 0},
		{"what came back is not what was told", func() { l.scope.malformed, l.scope.optionsFail = false, false }, 0},
		{"but new", func() { l.scope.optionsFail = true }, 1},
		{"still within the day", later(20 * time.Hour), 0},
		{"a day after the first run, that is told again", later(150 * time.Minute), 1},
		{"and a day later both are", later(24 * time.Hour), 2},
		{"a clock that was set back hides nothing", later(-48 * time.Hour), 2},
		{"without a memory all is news", func() { l.w.memory = plan.Memory{} }, 2},
	} {
		if told := news(c.change); len(told) != c.want {
			t.Errorf("%s: told %d, want %d: %q", c.name, len(told), c.want, told)
		}
	}
}
