package follow

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// cabled is a NetBox with three switches. No interface has a MAC. A server hangs on
// the first one, one on the first two with an aggregate, through patch panels on the
// one side; a machine without an address hangs on the first, another on the third.
func cabled() netboxtest.World {
	ports := func(names ...string) (list []netboxtest.Interface) {
		for _, name := range names {
			list = append(list, netboxtest.Interface{Name: name})
		}
		return list
	}
	addressed := func(cidr string) []netboxtest.IP { return []netboxtest.IP{{Address: cidr}} }
	return netboxtest.World{
		Sites:    []netboxtest.Site{{Name: "HQ"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24"}},
		Devices: []netboxtest.Device{
			{Name: "sw1", Site: "HQ", Interfaces: ports("Gi1/0/1", "Gi1/0/2", "Gi1/0/3", "Gi1/0/4")},
			{Name: "sw2", Site: "HQ", Interfaces: ports("Eth1", "Eth2")},
			{Name: "sw3", Site: "HQ", Interfaces: ports("Eth1")},
			{Name: "srv1", Site: "HQ", Interfaces: []netboxtest.Interface{{Name: "eth0", IPs: addressed("10.0.0.5/24")}, {Name: "eth1"}}},
			{Name: "srv2", Site: "HQ", Interfaces: []netboxtest.Interface{{Name: "bond0", Type: "lag", IPs: addressed("10.0.0.6/24")},
				{Name: "eth0", LAG: "bond0"}, {Name: "eth1", LAG: "bond0"}}},
			{Name: "srv3", Site: "HQ", Interfaces: ports("eth0")},
			{Name: "pc", Site: "HQ", Interfaces: ports("eth0")},
			{Name: "near", Site: "HQ", Panel: []string{"1"}},
			{Name: "far", Site: "HQ", Panel: []string{"1"}},
		},
		Cables: []netboxtest.Cable{{A: "srv1 eth0", B: "sw1 Gi1/0/1"}, {A: "srv2 eth0", B: "near 1"}, {A: "near 1 rear", B: "far 1 rear"}, {A: "far 1", B: "sw1 Gi1/0/2"},
			{A: "srv2 eth1", B: "sw2 Eth1"}, {A: "srv3 eth0", B: "sw1 Gi1/0/3"}, {A: "pc eth0", B: "sw3 Eth1"}},
	}
}

func withCircuits(c *Config) { c.Options.Circuits = true }

// farEnd names what the cable of a port leads to; empty: nothing.
func (w *watch) farEnd(t *testing.T, seeded *netboxtest.Seeded, port string) string {
	t.Helper()
	far := w.snapshot.FarEnd(ipam.InterfaceID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/interfaces", port)})
	if far == nil {
		return ""
	}
	return w.snapshot.Machine(far.Machine).Name + " " + far.Name
}

// ports are the names of the interfaces that are known of a device.
func (w *watch) ports(t *testing.T, seeded *netboxtest.Seeded, device string) string {
	t.Helper()
	var names []string
	for _, port := range w.snapshot.PortsOf(ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", device)}) {
		names = append(names, port.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// Cables are followed from what has an address to the switch, of which all ports are
// read, and back; and nothing else is read (CL-20, CL-21).
func TestCablesAreRead(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
			w := follow(t, s, s.TokenV1(), withCircuits)
			w.must(t)
			w.checkCables(t, seeded)
			if w.snapshot.Machine(ipam.MachineID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/devices", "pc")}) != nil {
				t.Error("a machine is read that nothing with an address leads to")
			}
			for _, p := range w.tables.problems() {
				t.Errorf("unexpected problem: %s", p)
			}
			s.ForgetRequests()
			w.must(t)
			for _, r := range s.Requests() {
				if strings.Contains(r.Query.Get("fields"), "connected_endpoints") {
					t.Errorf("a quiet poll reads far ends: %v", r.Query)
				}
			}
		})
	}
}

func (w *watch) checkCables(t *testing.T, seeded *netboxtest.Seeded) {
	t.Helper()
	for port, want := range map[string]string{"sw1 Gi1/0/1": "srv1 eth0", "srv1 eth0": "sw1 Gi1/0/1", "sw1 Gi1/0/2": "srv2 eth0", "sw1 Gi1/0/3": "srv3 eth0",
		"sw1 Gi1/0/4": "", "sw2 Eth1": "srv2 eth1", "sw2 Eth2": "", "sw3 Eth1": ""} {
		if got := w.farEnd(t, seeded, port); got != want {
			t.Errorf("%s leads to %q, want %q", port, got, want)
		}
	}
	for device, want := range map[string]string{"sw1": "Gi1/0/1 Gi1/0/2 Gi1/0/3 Gi1/0/4", "sw2": "Eth1 Eth2", "sw3": "", "srv1": "eth0"} {
		if got := w.ports(t, seeded, device); got != want {
			t.Errorf("ports of %s: %q, want %q", device, got, want)
		}
	}
}

// Without circuits nothing is asked of cables, and no interface of a switch is read (CL-20).
func TestCablesCostNothingUnlessAskedFor(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	s.ForgetRequests()
	w := follow(t, s, s.TokenV2())
	w.must(t)
	w.must(t)
	for _, r := range s.Requests() {
		if q := r.Query.Encode(); strings.Contains(q, "connected") || strings.Contains(q, "cable") || strings.Contains(q, "lag_id") || strings.Contains(q, "device_id") {
			t.Errorf("asked: %s %s", r.Path, q)
		}
	}
	if got := len(w.snapshot.Objects().Interfaces); got != 2 {
		t.Errorf("%d interfaces, want the 2 with addresses", got)
	}
	if w.ports(t, seeded, "srv1") != "" || w.farEnd(t, seeded, "srv1 eth0") != "" {
		t.Error("ports are indexed")
	}
}

// A change of a cable or of a patch panel shows after the next poll, although NetBox
// says nothing of it in the interfaces (CL-22).
func TestCablesAreFollowed(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
			w := follow(t, s, s.TokenV1(), withCircuits)
			w.must(t)
			w.checkCables(t, seeded)
			w.moveCables(t, func(method, path string, body any) { callAs(t, s.URL(), s.TokenV1(), method, path, body) }, seeded, v)
		})
	}
}

func TestCablesOfARealNetBoxAreFollowed(t *testing.T) { // CL-20, CL-21, CL-22
	address, token := netboxtest.Disposable(t)
	netboxtest.Wipe(t, address, token)
	seeded := netboxtest.Seed(t, address, token, cabled())
	defer seeded.Wipe(t)
	// The token may not see cables.
	w := followReal(t, address, true, withCircuits)
	w.must(t)
	w.checkCables(t, seeded)
	w.moveCables(t, func(method, path string, body any) { callAs(t, address, token, method, path, body) }, seeded, netboxtest.V47)
}

// moveCables edits cables one by one and checks what the next poll shows.
func (w *watch) moveCables(t *testing.T, call func(method, path string, body any), seeded *netboxtest.Seeded, v netboxtest.Version) {
	t.Helper()
	const fronts, rears = netbox.Table("dcim/front-ports"), netbox.Table("dcim/rear-ports")
	cable := func(name string) int64 { return seeded.ID(t, "dcim/cables", name) }
	end := func(kind string, path netbox.Table, name string) []any {
		return []any{map[string]any{"object_type": kind, "object_id": seeded.ID(t, string(path), name)}}
	}
	change := func(method string, table netbox.Table, id int64, body any) {
		call(method, fmt.Sprintf("%s/%d/", table, id), body)
	}
	add := func(table netbox.Table, body map[string]any) { call(http.MethodPost, string(table)+"/", body) }
	patch := func(table netbox.Table, id int64, body map[string]any) {
		change(http.MethodPatch, table, id, body)
	}
	shows := func(what, port, want string) {
		t.Helper()
		w.must(t)
		if got := w.farEnd(t, seeded, port); got != want {
			t.Errorf("%s: %s leads to %q, want %q", what, port, got, want)
		}
	}
	patch(netbox.Cables, cable("srv1 eth0 - sw1 Gi1/0/1"), map[string]any{"status": "planned"})
	shows("planned", "sw1 Gi1/0/1", "")
	patch(netbox.Cables, cable("srv1 eth0 - sw1 Gi1/0/1"), map[string]any{"status": "connected"})
	shows("connected", "sw1 Gi1/0/1", "srv1 eth0")
	patch(netbox.Cables, cable("srv1 eth0 - sw1 Gi1/0/1"), map[string]any{"b_terminations": end("dcim.interface", netbox.Interfaces, "sw1 Gi1/0/4")})
	shows("moved", "sw1 Gi1/0/4", "srv1 eth0")
	shows("moved", "sw1 Gi1/0/1", "")

	change(http.MethodDelete, netbox.Cables, cable("near 1 rear - far 1 rear"), nil)
	shows("cable between panels deleted", "sw1 Gi1/0/2", "")
	add(netbox.Cables, map[string]any{"a_terminations": end("dcim.rearport", rears, "near 1 rear"), "b_terminations": end("dcim.rearport", rears, "far 1 rear")})
	shows("made anew", "sw1 Gi1/0/2", "srv2 eth0")
	if v >= netboxtest.V45 {
		patch(fronts, seeded.ID(t, string(fronts), "far 1"), map[string]any{"rear_ports": []any{}})
		shows("front port leads nowhere", "sw1 Gi1/0/2", "")
		patch(fronts, seeded.ID(t, string(fronts), "far 1"), map[string]any{"rear_ports": []any{map[string]any{"position": 1, "rear_port": seeded.ID(t, string(rears), "far 1 rear"), "rear_port_position": 1}}})
		shows("front port leads on", "sw1 Gi1/0/2", "srv2 eth0")
	}
	change(http.MethodDelete, rears, seeded.ID(t, string(rears), "far 1 rear"), nil)
	shows("rear port deleted", "sw1 Gi1/0/2", "")

	add(netbox.Interfaces, map[string]any{"device": seeded.ID(t, "dcim/devices", "sw2"), "name": "Eth3", "type": "1000base-t"})
	add(netbox.Addresses, map[string]any{"address": "10.0.0.7/24", "assigned_object_type": "dcim.interface", "assigned_object_id": seeded.ID(t, "dcim/interfaces", "pc eth0")})
	shows("an address at the far end", "sw3 Eth1", "pc eth0")
	if got := w.ports(t, seeded, "sw2"); got != "Eth1 Eth2 Eth3" {
		t.Errorf("ports of sw2 after one was made: %q", got)
	}
	change(http.MethodDelete, netbox.Interfaces, seeded.ID(t, "dcim/interfaces", "srv1 eth0"), nil)
	shows("far end deleted", "sw1 Gi1/0/4", "")
}

// Without the permission to read the change log, cables are read again at each
// comparison of lists (CL-22).
func TestCablesAreFollowedWithoutTheChangeLog(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V46})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	narrow(s, false, nil)
	w := follow(t, s, limited, withCircuits)
	w.must(t)
	w.checkCables(t, seeded)
	s.Edit(t, "dcim/cables", seeded.ID(t, "dcim/cables", "near 1 rear - far 1 rear"), map[string]any{"status": "planned"})
	w.pass(t, sweepEvery, time.Minute)
	if got := w.farEnd(t, seeded, "sw1 Gi1/0/2"); got != "" {
		t.Errorf("a cable that is planned leads to %q", got)
	}
}

// Reading all far ends takes NetBox a while: the next reading waits ten times as long,
// and is not forgotten (CL-22).
func TestFarEndsAreNotReadAllTheTime(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	w := follow(t, s, s.TokenV2(), withCircuits)
	w.must(t)
	w.cables.next = w.clock.Add(endsRest * time.Minute)
	set := func(status string) {
		s.Edit(t, "dcim/cables", seeded.ID(t, "dcim/cables", "near 1 rear - far 1 rear"), map[string]any{"status": status})
	}
	set("planned")
	w.pass(t, 9*time.Minute, time.Minute)
	if got := w.farEnd(t, seeded, "sw1 Gi1/0/2"); got != "srv2 eth0" {
		t.Errorf("leads to %q before it is time", got)
	}
	w.pass(t, 2*time.Minute, time.Minute)
	if got := w.farEnd(t, seeded, "sw1 Gi1/0/2"); got != "" {
		t.Errorf("leads to %q when it was time", got)
	}
}

// A far end that vanished is kept for those that it served, and is no place (CL-20, T-1).
func TestAFarEndThatVanishesIsNoPlace(t *testing.T) {
	for _, withLog := range []bool{true, false} {
		t.Run(fmt.Sprintf("change log %v", withLog), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{})
			seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
			narrow(s, withLog, nil)
			w := follow(t, s, limited, withCircuits)
			w.must(t)
			w.checkCables(t, seeded)
			narrow(s, withLog, []int64{seeded.ID(t, "dcim/interfaces", "sw1 Gi1/0/1"), seeded.ID(t, "dcim/interfaces", "sw1 Gi1/0/2")}, netbox.Interfaces)
			w.pass(t, 8*time.Hour, time.Hour)
			for _, port := range []string{"sw1 Gi1/0/1", "sw1 Gi1/0/2", "srv1 eth0"} {
				if got := w.farEnd(t, seeded, port); got != "" {
					t.Errorf("%s leads to %q, which vanished", port, got)
				}
			}
			nic := w.snapshot.Interface(ipam.InterfaceID{Kind: ipam.Device, ID: seeded.ID(t, "dcim/interfaces", "srv1 eth0")})
			if nic == nil || nic.Loss != ipam.Lost {
				t.Errorf("the interface that vanished is %+v, want it lost", nic)
			}
			narrow(s, withLog, nil)
			w.pass(t, time.Hour, 20*time.Minute)
			w.checkCables(t, seeded)
		})
	}
}

// A webhook of a cable is a hint to poll (CL-22).
func TestAHintOfACableCallsForAPoll(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	w := follow(t, s, s.TokenV2(), withCircuits)
	w.must(t)
	for _, kind := range []string{"dcim.cable", "dcim.frontport", "dcim.rearport"} {
		w.Hint(kind, seeded.ID(t, "dcim/cables", "near 1 rear - far 1 rear"))
		if !w.followHints(t.Context()) {
			t.Errorf("a hint of a %s called for no poll", kind)
		}
	}
	w = follow(t, s, s.TokenV2())
	w.must(t)
	w.Hint("dcim.cable", 1)
	if w.followHints(t.Context()) {
		t.Error("a hint of a cable called for a poll, although nothing asks for circuits")
	}
}

// A start from the copy on disk knows the cables, and those that changed meanwhile
// show after the first polls (CL-20, H-1).
func TestCablesAreKeptOnDisk(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	path := t.TempDir() + "/copy"
	keep := func(c *Config) { c.DiskPath = path }
	first := follow(t, s, s.TokenV2(), withCircuits, keep)
	first.must(t)
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)
	s.Edit(t, "dcim/cables", seeded.ID(t, "dcim/cables", "near 1 rear - far 1 rear"), map[string]any{"status": "planned"})
	w := follow(t, s, s.TokenV2(), withCircuits, keep)
	w.restore()
	w.checkCables(t, seeded)
	w.must(t)
	if got := w.farEnd(t, seeded, "sw1 Gi1/0/2"); got != "" {
		t.Errorf("leads to %q, want nothing", got)
	}
}

// A token that does not see the interfaces of hosts gets no places, and a finding that
// says what it lacks (CL-24).
func TestHiddenFarEndsAreFound(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), cabled())
	shown := slices.DeleteFunc(slices.Collect(maps.Values(seeded.IDs("dcim/interfaces"))), func(id int64) bool { return id == seeded.ID(t, "dcim/interfaces", "srv3 eth0") })
	narrow(s, true, shown, netbox.Interfaces)
	w := follow(t, s, limited, withCircuits)
	w.must(t)
	if got := w.farEnd(t, seeded, "sw1 Gi1/0/3"); got != "" {
		t.Errorf("leads to %q, which is hidden", got)
	}
	found := slices.IndexFunc(w.problems, func(p ipam.Problem) bool { return p.Object == "cables" })
	if found < 0 || !strings.Contains(w.problems[found].Text, "Gi1/0/3 of sw1") {
		t.Errorf("problems: %v", w.problems)
	}
}

// A switch is read whole once the interface at the end of a cable has an address, also
// where that interface and its far end were known before (CL-21).
func TestASwitchIsReadWholeOnceItMatters(t *testing.T) {
	world := cabled()
	world.Devices = append(world.Devices, netboxtest.Device{Name: "sw4", Site: "HQ", Interfaces: []netboxtest.Interface{{Name: "Eth1"}, {Name: "Eth2"}}},
		netboxtest.Device{Name: "pc2", Site: "HQ", Interfaces: []netboxtest.Interface{{Name: "eth0", MACs: []string{"52:54:00:00:00:01"}}}})
	world.Cables = append(world.Cables, netboxtest.Cable{A: "pc2 eth0", B: "sw4 Eth1"})
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
	w := follow(t, s, s.TokenV2(), withCircuits)
	w.must(t)
	if got := w.ports(t, seeded, "sw4"); got != "Eth1" {
		t.Errorf("ports of a switch without places: %q", got)
	}
	s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.8/24", "assigned_object_type": "dcim.interface", "assigned_object_id": seeded.ID(t, "dcim/interfaces", "pc2 eth0")})
	w.must(t)
	if got := w.ports(t, seeded, "sw4"); got != "Eth1 Eth2" {
		t.Errorf("ports %q, want all of them", got)
	}
}

// Only a path that is whole, connected and has one interface at its end leads
// somewhere (CL-20).
func TestWhatAnInterfaceSaysOfItsPath(t *testing.T) {
	d := testDecoder()
	for row, want := range map[string]int64{
		`"connected_endpoints":[{"id":7}],"connected_endpoints_type":"dcim.interface","connected_endpoints_reachable":true`:             7,
		`"connected_endpoints":[{"id":7}],"connected_endpoints_type":"dcim.interface","connected_endpoints_reachable":false`:            0,
		`"connected_endpoints":[{"id":7},{"id":8}],"connected_endpoints_type":"dcim.interface","connected_endpoints_reachable":true`:    0,
		`"connected_endpoints":[{"id":7}],"connected_endpoints_type":"circuits.providernetwork","connected_endpoints_reachable":true`:   0,
		`"connected_endpoints":[{"id":7}],"connected_endpoints_type":"virtualization.vminterface","connected_endpoints_reachable":true`: 0,
		`"connected_endpoints":null,"connected_endpoints_type":null,"connected_endpoints_reachable":false`:                              0,
		`"connected_endpoints":[],"connected_endpoints_type":null,"connected_endpoints_reachable":true`:                                 0,
		`"name":"not asked for"`: 0,
	} {
		got := d.row(netbox.Interfaces, []byte(`{"id":1,"device":{"id":2},`+row+`}`))
		port, ok := got.value.(*ipam.Interface)
		if !ok {
			t.Errorf("%s: %v", row, got.reason)
			continue
		}
		if far := (ipam.InterfaceID{Kind: ipam.Device, ID: want}); want != 0 && port.FarEnd != far || want == 0 && port.FarEnd != (ipam.InterfaceID{}) {
			t.Errorf("%s: far end %v, want %d", row, port.FarEnd, want)
		}
	}
}
