package lease

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Clients of the tests; web is known to NetBox in most worlds.
const (
	alice ClientID = "52:54:00:00:00:0A"
	bob   ClientID = "52:54:00:00:00:0B"
	carol ClientID = "52:54:00:00:00:0C"
	web   ClientID = "52:54:00:00:00:EB"
)

var (
	serverAddr = netip.MustParseAddr("10.0.0.2")
	otherAddr  = netip.MustParseAddr("10.0.0.3")
	relayAddr  = netip.MustParseAddr("10.0.0.1")
)

// field changes a message.
type field func(*ClientMessage)

func wants(addr string) field {
	return func(m *ClientMessage) { m.RequestedAddr = netip.MustParseAddr(addr) }
}
func has(addr string) field {
	return func(m *ClientMessage) { m.ClientAddr = netip.MustParseAddr(addr) }
}
func to(server netip.Addr) field { return func(m *ClientMessage) { m.ServerID = server } }
func via(relay string) field {
	return func(m *ClientMessage) { m.Relay = optionalAddr(relay) }
}
func unicast() field {
	return func(m *ClientMessage) { m.Delivery, m.Relay = DeliveryUnicast, netip.Addr{} }
}
func at(name string, addrs ...string) field {
	return func(m *ClientMessage) {
		m.Relay, m.Interface, m.InterfaceAddrs = netip.Addr{}, name, nil
		m.Delivery = DeliveryBroadcast
		for _, a := range addrs {
			m.InterfaceAddrs = append(m.InterfaceAddrs, netip.MustParseAddr(a))
		}
	}
}
func stockServer() field {
	return func(m *ClientMessage) { m.Delivery, m.Relay = DeliveryUnknown, netip.Addr{} }
}
func asking(d time.Duration) field { return func(m *ClientMessage) { m.LeaseTime = d } }
func named(name string) field      { return func(m *ClientMessage) { m.Hostname = name } }

func optionalAddr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

// message is relayed from 10.0.0.1, and sent by that relay, unless a field says
// otherwise.
func message(kind MessageType, client ClientID, fields ...field) ClientMessage {
	m := ClientMessage{Type: kind, Client: client, Identifier: serverAddr, Relay: relayAddr, Delivery: DeliveryUnicast}
	if mac, err := ipam.ParseMAC(string(client)); err == nil {
		m.MAC, m.HasMAC = mac, true
	}
	for _, f := range fields {
		f(&m)
	}
	if !m.Source.IsValid() && m.Delivery != DeliveryUnknown {
		m.Source = honest(m)
	}
	return m
}

// honest is the sender of a message that is not forged.
func honest(m ClientMessage) netip.Addr {
	switch {
	case m.Relay.IsValid():
		return m.Relay
	case m.ClientAddr.IsValid() && m.Delivery == DeliveryUnicast:
		return m.ClientAddr
	}
	return netip.IPv4Unspecified()
}

// from says who really sent the packet.
func from(addr string) field {
	return func(m *ClientMessage) { m.Source = netip.MustParseAddr(addr) }
}

func discover(c ClientID, fields ...field) ClientMessage { return message(Discover, c, fields...) }
func request(c ClientID, fields ...field) ClientMessage  { return message(Request, c, fields...) }

// selecting accepts an offer of this server.
func selecting(c ClientID, addr string, fields ...field) ClientMessage {
	return request(c, append([]field{to(serverAddr), wants(addr)}, fields...)...)
}

// renewing is what a client sends at T1, straight to the server.
func renewing(c ClientID, addr string, fields ...field) ClientMessage {
	return request(c, append([]field{has(addr), unicast()}, fields...)...)
}
