package inventory

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// cable is what one end of a cable says of the other.
type cable struct {
	path string // of the key
	from ipam.InterfaceID
	to   endpoint
}

// cable remembers what an interface says of its cable, for connect.
func (b *builder) cable(path string, from ipam.InterfaceID, to *endpoint) {
	switch {
	case to == nil:
	case from.Kind != ipam.Device:
		b.report.Addf(path, "only interfaces of devices have cables")
	case to.Device == "":
		b.report.Addf(path+".device", "want the name of a device")
	case to.Name == "":
		b.report.Addf(path+".name", "want the name of an interface of %.60s", to.Device)
	default:
		b.cables = append(b.cables, cable{path, from, *to})
	}
}

// connect joins the ends of cables, once all devices are known. An interface has one
// cable (CL-23).
func (b *builder) connect() {
	if len(b.cables) == 0 {
		return
	}
	ports := make(map[ipam.MachineID]*names)
	for id, port := range b.out.Interfaces {
		if ports[port.Machine] == nil {
			ports[port.Machine] = newNames("interface")
		}
		ports[port.Machine].ids[port.Name] = id.ID
	}
	for _, c := range b.cables {
		at := ipam.MachineID{Kind: ipam.Device, ID: b.find(b.device, c.path+".device", c.to.Device)}
		if at.ID == 0 {
			continue
		}
		if ports[at] == nil {
			ports[at] = newNames("interface")
		}
		if id := b.find(ports[at], c.path+".name", c.to.Name); id != 0 {
			b.join(c, b.out.Interfaces[c.from], b.out.Interfaces[ipam.InterfaceID{Kind: ipam.Device, ID: id}])
		}
	}
}

// join connects two interfaces, unless one of them has another cable.
func (b *builder) join(c cable, near, far *ipam.Interface) {
	if near == far {
		b.report.Addf(c.path, "a cable leads to another interface")
		return
	}
	for _, end := range []struct{ port, other *ipam.Interface }{{near, far}, {far, near}} {
		if end.port.FarEnd != (ipam.InterfaceID{}) && end.port.FarEnd != end.other.ID {
			b.report.Addf(c.path, "%s has a cable to %s already: one interface has one cable, and both of its ends say the same", b.named(end.port), b.named(b.out.Interfaces[end.port.FarEnd]))
			return
		}
	}
	near.FarEnd, far.FarEnd = far.ID, near.ID
}

// named is an interface with its device, for people.
func (b *builder) named(port *ipam.Interface) string {
	return fmt.Sprintf("%.60s of %.60s", port.Name, b.out.Machines[port.Machine].Name)
}
