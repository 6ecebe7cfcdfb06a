package instance

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// B-8, S-4, H-1: what NetBox takes and refuses of leases is counted, and whether the
// copy on disk was written.
func TestRecordsAndDiskCopiesAreMetrics(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	on := []string{"ipam.ipaddress"}
	netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}}, Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: on}, {Name: "pydhcp_expire", Type: "text", ObjectTypes: on},
			// a name is no integer, so NetBox refuses a record that has one
			{Name: "pydhcp_hostname", Type: "integer", ObjectTypes: on},
		},
		IPs: []netboxtest.IP{{Address: "10.0.0.100/24", Tags: []string{"DHCP"}}, {Address: "10.0.0.101/24", Tags: []string{"DHCP"}}},
	})
	path := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("netbox: {url: %q, token_file: token, lease: {reclaim_grace: 1m}, fields: {hostname: pydhcp_hostname}, store: {path: state}}\n", s.URL())
	for file, content := range map[string]string{path: text, filepath.Join(filepath.Dir(path), "token"): s.TokenV2()} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	pool := new(Pool)
	defer func() { _ = pool.Close() }()
	i, err := pool.Join(path, log)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the snapshot", func() bool { return i.Snapshot() != nil })
	for n, name := range []string{"", "web"} {
		m := lease.ClientMessage{
			Type: lease.Request, Client: lease.ClientID(fmt.Sprintf("52:54:00:00:00:%02d", n)), Identifier: netip.MustParseAddr("10.0.0.2"), ServerID: netip.MustParseAddr("10.0.0.2"),
			Relay: netip.MustParseAddr("10.0.0.1"), RequestedAddr: netip.MustParseAddr(fmt.Sprintf("10.0.0.10%d", n)), Hostname: name,
		}
		if d, err := i.Engine.Handle(t.Context(), m, nil); err != nil || d.Verdict != lease.Ack {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	waitFor(t, "both records", func() bool {
		got := series(t, i, "coredhcp_netbox_records_total")
		return got["outcome=done"]+got["outcome=refused"] >= 2
	})
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	records := series(t, i, "coredhcp_netbox_records_total")
	if records["outcome=done"] != 1 || records["outcome=refused"] < 1 || len(records) != 6 {
		t.Errorf("records: %v", records)
	}
	if shown := series(t, i, "coredhcp_netbox_lease_to_netbox_seconds"); shown[""] != 1 { // C-41: not the refused one
		t.Errorf("leases shown: %v", shown)
	}
	if copies := series(t, i, "coredhcp_netbox_snapshot_copies_total"); copies["outcome=done"] < 1 || copies["outcome=failed"] != 0 || len(copies) != 2 {
		t.Errorf("copies: %v", copies)
	}
	before := series(t, i, "coredhcp_netbox_snapshot_copies_total")
	i.Metrics.copied(os.ErrPermission)
	before["outcome=failed"]++
	if diff := cmp.Diff(before, series(t, i, "coredhcp_netbox_snapshot_copies_total")); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
