package ipam

import (
	"net/netip"
	"strings"
)

// tables makes Objects from rows of any kind.
func tables(rows ...any) *Objects {
	o := &Objects{
		VRFs: map[int64]*VRF{}, Prefixes: map[int64]*Prefix{}, Ranges: map[int64]*Range{}, Addresses: map[int64]*Address{}, MACs: map[int64]*MACAddress{},
		Interfaces: map[InterfaceID]*Interface{}, Machines: map[MachineID]*Machine{},
		Tags: map[int64]*Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}, 2: {ID: 2, Name: "Gateway", Slug: "gw"}},
	}
	for _, row := range rows {
		switch r := row.(type) {
		case *VRF:
			o.VRFs[r.ID] = r
		case *Prefix:
			o.Prefixes[r.ID] = r
		case *Range:
			o.Ranges[r.ID] = r
		case *Address:
			o.Addresses[r.ID] = r
		case *MACAddress:
			o.MACs[r.ID] = r
		case *Interface:
			o.Interfaces[r.ID] = r
		case *Machine:
			o.Machines[r.ID] = r
		case *Tag:
			o.Tags[r.ID] = r
		}
	}
	return o
}

func network(id int64, cidr string, vrf int64) *Prefix {
	return &Prefix{ID: id, Prefix: netip.MustParsePrefix(cidr), VRF: vrf, Status: "active"}
}

// host is an active address; tags by id.
func host(id int64, cidr string, tags ...int64) *Address {
	return &Address{ID: id, Address: netip.MustParsePrefix(cidr), Status: "active", Tags: tags}
}

func with(a *Address, change func(*Address)) *Address {
	change(a)
	return a
}

func devicePort(id, device int64, lag int64) *Interface {
	return &Interface{ID: InterfaceID{Device, id}, Name: "eth", Machine: MachineID{Device, device}, LAG: lag}
}

func macOn(id int64, last byte, port InterfaceID) *MACAddress {
	return &MACAddress{ID: id, MAC: MAC{2, 0, 0, 0, 0, last}, Interface: port}
}

// hosts renders addresses as "10.0.0.1 10.0.0.2".
func hosts(list []*Address) string {
	var words []string
	for _, a := range list {
		words = append(words, a.Address.Addr().String())
	}
	return strings.Join(words, " ")
}
