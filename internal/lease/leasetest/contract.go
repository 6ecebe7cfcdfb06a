// Package leasetest is the contract every lease.Store keeps: one suite, run
// unchanged on each implementation. It tests what the interface promises and
// nothing an implementation adds; it is imported by tests only.
package leasetest

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// OpenFunc opens the store that lives at dir, creating it where there is none.
// The same dir names the same data again after Close; a store that is no
// folder takes dir as its name. The suite closes what it opens.
type OpenFunc func(t *testing.T, dir string) lease.Store

// Contract runs the whole suite as subtests of t.
func Contract(t *testing.T, open OpenFunc) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open OpenFunc)
	}{
		{"a lease is stored only over the revision that is there", testCompare},
		{"a lost comparison changes nothing", testConflictKeeps},
		{"a change of a group that loses costs no other anything", testGroup},
		{"a group is the caller's again after the call", testGroupIsTheCallers},
		{"a group survives close and reopen", testGroupReopen},
		{"revisions of an address only grow", testMonotone},
		{"an address with nothing stored is ErrNotFound", testNotFound},
		{"an address that cannot be leased is refused", testRefusedAddress},
		{"every field survives", testFields},
		{"acknowledged leases survive close and reopen", testReopen},
		{"Each goes by address", testEachOrder},
		{"Each stops at the first error", testEachStops},
		{"one of many writers of an address wins", testOneWinner},
		{"many addresses are written in parallel", testParallel},
		{"a read sees what was acknowledged before it", testReadYourWrites},
		{"a cancelled context ends the call", testCancelled},
		{"Close waits for calls under way", testCloseWaits},
		{"a closed store refuses everything", testClosed},
		{"any sequence of calls agrees with a map", testModel},
		{"notes survive close and reopen", testNotes},
		{"a note that cannot be kept is refused", testRefusedNote},
		{"notes are no leases", testNotesApart},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// start opens a store of its own for t and closes it when t ends.
func start(t *testing.T, open OpenFunc) lease.Store {
	t.Helper()
	return openAt(t, open, t.TempDir())
}

// openAt opens the store at dir. A test may close it earlier itself: a second
// Close is harmless.
func openAt(t *testing.T, open OpenFunc, dir string) lease.Store {
	t.Helper()
	s := open(t, dir)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// sample is a bound lease of addr that differs with n.
func sample(addr netip.Addr, n int) lease.Lease {
	return lease.Lease{
		Addr:     addr,
		Client:   lease.ClientID("52:54:00:00:00:" + string([]byte{hex(n >> 4), hex(n)})),
		State:    lease.Bound,
		Expires:  time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Second),
		Unsynced: true,
		Hardware: []lease.ClientID{"", "52:54:00:00:00:FF"}[n%2],
	}
}

func hex(n int) byte { return "0123456789ABCDEF"[n&15] }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// host is the n-th address of 10.0.0.0/8.
func host(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16 & 0xff), byte(n >> 8 & 0xff), byte(n & 0xff)})
}

// put stores l over rev and ends the test if that fails.
func put(t *testing.T, s lease.Store, l lease.Lease, rev lease.Revision) lease.Revision {
	t.Helper()
	got, err := lease.CompareAndSwap(t.Context(), s, l, rev)
	if err != nil {
		t.Fatalf("store %s over revision %d: %v", l.Addr, rev, err)
	}
	if got <= rev {
		t.Fatalf("store %s: revision %d after %d does not grow", l.Addr, got, rev)
	}
	return got
}

// want checks that exactly l is stored at rev.
func want(t *testing.T, s lease.Store, l lease.Lease, rev lease.Revision) {
	t.Helper()
	got, gotRev, err := s.Lease(t.Context(), l.Addr)
	if err != nil {
		t.Fatalf("read %s: %v", l.Addr, err)
	}
	if gotRev != rev {
		t.Errorf("read %s: revision %d, want %d", l.Addr, gotRev, rev)
	}
	if d := diff(l, got); d != "" {
		t.Errorf("read %s (-want +got):\n%s", l.Addr, d)
	}
}

// diff compares what holds leases; the fields of addresses are unexported.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}))
}

func testCompare(t *testing.T, open OpenFunc) {
	s := start(t, open)
	l := sample(ip("10.0.0.5"), 1)
	if _, err := lease.CompareAndSwap(t.Context(), s, l, 7); !errors.Is(err, lease.ErrConflict) {
		t.Errorf("revision 7 of nothing: %v, want ErrConflict", err)
	}
	rev := put(t, s, l, 0)
	for _, stale := range []lease.Revision{0, rev - 1, rev + 1, rev + 1000} {
		if _, err := lease.CompareAndSwap(t.Context(), s, l, stale); !errors.Is(err, lease.ErrConflict) {
			t.Errorf("revision %d of %d: %v, want ErrConflict", stale, rev, err)
		}
	}
	put(t, s, l, rev)
}

func testConflictKeeps(t *testing.T, open OpenFunc) {
	s := start(t, open)
	first, other := sample(ip("10.0.0.5"), 1), sample(ip("10.0.0.5"), 2)
	if _, err := lease.CompareAndSwap(t.Context(), s, other, 3); !errors.Is(err, lease.ErrConflict) {
		t.Fatalf("revision 3 of nothing: %v, want ErrConflict", err)
	}
	if _, _, err := s.Lease(t.Context(), other.Addr); !errors.Is(err, lease.ErrNotFound) {
		t.Errorf("after a lost comparison: %v, want ErrNotFound", err)
	}
	rev := put(t, s, first, 0)
	if _, err := lease.CompareAndSwap(t.Context(), s, other, 0); !errors.Is(err, lease.ErrConflict) {
		t.Fatalf("revision 0 of %d: %v, want ErrConflict", rev, err)
	}
	want(t, s, first, rev)
}

func testMonotone(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	var rev lease.Revision
	for n := range 20 {
		rev = put(t, s, sample(ip("10.0.0.5"), n), rev)
		if n%5 == 4 {
			reclose(t, s)
			s = openAt(t, open, dir)
		}
	}
	want(t, s, sample(ip("10.0.0.5"), 19), rev)
}

func testNotFound(t *testing.T, open OpenFunc) {
	s := start(t, open)
	put(t, s, sample(ip("10.0.0.4"), 1), 0)
	put(t, s, sample(ip("10.0.0.6"), 1), 0)
	l, rev, err := s.Lease(t.Context(), ip("10.0.0.5"))
	if !errors.Is(err, lease.ErrNotFound) || rev != 0 || l.Addr.IsValid() {
		t.Errorf("got %v, revision %d, %v, want nothing and ErrNotFound", l, rev, err)
	}
}

// testRefusedAddress: what is no plain address could not be told from one that
// is, or not be ordered.
func testRefusedAddress(t *testing.T, open OpenFunc) {
	s := start(t, open)
	for _, addr := range []netip.Addr{{}, ip("fe80::1%eth0"), ip("::ffff:10.0.0.5")} {
		if _, err := lease.CompareAndSwap(t.Context(), s, sample(addr, 1), 0); err == nil {
			t.Errorf("store %v: accepted", addr)
		}
	}
	if n := len(all(t, s)); n != 0 {
		t.Errorf("%d leases stored, want none", n)
	}
}

func testFields(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	leases := oddLeases()
	revs := make(map[netip.Addr]lease.Revision)
	for _, l := range leases {
		revs[l.Addr] = put(t, s, l, 0)
		want(t, s, l, revs[l.Addr])
	}
	reclose(t, s)
	s = openAt(t, open, dir)
	for _, l := range leases {
		want(t, s, l, revs[l.Addr])
	}
}

// oddLeases has every field at its limits. Times are whole seconds in UTC, but
// for NetBox's own, which has microseconds.
func oddLeases() []lease.Lease {
	at := time.Date(2026, 10, 25, 1, 59, 59, 0, time.UTC)
	long := make([]byte, 255)
	for i := range long {
		long[i] = byte(i)
	}
	return []lease.Lease{
		{Addr: ip("0.0.0.0")},
		{Addr: ip("10.0.0.1"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Expires: at},
		{Addr: ip("10.0.0.2"), Client: lease.Declined, State: lease.Quarantined, Expires: at, Unsynced: true},
		{Addr: ip("10.0.0.3"), Client: "00:01", State: lease.Released, SyncedAt: at.Add(123456 * time.Microsecond)},
		{Addr: ip("10.0.0.4"), Hostname: "nul\x00byte"},
		{Addr: ip("10.0.0.5"), Hostname: "not\xff\xfeutf-8"},
		{Addr: ip("10.0.0.6"), Hostname: "zürich-東京"},
		{Addr: ip("10.0.0.7"), Hostname: string(long), Client: lease.ClientID(long)},
		{Addr: ip("10.0.0.8"), InterfaceKind: 2, InterfaceID: 1 << 40},
		{Addr: ip("10.0.0.9"), InterfaceKind: 255, InterfaceID: -1},
		{Addr: ip("10.0.0.10"), Expires: time.Unix(0, 0).UTC(), SyncedAt: time.Unix(-1, 0).UTC()},
		{Addr: ip("10.0.0.11"), Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{Addr: ip("255.255.255.255"), State: lease.Bound},
		{Addr: ip("::"), State: lease.Bound, Expires: at},
		{Addr: ip("2001:db8::5"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Expires: at},
	}
}

func testReopen(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	wantRev := make(map[netip.Addr]lease.Revision)
	for n := range 300 {
		l := sample(host(n), n)
		wantRev[l.Addr] = put(t, s, l, 0)
		if n%3 == 0 {
			wantRev[l.Addr] = put(t, s, l, wantRev[l.Addr])
		}
	}
	reclose(t, s)
	s = openAt(t, open, dir)
	for n := range 300 {
		want(t, s, sample(host(n), n), wantRev[host(n)])
	}
	if got := len(all(t, s)); got != 300 {
		t.Errorf("%d leases after reopening, want 300", got)
	}
	put(t, s, sample(host(7), 8), wantRev[host(7)])
}

// reclose closes s before its cleanup does.
func reclose(t *testing.T, s lease.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

type stored struct {
	Lease lease.Lease
	Rev   lease.Revision
}

func all(t *testing.T, s lease.Store) []stored {
	t.Helper()
	var got []stored
	err := s.Each(t.Context(), func(l lease.Lease, rev lease.Revision) error {
		got = append(got, stored{l, rev})
		return nil
	})
	if err != nil {
		t.Fatalf("each: %v", err)
	}
	return got
}

func testEachOrder(t *testing.T, open OpenFunc) {
	s := start(t, open)
	inOrder := []string{"0.0.0.0", "9.255.0.1", "10.0.0.2", "10.0.0.10", "10.0.1.1", "100.64.0.1",
		"192.168.0.1", "255.255.255.255", "::1", "2001:db8::1", "fd00::1"}
	shuffled := []int{4, 9, 0, 7, 10, 2, 1, 8, 6, 3, 5}
	wantAll := make([]stored, len(inOrder))
	for _, i := range shuffled {
		l := sample(ip(inOrder[i]), i)
		wantAll[i] = stored{l, put(t, s, l, 0)}
	}
	if d := diff(wantAll, all(t, s)); d != "" {
		t.Errorf("each (-want +got):\n%s", d)
	}
}

func testEachStops(t *testing.T, open OpenFunc) {
	s := start(t, open)
	for n := range 10 {
		put(t, s, sample(host(n), n), 0)
	}
	enough := errors.New("enough")
	calls := 0
	err := s.Each(t.Context(), func(lease.Lease, lease.Revision) error {
		if calls++; calls == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || calls != 3 {
		t.Errorf("%d calls and %v, want 3 and %v", calls, err, enough)
	}
}

func testCancelled(t *testing.T, open OpenFunc) {
	s := start(t, open)
	rev := put(t, s, sample(ip("10.0.0.5"), 1), 0)
	put(t, s, sample(ip("10.0.0.6"), 1), 0)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := s.Each(ctx, func(lease.Lease, lease.Revision) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("each, cancelled in its first call: %d calls and %v", calls, err)
	}
	if _, _, err := s.Lease(ctx, ip("10.0.0.5")); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v, want context.Canceled", err)
	}
	for _, err := range s.CommitGroup(ctx, []lease.Change{{Next: sample(ip("10.0.0.5"), 2), Expected: rev}, {Next: sample(ip("10.0.0.7"), 2)}}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("store: %v, want context.Canceled", err)
		}
	}
	// A call that never began leaves nothing behind.
	want(t, s, sample(ip("10.0.0.5"), 1), rev)
	put(t, s, sample(ip("10.0.0.5"), 3), rev)
}
