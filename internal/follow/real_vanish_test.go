package follow

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-1, T-4: on a real NetBox a permission is narrowed and widened again, and the
// addresses of a prefix are deleted and made anew.
func TestARealNetBoxHidesAndDeletes(t *testing.T) {
	address, token := netboxtest.Disposable(t)
	admin := clienttest.Connect(t, address, token, clienttest.Silent())
	world := netboxtest.Office()
	for i := range 8 {
		world.VMs = append(world.VMs, netboxtest.VM{Name: fmt.Sprintf("many%d", i), Cluster: "c1", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{fmt.Sprintf("52:54:00:00:07:%02x", i)}, IPs: []netboxtest.IP{{Address: fmt.Sprintf("10.0.0.%d/24", 30+i)}}},
		}})
	}
	seeded := netboxtest.Seed(t, address, token, world)
	gateway := seeded.ID(t, "ipam/ip-addresses", "10.0.0.1/24")
	for _, withLog := range []bool{true, false} {
		t.Run(fmt.Sprintf("permission narrowed, change log %v", withLog), func(t *testing.T) {
			w := followReal(t, address, withLog)
			w.must(t)
			before := w.shown(netbox.Addresses)[ipam.Present]
			narrowReal(t, admin, map[string]any{"id": gateway})
			w.pass(t, 8*time.Hour, 4*time.Hour)
			if got := w.shown(netbox.Addresses); got[ipam.Lost] != before-1 || got[ipam.Present] != 1 {
				t.Errorf("%v after the permission was narrowed, want %d lost", got, before-1)
			}
			narrowReal(t, admin, nil)
			w.pass(t, time.Hour, 30*time.Minute)
			if got := w.shown(netbox.Addresses); got[ipam.Present] != before || len(got) != 1 {
				t.Errorf("%v after it was widened again, want %d", got, before)
			}
		})
	}
	t.Run("hosts deleted and made anew", func(t *testing.T) {
		w := followReal(t, address, true)
		w.must(t)
		before := w.snapshot.Claims(nil, w.clock)
		for i := range 8 {
			editReal(t, admin, http.MethodDelete, netbox.Addresses, seeded.ID(t, "ipam/ip-addresses", fmt.Sprintf("10.0.0.%d/24", 30+i)), nil)
		}
		w.must(t)
		if !equalClaims(w.snapshot.Claims(nil, w.clock), before) || w.address("10.0.0.30").Loss != ipam.Lost {
			t.Error("the hosts lost their addresses at once")
		}
		for i := range 8 {
			port := seeded.ID(t, "virtualization/interfaces", fmt.Sprintf("many%d eth0", i))
			makeReal(t, admin, netbox.Addresses, map[string]any{"address": fmt.Sprintf("10.0.0.%d/24", 30+i),
				"assigned_object_type": "virtualization.vminterface", "assigned_object_id": port})
		}
		w.must(t)
		if got := w.shown(netbox.Addresses); got[ipam.Lost] != 0 || !equalClaims(w.snapshot.Claims(nil, w.clock), before) {
			t.Errorf("%v after the addresses were made anew", got)
		}
	})
}

// followReal follows with a token that may read only.
func followReal(t *testing.T, address string, withLog bool, change ...func(*Config)) *watch {
	t.Helper()
	_, token := netboxtest.Real(t)
	grants := reading()
	if withLog {
		grants = append(grants, netboxtest.Grant{Object: "core.objectchange", Actions: []string{"view"}})
	}
	limited := netboxtest.LimitByREST(address, token)(t, true, grants...)
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	w := &watch{clock: time.Now(), logged: hook}
	config := Config{
		Interval: time.Second, ContextKey: contextKey, Fields: testFields(), Log: log, Doubt: time.Hour,
		Options:    ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"},
		OnSnapshot: func(s *ipam.Snapshot, p []ipam.Problem) { w.snapshot, w.problems = s, p },
		OnConfirm:  func(at time.Time, _ time.Duration) { w.confirms = append(w.confirms, at) },
		Now:        func() time.Time { return w.clock },
	}
	for _, c := range change {
		c(&config)
	}
	w.Follower = New(clienttest.Connect(t, address, limited, log), config)
	return w
}

// narrowReal lets limited tokens see only some IP addresses.
func narrowReal(t *testing.T, admin *netbox.Client, constraints map[string]any) {
	t.Helper()
	rows, err := admin.FirstPage(t.Context(), "users/permissions", url.Values{"limit": {"500"}})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, raw := range rows {
		var p struct {
			ID    int64    `json:"id"`
			Name  string   `json:"name"`
			Types []string `json:"object_types"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Name, "limited-") && slices.Contains(p.Types, "ipam.ipaddress") {
			editReal(t, admin, http.MethodPatch, "users/permissions", p.ID, map[string]any{"constraints": constraints})
			found++
		}
	}
	if found == 0 {
		t.Fatal("there is no permission to narrow")
	}
}
