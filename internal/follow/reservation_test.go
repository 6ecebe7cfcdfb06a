package follow

import (
	"slices"
	"strings"
	"testing"

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
