package decide

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 3.7 guard i.
func TestAnAdoptedAddressGetsBackWhatItHad(t *testing.T) {
	adopted := func(t *testing.T, was state.Address) *lab {
		l := leased(t, 4)
		was.Address = netip.MustParsePrefix("10.8.4.200/24")
		l.add(was)
		return l
	}
	for _, c := range []struct {
		name    string
		was     state.Address
		reserve bool
	}{
		{name: "3.7 guard i: a lease on an active address", was: state.Address{Status: "active", DNSName: "by-hand"}},
		{name: "3.7 guard i: a lease on one without a name", was: state.Address{Status: "deprecated"}},
		{name: "3.7 guard i: a reservation on an active address", was: state.Address{Status: "active", DNSName: "by-hand"}, reserve: true},
		{name: "3.7 guard i: a lease on one with the lease status", was: state.Address{Status: "dhcp", DNSName: "by-hand"}},
		{name: "3.7 guard i: a reservation made by hand that the server renamed", was: state.Address{Status: "reserved", DNSName: "by-hand", ClientID: mfp}, reserve: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := adopted(t, c.was)
			if c.reserve {
				l.scope.reserve("10.8.4.201", cam, "stays")
				l.scope.reserve("10.8.4.200", pc, "printer")
			} else {
				l.scope.lease("10.8.4.200", pc, "laptop").Expires = l.w.now.Add(time.Hour)
			}
			l.run()
			if x := l.w.address("10.8.4.200"); x.Managed != state.Adopted || x.DNSName == "by-hand" {
				t.Fatalf("%+v", x)
			}
			l.drop(0)
			l.scope.leases = l.scope.leases[:4]
			if c.reserve {
				l.scope.reservations = l.scope.reservations[:1]
			}
			p := l.runLater()
			p.Notes = append(p.Notes, l.run().Notes...)
			x := l.w.address("10.8.4.200")
			if x == nil || x.Status != c.was.Status || x.DNSName != c.was.DNSName {
				t.Fatalf("%+v\n%s", x, describe(p))
			}
			if x.LeaseActive != nil && *x.LeaseActive {
				t.Error("the lease is still shown as running")
			}
			l.wantRefused(false, p)
			l.trust().after(1000 * time.Hour)
			if l.w.address("10.8.4.200") == nil {
				t.Error("deleted in the end")
			}
		})
	}
	t.Run("3.7 guard i: what it had is not known", func(t *testing.T) {
		l := adopted(t, state.Address{Status: "active", DNSName: "by-hand"})
		l.scope.lease("10.8.4.200", pc, "laptop").Expires = l.w.now.Add(time.Hour)
		l.run()
		l.w.memory.Before = nil
		l.scope.leases = l.scope.leases[:4]
		p := l.run()
		wantNote(t, p, plan.Warning, "3.7 guard i", "it stays")
		if x := l.w.address("10.8.4.200"); x == nil || x.Status != "dhcp" {
			t.Errorf("%+v", x)
		}
		wantNote(t, l.run(), plan.Info, "3.7 guard i", "it stays")
	})
	t.Run("3.7 guard i: another address of the same id in another NetBox", func(t *testing.T) {
		l := adopted(t, state.Address{Status: "active"})
		l.scope.lease("10.8.4.200", pc, "laptop").Expires = l.w.now.Add(time.Hour)
		l.run()
		l.w.address("10.8.4.200").Address = netip.MustParsePrefix("10.8.4.210/24")
		l.scope.leases = l.scope.leases[:4]
		l.runLater()
		if x := l.w.address("10.8.4.210"); x == nil || x.Status != "dhcp" {
			t.Errorf("%+v", x)
		}
	})
	t.Run("3.7 guard i: adopted again, it gets back what it had then", func(t *testing.T) {
		l := adopted(t, state.Address{Status: "active", DNSName: "first"})
		for _, name := range []string{"first", "second"} {
			l.w.address("10.8.4.200").DNSName = name
			l.scope.lease("10.8.4.200", pc, "laptop").Expires = l.w.now.Add(time.Hour)
			l.run()
			l.scope.leases = l.scope.leases[:4]
			l.run()
			if x := l.w.address("10.8.4.200"); x.Status != "active" || x.DNSName != name {
				t.Errorf("%+v", x)
			}
		}
	})
	t.Run("3.7 guard g: many at once are a loss too", func(t *testing.T) {
		l := leased(t, 2)
		for i := range 6 {
			addr := fmt.Sprintf("10.8.4.%d", 200+i)
			l.add(state.Address{Address: netip.MustParsePrefix(addr + "/24"), Status: "active"})
			l.scope.lease(addr, fmt.Sprintf("00-00-5e-00-55-%02x", i), "x").Expires = l.w.now.Add(5 * time.Hour)
		}
		l.run()
		l.scope.leases = l.scope.leases[:2]
		if l.after(2 * time.Hour); l.w.address("10.8.4.203").Status != "dhcp" {
			t.Error("given back by one look")
		}
		if l.after(4 * time.Hour); l.w.address("10.8.4.203").Status != "active" {
			t.Error("not given back")
		}
	})
}

// Rule 3.5 row 11: a crowd of people's addresses is not overwritten by itself.
func TestManyStatusesOfPeopleAreOverwrittenByAWordOnly(t *testing.T) {
	for have, refused := range map[int]bool{25: false, 26: true} {
		t.Run(fmt.Sprintf("3.5 row 11: %d at once", have), func(t *testing.T) {
			l := newLab(t)
			for i := range have {
				addr := fmt.Sprintf("10.8.4.%d", 100+i)
				l.add(state.Address{Address: netip.MustParsePrefix(addr + "/24"), Status: "active"})
				l.scope.lease(addr, fmt.Sprintf("00-00-5e-00-55-%02x", i), "x")
			}
			l.scope.lease("10.8.4.99", pc, "new")
			p := l.run()
			l.wantRefused(refused, p)
			if x := l.w.address("10.8.4.100"); (x.Status == "active") != refused || (x.LeaseActive == nil) != refused {
				t.Errorf("%+v", x)
			}
			if l.w.address("10.8.4.99") == nil {
				t.Error("others wait for it")
			}
			l.p.AllowOverwrites = true
			if l.run(); l.w.address("10.8.4.100").Status != "dhcp" {
				t.Error("--allow-overwrites did not help")
			}
		})
	}
}

// Rule 3.4: what people assigned, or share between machines.
func TestAddressesThatPeopleAssignedOrShareKeepWhatTheyHave(t *testing.T) {
	shared, assigned := state.Address{Shared: true}, state.Address{Assigned: true, InUse: "assigned to an interface"}
	group := state.Address{Assigned: true, InUse: "assigned to ipam.fhrpgroup"}
	for name, x := range map[string]state.Address{"a shared role": shared, "an interface": assigned, "an FHRP group": group} {
		t.Run("3.4 people: "+name+" and a status of people: only the lease is recorded", func(t *testing.T) {
			l := newLab(t)
			x.Status, x.DNSName, x.ClientID = "active", "vip", mfp
			l.add(x)
			l.scope.lease("10.8.4.33", pc, "laptop")
			p := l.run()
			wantNote(t, p, plan.Warning, "3.4", "assigned or shared")
			l.wantRefused(false, p)
			if got := l.w.address("10.8.4.33"); got.Status != "active" || got.DNSName != "vip" || got.ClientID != mfp || got.Managed != "" || got.LeaseHostname != "laptop" || !*got.LeaseActive {
				t.Errorf("%+v", got)
			}
			wantNote(t, l.run(), plan.Info, "3.4", "1 address with a lease")
		})
	}
	t.Run("3.4 people: assigned, with the lease status: followed, and never deleted", func(t *testing.T) {
		l := newLab(t)
		assigned.Status = "dhcp"
		l.add(assigned)
		l.scope.lease("10.8.4.33", pc, "laptop")
		l.run()
		if got := l.w.address("10.8.4.33"); got.DNSName != "laptop" || got.ClientID != pc || got.Managed != "" {
			t.Errorf("%+v", got)
		}
		l.scope.leases = nil
		l.p.KeepAssigned = false
		l.trust().runLater()
		if got := l.w.address("10.8.4.33"); got == nil || *got.LeaseActive {
			t.Errorf("%+v", got)
		}
	})
}

// Rule 3.7 guard j: addresses of a DHCP server that answers from this NetBox.
func TestAddressesWithTheExemptTagAreNeverWritten(t *testing.T) {
	for _, status := range []string{"dhcp", "reserved", "active"} {
		for _, listed := range []bool{false, true} {
			t.Run(fmt.Sprintf("3.7 guard j: status %s, listed %t", status, listed), func(t *testing.T) {
				l := newLab(t)
				l.p.ExemptTag = "pool"
				l.add(state.Address{Status: status, ClientID: mfp, Managed: state.Created, Tags: []string{"pool"}, LeaseActive: yes()})
				l.add(state.Address{Status: status, ClientID: mfp, Managed: state.Created, Tags: []string{state.TagInvalid}}) // a second object of the host
				if listed {
					l.scope.lease("10.8.4.33", pc, "laptop")
				}
				p := l.trust().runLater()
				wantSteps(t, p, onAddresses)
				if listed != hasNote(p, plan.Info, "3.7 guard j", "1 address with tag pool") {
					t.Errorf("notes:\n%s", describe(p))
				}
			})
		}
	}
}
