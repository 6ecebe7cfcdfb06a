package follow

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestObjectsThatVanishWithoutBeingDeletedAreKeptForOneMoreLook(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	dhcp := seeded.ID(t, "extras/tags", "DHCP")
	for i := range 40 {
		s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.0.0.%d/24", 150+i), "tags": []any{dhcp}})
		s.Add(t, "ipam/prefixes", map[string]any{"prefix": fmt.Sprintf("10.7.%d.0/24", i)})
	}
	const token = "limited000000000000000000000000000000000"
	grants := append(reading(), netboxtest.Grant{Object: "core.objectchange"})
	s.Permit(token, grants...)
	w := follow(t, s, token)
	w.must(t)
	for i := range grants {
		if grants[i].Object == "ipam.prefix" || grants[i].Object == "ipam.ipaddress" {
			grants[i].IDs = []int64{1}
		}
	}
	s.Permit(token, grants...)
	w.clock = w.clock.Add(resyncEvery)
	w.must(t)
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err != nil || w.address("10.0.0.150") == nil {
		t.Errorf("dropped at first sight: %v, %v", err, w.address("10.0.0.150"))
	}
	if alarm := strings.Join(w.lines(logrus.ErrorLevel), "\n"); !strings.Contains(alarm, "vanished") || !strings.Contains(alarm, "permissions") {
		t.Errorf("no alarm: %s", alarm)
	}
	for range 3 {
		w.clock = w.clock.Add(w.config.Interval)
		w.must(t)
	}
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err == nil || w.address("10.0.0.150") != nil {
		t.Error("kept although NetBox said it twice")
	}
}

func TestProperlyDeletedObjectsRaiseNoAlarm(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	var made []int64
	for i := range 40 {
		made = append(made, s.Add(t, "ipam/prefixes", map[string]any{"prefix": fmt.Sprintf("10.7.%d.0/24", i)}))
	}
	w := follow(t, s, s.TokenV2())
	w.must(t)
	for _, id := range made {
		s.Delete(t, "ipam/prefixes", id)
	}
	w.must(t)
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err == nil {
		t.Error("deleted prefixes are still there")
	}
	if lines := w.lines(logrus.ErrorLevel); len(lines) != 0 {
		t.Errorf("alarm without cause: %v", lines)
	}
}
