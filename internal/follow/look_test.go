package follow

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-1: how much of the disk copy the token does not see; what was deleted is not
// missing.
func TestWhatTheTokenDoesNotSeeOfTheDiskCopy(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "copy")
	narrow(s, true, nil)
	w := follow(t, s, limited, func(c *Config) { c.DiskPath = path })
	missing := func() map[string]int {
		seen, err := Look(t.Context(), clienttest.Connect(t, s.URL(), limited, clienttest.Silent()), w.config)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen.Losses) > 0 && !seen.Taken.Equal(w.confirmed) {
			t.Errorf("taken at %s, want %s", seen.Taken, w.confirmed)
		}
		lost := make(map[string]int)
		for _, l := range seen.Losses {
			if l.Lost > 0 {
				lost[l.Table] = l.Lost
			}
		}
		return lost
	}
	if got := missing(); len(got) > 0 {
		t.Errorf("%v missing without a disk copy", got)
	}
	w.must(t)
	w.disk.save(w.clock, w.tables, w.confirmed, time.Minute)
	published := w.published
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	if got := missing(); len(got) > 0 {
		t.Errorf("%v missing although the token sees all", got)
	}
	narrow(s, true, []int64{seeded.ID(t, "ipam/ip-addresses", "10.0.0.1/24")}, netbox.Addresses)
	if got := missing(); got["IP addresses"] != len(w.tables.objects.Addresses)-2 || len(got) != 1 {
		t.Errorf("missing %v, want all addresses but the deleted one and the one that is shown", got)
	}
	if w.published != published {
		t.Error("the callbacks were used")
	}
}
