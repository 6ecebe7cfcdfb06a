package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// leased is a lab that has recorded some leases of its scope, .20 and up, which all
// end five hours from now, and one lease of another scope of the server.
func leased(t *testing.T, leases int) *lab {
	l := newLab(t)
	l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250").lease("10.8.6.20", cam, "other").Expires = l.w.now.AddDate(0, 0, 30)
	l.importAll()
	for i := range leases {
		l.scope.lease(leaseAddr(i), fmt.Sprintf("00-00-5e-00-53-%02x", 16+i), "").Expires = l.w.now.Add(5 * time.Hour)
	}
	l.run()
	return l
}

func leaseAddr(i int) string { return fmt.Sprintf("10.8.4.%d", 20+i) }

// drop takes leases off the list of the lab's scope, the first ones.
func (l *lab) drop(leases int) { l.scope.leases = slices.Clone(l.scope.leases[leases:]) }

// after lets time pass and runs.
func (l *lab) after(d time.Duration) *plan.Plan { l.Helper(); l.w.now = l.w.now.Add(d); return l.run() }

// left counts the addresses of the lab's scope.
func (l *lab) left() (n int) {
	for i := range l.w.nb.Addresses {
		if l.scope.Subnet.Contains(l.w.nb.Addresses[i].Address.Addr()) {
			n++
		}
	}
	return n
}

func (l *lab) wantLeft(n int, p *plan.Plan) {
	l.Helper()
	if l.left() != n {
		l.Errorf("%d addresses left, want %d\n%s", l.left(), n, describe(p))
	}
}

func (l *lab) wantRefused(refused bool, p *plan.Plan) {
	l.Helper()
	if p.Refused() != refused {
		l.Errorf("refused: %t\n%s", p.Refused(), describe(p))
	}
}

// Rule 3.7 guard c: what is held back is above both limits.
func TestALossAboveBothLimitsIsHeldBack(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, lost int
		count      int
		percent    int
		held       bool
	}{
		{"3.7 guard c: four of seven", 7, 4, 3, 50, true},
		{"3.7 guard c: four of eight are no more than half", 8, 4, 3, 50, false},
		{"3.7 guard c: three of four are no more than three", 4, 3, 3, 50, false},
		{"3.7 guard c: twenty-five of twenty-six", 26, 25, 3, 50, true},
		{"3.7 guard c: one of two, with limits of nothing", 2, 1, 0, 0, true},
		{"3.7 guard c: two of five, with another percentage", 5, 2, 1, 30, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := leased(t, c.have)
			l.p.MaxDeleteCount, l.p.MaxDeletePercent = c.count, c.percent
			l.drop(c.lost)
			p := l.run()
			l.wantLeft(map[bool]int{true: c.have, false: c.have - c.lost}[c.held], p)
			l.wantRefused(false, p) // each goes by itself in the end
			if c.held != hasNote(p, plan.Warning, "3.7 guard c", "would lose") {
				t.Errorf("notes:\n%s", describe(p))
			}
		})
	}
}

// Rule 3.7 guard c: many small scopes are one server, and small servers are one run.
func TestLossesAreCountedForScopeServerAndRun(t *testing.T) {
	t.Run("3.7 guard c: a server loses three of four in each scope", func(t *testing.T) {
		l := newLab(t)
		for i := range 5 {
			s := l.w.server(dh1).addScope(fmt.Sprintf("10.9.%d.0/24", i), fmt.Sprintf("10.9.%d.1", i), fmt.Sprintf("10.9.%d.99", i))
			for j := range 4 {
				s.lease(fmt.Sprintf("10.9.%d.%d", i, 1+j), fmt.Sprintf("00-00-5e-00-%02x-%02x", i, j), "")
			}
		}
		l.importAll()
		l.run()
		for _, s := range l.w.server(dh1).scopes {
			s.leases = s.leases[min(3, len(s.leases)):]
		}
		p := l.run()
		wantSteps(t, p, onAddresses)
		wantNote(t, p, plan.Warning, "3.7 guard c", "dh1.corp.example would lose 15 of 20 by the list of leases")
	})
	t.Run("3.7 guard c: a run loses three of four on each server", func(t *testing.T) {
		l := newLab(t)
		l.p = defaults(dh1, dh2, dh3)
		for i, host := range []string{dh1, dh2, dh3} {
			s := l.w.server(host).addScope(fmt.Sprintf("10.9.%d.0/24", i), fmt.Sprintf("10.9.%d.1", i), fmt.Sprintf("10.9.%d.99", i))
			for j := range 4 {
				s.lease(fmt.Sprintf("10.9.%d.%d", i, 1+j), fmt.Sprintf("00-00-5e-00-%02x-%02x", i, j), "")
			}
		}
		l.importAll()
		l.run()
		for _, m := range l.w.servers {
			for _, s := range m.scopes {
				s.leases = s.leases[min(3, len(s.leases)):]
			}
		}
		p := l.run()
		wantSteps(t, p, onAddresses)
		wantNote(t, p, plan.Warning, "3.7 guard c", "the run would lose 9 of 12 by the list of leases")
	})
	t.Run("3.7 guard c: leases and reservations are counted apart", func(t *testing.T) {
		l := leased(t, 6)
		for i := range 5 {
			l.scope.reserve(fmt.Sprintf("10.8.4.%d", 100+i), fmt.Sprintf("00-00-5e-00-54-%02x", i), "")
		}
		l.run()
		l.drop(3)
		l.scope.reservations = l.scope.reservations[3:]
		l.wantLeft(5, l.runLater()) // six of eleven together, three of six and of five apart
	})
}

// Rule 3.7 guard g: each address by itself, by two reads and its end.
func TestWhatIsHeldBackGoesAfterTwoReadsAndItsEnd(t *testing.T) {
	l := leased(t, 6)
	l.scope.leases[0].Expires = l.w.now.Add(10 * time.Minute)
	l.scope.leases[1].Expires = time.Time{}
	l.run()
	l.drop(5)
	p := l.after(30 * time.Minute)
	l.wantLeft(6, p) // the first read without them, though one has ended
	p = l.after(59 * time.Minute)
	l.wantLeft(6, p)
	p = l.after(2 * time.Minute)
	l.wantLeft(5, p) // missing for an hour, and ended
	if l.w.address(leaseAddr(0)) != nil {
		t.Error("another one went")
	}
	l.wantRefused(true, p) // the unlimited one needs a person
	p = l.after(3 * time.Hour)
	l.wantLeft(5, p) // the others run for half an hour more
	p = l.after(time.Hour)
	l.wantLeft(2, p) // and went, each by itself
	p = l.after(365 * 24 * time.Hour)
	if l.w.address(leaseAddr(1)) == nil {
		t.Error("an unlimited lease of a larger loss went by itself")
	}
	wantNote(t, p, plan.Guard, "3.7 guard c", "--allow-deletes")
	l.trust()
	l.run()
	if l.w.address(leaseAddr(1)) != nil {
		t.Error("--allow-deletes did not help")
	}
}

// Rule 3.7 guard g: what was held back stays so when the loss looks smaller.
func TestNewAddressesDoNotTalkTheGuardOut(t *testing.T) {
	l := leased(t, 30)
	l.scope.leases = nil
	for i := range 40 { // more than there were, on other addresses
		l.scope.lease(fmt.Sprintf("10.8.4.%d", 100+i), fmt.Sprintf("00-00-5e-00-54-%02x", i), "").Expires = l.w.now.AddDate(0, 0, 9)
	}
	for range 3 {
		l.wantLeft(70, l.after(time.Minute))
	}
	l.wantLeft(40, l.after(6*time.Hour))
}

// Rule 3.7 guard g: one of two clocks is no proof.
func TestALeaseHasEndedOnlyByBothClocks(t *testing.T) {
	for name, set := range map[string]func(*lab){
		"3.7 guard g: the mirror's clock is a year ahead":   func(l *lab) { l.w.fast = 365 * 24 * time.Hour },
		"3.7 guard g: the clocks of both sides are":         func(l *lab) { l.w.fast, l.w.now = -365*24*time.Hour, l.w.now.AddDate(1, 0, 0) },
		"3.7 guard g: the mirror's clock came back from it": func(l *lab) { l.w.fast = -365 * 24 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			l := leased(t, 6)
			l.drop(5)
			l.after(time.Minute)
			set(l)
			l.run()
			l.w.now = l.w.now.Add(2 * time.Hour)
			if l.run(); l.left() != 6 {
				t.Errorf("%d addresses left", l.left())
			}
		})
	}
	t.Run("3.7 guard g: no clock of the other side is known", func(t *testing.T) {
		l := leased(t, 6)
		l.drop(5)
		build := func() *plan.Plan {
			in := l.w.read(l.p)
			in.NetBox.Date = time.Time{}
			for i := range in.Windows {
				in.Windows[i].Date = time.Time{}
			}
			made := Build(in)
			l.w.memory = made.Memory
			return made
		}
		build()
		l.w.now = l.w.now.AddDate(0, 0, 3)
		wantSteps(t, build(), onAddresses)
		l.run() // the clocks are back: the hour begins
		l.wantLeft(6, nil)
		l.wantLeft(1, l.after(time.Hour))
	})
	t.Run("3.7 guard g: a wrong time in the memory only means a longer wait", func(t *testing.T) {
		l := leased(t, 6)
		l.drop(5)
		l.w.fast = 365 * 24 * time.Hour
		l.after(6 * time.Hour)
		l.w.fast = 0
		l.wantLeft(6, l.after(time.Minute))
		l.wantLeft(1, l.after(time.Hour))
	})
}

// Rule 3.7 guard g: an empty list is held back whatever the number.
func TestAnEmptyListIsNotBelieved(t *testing.T) {
	for _, leases := range []int{1, 3, 25} {
		t.Run(fmt.Sprintf("3.7 guard g: of %d leases none is listed, another scope has some", leases), func(t *testing.T) {
			l := leased(t, leases)
			l.drop(leases)
			p := l.after(4*time.Hour + 30*time.Minute)
			l.wantLeft(leases, p)
			l.wantRefused(false, p)
			wantNote(t, p, plan.Warning, "3.7 guard c", "the list of leases is empty")
			l.wantLeft(leases, l.after(29*time.Minute))
			l.wantLeft(0, l.after(40*time.Minute))
		})
	}
	t.Run("3.7 guard g: nothing is listed at all: a day after the end", func(t *testing.T) {
		l := leased(t, 2)
		l.drop(2)
		for _, s := range l.w.server(dh1).scopes {
			s.leases = nil
		}
		p := l.after(10 * time.Hour)
		l.wantLeft(2, p)
		l.wantRefused(true, p)
		wantNote(t, p, plan.Guard, "3.7 guard c", "lists no lease and no reservation at all")
		l.wantLeft(2, l.after(18*time.Hour))
		l.wantLeft(0, l.after(2*time.Hour))
	})
	t.Run("3.7 guard g: what has no end goes by a person's word only", func(t *testing.T) {
		l := leased(t, 2)
		l.scope.reserve("10.8.4.100", cam, "")
		l.run()
		l.scope.reservations = nil
		p := l.after(30 * 24 * time.Hour)
		l.wantRefused(true, p)
		p = l.after(30 * 24 * time.Hour)
		l.wantRefused(true, p)
		if l.w.address("10.8.4.100") == nil {
			t.Error("a reservation went by an empty list")
		}
		l.trust().run()
		if l.w.address("10.8.4.100") != nil {
			t.Error("--allow-deletes did not help")
		}
	})
	t.Run("3.7 guard g: a list of declined addresses is as good as empty", func(t *testing.T) {
		l := leased(t, 2)
		l.drop(2)
		l.scope.lease("10.8.4.99", cam, "BAD_ADDRESS")
		l.wantLeft(2, l.run())
	})
}

// Rule 3.7 guard g: without an end, two reads an hour apart.
func TestALossWithoutAnEndNeedsTwoReads(t *testing.T) {
	l := leased(t, 4)
	for i := range 6 {
		l.scope.reserve(fmt.Sprintf("10.8.4.%d", 100+i), fmt.Sprintf("00-00-5e-00-54-%02x", i), "")
	}
	l.scope.lease("10.8.4.101", "00-00-5e-00-54-01", "pc")
	l.run()
	first := slices.Clone(l.scope.reservations)
	l.scope.reservations = first[2:]
	p := l.run()
	l.wantRefused(false, p)
	if l.w.address("10.8.4.100") == nil || l.w.address("10.8.4.101").Status != "reserved" {
		t.Fatalf("a reservation went at once:\n%s", describe(p))
	}
	t.Run("3.7 guard g: it came back in between", func(t *testing.T) {
		l.scope.reservations = first
		l.after(30 * time.Minute)
		l.scope.reservations = first[2:]
		l.after(40 * time.Minute)
		if l.w.address("10.8.4.100") == nil {
			t.Error("the hour did not begin anew")
		}
	})
	t.Run("3.7 guard g: a list that was not read is no read without it", func(t *testing.T) {
		l.scope.reservationsFail = true
		l.after(2 * time.Hour)
		if l.w.address("10.8.4.100") == nil {
			t.Error("gone by a list that failed")
		}
		l.scope.reservationsFail = false
	})
	l.run()
	if l.w.address("10.8.4.100") != nil || l.w.address("10.8.4.101").Status != "dhcp" {
		t.Error("after two reads the one is deleted and the other downgraded")
	}
	t.Run("3.7 guard g: above the limits never by itself, the downgrade neither", func(t *testing.T) {
		l.scope.lease("10.8.4.102", "00-00-5e-00-54-02", "pc")
		l.scope.reservations = first[:0]
		l.scope.reserve("10.8.4.110", cam, "")
		l.run()
		p := l.after(1000 * time.Hour)
		l.wantRefused(true, p)
		for i := 2; i < 6; i++ {
			if x := l.w.address(fmt.Sprintf("10.8.4.%d", 100+i)); x == nil || x.Status != "reserved" {
				t.Errorf("%d: %+v", i, x)
			}
		}
	})
}

// Rule 3.7 guard g: guard e keeps an address that is in use from being deleted, not
// from becoming a lease.
func TestAReservationInUseBecomesALeaseByProofOnly(t *testing.T) {
	l := leased(t, 4)
	l.scope.reserve("10.8.4.101", mfp, "")
	l.scope.reserve("10.8.4.102", cam, "")
	l.scope.lease("10.8.4.101", mfp, "pc")
	l.run()
	l.w.address("10.8.4.101").InUse = "assigned to an interface"
	l.scope.reservations = l.scope.reservations[1:]
	if l.run(); l.w.address("10.8.4.101").Status != "reserved" {
		t.Error("a lease after one look")
	}
	if l.after(time.Hour); l.w.address("10.8.4.101").Status != "dhcp" {
		t.Error("no lease after two looks")
	}
}

// Rule 3.7 guard g: also by a server that stands in, whose lists prove no loss.
func TestWhatIsListedAgainIsMissingAnew(t *testing.T) {
	l := paired(t)
	l.p.Servers[1].Standalone = false // asked only when it stands in
	l.scope.lease("10.8.4.40", pc, "stays")
	l.scope.lease("10.8.4.41", mfp, "unlimited").Expires = time.Time{}
	l.twin().leases = slices.Clone(l.scope.leases)
	l.run()
	l.scope.leases = l.scope.leases[:1]
	l.run()
	l.w.server(dh1).down = true
	l.after(30 * time.Minute)
	l.w.server(dh1).down = false
	if p := l.after(40 * time.Minute); l.w.address("10.8.4.41") == nil {
		t.Errorf("deleted an hour after the first look, though it was listed in between:\n%s", describe(p))
	}
	if p := l.after(time.Hour); l.w.address("10.8.4.41") != nil {
		t.Errorf("it does not go at all:\n%s", describe(p))
	}
}

// Rule 3.7 guard g: the memory is of one object.
func TestAnAddressThatWasMadeAnewIsMissingAnew(t *testing.T) {
	l := leased(t, 4)
	l.drop(1)
	l.w.memory.Leases = nil // as a memory that was lost: the end is not known
	l.run()
	x := *l.w.address(leaseAddr(0))
	l.w.nb.Addresses = slices.DeleteFunc(l.w.nb.Addresses, func(y state.Address) bool { return y.ID == x.ID })
	l.add(x)
	l.after(2 * time.Hour)
	if l.w.address(leaseAddr(0)) == nil {
		t.Error("it went on the sight of another object")
	}
	l.after(time.Hour)
	if l.w.address(leaseAddr(0)) != nil {
		t.Error("it did not go at all")
	}
}

// Rule 3.7 guard g: the lease of one client says nothing of the end of another's.
func TestTheLeaseOfAnotherClientIsNoEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		client string // of a second object of the host of the first lease
		change func(*lab)
		after  []int // addresses left after the first look, after two, and in the end
	}{
		{"3.7 guard g: the same client, within the limits", "00-00-5e-00-53-10", func(l *lab) { l.drop(1) }, []int{3, 3, 3}},
		{"3.7 guard g: another client, within the limits", mfp, func(l *lab) { l.drop(1) }, []int{4, 3, 3}},
		{"3.7 guard g: no client, within the limits", "", func(l *lab) { l.drop(1) }, []int{4, 3, 3}},
		{"3.7 guard g: another client, by an empty list", mfp, func(l *lab) { l.scope.leases = nil }, []int{5, 5, 1}},
		{"3.7 guard g: the same client, by an empty list", "00-00-5e-00-53-10", func(l *lab) { l.scope.leases = nil }, []int{5, 5, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := leased(t, 4)
			second := *l.w.address(leaseAddr(0))
			second.ClientID = c.client
			l.add(second)
			c.change(l)
			l.wantLeft(c.after[0], l.run())
			l.wantLeft(c.after[1], l.after(time.Hour))
			l.wantLeft(c.after[2], l.after(100*time.Hour))
		})
	}
	t.Run("3.7 guard g: a lease that told no client is whose the address is", func(t *testing.T) {
		l := leased(t, 4)
		l.scope.leases[0].ClientID = ""
		l.run()
		l.drop(1)
		l.wantLeft(3, l.run())
	})
}

// Rule 3.7 guard h.
func TestHandMadeAddresses(t *testing.T) {
	l := leased(t, 4)
	inside := state.Address{Address: netip.MustParsePrefix("10.8.4.200/24"), Status: "dhcp", Description: "by hand"}
	below, above := inside, inside
	below.Address, above.Address = netip.MustParsePrefix("10.8.4.19/24"), netip.MustParsePrefix("10.8.4.251/24")
	for _, x := range []state.Address{inside, below, above} {
		l.add(x)
	}
	prestaged := above
	prestaged.Address, prestaged.Managed = netip.MustParsePrefix("10.8.4.252/24"), state.Prestaged
	l.add(prestaged)
	p := l.run()
	l.wantLeft(8, p)
	wantNote(t, p, plan.Warning, "3.7 guard h", "made by hand")
	l.wantRefused(false, p)
	p = l.after(59 * time.Minute)
	l.wantLeft(8, p)
	p = l.after(time.Minute)
	l.wantLeft(7, p)
	if l.w.address("10.8.4.200") != nil {
		t.Error("3.7 guard h: inside the pool it goes in the end")
	}
	l.trust()
	l.after(1000 * time.Hour)
	for _, addr := range []string{"10.8.4.19", "10.8.4.251", "10.8.4.252"} {
		if l.w.address(addr) == nil {
			t.Errorf("3.7 guard h: %s is outside the pool and was deleted", addr)
		}
	}
}

// Rules 3.7 guard g and 3.7 scope cleanup.
func TestScopeRecordsNeedTwoReadsOrAWord(t *testing.T) {
	six := func(t *testing.T) *lab {
		l := newLab(t)
		for i := range 5 {
			l.w.server(dh1).addScope(fmt.Sprintf("10.9.%d.0/24", i), fmt.Sprintf("10.9.%d.1", i), fmt.Sprintf("10.9.%d.99", i))
		}
		l.importAll()
		return l
	}
	drop := func(l *lab, n int) {
		for i := range n {
			delete(l.w.server(dh1).scopes, netip.MustParseAddr(fmt.Sprintf("10.9.%d.0", i)))
		}
	}
	t.Run("3.7 guard g: three of six by two reads", func(t *testing.T) {
		l := six(t)
		drop(l, 3)
		p := l.run()
		l.wantRefused(false, p)
		wantSteps(t, p, onRanges)
		l.after(59 * time.Minute)
		if l.after(time.Minute); len(l.w.nb.Ranges) != 3 {
			t.Errorf("%d ranges left", len(l.w.nb.Ranges))
		}
	})
	t.Run("3.7 guard g: four of six by a word only", func(t *testing.T) {
		l := six(t)
		drop(l, 4)
		l.run()
		p := l.after(1000 * time.Hour)
		l.wantRefused(true, p)
		wantSteps(t, p, onRanges)
		wantNote(t, p, plan.Guard, "3.7 guard c", "dh1.corp.example would lose 4 of 6 by the list of scopes")
		l.p.OnlyScopes = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}
		if l.trust().run(); len(l.w.nb.Ranges) != 5 {
			t.Errorf("3.7 guard c: --scope does not narrow --allow-deletes: %d ranges left", len(l.w.nb.Ranges))
		}
	})
	t.Run("3.7 guard g: a scope that came back begins anew", func(t *testing.T) {
		l := six(t)
		gone := l.w.server(dh1).scopes[netip.MustParseAddr("10.9.0.0")]
		drop(l, 1)
		l.run()
		l.w.server(dh1).scopes[gone.ID()] = gone
		l.after(time.Hour)
		drop(l, 1)
		l.after(time.Minute)
		if l.after(30 * time.Minute); len(l.w.nb.Ranges) != 6 {
			t.Errorf("%d ranges left", len(l.w.nb.Ranges))
		}
	})
}
