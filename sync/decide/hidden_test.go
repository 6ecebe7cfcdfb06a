package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 3.7 guard m.
func TestWhereNetBoxHidesAddressesNothingIsCreated(t *testing.T) {
	for _, c := range []struct {
		name                  string
		known, shown, deleted int
		held                  bool
	}{
		{"3.7 guard m: none of eight", 8, 0, 0, true},
		{"3.7 guard m: none of six, and one elsewhere", 6, 0, 0, false},
		{"3.7 guard m: none of seven, which are eight with one elsewhere", 7, 0, 0, true},
		{"3.7 guard m: five of eleven", 11, 5, 0, true},
		{"3.7 guard m: half of twelve", 12, 6, 0, false},
		{"3.7 guard m: none of ten, all deleted by the change log", 10, 0, 10, false},
		{"3.7 guard m: none of ten, five deleted by the change log", 10, 0, 5, false},
		{"3.7 guard m: none of ten, four deleted by the change log", 10, 0, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := leased(t, c.known)
			l.run()
			var deleted []state.Deletion
			hidden := slices.Clone(l.w.nb.Addresses)
			l.w.nb.Addresses = nil
			for _, x := range hidden {
				switch i := int(x.Address.Addr().As4()[3]) - 20; {
				case !l.scope.Subnet.Contains(x.Address.Addr()), i < c.shown:
					l.w.nb.Addresses = append(l.w.nb.Addresses, x)
				case i-c.shown < c.deleted:
					deleted = append(deleted, state.Deletion{Kind: state.IPAddress, Object: x.ID})
				}
			}
			l.scope.lease("10.8.4.240", pc, "new")
			in := l.w.read(l.p)
			if gone := NewRoster(&in).Hidden(); (len(gone) == 0) != (c.known < 7 || c.shown*2 >= c.known) {
				t.Errorf("asked for the deletions of %v", gone)
			}
			in.Deleted = deleted
			made := Build(in)
			l.wantRefused(c.held, made)
			creates := 0
			for _, s := range made.Steps {
				if s.Kind == state.IPAddress && s.Action == state.Create {
					creates++
				}
			}
			if want := map[bool]int{true: 0, false: c.known - c.shown + 1}[c.held]; creates != want {
				t.Errorf("%d created, want %d:\n%s", creates, want, describe(made))
			}
			if !c.held {
				return
			}
			l.w.memory = made.Memory
			in = l.w.read(l.p)
			in.Deleted = deleted
			if again := Build(in); !again.Refused() {
				t.Error("it was forgotten")
			}
			in.Policy.AllowOverwrites = true
			if allowed := Build(in); allowed.Refused() || allowed.Empty() {
				t.Errorf("--allow-overwrites did not help:\n%s", describe(allowed))
			}
			l.w.nb.Addresses = hidden
			wantSteps(t, l.run(), onAddresses, "create 10.8.4.240/24 [3.5 row 4]")
		})
	}
	t.Run("3.7 guard m: of many small scopes none hides eight, and all do together", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		for i := range 6 {
			l.w.server(dh1).addScope(fmt.Sprintf("10.9.%d.0/24", i), fmt.Sprintf("10.9.%d.20", i), fmt.Sprintf("10.9.%d.250", i)).lease(fmt.Sprintf("10.9.%d.30", i), pc, "a")
			l.w.server(dh1).scopes[netip.AddrFrom4([4]byte{10, 9, byte(i), 0})].lease(fmt.Sprintf("10.9.%d.31", i), mfp, "b")
		}
		l.importAll()
		l.run()
		l.run()
		all := l.w.nb.Addresses
		l.w.nb.Addresses = slices.Clone(all[:2]) // of the first scope
		in := l.w.read(l.p)
		if gone := NewRoster(&in).Hidden(); len(gone) != 10 {
			t.Errorf("asked for %d deletions, want 10", len(gone))
		}
		p := Build(in)
		l.wantRefused(true, p)
		wantSteps(t, p, onAddresses)
		if hides := NewRoster(&in).Hides(); len(hides) != 5 {
			t.Errorf("the doctor names %d scopes, want 5", len(hides))
		}
		for _, x := range all[2:8] {
			in.Deleted = append(in.Deleted, state.Deletion{Kind: state.IPAddress, Object: x.ID})
		}
		l.wantRefused(false, Build(in))
		l.w.nb.Addresses = slices.Clone(all[:7])
		l.wantRefused(false, Build(l.w.read(l.p)))
	})
	t.Run("3.7 guard m: what the mirror deleted itself is not hidden", func(t *testing.T) {
		l := leased(t, 10)
		l.run()
		l.scope.leases = nil
		l.trust().run()
		l.p.AllowDeletes = false
		for i := range 10 {
			l.scope.lease(leaseAddr(i), fmt.Sprintf("00-00-5e-00-53-%02x", 16+i), "")
		}
		l.wantRefused(false, l.run())
		l.wantLeft(10, new(plan.Plan))
	})
}
