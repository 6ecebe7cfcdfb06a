package dhcp4

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// Sizes in bytes.
const (
	minMessage   = 576         // every client takes this much (RFC 2131 section 2)
	maxMessage   = 1500        // more than this would be fragmented
	ipUDPHeaders = 28          // option 57 counts them too
	fixedLength  = 236 + 4 + 1 // header, cookie, END
	paddedLength = 300         // RFC 951
	optionHeader = 2           // code and length
	optionLength = 255         // longest value before it is split (RFC 3396)
)

// Trim leaves options out of resp until the client of req can take it, in the
// order of R-5: those of added that are not forced, the last one first, then 119,
// 42, 12, 28, 15, 249, then those that are forced (OPT-10). It returns what it left
// out, for the log. fits is false if resp is still too big without all of these. A
// second call changes nothing.
func Trim(req, resp *Packet, added []option.Chosen) (left []dhcpv4.OptionCode, fits bool) {
	limit := SizeLimit(req)
	over := size(resp) - limit
	if over <= 0 {
		return nil, true
	}
	leave := func(code dhcpv4.OptionCode) {
		if over > 0 && resp.Options.Has(code) {
			resp.Options.Delete(code)
			left = append(left, code)
			over = size(resp) - limit
		}
	}
	forced := func(force bool) {
		for _, c := range slices.Backward(added) {
			if c.Force == force && bytes.Equal(resp.Options.Get(dhcpv4.GenericOptionCode(c.Code)), c.Value) { // else another plugin replaced it
				leave(dhcpv4.GenericOptionCode(c.Code))
			}
		}
	}
	forced(false)
	for _, code := range []dhcpv4.OptionCode{
		dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.OptionNTPServers,
		dhcpv4.OptionHostName,
		dhcpv4.OptionBroadcastAddress,
		dhcpv4.OptionDomainName,
		dhcpv4.GenericOptionCode(249),
	} {
		leave(code)
	}
	forced(true)
	return left, over <= 0
}

// SizeLimit returns how many bytes of DHCP the client takes in one datagram.
func SizeLimit(req *Packet) int {
	limit := minMessage
	if b := req.Options.Get(dhcpv4.OptionMaximumDHCPMessageSize); len(b) == 2 {
		limit = min(max(minMessage, int(binary.BigEndian.Uint16(b))), maxMessage)
	}
	return limit - ipUDPHeaders
}

// size returns the length of resp on the wire without encoding it.
func size(resp *Packet) int {
	n := fixedLength
	for code, value := range resp.Options.All() {
		if code == dhcpv4.OptionPad.Code() || code == dhcpv4.OptionEnd.Code() {
			continue // never written
		}
		parts := max(1, (len(value)+optionLength-1)/optionLength)
		n += parts*optionHeader + len(value)
	}
	return max(n, paddedLength)
}
