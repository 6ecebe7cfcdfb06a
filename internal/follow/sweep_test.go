package follow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-1: an address deleted during the outage, whose record is gone from the change
// log, is told apart from those that are there.
func TestAnOutageLongerThanTheOverlapIsFollowedByAFullRead(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	w.clock = w.clock.Add(overlap + time.Minute)
	w.must(t)
	if a := w.address("10.0.0.100"); a == nil || a.Loss != ipam.Lost {
		t.Errorf("%+v, want it lost", a)
	}
}

func TestADeletionWithoutATraceShowsInTheCount(t *testing.T) { // T-1
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Delete(t, "dcim/mac-addresses", seeded.ID(t, "dcim/mac-addresses", "vm1 eth0 52:54:00:00:00:03"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	for range 3 {
		w.must(t)
		w.clock = w.clock.Add(overlap / 2)
	}
	if loss := w.snapshot.MACLoss(ipam.MAC{0x52, 0x54, 0, 0, 0, 3}); loss != ipam.Lost {
		t.Errorf("the MAC is %v, want lost", loss)
	}
}

func TestEverySixHoursAllIsReadAnew(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	whole := func() bool {
		return slices.ContainsFunc(s.Requests(), func(r netboxtest.Request) bool {
			return r.Path == "/api/ipam/ip-addresses/" && strings.Contains(r.Query.Get("fields"), "custom_fields")
		})
	}
	for range 80 {
		s.ForgetRequests()
		w.clock = w.clock.Add(5 * time.Minute)
		w.must(t)
		if whole() {
			break
		}
	}
	if !whole() {
		t.Fatal("nothing was read anew")
	}
	if since := w.clock.Sub(w.confirms[0]); since < fullEvery || since > fullEvery+10*time.Minute {
		t.Errorf("read anew after %s, want %s", since, fullEvery)
	}
}

func TestAnUpgradedNetBoxIsReadAnew(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V45)
	w := follow(t, s, s.TokenV1())
	w.must(t)
	s.Configure(func(c *netboxtest.Config) { c.Version = netboxtest.V47 })
	w.clock = w.clock.Add(overlap)
	w.must(t)
	if w.version != (netbox.Version{Major: 4, Minor: 7}) {
		t.Errorf("last read in full as %v, want 4.7", w.version)
	}
}

func TestABulkJobInNetBoxIsMetByAFullRead(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.mostChanged = 5
	w.must(t)
	var made []int64
	for i := range 20 {
		made = append(made, s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.0.0.%d/24", 150+i), "tags": []any{seeded.ID(t, "extras/tags", "DHCP")}}))
	}
	for range 3 {
		w.clock = w.clock.Add(overlap / 2)
		w.must(t)
	}
	for _, id := range made {
		if w.snapshot.Objects().Addresses[id] == nil {
			t.Errorf("address %d is not there", id)
		}
	}
}

// T-5: a change log that may be read again is noticed at the next sweep, long before a
// full read, and tells of what was deleted meanwhile.
func TestAChangeLogThatComesBackIsNoticedWithinMinutes(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	narrow(s, true, nil)
	w := follow(t, s, limited)
	w.must(t)
	read := w.lastFull
	narrow(s, false, nil)
	w.pass(t, time.Minute, 30*time.Second)
	if !w.sweeping {
		t.Fatal("the change log is still read")
	}
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	w.pass(t, time.Minute, 30*time.Second)
	if w.address("10.0.0.100") == nil {
		t.Error("the deletion is believed without a log")
	}
	narrow(s, true, nil)
	w.pass(t, sweepEvery, time.Minute)
	if a := w.address("10.0.0.100"); w.sweeping || a != nil {
		t.Errorf("sweeping %v, %+v: want the log read again, and the deletion believed", w.sweeping, a)
	}
	if !w.lastFull.Equal(read) {
		t.Error("everything was read anew: the test shows nothing")
	}
}
