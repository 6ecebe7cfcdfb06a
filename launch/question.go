package launch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// identifier is the option 54 the receive loop or the server_id plugin would
// give.
func (q question) identifier(chain settings.Chain) (netip.Addr, error) {
	for _, text := range []string{chain.ServerID(), q.serverID, q.local, ownAddress(chain.Listen)} {
		if text == "" {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil || !addr.Is4() {
			return netip.Addr{}, fmt.Errorf("server identifier: want an IPv4 address, not %q", text)
		}
		return addr, nil
	}
	return netip.Addr{}, errors.New("the settings have no server_id line, and no address of this machine tells: name our address with --server-id")
}

// ownAddress is the address of this machine that a client behind a relay would
// be told: that of an interface in server4.listen, else of any. It is
// empty if there is none.
func ownAddress(listen []settings.Listener) string {
	for _, l := range listen {
		if !l.Addr.IsUnspecified() {
			return l.Addr.String()
		}
		if device, err := net.InterfaceByName(l.Interface); err == nil {
			if own := firstAddress(device.Addrs); own != "" {
				return own
			}
		}
	}
	return firstAddress(net.InterfaceAddrs)
}

// firstAddress is the first IPv4 address beyond loopback, or the first at all.
func firstAddress(read func() ([]net.Addr, error)) (first string) {
	addrs, err := read()
	if err != nil {
		return ""
	}
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr.String())
		switch {
		case err != nil || !prefix.Addr().Is4():
		case !prefix.Addr().IsLoopback():
			return prefix.Addr().String()
		case first == "":
			first = prefix.Addr().String()
		}
	}
	return first
}

// asked makes the message, or takes it from a file that read reads.
func (q question) asked(chain settings.Chain, read func(string) ([]byte, error)) (asked, error) {
	identifier, err := q.identifier(chain)
	if err != nil {
		return asked{}, err
	}
	if q.capture != "" {
		return q.taken(identifier, read)
	}
	req, in, err := q.packet(identifier)
	if err != nil {
		return asked{}, err
	}
	return asked{Packet: req.ToBytes(), Ingress: in, Identifier: identifier}, nil
}

// taken takes the message from a capture. The capture does not say which interface
// of the server is meant.
func (q question) taken(identifier netip.Addr, read func(string) ([]byte, error)) (asked, error) {
	path := q.capture
	if path == "-" {
		path = "/dev/stdin"
	}
	data, err := read(path)
	if err != nil {
		return asked{}, fmt.Errorf("--packet: %w", err)
	}
	all, err := captures(data)
	if err != nil {
		return asked{}, fmt.Errorf("--packet %s: %w", q.capture, err)
	}
	if q.frame < 1 || q.frame > len(all) {
		return asked{}, fmt.Errorf("--frame: want 1 to %d, not %d", len(all), q.frame)
	}
	c := all[q.frame-1]
	var b messageBuilder
	in := c.way()
	if source := b.addr("--source", q.source); source.IsValid() {
		in.Source = netip.AddrPortFrom(source, dhcpv4.ServerPort)
	}
	q.arrive(&in, b.addr("--local", q.local))
	const giaddr = 24
	if relayed := !netip.AddrFrom4([4]byte(c.payload[giaddr : giaddr+4])).IsUnspecified(); !relayed && len(in.Addrs) == 0 {
		b.fail("where is the client? the message came through no relay: give --local, or an --interface of this machine")
	}
	return asked{Packet: c.payload, Ingress: in, Identifier: identifier}, errors.Join(b.problems...)
}

// way is how a captured message came, as far as the capture tells.
func (c captured) way() dhcp4.Ingress {
	const bootPort = 4011
	in := dhcp4.Ingress{Delivery: lease.DeliveryBroadcast, Source: c.source, BootPort: c.to.Port() == bootPort}
	if c.to.IsValid() && c.to.Addr() != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		in.Delivery = lease.DeliveryUnicast
	}
	return in
}

// packet makes the message; identifier is our option 54.
func (q question) packet(identifier netip.Addr) (*dhcpv4.DHCPv4, dhcp4.Ingress, error) {
	var b messageBuilder
	in := dhcp4.Ingress{Delivery: lease.DeliveryBroadcast}
	mac, err := net.ParseMAC(q.mac)
	if err != nil {
		b.fail("--mac: want a hardware address such as 52:54:00:12:34:56, not %q", q.mac)
	}
	relay, local := b.addr("--relay", q.relay), b.addr("--local", q.local)
	request, current := b.addr("--request", q.request), b.addr("--current", q.current)
	q.arrive(&in, local)
	in.BootPort = q.message == proxyRequest
	if q.message == "renew" || in.BootPort {
		in.Delivery = lease.DeliveryUnicast
	}
	if !relay.IsValid() && len(in.Addrs) == 0 && q.message != "renew" {
		b.fail("where is the client? give --relay, --local or an --interface of this machine")
	}
	req := b.message(q.message, mac, request, current, identifier)
	if len(b.problems) > 0 {
		return nil, in, errors.Join(b.problems...)
	}
	in.Source = netip.AddrPortFrom(netip.IPv4Unspecified(), dhcpv4.ClientPort)
	if dhcp4.HasAddress(dhcp4.Of(req)) {
		in.Source = netip.AddrPortFrom(current, dhcpv4.ClientPort)
	}
	if relay.IsValid() {
		req.GatewayIPAddr = relay.AsSlice()
		in.Source = netip.AddrPortFrom(relay, dhcpv4.ServerPort)
	}
	if source := b.addr("--source", q.source); source.IsValid() {
		in.Source = netip.AddrPortFrom(source, in.Source.Port())
	}
	q.addBoot(req)
	b.details(req, q)
	return req, in, errors.Join(b.problems...)
}

// details adds what a message can say besides (RFC 2132, RFC 3046).
func (b *messageBuilder) details(req *dhcpv4.DHCPv4, q question) {
	if q.secs < 0 || q.secs > 65535 {
		b.fail("--secs: want 0 to 65535, not %d", q.secs)
	}
	req.NumSeconds = uint16(q.secs) //nolint:gosec // G115: checked
	if q.broadcast {
		req.SetBroadcast()
	}
	for _, text := range q.options {
		if code, value, ok := b.option("--option", text, []uint8{50, 54, 118}); ok {
			req.Options[code] = value
		}
	}
	relayed := make(dhcpv4.Options)
	for _, text := range q.subOptions {
		if code, value, ok := b.option("--sub-option", text, []uint8{5, 11, 150, 152}); ok {
			relayed[code] = value
		}
	}
	for code, text := range map[uint8]string{1: q.circuit, 2: q.remote} {
		flag := map[uint8]string{1: "--circuit-id", 2: "--remote-id"}[code]
		if text == "" {
			continue
		}
		if _, twice := relayed[code]; twice {
			b.fail("%s: --sub-option %d says it too", flag, code)
		}
		if _, value, ok := b.option(flag, fmt.Sprintf("%d=%s", code, text), nil); ok {
			relayed[code] = value
		}
	}
	if len(relayed) > 0 {
		req.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, relayed.ToBytes()))
	}
}

// option reads CODE=VALUE. The value is text, bytes as hex:0a00, an address in those
// of addresses, and a list of numbers in option 55.
func (b *messageBuilder) option(flag, text string, addresses []uint8) (code uint8, value []byte, ok bool) {
	number, word, found := strings.Cut(text, "=")
	n, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil || n == 0 || n == 255 {
		b.fail("%s: want a number from 1 to 254 and a value, as in 60=PXEClient or 61=hex:0152540012, not %q", flag, text)
		return 0, nil, false
	}
	code = uint8(n)
	digits, isHex := strings.CutPrefix(word, "hex:")
	switch addr, notAddr := netip.ParseAddr(word); {
	case isHex:
		value, err = hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(digits))
	case slices.Contains(addresses, code) && notAddr == nil && addr.Is4():
		value = addr.AsSlice()
	case slices.Contains(addresses, code) && word != "":
		err = errors.New("it holds an IPv4 address")
	case flag == "--option" && code == dhcpv4.OptionParameterRequestList.Code():
		value, err = numbers(word)
	default:
		value = []byte(word)
	}
	if err == nil && len(value) > 255 {
		err = fmt.Errorf("%d bytes are more than an option can have", len(value))
	}
	if err != nil {
		b.fail("%s %s: %v", flag, text, err)
	}
	return code, value, err == nil
}

// numbers reads a list such as 1,3,6.
func numbers(text string) (list []byte, err error) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.ParseUint(word, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("want numbers of options with commas between them, not %q", word)
		}
		list = append(list, byte(n))
	}
	return list, nil
}

// arrive says by which interface the message came. That of --local, or the one
// named, is looked up on this machine, which knows its mask and other addresses.
func (q question) arrive(in *dhcp4.Ingress, local netip.Addr) {
	if local.IsValid() {
		in.Interface, in.Addrs = "(--local)", []netip.Addr{local}
	}
	if q.device != "" {
		in.Interface = q.device
	}
	devices, err := net.Interfaces()
	if err != nil {
		return
	}
	for _, device := range devices {
		addrs, bits := addressesOf(device)
		switch {
		case local.IsValid() && slices.Contains(addrs, local) && (q.device == "" || q.device == device.Name):
			in.Interface = device.Name
		case !local.IsValid() && q.device == device.Name:
		default:
			continue
		}
		in.Addrs, in.Bits = addrs, bits
		return
	}
}

// addressesOf lists the IPv4 addresses of an interface and their masks.
func addressesOf(device net.Interface) (addrs []netip.Addr, bits []int) {
	all, err := device.Addrs()
	if err != nil {
		return nil, nil
	}
	for _, addr := range all {
		if p, err := netip.ParsePrefix(addr.String()); err == nil && p.Addr().Is4() {
			addrs, bits = append(addrs, p.Addr()), append(bits, p.Bits())
		}
	}
	return addrs, bits
}

// addBoot makes the message one of boot firmware.
func (q question) addBoot(req *dhcpv4.DHCPv4) {
	class := q.class
	if q.arch >= 0 {
		req.UpdateOption(dhcpv4.OptClientArch(iana.Arch(q.arch))) //nolint:gosec // G115: two bytes on the wire
		req.UpdateOption(dhcpv4.OptParameterRequestList(append(req.ParameterRequestList(), dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName)...))
		if class == "" {
			class = fmt.Sprintf("PXEClient:Arch:%05d:UNDI:003016", q.arch)
		}
	}
	if class != "" {
		req.UpdateOption(dhcpv4.OptClassIdentifier(class))
	}
	if q.userClass != "" {
		req.UpdateOption(dhcpv4.OptUserClass(q.userClass))
	}
}

// messageBuilder collects all mistakes of a question.
type messageBuilder struct {
	problems []error
}

func (b *messageBuilder) fail(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf(format, args...))
}

func (b *messageBuilder) addr(flag, text string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		b.fail("%s: want an IPv4 address, not %q", flag, text)
	}
	return addr
}

// message builds a client message of the named state (RFC 2131 section 4.3.2).
func (b *messageBuilder) message(state string, mac net.HardwareAddr, request, current, identifier netip.Addr) *dhcpv4.DHCPv4 {
	kinds := map[string]struct {
		kind                       dhcpv4.MessageType
		request, current, serverID bool
	}{
		"discover":    {kind: dhcpv4.MessageTypeDiscover},
		"request":     {kind: dhcpv4.MessageTypeRequest, request: true, serverID: true},
		"init-reboot": {kind: dhcpv4.MessageTypeRequest, request: true},
		"renew":       {kind: dhcpv4.MessageTypeRequest, current: true},
		"rebind":      {kind: dhcpv4.MessageTypeRequest, current: true},
		proxyRequest:  {kind: dhcpv4.MessageTypeRequest, current: true},
		"inform":      {kind: dhcpv4.MessageTypeInform, current: true},
		"release":     {kind: dhcpv4.MessageTypeRelease, current: true, serverID: true},
		"decline":     {kind: dhcpv4.MessageTypeDecline, request: true, serverID: true},
		"bootp":       {},
	}
	k, ok := kinds[state]
	if !ok {
		b.fail("--message: want one of %s, not %q", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "), state)
		return nil
	}
	if k.request && !request.IsValid() {
		b.fail("--message %s needs --request", state)
	}
	if k.current && !current.IsValid() {
		b.fail("--message %s needs --current", state)
	}
	req, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(k.kind), dhcpv4.WithRequestedOptions(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName,
		dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionNTPServers,
		dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute))
	if err != nil {
		b.fail("make the message: %v", err)
		return nil
	}
	if request.IsValid() {
		req.UpdateOption(dhcpv4.OptRequestedIPAddress(request.AsSlice()))
	}
	if current.IsValid() {
		req.ClientIPAddr = current.AsSlice()
	}
	if k.kind == dhcpv4.MessageTypeNone { // BOOTP has no option 53
		clear(req.Options)
	}
	if k.serverID {
		req.UpdateOption(dhcpv4.OptServerIdentifier(identifier.AsSlice()))
	}
	return req
}
