package netboxio

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// rule 5.4: the record of a deletion is found by the id of the object and tells what
// it was; the place in the log before it is the newest record of then.
func TestDeletionsAreFoundInTheChangeLog(t *testing.T) {
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, _, c := serveScopes(t, v)
			before := ReadMark(t.Context(), c, state.Mark{}, time.Now())
			if before.Err != nil || before.Broken || before.Newest.Record == 0 || before.Newest.Request == "" {
				t.Fatalf("%+v", before)
			}
			held, err := ReadAddresses(t.Context(), c, []netip.Prefix{netip.MustParsePrefix("10.8.4.0/24")}, nil)
			if err != nil {
				t.Fatal(err)
			}
			scopes, err := Read(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			leased, scope := held[1], scopes.Ranges[0]
			if leased.ClientID == "" {
				t.Fatalf("no client id: %+v", held)
			}
			results := Apply(t.Context(), c, []Write{
				{Kind: state.IPAddress, Action: state.Delete, ID: leased.ID, Host: leased.Address.Addr(), Message: "netbox-dhcp-sync r1: gone"},
				{Kind: state.IPRange, Action: state.Delete, ID: scope.ID},
			}, nil)
			for _, r := range results {
				if r.Outcome != Done {
					t.Fatalf("%+v", r)
				}
			}
			gone := []state.Gone{{Kind: state.IPAddress, Object: leased.ID, After: before.Newest}, {Kind: state.IPAddress, Object: held[0].ID, After: before.Newest}, {Kind: state.IPRange, Object: scope.ID, After: before.Newest}}
			found, err := ReadDeletions(t.Context(), c, gone)
			if err != nil || len(found) != 2 {
				t.Fatalf("%+v %v", found, err)
			}
			address := state.Address{ID: leased.ID, Address: leased.Address, ClientID: "3c-52-82-0a-1b-2c"}
			span := state.Range{ID: scope.ID, Start: scope.Start, End: scope.End, Bits: 24}
			same := cmp.Options{cmpopts.IgnoreFields(state.Deletion{}, "Mark"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
			want := []state.Deletion{{Kind: state.IPAddress, Object: leased.ID, Message: "netbox-dhcp-sync r1: gone", Address: address}, {Kind: state.IPRange, Object: scope.ID, Range: span}}
			if diff := cmp.Diff(want, found, same); diff != "" {
				t.Error(diff)
			}
			for _, d := range found {
				if d.Record <= before.Newest.Record {
					t.Errorf("record %d, and %d was there before", d.Record, before.Newest.Record)
				}
			}
			// One that was found is asked for by its record, even if it is old by now.
			again, err := ReadDeletions(t.Context(), c, []state.Gone{{Kind: state.IPAddress, Object: leased.ID, After: state.Mark{Record: 1 << 40, Time: time.Now().Add(24 * time.Hour)}, Record: found[0].Record}})
			if err != nil || len(again) != 1 || again[0].Record != found[0].Record {
				t.Errorf("%+v %v", again, err)
			}
			checkRestore(t, s, c)
		})
	}
}

// checkRestore: rule 3.7 guard l, the newest record of before has to be there as it was.
func checkRestore(t *testing.T, s *netboxtest.Server, c *netbox.Client) {
	t.Helper()
	last := ReadMark(t.Context(), c, state.Mark{}, time.Now()).Newest
	other := last
	other.Request = "ffffffff-0000-4000-8000-000000000000"
	moved := last
	moved.Time = moved.Time.Add(time.Second)
	gone := state.Mark{Record: last.Record + 1000, Time: last.Time, Request: last.Request}
	for i, c2 := range []struct {
		mark   state.Mark
		broken bool
	}{{last, false}, {other, true}, {moved, true}, {gone, true}} {
		if log := ReadMark(t.Context(), c, c2.mark, time.Now()); log.Err != nil || log.Broken != c2.broken {
			t.Errorf("%d: %+v, want broken: %v", i, log, c2.broken)
		}
	}
	s.ForgetChanges(time.Now().Add(time.Hour))
	if log := ReadMark(t.Context(), c, state.Mark{}, time.Now()); log.Err != nil || log.Broken || !log.Newest.Known() || log.Newest.Record != 0 {
		t.Errorf("of an empty log: %+v", log)
	}
}
