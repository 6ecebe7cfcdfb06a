package instance

import (
	"fmt"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// Facts are what the option plugins need to know of the client of one packet.
type Facts struct {
	Snapshot *ipam.Snapshot
	Subnet   *ipam.Subnet  // the client's network in NetBox (N-1)
	Machine  *ipam.Machine // nil: unknown client
	// Config is the machine's context if there is a machine, else that of N's
	// place (G-5); never nil in known Facts.
	Config *ipam.Config
	// Known is false where nothing can be said: no snapshot of NetBox yet, or
	// the client is in none of its prefixes.
	Known bool

	rehearsal *dhcp4.Exchange // nil but for explain
}

// Options returns what config contexts say of options for the client; nil: nothing.
func (f Facts) Options() *option.Set {
	if !f.Known {
		return nil
	}
	return f.Snapshot.Data(f.Subnet, f.Machine).Options
}

// Context names what Config comes from.
func (f Facts) Context() string {
	switch {
	case f.Machine != nil:
		return fmt.Sprintf("the rendered context of %s %q", f.Machine.ID.Kind, f.Machine.Name)
	case f.Subnet != nil:
		return fmt.Sprintf("the config contexts for the place of %s", f.Subnet.Prefix.Prefix)
	}
	return "no context"
}

// Explained reports whether it is to be said where options come from (OPT-13). From
// does nothing else.
func (f Facts) Explained() bool { return f.rehearsal != nil }

// From says where options of resp come from; it passes over those that resp lacks.
func (f Facts) From(resp *dhcpv4.DHCPv4, source string, codes ...dhcpv4.OptionCode) {
	if f.rehearsal == nil {
		return
	}
	for _, code := range codes {
		if resp.Options.Has(code) {
			f.rehearsal.Sources = append(f.rehearsal.Sources, dhcp4.Source{Code: code.Code(), Text: source})
		}
	}
}

// Facts returns what the netbox plugin found out about req, or, after another
// lease plugin, what follows from the address in resp (G-1).
func (i *Instance) Facts(req, resp *dhcpv4.DHCPv4) Facts {
	x := i.pool.Exchanges.Find(req)
	f := Facts{Snapshot: i.Snapshot()}
	if x.Rehearsal {
		f.rehearsal = x
	}
	switch {
	case f.Snapshot == nil:
		return f
	case x.Decided:
		f.Subnet, f.Machine = x.Decision.Subnet, x.Decision.Machine
	default:
		i.derive(&f, req, resp, x.Ingress)
	}
	if f.Subnet == nil {
		return f
	}
	f.Known = true
	f.Config = f.Subnet.Config
	if f.Machine != nil {
		if x.Config == nil || !x.Decided {
			x.Config = f.Snapshot.MachineConfig(f.Machine)
		}
		f.Config = x.Config
	}
	return f
}

// derive finds N by the address another plugin granted.
func (i *Instance) derive(f *Facts, req, resp *dhcpv4.DHCPv4, in dhcp4.Ingress) {
	addr := dhcp4.ClientPrefix(req, resp).Addr()
	if !addr.IsValid() {
		return
	}
	subnet, err := f.Snapshot.Network(addr, 0)
	if err != nil {
		return
	}
	m := dhcp4.ParseRequest(req, resp, in, i.Settings.Network.ServerIDOverride)
	f.Subnet, f.Machine = subnet, lease.Identify(f.Snapshot, m, subnet)
}

// BootFacts returns what is known of a client that another server gives its
// address: its machine, by its MAC, and N by the way the request came,
// where NetBox has the network.
func (i *Instance) BootFacts(m lease.ClientMessage) Facts {
	f := Facts{Snapshot: i.Snapshot()}
	if f.Snapshot == nil || m.Malformed != "" {
		return f
	}
	f.Subnet, f.Machine = lease.Locate(f.Snapshot, m)
	if f.Machine == nil && i.Engine.Stale() { // known hosts are guarded by their switch (H-8)
		return f
	}
	if f.Subnet != nil {
		f.Config = f.Subnet.Config
	}
	if f.Machine != nil {
		f.Config = f.Snapshot.MachineConfig(f.Machine)
	}
	f.Known = f.Config != nil
	return f
}

// Gateways returns the gateway addresses of N in NetBox; nil where N is
// unknown.
func (f Facts) Gateways() []*ipam.Address {
	if f.Subnet == nil {
		return nil
	}
	return f.Snapshot.Gateways(f.Subnet)
}
