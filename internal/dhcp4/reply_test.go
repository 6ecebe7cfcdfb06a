package dhcp4

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func granted(v lease.Verdict) *lease.Decision {
	return &lease.Decision{Verdict: v, Addr: prefix("10.0.0.77/24"), Time: time.Hour + 900*time.Millisecond}
}

// answer runs a request through ParseRequest and Fill and over the wire.
func answer(t *testing.T, req *dhcpv4.DHCPv4, d *lease.Decision, x Extra) *dhcpv4.DHCPv4 {
	t.Helper()
	resp := dhcp4test.Prepared(t, req)
	if err := Fill(req, resp, d, x); err != nil {
		t.Fatal(err)
	}
	return dhcp4test.OverTheWire(t, resp)
}

func TestFillSetsExactlyTheOptionsOfEachVerdict(t *testing.T) {
	relay := dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(1, 'p', '1'), dhcp4test.SubOption(200, 9, 9))
	agent := []byte{1, 2, 'p', '1', 200, 2, 9, 9}
	id := dhcp4test.Raw(61, 1, 2, 3)
	common := map[uint8][]byte{
		53: {2}, 54: {10, 0, 0, 2}, 51: {0, 0, 14, 16}, 58: {0, 0, 7, 8}, 59: {0, 0, 12, 78},
		1: {255, 255, 255, 0}, 28: {10, 0, 0, 255},
		61: {1, 2, 3}, 82: agent,
	}
	with := func(change map[uint8][]byte, without ...uint8) dhcpv4.Options {
		options := dhcpv4.Options{}
		for code, b := range common {
			options[code] = b
		}
		for code, b := range change {
			options[code] = b
		}
		for _, code := range without {
			delete(options, code)
		}
		return options
	}
	subnet := &ipam.Subnet{Prefix: &ipam.Prefix{Prefix: prefix("10.0.0.0/25")}, Config: new(ipam.Config)}
	informed := &lease.Decision{Verdict: lease.Informed, Subnet: subnet}
	selected := granted(lease.Offer)
	selected.Relayed.Subnet = addr("10.0.0.0")
	tests := map[string]struct {
		kind     dhcpv4.MessageType
		decision *lease.Decision
		mods     []dhcpv4.Modifier
		yiaddr   string
		want     dhcpv4.Options
	}{
		"R-1 OFFER": {dhcpv4.MessageTypeDiscover, granted(lease.Offer), nil, "10.0.0.77", with(nil)},
		"R-1 ACK":   {dhcpv4.MessageTypeRequest, granted(lease.Ack), nil, "10.0.0.77", with(map[uint8][]byte{53: {5}})},
		"R-4 28 only when listed": {dhcpv4.MessageTypeDiscover, granted(lease.Offer),
			[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 3)}, "10.0.0.77", with(nil, 28)},
		"N-2 option 118 returned": {dhcpv4.MessageTypeDiscover, selected,
			[]dhcpv4.Modifier{dhcp4test.Raw(118, 10, 0, 0, 0)}, "10.0.0.77", with(map[uint8][]byte{118: {10, 0, 0, 0}})},
		"N-12 option 118 that did not count": {dhcpv4.MessageTypeDiscover, granted(lease.Offer),
			[]dhcpv4.Modifier{dhcp4test.Raw(118, 10, 0, 0, 0)}, "10.0.0.77", with(nil)},
		"N-2 malformed option 118 not used": {dhcpv4.MessageTypeDiscover, granted(lease.Offer),
			[]dhcpv4.Modifier{dhcp4test.Raw(118, 10)}, "10.0.0.77", with(nil)},
		"D-21 INFORM": {dhcpv4.MessageTypeInform, informed,
			[]dhcpv4.Modifier{dhcpv4.WithClientIP(net.IP{10, 0, 0, 9})}, "0.0.0.0",
			with(map[uint8][]byte{53: {5}, 1: {255, 255, 255, 128}, 28: {10, 0, 0, 127}}, 51, 58, 59)},
		"D-23 BOOTP": {dhcpv4.MessageTypeNone, granted(lease.BootReply),
			[]dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType)}, "10.0.0.77",
			with(nil, 51, 53, 54, 58, 59)},
		"K-5 NAK only gets its type": {dhcpv4.MessageTypeRequest, &lease.Decision{Verdict: lease.Nak}, nil, "0.0.0.0",
			dhcpv4.Options{53: {6}, 54: {10, 0, 0, 2}, 61: {1, 2, 3}, 82: agent}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp := answer(t, dhcp4test.Request(t, tt.kind, append([]dhcpv4.Modifier{relay, id}, tt.mods...)...), tt.decision, Extra{})
			if diff := cmp.Diff(tt.want, resp.Options); diff != "" {
				t.Error(diff)
			}
			if got := resp.YourIPAddr.String(); got != tt.yiaddr {
				t.Errorf("yiaddr %s, want %s", got, tt.yiaddr)
			}
			if got := resp.ServerIPAddr.String(); got != "10.0.0.2" {
				t.Errorf("siaddr %s, want it as server_id left it", got)
			}
		})
	}
}

//
func TestOverrideReplacesOption54EvenInARefusal(t *testing.T) {
	for _, v := range []lease.Verdict{lease.Ack, lease.Nak} {
		d := granted(v)
		d.Override = addr("10.0.0.1")
		req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(11, 10, 0, 0, 1)))
		if got := answer(t, req, d, Extra{}).ServerIdentifier().String(); got != "10.0.0.1" {
			t.Errorf("%v: option 54 is %s", v, got)
		}
	}
}

//
func TestRelayInformationIsNeverInvented(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	resp := dhcp4test.Prepared(t, req)
	resp.UpdateOption(dhcpv4.OptRelayAgentInfo(dhcp4test.SubOption(1, 'x')))
	if err := Fill(req, resp, granted(lease.Offer), Extra{}); err != nil {
		t.Fatal(err)
	}
	if resp.Options.Has(dhcpv4.OptionRelayAgentInformation) {
		t.Error("option 82 in a reply to a client that was not relayed")
	}
}

//
func TestHostNames(t *testing.T) {
	fqdn := func(flags byte, name string) dhcpv4.Modifier {
		return dhcp4test.Raw(81, append([]byte{flags, 0, 0}, name...)...)
	}
	tests := map[string]struct {
		mods   []dhcpv4.Modifier
		device string
		send   bool
		want   map[uint8]string
	}{
		"S asked, so O answered":    {[]dhcpv4.Modifier{fqdn(1, "a.b")}, "sw1", true, map[uint8]string{81: "\x0a\xff\xffa.b"}},
		"S not asked":               {[]dhcpv4.Modifier{fqdn(0, "a.b")}, "", false, map[uint8]string{81: "\x08\xff\xffa.b"}},
		"E as sent, name unchanged": {[]dhcpv4.Modifier{fqdn(5, "\x01a\x01b\x00")}, "", false, map[uint8]string{81: "\x0e\xff\xff\x01a\x01b\x00"}},
		"reserved bits cleared":     {[]dhcpv4.Modifier{fqdn(0xf8, "")}, "", false, map[uint8]string{81: "\x08\xff\xff"}},
		"option 81 too short":       {[]dhcpv4.Modifier{dhcp4test.Raw(81, 1, 0)}, "", true, map[uint8]string{}},
		"device name":               {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1", true, map[uint8]string{12: "sw1"}},
		"not wanted":                {nil, "sw1", true, map[uint8]string{}},
		"not switched on":           {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1", false, map[uint8]string{}},
		"no valid label":            {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "rack 7 / sw1", true, map[uint8]string{}},
		"a trailing hyphen":         {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1-", true, map[uint8]string{}},
		"a full name: its host":     {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1.example.net", true, map[uint8]string{12: "sw1"}},
		"a full name with its root": {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1.example.net.", true, map[uint8]string{12: "sw1"}},
		"a full name with a gap":    {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1..net", true, map[uint8]string{}},
		"a domain that is none":     {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw1.rack 7", true, map[uint8]string{}},
		"an address":                {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "10.0.0.7", true, map[uint8]string{}},
		"an underscore":             {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "sw_1", true, map[uint8]string{}},
		"not of ASCII":              {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "größe", true, map[uint8]string{}},
		"a label of 64 bytes":       {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, strings.Repeat("a", 64) + ".net", true, map[uint8]string{}},
		"a dot":                     {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, ".", true, map[uint8]string{}},
		"unknown client":            {[]dhcpv4.Modifier{dhcp4test.Raw(55, 12)}, "", true, map[uint8]string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := granted(lease.Ack)
			if tt.device != "" {
				d.Machine = &ipam.Machine{Name: tt.device}
			}
			resp := answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mods...), d, Extra{SendHostname: tt.send})
			got := map[uint8]string{}
			for _, code := range []uint8{12, 81} {
				if b, ok := resp.Options[code]; ok {
					got[code] = string(b)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

//
func TestIPv6OnlyWaitOnlyForClientsThatListIt(t *testing.T) {
	wait := &ipam.Config{IPv6OnlyWait: 30 * time.Minute, HasIPv6OnlyWait: true}
	tests := map[string]struct {
		mods    []dhcpv4.Modifier
		config  *ipam.Config
		verdict lease.Verdict
		want    bool
	}{
		"listed and configured":   {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 108)}, wait, lease.Ack, true},
		"in the offer too":        {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 108)}, wait, lease.Offer, true},
		"no list is not a wish":   {nil, wait, lease.Ack, false},
		"an empty list neither":   {[]dhcpv4.Modifier{dhcp4test.Raw(55)}, wait, lease.Ack, false},
		"not configured":          {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 108)}, new(ipam.Config), lease.Ack, false},
		"no context":              {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 108)}, nil, lease.Ack, false},
		"not in answer to INFORM": {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 108)}, wait, lease.Informed, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp := answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mods...), granted(tt.verdict), Extra{Config: tt.config})
			got, sent := resp.IPv6OnlyPreferred()
			if sent != tt.want || sent && got != 30*time.Minute {
				t.Errorf("option 108 sent %v (%v), want %v", sent, got, tt.want)
			}
		})
	}
}

func TestFillRefusesWhatCannotBeSent(t *testing.T) {
	tests := map[string]*lease.Decision{
		"silence":              {Verdict: lease.Silent},
		"a release":            {Verdict: lease.Taken},
		"no address":           {Verdict: lease.Ack},
		"0.0.0.0":              {Verdict: lease.Ack, Addr: prefix("0.0.0.0/24")},
		"F-33 an IPv6 address": {Verdict: lease.Offer, Addr: prefix("2001:db8::1/64")},
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
			if err := Fill(req, dhcp4test.Prepared(t, req), d, Extra{}); err == nil {
				t.Error("filled")
			}
		})
	}
}

// F-33
func TestTimesOutOfRangeDoNotWrap(t *testing.T) {
	for want, span := range map[uint32]time.Duration{0: -time.Hour, 1<<32 - 1: 1 << 62} {
		d := granted(lease.Ack)
		d.Time = span
		resp := answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest), d, Extra{})
		if got := resp.IPAddressLeaseTime(0); got != time.Duration(want)*time.Second {
			t.Errorf("%v: option 51 is %v", span, got)
		}
		if t1, t2 := resp.IPAddressRenewalTime(0), resp.IPAddressRebindingTime(0); t1 > t2 || t2 > resp.IPAddressLeaseTime(0) {
			t.Errorf("%v: T1 %v, T2 %v", span, t1, t2)
		}
	}
}

// networks without a broadcast address have a mask.
func TestNoBroadcastAddressWhereThereIsNone(t *testing.T) {
	for cidr, mask := range map[string]net.IPMask{"10.0.0.77/31": {255, 255, 255, 254}, "10.0.0.77/32": {255, 255, 255, 255}} {
		d := granted(lease.Ack)
		d.Addr = prefix(cidr)
		resp := answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest), d, Extra{})
		if resp.Options.Has(dhcpv4.OptionBroadcastAddress) {
			t.Errorf("%s: option 28 is %v", cidr, resp.BroadcastAddress())
		}
		if got := resp.Options.Get(dhcpv4.OptionSubnetMask); !bytes.Equal(got, mask) {
			t.Errorf("%s: option 1 is %v, want %v", cidr, got, mask)
		}
	}
}

//
func TestWanted(t *testing.T) {
	none := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	empty := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(55))
	listing := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(55, 1, 108))
	for code := range uint8(255) {
		option := dhcpv4.GenericOptionCode(code)
		unasked := map[uint8]bool{1: true, 3: true, 6: true, 15: true, 28: true, 42: true, 51: true, 58: true, 59: true}[code]
		if got := Wanted(none, option); got != unasked {
			t.Errorf("option %d without a list: %v", code, got)
		}
		if got := Wanted(empty, option); got != unasked {
			t.Errorf("option %d with an empty list: %v", code, got)
		}
		if got, want := Wanted(listing, option), code == 1 || code == 108; got != want {
			t.Errorf("option %d with a list: %v", code, got)
		}
	}
}

// G-1
func TestConfigures(t *testing.T) {
	yiaddr := func(p *dhcpv4.DHCPv4) { p.YourIPAddr = net.IP{10, 0, 0, 7} }
	kind := func(k dhcpv4.MessageType) dhcpv4.Modifier { return dhcpv4.WithMessageType(k) }
	untyped := dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType)
	tests := map[string]struct {
		request dhcpv4.MessageType
		reply   []dhcpv4.Modifier
		want    bool
	}{
		"OFFER":                       {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{yiaddr}, true},
		"OFFER without address":       {dhcpv4.MessageTypeDiscover, nil, false},
		"ACK":                         {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr}, true},
		"ACK without address":         {dhcpv4.MessageTypeRequest, nil, false},
		"ACK to an INFORM":            {dhcpv4.MessageTypeInform, nil, true},
		"NAK":                         {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr, kind(dhcpv4.MessageTypeNak)}, false},
		"untyped reply to a RELEASE":  {dhcpv4.MessageTypeRelease, []dhcpv4.Modifier{yiaddr, untyped}, false},
		"BOOTP reply":                 {dhcpv4.MessageTypeNone, []dhcpv4.Modifier{yiaddr, untyped}, true},
		"BOOTP reply without address": {dhcpv4.MessageTypeNone, []dhcpv4.Modifier{untyped}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, tt.request)
			if tt.request == dhcpv4.MessageTypeNone {
				req.DeleteOption(dhcpv4.OptionDHCPMessageType)
			}
			resp := dhcp4test.Prepared(t, req)
			for _, mod := range tt.reply {
				mod(resp)
			}
			if got := Configures(req, resp); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
