// Package replay answers messages that were recorded, or that known clients would
// send, by a chain whose leases are in memory, and tells which answers two chains do
// not give alike. It sends nothing, reads no settings, and must not decide what an
// answer is: the chain does.
package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/capture"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// MaxMessages is how many messages of clients one recording may have; all of them are
// in memory.
const MaxMessages = 2_000_000

// Recording is what a capture holds of DHCPv4.
type Recording struct {
	Requests []capture.Message // of clients, in the order of the file
	// Replies are what another server answered to each; without a Payload: nothing.
	Replies []capture.Message
	Left    LeftOut
}

// LeftOut counts what is in a capture and was not used.
type LeftOut struct {
	Fragments, Cut, Links, Unplaced int
}

// String lists what was left out; empty: nothing.
func (l LeftOut) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{l.Fragments, "fragments"},
		{l.Cut, "messages of which the capture has a part only"},
		{l.Links, "frames of a link that is not read"},
		{l.Unplaced, "messages that came through no relay: give --local or --interface to say where they arrived"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, "; ")
}

// Read reads a capture. With an error other than that there is no capture, the
// Recording has what came before (C-26).
func Read(r io.Reader) (rec Recording, err error) {
	file, err := capture.Open(r)
	if err != nil {
		return rec, err
	}
	waiting := make(map[exchange]int) // requests without a reply yet, the last one each
	for {
		frame, err := file.Next()
		if errors.Is(err, io.EOF) {
			return rec, nil
		}
		if err != nil {
			return rec, err
		}
		if len(rec.Requests) == MaxMessages {
			return rec, fmt.Errorf("more than %s: cut the capture into parts", printable.Count(MaxMessages, "message", "messages"))
		}
		rec.take(frame, waiting)
	}
}

// exchange is what a reply has in common with the message that it answers.
type exchange struct {
	id, relay [4]byte
	hardware  [16]byte
}

func exchangeOf(payload []byte) exchange {
	return exchange{[4]byte(payload[4:8]), [4]byte(payload[24:28]), [16]byte(payload[28:44])}
}

func (r *Recording) take(frame capture.Frame, waiting map[exchange]int) {
	m, kind := capture.Find(frame)
	switch kind {
	case capture.Fragment:
		r.Left.Fragments++
	case capture.Cut:
		r.Left.Cut++
	case capture.Unknown:
		r.Left.Links++
	case capture.Reply:
		of := exchangeOf(m.Payload)
		if i, ok := waiting[of]; ok {
			m.Payload = bytes.Clone(m.Payload)
			r.Replies[i] = m
			delete(waiting, of)
		}
	case capture.Request:
		m.Payload = bytes.Clone(m.Payload)
		waiting[exchangeOf(m.Payload)] = len(r.Requests)
		r.Requests, r.Replies = append(r.Requests, m), append(r.Replies, capture.Message{})
	}
}

// Relay is giaddr of a client's message; the zero Addr: it came through no relay.
func Relay(payload []byte) netip.Addr { return headerAddr(payload[24:28]) }

// Current is ciaddr of a client's message.
func Current(payload []byte) netip.Addr { return headerAddr(payload[12:16]) }

func headerAddr(b []byte) netip.Addr {
	addr := netip.AddrFrom4([4]byte(b))
	if addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// Readdress makes option 54 of a client's message name ours, where it names one of
// others or others is empty: the client then speaks to this server. It changes payload.
func Readdress(payload []byte, others []netip.Addr, ours netip.Addr) {
	at := addrOption(payload, dhcpv4.OptionServerIdentifier)
	if at != nil && ours.Is4() && (len(others) == 0 || slices.Contains(others, netip.AddrFrom4([4]byte(at)))) {
		copy(at, ours.AsSlice())
	}
}

// addrOption is the value of an option in a message that holds one address; nil: it is
// not there.
func addrOption(payload []byte, code dhcpv4.OptionCode) []byte {
	const options, cookie, pad, end = 240, 0x63825363, 0, 255
	if len(payload) < options || binary.BigEndian.Uint32(payload[options-4:]) != cookie {
		return nil
	}
	for b := payload[options:]; len(b) >= 2 && b[0] != end; {
		if b[0] == pad {
			b = b[1:]
			continue
		}
		size := int(b[1])
		if len(b) < 2+size {
			return nil
		}
		if b[0] == code.Code() && size == net.IPv4len {
			return b[2 : 2+size]
		}
		b = b[2+size:]
	}
	return nil
}
