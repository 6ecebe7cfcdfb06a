package follow

import (
	"maps"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// linked is a NetBox whose machines have addresses on bridges and VLAN
// sub-interfaces, and MACs on ports.
func linked() netboxtest.World {
	addressed := func(cidr string) []netboxtest.IP { return []netboxtest.IP{{Address: cidr}} }
	return netboxtest.World{
		Sites:    []netboxtest.Site{{Name: "HQ"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24"}, {Prefix: "10.20.0.0/24"}, {Prefix: "10.30.0.0/24"}},
		Devices: []netboxtest.Device{{Name: "pve", Site: "HQ", Interfaces: []netboxtest.Interface{
			{Name: "vmbr0", Type: "bridge", IPs: addressed("10.0.0.10/24")},
			{Name: "vmbr30", Type: "bridge", IPs: addressed("10.30.0.10/24")},
			{Name: "eno1", Bridge: "vmbr0", MACs: []string{"52:54:00:00:00:01"}},
			{Name: "eno1.20", Type: "virtual", Parent: "eno1", IPs: addressed("10.20.0.10/24")},
			{Name: "eno1.30", Type: "virtual", Parent: "eno1", Bridge: "vmbr30"}, // neither MAC nor address
			{Name: "spare"},
		}}},
		Clusters: []netboxtest.Cluster{{Name: "c1", Site: "HQ"}},
		VMs: []netboxtest.VM{{Name: "router", Cluster: "c1", Site: "HQ", Interfaces: []netboxtest.Interface{
			{Name: "br0", IPs: addressed("10.0.0.20/24")},
			{Name: "ens3", Bridge: "br0", MACs: []string{"52:54:00:00:00:02"}},
			{Name: "ens3.20", Parent: "ens3", IPs: addressed("10.20.0.20/24")},
		}}},
	}
}

// I-7: what an address needs to be found from the port with the MAC is read,
// in every version, and nothing else.
func TestBridgesAndParentsAreRead(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			netboxtest.Seed(t, s.URL(), s.TokenV1(), linked())
			p := load(t, clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent()))
			name := func(kind ipam.Kind, id int64) string {
				if port := p.objects.Interfaces[ipam.InterfaceID{Kind: kind, ID: id}]; port != nil {
					return port.Name
				}
				return "-"
			}
			var got []string
			for _, port := range p.objects.Interfaces {
				got = append(got, port.Name+" "+name(port.ID.Kind, port.Bridge)+" "+name(port.ID.Kind, port.Parent))
			}
			slices.Sort(got)
			want := []string{"br0 - -", "eno1 vmbr0 -", "eno1.20 - eno1", "eno1.30 vmbr30 eno1", "ens3 br0 -", "ens3.20 - ens3", "vmbr0 - -", "vmbr30 - -"}
			if !slices.Equal(got, want) {
				t.Errorf("interfaces %q, want %q", got, want)
			}
			if len(p.objects.Machines) != 2 {
				t.Errorf("machines %v", slices.Collect(maps.Keys(p.objects.Machines)))
			}
			for _, problem := range p.problems() {
				t.Errorf("unexpected problem: %s", problem)
			}
		})
	}
}

// I-7: a link that is made, moved or taken away is followed by the next poll.
func TestLinksAreFollowed(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), linked())
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := func(name string) int64 { return seeded.ID(t, "dcim/interfaces", name) }
	bridge := func() int64 {
		return w.snapshot.Interface(ipam.InterfaceID{Kind: ipam.Device, ID: id("pve eno1")}).Bridge
	}
	for _, to := range []string{"pve vmbr30", "", "pve spare"} {
		var value any
		var want int64
		if to != "" {
			want = id(to)
			value = want
		}
		s.Edit(t, "dcim/interfaces", id("pve eno1"), map[string]any{"bridge": value})
		w.must(t)
		if got := bridge(); got != want {
			t.Errorf("bridge %d, want %d (%s)", got, want, to)
		}
		if want != 0 && w.snapshot.Interface(ipam.InterfaceID{Kind: ipam.Device, ID: want}) == nil {
			t.Errorf("bridge %s was not read", to)
		}
	}
}
