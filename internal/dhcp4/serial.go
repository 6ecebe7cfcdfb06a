package dhcp4

import (
	"encoding/binary"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/ztpv4"
)

// Lengths of a serial number that counts. NetBox keeps 50 characters, and shorter
// ones are numbers of something else, such as the 0 of a virtual router.
const (
	minSerial = 4
	maxSerial = 50
)

// Broadband Forum TR-069 annex F: the enterprise, and where a device has its serial
// number in option 125.
const (
	broadbandForum = 3561
	serialCode     = 2
)

// Serial is the serial number that a client says it has: in its vendor class,
// identifier, name or vendor-identifying class (options 60, 61, 12 and 124), in the
// forms of Arista, Juniper, Cisco, Ciena and ZPE, or in option 125, or in the identifier
// as Nexus switches have it in POAP. It is a claim, and untrusted text; empty: none.
func Serial(req *Packet) string {
	if data, err := ztpv4.ParseVendorData(req.Library()); err == nil {
		if serial := cleanSerial(data.Serial); serial != "" {
			return serial
		}
	}
	if serial := cleanSerial(vendorSerial(req.Options.Get(dhcpv4.OptionVendorIdentifyingVendorSpecific))); serial != "" {
		return serial
	}
	return poapSerial(req.Options.Get(dhcpv4.OptionClientIdentifier))
}

// poapSerial finds the serial number in an identifier that says nothing else: type 0
// (RFC 2132 section 9.14), then place, year and week, and four more, as Cisco numbers
// its devices.
func poapSerial(id []byte) string {
	const place, date, length = 3, 4, 11
	if len(id) != 1+length || id[0] != 0 {
		return ""
	}
	serial := string(id[1:])
	letters := func(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	rest := strings.Trim(serial[place+date:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	if !letters(serial[:place]) || !digits(serial[place:place+date]) || rest != "" {
		return ""
	}
	return serial
}

// cleanSerial cuts blanks and the zeros that pad it; what has other bytes than
// letters, digits and a few signs is none.
func cleanSerial(s string) string {
	s = strings.Trim(s, " \x00")
	foreign := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-_./:", r)
	}
	if len(s) < minSerial || len(s) > maxSerial || strings.ContainsFunc(s, foreign) {
		return ""
	}
	return s
}

// vendorSerial finds the serial number in option 125 (RFC 3925 section 4). Of a value
// that is cut off nothing counts.
func vendorSerial(value []byte) string {
	serial := ""
	for len(value) > 0 {
		if len(value) < 5 || len(value) < 5+int(value[4]) {
			return ""
		}
		enterprise, data := binary.BigEndian.Uint32(value), value[5:5+int(value[4])]
		value = value[5+len(data):]
		if enterprise != broadbandForum || !wholeSubOptions(data) {
			continue
		}
		if s, sent := subOption(data, dhcpv4.GenericOptionCode(serialCode)); sent {
			serial = string(s)
		}
	}
	return serial
}
