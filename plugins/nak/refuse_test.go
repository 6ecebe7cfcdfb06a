package nak

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// K-1, K-2
func TestRefusalHasExactlyTheFieldsOfADHCPNAK(t *testing.T) {
	options := dhcpv4.Options{53: {6}, 54: {10, 0, 0, 2}, 56: []byte("the address is not in this network")}
	with := func(more dhcpv4.Options) dhcpv4.Options {
		all := dhcpv4.Options{}
		for _, set := range []dhcpv4.Options{options, more} {
			for code, b := range set {
				all[code] = b
			}
		}
		return all
	}
	tests := map[string]struct {
		mods   []dhcpv4.Modifier
		flags  uint16
		giaddr net.IP
		want   dhcpv4.Options
	}{
		"on the link": {nil, 0, net.IP{0, 0, 0, 0}, options},
		"flags from the request": {[]dhcpv4.Modifier{func(p *dhcpv4.DHCPv4) { p.SetBroadcast() }}, 0x8000,
			net.IP{0, 0, 0, 0}, options},
		"relayed, with the broadcast flag": {[]dhcpv4.Modifier{dhcp4test.Relayed("10.9.0.1", dhcp4test.SubOption(1, 'p'))}, 0x8000,
			net.IP{10, 9, 0, 1}, with(dhcpv4.Options{82: {1, 1, 'p'}})},
		"option 61 echoed": {[]dhcpv4.Modifier{dhcp4test.Raw(61, 1, 2, 3)}, 0, net.IP{0, 0, 0, 0},
			with(dhcpv4.Options{61: {1, 2, 3}})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mods := append([]dhcpv4.Modifier{dhcp4test.ClientAddr("10.0.0.9"), dhcp4test.Raw(55, 1, 3, 6, 118), dhcp4test.Raw(118, 10, 0, 0, 0),
				func(p *dhcpv4.DHCPv4) { p.HopCount, p.NumSeconds = 3, 4 }}, tt.mods...)
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, mods...)
			got := dhcp4test.OverTheWire(t, refusal(dhcp4.Of(req), dhcp4test.Server(), explain(lease.ReasonWrongNetwork)).Library())
			want := &dhcpv4.DHCPv4{
				OpCode: dhcpv4.OpcodeBootReply, HWType: req.HWType, TransactionID: req.TransactionID,
				Flags: tt.flags, ClientHWAddr: dhcp4test.MAC(), GatewayIPAddr: tt.giaddr,
				ClientIPAddr: net.IP{0, 0, 0, 0}, YourIPAddr: net.IP{0, 0, 0, 0}, ServerIPAddr: net.IP{0, 0, 0, 0},
				Options: tt.want,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// K-1
func TestReasonsFitIntoOption56(t *testing.T) {
	for _, r := range []lease.Reason{lease.ReasonWrongNetwork, lease.ReasonWrongAddress, lease.ReasonTaken,
		lease.ReasonNoBinding, lease.ReasonNotDynamic, ""} {
		if text := explain(r); text == "" || len(text) > 64 {
			t.Errorf("%q: %q has %d bytes", r, text, len(text))
		}
	}
}

// K-4
func TestCheckAfterAnotherLeasePlugin(t *testing.T) {
	const (
		granted = "10.0.0.77"
		other   = "10.0.0.78"
		none    = "0.0.0.0"
	)
	option := func(code uint8, s string) dhcpv4.Modifier {
		return dhcp4test.Raw(code, netip.MustParseAddr(s).AsSlice()...)
	}
	wants := func(s string) dhcpv4.Modifier { return option(50, s) }
	has := dhcp4test.ClientAddr
	ours, foreign := option(54, "10.0.0.2"), option(54, "10.0.0.3")
	tests := map[string]struct {
		kind      dhcpv4.MessageType
		mods      []dhcpv4.Modifier
		yiaddr    string
		auth, own action
	}{
		"DISCOVER is left alone":             {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{wants(other)}, granted, pass, pass},
		"DISCOVER without address, too":      {dhcpv4.MessageTypeDiscover, nil, none, pass, pass},
		"INFORM is left alone":               {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{has(other)}, none, pass, pass},
		"RELEASE is left alone":              {dhcpv4.MessageTypeRelease, []dhcpv4.Modifier{has(other)}, none, pass, pass},
		"SELECTING, the same":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours, wants(granted)}, granted, pass, pass},
		"SELECTING, another":                 {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours, wants(other)}, granted, refuse, refuse},
		"SELECTING, none":                    {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours, wants(granted)}, none, refuse, refuse},
		"SELECTING another server":           {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{foreign, wants(other)}, granted, drop, drop},
		"SELECTING another server, the same": {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{foreign, wants(granted)}, granted, drop, drop},
		"INIT-REBOOT, the same":              {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{wants(granted)}, granted, pass, pass},
		"INIT-REBOOT, another":               {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{wants(other)}, granted, refuse, drop},
		"RENEWING, the same":                 {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{has(granted)}, granted, pass, pass},
		"RENEWING, another":                  {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{has(other)}, granted, refuse, drop},
		"RENEWING, none":                     {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{has(granted)}, none, refuse, drop},
		"D-15 both and equal":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{wants(granted), has(granted)}, granted, pass, pass},
		"D-15b both and different":           {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{wants(other), has(granted)}, granted, drop, drop},
		"D-6 INIT-REBOOT, an old ciaddr":     {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{wants(granted), has(other)}, granted, pass, pass},
		"D-6 SELECTING, an old ciaddr":       {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours, wants(granted), has(other)}, granted, pass, pass},
		"D-6 SELECTING another, it is old":   {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours, wants(other), has(granted)}, granted, refuse, refuse},
		"D-15b neither":                      {dhcpv4.MessageTypeRequest, nil, granted, drop, drop},
		"D-6b neither, to us":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{ours}, granted, drop, drop},
		"malformed option 50":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(50, 10), has(granted)}, granted, drop, drop},
		"malformed option 54":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(54, 10), wants(other)}, granted, drop, drop},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, tt.kind, tt.mods...)
			resp := dhcp4test.Granted(t, req, tt.yiaddr+"/24")
			m := dhcp4.ParseRequest(dhcp4.Of(req), dhcp4.Of(resp), dhcp4.Ingress{}, false)
			yiaddr := dhcp4.ClientPrefix(dhcp4.Of(req), dhcp4.Of(resp)).Addr()
			for word, want := range map[lease.Authority]action{lease.Authoritative: tt.auth, lease.Own: tt.own, lease.Off: pass} {
				if got := check(m, yiaddr, word); got != want {
					t.Errorf("authority %v: action %v, want %v", word, got, want)
				}
			}
		})
	}
}
