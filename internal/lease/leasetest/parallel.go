package leasetest

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// testOneWinner: S-2, every claim is a conditional write.
func testOneWinner(t *testing.T, open OpenFunc) {
	s := start(t, open)
	const writers, rounds = 16, 20
	var rev lease.Revision
	for round := range rounds {
		var won [writers]lease.Revision // 0: lost
		parallel(writers, func(w int) {
			got, err := lease.CompareAndSwap(t.Context(), s, sample(ip("10.0.0.5"), w), rev)
			if won[w] = got; err != nil && !errors.Is(err, lease.ErrConflict) {
				t.Errorf("writer %d: %v", w, err)
			}
		})
		winner := slices.IndexFunc(won[:], func(r lease.Revision) bool { return r != 0 })
		if winner < 0 {
			t.Fatalf("round %d: no writer won", round)
		}
		rev = won[winner]
		if won[winner] = 0; won != [writers]lease.Revision{} {
			t.Fatalf("round %d: writer %d won, and others %v", round, winner, won)
		}
		want(t, s, sample(ip("10.0.0.5"), winner), rev)
	}
}

func testParallel(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	const writers, each, writes = 16, 20, 3
	var mu sync.Mutex
	revs := make(map[netip.Addr]lease.Revision)
	parallel(writers, func(w int) {
		for n := range each {
			addr := host(w*each + n)
			var rev lease.Revision
			for i := range writes {
				got, err := lease.CompareAndSwap(t.Context(), s, sample(addr, i), rev)
				if err != nil {
					t.Errorf("store %s: %v", addr, err)
					return
				}
				rev = got
			}
			mu.Lock()
			revs[addr] = rev
			mu.Unlock()
		}
	})
	if len(revs) != writers*each {
		t.Fatalf("%d addresses written, want %d", len(revs), writers*each)
	}
	reclose(t, s)
	s = openAt(t, open, dir)
	for addr, rev := range revs {
		want(t, s, sample(addr, writes-1), rev)
	}
}

func testReadYourWrites(t *testing.T, open OpenFunc) {
	s := start(t, open)
	parallel(8, func(w int) {
		addr := host(w)
		var rev lease.Revision
		for i := range 30 {
			got, err := lease.CompareAndSwap(t.Context(), s, sample(addr, i), rev)
			if err != nil {
				t.Errorf("store %s: %v", addr, err)
				return
			}
			rev = got
			l, read, err := s.Lease(t.Context(), addr)
			if err != nil || read != rev || diff(sample(addr, i), l) != "" {
				t.Errorf("read %s: %v at %d, %v, want what was stored at %d", addr, l, read, err, rev)
				return
			}
		}
	})
}

// testCloseWaits: what was acknowledged is there afterwards, however close
// to Close it came, and no call hangs or breaks.
func testCloseWaits(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	const writers = 16
	acked := make([]map[netip.Addr]lease.Revision, writers)
	var busy, done sync.WaitGroup
	busy.Add(writers)
	for w := range writers {
		acked[w] = make(map[netip.Addr]lease.Revision)
		done.Go(func() {
			for n := 0; ; n++ {
				addr := host(w<<16 | n)
				rev, err := lease.CompareAndSwap(t.Context(), s, sample(addr, n), 0)
				if err != nil {
					if n == 0 {
						t.Errorf("store %s: %v", addr, err)
						busy.Done()
					}
					return // closed
				}
				acked[w][addr] = rev
				if n == 0 {
					busy.Done()
				}
			}
		})
	}
	busy.Wait()
	reclose(t, s)
	done.Wait()
	s = openAt(t, open, dir)
	for _, revs := range acked {
		for addr, rev := range revs {
			if _, got, err := s.Lease(t.Context(), addr); err != nil || got != rev {
				t.Errorf("read %s: revision %d, %v, want %d", addr, got, err, rev)
			}
		}
	}
}

func testClosed(t *testing.T, open OpenFunc) {
	s := start(t, open)
	rev := put(t, s, sample(ip("10.0.0.5"), 1), 0)
	reclose(t, s)
	_, _, readErr := s.Lease(t.Context(), ip("10.0.0.5"))
	_, casErr := lease.CompareAndSwap(t.Context(), s, sample(ip("10.0.0.5"), 2), rev)
	eachErr := s.Each(t.Context(), func(lease.Lease, lease.Revision) error {
		t.Error("each called its function")
		return nil
	})
	for call, err := range map[string]error{"read": readErr, "store": casErr, "each": eachErr} {
		if err == nil || errors.Is(err, lease.ErrNotFound) || errors.Is(err, lease.ErrConflict) {
			t.Errorf("%s: %v, want an error that says nothing about the lease", call, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// parallel runs fn for 0..n-1 at once and waits for all.
func parallel(n int, fn func(int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-begin; fn(i) })
	}
	close(begin)
	wg.Wait()
}
