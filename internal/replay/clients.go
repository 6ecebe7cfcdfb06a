package replay

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Clients makes the messages that clients which are known would send: those with a
// lease that runs at now, to renew it and after a restart, and those with a static
// address in one of the snapshots, after a restart. They come as from a relay in the
// client's network: its gateway, or, where relays are listed, the first of them, which
// says by link selection which network it is (C-24).
type Clients struct {
	Snapshots  []*ipam.Snapshot // places come from the first that knows them
	Leases     []lease.Lease
	Relays     []netip.Prefix // of network.relays
	Identifier netip.Addr
	Now        time.Time

	asked map[place]bool
	list  []Question
	// Unasked counts leases of clients without a hardware address, or in no network of
	// NetBox.
	Unasked int
}

// place is a client in a network.
type place struct {
	client  string
	network netip.Prefix
}

// Questions lists the messages, leased clients first, by address.
func (c *Clients) Questions() []Question {
	c.asked = make(map[place]bool)
	running := slices.Clone(c.Leases)
	slices.SortFunc(running, func(a, b lease.Lease) int { return a.Addr.Compare(b.Addr) })
	for _, l := range running {
		if l.State == lease.Bound && l.Expires.After(c.Now) {
			c.leased(l)
		}
	}
	for _, s := range c.Snapshots {
		c.static(s)
	}
	return c.list
}

// leased asks for a client with a lease.
func (c *Clients) leased(l lease.Lease) {
	key, hardware := string(l.Client), string(l.Hardware)
	var identifier []byte
	if hardware == "" {
		hardware = key
	} else {
		identifier, _ = hex.DecodeString(strings.ReplaceAll(key[strings.IndexByte(key, '/')+1:], ":", ""))
	}
	mac, err := net.ParseMAC(hardware)
	network, relay := c.networkOf(l.Addr)
	if err != nil || !relay.IsValid() {
		c.Unasked++
		return
	}
	c.asked[place{key, network}] = true
	renew := c.message(dhcpv4.MessageTypeRequest, mac, identifier)
	renew.ClientIPAddr = l.Addr.AsSlice()
	c.list = append(c.list, Question{Payload: renew.ToBytes(), Identifier: c.Identifier, Ingress: dhcp4.Ingress{
		Delivery: lease.DeliveryUnicast, Source: netip.AddrPortFrom(l.Addr, dhcpv4.ClientPort),
	}})
	c.discover(mac, identifier, l.Addr, network, relay)
}

// static asks for the clients with static addresses.
func (c *Clients) static(s *ipam.Snapshot) {
	var static []*ipam.Address
	for _, a := range s.Objects().Addresses {
		if s.IsStatic(a) {
			static = append(static, a)
		}
	}
	slices.SortFunc(static, func(a, b *ipam.Address) int { return a.Address.Addr().Compare(b.Address.Addr()) })
	for _, a := range static {
		macs := s.MACsOf(a)
		if s.IsReserved(a) {
			macs = []ipam.MAC{a.Reserved.MAC}
		}
		network, relay := c.networkOf(a.Address.Addr())
		for _, mac := range macs {
			if mac == (ipam.MAC{}) || !relay.IsValid() || c.asked[place{mac.String(), network}] {
				continue
			}
			c.asked[place{mac.String(), network}] = true
			c.discover(mac[:], nil, netip.Addr{}, network, relay)
		}
	}
}

// networkOf finds the network of an address, and who relays from there.
func (c *Clients) networkOf(addr netip.Addr) (network netip.Prefix, relay netip.Addr) {
	for _, s := range c.Snapshots {
		n, err := s.Network(addr, 0)
		if err != nil {
			continue
		}
		network = n.Prefix.Prefix
		for _, gateway := range s.Gateways(n) {
			if len(c.Relays) == 0 || ipam.InAny(c.Relays, gateway.Address.Addr()) {
				return network, gateway.Address.Addr()
			}
		}
		if len(c.Relays) > 0 {
			return network, c.Relays[0].Addr()
		}
		if network.Bits() >= 31 {
			return network, network.Addr()
		}
		return network, network.Masked().Addr().Next()
	}
	return network, relay
}

// discover asks as a client does that has restarted and remembers an address, or none.
func (c *Clients) discover(mac net.HardwareAddr, identifier []byte, remembers netip.Addr, network netip.Prefix, relay netip.Addr) {
	m := c.message(dhcpv4.MessageTypeDiscover, mac, identifier)
	m.GatewayIPAddr = relay.AsSlice()
	if remembers.IsValid() {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(remembers.AsSlice()))
	}
	if !network.Contains(relay) {
		m.UpdateOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(linkSelection), network.Addr().AsSlice())))
	}
	c.list = append(c.list, Question{Payload: m.ToBytes(), Identifier: c.Identifier, Ingress: dhcp4.Ingress{
		Delivery: lease.DeliveryUnicast, Source: netip.AddrPortFrom(relay, dhcpv4.ServerPort),
	}})
}

// linkSelection is a sub-option of option 82 (RFC 3527).
const linkSelection = 5

// message is one that is the same each time.
func (c *Clients) message(kind dhcpv4.MessageType, mac net.HardwareAddr, identifier []byte) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: mac, Options: make(dhcpv4.Options),
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
	}
	binary.BigEndian.PutUint32(m.TransactionID[:], uint32(len(c.list))) //nolint:gosec // G115: any number will do
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	m.UpdateOption(dhcpv4.OptParameterRequestList(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName,
		dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionNTPServers,
		dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute))
	if len(identifier) > 0 {
		m.UpdateOption(dhcpv4.OptClientIdentifier(identifier))
	}
	return m
}
