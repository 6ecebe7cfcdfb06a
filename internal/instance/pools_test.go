package instance

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// withInventory opens an instance on an inventory.
func withInventory(t *testing.T, inventory string) *Instance {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"inventory.yml": inventory,
		"config.yml":    "netbox:\n  inventory: inventory.yml\n  store: {path: state}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	pool := new(Pool)
	t.Cleanup(func() { _ = pool.Close() })
	i, err := pool.Join(filepath.Join(dir, "config.yml"), log)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// series are the values of a metric by their labels.
func series(t *testing.T, i *Instance, name string) map[string]float64 {
	t.Helper()
	families, err := i.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[strings.Join(labels, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// B-13: free, leased, offered, quarantined and withheld addresses by prefix, and
// the time of commits by outcome.
func TestPoolsAndCommitsAreMetrics(t *testing.T) {
	i := withInventory(t, `prefixes: [{prefix: 10.0.0.0/24}, {prefix: 10.1.0.0/24, vrf: blue}]
vrfs: [{name: blue}]
ip_addresses:
  - {address: 10.0.0.100-10.0.0.103/24, tags: [DHCP]}
  - {address: 10.1.0.7/24, vrf: blue, tags: [DHCP]}
`)
	for _, m := range []lease.ClientMessage{
		{Type: lease.Discover, Client: "52:54:00:00:00:01", Relay: netip.MustParseAddr("10.0.0.1"), Identifier: netip.MustParseAddr("10.0.0.2")},
		{Type: lease.Request, Client: "52:54:00:00:00:01", Relay: netip.MustParseAddr("10.0.0.1"), RequestedAddr: netip.MustParseAddr("10.0.0.100"), Identifier: netip.MustParseAddr("10.0.0.2"), ServerID: netip.MustParseAddr("10.0.0.2")},
		{Type: lease.Discover, Client: "52:54:00:00:00:02", Relay: netip.MustParseAddr("10.0.0.1"), Identifier: netip.MustParseAddr("10.0.0.2")},
	} {
		if d, err := i.Engine.Handle(t.Context(), m, nil); err != nil || d.Verdict == lease.Silent {
			t.Fatalf("%s: %v, %v", m.Type, d, err)
		}
	}
	got := series(t, i, "coredhcp_netbox_pool_addresses")
	want := map[string]float64{
		"prefix=10.0.0.0/24 state=free vrf=": 2, "prefix=10.0.0.0/24 state=leased vrf=": 1, "prefix=10.0.0.0/24 state=offered vrf=": 1,
		"prefix=10.0.0.0/24 state=quarantined vrf=": 0, "prefix=10.0.0.0/24 state=withheld vrf=": 0,
		"prefix=10.1.0.0/24 state=free vrf=blue (id 1)": 1, "prefix=10.1.0.0/24 state=leased vrf=blue (id 1)": 0, "prefix=10.1.0.0/24 state=offered vrf=blue (id 1)": 0,
		"prefix=10.1.0.0/24 state=quarantined vrf=blue (id 1)": 0, "prefix=10.1.0.0/24 state=withheld vrf=blue (id 1)": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"outcome=done": 1, "outcome=contested": 0, "outcome=failed": 0}, series(t, i, "coredhcp_netbox_store_commit_seconds")); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
	i.Metrics.committed(time.Second, fmt.Errorf("write: %w", lease.ErrConflict))
	i.Metrics.committed(time.Second, os.ErrPermission)
	if diff := cmp.Diff(map[string]float64{"outcome=done": 1, "outcome=contested": 1, "outcome=failed": 1}, series(t, i, "coredhcp_netbox_store_commit_seconds")); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
}

// B-13: the number of series is bounded; the fewest free addresses are shown.
func TestTheSeriesOfPoolsAreBounded(t *testing.T) {
	var inventory strings.Builder
	inventory.WriteString("prefixes:\n")
	for n := range shownPools + 3 {
		fmt.Fprintf(&inventory, "  - {prefix: 10.%d.%d.0/24}\n", n/256, n%256)
	}
	inventory.WriteString("ip_addresses:\n")
	for n := range shownPools + 3 {
		fmt.Fprintf(&inventory, "  - {address: 10.%d.%d.1-10.%d.%d.%d/24, tags: [DHCP]}\n", n/256, n%256, n/256, n%256, 2+min(1, n%shownPools/3))
	}
	i := withInventory(t, inventory.String())
	got := series(t, i, "coredhcp_netbox_pool_addresses")
	if len(got) != 5*shownPools {
		t.Errorf("%d series, want %d", len(got), 5*shownPools)
	}
	for _, n := range []int{0, 1, 2, shownPools, shownPools + 1, shownPools + 2} { // the smallest pools
		label := fmt.Sprintf("prefix=10.%d.%d.0/24 state=free vrf=", n/256, n%256)
		if got[label] != 2 {
			t.Errorf("%s: %v", label, got[label])
		}
	}
	if total := series(t, i, "coredhcp_netbox_pools")[""]; total != shownPools+3 {
		t.Errorf("%v pools", total)
	}
}

// G-9: the start names file and line of what is wrong in a config context of an inventory.
func TestProblemsOfAnInventoryHaveLines(t *testing.T) {
	i := withInventory(t, `prefixes: [{prefix: 10.0.0.0/24}]
config_contexts:
  - name: voice
    data:
      pydhcp_configuration:
        options: {66: [1]}
`)
	_, problems, err := Inventory(i.Settings)
	if err != nil {
		t.Fatal(err)
	}
	want := i.Settings.Inventory + ":6: config context voice (id 1): options.66: "
	if !slices.ContainsFunc(problems, func(p ipam.Problem) bool { return strings.HasPrefix(p.String(), want) }) {
		t.Errorf("no %q in %v", want, problems)
	}
}
