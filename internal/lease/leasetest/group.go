package leasetest

import (
	"errors"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func testGroup(t *testing.T, open OpenFunc) {
	s := start(t, open)
	rev := put(t, s, sample(ip("10.0.0.5"), 1), 0)
	group := []lease.Change{
		{Next: sample(ip("10.0.0.4"), 2)},
		{Next: sample(ip("10.0.0.5"), 3), Expected: rev + 1},
		{Next: sample(ip("fe80::1%eth0"), 4)},
		{Next: sample(ip("10.0.0.5"), 5), Expected: rev},
		{Next: sample(ip("10.0.0.5"), 6), Expected: rev},
		{Next: sample(ip("10.0.0.5"), 7), Expected: rev + 1},
		{Next: sample(ip("10.0.0.6"), 8)},
	}
	errs := s.CommitGroup(t.Context(), group)
	if len(errs) != len(group) {
		t.Fatalf("%d errors of %d changes", len(errs), len(group))
	}
	for i, err := range errs {
		switch i {
		case 1, 4:
			if !errors.Is(err, lease.ErrConflict) {
				t.Errorf("change %d: %v, want ErrConflict", i, err)
			}
		case 2:
			if err == nil || errors.Is(err, lease.ErrConflict) {
				t.Errorf("change %d, of an address that cannot be leased: %v", i, err)
			}
		default:
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		}
	}
	want(t, s, sample(ip("10.0.0.4"), 2), 1)
	want(t, s, sample(ip("10.0.0.5"), 7), rev+2)
	want(t, s, sample(ip("10.0.0.6"), 8), 1)
	if errs := s.CommitGroup(t.Context(), nil); len(errs) != 0 {
		t.Errorf("a group of nothing: %v", errs)
	}
}

// testGroupIsTheCallers: callers use the memory of one group for the next.
func testGroupIsTheCallers(t *testing.T, open OpenFunc) {
	s := start(t, open)
	const rounds = 20
	parallel(4, func(w int) {
		group := make([]lease.Change, 10)
		for round := range rounds {
			for i := range group {
				group[i] = lease.Change{Next: sample(host(w*len(group)+i), round), Expected: lease.Revision(round)}
			}
			if err := errors.Join(s.CommitGroup(t.Context(), group)...); err != nil {
				t.Errorf("round %d: %v", round, err)
				return
			}
			clear(group)
		}
	})
	for n := range 40 {
		want(t, s, sample(host(n), rounds-1), rounds)
	}
}

func testGroupReopen(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := openAt(t, open, dir)
	group := make([]lease.Change, 1000)
	for i := range group {
		group[i].Next = sample(host(i), i)
	}
	if err := errors.Join(s.CommitGroup(t.Context(), group)...); err != nil {
		t.Fatal(err)
	}
	reclose(t, s)
	s = openAt(t, open, dir)
	for i := range group {
		want(t, s, sample(host(i), i), 1)
	}
}
