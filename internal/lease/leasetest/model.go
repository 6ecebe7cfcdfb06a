package leasetest

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// model is the trivial store: a map.
type model map[netip.Addr]stored

// testModel plays random stories on the store and on a map, over few addresses
// so that they collide, with the store closed and reopened in between.
func testModel(t *testing.T, open OpenFunc) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		s := open(t, dir)
		defer func() {
			if err := s.Close(); err != nil {
				rt.Errorf("close: %v", err)
			}
		}()
		m := make(model)
		rt.Repeat(map[string]func(*rapid.T){
			"store over what is there": func(rt *rapid.T) {
				l := drawLease(rt)
				rev, err := lease.CompareAndSwap(t.Context(), s, l, m[l.Addr].Rev)
				if err != nil || rev <= m[l.Addr].Rev {
					rt.Fatalf("store %s over %d: revision %d, %v", l.Addr, m[l.Addr].Rev, rev, err)
				}
				m[l.Addr] = stored{l, rev}
			},
			"store over something else": func(rt *rapid.T) {
				l := drawLease(rt)
				rev := lease.Revision(rapid.Uint64().Draw(rt, "revision"))
				if rev == m[l.Addr].Rev {
					rev++
				}
				if _, err := lease.CompareAndSwap(t.Context(), s, l, rev); !errors.Is(err, lease.ErrConflict) {
					rt.Fatalf("store %s over %d of %d: %v, want ErrConflict", l.Addr, rev, m[l.Addr].Rev, err)
				}
			},
			"store a group": func(rt *rapid.T) { m.group(t, rt, s) },
			"read": func(rt *rapid.T) {
				addr := drawAddr(rt)
				l, rev, err := s.Lease(t.Context(), addr)
				held, ok := m[addr]
				if ok != (err == nil) || !ok && !errors.Is(err, lease.ErrNotFound) {
					rt.Fatalf("read %s: %v, in the model: %v", addr, err, ok)
				}
				if d := diff(held, stored{l, rev}); d != "" {
					rt.Fatalf("read %s (-want +got):\n%s", addr, d)
				}
			},
			"close and reopen": func(rt *rapid.T) {
				if err := s.Close(); err != nil {
					rt.Fatalf("close: %v", err)
				}
				s = open(t, dir)
			},
			"": func(rt *rapid.T) { m.compare(t, rt, s) },
		})
	})
}

// group stores several leases with one call, some of them over a revision that is
// not there, and some of one address.
func (m model) group(t *testing.T, rt *rapid.T, s lease.Store) {
	var group []lease.Change
	var wins []bool
	for range rapid.IntRange(0, 8).Draw(rt, "changes") {
		c := lease.Change{Next: drawLease(rt), Expected: lease.Revision(rapid.Uint64Range(0, 3).Draw(rt, "revision"))}
		if rapid.Bool().Draw(rt, "over what is there") {
			c.Expected = m[c.Next.Addr].Rev
		}
		won := c.Expected == m[c.Next.Addr].Rev
		if won {
			m[c.Next.Addr] = stored{c.Next, c.Expected + 1}
		}
		group, wins = append(group, c), append(wins, won)
	}
	errs := s.CommitGroup(t.Context(), group)
	if len(errs) != len(group) {
		rt.Fatalf("%d errors of %d changes", len(errs), len(group))
	}
	for i, err := range errs {
		if wins[i] != (err == nil) || !wins[i] && !errors.Is(err, lease.ErrConflict) {
			rt.Fatalf("change %d, over %d of %s: %v, in the model it wins: %v", i, group[i].Expected, group[i].Next.Addr, err, wins[i])
		}
	}
}

// compare checks that Each shows the model's leases in address order.
func (m model) compare(t *testing.T, rt *rapid.T, s lease.Store) {
	var wantAll []stored
	for _, held := range m {
		wantAll = append(wantAll, held)
	}
	slices.SortFunc(wantAll, func(a, b stored) int { return a.Lease.Addr.Compare(b.Lease.Addr) })
	var got []stored
	err := s.Each(t.Context(), func(l lease.Lease, rev lease.Revision) error {
		got = append(got, stored{l, rev})
		return nil
	})
	if err != nil {
		rt.Fatalf("each: %v", err)
	}
	if d := diff(wantAll, got); d != "" {
		rt.Fatalf("each (-want +got):\n%s", d)
	}
}

func drawAddr(rt *rapid.T) netip.Addr {
	return host(rapid.IntRange(254, 260).Draw(rt, "address"))
}

func drawLease(rt *rapid.T) lease.Lease {
	seconds := rapid.Int64Range(-62135596800, 253402300799) // years 1 to 9999
	instant := rapid.Custom(func(rt *rapid.T) time.Time { return time.Unix(seconds.Draw(rt, "seconds"), 0).UTC() })
	return lease.Lease{
		Addr:          drawAddr(rt),
		Client:        lease.ClientID(rapid.String().Draw(rt, "client")),
		State:         lease.State(rapid.Uint8().Draw(rt, "state")),
		Expires:       instant.Draw(rt, "expires"),
		Hostname:      string(rapid.SliceOf(rapid.Byte()).Draw(rt, "hostname")),
		InterfaceKind: rapid.Uint8().Draw(rt, "kind"),
		InterfaceID:   rapid.Int64().Draw(rt, "interface"),
		ByPort:        rapid.Bool().Draw(rt, "by port"),
		Unsynced:      rapid.Bool().Draw(rt, "unsynced"),
		SyncedAt:      instant.Draw(rt, "synced at").Add(time.Duration(rapid.IntRange(0, 999999).Draw(rt, "microseconds")) * time.Microsecond),
	}
}
