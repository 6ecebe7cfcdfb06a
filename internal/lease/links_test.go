package lease

import (
	"fmt"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// bridged and under are ports with a link to an interface of the same machine,
// which may come later.
func bridged(to, name, mac string, assigned ...assigned) component {
	return linkedPort(name, mac, assigned, func(i *ipam.Interface, id int64) { i.Bridge = id }, to)
}

func under(to, name, mac string, assigned ...assigned) component {
	return linkedPort(name, mac, assigned, func(i *ipam.Interface, id int64) { i.Parent = id }, to)
}

func linkedPort(name, mac string, assigned []assigned, link func(*ipam.Interface, int64), to string) component {
	return func(w *world, m *ipam.Machine) {
		w.port(m, name, mac, 0, assigned)
		w.late = append(w.late, func() { link(w.portOf(m, name), w.portOf(m, to).ID.ID) })
	}
}

func (w *world) portOf(m *ipam.Machine, name string) *ipam.Interface {
	for _, i := range w.o.Interfaces {
		if i.Machine == m.ID && i.Name == name {
			return i
		}
	}
	panic(fmt.Sprintf("%s has no port %s", m.Name, name))
}

// I-7: addresses of bridges and sub-interfaces are found from the port with the
// MAC, and never silence one.
func TestAddressesOfBridgesAndSubInterfaces(t *testing.T) {
	vlan20 := func(extra ...part) []part {
		return append([]part{prefix("10.20.0.0/24"), address("10.20.0.1/24", gateway()), dynamic("10.20.0.100/24")}, extra...)
	}
	const (
		here = "OFFER D-1 10.0.0.5/24 static"
		pool = "OFFER D-1 10.0.0.100/24 new"
	)
	chain := []component{under("eno1", "l0", "")}
	for n := range 6 {
		chain = append(chain, under(fmt.Sprintf("l%d", n), fmt.Sprintf("l%d", n+1), ""))
	}
	chain = append(chain, under("l6", "end", "", on("10.0.0.5/24")), port("eno1", string(web)))
	for _, c := range []struct {
		name  string
		parts []part
		via   string
		want  string
	}{
		{"the bridge of the port", lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"a sub-interface of the port", lan(device("pve", port("eno1", string(web)), under("eno1", "eno1.20", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the bridge of a sub-interface", lan(device("pve", port("eno1", string(web)), port("vmbr20", "", on("10.0.0.5/24")),
			under("eno1", "eno1.20", ""), under("eno1", "eno1.30", ""), bridgeOf("eno1.20", "vmbr20"))), "10.0.0.1", here},
		{"a sub-interface of the bridge", lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", ""), under("vmbr0", "vmbr0.5", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"a virtual machine", lan(virtual("vm", bridged("br0", "ens3", string(web)), port("br0", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the bridge of an aggregate", lan(device("pve", bridged("vmbr0", "bond0", string(web)), member("bond0", "eno1", string(web)), port("vmbr0", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"a sub-interface of an aggregate without MAC", lan(device("pve", port("bond0", ""), member("bond0", "eno1", string(web)),
			under("bond0", "bond0.5", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"a chain to its end", lan(device("pve", chain...)), "10.0.0.1", here},
		{"in this network the bridge, in that one the sub-interface", append(lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", "", on("10.0.0.5/24")),
			under("eno1", "eno1.20", "", on("10.20.0.5/24")))), vlan20()...), "10.20.0.1", "OFFER D-1 10.20.0.5/24 static"},
		{"a circle", lan(device("pve", port("a", string(web)), under("a", "b", ""), under("b", "c", ""), bridgeOf("c", "a"))), "10.0.0.1", pool},
		{"its own address comes first", lan(device("pve", bridged("vmbr0", "eno1", string(web), on("10.0.0.5/24")), port("vmbr0", "", on("10.0.0.4/24")))), "10.0.0.1", here},
		{"its own address in another network does not count", lan(device("pve", bridged("vmbr0", "eno1", string(web), on("10.9.0.5/24")), port("vmbr0", "", on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the MAC on port and sub-interface", lan(device("pve", port("eno1", string(web)), under("eno1", "eno1.20", string(web), on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the MAC on port and bridge", lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", string(web), on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the MAC on two machines with bridges", lan(device("pve1", bridged("br0", "eno1", string(web)), port("br0", "", on("10.0.0.5/24"))),
			device("pve2", bridged("br0", "eno1", string(web)), port("br0", "", on("10.0.0.6/24")))), "10.0.0.1", pool},
		{"an address of its own there and a bridge elsewhere", lan(device("pve1", bridged("br0", "eno1", string(web)), port("br0", "", on("10.0.0.6/24"))),
			device("pve2", port("eno1", string(web), on("10.0.0.5/24")))), "10.0.0.1", here},
		{"the port of a bridge gets nothing of another port", lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", ""),
			bridged("vmbr0", "tap1", "", on("10.0.0.6/24")))), "10.0.0.1", pool},
		{"a sub-interface gets nothing of its parent", lan(device("pve", port("eno1", "", on("10.0.0.6/24")), under("eno1", "eno1.20", string(web)))), "10.0.0.1", pool},
		{"a silent member of an aggregate stays silent", lan(device("pve", bridged("vmbr0", "bond0", string(bob)), member("bond0", "eno1", string(web)),
			port("vmbr0", "", on("10.0.0.5/24")))), "10.0.0.1", "silent D-2 lag_member"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, c.parts...))
			r.expect(discover(web, via(c.via)), c.want)
		})
	}
}

// bridgeOf puts a port that stands before it into a bridge.
func bridgeOf(name, to string) component {
	return func(w *world, m *ipam.Machine) {
		w.late = append(w.late, func() { w.portOf(m, name).Bridge = w.portOf(m, to).ID.ID })
	}
}

// I-7: one of several ports gets the address of their bridge: the one whose MAC
// it has, else the first. The others are served as without it.
func TestOnePortGetsTheAddressOfABridge(t *testing.T) {
	for _, c := range []struct {
		name   string
		bridge string // MACs of the bridge
		want   ClientID
	}{
		{"the lowest interface id", "", web},
		{"the port whose MAC the bridge has", string(bob), bob},
		{"a MAC of none of them", string(alice), web},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(device("pve",
				bridged("vmbr0", "eno1", string(web)), bridged("vmbr0", "eno2", string(bob)), port("vmbr0", c.bridge, on("10.0.0.5/24"))))...)
			for _, client := range []ClientID{web, bob} {
				want := "OFFER D-1 10.0.0.100/24 new"
				if client == c.want {
					want = static5
				}
				newRig(t, newMemStore(), s).expect(discover(client), want)
			}
		})
	}
}

// I-7: the states of a client that has its address by a link.
func TestAnAddressByALinkIsStatic(t *testing.T) {
	s := snapshot(t, worldOptions, lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", "", on("10.0.0.5/24"))))...)
	for _, c := range []struct {
		message ClientMessage
		want    string
	}{
		{selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static"},
		{request(web, wants("10.0.0.5")), "ACK D-8 10.0.0.5/24 static"},
		{renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"},
		{request(web, wants("10.0.0.100")), "NAK D-9 wrong_address"},
	} {
		r := newRig(t, newMemStore(), s)
		r.SetAuthority(Authoritative)
		r.expect(c.message, c.want)
	}
}

// I-7: a copy of before links were kept refuses no machine that may have one.
func TestNoRefusalWhileLinksAreUnknown(t *testing.T) {
	unlinked := func(w *world) { w.o.NoLinks = true }
	s := snapshot(t, worldOptions, lan(unlinked, device("pve", port("eno1", string(web))))...)
	r := newRig(t, newMemStore(bound("10.0.0.100", bob, time.Hour)), s)
	r.SetAuthority(Authoritative)
	r.expect(request(web, wants("10.0.0.5")), "silent I-7 stale")
	r.expect(renewing(web, "10.0.0.5"), "silent I-7 stale")
	r.expect(request(alice, wants("10.0.0.100")), "NAK D-10 no_binding")
}
