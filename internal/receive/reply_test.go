package receive

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// F-19, F-20, R-11, D-6, K-2, RFC 8357
func TestWhereRepliesGo(t *testing.T) {
	ethernet := &netInterface{name: "eth0", index: 2, ethernet: true}
	noRelay := dhcpv4.WithGatewayIP(net.IPv4zero)
	plainRelay := func(m *dhcpv4.DHCPv4) {
		m.GatewayIPAddr = net.IPv4(10, 1, 0, 1)
		m.DeleteOption(dhcpv4.OptionRelayAgentInformation)
	}
	nak := dhcpv4.WithMessageType(dhcpv4.MessageTypeNak)
	gives := dhcpv4.WithYourIP(offered)
	typed := dhcpv4.WithMessageType
	asks := func(ip net.IP) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(ip)) }
	chose := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 2)))
	stale := net.IPv4(192, 168, 10, 4) // of a network the client was in before
	relayPort := netip.MustParseAddrPort("127.0.0.1:1067")
	unicast := arrivedBy{arrival: arrival{unicast: true}, source: relayPort}
	renewsFrom := func(ip net.IP) arrivedBy {
		return arrivedBy{arrival: arrival{unicast: true}, source: netip.AddrPortFrom(addr4(ip), 68)}
	}
	fromNone := arrivedBy{source: netip.MustParseAddrPort("0.0.0.0:68")}
	for _, tt := range []struct {
		name      string
		in        arrivedBy // the zero value: a broadcast
		req, resp []dhcpv4.Modifier
		ifc       *netInterface
		noFrames  bool
		want      string
		to        string
		path      path
	}{
		{name: "a relay at its port", req: []dhcpv4.Modifier{plainRelay}, want: "relay", to: "10.1.0.1:67"},
		{name: "a relay with RFC 8357 at the port it used", in: arrivedBy{vouched: true}, want: "relay", to: "127.0.0.1:1067"},
		{name: "RFC 8357 from a sender that nothing vouches for", want: "relay", to: "127.0.0.1:67"},
		{name: "a relay even if the client has an address", req: []dhcpv4.Modifier{plainRelay, dhcpv4.WithClientIP(offered)}, want: "relay", to: "10.1.0.1:67"},
		{name: "a refusal to the relay", req: []dhcpv4.Modifier{plainRelay}, resp: []dhcpv4.Modifier{nak}, want: "relay", to: "10.1.0.1:67"},
		{name: "a refusal is broadcast, never sent to ciaddr", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered)}, resp: []dhcpv4.Modifier{nak}, want: "nak", to: "255.255.255.255:68", path: onInterface},
		{name: "a client with an address", in: unicast, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), dhcpv4.WithBroadcast(true)}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.0.2.10:68"},
		{name: "a client with a link-local address", in: unicast, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(net.IPv4(169, 254, 1, 1))}, want: "ciaddr", to: "169.254.1.1:68", path: onInterface},
		{name: "a broadcast comes from this wire, whatever the routes say", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.168.10.4:68", path: byHardware},
		{name: "the same without permission for frames", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, noFrames: true, want: "ciaddr", to: "192.168.10.4:68", path: onInterface},
		{name: "INFORM by broadcast", req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeInform), dhcpv4.WithClientIP(stale)}, want: "ciaddr", to: "192.168.10.4:68", path: byHardware},
		{name: "INFORM through a router", in: unicast, req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeInform), dhcpv4.WithClientIP(stale)}, want: "ciaddr", to: "192.168.10.4:68"},
		{name: "BOOTP with an address", in: unicast, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType), dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.168.10.4:68"},
		{name: "a renewal that repeats its address", in: unicast, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), asks(offered)}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.0.2.10:68"},
		{name: "a renewal that names the server", in: unicast, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), chose}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.0.2.10:68"},
		{name: "a renewal that does both, from its address", in: renewsFrom(offered), req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), asks(offered), chose}, resp: []dhcpv4.Modifier{gives}, want: "ciaddr", to: "192.0.2.10:68"},
		{name: "DISCOVER with an address of before", req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeDiscover), dhcpv4.WithClientIP(offered)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "DISCOVER with an address of another network", req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeDiscover), dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "the same with the broadcast flag", req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeDiscover), dhcpv4.WithClientIP(stale), dhcpv4.WithBroadcast(true)}, resp: []dhcpv4.Modifier{gives}, want: "broadcast", to: "255.255.255.255:68", path: onInterface},
		{name: "the same from an address", in: renewsFrom(stale), req: []dhcpv4.Modifier{noRelay, typed(dhcpv4.MessageTypeDiscover), dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "SELECTING with an address of before", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), asks(offered), chose}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "SELECTING with an address of another network", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(stale), asks(offered), chose}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "INIT-REBOOT with another address of before", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(stale), asks(offered)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "INIT-REBOOT with the same address twice, from none", in: fromNone, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), asks(offered)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "REBINDING that is sent from no address", in: fromNone, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithClientIP(offered), dhcpv4.WithBroadcast(true)}, resp: []dhcpv4.Modifier{gives}, want: "broadcast", to: "255.255.255.255:68", path: onInterface},
		{name: "BOOTP that is sent from no address", in: fromNone, req: []dhcpv4.Modifier{noRelay, dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType), dhcpv4.WithClientIP(stale)}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "a client that asked for broadcast", req: []dhcpv4.Modifier{noRelay, dhcpv4.WithBroadcast(true)}, resp: []dhcpv4.Modifier{gives}, want: "broadcast", to: "255.255.255.255:68", path: onInterface},
		{name: "a client without an address", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives}, want: "hardware", to: "192.0.2.10:68", path: byHardware},
		{name: "without permission for frames", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives}, noFrames: true, want: "unaddressable", to: "255.255.255.255:68", path: onInterface},
		{name: "an interface that is not Ethernet", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives}, ifc: &netInterface{name: "ib0"}, want: "unaddressable", to: "255.255.255.255:68", path: onInterface},
		{name: "a client that is not on Ethernet", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives, dhcpv4.WithHWType(iana.HWTypeInfiniband)}, want: "unaddressable", to: "255.255.255.255:68", path: onInterface},
		{name: "a client that calls its Ethernet IEEE 802", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives, dhcpv4.WithHWType(iana.HWTypeIEEE802)}, want: "hardware", to: "192.0.2.10:68", path: byHardware}, // I-4
		{name: "a hardware address of another length", req: []dhcpv4.Modifier{noRelay}, resp: []dhcpv4.Modifier{gives, dhcpv4.WithHwAddr(make([]byte, 8))}, want: "unaddressable", to: "255.255.255.255:68", path: onInterface},
		{name: "an OFFER without address", req: []dhcpv4.Modifier{noRelay}, want: "unaddressable", to: "255.255.255.255:68", path: onInterface},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := message(t, 1, append([]dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest)}, tt.req...)...)
			resp := prepare(new(memory), dhcp4.Of(req), true).Library()
			for _, mod := range tt.resp {
				mod(resp)
			}
			in := tt.in
			if !in.source.IsValid() {
				in.source = relayPort
			}
			if in.ifc = ethernet; tt.ifc != nil {
				in.ifc = tt.ifc
			}
			want := destination{tt.want, netip.MustParseAddrPort(tt.to), tt.path}
			if got := destinationOf(dhcp4.Of(req), dhcp4.Of(resp), in, !tt.noFrames); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestASourcePortSubOptionCannotBeFakedByAValue(t *testing.T) {
	const port = 19
	for _, tt := range []struct {
		name string
		info []byte
		want bool
	}{
		{"alone", []byte{port, 0}, true},
		{"after another", []byte{1, 2, 'e', '0', port, 0}, true},
		{"with an unexpected value", []byte{port, 1, 7}, true},
		{"inside another's value", []byte{1, 2, port, 0}, false},
		{"cut off", []byte{port}, false},
		{"after one that is cut off", []byte{1, 9, port, 0}, false},
		{"absent", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hasSubOption(tt.info, port); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// F-18, F-28: 0.0.0.0 is sent where the chain means it.
func TestRepliesWithoutAddress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		typ    dhcpv4.MessageType
		option dhcpv4.OptionCode
		want   Drop
	}{
		{"an OFFER that no handler filled in", dhcpv4.MessageTypeDiscover, nil, dropNoAddress},
		{"an OFFER that leaves the client to itself (RFC 2563)", dhcpv4.MessageTypeDiscover, dhcpv4.OptionAutoConfigure, ""},
		{"an OFFER to do without IPv4 (RFC 8925)", dhcpv4.MessageTypeDiscover, dhcpv4.OptionIPv6OnlyPreferred, ""},
		{"an ACK with the same option", dhcpv4.MessageTypeRequest, dhcpv4.OptionIPv6OnlyPreferred, dropNoAddress}, // F-27
		{"an answer to INFORM", dhcpv4.MessageTypeInform, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := message(t, 1, dhcpv4.WithMessageType(tt.typ))
			resp := prepare(new(memory), dhcp4.Of(req), false).Library()
			resp.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 2)))
			if tt.option != nil {
				resp.UpdateOption(dhcpv4.OptGeneric(tt.option, []byte{0}))
			}
			if got := withheld(dhcp4.Of(req), dhcp4.Of(resp)); got != tt.want {
				t.Errorf("withheld as %q, want %q", got, tt.want)
			}
		})
	}
}

// REC-3
func TestTheSourceOfReplies(t *testing.T) {
	ours, alias, foreign := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("203.0.113.9")
	local := map[netip.Addr]bool{ours: true, alias: true}
	eth0 := &netInterface{name: "eth0", addrs: []netip.Addr{ours, alias}}
	allHosts := netip.MustParseAddr("255.255.255.255")
	for _, tt := range []struct {
		name string
		id   netip.Addr
		in   arrivedBy
		want netip.Addr
	}{
		{"option 54 if it is ours", alias, arrivedBy{ifc: eth0, arrival: arrival{to: ours, unicast: true}}, alias},
		{"the address reached if 54 is another's (NAT, RFC 5107)", foreign, arrivedBy{ifc: eth0, arrival: arrival{to: alias, unicast: true}}, alias},
		{"the interface's first after a broadcast", foreign, arrivedBy{ifc: eth0, arrival: arrival{to: allHosts}}, ours},
		{"the kernel's choice on an interface without address", foreign, arrivedBy{ifc: &netInterface{}, arrival: arrival{to: allHosts}}, netip.Addr{}},
		{"the kernel's choice on an interface just gone", foreign, arrivedBy{arrival: arrival{to: allHosts}}, netip.Addr{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := prepare(new(memory), dhcp4.Of(discover(t, 1)), false).Library()
			resp.UpdateOption(dhcpv4.OptServerIdentifier(tt.id.AsSlice()))
			if got := sourceAddress(dhcp4.Of(resp), tt.in, local); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheIdentifierSupplied(t *testing.T) {
	ours, alias := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	local := map[netip.Addr]bool{ours: true, alias: true}
	in := arrivedBy{ifc: &netInterface{name: "eth0", addrs: []netip.Addr{ours, alias}}}
	for _, tt := range []struct {
		name   string
		chosen string // option 54 of the client
		want   netip.Addr
	}{
		{"the interface's first", "", ours},
		{"the one the client chose", "10.0.0.3", alias},
		{"not one that is another server's", "10.0.0.9", ours}, // D-3
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := message(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest))
			if tt.chosen != "" {
				req.UpdateOption(dhcpv4.OptServerIdentifier(net.ParseIP(tt.chosen)))
			}
			if got := serverIdentifier(dhcp4.Of(req), in, local); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
