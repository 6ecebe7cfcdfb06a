package follow

import (
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestTheRedeploySwitchIsReadAsItIsNow(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			web1 := ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "web1")}
			vm1 := ipam.MachineID{Kind: ipam.VirtualMachine, ID: seeded.ID(t, "virtualization/virtual-machines", "vm1")}
			names := []string{"redeploy", "confirm_redeploy"}
			for id, want := range map[ipam.MachineID]string{web1: "true", vm1: "null"} {
				got, err := MachineFields(t.Context(), c, id, names)
				if err != nil || len(got) != 1 || string(got["redeploy"]) != want {
					t.Errorf("%v: %s, %v; want redeploy %s and no other field", id, got, err, want)
				}
			}
			s.Edit(t, "dcim/devices", web1.ID, map[string]any{"custom_fields": map[string]any{"redeploy": false}})
			if got, err := MachineFields(t.Context(), c, web1, names); err != nil || string(got["redeploy"]) != "false" {
				t.Errorf("after the switch was cleared: %s, %v", got, err)
			}
			s.Fail(netboxtest.Fault{Kind: netboxtest.HTML502, Times: 1})
			s.ForgetRequests()
			if got, err := MachineFields(t.Context(), c, web1, names); err == nil {
				t.Errorf("trouble gave %v", got)
			}
			if n := len(s.Requests()); n != 1 {
				t.Errorf("%d requests, want 1: a client is waiting", n)
			}
			web1.ID = 999
			if _, err := MachineFields(t.Context(), c, web1, names); netbox.KindOf(err) != netbox.NotFound {
				t.Errorf("a device that is gone: %v", err)
			}
		})
	}
}
