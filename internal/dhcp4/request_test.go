package dhcp4

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

var equalAddrs = cmpopts.EquateComparable(netip.Addr{})

func TestParseRequestReadsEverythingADecisionNeeds(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest,
		dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(5, 10, 1, 0, 0), dhcp4test.SubOption(11, 10, 0, 0, 254)),
		dhcp4test.Raw(50, 10, 0, 0, 5), dhcp4test.Raw(54, 10, 0, 0, 2), dhcp4test.Raw(51, 0, 0, 14, 16),
		dhcp4test.Raw(118, 10, 2, 0, 0), dhcp4test.Raw(12, []byte("pc-1\x00\x00")...),
		func(p *dhcpv4.DHCPv4) { p.NumSeconds = 7; p.ClientIPAddr = net.IP{10, 0, 0, 6} },
	)
	in := Ingress{Interface: "eth0", Addrs: []netip.Addr{dhcp4test.Server()}, Bits: []int{24}, Delivery: lease.DeliveryUnicast}
	got := parse(req, dhcp4test.Prepared(t, req), in, true)
	want := lease.ClientMessage{
		Type:            lease.Request,
		Client:          "02:AB:00:00:00:01",
		MAC:             ipam.MAC(dhcp4test.MAC()),
		HasMAC:          true,
		RequestedAddr:   addr("10.0.0.5"),
		ClientAddr:      addr("10.0.0.6"),
		ServerID:        addr("10.0.0.2"),
		Identifier:      dhcp4test.Server(),
		Override:        addr("10.0.0.254"),
		Relay:           addr("10.0.0.1"),
		LinkSelection:   addr("10.1.0.0"),
		SubnetSelection: addr("10.2.0.0"),
		Interface:       "eth0",
		InterfaceAddrs:  []netip.Addr{dhcp4test.Server()},
		InterfaceBits:   []int{24},
		Delivery:        lease.DeliveryUnicast,
		LeaseTime:       time.Hour,
		Hostname:        "pc-1",
		Waited:          7 * time.Second,
	}
	if diff := cmp.Diff(want, got, equalAddrs); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsAbsentOrZeroIsTheZeroAddr(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(50, 0, 0, 0, 0),
		dhcp4test.Relayed("0.0.0.0", dhcp4test.SubOption(5, 0, 0, 0, 0), dhcp4test.SubOption(11, 10, 0, 0, 254)))
	got := parse(req, nil, Ingress{}, true)
	want := lease.ClientMessage{
		Type: lease.Discover, Client: "02:AB:00:00:00:01", MAC: ipam.MAC(dhcp4test.MAC()), HasMAC: true,
		// sub-option 11 counts only when giaddr is set.
	}
	if diff := cmp.Diff(want, got, equalAddrs); diff != "" {
		t.Error(diff)
	}
}

//
func TestServerIdentifierOverrideCanBeSwitchedOff(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(11, 10, 0, 0, 254)))
	if got := parse(req, nil, Ingress{}, false).Override; got.IsValid() {
		t.Errorf("override %v although switched off", got)
	}
	short := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(11, 10, 0, 0)))
	if got := parse(short, nil, Ingress{}, true).Override; got.IsValid() {
		t.Errorf("override %v from three bytes", got)
	}
}

// N-1, R-7: relays that speak an older dialect say the same by 150 and 152.
func TestOlderRelaysNameLinkAndServerByOtherSubOptions(t *testing.T) {
	sub := dhcp4test.SubOption
	link, server := []byte{10, 1, 0, 0}, []byte{10, 1, 0, 254}
	circuit := sub(1, 'e', '0')
	for name, tt := range map[string]struct {
		relay          string
		subs           []dhcpv4.Option
		link, override string
	}{
		"150 and 152":                        {"10.0.0.1", []dhcpv4.Option{circuit, sub(2, 7), sub(150, link...), sub(152, server...)}, "10.1.0.0", "10.1.0.254"},
		"150 alone":                          {"10.0.0.1", []dhcpv4.Option{sub(150, link...)}, "10.1.0.0", ""},
		"152 alone":                          {"10.0.0.1", []dhcpv4.Option{sub(152, server...)}, "", "10.1.0.254"},
		"5 and 11 go first":                  {"10.0.0.1", []dhcpv4.Option{sub(5, 10, 2, 0, 0), sub(11, 10, 2, 0, 254), sub(150, link...), sub(152, server...)}, "10.2.0.0", "10.2.0.254"},
		"one of each":                        {"10.0.0.1", []dhcpv4.Option{sub(5, 10, 2, 0, 0), sub(152, server...)}, "10.2.0.0", "10.1.0.254"},
		"a 5 of zeros is present, too":       {"10.0.0.1", []dhcpv4.Option{sub(5, 0, 0, 0, 0), sub(150, link...)}, "", ""},
		"an 11 that is too short as well":    {"10.0.0.1", []dhcpv4.Option{sub(11, 10), sub(152, server...)}, "", ""},
		"152 of RFC 6607 has no value":       {"10.0.0.1", []dhcpv4.Option{sub(151, 0, 'v'), sub(152)}, "", ""},
		"both meanings of 152 are no server": {"10.0.0.1", []dhcpv4.Option{sub(150, link...), sub(151, 0, 'v'), sub(152)}, "10.1.0.0", ""},
		"other lengths":                      {"10.0.0.1", []dhcpv4.Option{sub(150, 10, 1, 0), sub(152, 10, 1, 0, 254, 0)}, "", ""},
		"zeros":                              {"10.0.0.1", []dhcpv4.Option{sub(150, 0, 0, 0, 0), sub(152, 0, 0, 0, 0)}, "", ""},
		"a server only of a relay":           {"0.0.0.0", []dhcpv4.Option{sub(150, link...), sub(152, server...)}, "10.1.0.0", ""},
		"inside another's value":             {"10.0.0.1", []dhcpv4.Option{sub(1, 150, 4, 10, 1, 0, 0)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed(tt.relay, tt.subs...))
			got := parse(req, nil, Ingress{}, true)
			want := func(s string) (a netip.Addr) {
				if s != "" {
					a = addr(s)
				}
				return a
			}
			if got.LinkSelection != want(tt.link) || got.Override != want(tt.override) {
				t.Errorf("link %v, server %v; want %q, %q", got.LinkSelection, got.Override, tt.link, tt.override)
			}
			if off := parse(req, nil, Ingress{}, false); off.Override.IsValid() || off.LinkSelection != got.LinkSelection {
				t.Errorf("switched off: link %v, server %v", off.LinkSelection, off.Override)
			}
		})
	}
}

// D-0, F-30, F-31, F-34
func TestMalformedOptionsAreToldFromAbsentOnes(t *testing.T) {
	nameless := dhcpv4.WithHwAddr(nil) // option 61 has to name the client
	tests := map[string]struct {
		mods []dhcpv4.Modifier
		want string
	}{
		"nothing wrong":                     {nil, ""},
		"option 50 too short":               {[]dhcpv4.Modifier{dhcp4test.Raw(50, 10, 0, 0)}, "option 50"},
		"two option 50":                     {[]dhcpv4.Modifier{dhcp4test.Raw(50, 10, 0, 0, 1, 10, 0, 0, 2)}, "option 50"},
		"option 50 of length zero":          {[]dhcpv4.Modifier{dhcp4test.Raw(50)}, "option 50"},
		"option 54 too long":                {[]dhcpv4.Modifier{dhcp4test.Raw(54, 10, 0, 0, 1, 9)}, "option 54"},
		"option 61 without identifier":      {[]dhcpv4.Modifier{nameless, dhcp4test.Raw(61, 1)}, "option 61"},
		"option 61 of length zero":          {[]dhcpv4.Modifier{nameless, dhcp4test.Raw(61)}, "option 61"},
		"option 61 of over 255 bytes":       {[]dhcpv4.Modifier{nameless, dhcp4test.Raw(61, make([]byte, 256)...)}, "option 61"},
		"I-3 beside a hardware address":     {[]dhcpv4.Modifier{dhcp4test.Raw(61, 1)}, ""},
		"I-3 the same of length zero":       {[]dhcpv4.Modifier{dhcp4test.Raw(61)}, ""},
		"I-3 the same of over 255 bytes":    {[]dhcpv4.Modifier{dhcp4test.Raw(61, make([]byte, 256)...)}, ""},
		"option 61 of two bytes":            {[]dhcpv4.Modifier{dhcp4test.Raw(61, 0, 7)}, ""},
		"option 53 of length zero":          {[]dhcpv4.Modifier{dhcp4test.Raw(53)}, "option 53"},
		"option 53 twice":                   {[]dhcpv4.Modifier{dhcp4test.Raw(53, 1, 3)}, "option 53"},
		"option 53 of type zero":            {[]dhcpv4.Modifier{dhcp4test.Raw(53, 0)}, "option 53"},
		"an empty option 55 counts absent":  {[]dhcpv4.Modifier{dhcp4test.Raw(55)}, ""},
		"an odd option 51 counts as absent": {[]dhcpv4.Modifier{dhcp4test.Raw(51, 1)}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := parse(dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mods...), nil, Ingress{}, true)
			if got.Malformed != tt.want {
				t.Errorf("malformed %q, want %q", got.Malformed, tt.want)
			}
			if got.LeaseTime != 0 {
				t.Errorf("lease time %v, want none", got.LeaseTime)
			}
			if got.Type == lease.BOOTP {
				t.Error("taken for BOOTP")
			}
		})
	}
}

func TestOnlyAMissingOption53IsBOOTP(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType))
	if got := parse(req, nil, Ingress{}, true); got.Type != lease.BOOTP || got.Malformed != "" {
		t.Errorf("type %v, malformed %q", got.Type, got.Malformed)
	}
}

func TestClientKey(t *testing.T) {
	ours := Ingress{Interface: "eth0", Delivery: lease.DeliveryBroadcast}
	id := dhcp4test.Raw(61, 0xff, 1, 2, 3)
	long := net.HardwareAddr{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	infiniband := func(p *dhcpv4.DHCPv4) { p.HWType = iana.HWTypeInfiniband }
	ieee802 := func(p *dhcpv4.DHCPv4) { p.HWType = iana.HWTypeIEEE802 }
	tests := map[string]struct {
		hardware net.HardwareAddr
		mods     []dhcpv4.Modifier
		in       Ingress
		key      lease.ClientID
		mac      bool
		reject   string
	}{
		"I-1 Ethernet": {dhcp4test.MAC(), nil, ours, "02:AB:00:00:00:01", true, ""},
		"I-3 option 61 does not replace a chaddr":           {dhcp4test.MAC(), []dhcpv4.Modifier{id}, ours, "02:AB:00:00:00:01", true, ""},
		"I-4 six bytes of another medium":                   {dhcp4test.MAC(), []dhcpv4.Modifier{infiniband}, ours, "02:AB:00:00:00:01", false, ""},
		"I-4 six bytes of IEEE 802":                         {dhcp4test.MAC(), []dhcpv4.Modifier{ieee802}, ours, "02:AB:00:00:00:01", true, ""},
		"I-4 eight bytes of IEEE 802":                       {long[:8], []dhcpv4.Modifier{ieee802}, ours, "01:02:03:04:05:06:07:08", false, ""},
		"I-1 eight bytes":                                   {long[:8], nil, ours, "01:02:03:04:05:06:07:08", false, ""},
		"I-1 no hardware address but option 61":             {nil, []dhcpv4.Modifier{id}, ours, "FF:01:02:03", false, ""},
		"I-1 neither":                                       {nil, nil, ours, "", false, "client identifier"},
		"I-2 all zero":                                      {make(net.HardwareAddr, 6), nil, ours, "00:00:00:00:00:00", false, "hardware address"},
		"I-2 all zero, eight bytes":                         {make(net.HardwareAddr, 8), nil, ours, "00:00:00:00:00:00:00:00", false, "hardware address"},
		"I-2 all ones":                                      {net.HardwareAddr{255, 255, 255, 255, 255, 255}, nil, ours, "FF:FF:FF:FF:FF:FF", false, "hardware address"},
		"I-2 group bit":                                     {net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, nil, ours, "01:00:5E:00:00:01", false, "hardware address"},
		"I-2 group bit means nothing in eight":              {net.HardwareAddr{1, 0, 0, 0, 0, 0, 0, 1}, nil, ours, "01:00:00:00:00:00:00:01", false, ""},
		"I-2 sixteen bytes, our loop":                       {long, []dhcpv4.Modifier{id}, ours, lease.ClientID(strings.ToUpper(long.String())), false, ""},
		"I-2 sixteen bytes, stock, option 61":               {long, []dhcpv4.Modifier{id}, Ingress{}, "FF:01:02:03", false, ""},
		"I-2 sixteen bytes, stock, no option 61":            {long, nil, Ingress{}, lease.ClientID(strings.ToUpper(long.String())), false, ""},
		"A-5 the key of quarantine is the key of no client": {nil, []dhcpv4.Modifier{dhcp4test.Raw(61, 0, 0, 0, 0, 0, 0)}, ours, lease.Declined, false, "client identifier"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mods := append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(tt.hardware)}, tt.mods...)
			got := parse(dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, mods...), nil, tt.in, true)
			if got.Client != tt.key || got.HasMAC != tt.mac || got.Malformed != tt.reject {
				t.Errorf("key %q MAC %v malformed %q, want %q %v %q",
					got.Client, got.HasMAC, got.Malformed, tt.key, tt.mac, tt.reject)
			}
		})
	}
}

//
func TestClientName(t *testing.T) {
	tests := map[string]struct {
		mods []dhcpv4.Modifier
		want string
	}{
		"none":                                 {nil, ""},
		"option 12":                            {[]dhcpv4.Modifier{dhcp4test.Raw(12, []byte("pc-1")...)}, "pc-1"},
		"trailing NUL and control bytes":       {[]dhcpv4.Modifier{dhcp4test.Raw(12, []byte("p\x1b[31mc\r\n-1\x00")...)}, "p[31mc-1"},
		"invalid UTF-8":                        {[]dhcpv4.Modifier{dhcp4test.Raw(12, 'a', 0xff, 'b')}, "ab"},
		"direction overrides":                  {[]dhcpv4.Modifier{dhcp4test.Raw(12, []byte("a\u202eb")...)}, "ab"},
		"option 81 before 12":                  {[]dhcpv4.Modifier{dhcp4test.Raw(12, 'x'), dhcp4test.Raw(81, append([]byte{1, 0, 0}, "pc.example.net"...)...)}, "pc.example.net"},
		"option 81 in wire format":             {[]dhcpv4.Modifier{dhcp4test.Raw(81, append([]byte{4, 0, 0}, "\x02pc\x07example\x00"...)...)}, "pc.example"},
		"option 81 partial name":               {[]dhcpv4.Modifier{dhcp4test.Raw(81, append([]byte{4, 0, 0}, "\x02pc"...)...)}, "pc"},
		"option 81 with a compression pointer": {[]dhcpv4.Modifier{dhcp4test.Raw(81, 4, 0, 0, 0xc0, 3)}, ""},
		"option 81 without a name, option 12":  {[]dhcpv4.Modifier{dhcp4test.Raw(12, 'x'), dhcp4test.Raw(81, 0, 0, 0)}, "x"},
		"option 81 too short":                  {[]dhcpv4.Modifier{dhcp4test.Raw(81, 0)}, ""},
		"endless":                              {[]dhcpv4.Modifier{dhcp4test.Raw(12, []byte(strings.Repeat("ä", 200))...)}, strings.Repeat("ä", 126)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := parse(dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, tt.mods...), nil, Ingress{}, true)
			if got.Hostname != tt.want {
				t.Errorf("%q, want %q", got.Hostname, tt.want)
			}
		})
	}
}

// A-11, CL-14: circuit and remote-id are what the relay says; a client without a relay
// has none that counts.
func TestTheCircuitOfARelayedMessage(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(1, 'e', '0'), dhcp4test.SubOption(2, 7)))
	if got := parse(req, nil, Ingress{}, true); string(got.Circuit) != "e0" || string(got.Remote) != "\x07" {
		t.Errorf("circuit %q, remote %q", got.Circuit, got.Remote)
	}
	if got := parse(dhcp4test.Request(t, dhcpv4.MessageTypeDiscover), nil, Ingress{}, true).Circuit; got != nil {
		t.Errorf("circuit %q of a message without a relay", got)
	}
}

// CL-14: where a relay adds its option 82 to that of a client, either may have written
// the first circuit: such a message names no port, and nothing is joined of two.
func TestACircuitThatIsSentTwiceNamesNoPort(t *testing.T) {
	sub := dhcp4test.SubOption
	for name, subs := range map[string][]dhcpv4.Option{
		"two circuits":   {sub(1, []byte("Gi1/0/1:")...), sub(1, []byte("Gi1/0/5")...)},
		"two remote-ids": {sub(2, []byte("sw1")...), sub(1, []byte("Gi1/0/5")...), sub(2, []byte(".a")...)},
		"an empty one":   {sub(1), sub(1, []byte("Gi1/0/5")...)},
		"two of one":     {sub(1, []byte("Gi1/0/5")...), sub(1, []byte("Gi1/0/5")...)},
	} {
		t.Run(name, func(t *testing.T) {
			var info []byte
			for _, s := range subs {
				value := s.Value.ToBytes()
				info = append(append(info, s.Code.Code(), byte(len(value))), value...)
			}
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1"), dhcp4test.Raw(82, info...))
			got := parse(req, nil, Ingress{}, true)
			if string(got.Circuit) != string(info) || len(got.Remote) != 0 {
				t.Errorf("circuit %q, remote %q", got.Circuit, got.Remote)
			}
		})
	}
}
