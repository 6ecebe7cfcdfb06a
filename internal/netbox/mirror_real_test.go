package netbox

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// requestCounter counts the requests for addresses.
type requestCounter struct {
	http.RoundTripper
	reads, writes atomic.Int64
}

func (c *requestCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/ip-addresses/"):
	case r.Method == http.MethodGet:
		c.reads.Add(1)
	default:
		c.writes.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestARealNetBoxIsMirrored(t *testing.T) {
	url, token := realNetBox(t)
	c := connect(t, url, token, silent())
	c.timeout = time.Minute
	count := &requestCounter{RoundTripper: c.http.Transport}
	c.http.Transport = count
	t.Cleanup(func() { count.RoundTripper.(*http.Transport).CloseIdleConnections() })
	seeded := netboxtest.Seed(t, url, token, mirrorWorld())
	t.Cleanup(func() { netboxtest.Wipe(unended{t}, url, token) })
	checkMirror(t, c, seeded)
	checkMirrorAddresses(t, c, seeded)
	t.Run("writes", func(t *testing.T) { realMirrorWrites(t, c, seeded) })
	t.Run("somebody else's changes", func(t *testing.T) { realMirrorConflicts(t, c, seeded) })
	t.Run("many", func(t *testing.T) { realMirrorMany(t, c, count, 1010) })
}

func realMirrorWrites(t *testing.T, c *Client, seeded *netboxtest.Seeded) {
	t.Helper()
	writes := mirrorWrites(t, seeded)
	writes = append(writes, state.Write{Kind: state.JournalEntry, Action: state.Create, Set: map[string]any{"assigned_object_type": "ipam.iprange",
		"assigned_object_id": seeded.ID(t, "ipam/ip-ranges", "10.8.4.20/24-10.8.4.250/24"), "kind": "info", "comments": "created"}})
	wantResults(t, Write(t.Context(), c, writes, nil), doneAll(len(writes))...)
	writes = writes[:len(writes)-1]
	again := doneAll(len(writes))
	for i := range again {
		again[i] = state.Unchanged
	}
	wantResults(t, Write(t.Context(), c, writes, nil), again...)
	// Batches give the same: the lists above hold one or two writes each.
	both := []state.Write{update(t, seeded), {Kind: state.IPAddress, Action: state.Update, ID: seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"),
		Set: map[string]any{"tenant": seeded.ID(t, "tenancy/tenants", "Acme")}, AddTags: []string{"keep"}}}
	wantResults(t, Write(t.Context(), c, both, nil), state.Unchanged, state.Done)
	both[1].AddTags, both[1].RemoveTags = nil, []string{"keep"}
	both[1].Set = map[string]any{"tenant": nil, custom(state.FieldClientID): nil, custom(state.FieldLeaseExpires): "2026-07-01T09:30:00+00:00"}
	wantResults(t, Write(t.Context(), c, both, nil), state.Unchanged, state.Done)
	wantResults(t, Write(t.Context(), c, both, nil), state.Unchanged, state.Unchanged)
}

func realMirrorConflicts(t *testing.T, c *Client, seeded *netboxtest.Seeded) {
	t.Helper()
	loose, red := seeded.ID(t, "ipam/vrfs", "loose"), seeded.ID(t, "ipam/vrfs", "red")
	bad := newAddress("10.8.4.90/24", 0)
	bad.Set["dns_name"] = "not a name"
	other := newAddress("10.8.4.40/24", 0) // made before, with other values
	other.Set["dns_name"] = "other"
	writes := []state.Write{newAddress("10.8.4.91/24", loose), newAddress("10.8.4.91/24", loose), bad, other, newAddress("10.8.6.25/24", red), newAddress("10.8.4.92/24", 0)}
	results := Write(t.Context(), c, writes, nil)
	wantResults(t, results, state.Done, state.Unchanged, state.Refused, state.Changed, state.Refused, state.Done)
	overlap := state.Write{Kind: state.IPRange, Action: state.Create, Set: map[string]any{"start_address": "10.8.4.30/24", "end_address": "10.8.4.40/24"}}
	wantResults(t, Write(t.Context(), c, []state.Write{overlap}, nil), state.Refused)
	stale := map[string]any{"status": "reserved", "last_updated": "2020-01-01T00:00:00Z"}
	deletes := []state.Write{{Kind: state.IPAddress, Action: state.Delete, ID: results[0].ID, Before: stale},
		{Kind: state.IPAddress, Action: state.Delete, ID: results[5].ID, Before: map[string]any{"status": "dhcp", "last_updated": "2020-01-01T00:00:00Z"}},
		{Kind: state.IPAddress, Action: state.Delete, ID: 1 << 30}}
	wantResults(t, Write(t.Context(), c, deletes, nil), state.Changed, state.Done, state.Unchanged)
	wantResults(t, Write(t.Context(), c, deletes[:1], nil), state.Changed)
	gone := update(t, seeded)
	gone.ID = 1 << 30
	poison := update(t, seeded)
	poison.ID, poison.Host, poison.Before = seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), netip.Addr{}, nil
	poison.Set = map[string]any{custom(state.FieldLeaseExpires): int64(7)}
	fine := state.Write{Kind: state.IPAddress, Action: state.Update, ID: seeded.ID(t, "ipam/ip-addresses", "red 10.8.6.9/24"), Set: map[string]any{"status": "dhcp"}}
	wantResults(t, Write(t.Context(), c, []state.Write{gone, poison, fine}, nil), state.Gone, state.Failed, state.Done)
}

// realMirrorMany makes, reads, changes and deletes n addresses in 40 scopes.
func realMirrorMany(t *testing.T, c *Client, count *requestCounter, n int) {
	t.Helper()
	c.batchMu.Lock()
	c.batch = firstBatch
	c.batchMu.Unlock()
	const scopes = 40
	var subnets []netip.Prefix
	var creates []state.Write
	for i := range n {
		creates = append(creates, newAddress(fmt.Sprintf("10.30.%d.%d/24", i%scopes, i/scopes+1), 0))
	}
	for i := range scopes {
		subnets = append(subnets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 30, byte(i), 0}), 24))
	}
	timed := func(what string, do func()) {
		count.reads.Store(0)
		count.writes.Store(0)
		began := time.Now()
		do()
		took := time.Since(began)
		t.Logf("%s %d addresses: %s, %.0f/s, %d reads, %d writes", what, n, took.Round(time.Millisecond), float64(n)/took.Seconds(), count.reads.Load(), count.writes.Load())
	}
	timed("create", func() { wantResults(t, Write(t.Context(), c, creates, nil), doneAll(n)...) })
	var have []state.Address
	timed("read", func() {
		var err error
		if have, err = ReadAddresses(t.Context(), c, subnets, nil); err != nil || len(have) != n {
			t.Fatalf("%d addresses: %v", len(have), err)
		}
	})
	if most := int64(1 + (n+pageSize-1)/pageSize); count.reads.Load() > most {
		t.Errorf("%d reads for %d addresses, want at most %d", count.reads.Load(), n, most)
	}
	var updates, deletes []state.Write
	for _, a := range have {
		w := state.Write{Kind: state.IPAddress, ID: a.ID, Host: a.Address.Addr(), Before: map[string]any{"status": "dhcp"}}
		w.Action, w.Set = state.Update, map[string]any{custom(state.FieldLeaseActive): false}
		updates = append(updates, w)
		w.Action, w.Set = state.Delete, nil
		deletes = append(deletes, w)
	}
	timed("update", func() { wantResults(t, Write(t.Context(), c, updates, nil), doneAll(n)...) })
	timed("delete", func() { wantResults(t, Write(t.Context(), c, deletes, nil), doneAll(n)...) })
}

func TestARealNetBoxIsPreparedForTheMirror(t *testing.T) {
	url, token := realNetBox(t)
	t.Cleanup(func() { netboxtest.Wipe(unended{t}, url, token) })
	checkMirrorBootstrap(t, connect(t, url, token, silent()))
}

func TestARealNetBoxTellsTheRightsOfTheMirror(t *testing.T) {
	url, token := realNetBox(t)
	t.Cleanup(func() { netboxtest.Wipe(unended{t}, url, token) })
	need := mirrorNeeds()
	var grants []netboxtest.Grant
	for _, r := range need.rights() {
		if r.table != ranges || r.action != "delete" {
			grants = append(grants, netboxtest.Grant{Object: r.table.model(), Actions: []string{r.action}})
		}
	}
	limited := netboxtest.LimitByREST(url, token)(t, false, grants...)
	var found []string
	for _, f := range CheckMirror(t.Context(), connect(t, url, limited, silent()), need) {
		if strings.Contains(f.Problem, "lacks this permission") {
			found = append(found, f.Object)
		}
	}
	if len(found) != 1 || found[0] != "delete on ipam.iprange" {
		t.Errorf("missing %v, want delete on ipam.iprange alone", found)
	}
}
