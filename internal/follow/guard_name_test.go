package follow

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-6: a tag that is renamed, hidden or deleted is followed by its id.
func TestATagOfTheSettingsIsFollowed(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *netboxtest.Server, tag int64){
		"renamed": func(t *testing.T, s *netboxtest.Server, tag int64) {
			s.Edit(t, "extras/tags", tag, map[string]any{"name": "Pool", "slug": "pool"})
		},
		"hidden": func(_ *testing.T, s *netboxtest.Server, _ int64) { narrow(s, true, nothing, netbox.Tags) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			narrow(s, true, nil)
			path := filepath.Join(t.TempDir(), "copy")
			w := follow(t, s, limited, func(c *Config) { c.DiskPath = path })
			w.must(t)
			change(t, s, seeded.ID(t, "extras/tags", "DHCP"))
			w.pass(t, 7*time.Hour, time.Hour)
			w.disk.save(w.clock, w.tables, w.confirmed, time.Minute)
			again := follow(t, s, limited, func(c *Config) { c.DiskPath = path })
			again.clock = w.clock
			again.restore()
			again.must(t)
			for _, w := range []*watch{w, again} {
				if a := w.address("10.0.0.100"); a == nil || !w.snapshot.IsDynamic(a) {
					t.Errorf("%+v is not dynamic any more", a)
				}
			}
		})
	}
}

// T-6: where another tag takes the name, what has the former one keeps its leases.
func TestATagThatTakesTheName(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Edit(t, "extras/tags", seeded.ID(t, "extras/tags", "DHCP"), map[string]any{"name": "Old pool", "slug": "old-pool"})
	tag := s.Add(t, "extras/tags", map[string]any{"name": "DHCP", "slug": "dhcp"})
	s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.200/24", "tags": []any{tag}})
	for range 3 {
		w.must(t)
	}
	old, fresh := w.address("10.0.0.100"), w.address("10.0.0.200")
	if !w.snapshot.IsDynamic(old) || w.snapshot.Loss(old) != ipam.Lost || !w.snapshot.IsDynamic(fresh) || w.snapshot.Loss(fresh) != ipam.Present {
		t.Errorf("under the former tag %v, under the new one %v", w.snapshot.Loss(old), w.snapshot.Loss(fresh))
	}
	if pool := w.snapshot.Dynamic(0); len(pool) != 1 || pool[0] != fresh {
		t.Errorf("new clients are given %v", pool)
	}
	if text := fmt.Sprint(w.problems); !strings.Contains(text, "Old pool") {
		t.Errorf("not told: %s", text)
	}
	if w.accept() == 0 || w.snapshot.IsDynamic(w.address("10.0.0.100")) {
		t.Error("the operator's word does not end it")
	}
}

// T-6: the VRF of the settings is renamed; another one takes its name.
func TestAVRFOfTheSettingsIsFollowed(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	red := seeded.ID(t, "ipam/vrfs", "red")
	w := follow(t, s, s.TokenV2(), func(c *Config) { c.Options.VRF = "red" })
	w.must(t)
	addr := ipam.Claim{}.Addr
	for a := range w.snapshot.Objects().Prefixes {
		if p := w.snapshot.Objects().Prefixes[a]; p.VRF == red {
			addr = p.Prefix.Addr().Next()
		}
	}
	s.Edit(t, "ipam/vrfs", red, map[string]any{"name": "crimson"})
	w.must(t)
	n, err := w.snapshot.Subnet(addr)
	if err != nil || n.VRF != red || n.Vanished() {
		t.Fatalf("a renamed VRF: %v, %v", n, err)
	}
	s.Add(t, "ipam/vrfs", map[string]any{"name": "red"})
	w.must(t)
	n, err = w.snapshot.Subnet(addr)
	if err != nil || n.VRF != red || !n.Vanished() {
		t.Errorf("the former VRF: %v, %v, want it served without new leases", n, err)
	}
}
