package decide

import (
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// rule 3.6: the description of a reservation is pulled where NetBox has none, or the
// one that the mirror wrote last. The server has "first" at the first run and "second"
// at the second one.
func TestTheDescriptionOfAReservationIsPulled(t *testing.T) {
	long := strings.Repeat("ä", 300)
	set := func(text string) func(*lab) { return func(l *lab) { l.scope.reservations[0].Description = text } }
	edit := func(text string) func(*lab) {
		return func(l *lab) { l.w.address("10.8.4.33").Description = text }
	}
	for _, c := range []struct {
		name           string
		address        *state.Address // before the first run; nil: none
		first, second  func(*lab)     // before each run
		after1, after2 string
	}{
		{"made with it, and followed", nil, nil, set("second"), "first", "second"},
		{"filled in, and followed", &state.Address{Status: "reserved", ClientID: pc}, nil, set("second"), "first", "second"},
		{"filled in on a record made ahead", &state.Address{Status: "reserved"}, nil, set("second"), "first", "second"},
		{"people's stays", &state.Address{Status: "reserved", ClientID: pc, Description: "mine"}, nil, set("second"), "mine", "mine"},
		{"people's stays on an adopted one", &state.Address{Status: "active", Description: "mine"}, nil, set("second"), "mine", "mine"},
		{"edited since: people's", nil, nil, func(l *lab) { set("second")(l); edit("mine")(l) }, "first", "mine"},
		{"blanked in NetBox: filled in again", nil, nil, edit(""), "first", "first"},
		{"blanked on the server", nil, nil, set(""), "first", ""},
		{"cut as NetBox keeps it", nil, set(long), set(long + "!"), strings.Repeat("ä", 200), strings.Repeat("ä", 200)},
		{"the memory is lost: people's", nil, nil, func(l *lab) { set("second")(l); l.w.memory = plan.Memory{} }, "first", "first"},
		{"a lease takes its place", nil, nil, func(l *lab) {
			l.scope.reservations = nil
			l.scope.lease("10.8.4.33", pc, "pc")
		}, "first", ""},
		{"a lease takes its place, and people wrote it", nil, nil, func(l *lab) {
			l.scope.reservations = nil
			l.scope.lease("10.8.4.33", pc, "pc")
			edit("mine")(l)
		}, "first", "mine"},
		{"protected", &state.Address{Status: "reserved", ClientID: pc, Tags: []string{"dhcp-protect"}}, nil, nil, "", ""},
		{"assigned, with a status of people's", &state.Address{Status: "active", Assigned: true}, nil, nil, "", ""},
		{"an adopted one is given back", &state.Address{Status: "active"}, nil, func(l *lab) { l.scope.reservations = nil }, "first", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t).trust()
			l.scope.reserve("10.8.4.33", pc, "plc-1").Description = " first "
			if c.address != nil {
				l.add(*c.address)
			}
			for i, step := range []func(*lab){c.first, c.second} {
				if step != nil {
					step(l)
				}
				p := l.run()
				if got, want := l.w.address("10.8.4.33").Description, []string{c.after1, c.after2}[i]; got != want {
					t.Errorf("after run %d it is %q, want %q\n%s", i+1, got, want, describe(p))
				}
			}
		})
	}
}

// rules 3.6 and 5.2: with push_reservations a description that people edited goes to the
// server, and one of the server's own does not come back to it.
func TestOnlyPeoplesDescriptionsArePushed(t *testing.T) {
	for _, c := range []struct {
		name       string
		edit       func(*lab)
		wantNetBox string
		wantServer string
	}{
		{"edited in NetBox", func(l *lab) { l.w.address("10.8.4.33").Description = "mine" }, "mine", "mine"},
		{"edited on the server", func(l *lab) { l.scope.reservations[0].Description = "second" }, "second", "second"},
		{"blanked on the server", func(l *lab) { l.scope.reservations[0].Description = "" }, "", ""},
		{"edited on both", func(l *lab) {
			l.w.address("10.8.4.33").Description = "mine"
			l.scope.reservations[0].Description = "second"
		}, "mine", "mine"},
		{"edited on the server while addresses are not synced", func(l *lab) {
			l.p.SyncIPs = false
			l.scope.reservations[0].Description = "second"
		}, "first", "second"},
		{"cut, and longer on the server now", func(l *lab) { l.scope.reservations[0].Description = strings.Repeat("x", 300) }, strings.Repeat("x", 200), strings.Repeat("x", 300)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.p.PushReservations = true
			l.scope.reserve("10.8.4.33", pc, "plc-1").Description = "first"
			l.run()
			c.edit(l)
			p := l.run()
			if netbox, server := l.w.address("10.8.4.33").Description, l.scope.reservations[0].Description; netbox != c.wantNetBox || server != c.wantServer {
				t.Errorf("NetBox has %q, want %q; the server has %q, want %q\n%s", netbox, c.wantNetBox, server, c.wantServer, describe(p))
			}
		})
	}
}
