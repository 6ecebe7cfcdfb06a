package load

import "encoding/binary"

// Offsets in a DHCP message (RFC 2131 section 2).
const (
	atXID     = 4
	atYiaddr  = 16
	atGiaddr  = 24
	atChaddr  = 28
	atCookie  = 236
	atOptions = 240
)

// Option and message types that the load speaks of (RFC 2132).
const (
	optionWish   = 50
	optionKind   = 53
	optionServer = 54
	optionAsked  = 55
	optionRelay  = 82
	optionEnd    = 255

	discover = 1
	offer    = 2
	request  = 3
	ack      = 5
	nak      = 6
)

const cookie = 0x63825363

// shortest is what clients fill their messages up to (RFC 1542 section 2.1).
const shortest = 300

// asked are the options a common client wants.
var asked = []byte{1, 3, 6, 12, 15, 28, 51}

// sourcePort asks for replies at the port that the relay sent from (RFC 8357).
var sourcePort = []byte{19, 0}

// writeMessage makes a relayed message of a client in b, which has room for
// one, and returns its length. A REQUEST carries the address and the server
// of the OFFER it answers.
func writeMessage(b []byte, kind byte, xid, giaddr, client uint32, wish, server []byte) int {
	clear(b[:shortest])
	b[0], b[1], b[2], b[3] = 1, 1, 6, 1 // from a client, Ethernet, 6 bytes of address, one relay
	binary.BigEndian.PutUint32(b[atXID:], xid)
	binary.BigEndian.PutUint32(b[atGiaddr:], giaddr)
	mac := MAC(client)
	copy(b[atChaddr:], mac[:])
	binary.BigEndian.PutUint32(b[atCookie:], cookie)
	n := atOptions
	add := func(code byte, value ...byte) {
		b[n], b[n+1] = code, byte(len(value))
		n += 2 + copy(b[n+2:], value)
	}
	add(optionKind, kind)
	if kind == request {
		add(optionWish, wish...)
		add(optionServer, server...)
	}
	add(optionAsked, asked...)
	add(optionRelay, sourcePort...)
	b[n] = optionEnd
	return max(n+1, shortest)
}

// MAC is the hardware address of a client.
func MAC(client uint32) [6]byte {
	mac := [6]byte{2}
	binary.BigEndian.PutUint32(mac[2:], client)
	return mac
}

// option returns the value of the first option of a code; nil if there is none.
func option(m []byte, code byte) []byte {
	for i := atOptions; i < len(m) && m[i] != optionEnd; {
		if m[i] == 0 {
			i++
			continue
		}
		if i+1 >= len(m) || i+2+int(m[i+1]) > len(m) {
			return nil
		}
		value := m[i+2 : i+2+int(m[i+1])]
		if m[i] == code {
			return value
		}
		i += 2 + len(value)
	}
	return nil
}
