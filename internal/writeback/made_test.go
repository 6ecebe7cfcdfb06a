package writeback

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// leaseRange is a server with a range that is a pool, told about by a writer.
type leaseRange struct {
	server *netboxtest.Server
	client *netbox.Client
	engine *lease.Engine
	writer *Writer
	now    time.Time
	shown  *ipam.Snapshot
	tag    int64
}

var office = netip.MustParseAddr("10.0.0.1")

// serveRange serves clients of a range. Those that are interfaces of devices get
// their addresses assigned.
func serveRange(t *testing.T, v netboxtest.Version, devices ...netboxtest.Device) *leaseRange {
	t.Helper()
	onAddresses := []string{"ipam.ipaddress"}
	r := &leaseRange{server: netboxtest.New(t, netboxtest.Config{Version: v}), now: time.Now()}
	seeded := netboxtest.Seed(t, r.server.URL(), r.server.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses},
			{Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses},
			{Name: "dhcp_hostname", Type: "text", ObjectTypes: onAddresses},
			{Name: "dhcp_made_for_lease", Type: "text", ObjectTypes: onAddresses},
		},
		Sites:    []netboxtest.Site{{Name: "lab"}},
		Devices:  devices,
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		Ranges:   []netboxtest.Range{{Start: "10.0.0.10/24", End: "10.0.0.99/24", Tags: []string{"DHCP"}}},
	})
	r.tag = seeded.ID(t, "extras/tags", "DHCP")
	r.client = clienttest.Connect(t, r.server.URL(), r.server.TokenV1(), clienttest.Silent())
	policy := lease.Policy{LeaseTime: time.Hour, MinTime: time.Minute, MaxTime: time.Hour, OfferHold: time.Minute, ReclaimGrace: 10 * time.Second, AllowUnknown: true, StaleAfter: 1000 * time.Hour,
		BindInterface: len(devices) > 0}
	start := r.now
	var err error
	r.engine, err = lease.NewEngine(t.Context(), lease.Config{
		Policy: policy, Store: openStore(t, t.TempDir()), Now: func() time.Time { return r.now }, Log: clienttest.Silent(), WriteBack: true, MakeObjects: true,
		Clock: lease.Clock{Steady: func(time.Time) time.Duration { return r.now.Sub(start) }, Synced: func() bool { return true }},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.writer = New(Config{
		Unsynced: r.engine.Unsynced, Synced: r.engine.Synced, UnsyncedC: r.engine.UnsyncedC(), Running: r.engine.Running,
		Snapshot: func() *ipam.Snapshot { return r.shown },
		Write: func(ctx context.Context, changes []RecordChange) []RecordResult {
			return WriteRecords(ctx, r.client, recordFields(), changes)
		},
		BindInterface: policy.BindInterface, MakeObjects: true, Lease: r.engine.Lease, Grace: policy.ReclaimGrace,
		Remove: func(ctx context.Context, removals []Removal) []RecordResult {
			return RemoveObjects(ctx, r.client, removals)
		},
		Log: clienttest.Silent(),
	})
	r.poll(t)
	return r
}

// poll reads NetBox anew.
func (r *leaseRange) poll(t *testing.T) {
	t.Helper()
	r.shown = load(t, r.client)
	r.engine.SetSnapshot(r.shown)
	r.engine.Confirm(r.now, 0)
}

// lease gives an address to a client.
func (r *leaseRange) lease(t *testing.T, n int, addr string) {
	t.Helper()
	mac := ipam.MAC{0x52, 0x54, 0, 0, 1, byte(n)}
	m := lease.ClientMessage{Type: lease.Discover, Client: lease.ClientID(mac.String()), Hardware: lease.ClientID(mac.String()), MAC: mac, HasMAC: true,
		Relay: office, Source: office, Identifier: netip.MustParseAddr("10.0.0.2"), RequestedAddr: netip.MustParseAddr(addr)}
	offer, err := r.engine.Handle(t.Context(), m, nil)
	if err != nil || offer.Addr.Addr() != m.RequestedAddr {
		t.Fatalf("offered %+v, %v", offer, err)
	}
	m.Type, m.ServerID = lease.Request, m.Identifier
	if ack, err := r.engine.Handle(t.Context(), m, nil); err != nil || ack.Verdict != lease.Ack {
		t.Fatalf("%+v, %v", ack, err)
	}
}

// tell writes what waits.
func (r *leaseRange) tell(t *testing.T) {
	t.Helper()
	r.writer.pass(t.Context())
	if left := r.engine.Unsynced(-1); len(left) > 0 {
		t.Fatalf("NetBox was not told of %v", left)
	}
}

// objects are the addresses in NetBox, as text.
func (r *leaseRange) objects(t *testing.T) string {
	t.Helper()
	var list []string
	for _, a := range load(t, r.client).Objects().Addresses {
		list = append(list, a.Address.String())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// S-17, S-18, S-10: an object appears while an address of a range is leased, with its
// record, and goes after the lease and the grace, in every version.
func TestAnObjectIsThereWhileAnAddressIsLeased(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			r := serveRange(t, v)
			r.lease(t, 1, "10.0.0.10")
			r.lease(t, 2, "10.0.0.11")
			r.tell(t)
			if got := r.objects(t); got != "10.0.0.10/24 10.0.0.11/24" {
				t.Fatalf("objects %s", got)
			}
			r.poll(t)
			a := r.shown.Address(0, netip.MustParseAddr("10.0.0.10"))
			if a == nil || !a.Made || a.Status != "active" || !slices.Equal(a.Tags, []int64{r.tag}) || a.Record.Client != "52:54:00:00:01:01" || !r.shown.Leasable(a) {
				t.Fatalf("the object is %+v", a)
			}
			r.server.ForgetRequests()
			r.writer.remove(t.Context())
			if n := len(r.server.Writes()); n != 0 {
				t.Errorf("%d writes while the leases run", n)
			}
			r.now = r.now.Add(time.Hour + 9*time.Second)
			r.writer.remove(t.Context())
			if n := len(r.server.Writes()); n != 0 {
				t.Errorf("%d writes within the grace", n)
			}
			r.now = r.now.Add(2 * time.Second)
			r.writer.remove(t.Context())
			if got := r.objects(t); got != "" {
				t.Errorf("objects %s after the leases", got)
			}
			for _, q := range r.server.Writes() {
				if match := q.Header.Get("If-Match"); (match != "") != (v >= netboxtest.V46) {
					t.Errorf("%s %s with If-Match %q", q.Method, q.Path, match)
				}
			}
			if r.writer.remove(t.Context()); len(r.writer.removed) != 2 {
				t.Errorf("%v removed", r.writer.removed)
			}
			// Another client, before the snapshot shows that the object is gone, and after.
			r.lease(t, 3, "10.0.0.10")
			r.tell(t)
			r.poll(t)
			r.lease(t, 4, "10.0.0.11")
			r.tell(t)
			if got := r.objects(t); got != "10.0.0.10/24 10.0.0.11/24" {
				t.Errorf("objects %s of the next clients", got)
			}
		})
	}
}

// S-17: a renewal before the next snapshot changes the object that was made; an answer
// that was lost makes no second one.
func TestNoObjectIsMadeTwice(t *testing.T) {
	for name, lost := range map[string]bool{"a renewal": false, "a lost answer": true} {
		t.Run(name, func(t *testing.T) {
			r := serveRange(t, netboxtest.V47)
			r.lease(t, 1, "10.0.0.10")
			if lost {
				r.server.Fail(netboxtest.Fault{Kind: netboxtest.ResetAfter, Method: http.MethodPost, Times: 1})
				r.writer.pass(t.Context())
				clear(r.writer.deferred)
			}
			r.tell(t)
			r.now = r.now.Add(time.Minute)
			r.lease(t, 1, "10.0.0.10")
			r.tell(t)
			if got := r.objects(t); got != "10.0.0.10/24" {
				t.Errorf("objects %s", got)
			}
			r.poll(t)
			l, _ := r.engine.Lease(netip.MustParseAddr("10.0.0.10"))
			if a := r.shown.Address(0, l.Addr); !a.Record.Expires.Equal(l.Expires) || !a.LastUpdated.Equal(l.SyncedAt) {
				t.Errorf("the record is %+v of %s, the lease %+v", a.Record, a.LastUpdated, l)
			}
		})
	}
}

// S-18: what people have changed, use or made is not deleted.
func TestOnlyUnchangedObjectsAreDeleted(t *testing.T) {
	edit := func(fields map[string]any) func(t *testing.T, r *leaseRange, id int64) {
		return func(t *testing.T, r *leaseRange, id int64) { r.server.Edit(t, addressesPath, id, fields) }
	}
	for name, change := range map[string]func(t *testing.T, r *leaseRange, id int64){
		"described":          edit(map[string]any{"description": "keep this"}),
		"untagged":           edit(map[string]any{"tags": []any{}}),
		"without provenance": edit(map[string]any{"custom_fields": map[string]any{"dhcp_made_for_lease": nil}}),
		"the inside of NAT": func(t *testing.T, r *leaseRange, id int64) {
			r.server.Add(t, addressesPath, map[string]any{"address": "192.0.2.1/24", "nat_inside": id})
		},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the last snapshot: %v", name, late), func(t *testing.T) {
				r := serveRange(t, netboxtest.V47)
				r.lease(t, 1, "10.0.0.10")
				r.tell(t)
				r.poll(t)
				id := r.shown.Address(0, netip.MustParseAddr("10.0.0.10")).ID
				change(t, r, id)
				if !late {
					r.poll(t)
				}
				r.now = r.now.Add(2 * time.Hour)
				r.writer.remove(t.Context())
				if got := r.objects(t); !strings.HasPrefix(got, "10.0.0.10/24") {
					t.Errorf("objects %q", got)
				}
			})
		}
	}
}

// S-18: an object whose lease is not in the store was made by another server, and a
// clock that is not trusted ends no lease.
func TestObjectsOfOtherServersStay(t *testing.T) {
	r := serveRange(t, netboxtest.V47)
	r.lease(t, 1, "10.0.0.10")
	r.tell(t)
	r.poll(t)
	r.now = r.now.Add(2 * time.Hour)
	r.writer.config.ReclaimPause = func() time.Duration { return time.Minute }
	r.writer.remove(t.Context())
	r.writer.config.ReclaimPause = nil
	r.writer.config.Lease = func(netip.Addr) (lease.Lease, bool) { return lease.Lease{}, false }
	r.writer.remove(t.Context())
	if got := r.objects(t); got != "10.0.0.10/24" {
		t.Errorf("objects %q", got)
	}
}

// S-17, N-17: where NetBox takes no objects none is tried, and an ended lease makes none.
func TestLeasesThatGetNoObject(t *testing.T) {
	r := serveRange(t, netboxtest.V47)
	for id := range r.shown.Objects().Ranges {
		r.server.Edit(t, "ipam/ip-ranges", id, map[string]any{"mark_populated": true})
	}
	r.poll(t)
	r.lease(t, 1, "10.0.0.10")
	r.server.ForgetRequests()
	r.tell(t)
	for id := range r.shown.Objects().Ranges {
		r.server.Edit(t, "ipam/ip-ranges", id, map[string]any{"mark_populated": false})
	}
	r.poll(t)
	r.lease(t, 2, "10.0.0.11")
	r.now = r.now.Add(2 * time.Hour)
	r.tell(t)
	if got := r.objects(t); got != "" {
		t.Errorf("objects %s", got)
	}
}

// S-17: without the tag in NetBox no object is tried in a range that is a pool by its
// role, and that is said once until NetBox has the tag.
func TestNoObjectWithoutTheTag(t *testing.T) {
	pool := func(tags map[int64]*ipam.Tag) *ipam.Snapshot {
		s, _ := ipam.Build(&ipam.Objects{
			Tags:     tags,
			Prefixes: map[int64]*ipam.Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/16"), Status: "active"}},
			Ranges: map[int64]*ipam.Range{1: {ID: 1, Start: host(1), End: host(9), Bits: 16, Status: "active",
				Role: ipam.Role{ID: 5, Name: "DHCP pool", Slug: "dhcp-pool"}}},
		}, ipam.Options{DynamicTag: "DHCP", DynamicRoles: []string{"DHCP pool"}})
		return s
	}
	r := newRig(t)
	r.config.MakeObjects = true
	w := New(r.config)
	expires := time.Now().Add(time.Hour)
	lines := func(tags map[int64]*ipam.Tag, addr netip.Addr) int {
		r.snapshot = pool(tags)
		r.logged.Reset()
		r.engine.change(lease.Lease{Addr: addr, Client: alice, State: lease.Bound, Expires: expires})
		w.pass(t.Context())
		if left := r.engine.left(); left != 0 {
			t.Errorf("%d leases left", left)
		}
		return len(r.logged.AllEntries())
	}
	if n := lines(nil, host(1)); n != 1 || !strings.Contains(r.logged.AllEntries()[0].Message, "dynamic.tag") {
		t.Errorf("%d lines without the tag", n)
	}
	if n := lines(nil, host(2)); n != 0 || len(r.calls) > 0 {
		t.Errorf("%d lines for the next lease, calls %+v", n, r.calls)
	}
	if n := lines(map[int64]*ipam.Tag{dhcpTag: {ID: dhcpTag, Name: "DHCP"}}, host(3)); n != 0 || len(r.calls) != 1 || r.calls[0].changes[0].Make.Tag != dhcpTag {
		t.Errorf("%d lines with the tag, calls %+v", n, r.calls)
	}
	if n := lines(nil, host(4)); n != 1 || len(r.calls) != 1 {
		t.Errorf("%d lines once the tag is gone again", n)
	}
}
