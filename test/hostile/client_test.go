//go:build linux

package hostile

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Kinds of clients.
const (
	known    = "known host"      // its MAC has a static address in NetBox
	leased   = "leased client"   // it had a lease before the trouble began
	stranger = "made-up machine" // plays by the protocol, with a MAC made up by an attacker
)

// client is one machine that keeps its address.
type client struct {
	kind   string
	door   *door
	mac    net.HardwareAddr
	addr   netip.Addr // its own
	ledger *ledger
}

func (c *client) String() string { return fmt.Sprintf("%s (%s)", c.mac, c.addr) }

// live asks by turns as a machine does that starts, comes back and renews, about
// once a second, until ctx ends.
func (c *client) live(ctx context.Context, first int) {
	moves := []func(){c.renew, c.start, c.renew, c.comeBack}
	for n := first; ctx.Err() == nil; n++ {
		moves[n%len(moves)]()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// start is DISCOVER to ACK. A leased client may be offered nothing while the
// server is in trouble; what counts is that it is never refused.
func (c *client) start() {
	offer := c.door.ask(c.message(dhcpv4.MessageTypeDiscover, dhcpv4.OptRequestedIPAddress(c.addr.AsSlice())))
	if offer == nil {
		c.ledger.exchange(c.kind, c.String(), "DISCOVER", false)
		return
	}
	c.conclude("SELECTING", c.message(dhcpv4.MessageTypeRequest,
		dhcpv4.OptRequestedIPAddress(offer.YourIPAddr), dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
}

func (c *client) comeBack() {
	c.conclude("INIT-REBOOT", c.message(dhcpv4.MessageTypeRequest, dhcpv4.OptRequestedIPAddress(c.addr.AsSlice())))
}

// renew is the REQUEST of REBINDING: it reaches the server by broadcast or relay.
func (c *client) renew() {
	m := c.message(dhcpv4.MessageTypeRequest)
	m.ClientIPAddr = c.addr.AsSlice()
	c.conclude("REBINDING", m)
}

// conclude sends a REQUEST and notes what came of it.
func (c *client) conclude(state string, m *dhcpv4.DHCPv4) {
	reply := c.door.ask(m)
	switch {
	case reply == nil:
		c.ledger.exchange(c.kind, c.String(), state, false)
		return
	case reply.MessageType() == dhcpv4.MessageTypeNak:
		c.ledger.refused(c.kind+" "+c.String(), fmt.Sprintf("%s (%s)", state, reply.Message()))
	case reply.MessageType() == dhcpv4.MessageTypeAck:
		got, _ := netip.AddrFromSlice(reply.YourIPAddr.To4())
		if got != c.addr && state != "SELECTING" {
			c.ledger.refused(c.kind+" "+c.String(), state+" was answered with "+got.String())
		}
		c.ledger.granted(c.mac.String(), got, reply.IPAddressLeaseTime(0))
	}
	c.ledger.exchange(c.kind, c.String(), state, true)
}

func (c *client) message(kind dhcpv4.MessageType, options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	return message(c.mac, kind, options...)
}

// message is one of a client that wants its answers by broadcast.
func message(mac net.HardwareAddr, kind dhcpv4.MessageType, options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(kind), dhcpv4.WithBroadcast(true),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter))
	if err != nil {
		panic(err) // no random numbers
	}
	for _, o := range options {
		m.UpdateOption(o)
	}
	return m
}

// lease makes a client that has a lease: DISCOVER to ACK, once.
func lease(d *door, l *ledger, kind string, mac net.HardwareAddr) (*client, error) {
	offer := d.ask(message(mac, dhcpv4.MessageTypeDiscover))
	if offer == nil {
		return nil, fmt.Errorf("%s: no offer", mac)
	}
	ack := d.ask(message(mac, dhcpv4.MessageTypeRequest,
		dhcpv4.OptRequestedIPAddress(offer.YourIPAddr), dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		return nil, fmt.Errorf("%s: no ACK for %s", mac, offer.YourIPAddr)
	}
	addr, _ := netip.AddrFromSlice(ack.YourIPAddr.To4())
	l.granted(mac.String(), addr, ack.IPAddressLeaseTime(0))
	return &client{kind: kind, door: d, mac: mac, addr: addr, ledger: l}, nil
}
