package decide

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// everythingToPush is a lab in which a reservation, a name, an exclusion and a whole
// scope would be written to the server, and a reservation deleted there.
func everythingToPush(t *testing.T) *lab {
	l := bothHave(t)
	l.p.PushScopeInfo = true
	l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.31"), span("10.8.4.40", "10.8.4.41")}
	l.run()
	l.w.remove(0)
	l.w.memory.Pushed[plan.PushedKey{Server: dh1, Addr: netip.MustParseAddr("10.8.4.33")}] = plan.Pushed{ClientID: pc,
		Known: plan.Known{Object: l.w.log[0].Object, Seen: state.Mark{Record: l.w.log[0].Record - 1, Time: l.w.now}, Record: l.w.log[0].Record, First: l.w.now.Add(-2 * later), Dated: l.w.now.Add(-2 * later)}}
	l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.50/24"), Status: "reserved", ClientID: mfp})
	l.w.nb.Ranges[0].ScopeName, l.w.nb.Ranges[0].Exclusions = "edited", json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.31"}]`)
	l.w.addPrefix("10.8.9.0/24", 0)
	l.w.nb.Ranges = append(l.w.nb.Ranges, state.Range{ID: l.w.id(), Start: netip.MustParseAddr("10.8.9.10"), End: netip.MustParseAddr("10.8.9.99"), Bits: 24,
		Role: state.RoleScope, Server: dh1, ScopeName: "Labs", ScopeState: "Active", LeaseSeconds: 3600})
	return l
}

// rule 5.7: a brake holds every step on a server back, and nothing in NetBox gives
// way meanwhile: neither by the setting nor by rights that the script tells.
func TestABrakeHoldsStepsOnOneServerBack(t *testing.T) {
	if n := len(everythingToPush(t).plan().Targets()); n != 2 {
		t.Fatalf("without a brake %d targets are written to", n)
	}
	for _, c := range []struct {
		name  string
		brake func(*lab)
		note  string
	}{
		{"servers[].read_only", func(l *lab) { l.p.Servers[0].ReadOnly = true }, "read_only is on for this server"},
		{"a script that may only read", func(l *lab) { l.w.server(dh1).readsOnly = true }, "may only read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := everythingToPush(t)
			c.brake(l)
			for range 2 {
				p := l.run()
				wantSteps(t, p, onServers)
				wantNote(t, p, plan.Skip, "5.7", c.note)
				if l.w.nb.Ranges[0].ScopeName != "edited" || len(l.w.nb.Ranges) != 2 || l.w.address("10.8.4.50") == nil || l.w.address("10.8.4.33") != nil {
					t.Errorf("NetBox gave way: %+v", l.w.nb.Ranges)
				}
				if p.Refused() || p.Failed() {
					t.Error("a brake is no trouble")
				}
				l.w.hoursLater(2)
			}
		})
	}
}

// rule 5.7: with push: false the server wins, and its neighbour is pushed to as
// before.
func TestOneServerMayWin(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	other := l.w.server(dh2).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	l.importAll()
	l.p.PushReservations, l.p.PushScopeInfo, l.p.Servers[0].NoPush = true, true, true
	l.scope.reserve("10.8.4.60", cam, "cam")
	l.scope.reserve("10.8.4.61", "00-00-5e-00-53-08", "stays")
	other.reserve("10.8.6.60", "00-00-5e-00-53-09", "x")
	l.run()
	reserved := func(addr, id string) {
		l.add(state.Address{Address: netip.MustParsePrefix(addr + "/24"), Status: "reserved", ClientID: id})
	}
	reserved("10.8.4.50", mfp)
	reserved("10.8.6.50", mfp)
	for i := range l.w.nb.Ranges {
		l.w.nb.Ranges[i].ScopeName = "edited"
	}
	l.scope.reservations = l.scope.reservations[1:] // only NetBox has it now, and the mirror made it
	other.reservations = nil
	p := l.runLater()
	wantSteps(t, p, onRanges) // reverted by the run before runLater's last one
	if l.scope.Name == "edited" || other.Name != "edited" || l.w.nb.Ranges[0].ScopeName == "edited" {
		t.Errorf("names: %s and %s; NetBox has %s", l.scope.Name, other.Name, l.w.nb.Ranges[0].ScopeName)
	}
	if len(l.scope.reservations) != 1 || len(other.reservations) != 2 {
		t.Errorf("reservations: %v and %v", l.scope.reservations, other.reservations)
	}
	if l.w.address("10.8.4.60") != nil || l.w.address("10.8.6.60") == nil {
		t.Error("a reservation that its winning server lost is still in NetBox, or one of the other is not")
	}
}

// rule 5.7, rule 3.7 guard c: where one of two servers of a network wins and the other
// is pushed to, a reservation that the winner suddenly lacks becomes no lease: NetBox is
// the truth for the other one.
func TestAServerThatWinsBesideOneThatIsPushedTo(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.importAll()
	l.scope.reserve("10.8.4.60", cam, "cam")
	l.run()
	l.p.PushReservations, l.p.Servers[0].NoPush = true, true
	l.scope.reservations = nil
	l.scope.lease("10.8.4.60", "00-00-5e-00-53-08", "visitor")
	for range 2 {
		l.run()
		if x := l.w.address("10.8.4.60"); x == nil || x.Status != "reserved" || x.ClientID != cam {
			t.Fatalf("NetBox has %+v", x)
		}
	}
}

// rule 3.7 guard o: while another computer answers under a server's name, nothing is
// pushed, and nothing is deleted on either side.
func TestAnotherComputerUnderTheName(t *testing.T) {
	for _, c := range []struct {
		name    string
		told    func(*lab, string)
		setting string
		strange bool
	}{
		{"the name that was told first", func(l *lab, name string) { l.w.server(dh1).computer = name }, "", true},
		{"the name in the settings", func(l *lab, name string) { l.w.server(dh1).computer = name }, "dh1", true},
		{"the settings say that it is right", func(l *lab, name string) { l.w.server(dh1).computer = name }, "NEWDH", false},
		{"the name in answers about relationships", func(l *lab, name string) {
			l.w.server(dh1).failovers = []windhcp.Failover{{Name: "x", Primary: name + ".corp.example", Secondary: "dh9.corp.example"}}
		}, "", true},
		{"the same name, longer and in other case", func(l *lab, name string) {
			l.w.server(dh1).computer = map[string]string{"DH1": "DH1", "NEWDH": "dh1.corp.example"}[name]
		}, "", false},
		{"a script that does not tell it any more", func(l *lab, name string) {
			l.w.server(dh1).computer = map[string]string{"DH1": "DH1", "NEWDH": ""}[name]
		}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := everythingToPush(t)
			c.told(l, "DH1")
			l.p.ReadOnly = true
			l.run() // the name is remembered
			l.p.ReadOnly = false
			l.p.Servers[0].Computer = c.setting
			l.scope.lease("10.8.4.99", "00-00-5e-00-53-0e", "desk")
			l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.70/24"), Status: "dhcp", Managed: state.Created, ClientID: cam})
			c.told(l, "NEWDH")
			for range 2 {
				p := l.run()
				onOther := func(s plan.Step) bool { return onServers(s) || s.Action == state.Delete }
				if c.strange {
					wantSteps(t, p, onOther)
					wantNote(t, p, plan.Guard, "3.7 guard o", "answers under its name")
				} else if p.Refused() {
					t.Errorf("held back\n%s", describe(p))
				}
				l.w.hoursLater(2)
			}
			if gone := l.w.address("10.8.4.70") == nil; gone == c.strange {
				t.Errorf("deleted: %v", gone)
			}
		})
	}
}
