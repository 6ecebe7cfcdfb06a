package dhcp4

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Packet is a message whose options lie in a table of our own: what our plugins and the
// receive loop read and write. The library's message, which it shares the header with, is
// for handlers of others; its options are out of date until Library is called.
type Packet struct {
	*Header
	Options Options
	words   []byte // memory that values of options and addresses of the header lie in
}

// Header is a message of the library without the methods, since many of them read the
// options.
type Header dhcpv4.DHCPv4

// IsBroadcast reports whether the client wants replies broadcast (RFC 2131 section 2).
func (h *Header) IsBroadcast() bool { return h.Flags&broadcastFlag != 0 }

// SetBroadcast has replies broadcast.
func (h *Header) SetBroadcast() { h.Flags |= broadcastFlag }

const broadcastFlag = 0x8000

// Of returns m as a Packet; nil for nil.
func Of(m *dhcpv4.DHCPv4) *Packet {
	if m == nil {
		return nil
	}
	p := new(Packet)
	p.Load(m)
	return p
}

// Begin makes p the message m, but without options. Nothing of the message before is of
// use any more.
func (p *Packet) Begin(m *dhcpv4.DHCPv4) {
	p.Header = (*Header)(m)
	p.Options.Clear()
	p.words = p.words[:0]
}

// Load makes p the message m, which may be the one before as a handler left it.
func (p *Packet) Load(m *dhcpv4.DHCPv4) {
	p.Header = (*Header)(m)
	p.Options.Clear()
	for code, value := range m.Options {
		p.Options.Set(dhcpv4.GenericOptionCode(code), value)
	}
}

// Library returns the message as handlers of others know it, with the options of now.
func (p *Packet) Library() *dhcpv4.DHCPv4 {
	m := (*dhcpv4.DHCPv4)(p.Header)
	if m.Options == nil {
		m.Options = make(dhcpv4.Options, len(p.Options.values))
	}
	clear(m.Options)
	for code, value := range p.Options.All() {
		m.Options[code] = value
	}
	return m
}

// wordLen is the length of a number or an address in an option.
const wordLen = 4

// number is n as the value of an option of p.
func (p *Packet) number(n uint32) []byte {
	p.words = binary.BigEndian.AppendUint32(p.words, n)
	return p.lastWords(wordLen)
}

// addr is an IPv4 address as the value of an option of p, or in its header.
func (p *Packet) addr(a netip.Addr) []byte {
	octets := a.As4()
	p.words = append(p.words, octets[:]...)
	return p.lastWords(wordLen)
}

func (p *Packet) lastWords(n int) []byte {
	end := len(p.words)
	return p.words[end-n : end : end]
}

// Options is a table of options that finds them without a hash. The zero value is
// empty.
type Options struct {
	here   codes      // present
	placed codes      // present, or were since Clear
	place  [256]uint8 // of those that are placed: where in values the value is
	values [][]byte
}

// codes is a set of option codes.
type codes [4]uint64

func (s *codes) has(code uint8) bool { return s[code>>6]>>(code&63)&1 == 1 }
func (s *codes) add(code uint8)      { s[code>>6] |= 1 << (code & 63) }
func (s *codes) remove(code uint8)   { s[code>>6] &^= 1 << (code & 63) }

// Clear takes all options out.
func (o *Options) Clear() {
	o.here, o.placed, o.values = codes{}, codes{}, o.values[:0]
}

// Has reports whether an option is present, if only with the length zero.
func (o *Options) Has(code dhcpv4.OptionCode) bool {
	return o.here.has(code.Code())
}

// Get returns the value of an option; nil if it is not present.
func (o *Options) Get(code dhcpv4.OptionCode) []byte {
	value, _ := o.Sent(code)
	return value
}

// Sent returns the value of an option, and whether it is present.
func (o *Options) Sent(code dhcpv4.OptionCode) (value []byte, present bool) {
	c := code.Code()
	if !o.here.has(c) {
		return nil, false
	}
	return o.values[o.place[c]], true
}

// Set gives an option a value.
func (o *Options) Set(code dhcpv4.OptionCode, value []byte) {
	c := code.Code()
	o.here.add(c)
	if o.placed.has(c) {
		o.values[o.place[c]] = value
		return
	}
	o.placed.add(c)
	o.place[c] = uint8(len(o.values)) //nolint:gosec // G115: at most one place for each code
	o.values = append(o.values, value)
}

// Delete takes an option out.
func (o *Options) Delete(code dhcpv4.OptionCode) {
	o.here.remove(code.Code())
}

// All are the options in the order of their codes.
func (o *Options) All() iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		for i, word := range o.here {
			for ; word != 0; word &= word - 1 {
				code := uint8(i<<6 | bits.TrailingZeros64(word)) //nolint:gosec // G115: i is below 4
				if !yield(code, o.values[o.place[code]]) {
					return
				}
			}
		}
	}
}
