package dhcp4

import (
	"bytes"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// wholeSubOptions reports whether all sub-options in the value of option 82 are
// whole, RFC 3046 section 2.0; none are, too. Like the library it takes 0 for
// padding, 255 for the end, and a last code without a length for an empty one.
func wholeSubOptions(info []byte) bool {
	for {
		_, _, rest, more := nextSubOption(info)
		if !more {
			return len(rest) == 0
		}
		info = rest
	}
}

// subOption returns the value of a sub-option; what is sent in several parts is
// joined (RFC 3396). sent tells an empty one from none.
func subOption(info []byte, wanted dhcpv4.OptionCode) (value []byte, sent bool) {
	for {
		code, part, rest, more := nextSubOption(info)
		switch {
		case !more:
			return value, sent
		case code != wanted.Code():
		case len(value) == 0:
			value, sent = part, true
		default:
			value = append(value[:len(value):len(value)], part...)
		}
		info = rest
	}
}

// circuitOf returns circuit-id and remote-id. Where one of them is sent twice, a client
// may have written the first: then the circuit is all of the option, from its first
// sub-option on, for people to see. It begins with the number of a sub-option, so no
// format of circuits reads it (CL-14).
func circuitOf(info []byte) (circuit, remote []byte) {
	const circuitID, remoteID = 1, 2
	var sent [remoteID + 1]bool
	for rest := info; ; {
		code, value, after, more := nextSubOption(rest)
		if !more {
			return circuit, remote
		}
		rest = after
		if code != circuitID && code != remoteID {
			continue
		}
		if sent[code] {
			return bytes.TrimLeft(info, "\x00"), nil
		}
		if sent[code] = true; code == circuitID {
			circuit = value
		} else {
			remote = value
		}
	}
}

// nextSubOption splits the first sub-option off. Where there is no more, rest is
// what cannot be one.
func nextSubOption(info []byte) (code uint8, value, rest []byte, more bool) {
	for len(info) > 0 && info[0] == dhcpv4.OptionPad.Code() {
		info = info[1:]
	}
	if len(info) == 0 || info[0] == dhcpv4.OptionEnd.Code() {
		return 0, nil, nil, false
	}
	if len(info) == 1 {
		return info[0], nil, nil, true
	}
	if len(info) < 2+int(info[1]) {
		return 0, nil, info, false
	}
	n := 2 + int(info[1])
	return info[0], info[2:n], info[n:], true
}
