package decide

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 3.7 guard n: a lease of a relationship ends when neither server has it.
func TestALeaseOfARelationshipEndsWhenNeitherServerHasIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*lab)
		deleted bool
	}{
		{"3.7 guard n: neither has it", func(l *lab) { l.twin().leases = l.twin().leases[:1] }, true},
		{"3.7 guard n: the partner still has it", func(*lab) {}, false},
		{"3.7 guard n: the partner holds the address back", func(l *lab) { l.twin().leases[1].State = "Declined" }, false},
		{"3.7 guard n: the partner has it for a remote access server, whose leases are ignored", func(l *lab) {
			l.twin().leases[1].ClientID, l.p.SkipRAS = "52-41-53-20-00-00-00-00-00-00-00-00-00-00-00-01", true
		}, false},
		{"3.7 guard n: the partner did not answer", func(l *lab) { l.twin().leases = nil; l.w.server(dh2).down = true }, false},
		{"3.7 guard n: the partner's leases could not be read", func(l *lab) { l.twin().leases = nil; l.twin().leasesFail = true }, false},
		{"3.7 guard n: the partner's leases could not be understood", func(l *lab) { l.twin().leases = l.twin().leases[:1]; l.twin().malformed = true }, false},
		{"3.7 guard n: the partner does not have the scope", func(l *lab) { delete(l.w.server(dh2).scopes, l.scope.ID()) }, true},
		{"3.7 guard n: the partner may not be asked: not its own scopes", func(l *lab) { l.p.Servers[1].Standalone = false }, true},
		{"3.7 guard n: the partner may not be asked: in maintenance", func(l *lab) { l.p.Servers[1].Maintenance = true }, true},
		{"3.7 guard n: the partner may not be asked: not part of the run", func(l *lab) { l.p.Servers[1].Selected = false }, true},
		{"3.7 guard n: ask_partner", func(l *lab) {
			l.p.Servers[1].Standalone = false
			l.p.Failovers = map[string]plan.Failover{"east": {AskPartner: true}}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := paired(t)
			l.scope.lease("10.8.4.40", pc, "stays")
			l.scope.lease("10.8.4.41", mfp, "ends").Expires = l.w.now.Add(time.Hour)
			l.twin().leases = slices.Clone(l.scope.leases)
			l.run()
			l.scope.leases = l.scope.leases[:1]
			c.change(l)
			p := l.run()
			x := l.w.address("10.8.4.41")
			if (x == nil) != c.deleted {
				t.Errorf("deleted %t\n%s", x == nil, describe(p))
			}
			if x != nil && !*x.LeaseActive {
				t.Error("the lease is shown as over")
			}
		})
	}
}

// Rule 3.7 guard n: the partner alone makes no address, and its configuration counts
// for nothing.
func TestWhatThePartnerAloneHasIsNotRecorded(t *testing.T) {
	l := paired(t)
	l.twin().lease("10.8.4.50", pc, "partner")
	l.twin().reserve("10.8.4.51", mfp, "partner")
	wantSteps(t, l.run(), onAddresses)
}

// Rule 3.7 guard n: a lease that the partner alone had is over at the end it had there.
func TestALeaseOfThePartnerAloneLastsUntilItsEndThere(t *testing.T) {
	for _, c := range []struct {
		name  string
		hours int // until the lease on the partner ends; 0: it does not
		left  bool
	}{
		{"3.7 guard n: it ended on both", 2, false},
		{"3.7 guard n: it runs on the partner", 100, true},
		{"3.7 guard n: it does not end on the partner", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := paired(t)
			l.scope.lease("10.8.4.41", mfp, "laptop").Expires = l.w.now.Add(5 * time.Hour)
			l.twin().leases = slices.Clone(l.scope.leases)
			l.run()
			l.twin().leases[0].Expires = time.Time{}
			if c.hours > 0 {
				l.twin().leases[0].Expires = l.w.now.Add(time.Duration(c.hours) * time.Hour)
			}
			l.scope.leases = nil
			l.run()
			l.twin().leases = nil // as the scripts tell a list that failed
			l.run()
			p := l.after(48 * time.Hour)
			if left := l.w.address("10.8.4.41") != nil; left != c.left {
				t.Errorf("left: %t\n%s", left, describe(p))
			}
		})
	}
}

// Rule 3.7 guard n: also where the partner's reservations are read, since it is written
// to, they keep no address, and prove no loss. They are told.
func TestAReservationOfThePartnerAloneKeepsNothing(t *testing.T) {
	l := paired(t)
	l.p.PushScopeInfo, l.p.PushToPartner = true, true
	l.scope.reserve("10.8.4.60", pc, "goes")
	l.scope.reserve("10.8.4.61", mfp, "stays")
	l.twin().reservations = slices.Clone(l.scope.reservations)
	alone := "1 reservation is on this server and not on dh1.corp.example"
	if p := l.run(); hasNote(p, plan.Warning, "3.7 guard n", "") {
		t.Errorf("both have all of them\n%s", describe(p))
	}
	l.scope.reservations = l.scope.reservations[1:]
	p := l.run()
	wantSteps(t, p, onAddresses)
	wantNote(t, p, plan.Warning, "3.7 guard n", alone)
	wantSteps(t, l.after(l.p.ConfirmAfter), onAddresses, "delete 10.8.4.60/24 [3.7 delete]")
	wantNote(t, l.run(), plan.Warning, "3.7 guard n", alone)
	l.scope.reservations = nil
	l.run()
	p = l.after(1000 * time.Hour)
	wantSteps(t, p, onAddresses)
	wantNote(t, p, plan.Guard, "3.7 guard c", "only by a run with --allow-deletes")
}

// Rule 3.7 guard n: with push_reservations on, what NetBox has goes to both, and only
// what it lacks is told.
func TestAReservationOfThePartnerAloneIsToldWhereNetBoxLacksIt(t *testing.T) {
	l := paired(t)
	l.p.PushReservations, l.p.PushToPartner = true, true
	l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.60/24"), Status: "reserved", ClientID: pc})
	l.twin().reserve("10.8.4.60", pc, "first on the partner")
	if p := l.run(); hasNote(p, plan.Warning, "3.7 guard n", "") {
		t.Errorf("the server that speaks gets it\n%s", describe(p))
	}
	l.twin().reserve("10.8.4.61", mfp, "nobody knows it")
	wantNote(t, l.run(), plan.Warning, "3.7 guard n", "(the first is 10.8.4.61)")
	l.scope.reserve("10.8.4.61", mfp, "nobody knows it")
	l.p.DeleteRemoved = true
	l.run()
	l.run()
	l.w.remove(slices.IndexFunc(l.w.nb.Addresses, func(x state.Address) bool { return x.Address.Addr().String() == "10.8.4.61" }))
	for range 2 { // it is seen, and then goes from both
		if p := l.run(); hasNote(p, plan.Warning, "3.7 guard n", "") {
			t.Errorf("its deletion waits\n%s", describe(p))
		}
		l.w.hoursLater(1)
	}
}

// Rule 3.3: failover does not copy reservations, so those of a secondary that stands
// in are not taken over, and nothing is taken away by them.
func TestASecondaryThatStandsInGivesLeasesAlone(t *testing.T) {
	l := paired(t)
	l.scope.reserve("10.8.4.60", pc, "kept")
	l.scope.lease("10.8.4.41", mfp, "laptop")
	l.run()
	twin := l.twin()
	twin.reserve("10.8.4.61", cam, "old")
	twin.reserve("10.8.4.60", cam, "renamed")
	twin.lease("10.8.4.42", "00-00-5e-00-53-42", "new")
	l.w.server(dh1).down = true
	wantSteps(t, l.run(), onAddresses, "create 10.8.4.42/24 [3.5 row 4]")
	if x := l.w.address("10.8.4.60"); x == nil || x.ClientID != pc || x.DNSName != "kept" || x.Status != "reserved" {
		t.Errorf("%+v", x)
	}
}
