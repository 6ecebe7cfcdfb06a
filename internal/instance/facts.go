package instance

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Facts are what the option plugins need to know of the client of one packet.
type Facts struct {
	Snapshot  *ipam.Snapshot
	Subnet    *ipam.Subnet    // N
	Interface *ipam.Interface // nil: unknown client, or several ports of one machine
	Machine   *ipam.Machine   // nil: unknown client
	// Config is the machine's context if there is a machine, else that of N's
	// place (G-5); never nil in known Facts.
	Config *ipam.Config
	// Known is false where nothing can be said: no picture of NetBox yet, or
	// the client is in none of its prefixes.
	Known   bool
	Ingress dhcp4.Ingress
}

// Facts returns what the netbox plugin found out about req, or, after another
// lease plugin, what follows from the address in resp (G-1).
func (i *Instance) Facts(req, resp *dhcpv4.DHCPv4) Facts {
	x := i.pool.Exchanges.Find(req)
	f := Facts{Snapshot: i.Snapshot(), Ingress: x.Ingress}
	switch {
	case f.Snapshot == nil:
		return f
	case x.Decided:
		f.Subnet, f.Interface, f.Machine = x.Decision.Subnet, x.Decision.Interface, x.Decision.Machine
	default:
		i.derive(&f, req, resp)
	}
	if f.Subnet == nil {
		return f
	}
	f.Known = true
	f.Config = f.Subnet.Config
	if f.Machine != nil {
		f.Config = f.Snapshot.MachineConfig(f.Machine)
	}
	return f
}

// derive finds N from the client's address and the machine from its MAC.
func (i *Instance) derive(f *Facts, req, resp *dhcpv4.DHCPv4) {
	addr := dhcp4.ClientPrefix(req, resp).Addr()
	if !addr.IsValid() {
		return
	}
	subnet, err := f.Snapshot.Subnet(addr)
	if err != nil {
		return
	}
	f.Subnet = subnet
	f.identify(dhcp4.ParseRequest(req, resp, f.Ingress, i.Settings.Network.ServerIDOverride))
}

// BootFacts returns what is known of a client that another server gives its
// address: its machine, by its MAC, and N by the way the request came,
// where NetBox has the network.
func (i *Instance) BootFacts(m lease.ClientMessage) Facts {
	f := Facts{Snapshot: i.Snapshot()}
	if f.Snapshot == nil || i.Engine.Stale() || m.Malformed != "" {
		return f
	}
	evidence := m.InterfaceAddrs // the first present wins (N-1)
	for _, addr := range []netip.Addr{m.ClientAddr, m.Relay, m.SubnetSelection, m.LinkSelection} {
		if addr.IsValid() {
			evidence = []netip.Addr{addr}
		}
	}
	for _, addr := range evidence {
		if subnet, err := f.Snapshot.Subnet(addr); err == nil {
			f.Subnet, f.Config = subnet, subnet.Config
			break
		}
	}
	f.identify(m)
	if f.Machine != nil {
		f.Config = f.Snapshot.MachineConfig(f.Machine)
	}
	f.Known = f.Config != nil
	return f
}

// identify finds the machine of m by its MAC.
func (f *Facts) identify(m lease.ClientMessage) {
	if !m.HasMAC {
		return
	}
	for _, port := range f.Snapshot.InterfacesWithMAC(m.MAC) {
		if f.Machine != nil && f.Machine.ID != port.Machine {
			f.Machine, f.Interface = nil, nil // one MAC on two machines (I-4)
			return
		}
		f.Machine, f.Interface = f.Snapshot.Machine(port.Machine), port
	}
}

// Gateways returns the gateway addresses of N in NetBox; nil where N is
// unknown.
func (f Facts) Gateways() []*ipam.Address {
	if f.Subnet == nil {
		return nil
	}
	return f.Snapshot.Gateways(f.Subnet)
}
