package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

func (b *builder) devices() { b.machines(ipam.Device, "devices", &b.file.Devices) }

func (b *builder) virtualMachines() {
	b.machines(ipam.VirtualMachine, "virtual_machines", &b.file.VirtualMachines)
}

func (b *builder) machines(kind ipam.Kind, section string, list *strictyaml.List[machine]) {
	known := newNames(kind.String())
	if kind == ipam.Device {
		b.device = known
	}
	for i, m := range list.All() {
		path := fmt.Sprintf("%s[%d]", section, i)
		id := ipam.MachineID{Kind: kind, ID: int64(i + 1)}
		b.declare(known, path, m.Name, id.ID)
		b.traits[id] = b.traitsOf(path, m)
		object := &ipam.Machine{ID: id, Name: m.Name, Serial: m.Serial, Gate: m.CustomFields}
		if m.Serial != "" && kind != ipam.Device {
			b.report.Addf(path+".serial", "only devices have serial numbers here")
		}
		b.gate(path+".custom_fields", m)
		assigned := b.interfaces(path, id, m.Interfaces)
		if m.PrimaryIP4.IsValid() {
			object.PrimaryIP4 = assigned[m.PrimaryIP4.Addr]
			if object.PrimaryIP4 == 0 {
				b.report.Addf(path+".primary_ip4", "no interface of %s has %s", m.Name, m.PrimaryIP4)
			}
		}
		b.out.Machines[id] = object
	}
}

// gate refuses custom fields that the server does not read: with a misspelt
// redeploy switch a machine would have none, and would be reinstalled.
func (b *builder) gate(path string, m machine) {
	if len(b.opt.GateFields) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.CustomFields)) {
		if !slices.Contains(b.opt.GateFields, name) {
			b.report.Addf(path+"."+name, "no custom field of machines we use; %s", nearest.Suggest(name, b.opt.GateFields))
		}
	}
}

// interfaces adds the ports of a machine and returns the ids of their
// addresses.
func (b *builder) interfaces(path string, of ipam.MachineID, list []port) map[netip.Addr]int64 {
	known := newNames("interface")
	ports := make([]*ipam.Interface, len(list))
	for i, p := range list {
		b.counts[of.Kind]++
		id := ipam.InterfaceID{Kind: of.Kind, ID: b.counts[of.Kind]}
		ports[i] = &ipam.Interface{ID: id, Name: b.same.Text(p.Name), Machine: of}
		b.out.Interfaces[id] = ports[i]
		b.declare(known, fmt.Sprintf("%s.interfaces[%d]", path, i), p.Name, id.ID)
	}
	assigned := make(map[netip.Addr]int64)
	for i, p := range list {
		at := fmt.Sprintf("%s.interfaces[%d]", path, i)
		switch ports[i].LAG = b.find(known, at+".lag", p.LAG); {
		case p.LAG != "" && of.Kind != ipam.Device:
			b.report.Addf(at+".lag", "only devices have LAGs")
		case p.LAG != "" && p.LAG == p.Name:
			b.report.Addf(at+".lag", "an interface is no member of itself")
		}
		ports[i].Bridge = b.link(known, at+".bridge", p.Name, p.Bridge)
		ports[i].Parent = b.link(known, at+".parent", p.Name, p.Parent)
		b.macs(at, p, ports[i].ID)
		b.cable(at+".connected_endpoint", ports[i].ID, p.Endpoint)
		for j, a := range p.Addresses {
			before := len(b.out.Addresses)
			b.address(fmt.Sprintf("%s.ip_addresses[%d]", at, j), a, ports[i].ID)
			if len(b.out.Addresses) > before {
				assigned[a.Address.first] = int64(len(b.out.Addresses))
			}
		}
	}
	return assigned
}

// link returns the id of the interface that the key at path of an interface
// names, 0 for none.
func (b *builder) link(known *names, path, name, to string) int64 {
	if to != "" && to == name {
		b.report.Addf(path, "an interface is not linked to itself")
	}
	return b.find(known, path, to)
}

func (b *builder) macs(path string, p port, owner ipam.InterfaceID) {
	macs := p.MACs
	if p.MAC != nil && !slices.Contains(macs, *p.MAC) {
		macs = append([]ipam.MAC{*p.MAC}, macs...)
	}
	for i, mac := range macs {
		if slices.Contains(macs[:i], mac) {
			b.report.Addf(path+".mac_addresses", "%s is there twice", mac)
		}
		id := int64(len(b.out.MACs) + 1)
		b.out.MACs[id] = &ipam.MACAddress{ID: id, MAC: mac, Interface: owner}
	}
}
