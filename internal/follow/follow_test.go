package follow

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// H-2: an answer is at most one poll old.
func TestEditsInNetBoxShowAfterTheNextPoll(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			w := follow(t, s, s.TokenV1())
			w.must(t)
			id := func(path, name string) int64 { return seeded.ID(t, path, name) }
			web1 := ipam.MachineID{Kind: ipam.Device, ID: id("dcim/devices", "web1")}
			for _, step := range []struct {
				name  string
				edit  func()
				shows func() bool
			}{
				{"an address is made", func() {
					s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.200/24", "tags": []any{id("extras/tags", "DHCP")}})
				}, func() bool { a := w.address("10.0.0.200"); return a != nil && w.snapshot.IsDynamic(a) }},
				{"an address loses its tag", func() {
					s.Edit(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"tags": []any{}})
				}, func() bool { return !w.snapshot.IsDynamic(w.address("10.0.0.100")) }},
				{"a record is written", func() {
					s.Edit(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"custom_fields": map[string]any{"pydhcp_mac": "52:54:00:00:00:aa"}})
				}, func() bool { return w.address("10.0.0.101").Record.Client == "52:54:00:00:00:AA" }},
				{"an address is deleted", func() { s.Delete(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.100/24")) },
					func() bool { return w.address("10.0.0.100") == nil }},
				{"a tag is renamed, and followed by its id", func() { // T-6
					s.Edit(t, "extras/tags", id("extras/tags", "Gateway"), map[string]any{"name": "Router", "slug": "router"})
				}, func() bool {
					return w.snapshot.IsGateway(w.address("10.0.0.1")) && w.snapshot.Objects().Tags[id("extras/tags", "Gateway")].Name == "Router"
				}},
				{"a prefix is made", func() {
					s.Add(t, "ipam/prefixes", map[string]any{"prefix": "10.9.0.0/24"})
				}, func() bool { _, err := w.snapshot.Subnet(netip.MustParseAddr("10.9.0.1")); return err == nil }},
				{"a MAC moves to another interface", func() {
					mac := id("dcim/mac-addresses", "vm1 eth0 52:54:00:00:00:03")
					s.Edit(t, "dcim/mac-addresses", mac, map[string]any{"assigned_object_type": "dcim.interface", "assigned_object_id": id("dcim/interfaces", "web1 mgmt")})
				}, func() bool {
					ports := w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})
					return len(ports) == 1 && ports[0].Name == "mgmt" && ports[0].Machine == web1
				}},
				{"a device is renamed", func() { s.Edit(t, "dcim/devices", web1.ID, map[string]any{"name": "web2"}) },
					func() bool { return w.snapshot.Machine(web1).Name == "web2" }},
				{"a context changes, but no device row", func() {
					s.Edit(t, "extras/config-contexts", id("extras/config-contexts", "site"), map[string]any{"data": map[string]any{contextKey: map[string]any{"mtu": 1400}}})
				}, func() bool {
					return w.snapshot.MachineConfig(w.snapshot.Machine(web1)).MTU == 1400
				}},
				{"a context is limited to another role", func() {
					s.Edit(t, "extras/config-contexts", id("extras/config-contexts", "site"), map[string]any{"sites": []any{}, "is_active": false})
				}, func() bool { return w.snapshot.MachineConfig(w.snapshot.Machine(web1)).MTU == 0 }},
				{"a device is deleted, and all that hangs on it", func() { s.Delete(t, "dcim/devices", web1.ID) },
					func() bool {
						return w.snapshot.Machine(web1) == nil && w.address("10.0.0.5") == nil &&
							len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 1})) == 0
					}},
			} {
				step.edit()
				w.must(t)
				if !step.shows() {
					t.Errorf("not seen by the next poll: %s", step.name)
				}
			}
		})
	}
}

func TestAnUnchangedNetBoxIsConfirmedButNotPublishedAgain(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	for range 4 {
		w.must(t)
		w.clock = w.clock.Add(time.Second)
	}
	if w.published != 1 {
		t.Errorf("%d snapshots published, want 1", w.published)
	}
	if len(w.confirms) != 4 || !slices.IsSortedFunc(w.confirms, time.Time.Compare) {
		t.Errorf("confirmed at %v, want four rising times", w.confirms)
	}
	if lines := w.lines(logrus.WarnLevel); len(lines) != 0 {
		t.Errorf("warnings without cause: %v", lines)
	}
	if n := len(s.Writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestAPollOfAnUnchangedNetBoxTakesFewSmallRequests(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.ForgetRequests()
	w.must(t)
	for _, r := range s.Requests() {
		if r.Path == "/api/ipam/ip-addresses/" && strings.Contains(r.Query.Get("fields"), "custom_fields") {
			t.Errorf("whole rows are read again: %v", r.Query)
		}
	}
	if n := len(s.Requests()); n > 19 {
		t.Errorf("%d requests, want at most 19", n)
	}
}

// H-2: nothing is asked of machines and interfaces while none is known, and those that
// are known later are followed.
func TestAPollAsksOnlyOfWhatIsKnown(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			world := netboxtest.Office()
			world.Clusters, world.VMs, world.Devices, world.Contexts = nil, nil, nil, nil
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
			w := follow(t, s, s.TokenV1())
			w.must(t)
			asked := func() map[string]int {
				s.ForgetRequests()
				w.must(t)
				n := make(map[string]int)
				for _, r := range s.Requests() {
					n[r.Path]++
				}
				return n
			}
			pointedAt := []string{"/api/dcim/interfaces/", "/api/virtualization/interfaces/", "/api/dcim/devices/", "/api/virtualization/virtual-machines/"}
			before, all := asked(), 0
			for _, n := range before {
				all += n
			}
			if all > 15 {
				t.Errorf("%d requests, want at most 15: %v", all, before)
			}
			for _, path := range pointedAt {
				if before[path] != 0 {
					t.Errorf("%d requests for %s, of which nothing is known", before[path], path)
				}
			}
			cluster := s.Add(t, "virtualization/clusters", map[string]any{"name": "c", "type": s.Add(t, "virtualization/cluster-types", map[string]any{"name": "t", "slug": "t"})})
			vm := s.Add(t, "virtualization/virtual-machines", map[string]any{"name": "vm9", "cluster": cluster})
			port := s.Add(t, "virtualization/interfaces", map[string]any{"name": "eth0", "virtual_machine": vm})
			s.Add(t, "dcim/mac-addresses", map[string]any{"mac_address": "52:54:00:00:09:09", "assigned_object_type": "virtualization.vminterface", "assigned_object_id": port})
			s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": port})
			w.must(t)
			id := ipam.MachineID{Kind: ipam.VirtualMachine, ID: vm}
			if m := w.snapshot.Machine(id); m == nil || m.Name != "vm9" || len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 9, 9})) != 1 {
				t.Fatalf("the new machine is %+v", m)
			}
			s.Edit(t, "virtualization/virtual-machines", vm, map[string]any{"name": "vm10"})
			w.must(t)
			if m := w.snapshot.Machine(id); m.Name != "vm10" {
				t.Errorf("the machine is still called %s", m.Name)
			}
			after := asked()
			if after["/api/virtualization/interfaces/"] != 1 || after["/api/virtualization/virtual-machines/"] != 1 || after["/api/dcim/devices/"] != 0 {
				t.Errorf("a quiet poll asks %v", after)
			}
		})
	}
}

func TestATransactionThatCommitsLateIsStillSeen(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V46)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	writer := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	body := map[string]any{"custom_fields": map[string]any{"pydhcp_hostname": "late"}}
	written := make(chan error, 1)
	s.HoldCommits()
	go func() {
		written <- writer.Update(t.Context(), netbox.Addresses, id, body)
	}()
	s.AwaitHeld(1)
	// Other rows are written meanwhile, with later time stamps.
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"description": "later"})
	w.must(t)
	if got := w.address("10.0.0.100").Record.Hostname; got != "" {
		t.Fatalf("host name %q is seen before its commit", got)
	}
	s.ReleaseCommits()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	w.must(t)
	if got := w.address("10.0.0.100").Record.Hostname; got != "late" {
		t.Errorf("host name %q, want the one committed late", got)
	}
}

func TestRowsWithOldTimeStampsAreFoundByTheOverlap(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	// An application server whose clock is five minutes behind.
	s.SetClock(func() time.Time { return time.Now().Add(-5 * time.Minute) })
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "deprecated"})
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"))
	w.must(t)
	if got := w.address("10.0.0.100").Status; got != "deprecated" {
		t.Errorf("status %q, want deprecated", got)
	}
	if w.address("10.0.0.101") != nil {
		t.Error("the deleted address is still there")
	}
}

func TestOneStampFromTheFutureHidesNoLaterChange(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	s.SetClock(func() time.Time { return time.Now().Add(48 * time.Hour) })
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"status": "reserved"})
	s.SetClock(time.Now)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	w.must(t)
	if got := w.address("10.0.0.100").Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
}

func TestRunFollowsUntilItsContextEnds(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	snapshots := make(chan *ipam.Snapshot, 10)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := New(clienttest.Connect(t, s.URL(), s.TokenV2(), log), Config{
		Log: log, Fields: testFields(),
		Interval: time.Millisecond, ContextKey: contextKey, DiskPath: path,
		OnSnapshot: func(s *ipam.Snapshot, _ []ipam.Problem) { snapshots <- s },
		OnConfirm:  func(time.Time, time.Duration) {},
	})
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	<-snapshots
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	if got := (<-snapshots).Address(0, netip.MustParseAddr("10.0.0.100")).Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
	reason := errors.New("enough")
	stop(reason)
	if err := <-ended; !errors.Is(err, reason) {
		t.Errorf("Run returned %v, want the cause", err)
	}
	if _, err := ipam.ReadDiskFile(path); err != nil {
		t.Errorf("no usable disk copy was left: %v", err)
	}
}
