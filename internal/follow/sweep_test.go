package follow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestAnOutageLongerThanTheOverlapIsFollowedByAFullRead(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	// Deleted during the outage, and its record is gone from the change log.
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	w.clock = w.clock.Add(overlap + time.Minute)
	w.must(t)
	if w.address("10.0.0.100") != nil {
		t.Error("the address deleted meanwhile is still there")
	}
}

func TestADeletionWithoutATraceShowsInTheCount(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Delete(t, "dcim/mac-addresses", seeded.ID(t, "dcim/mac-addresses", "vm1 eth0 52:54:00:00:00:03"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	for range 3 {
		w.must(t)
		w.clock = w.clock.Add(overlap / 2)
	}
	if n := len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})); n != 0 {
		t.Error("the deleted MAC is still there")
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
	if since := w.clock.Sub(w.confirms[0]); since < resyncEvery || since > resyncEvery+10*time.Minute {
		t.Errorf("read anew after %s, want %s", since, resyncEvery)
	}
}

func TestWithoutTheChangeLogDeletionsAreFoundBySweeping(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V45)
	s.Permit("limited000000000000000000000000000000000", reading()...)
	w := follow(t, s, "limited000000000000000000000000000000000")
	w.must(t)
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	s.Delete(t, "virtualization/virtual-machines", seeded.ID(t, "virtualization/virtual-machines", "vm1"))
	w.clock = w.clock.Add(sweepEvery)
	w.must(t)
	if w.address("10.0.0.100") != nil || len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})) != 0 {
		t.Error("deleted objects are still there")
	}
	var told int
	for _, line := range w.lines(logrus.WarnLevel) {
		if strings.Contains(line, "core.objectchange") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the missing permission is named %d times, want once", told)
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
