package follow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// CL-1, CL-2, CL-4: an edit of the field reaches the next snapshot, in all versions.
func TestAReservationIsReadFromItsField(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			for _, name := range []string{"res_mac", "res_id"} {
				s.Add(t, "extras/custom-fields", map[string]any{"name": name, "type": "text", "object_types": []any{"ipam.ipaddress"}})
			}
			w := follow(t, s, s.TokenV1(), func(c *Config) { c.Fields.ReservationMAC, c.Fields.ReservationID = "res_mac", "res_id" })
			w.must(t)
			mac, err := ipam.ParseMAC("52:54:00:00:00:0a")
			if err != nil {
				t.Fatal(err)
			}
			pool := len(w.snapshot.Dynamic(0))
			if n := len(w.snapshot.ReservedFor(mac)); n != 0 {
				t.Fatalf("%d reservations before the edit", n)
			}
			id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
			s.Edit(t, "ipam/ip-addresses", id, map[string]any{"custom_fields": map[string]any{"res_mac": " 5254.0000.000a"}})
			w.must(t)
			if list := w.snapshot.ReservedFor(mac); len(list) != 1 || list[0].ID != id || len(w.snapshot.Dynamic(0)) != pool-1 {
				t.Errorf("reserved: %v, and %d of %d addresses in the pool", list, len(w.snapshot.Dynamic(0)), pool)
			}
			s.Edit(t, "ipam/ip-addresses", id, map[string]any{"custom_fields": map[string]any{"res_mac": nil, "res_id": "0063.6973.636f"}})
			w.must(t)
			if list := w.snapshot.ReservedForID([]byte("\x00cisco")); len(list) != 1 || list[0].ID != id || len(w.snapshot.ReservedFor(mac)) != 0 {
				t.Errorf("reserved for the identifier: %v", list)
			}
		})
	}
}

// DNS-6: the DNS name of an address is read, and an edit of it is followed, in all versions.
func TestTheDNSNameOfAnAddressIsRead(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			w := follow(t, s, s.TokenV1())
			w.must(t)
			if a := w.address("10.0.0.100"); a == nil || a.DNSName != "" {
				t.Fatalf("before the edit: %+v", a)
			}
			s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"dns_name": "Mail.corp.example"})
			w.must(t)
			if a := w.address("10.0.0.100"); a == nil || a.DNSName != "mail.corp.example" {
				t.Errorf("after it: %+v", a)
			}
		})
	}
}

// CL-1, H-1: a field that NetBox does not have is told.
func TestAFieldOfReservationsThatIsMissingIsTold(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV1(), func(c *Config) { c.Fields.ReservationMAC, c.Fields.ReservationID = "res_mac", "res_id" })
	w.must(t)
	for _, name := range []string{"res_mac", "res_id"} {
		if !slices.ContainsFunc(w.problems, func(p ipam.Problem) bool {
			return p.Object == "custom field "+name && strings.Contains(p.Text, "no address can name the client that it is for; create it")
		}) {
			t.Errorf("%s is not among %v", name, w.problems)
		}
	}
}

// CL-5: the serial number of a device is followed, in all versions.
func TestTheSerialNumberOfADeviceIsFollowed(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			w := follow(t, s, s.TokenV1(), func(c *Config) { c.Options.Serials = true })
			w.must(t)
			web1 := seeded.ID(t, "dcim/devices", "web1")
			s.Edit(t, "dcim/devices", web1, map[string]any{"serial": "FOC2221A0BC"})
			w.must(t)
			if m := w.snapshot.DeviceWithSerial("foc2221a0bc"); m == nil || m.ID.ID != web1 {
				t.Errorf("the serial number leads to %v, want device %d", m, web1)
			}
		})
	}
}

// T-4, CL-1: fields that are emptied, or that name other clients, take hosts their
// addresses as much as deletions do.
func TestTooManyEditsOfReservationsAreDoubted(t *testing.T) {
	for name, c := range map[string]struct {
		edits int
		field func(i int) any
		held  bool
	}{
		"3 of 10 emptied":   {3, func(int) any { return nil }, false},
		"4 of 10 emptied":   {4, func(int) any { return nil }, true},
		"4 of 10 exchanged": {4, func(i int) any { return fmt.Sprintf("52:54:00:00:04:%02x", (i+1)%4) }, true},
		"all written anew":  {10, func(i int) any { return fmt.Sprintf("5254.0000.04%02x", i) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47})
			world := netboxtest.World{Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
				CustomFields: append(netboxtest.Office().CustomFields, netboxtest.CustomField{Name: "res_mac", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}})}
			for i := range 10 {
				world.IPs = append(world.IPs, netboxtest.IP{Address: fmt.Sprintf("10.0.0.%d/24", 10+i), CustomFields: map[string]any{"res_mac": fmt.Sprintf("52:54:00:00:04:%02x", i)}})
			}
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
			w := follow(t, s, s.TokenV2(), func(c *Config) { c.Fields.ReservationMAC = "res_mac" })
			w.must(t)
			before := w.snapshot.Claims(nil, w.clock)
			for i := range c.edits {
				s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", fmt.Sprintf("10.0.0.%d/24", 10+i)), map[string]any{"custom_fields": map[string]any{"res_mac": c.field(i)}})
			}
			w.must(t)
			if got := w.lines(logrus.ErrorLevel); (len(got) == 1) != c.held || len(got) > 1 {
				t.Errorf("logged %v", got)
			}
			kept := maps.EqualFunc(before, w.snapshot.Claims(nil, w.clock), func(a, b ipam.Claimants) bool { return slices.Equal(a.MACs, b.MACs) })
			if kept != (c.held || c.edits == 10) {
				t.Errorf("all hosts keep their addresses: %v", kept)
			}
		})
	}
}
