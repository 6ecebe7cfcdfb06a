//go:build linux

package scenario

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// Numbers of the networks 10.50.N.0/24, by story.
const (
	netA, netB, netC       = 1, 2, 3 // interfaces
	netStatic              = 4
	netDirect, netRelayed  = 5, 6
	netOffice, netBare     = 8, 9 // gateway and name servers
	netRenew               = 10
	netHome, netAway       = 11, 12
	netHome2, netAway2     = 13, 14
	netEdit                = 15
	netOutage              = 16
	netKill                = 17
	netDecline             = 18
	netQuestion            = 19
	netNarrow, netBulk     = 20, 21
	netContext             = 22
	netRange, netClaim     = 23, 24
	netUplink, netPorts    = 25, 26
	networks               = 27
	macWeb, macVM, macBond = 1, 2, 3
	macTwin, macDesk       = 4, 5
	macEdited, macOutage   = 6, 7
	macNarrow, macBulk     = 8, 9 // and the three after it
	macVisitor             = 100  // and more: not in NetBox
)

// pools says which addresses carry the tag DHCP.
func pools() map[int][]int {
	return map[int][]int{
		netA: {100, 101}, netB: {100, 101}, netC: {100, 101},
		netDirect: {100, 101, 102}, netRelayed: {100, 101, 102},
		netOffice: {100}, netBare: {100}, netRenew: {100, 101, 102},
		netHome: {100, 101}, netAway: {100, 101}, netHome2: {100}, netAway2: {100},
		netEdit: {100}, netOutage: {100, 101}, netKill: {100, 101, 102, 103, 104, 105, 106, 107, 108, 109},
		netDecline: {100, 101}, netQuestion: {100}, netNarrow: {100, 101}, netBulk: {100, 101},
		netContext: {100, 101, 102}, netRange: {101}, netClaim: {100}, netPorts: {100, 101},
	}
}

// world is a small company in a VRF of the run: sites, machines, and a prefix for each story.
func (l *lab) world() netboxtest.World {
	vrf, site, bare := l.name("lab"), l.name("office"), l.name("warehouse")
	static := func(n, h int) []netboxtest.IP { return []netboxtest.IP{{Address: ip(n, h).String(), VRF: vrf}} }
	kind := func(d netboxtest.Device) netboxtest.Device {
		d.Site, d.Role, d.Type, d.Maker = site, l.name("server"), l.name("box"), l.name("maker")
		return d
	}
	one := func(mac byte, ips []netboxtest.IP) []netboxtest.Interface {
		return []netboxtest.Interface{{Name: "eth0", MACs: []string{l.mac(mac).String()}, IPs: ips}}
	}
	w := netboxtest.World{
		Tags: []netboxtest.Tag{{Name: l.name("DHCP")}, {Name: l.name("Gateway")}, {Name: l.name("voice")}},
		CustomFields: []netboxtest.CustomField{
			{Name: l.field("pydhcp_mac"), Type: "text", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: l.field("pydhcp_expire"), Type: "datetime", ObjectTypes: []string{"ipam.ipaddress"}},
		},
		Sites: []netboxtest.Site{{Name: site}, {Name: bare}},
		VRFs:  []netboxtest.VRF{{Name: vrf}},
		Devices: []netboxtest.Device{
			kind(netboxtest.Device{Name: l.name("web"), Interfaces: one(macWeb, static(netStatic, 10))}),
			kind(netboxtest.Device{Name: l.name("desk"), Interfaces: one(macDesk, static(netOffice, 20)),
				LocalContext: configuration("192.0.2.53", "desk.example")}),
			kind(netboxtest.Device{Name: l.name("edited"), Interfaces: one(macEdited, nil)}),
			kind(netboxtest.Device{Name: l.name("steady"), Interfaces: one(macOutage, static(netOutage, 10))}),
			kind(netboxtest.Device{Name: l.name("switch"), Interfaces: []netboxtest.Interface{{Name: "Management1", IPs: static(netClaim, 10)}}}),
			kind(netboxtest.Device{Name: l.name("access"), Interfaces: []netboxtest.Interface{
				{Name: "up", IPs: static(netUplink, 2)}, {Name: "Vlan26", Type: "virtual", IPs: static(netPorts, 1)}, {Name: "Ethernet5"}, {Name: "Ethernet6"},
			}}),
			kind(netboxtest.Device{Name: l.name("printer"), Interfaces: []netboxtest.Interface{{Name: "eth0", IPs: static(netPorts, 50)}}}),
			kind(netboxtest.Device{Name: l.name("camera"), Interfaces: []netboxtest.Interface{{Name: "eth0", IPs: static(netPorts, 60)}}}),
			kind(netboxtest.Device{Name: l.name("narrow"), Interfaces: one(macNarrow, static(netNarrow, 10))}),
			kind(netboxtest.Device{Name: l.name("bulk"), Interfaces: one(macBulk, static(netBulk, 10))}),
			kind(netboxtest.Device{Name: l.name("bulk1"), Interfaces: one(macBulk+1, static(netBulk, 11))}),
			kind(netboxtest.Device{Name: l.name("bulk2"), Interfaces: one(macBulk+2, static(netBulk, 12))}),
			kind(netboxtest.Device{Name: l.name("bulk3"), Interfaces: one(macBulk+3, static(netBulk, 13))}),
			kind(netboxtest.Device{Name: l.name("bonded"), Interfaces: []netboxtest.Interface{
				{Name: "bond0", Type: "lag", MACs: []string{l.mac(macBond).String()}, IPs: static(netStatic, 12)},
				{Name: "eth0", LAG: "bond0", MACs: []string{l.mac(macBond).String()}},
			}}),
		},
		Cables:   []netboxtest.Cable{{A: l.name("access") + " Ethernet5", B: l.name("printer") + " eth0"}},
		Clusters: []netboxtest.Cluster{{Name: l.name("cluster"), Type: l.name("cluster type"), Site: site}},
		VMs: []netboxtest.VM{
			{Name: l.name("vm"), Cluster: l.name("cluster"), Interfaces: one(macVM, static(netStatic, 11))},
		},
		Contexts: []netboxtest.Context{
			{Name: l.name("office dns"), Sites: []string{site}, Data: configuration("192.0.2.1", "office.example")},
			{Name: l.name("voice"), Tags: []string{l.name("voice")}, Data: voice("10.50.22.5", "10m")},
			{Name: l.name("phones"), Weight: 2000, Tags: []string{l.name("voice")}, Data: voice("10.50.22.6", "20m")},
		},
		Ranges: []netboxtest.Range{{Start: ip(netRange, 100).String(), End: ip(netRange, 109).String(), VRF: vrf, Tags: []string{l.name("DHCP")}}},
	}
	for n := 1; n < networks; n++ {
		p := netboxtest.Prefix{Prefix: network(n).String(), VRF: vrf, Site: site}
		if n == netBare {
			p.Site = bare
		}
		if n == netContext {
			p.Tags = []string{l.name("voice")}
		}
		w.Prefixes = append(w.Prefixes, p)
	}
	for n, hosts := range pools() {
		for _, h := range hosts {
			w.IPs = append(w.IPs, netboxtest.IP{Address: ip(n, h).String(), VRF: vrf, Tags: []string{l.name("DHCP")}})
		}
	}
	for _, n := range []int{netOffice, netHome, netAway} { // a gateway shows that a network is apart (D-29)
		w.IPs = append(w.IPs, netboxtest.IP{Address: ip(n, 254).String(), VRF: vrf, Tags: []string{l.name("Gateway")}})
	}
	w.IPs = append(w.IPs,
		// Free, but not tagged, and lower than the pool: never given to a client.
		netboxtest.IP{Address: ip(netDirect, 50).String(), VRF: vrf}, netboxtest.IP{Address: ip(netRelayed, 50).String(), VRF: vrf},
		netboxtest.IP{Address: ip(netEdit, 110).String(), VRF: vrf}, netboxtest.IP{Address: ip(netEdit, 10).String(), VRF: vrf})
	return w
}

// configuration is the data of a config context.
func configuration(dns, domain string) map[string]any {
	return map[string]any{"pydhcp_configuration": map[string]any{"dns_servers": []string{dns}, "domain_name": domain}}
}
