package netbox

import (
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// I-3, B-2: two identifiers of one MAC that renew in turn are two clients.
func TestIdentifiersThatRenewSideBySideAreNoticed(t *testing.T) {
	const a, b, c = "\x00c-a", "\x00c-b", "\x00c-c"
	warned := []string{"one address for two clients: their identifiers renew in turn; lease.identify: client_id gives each an address of its own"}
	for name, tt := range map[string]struct {
		renew []string
		want  []string
	}{
		"two containers":                    {[]string{a, b, a}, warned},
		"two that go on, one line":          {[]string{a, b, a, b, a, b}, warned},
		"two and a third":                   {[]string{c, a, b, a}, warned},
		"one client":                        {[]string{a, a, a}, nil},
		"the system after the loader":       {[]string{a, a, b, b, b}, nil},
		"firmware, loader and system":       {[]string{a, b, c, c}, nil},
		"one that begins to send option 61": {[]string{"", a, a}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandler(t, "")
			for _, id := range tt.renew {
				mods := []dhcpv4.Modifier{dhcpv4.WithClientIP([]byte{10, 0, 0, 10})}
				if id != "" {
					mods = append(mods, dhcp4test.Text(61, id))
				}
				req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, mods...)
				if resp, _ := h(req, dhcp4test.Prepared(t, req)); resp == nil {
					t.Fatal("a renewal is not answered")
				}
			}
			if lines := o.Messages(); !slices.Equal(lines, tt.want) {
				t.Errorf("log: %q, want %q", lines, tt.want)
			}
		})
	}
	// Where each identifier has a lease of its own they share nothing.
	o, h := newHandler(t, "lease: {identify: client_id}")
	for _, id := range []string{a, b, a, b} {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP([]byte{10, 0, 0, 10}), dhcp4test.Text(61, id))
		h(req, dhcp4test.Prepared(t, req))
	}
	if lines := o.Messages(); slices.Contains(lines, warned[0]) {
		t.Errorf("log: %q", lines)
	}
	// A machine that boots again and again selects with each identifier and
	// renews with none but the last.
	o, h = newHandler(t, "")
	for _, id := range []string{a, b, a, b} {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Text(61, id))
		h(req, dhcp4test.Prepared(t, req))
	}
	if lines := o.Messages(); len(lines) != 0 {
		t.Errorf("log: %q", lines)
	}
}

// I-11: with lease.identify: client_id two containers on one MAC get an address
// each, from the packets they send; a loader of type 1 shares that of firmware.
func TestContainersOfOneMACGetAnAddressEach(t *testing.T) {
	_, h := newHandlerOn(t, "lease: {identify: client_id}",
		"prefixes: [{prefix: 10.0.0.0/24}]\nip_addresses: [{address: 10.0.0.100-10.0.0.104/24, tags: [DHCP]}]\n")
	mac := dhcpv4.WithHwAddr([]byte{0x52, 0x54, 0, 0, 0, 0xaa})
	got := make(map[string]string)
	for _, id := range []string{"\x00c-a", "\x00c-b", "", "\x01\x52\x54\x00\x00\x00\xaa", "\xffduid"} {
		mods := []dhcpv4.Modifier{mac}
		if id != "" {
			mods = append(mods, dhcp4test.Text(61, id))
		}
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, mods...)
		resp, _ := h(req, dhcp4test.Prepared(t, req))
		if resp == nil {
			t.Fatalf("identifier %q gets no offer", id)
		}
		got[id] = resp.YourIPAddr.String()
	}
	addrs := make(map[string]int)
	for _, addr := range got {
		addrs[addr]++
	}
	if len(addrs) != 4 || got[""] != got["\x01\x52\x54\x00\x00\x00\xaa"] {
		t.Errorf("got %v", got)
	}
}
