package writeback

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

const addressesPath = "ipam/ip-addresses"

// TestNothingIsLostOverARestart takes the whole way, with nothing fake but
// NetBox: leases are stored, the server dies before NetBox was told, and the
// next run tells it, once (S-4, S-10).
func TestNothingIsLostOverARestart(t *testing.T) {
	for _, version := range netboxtest.Versions() {
		t.Run("NetBox "+string(version), func(t *testing.T) {
			server, seeded, client := serve(t, version)
			dir := t.TempDir()
			grant(t, dir, "10.0.0.100", "10.0.0.101")

			store := openStore(t, dir)
			engine := tell(t, store, client)
			if left := engine.Unsynced(-1); len(left) != 0 {
				t.Fatalf("still marked: %v", left)
			}
			if n := len(server.Writes()); n != 1 {
				t.Errorf("%d writes, want 1 for both leases", n)
			}
			for _, addr := range []string{"10.0.0.100", "10.0.0.101"} {
				row := server.Get(addressesPath, seeded.ID(t, addressesPath, addr+"/24"))
				checkRow(t, store, addr, row)
			}

			tell(t, store, client)
			if n := len(server.Writes()); n != 1 {
				t.Errorf("%d writes after another start, want none more", n)
			}
		})
	}
}

func serve(t *testing.T, version netboxtest.Version) (*netboxtest.Server, *netboxtest.Seeded, *netbox.Client) {
	t.Helper()
	server := netboxtest.New(t, netboxtest.Config{Version: version})
	onAddresses := []string{"ipam.ipaddress"}
	seeded := netboxtest.Seed(t, server.URL(), server.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses},
			{Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses},
			{Name: "dhcp_hostname", Type: "text", ObjectTypes: onAddresses},
		},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		IPs: []netboxtest.IP{
			{Address: "10.0.0.100/24", Tags: []string{"DHCP"}},
			{Address: "10.0.0.101/24", Tags: []string{"DHCP"}},
		},
	})
	server.ForgetRequests()
	client, err := netbox.NewClient(netbox.Config{
		URL:   server.URL(),
		Token: func() (string, error) { return server.TokenV1(), nil },
	}, clienttest.Silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return server, seeded, client
}

func recordFields() follow.Fields {
	return follow.Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "dhcp_hostname"}
}

// grant stores leases that NetBox was not told of, and closes the store.
func grant(t *testing.T, dir string, addrs ...string) {
	t.Helper()
	store, err := pebblestore.Open(dir, clienttest.Silent())
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if _, err := lease.CompareAndSwap(t.Context(), store, granted(addr), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func granted(addr string) lease.Lease {
	l := bound(1)
	l.Addr = netip.MustParseAddr(addr)
	l.Expires = time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	l.Hostname = "printer"
	return l
}

func openStore(t *testing.T, dir string) lease.Store {
	t.Helper()
	store, err := pebblestore.Open(dir, clienttest.Silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// tell runs an engine and a Writer on the store until NetBox has been told.
func tell(t *testing.T, store lease.Store, client *netbox.Client) *lease.Engine {
	t.Helper()
	policy := lease.Policy{LeaseTime: time.Hour, MinTime: time.Minute, MaxTime: time.Hour}
	engine, err := lease.NewEngine(t.Context(), lease.Config{Policy: policy, Store: store, Now: time.Now, Log: clienttest.Silent(), WriteBack: true})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := load(t, client)
	engine.SetSnapshot(snapshot)
	writer := New(Config{
		Unsynced: engine.Unsynced, Synced: engine.Synced, UnsyncedC: engine.UnsyncedC(),
		Snapshot: func() *ipam.Snapshot { return snapshot },
		Write: func(ctx context.Context, changes []RecordChange) []RecordResult {
			return WriteRecords(ctx, client, recordFields(), changes)
		},
		Log: clienttest.Silent(),
	})
	// A Writer that is told to end tells what waits, without gathering.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	writer.Run(ended)
	return engine
}

// load reads NetBox once.
func load(t *testing.T, client *netbox.Client) *ipam.Snapshot {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var snapshot *ipam.Snapshot
	err := follow.New(client, follow.Config{
		Fields: recordFields(), Log: clienttest.Silent(),
		Options:    ipam.Options{DynamicTag: "DHCP"},
		OnSnapshot: func(s *ipam.Snapshot, _ []ipam.Problem) { snapshot = s; cancel() },
		OnConfirm:  func(time.Time, time.Duration) {},
	}).Run(ctx)
	if snapshot == nil {
		t.Fatal(err)
	}
	return snapshot
}

// checkRow compares what NetBox shows with what the store holds.
func checkRow(t *testing.T, store lease.Store, addr string, row map[string]any) {
	t.Helper()
	fields, _ := row["custom_fields"].(map[string]any)
	for name, want := range map[string]any{
		"pydhcp_mac": string(alice), "pydhcp_expire": "2040-01-02T03:04:05Z", "dhcp_hostname": "printer",
	} {
		if fields[name] != want {
			t.Errorf("%s: %s is %v, want %v", addr, name, fields[name], want)
		}
	}
	l, _, err := store.Lease(t.Context(), netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	updated, _ := row["last_updated"].(string)
	if at, err := time.Parse(time.RFC3339Nano, updated); err != nil || l.Unsynced || !l.SyncedAt.Equal(at) {
		t.Errorf("%s: unsynced %v, synced at %s, the row says %q (%v)", addr, l.Unsynced, l.SyncedAt, updated, err)
	}
}
