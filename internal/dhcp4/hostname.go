package dhcp4

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// maxName is the longest DNS name in text form, RFC 1035 section 2.3.4.
const maxName = 253

// Flags of option 81, RFC 4702 section 2.1.
const (
	fqdnServerUpdates byte = 1 << iota // S
	fqdnOverride                       // O
	fqdnEncoded                        // E: the name is in DNS wire format
	fqdnNoUpdate                       // N
)

// fqdnHeader is the length of flags and result codes before the name.
const fqdnHeader = 3

// clientName returns the name the client gives itself, fit for a log line and a
// custom field: option 81, else 12. Empty: none.
func clientName(req *Packet) string {
	if b := req.Options.Get(dhcpv4.OptionFQDN); len(b) > fqdnHeader {
		name := string(b[fqdnHeader:])
		if b[0]&fqdnEncoded != 0 {
			name = wireName(b[fqdnHeader:])
		}
		if name = cleanName(name); name != "" {
			return name
		}
	}
	return cleanName(string(req.Options.Get(dhcpv4.OptionHostName)))
}

// nameWish reads the flags of option 81.
func nameWish(req *Packet) lease.NameWish {
	b := req.Options.Get(dhcpv4.OptionFQDN)
	switch {
	case len(b) < fqdnHeader:
		return lease.NameNoWish
	case b[0]&fqdnNoUpdate != 0:
		return lease.NameNoUpdate
	case b[0]&fqdnServerUpdates != 0:
		return lease.NameServerUpdates
	}
	return lease.NameClientUpdates
}

// wireName reads labels up to the root label or the end, since a client may
// send a partial name. RFC 4702 section 2.3.1 forbids compression; what does
// not parse yields no name.
func wireName(b []byte) string {
	var labels []string
	for len(b) > 0 && b[0] != 0 {
		n := int(b[0])
		if n > 63 || n >= len(b) {
			return ""
		}
		labels = append(labels, string(b[1:1+n]))
		b = b[1+n:]
	}
	return strings.Join(labels, ".")
}

// cleanName keeps what can be printed, at most maxName bytes.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	for len(name) > maxName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return strings.TrimSpace(name)
}

// Registration is what this server does with the name of a client in DNS. The zero value
// is nothing.
type Registration struct {
	Name    string // in full, with a dot at its end; empty: nothing is updated
	Address bool   // the address of the name is updated here, and not by the client
}

// answerFQDN returns the reply to option 81 (R-9, RFC 4702 section 4). nil: the client's
// option is too short to be answered.
func answerFQDN(b []byte, r Registration) []byte {
	if len(b) < fqdnHeader {
		return nil
	}
	flags, name := b[0]&fqdnEncoded, b[fqdnHeader:]
	if r.Name == "" {
		flags |= fqdnNoUpdate
	} else if r.Address {
		flags |= fqdnServerUpdates
	}
	if (b[0]^flags)&fqdnServerUpdates != 0 {
		flags |= fqdnOverride
	}
	if r.Name != "" {
		name = encodeName(r.Name, flags&fqdnEncoded != 0)
	}
	return append([]byte{flags, 255, 255}, name...)
}

// encodeName writes a full name as labels, or as the older form has it, in text.
func encodeName(name string, labels bool) []byte {
	if !labels {
		return []byte(strings.TrimSuffix(name, "."))
	}
	var wire []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		wire = append(append(wire, byte(len(label))), label...) //nolint:gosec // G115: labels have 63 bytes at most
	}
	return append(wire, 0)
}

// HostName returns what option 12 can say of a machine's name in NetBox: the name,
// or the first label of a full one. Empty: the name is no host name.
func HostName(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	host, domain, qualified := strings.Cut(strings.TrimSuffix(name, "."), ".")
	if !hostLabel(host) {
		return ""
	}
	for label := ""; qualified; {
		if label, domain, qualified = strings.Cut(domain, "."); !hostLabel(label) {
			return ""
		}
	}
	return host
}

// hostLabel reports whether name can be sent as a host name: one label of
// letters, digits and inner hyphens, RFC 1123 section 2.1.
func hostLabel(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
