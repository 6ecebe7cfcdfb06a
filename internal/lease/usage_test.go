package lease

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// B-13: each dynamic address counts once, by what it is used for now.
func TestUsageCountsEachAddressOfAPoolOnce(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour))
	world := snapshot(t, worldOptions,
		prefix("10.0.0.0/24"), prefix("10.0.0.64/26"), prefix("10.1.0.0/24"),
		dynamic("10.0.0.10-10.0.0.19/24"),
		dynamic("10.0.0.30/24", record(carol, 20*time.Minute)),
		dynamic("10.0.0.31/24", record(carol, -time.Hour)),
		dynamic("10.0.0.32/24", record(Declined, time.Hour)),
		dynamic("10.0.0.33/24", unreadable(string(carol))),
		dynamic("10.0.0.70-10.0.0.71/26"),
		dynamic("10.1.0.5/24"), dynamic("10.9.0.5/24"), // in no prefix
	)
	r := newRig(t, store, world)
	expect := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, u := range r.Usage() {
			got = append(got, fmt.Sprintf("%s free %d leased %d offered %d quarantined %d withheld %d", u.Prefix, u.Free, u.Leased, u.Offered, u.Quarantined, u.Withheld))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	others := []string{"10.0.0.64/26 free 2 leased 0 offered 0 quarantined 0 withheld 0", "10.1.0.0/24 free 1 leased 0 offered 0 quarantined 0 withheld 0"}
	expect("at the start", append([]string{"10.0.0.0/24 free 10 leased 3 offered 0 quarantined 1 withheld 0"}, others...)...)
	r.handle(discover(bob))
	expect("bob was made an offer", append([]string{"10.0.0.0/24 free 9 leased 3 offered 1 quarantined 1 withheld 0"}, others...)...)
	r.now = r.now.Add(time.Minute + time.Second)
	expect("the offer lapsed", append([]string{"10.0.0.0/24 free 10 leased 3 offered 0 quarantined 1 withheld 0"}, others...)...)
	r.now = start.Add(time.Hour + 5*time.Second)
	expect("alice's lease ended, carol's and the quarantine did", append([]string{"10.0.0.0/24 free 11 leased 1 offered 0 quarantined 0 withheld 2"}, others...)...)
	r.now = start.Add(2 * time.Hour)
	expect("the grace is over", append([]string{"10.0.0.0/24 free 13 leased 1 offered 0 quarantined 0 withheld 0"}, others...)...)
	r.Confirm(r.now, time.Hour)
	expect("the clock is off", append([]string{"10.0.0.0/24 free 9 leased 1 offered 0 quarantined 0 withheld 4"}, others...)...)
}

func TestUsageWithoutASnapshotIsEmpty(t *testing.T) {
	if got := newRig(t, newMemStore(), nil).Usage(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// B-13: each write to the store is measured, how it ended too.
func TestEachCommitIsMeasured(t *testing.T) {
	store := newMemStore()
	var ends []error
	r := newRig(t, store, snapshot(t, worldOptions, office()...), func(c *Config) {
		c.Committed = func(took time.Duration, err error) {
			if took < 0 {
				t.Errorf("took %s", took)
			}
			ends = append(ends, err)
		}
	})
	r.handle(discover(alice))
	if len(ends) != 0 {
		t.Errorf("an OFFER wrote %d times", len(ends))
	}
	r.handle(selecting(alice, "10.0.0.10"))
	if len(ends) != 1 || ends[0] != nil {
		t.Errorf("after an ACK: %v", ends)
	}
	broken := errors.New("disk")
	store.before = func(Lease) error { return broken }
	_, _ = r.Handle(t.Context(), renewing(alice, "10.0.0.10"), nil)
	if len(ends) != 2 || !errors.Is(ends[1], broken) {
		t.Errorf("after a failed write: %v", ends)
	}
}

func BenchmarkUsage(b *testing.B) {
	r := newRig(b, newMemStore(), snapshot(b, worldOptions, prefix("10.0.0.0/8"), dynamic("10.0.0.1-10.0.255.254/8")))
	for b.Loop() {
		r.Usage()
	}
}
