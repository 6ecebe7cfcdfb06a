//go:build linux

package hostile

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// attacker sends forged messages. It has a seat on the server's wire, one
// behind the router, and knows MACs and addresses of all victims.
type attacker struct {
	near    *door                             // frames on the server's wire
	far     func(port uint16, b []byte) error // datagrams from an address that is no relay's
	victims []*client
	relay   netip.Addr // a real one, to be posed as
	ledger  *ledger
	sent    atomic.Int64
	lures   sync.WaitGroup
}

// every calls fn about rate times a second until ctx ends.
func every(ctx context.Context, rate int, fn func(r *rand.Rand)) {
	r := rand.New(rand.NewPCG(1, uint64(rate)))
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fn(r)
		}
	}
}

// attacks are the forgeries by name, with how many a second.
func (a *attacker) attacks() map[string]struct {
	rate int
	send func(*rand.Rand)
} {
	type attack = struct {
		rate int
		send func(*rand.Rand)
	}
	return map[string]attack{
		"DISCOVER of made-up MACs on the wire":       {150, func(r *rand.Rand) { a.wire(message(anyMAC(r), dhcpv4.MessageTypeDiscover)) }},
		"DISCOVER by relays that do not exist":       {100, a.relays},
		"DECLINE in the name of victims":             {40, a.declines},
		"RELEASE in the name of victims":             {40, a.releases},
		"DISCOVER and DECLINE of made-up MACs":       {20, a.takeAndDecline},
		"TFTP reads of files that do not exist":      {100, a.tftp},
		"mutated messages":                           {100, a.mutations},
		"INIT-REBOOT of made-up MACs":                {50, a.reboots},
		"REQUEST in the name of victims, for others": {20, a.wrongRequests},
	}
}

func (a *attacker) wire(m *dhcpv4.DHCPv4) {
	a.sent.Add(1)
	_ = a.near.send(m) // lost packets are lost
}

func (a *attacker) routed(m *dhcpv4.DHCPv4) {
	a.sent.Add(1)
	_ = a.far(67, m.ToBytes())
}

func (a *attacker) victim(r *rand.Rand) *client { return a.victims[r.IntN(len(a.victims))] }

func anyMAC(r *rand.Rand) net.HardwareAddr {
	mac := make(net.HardwareAddr, 6)
	binary.BigEndian.PutUint32(mac[2:], r.Uint32())
	mac[0], mac[1] = 0x0e, byte(r.Uint32())
	return mac
}

func anyAddr(r *rand.Rand) net.IP {
	return binary.BigEndian.AppendUint32(nil, r.Uint32())
}

// relays poses as relays of any network, and as the real one with a choice of
// network of its own.
func (a *attacker) relays(r *rand.Rand) {
	m := message(anyMAC(r), dhcpv4.MessageTypeDiscover)
	m.GatewayIPAddr = anyAddr(r)
	if r.IntN(2) == 0 {
		m.GatewayIPAddr = a.relay.AsSlice()
	}
	if r.IntN(2) == 0 {
		m.UpdateOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.LinkSelectionSubOption, a.victim(r).addr.AsSlice())))
	}
	a.routed(m)
}

func (a *attacker) declines(r *rand.Rand) {
	v := a.victim(r)
	m := message(v.mac, dhcpv4.MessageTypeDecline, dhcpv4.OptRequestedIPAddress(v.addr.AsSlice()))
	if r.IntN(2) == 0 {
		m.GatewayIPAddr = a.relay.AsSlice()
	}
	a.routed(m)
}

func (a *attacker) releases(r *rand.Rand) {
	v := a.victim(r)
	m := message(v.mac, dhcpv4.MessageTypeRelease)
	m.ClientIPAddr = v.addr.AsSlice()
	if r.IntN(2) == 0 {
		m.GatewayIPAddr = a.relay.AsSlice()
	}
	a.routed(m)
}

// takeAndDecline asks for an address on the wire and says that it is in use.
func (a *attacker) takeAndDecline(r *rand.Rand) {
	mac := anyMAC(r)
	a.wire(message(mac, dhcpv4.MessageTypeDiscover))
	for range 3 {
		addr := netip.AddrFrom4([4]byte{10, 10, 1, byte(r.Uint32())})
		a.wire(message(mac, dhcpv4.MessageTypeDecline, dhcpv4.OptRequestedIPAddress(addr.AsSlice())))
	}
}

func (a *attacker) reboots(r *rand.Rand) {
	a.wire(message(anyMAC(r), dhcpv4.MessageTypeRequest, dhcpv4.OptRequestedIPAddress(a.victim(r).addr.AsSlice())))
}

// wrongRequests have a victim's MAC and another's address: a refusal goes to the
// victim, which did not ask, and is not counted against the server.
func (a *attacker) wrongRequests(r *rand.Rand) {
	a.wire(message(a.victim(r).mac, dhcpv4.MessageTypeRequest, dhcpv4.OptRequestedIPAddress(a.victim(r).addr.AsSlice())))
}

func (a *attacker) tftp(r *rand.Rand) {
	a.sent.Add(1)
	_ = a.far(69, fmt.Appendf(nil, "\x00\x01%s\x1b[2J\n\x00octet\x00", anyMAC(r)))
}

func (a *attacker) mutations(r *rand.Rand) {
	v := a.victim(r)
	m := message(v.mac, dhcpv4.MessageTypeRequest, dhcpv4.OptRequestedIPAddress(v.addr.AsSlice()))
	b := m.ToBytes()
	for range 1 + r.IntN(4) {
		b[r.IntN(len(b))] = byte(r.Uint32())
	}
	a.sent.Add(1)
	_ = a.far(67, b)
}

// lure is a made-up machine that plays by the rules, so that its ACKs count as
// ownership: the pool fills with them.
func (a *attacker) lure(d *door) func(*rand.Rand) {
	return func(r *rand.Rand) {
		mac := anyMAC(r)
		a.lures.Go(func() { _, _ = lease(d, a.ledger, stranger, mac) }) // it may well be turned away
	}
}
