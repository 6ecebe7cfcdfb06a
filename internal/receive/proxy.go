package receive

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// proxyPort is where a boot client asks a ProxyDHCP server again (PXE 2.1
// section 2.2.3).
const proxyPort = 4011

// Proxy makes some interfaces ones where another server gives addresses and
// this one boot data. What arrives by them goes to Handler alone:
// the chain, which could lease, never sees it.
type Proxy struct {
	Interfaces []string
	// Handler completes an OFFER, or an ACK on port 4011, or returns nil.
	Handler dhcp4.Handler
	// Port is 4011 if 0.
	Port int
}

// Check reports interfaces without a handler to answer there.
func (p Proxy) Check() error {
	if len(p.Interfaces) > 0 && p.Handler == nil {
		return errors.New("netbox.pxe.proxy_dhcp needs the plugin netbox_pxe in the chain")
	}
	return nil
}

// openProxy checks that ProxyDHCP can be served on the interfaces, and binds the
// second port on each.
func openProxy(p Proxy, addrs []net.UDPAddr) ([]*listener, error) {
	if len(p.Interfaces) == 0 {
		return nil, nil
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := checkProxy(p.Interfaces, addrs); err != nil {
		return nil, err
	}
	if p.Port == 0 {
		p.Port = proxyPort
	}
	var second []net.UDPAddr
	for _, name := range p.Interfaces {
		second = append(second, net.UDPAddr{Port: p.Port, Zone: name})
	}
	opened, err := openListeners(second)
	if err != nil {
		return nil, fmt.Errorf("netbox.pxe.proxy_dhcp: %w", err)
	}
	for _, l := range opened {
		l.proxy = true
	}
	return opened, nil
}

// checkProxy refuses interfaces without a listener, and those whose clients
// would be leased addresses by another interface of this server: one network
// cannot have both.
func checkProxy(proxied []string, addrs []net.UDPAddr) error {
	all, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("read the interfaces: %w", err)
	}
	var mistakes []error
	fail := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("netbox.pxe.proxy_dhcp: "+format, args...))
	}
	networks := make(map[string][]netip.Prefix, len(all))
	for _, ifi := range all {
		networks[ifi.Name] = networksOf(ifi)
	}
	for _, name := range proxied {
		if _, exists := networks[name]; !exists {
			fail("there is no interface %s (`ip link` lists them)", name)
			continue
		}
		if !heardBy(name, networks[name], addrs) {
			fail("server4.listen leaves %s out: add %q to it", name, "%"+name)
		}
		for _, other := range all {
			if slices.Contains(proxied, other.Name) || !heardBy(other.Name, networks[other.Name], addrs) {
				continue
			}
			if shared, ok := overlap(networks[name], networks[other.Name]); ok {
				fail("%s and %s are both in %s: clients there would be leased addresses by %s", name, other.Name, shared, other.Name)
			}
		}
	}
	return errors.Join(mistakes...)
}

// networksOf returns the IPv4 networks of an interface.
func networksOf(ifi net.Interface) []netip.Prefix {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil // gone meanwhile
	}
	var networks []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			networks = append(networks, p)
		}
	}
	return networks
}

// heardBy reports whether one of the addresses to listen on takes what arrives
// by the named interface.
func heardBy(name string, networks []netip.Prefix, addrs []net.UDPAddr) bool {
	return slices.ContainsFunc(addrs, func(a net.UDPAddr) bool {
		if a.Zone != "" {
			return a.Zone == name
		}
		return isWildcard(a) || slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Addr() == addr4(a.IP) })
	})
}

func overlap(a, b []netip.Prefix) (netip.Prefix, bool) {
	for _, p := range a {
		for _, q := range b {
			if p.Overlaps(q) {
				return p.Masked(), true
			}
		}
	}
	return netip.Prefix{}, false
}

// prepareProxy makes the reply that boot data are put into, or nil for what
// another server has to answer: on port 67 everything but DISCOVER, on port
// 4011 everything but a REQUEST that was sent to this machine and names no
// other server.
func prepareProxy(m *memory, req *dhcp4.Packet, in dhcp4.Ingress, identifier netip.Addr) *dhcp4.Packet {
	switch kind := dhcp4.TypeOf(req); {
	case !in.BootPort && kind == dhcpv4.MessageTypeDiscover:
	case in.BootPort && kind == dhcpv4.MessageTypeRequest && in.Delivery == lease.DeliveryUnicast && in.Source.Port() != 0:
		if req.Options.Has(dhcpv4.OptionServerIdentifier) && addr4(req.Options.Get(dhcpv4.OptionServerIdentifier)) != identifier {
			return nil
		}
	default:
		return nil
	}
	resp := prepare(m, req, false)
	if identifier.IsValid() {
		dhcp4.SetAddrs(resp, dhcpv4.OptionServerIdentifier, identifier)
	}
	return resp
}

// leases reports whether resp gives an address, which no answer of ProxyDHCP
// may.
func leases(resp *dhcp4.Packet) bool {
	return !addr4(resp.YourIPAddr).IsUnspecified() || resp.Options.Has(dhcpv4.OptionIPAddressLeaseTime)
}

// sendProxy sends an OFFER as a server does to a client without an address, and
// an ACK back to where the REQUEST came from.
func (s *Server) sendProxy(p *packet, o *Outcome, in arrivedBy, local map[netip.Addr]bool) {
	to := netip.AddrPortFrom(in.source.Addr().Unmap(), in.source.Port())
	if !p.via.proxy || to.Addr().IsUnspecified() || !replyable(to.Addr().AsSlice()) {
		s.send(p, o, in, local, nil)
		return
	}
	s.write(p.via, outgoing{reply: o.Reply, row: "source", at: p.at, wire: o.wire, control: p.ask(sourceAddress(o.Reply, in, local), 0), to: to})
}
