package follow

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// pooled is a NetBox with a range that is a pool, one of a scope of the mirror, and
// a plain one.
func pooled(t *testing.T, v netboxtest.Version) (*netboxtest.Server, *netboxtest.Seeded) {
	t.Helper()
	s := netboxtest.New(t, netboxtest.Config{Version: v})
	return s, netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}}, IPRoles: []string{"Phones"},
		CustomFields: []netboxtest.CustomField{{Name: "dhcp_server", Type: "text", ObjectTypes: []string{"ipam.iprange"}}},
		Prefixes:     []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		Ranges: []netboxtest.Range{
			{Start: "10.0.0.10/24", End: "10.0.0.99/24", Status: "active", Tags: []string{"DHCP"}, Role: "Phones", Populated: true},
			{Start: "10.0.0.100/24", End: "10.0.0.149/24", Status: "reserved", CustomFields: map[string]any{"dhcp_server": "dhcp1"}},
			{Start: "10.0.0.150/24", End: "10.0.0.199/24"},
		},
	})
}

// N-14, N-15, N-17: what makes a range a pool, or forbids it, is read of every version.
func TestRangesAreReadWhole(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := pooled(t, v)
			p := load(t, clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent()))
			addr := netip.MustParseAddr
			tag := seeded.IDs("extras/tags")["DHCP"]
			want := map[string]*ipam.Range{
				"10.0.0.10": {Start: addr("10.0.0.10"), End: addr("10.0.0.99"), Bits: 24, Status: "active", Tags: []int64{tag},
					Role: ipam.Role{ID: seeded.IDs("ipam/roles")["Phones"], Name: "Phones", Slug: "phones"}, Populated: v != netboxtest.V42},
				"10.0.0.100": {Start: addr("10.0.0.100"), End: addr("10.0.0.149"), Bits: 24, Status: "reserved", Managed: true},
				"10.0.0.150": {Start: addr("10.0.0.150"), End: addr("10.0.0.199"), Bits: 24, Status: "active"},
			}
			if len(p.objects.Ranges) != len(want) {
				t.Errorf("%d ranges, want %d", len(p.objects.Ranges), len(want))
			}
			for id, got := range p.objects.Ranges {
				w := *want[got.Start.String()]
				w.ID = id
				if diff := cmp.Diff(&w, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// N-18, T-1, T-4: a range that its clients lose serves them on where that is doubted.
func TestARangeIsDoubtedLikeItsAddresses(t *testing.T) {
	for name, change := range map[string]func(s *netboxtest.Server, t *testing.T, id int64){
		"deleted": func(s *netboxtest.Server, t *testing.T, id int64) { s.Delete(t, "ipam/ip-ranges", id) },
		"untagged": func(s *netboxtest.Server, t *testing.T, id int64) {
			s.Edit(t, "ipam/ip-ranges", id, map[string]any{"tags": []any{}})
		},
		"reserved": func(s *netboxtest.Server, t *testing.T, id int64) {
			s.Edit(t, "ipam/ip-ranges", id, map[string]any{"status": "reserved"})
		},
		"a scope's": func(s *netboxtest.Server, t *testing.T, id int64) {
			s.Edit(t, "ipam/ip-ranges", id, map[string]any{"custom_fields": map[string]any{"dhcp_server": "x"}})
		},
		"shrunk": func(s *netboxtest.Server, t *testing.T, id int64) {
			s.Edit(t, "ipam/ip-ranges", id, map[string]any{"end_address": "10.0.0.12/24"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := pooled(t, netboxtest.V47)
			leased := make(map[netip.Addr]bool)
			for i := range 10 {
				leased[netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", 10+i))] = true
			}
			w := follow(t, s, s.TokenV2(), func(c *Config) { c.Leased = func() map[netip.Addr]bool { return leased } })
			w.must(t)
			at := netip.MustParseAddr("10.0.0.15")
			if a := w.snapshot.Address(0, at); a == nil || w.snapshot.Loss(a) != ipam.Present {
				t.Fatalf("before: %+v", a)
			}
			change(s, t, seeded.IDs("ipam/ip-ranges")["10.0.0.10/24-10.0.0.99/24"])
			w.must(t)
			if a := w.snapshot.Address(0, at); a == nil || w.snapshot.Loss(a) != ipam.Lost {
				t.Errorf("while it is doubted the address is %+v", a)
			}
			if got := w.lines(logrus.ErrorLevel); len(got) != 1 {
				t.Errorf("logged %v", got)
			}
			w.pass(t, 70*time.Minute, 10*time.Minute)
			if a := w.snapshot.Address(0, at); a != nil {
				t.Errorf("after poll.doubt the address is %+v", a)
			}
		})
	}
}

// N-18: an edit that moves no client is believed at once.
func TestAnEditOfARangeThatMovesNobody(t *testing.T) {
	s, seeded := pooled(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Edit(t, string(netbox.Ranges), seeded.IDs("ipam/ip-ranges")["10.0.0.10/24-10.0.0.99/24"], map[string]any{"mark_populated": false})
	w.must(t)
	if got := w.shown(netbox.Ranges); got[ipam.Present] != 3 || len(w.guard.recent) != 0 {
		t.Errorf("%v, %d rows are remembered", got, len(w.guard.recent))
	}
}

// S-18, T-1: where deletions cannot be asked for, the object of a lease that has ended
// was deleted by the server that made it; one of a running lease has vanished, and so
// has one that people gave to a host since.
func TestObjectsOfEndedLeasesDoNotVanish(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47})
	world := netboxtest.World{Tags: []netboxtest.Tag{{Name: "DHCP"}}, CustomFields: netboxtest.Office().CustomFields,
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}}}
	world.CustomFields = append(world.CustomFields, netboxtest.CustomField{Name: MadeField, Type: "text", ObjectTypes: []string{"ipam.ipaddress"}})
	for i, made := range []any{"coredhcp-netbox", "coredhcp-netbox", nil} {
		left := time.Hour * time.Duration(1-2*i) // the first one runs
		world.IPs = append(world.IPs, netboxtest.IP{Address: fmt.Sprintf("10.0.0.%d/24", 10+i), Tags: []string{"DHCP"}, CustomFields: map[string]any{
			MadeField: made, "pydhcp_mac": "52:54:00:00:00:01", "pydhcp_expire": time.Now().Add(left).UTC().Format(time.RFC3339)}})
	}
	ended := map[string]any{MadeField: "coredhcp-netbox", "pydhcp_mac": "52:54:00:00:00:01", "pydhcp_expire": "2026-01-01T00:00:00Z"}
	reserved := maps.Clone(ended)
	reserved["res_mac"] = "52:54:00:00:00:01"
	world.CustomFields = append(world.CustomFields, netboxtest.CustomField{Name: "res_mac", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}})
	world.IPs = append(world.IPs, netboxtest.IP{Address: "10.0.0.13/24", CustomFields: reserved})
	world.Clusters = []netboxtest.Cluster{{Name: "c1"}}
	world.VMs = []netboxtest.VM{{Name: "vm1", Cluster: "c1", Interfaces: []netboxtest.Interface{
		{Name: "eth0", MACs: []string{"52:54:00:00:00:02"}, IPs: []netboxtest.IP{{Address: "10.0.0.14/24", CustomFields: ended}}}}}}
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
	narrow(s, false, nil)
	w := follow(t, s, limited, func(c *Config) { c.Fields.ReservationMAC = "res_mac" })
	w.must(t)
	for _, name := range []string{"10.0.0.10/24", "10.0.0.11/24", "10.0.0.12/24", "10.0.0.13/24", "10.0.0.14/24"} {
		s.Delete(t, "ipam/ip-addresses", seeded.IDs("ipam/ip-addresses")[name])
	}
	w.pass(t, 30*time.Minute, 5*time.Minute)
	for host, want := range map[string]bool{"10.0.0.10": true, "10.0.0.11": false, "10.0.0.12": true, "10.0.0.13": true, "10.0.0.14": true} {
		if a := w.address(host); (a != nil) != want {
			t.Errorf("%s is kept: %v, want %v", host, a != nil, want)
		}
	}
}
