package follow

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestARealNetBoxIsPreparedAndFollowed(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	c := clienttest.Connect(t, url, token, clienttest.Silent())

	w := netboxtest.Office()
	own := w.CustomFields
	w.Tags, w.CustomFields = nil, nil
	for _, f := range own {
		if !strings.HasPrefix(f.Name, "pydhcp_") {
			w.CustomFields = append(w.CustomFields, f)
		}
	}
	need := prepare.Server{Reads: Tables(), Tags: []string{"DHCP", "Gateway"}, MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}.Needs()
	plan, err := prepare.PlanFor(t.Context(), c, need)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare.Check(t.Context(), c, need) {
		t.Errorf("after the bootstrap: %s", f)
	}
	if plan, err = prepare.PlanFor(t.Context(), c, need); err != nil || !plan.Empty() {
		t.Errorf("a second bootstrap: %s%v", plan, err)
	}
	// The seed makes tags and fields itself.
	netboxtest.Wipe(t, url, token)
	seeded := netboxtest.Seed(t, url, token, netboxtest.Office())
	checkWorld(t, load(t, c), seeded)
	realSwitch(t, c, seeded)
	realFollowing(t, c, seeded)
}

func realSwitch(t *testing.T, c *netbox.Client, seeded *netboxtest.Seeded) {
	t.Helper()
	fields, err := MachineFields(t.Context(), c, ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "web1")}, []string{"redeploy", "none"})
	if err != nil || len(fields) != 1 || string(fields["redeploy"]) != "true" {
		t.Errorf("switch: %s, %v", fields, err)
	}
}

func realFollowing(t *testing.T, c *netbox.Client, seeded *netboxtest.Seeded) {
	t.Helper()
	var snapshot *ipam.Snapshot
	f := New(c, Config{
		Log: clienttest.Silent(), Fields: testFields(),
		ContextKey: contextKey, Options: ipam.Options{DynamicTag: "dhcp", GatewayTag: "gateway"},
		OnSnapshot: func(s *ipam.Snapshot, problems []ipam.Problem) {
			snapshot = s
			for _, p := range problems {
				t.Errorf("unexpected problem: %s", p)
			}
		},
		OnConfirm: func(_ time.Time, skew time.Duration) {
			if skew.Abs() > time.Minute {
				t.Errorf("skew %s on one machine", skew)
			}
		},
	})
	poll := func() {
		t.Helper()
		if err := f.cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(method string, table netbox.Table, id int64, body any) {
		t.Helper()
		editReal(t, c, method, table, id, body)
	}
	poll()
	first := snapshot
	poll()
	if snapshot != first {
		t.Error("an unchanged NetBox was published again")
	}
	web1 := ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "web1")}
	edit(http.MethodPatch, netbox.Contexts, seeded.ID(t, "extras/config-contexts", "site"), map[string]any{"data": map[string]any{contextKey: map[string]any{"mtu": 1400}}})
	edit(http.MethodPatch, netbox.Addresses, seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	edit(http.MethodDelete, netbox.Addresses, seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), nil)
	edit(http.MethodDelete, netbox.VMs, seeded.ID(t, "virtualization/virtual-machines", "vm1"), nil)
	poll()
	host := func(s string) *ipam.Address { return snapshot.Address(0, netip.MustParseAddr(s)) }
	if got := host("10.0.0.100"); got == nil || got.Status != "reserved" || !snapshot.IsDynamic(got) {
		t.Errorf("10.0.0.100 is %+v", got)
	}
	if host("10.0.0.101") != nil || host("10.0.0.6") != nil {
		t.Error("deleted addresses are still there")
	}
	if ports := snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3}); len(ports) != 0 {
		t.Errorf("the MAC of the deleted machine still leads to %v", ports)
	}
	if mtu := snapshot.MachineConfig(snapshot.Machine(web1)).MTU; mtu != 1400 {
		t.Errorf("MTU %d, want 1400 from the changed context", mtu)
	}
}

// editReal changes or deletes an object past the client.
func editReal(t *testing.T, c *netbox.Client, method string, table netbox.Table, id int64, body any) {
	t.Helper()
	callReal(t, c, method, fmt.Sprintf("%s/%d/", table, id), body)
}

// makeReal makes an object past the client.
func makeReal(t *testing.T, c *netbox.Client, table netbox.Table, body any) {
	t.Helper()
	callReal(t, c, http.MethodPost, string(table)+"/", body)
}

func callReal(t *testing.T, c *netbox.Client, method, path string, body any) {
	t.Helper()
	_, token := netboxtest.Real(t)
	callAs(t, c.URL(), token, method, path, body)
}

// callAs makes a request past the client, with a token that may do it.
func callAs(t *testing.T, address, token, method, path string, body any) {
	t.Helper()
	r, err := rest.NewRequest(t.Context(), method, address+"/api/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+token)
	if strings.HasPrefix(token, "nbt_") {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode > 299 {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}
