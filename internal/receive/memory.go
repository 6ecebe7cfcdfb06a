package receive

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// memory is what one packet needs on its way through the chain: the message with
// all its bytes, the reply, and what handlers share of it. Where the handlers keep
// nothing, the next packet takes it over (B-17).
type memory struct {
	req, resp  dhcp4.Packet
	sent, said dhcpv4.DHCPv4 // of req and resp
	exchange   dhcp4.Exchange

	header [maxHeaderBytes]byte
	values []byte // of the options in sent
	odd    bool   // one of them has a length that has to be mended
	wire   []byte // the reply, until it has left
}

// maxHeaderBytes is what a message refers to of the fixed part: four addresses and
// chaddr.
const maxHeaderBytes = 4*net.IPv4len + maxHardLen

// read makes req the message of a datagram whose options, all of them whole, are
// given without END. It reads as FromBytes of the library does. Nothing refers to
// b afterwards.
func (m *memory) read(b, options []byte) *dhcp4.Packet {
	m.sent = dhcpv4.DHCPv4{
		OpCode:         dhcpv4.OpcodeType(b[0]),
		HWType:         iana.HWType(b[1]),
		HopCount:       b[3],
		TransactionID:  dhcpv4.TransactionID(b[4:8]),
		NumSeconds:     binary.BigEndian.Uint16(b[8:]),
		Flags:          binary.BigEndian.Uint16(b[10:]),
		ServerHostName: upToNUL(b[44:108]),
		BootFileName:   upToNUL(b[108:236]),
		Options:        m.sent.Options,
	}
	copy(m.header[:], b[12:44])
	for i, ip := range [...]*net.IP{&m.sent.ClientIPAddr, &m.sent.YourIPAddr, &m.sent.ServerIPAddr, &m.sent.GatewayIPAddr} {
		*ip = m.header[4*i : 4*i+4 : 4*i+4]
	}
	m.sent.ClientHWAddr = m.header[16 : 16+b[2] : maxHeaderBytes]
	m.values = append(m.values[:0], options...)
	m.req.Begin(&m.sent)
	m.odd = tabulate(&m.req.Options, m.values)
	return &m.req
}

// tabulate lists options that are whole. The values of one that comes again are
// joined (RFC 3396); all others lie in area. It reports whether the length of one is
// not as mend leaves it.
func tabulate(table *dhcp4.Options, area []byte) (odd bool) {
	for i := 0; i < len(area); {
		code := area[i]
		if code == dhcpv4.OptionPad.Code() {
			i++
			continue
		}
		from, to := i+2, i+2+int(area[i+1])
		if usual := fixedLength(code); usual != 0 && to-from != usual {
			odd = true
		}
		option := dhcpv4.GenericOptionCode(code)
		switch before := table.Get(option); {
		case len(before) > 0:
			table.Set(option, append(before, area[from:to]...))
			odd = true
		case from == to:
			table.Set(option, nil)
		default:
			table.Set(option, area[from:to:to])
		}
		i = to
	}
	return odd
}

// fixedLength is the length of an option that mend looks at; 0: it does not.
func fixedLength(code uint8) int {
	switch code {
	case dhcpv4.OptionDHCPMessageType.Code():
		return 1
	case dhcpv4.OptionRequestedIPAddress.Code(), dhcpv4.OptionServerIdentifier.Code():
		return net.IPv4len
	}
	return 0
}

// answer makes resp an empty reply.
func (m *memory) answer() *dhcp4.Packet {
	m.said = dhcpv4.DHCPv4{Options: m.said.Options}
	m.resp.Begin(&m.said)
	return &m.resp
}

// share makes exchange an empty one, but for the decision of a promise that was not
// kept, which is decided anew by it.
func (m *memory) share(in dhcp4.Ingress, broken *lease.Promise) *dhcp4.Exchange {
	var before lease.Decision
	if broken != nil {
		before = m.exchange.Decision
	}
	m.exchange = dhcp4.Exchange{}
	m.exchange.Ingress, m.exchange.Promise = in, broken
	if broken != nil {
		m.exchange.Decision = before
	}
	return &m.exchange
}

// begin gives p memory for one more message.
func (p *packet) begin(c *Chain) {
	if used := p.memory; used != nil && c.Reuse {
		if !c.Exchanges.Poison {
			return
		}
		used.poison()
	}
	p.memory = new(memory)
}

// end takes from p what its message needed. The reply may be on its way out still:
// it stays as it is until p is used again.
func (p *packet) end(c *Chain) {
	if !c.Reuse {
		p.req, p.memory = nil, nil
		return
	}
	if p.memory != nil {
		p.memory.exchange = dhcp4.Exchange{} // not to keep a snapshot of NetBox
	}
}

// encode writes the reply as it is sent. A packet is used again once its reply has
// left.
func (m *memory) encode(reply *dhcp4.Packet) []byte {
	m.wire = dhcp4.AppendMessage(m.wire[:0], reply)
	return m.wire
}

// ask is what the kernel is asked for with the reply. The bytes stay with the
// packet as those of encode do.
func (p *packet) ask(source netip.Addr, ifindex int) []byte {
	p.asked = sendControl(p.asked, source, ifindex)
	return p.asked
}

// poison makes memory useless to a handler that kept it.
func (m *memory) poison() {
	const bad = 0xdb
	for _, b := range [][]byte{m.header[:], m.values} {
		for i := range b {
			b[i] = bad
		}
	}
	clear(m.sent.Options)
	clear(m.said.Options)
	m.req.Options.Clear()
	m.resp.Options.Clear()
	spoilt := dhcpv4.DHCPv4{OpCode: bad, HopCount: bad, TransactionID: dhcpv4.TransactionID{bad, bad, bad, bad}}
	m.sent, m.said = spoilt, spoilt
	m.exchange = dhcp4.Exchange{Message: lease.ClientMessage{Type: bad, Client: "poisoned", Malformed: "poisoned"}}
}

func upToNUL(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}
