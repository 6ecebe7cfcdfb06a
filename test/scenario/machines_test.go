//go:build linux

package scenario

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// docs/promises.md: listen on named interfaces, several; listen on all interfaces. REC-3
func interfacesServeTheirOwnPrefixes(t *testing.T, l *lab) {
	s := newSite(t, l)
	nets := []int{netA, netB, netC}
	var hosts []*netns.Namespace
	for i, n := range nets {
		name := string(rune('a' + i))
		hosts = append(hosts, s.host("host-"+name, s.lan(name, n), l.mac(macVisitor+byte(i))))
	}
	leased := func(i int) {
		t.Helper()
		lease := acquire(t, netns.Udhcpc(hosts[i], "eth0", patient()))
		if lease.Addr != ip(nets[i], 100) || lease.ServerID != host(nets[i], 1) {
			t.Errorf("network %d: leased %v from %v, want %v from %v", i, lease.Addr, lease.ServerID, ip(nets[i], 100), host(nets[i], 1))
		}
	}
	srv := s.serve(plan{listen: `["%a", "%b"]`})
	leased(0)
	leased(1)
	getsNothing(t, hosts[2], "eth0")
	s.stop(srv)

	s.serve(plan{})
	leased(0)
	leased(1)
	leased(2)
}

// docs/promises.md: static lease by the MAC of a device's, a VM's and a LAG's interface; no write to NetBox. I-4, I-5, S-10
func staticClients(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netStatic)
	twinDevice, twinVM := ip(netStatic, 20), ip(netStatic, 21)
	static := l.twins(t, twinDevice, twinVM)
	srv := s.serve(plan{listen: `["%eth0"]`, nak: "authoritative"})
	for _, tt := range []struct {
		name string
		mac  byte
		run  func(*netns.Namespace, string, netns.Options) *netns.Client
		want netip.Prefix
	}{
		{"web", macWeb, netns.Dhclient, ip(netStatic, 10)},
		{"vm", macVM, netns.Udhcpc, ip(netStatic, 11)},
		{"bonded", macBond, netns.Dhcpcd, ip(netStatic, 12)},
		{"twin", macTwin, netns.Udhcpc, twinVM},
	} {
		lease := acquire(t, tt.run(s.host(tt.name, lan, l.mac(tt.mac)), "eth0", patient()))
		if lease.Addr != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, lease.Addr, tt.want)
		}
	}
	getsNothing(t, s.host("stranger", lan, l.mac(macVisitor+3)), "eth0")
	// A server that ends has told NetBox all it has to tell.
	s.stop(srv)
	for _, addr := range []netip.Prefix{ip(netStatic, 10), ip(netStatic, 11), ip(netStatic, 12)} {
		static = append(static, l.addressID(t, addr))
	}
	for _, id := range static {
		if diff := cmp.Diff(record{}, l.recordOf(t, id)); diff != "" {
			t.Errorf("record of the static address %d (-want +got):\n%s", id, diff)
		}
	}
}

// twins makes an interface of a device and one of a VM that have the same id, with the addresses
// device and vm, whose ids it returns. Only the VM's has a MAC: macTwin.
func (l *lab) twins(t *testing.T, device, vm netip.Prefix) (addresses []int64) {
	t.Helper()
	const devicePorts, vmPorts = "dcim/interfaces/", "virtualization/interfaces/"
	type port = map[string]any
	port1 := func(name string) port {
		return port{"name": name, "device": l.seed.ID(t, "dcim/devices", l.name("web")), "type": "1000base-t"}
	}
	port2 := func(name string) port {
		return port{"name": name, "virtual_machine": l.seed.ID(t, "virtualization/virtual-machines", l.name("vm"))}
	}
	create := func(path string, ports ...port) []int64 {
		t.Helper()
		var made []struct {
			ID int64 `json:"id"`
		}
		l.netbox.Call(t, http.MethodPost, path, ports, &made)
		var ids []int64
		for _, m := range made {
			ids = append(ids, m.ID)
		}
		return ids
	}
	first, second := create(devicePorts, port1("twin"))[0], create(vmPorts, port2("twin"))[0]
	// The younger of the two numberings catches up.
	path, make1, behind, last := vmPorts, port2, &second, first
	if second > first {
		path, make1, behind, last = devicePorts, port1, &first, second
	}
	for *behind < last {
		var batch []port
		for i := range min(last-*behind, 100) {
			batch = append(batch, make1(fmt.Sprintf("filler %d", *behind+i)))
		}
		*behind = slices.Max(create(path, batch...))
	}
	if first != second {
		t.Fatalf("device interface %d and VM interface %d: another user makes interfaces at the same time", first, second)
	}
	l.netbox.Call(t, http.MethodPost, "dcim/mac-addresses/", port{"mac_address": l.mac(macTwin).String(),
		"assigned_object_type": "virtualization.vminterface", "assigned_object_id": second}, nil)
	for addr, kind := range map[netip.Prefix]string{device: "dcim.interface", vm: "virtualization.vminterface"} {
		var made struct {
			ID int64 `json:"id"`
		}
		l.netbox.Call(t, http.MethodPost, "ipam/ip-addresses/", port{"address": addr.String(), "vrf": l.seed.ID(t, "ipam/vrfs", l.name("lab")),
			"assigned_object_type": kind, "assigned_object_id": first}, &made)
		addresses = append(addresses, made.ID)
		t.Cleanup(func() {
			l.netbox.Call(t, http.MethodDelete, fmt.Sprintf("ipam/ip-addresses/%d/", made.ID), nil, nil)
		})
	}
	return addresses
}

// docs/promises.md: gateway = address tagged Gateway in the prefix; DNS from the device's context, otherwise from the prefix's
// site. G-2, G-5, G-7
func gatewayAndNameServers(t *testing.T, l *lab) {
	s := newSite(t, l)
	office, bare := s.lan("office", netOffice), s.lan("bare", netBare)
	s.serve(plan{listen: `["%office", "%bare"]`, nak: "authoritative"})
	type parameters struct {
		Addr         netip.Prefix
		Routers, DNS []netip.Addr
		Domain       string
	}
	gateway := []netip.Addr{host(netOffice, 254)}
	for _, tt := range []struct {
		name string
		host *netns.Namespace
		run  func(*netns.Namespace, string, netns.Options) *netns.Client
		want parameters
	}{
		{"desk", s.host("desk", office, l.mac(macDesk)), netns.Dhclient,
			parameters{ip(netOffice, 20), gateway, []netip.Addr{netip.MustParseAddr("192.0.2.53")}, "desk.example"}},
		{"visitor", s.host("visitor", office, l.mac(macVisitor+4)), netns.Dhcpcd,
			parameters{ip(netOffice, 100), gateway, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, "office.example"}},
		{"warehouse", s.host("warehouse", bare, l.mac(macVisitor+5)), netns.Udhcpc, parameters{Addr: ip(netBare, 100)}},
	} {
		lease := acquire(t, tt.run(tt.host, "eth0", patient()))
		got := parameters{lease.Addr, lease.Routers, lease.DNS, lease.Domain}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
