package netbox

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// realNetBox finds the NetBox that NETBOX_URL and NETBOX_TOKEN_FILE name. The
// instance must be disposable: it is emptied before and after.
func realNetBox(t *testing.T) (url, token string) {
	t.Helper()
	url, file := os.Getenv("NETBOX_URL"), os.Getenv("NETBOX_TOKEN_FILE")
	if url == "" || file == "" {
		if os.Getenv("REQUIRE_INTEGRATION") == "1" {
			t.Fatal("NETBOX_URL and NETBOX_TOKEN_FILE are not set")
		}
		t.Skip("no real NetBox: NETBOX_URL and NETBOX_TOKEN_FILE are not set")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	token = strings.TrimSpace(string(raw))
	// The seed talks by connections of the default transport.
	t.Cleanup(new(http.Client).CloseIdleConnections)
	netboxtest.Wipe(t, url, token)
	return url, token
}

func TestARealNetBoxIsPreparedFollowedAndWrittenTo(t *testing.T) {
	url, token := realNetBox(t)
	c := connect(t, url, token, silent())
	c.timeout = time.Minute

	w := world()
	own := w.CustomFields
	w.Tags, w.CustomFields = nil, nil
	for _, f := range own {
		if !strings.HasPrefix(f.Name, "pydhcp_") {
			w.CustomFields = append(w.CustomFields, f)
		}
	}
	need := Requirements{Tags: []string{"DHCP", "Gateway"}, Fields: testFields().Needs(), Write: true}
	plan, err := PlanBootstrap(t.Context(), c, need)
	if err != nil {
		t.Fatal(err)
	}
	if err := ApplyBootstrap(t.Context(), c, plan, silent()); err != nil {
		t.Fatal(err)
	}
	for _, f := range Check(t.Context(), c, need) {
		t.Errorf("after the bootstrap: %s", f)
	}
	if plan, err = PlanBootstrap(t.Context(), c, need); err != nil || !plan.Empty() {
		t.Errorf("a second bootstrap: %s%v", plan, err)
	}
	// The seed makes tags and fields itself.
	netboxtest.Wipe(t, url, token)
	seeded := netboxtest.Seed(t, url, token, world())
	t.Cleanup(func() { emptyAgain(t, seeded) })
	checkWorld(t, load(t, c), seeded)
	t.Run("records", func(t *testing.T) { realRecords(t, c, seeded) })
	t.Run("following", func(t *testing.T) { realFollowing(t, c, seeded) })
}

// emptyAgain wipes after the test's own context has ended.
func emptyAgain(t *testing.T, seeded *netboxtest.Seeded) {
	t.Helper()
	seeded.Wipe(unended{t})
}

type unended struct{ testing.TB }

func (unended) Context() context.Context { return context.Background() }

func realRecords(t *testing.T, c *Client, seeded *netboxtest.Seeded) {
	t.Helper()
	one, two := change(t, seeded, "10.0.0.100/24"), change(t, seeded, "10.0.0.101/24")
	one.Message, two.Message = "lease", strings.Repeat("x", 300)
	two.Bind = ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: seeded.ID(t, "virtualization/interfaces", "vm1 eth0")}
	both := []RecordChange{one, two}
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), both), Done, Done)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), both), Unchanged, Unchanged)

	one.Record.Expires = one.Record.Expires.Add(time.Hour)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one}), Done)
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{one}), Unchanged)
	two.Bind, two.Unbind = ipam.InterfaceID{}, two.Bind
	wantOutcomes(t, WriteRecords(t.Context(), c, testFields(), []RecordChange{two}), Done)

	// A stale If-Match is refused: what the loop of single writes relies on.
	object := number(one.ID) + "/"
	stale := http.Header{"If-Match": {`W/"2020-01-01T00:00:00+00:00"`}}
	if _, err := c.once(t.Context(), http.MethodPatch, addresses, object, nil, map[string]any{"description": "x"}, stale); kindOf(err) != Changed {
		t.Errorf("a stale If-Match gave %v", err)
	}
	taken := change(t, seeded, "10.0.0.5/24") // the primary address of web1
	taken.Bind = two.Unbind
	gone := one
	gone.ID = 1 << 30
	results := WriteRecords(t.Context(), c, testFields(), []RecordChange{taken, gone, one})
	wantOutcomes(t, results, Done, Gone, Unchanged)
	if results[0].Err == nil {
		t.Error("the refused assignment is not reported")
	}
	fields, err := MachineFields(t.Context(), c, ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "web1")}, []string{"redeploy", "none"})
	if err != nil || len(fields) != 1 || string(fields["redeploy"]) != "true" {
		t.Errorf("switch: %s, %v", fields, err)
	}
}

func realFollowing(t *testing.T, c *Client, seeded *netboxtest.Seeded) {
	t.Helper()
	var snapshot *ipam.Snapshot
	f := NewFollower(c, FollowConfig{
		Log: silent(), Fields: testFields(),
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
	edit := func(method string, e endpoint, id int64, body any) {
		t.Helper()
		if _, err := c.once(t.Context(), method, e, number(id)+"/", nil, body, nil); err != nil {
			t.Fatal(err)
		}
	}
	poll()
	first := snapshot
	poll()
	if snapshot != first {
		t.Error("an unchanged NetBox was published again")
	}
	web1 := ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "web1")}
	edit(http.MethodPatch, contexts, seeded.ID(t, "extras/config-contexts", "site"), map[string]any{"data": map[string]any{contextKey: map[string]any{"mtu": 1400}}})
	edit(http.MethodPatch, addresses, seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	edit(http.MethodDelete, addresses, seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), nil)
	edit(http.MethodDelete, vms, seeded.ID(t, "virtualization/virtual-machines", "vm1"), nil)
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
