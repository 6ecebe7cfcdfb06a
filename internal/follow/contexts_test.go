package follow

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// voice is a NetBox with a context for all prefixes that carry the tag Voice, and a
// phone that carries it, too.
func voice() netboxtest.World {
	return netboxtest.World{
		Tags:     []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}, {Name: "Voice"}},
		Sites:    []netboxtest.Site{{Name: "HQ"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Site: "HQ"}, {Prefix: "10.5.0.0/24", Site: "HQ", Tags: []string{"Voice"}}},
		Devices: []netboxtest.Device{{Name: "phone1", Site: "HQ", Tags: []string{"Voice"}, Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{"52:54:00:00:00:01"}},
		}}},
		Contexts: []netboxtest.Context{
			{Name: "voice", Weight: 2000, Tags: []string{"Voice"}, Data: map[string]any{contextKey: map[string]any{"lease_time": 7200, "dns_servers": []any{"10.5.0.53"}}}},
			{Name: "site", Weight: 1000, Sites: []string{"HQ"}, Data: map[string]any{contextKey: map[string]any{"lease_time": 3600, "lease_max": 86400}}},
		},
	}
}

// leaseTimes are lease time and longest time that a client without a machine gets at an address.
func (w *watch) leaseTimes(t *testing.T, addr string) string {
	t.Helper()
	n, err := w.snapshot.Subnet(netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	l := w.snapshot.Data(n, nil).Lease
	return strings.Join([]string{l.Time.Value.String(), l.Time.Source, l.Max.Value.String()}, " ")
}

// CTX-1, H-2: an edit of a context or of a prefix's tags is in the next snapshot, in
// every version of NetBox.
func TestEditsOfContextsAndTagsReachTheNextSnapshot(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), voice())
			w := follow(t, s, s.TokenV1())
			w.must(t)
			const tagged, plain = `2h0m0s config context "voice" (weight 2000) 24h0m0s`, `1h0m0s config context "site" (weight 1000) 24h0m0s`
			expect := func(what, at, want string) {
				t.Helper()
				if got := w.leaseTimes(t, at); got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			}
			expect("with the tag", "10.5.0.9", tagged)
			expect("without the tag", "10.0.0.9", plain)

			prefix := seeded.ID(t, "ipam/prefixes", "10.0.0.0/24")
			s.Edit(t, "ipam/prefixes", prefix, map[string]any{"tags": []any{map[string]any{"slug": "voice"}}})
			w.must(t)
			expect("once it has the tag", "10.0.0.9", tagged)

			rule := seeded.ID(t, "extras/config-contexts", "voice")
			s.Edit(t, "extras/config-contexts", rule, map[string]any{"data": map[string]any{contextKey: map[string]any{"lease_time": "4h"}}})
			w.must(t)
			expect("once the context says something else", "10.0.0.9", `4h0m0s config context "voice" (weight 2000) 24h0m0s`)

			s.Edit(t, "extras/config-contexts", rule, map[string]any{"weight": 500})
			w.must(t)
			expect("once its weight is lower", "10.0.0.9", plain)

			s.Edit(t, "extras/config-contexts", rule, map[string]any{"weight": 5000, "is_active": false})
			w.must(t)
			expect("once it is not active", "10.5.0.9", plain)

			s.Edit(t, "ipam/prefixes", prefix, map[string]any{"tags": []any{}})
			s.Edit(t, "extras/config-contexts", rule, map[string]any{"is_active": true})
			w.must(t)
			expect("once the prefix has no tag", "10.0.0.9", plain)
			expect("the other prefix keeps it", "10.5.0.9", `4h0m0s config context "voice" (weight 5000) 24h0m0s`)

			s.Edit(t, "extras/tags", seeded.ID(t, "extras/tags", "Voice"), map[string]any{"name": "Phones", "slug": "phones"})
			w.must(t)
			expect("a renamed tag is the same", "10.5.0.9", `4h0m0s config context "voice" (weight 5000) 24h0m0s`)
		})
	}
}

// CTX-2: the rendered context of a machine follows, too, and lies over the others.
func TestAMachinesContextFollowsATagOfItsOwn(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), voice())
	w := follow(t, s, s.TokenV1())
	w.must(t)
	phone := ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "phone1")}
	n, err := w.snapshot.Subnet(netip.MustParseAddr("10.0.0.9"))
	if err != nil {
		t.Fatal(err)
	}
	if l := w.snapshot.Data(n, w.snapshot.Machine(phone)).Lease; l.Time.Value != 2*time.Hour || l.Time.Source != "the machine's rendered context" {
		t.Errorf("%+v", l)
	}
}

// N-20, H-2: the tag of served prefixes takes effect with the next poll, both ways, and
// keeps its meaning under another name (T-6).
func TestServedPrefixesFollowTheirTag(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), voice())
	w := follow(t, s, s.TokenV1(), func(c *Config) { c.Options.ServeTag = "Voice" })
	expect := func(what string, want bool) {
		t.Helper()
		w.must(t)
		n, err := w.snapshot.Subnet(netip.MustParseAddr("10.0.0.9"))
		if err != nil || w.snapshot.Served(n) != want {
			t.Errorf("%s: served %v, %v", what, !want, err)
		}
	}
	prefix := seeded.ID(t, "ipam/prefixes", "10.0.0.0/24")
	expect("without the tag", false)
	s.Edit(t, "ipam/prefixes", prefix, map[string]any{"tags": []any{map[string]any{"slug": "voice"}}})
	expect("with the tag", true)
	s.Edit(t, "extras/tags", seeded.ID(t, "extras/tags", "Voice"), map[string]any{"name": "Phones", "slug": "phones"})
	expect("under another name", true)
	s.Edit(t, "ipam/prefixes", prefix, map[string]any{"tags": []any{}})
	expect("once the tag is gone", false)
}
