package follow

import (
	"fmt"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// timed follows the office of a NetBox whose clock is off by skew, and keeps how long
// edits took.
func timed(t *testing.T, skew time.Duration) (*watch, *netboxtest.Seeded, *[]time.Duration) {
	t.Helper()
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	s.SetClock(func() time.Time { return time.Now().Add(skew) })
	took := new([]time.Duration)
	w := follow(t, s, s.TokenV1(), measuring(took))
	w.edits.start = w.clock.Add(-time.Minute) // clocks are compared to the second
	w.must(t)
	return w, seeded, took
}

func measuring(took *[]time.Duration) func(*Config) {
	return func(c *Config) { c.OnEdit = func(d time.Duration) { *took = append(*took, d) } }
}

// about reports whether an edit took as long as the test let it wait, and some real
// time besides. Clocks are compared to the second.
func about(took, want time.Duration) bool {
	return took > want-3*time.Second && took < want+5*time.Minute
}

// C-40: the time from an edit to the snapshot that has it, whatever NetBox's clock says.
func TestTheTimeFromAnEditToItsAnswerIsMeasured(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run(fmt.Sprintf("NetBox's clock is %s ahead", skew), func(t *testing.T) {
			t.Parallel()
			w, seeded, took := timed(t, skew)
			for _, edit := range []struct {
				what string
				do   func()
				want int
			}{
				{"an address is made", func() {
					w.server.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.200/24"})
				}, 1},
				{"an address loses its tag", func() {
					w.server.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"tags": []any{}})
				}, 1},
				{"a device is renamed", func() {
					w.server.Edit(t, "dcim/devices", seeded.ID(t, "dcim/devices", "web1"), map[string]any{"name": "web2"})
				}, 1},
				{"two MACs are edited", func() {
					for _, name := range []string{"vm1 eth0 52:54:00:00:00:03", "web1 eth0 52:54:00:00:00:01"} {
						w.server.Edit(t, "dcim/mac-addresses", seeded.ID(t, "dcim/mac-addresses", name), map[string]any{"assigned_object_type": nil, "assigned_object_id": nil})
					}
				}, 2},
				{"a lease record is written", func() {
					w.server.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"custom_fields": map[string]any{"pydhcp_mac": "52:54:00:00:00:aa"}})
				}, 0},
				{"a description that no client is told of is written", func() {
					w.server.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"description": "spare"})
				}, 0},
				{"nothing happens", func() {}, 0},
			} {
				*took = nil
				edit.do()
				w.clock = time.Now().Add(30 * time.Second)
				w.must(t)
				if len(*took) != edit.want {
					t.Errorf("%s: %d times, want %d: %v", edit.what, len(*took), edit.want, *took)
				}
				for _, d := range *took {
					if !about(d, 30*time.Second) {
						t.Errorf("%s: took %s, want about 30 s", edit.what, d)
					}
				}
			}
		})
	}
}

// C-40: what was edited before the start answers late because there was no server.
func TestEditsFromBeforeTheStartAreNotMeasured(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	var took []time.Duration
	path := t.TempDir() + "/netbox.snapshot"
	onDisk := func(c *Config) { c.DiskPath = path }
	before := follow(t, s, s.TokenV1(), onDisk)
	before.must(t)
	before.disk.save(before.clock, before.tables, before.confirmed, time.Minute)
	edit := func(host string) {
		s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", host), map[string]any{"tags": []any{}})
	}
	edit("10.0.0.100/24")
	after := follow(t, s, s.TokenV1(), onDisk, measuring(&took))
	after.edits.start = time.Now().Add(5 * time.Second) // clocks are compared to the second
	after.restore()
	if after.snapshot == nil {
		t.Fatal("the copy on disk is not used")
	}
	after.clock = time.Now().Add(time.Minute)
	after.must(t)
	if after.snapshot.IsDynamic(after.address("10.0.0.100")) || len(took) != 0 {
		t.Errorf("the edit is served: %v; measured: %v", !after.snapshot.IsDynamic(after.address("10.0.0.100")), took)
	}
	after.edits.start = time.Now().Add(-time.Hour)
	edit("10.0.0.101/24")
	after.must(t)
	if len(took) != 1 {
		t.Errorf("an edit after the start: %v", took)
	}
}

// C-40, T-4: an edit that is doubted is measured when it answers clients.
func TestADoubtedEditIsMeasuredWhenItCounts(t *testing.T) {
	s, w, id := crowd(t)
	var took []time.Duration
	w.config.OnEdit = func(d time.Duration) { took = append(took, d) }
	w.edits.start = w.clock.Add(-time.Minute) // clocks are compared to the second
	for i := range 8 {
		mac := id(fmt.Sprintf("vm%d eth0 52:54:00:00:01:%02x", i, i))
		s.Edit(t, "dcim/mac-addresses", mac, map[string]any{"assigned_object_type": nil, "assigned_object_id": nil})
	}
	w.clock = w.clock.Add(30 * time.Second)
	w.must(t)
	if len(w.guard.held) == 0 || len(took) != 0 {
		t.Fatalf("%d rows are doubted, measured: %v", len(w.guard.held), took)
	}
	w.pass(t, w.config.Doubt+time.Minute, 5*time.Minute)
	if len(took) != 8 || !about(took[0], w.config.Doubt) {
		t.Errorf("measured %v, want 8 of about an hour", took)
	}
}
