package follow

import (
	"fmt"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// crowd is a NetBox with hosts and running leases in two prefixes.
func crowd(t *testing.T) (*netboxtest.Server, *watch, func(addr string) int64) {
	t.Helper()
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47})
	world := netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}}, VRFs: []netboxtest.VRF{{Name: "blue"}},
		CustomFields: netboxtest.Office().CustomFields,
		Sites:        []netboxtest.Site{{Name: "HQ"}}, Clusters: []netboxtest.Cluster{{Name: "c1"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.1.0/24", Status: "active", Site: "HQ"}, {Prefix: "10.0.2.0/24", Status: "active"}},
	}
	for i := range 10 {
		world.VMs = append(world.VMs, netboxtest.VM{Name: fmt.Sprintf("vm%d", i), Cluster: "c1", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{fmt.Sprintf("52:54:00:00:01:%02x", i)}, IPs: []netboxtest.IP{{Address: fmt.Sprintf("10.0.1.%d/24", 10+i)}}},
		}})
	}
	for i := range 60 {
		world.IPs = append(world.IPs, netboxtest.IP{Address: fmt.Sprintf("10.0.2.%d/24", 10+i), Tags: []string{"DHCP"}, CustomFields: map[string]any{
			"pydhcp_mac": fmt.Sprintf("52:54:00:00:02:%02x", i), "pydhcp_expire": time.Now().Add(100 * time.Hour).UTC().Format(time.RFC3339)}})
	}
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	return s, w, func(name string) int64 {
		for _, path := range []string{"ipam/ip-addresses", "ipam/prefixes", "extras/tags", "virtualization/virtual-machines", "virtualization/interfaces", "dcim/mac-addresses", "dcim/sites"} {
			if id, ok := seeded.IDs(path)[name]; ok {
				return id
			}
		}
		t.Fatalf("no %s", name)
		return 0
	}
}

// T-4: too many at once are doubted for a while, few are believed at once.
func TestTooManyChangesAtOnceAreDoubted(t *testing.T) {
	hosts := func(s *netboxtest.Server, t *testing.T, id func(string) int64, n int) {
		for i := range n {
			s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		}
	}
	macs := func(s *netboxtest.Server, t *testing.T, id func(string) int64, n int, edit func(i int) map[string]any) {
		for i := range n {
			mac := id(fmt.Sprintf("vm%d eth0 52:54:00:00:01:%02x", i, i))
			if edit == nil {
				s.Delete(t, "dcim/mac-addresses", mac)
				continue
			}
			s.Edit(t, "dcim/mac-addresses", mac, edit(i))
		}
	}
	for name, c := range map[string]struct {
		change func(s *netboxtest.Server, t *testing.T, id func(string) int64)
		held   bool
	}{
		"3 of 10 hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 3) }, false},
		"4 of 10 hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 4) }, true},
		"all hosts deleted":     {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 10) }, true},
		"12 of 60 leases deleted, a fifth": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 12 {
				s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)))
			}
		}, false},
		"13 of 60 leases deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 13 {
				s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)))
			}
		}, true},
		"the prefix of the hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			s.Delete(t, "ipam/prefixes", id("10.0.1.0/24"))
		}, true},
		"the prefix of the hosts made a container": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			s.Edit(t, "ipam/prefixes", id("10.0.1.0/24"), map[string]any{"status": "container"})
		}, true},
		"4 machines deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 4 {
				s.Delete(t, "virtualization/virtual-machines", id(fmt.Sprintf("vm%d", i)))
			}
		}, true},
		"4 interfaces deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 4 {
				s.Delete(t, "virtualization/interfaces", id(fmt.Sprintf("vm%d eth0", i)))
			}
		}, true},
		"3 MAC addresses deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { macs(s, t, id, 3, nil) }, false},
		"4 MAC addresses deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { macs(s, t, id, 4, nil) }, true},
		"4 MAC addresses edited": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			macs(s, t, id, 4, func(i int) map[string]any {
				return map[string]any{"mac_address": fmt.Sprintf("52:54:00:00:03:%02x", i)}
			})
		}, true},
		"4 MAC addresses moved to another machine": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			macs(s, t, id, 4, func(i int) map[string]any {
				return map[string]any{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": id(fmt.Sprintf("vm%d eth0", (i+1)%4))}
			})
		}, true},
		"the site of the hosts' prefix deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { s.Delete(t, "dcim/sites", id("HQ")) }, true}, // NetBox deletes the prefix with it
		"hosts deprecated": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 5 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)), map[string]any{"status": "deprecated"})
			}
		}, true},
		"the pool loses its tag": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 60 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{}})
			}
		}, true},
		"the addresses of hosts are swapped": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 4 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)), map[string]any{
					"assigned_object_type": "virtualization.vminterface", "assigned_object_id": id(fmt.Sprintf("vm%d eth0", (i+1)%4))})
			}
		}, true},
		"machines are renamed": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 10 {
				s.Edit(t, "virtualization/virtual-machines", id(fmt.Sprintf("vm%d", i)), map[string]any{"name": fmt.Sprintf("host%d", i)})
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, id := crowd(t)
			before := w.snapshot.Claims(nil, w.clock)
			c.change(s, t, id)
			w.must(t)
			first := w.snapshot.Claims(nil, w.clock)
			if c.held != (len(w.lines(logrus.ErrorLevel)) == 1) || len(w.lines(logrus.ErrorLevel)) > 1 {
				t.Errorf("held %v, logged %v", c.held, w.lines(logrus.ErrorLevel))
			}
			if c.held && !equalClaims(first, before) {
				t.Errorf("%d claims, want the %d of before", len(first), len(before))
			}
			w.pass(t, 50*time.Minute, 10*time.Minute)
			if c.held && !equalClaims(w.snapshot.Claims(nil, w.clock), before) {
				t.Error("given up before poll.doubt has passed")
			}
			w.pass(t, 20*time.Minute, 10*time.Minute)
			if after := w.snapshot.Claims(nil, w.clock); c.held && equalClaims(after, before) || len(w.guard.held) > 0 {
				t.Errorf("not believed after poll.doubt: %d held", len(w.guard.held))
			}
		})
	}
}

func equalClaims(a, b map[ipam.Claim]ipam.Claimants) bool {
	if len(a) != len(b) {
		return false
	}
	for claim, before := range b {
		if !a[claim].Meets(before) {
			return false
		}
	}
	return true
}

// T-4: deletions of one hour are counted together.
func TestChangesWithinTheDoubtAreCountedTogether(t *testing.T) {
	s, w, id := crowd(t)
	for i := range 4 {
		if w.address("10.0.1.10") == nil && i < 4 && i > 0 && len(w.guard.held) > 0 {
			t.Fatalf("held after %d deletions", i)
		}
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		w.clock = w.clock.Add(10 * time.Minute)
		w.must(t)
	}
	for i := range 4 {
		if a := w.address(fmt.Sprintf("10.0.1.%d", 10+i)); a == nil || a.Loss != ipam.Lost {
			t.Errorf("10.0.1.%d is %+v, want it held", 10+i, a)
		}
	}
	// The same number over a longer time is everyday work.
	s, w, id = crowd(t)
	for i := range 4 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		w.clock = w.clock.Add(30 * time.Minute)
		w.must(t)
	}
	if len(w.guard.held) > 0 {
		t.Error("four deletions in two hours are doubted")
	}
}

// T-4: what is undone while it is doubted ends the doubt, and so does the
// operator's word.
func TestADoubtEndsByUndoingOrByTheOperator(t *testing.T) {
	s, w, id := crowd(t)
	tag := id("DHCP")
	for i := range 60 {
		s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{}})
	}
	w.must(t)
	if a := w.address("10.0.2.20"); a.Loss != ipam.Lost || !w.snapshot.IsDynamic(a) {
		t.Fatalf("%+v, want it held", a)
	}
	for i := range 60 {
		s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{tag}})
	}
	w.must(t)
	if a := w.address("10.0.2.20"); a.Loss != ipam.Present || !w.snapshot.IsDynamic(a) || len(w.guard.held) > 0 {
		t.Errorf("%+v after it was undone, %d held", a, len(w.guard.held))
	}
	for i := range 10 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
	}
	w.must(t)
	if n := w.accept(); n == 0 {
		t.Error("nothing was accepted")
	}
	if a := w.address("10.0.1.10"); a != nil {
		t.Errorf("%+v is still there after the operator's word", a)
	}
	w.must(t)
	if n := w.accept(); n != 0 || w.address("10.0.1.10") != nil {
		t.Errorf("%d rows came back", n)
	}
}

// T-4: what was deleted and made anew is there again at once.
func TestADoubtEndsByMakingTheRowsAnew(t *testing.T) {
	s, w, id := crowd(t)
	var hosts []int64
	for i := range 10 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
	}
	w.must(t)
	for i := range 10 {
		hosts = append(hosts, s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.0.1.%d/24", 10+i),
			"assigned_object_type": "virtualization.vminterface", "assigned_object_id": id(fmt.Sprintf("vm%d eth0", i))}))
	}
	w.must(t)
	for i, id := range hosts {
		if a := w.address(fmt.Sprintf("10.0.1.%d", 10+i)); a == nil || a.ID != id || a.Loss != ipam.Present {
			t.Errorf("%+v, want the new row %d", a, id)
		}
	}
	if len(w.guard.held) > 0 {
		t.Errorf("%d rows are still held", len(w.guard.held))
	}
}
