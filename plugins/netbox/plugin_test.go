package netbox

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const inventory = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.1/24, tags: [Gateway]}, {address: 10.0.0.100-10.0.0.101/24, tags: [DHCP]}]
devices:
  - name: web1
    config_context: {pydhcp_configuration: {ipv6_only_wait: 300}}
    interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.10/24}]}]
`

// newHandler sets the plugin up on an inventory, as a stock build does.
func newHandler(t *testing.T, settings string) (instancetest.Opened, chain.Handler4) {
	t.Helper()
	return newHandlerOn(t, settings, inventory)
}

func newHandlerOn(t *testing.T, settings, inventory string) (instancetest.Opened, chain.Handler4) {
	t.Helper()
	o := instancetest.Open(t, settings, inventory)
	h, err := setup(o.Pool, []string{o.Path})
	if err != nil {
		t.Fatal(err)
	}
	return o, h
}

func stranger(last byte) dhcpv4.Modifier {
	return dhcpv4.WithHwAddr([]byte{0x52, 0x54, 0, 0, 0, last})
}

func TestSetup(t *testing.T) {
	o := instancetest.Open(t, "", inventory)
	for name, c := range map[string]struct {
		pool *instance.Pool
		args []string
		want string
	}{
		"the path of the open file":   {o.Pool, []string{o.Path}, ""},
		"the only open file":          {o.Pool, nil, ""},
		"two arguments":               {o.Pool, []string{o.Path, "x"}, "no argument"},
		"a file that is not there":    {o.Pool, []string{o.Path + "x"}, "no such file"},
		"no file in a stock CoreDHCP": {new(instance.Pool), nil, "- netbox: /"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := setup(c.pool, c.args)
			if c.want == "" && (err != nil || h == nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestHandlerAnswersFromNetBox(t *testing.T) {
	_, h := newHandler(t, "")
	for _, c := range []struct {
		name   string
		kind   dhcpv4.MessageType
		mods   []dhcpv4.Modifier
		yiaddr string // empty: no reply
		answer dhcpv4.MessageType
	}{
		{"a known host gets its address", dhcpv4.MessageTypeDiscover, nil, "10.0.0.10", dhcpv4.MessageTypeOffer},
		{"a stranger gets a dynamic one", dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(1)}, "10.0.0.100", dhcpv4.MessageTypeOffer},
		{"RELEASE of nothing is not answered", dhcpv4.MessageTypeRelease, []dhcpv4.Modifier{stranger(1)}, "", 0},                                                         // F-18, L-2
		{"an unreadable option ends it", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(50, 10, 0)}, "", 0},                                                  // D-0
		{"a refusal without nak is silence", dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 77}))}, "", 0}, // K-5
	} {
		t.Run(c.name, func(t *testing.T) {
			req := dhcp4test.Request(t, c.kind, c.mods...)
			resp, stop := h(req, dhcp4test.Prepared(t, req))
			if c.yiaddr == "" {
				if resp != nil || !stop {
					t.Errorf("got %v, stop %v; want no reply and the end of the chain", resp, stop)
				}
				return
			}
			if resp == nil || stop || resp.YourIPAddr.String() != c.yiaddr || resp.MessageType() != c.answer {
				t.Errorf("got %v, stop %v", resp, stop)
			}
		})
	}
}

func TestARefusalGoesOnAsNAKForThePluginThatSpeaksIt(t *testing.T) { // K-5
	o, h := newHandler(t, "")
	o.Engine.SetAuthority(lease.Authoritative)
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{192, 0, 2, 7})))
	resp, stop := h(req, dhcp4test.Prepared(t, req))
	if resp == nil || stop || resp.MessageType() != dhcpv4.MessageTypeNak || !resp.YourIPAddr.IsUnspecified() {
		t.Errorf("got %v, stop %v", resp, stop)
	}
}

func TestTheContextOfTheClientReachesTheReply(t *testing.T) {
	_, h := newHandler(t, "")
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(55, 1, 108))
	resp, _ := h(req, dhcp4test.Prepared(t, req))
	if got := resp.Options.Get(dhcpv4.OptionIPv6OnlyPreferred); !slices.Equal(got, []byte{0, 0, 1, 44}) {
		t.Errorf("option 108 is %v", got)
	}
}

func TestAMachineWithoutAHostNameIsLoggedOnce(t *testing.T) { // R-9, B-2
	for machine, want := range map[string][]string{
		"rack 7 / web1":    {"no host name sent"},
		"web_1":            {"no host name sent"},
		"web1.example.net": nil,
		"web1":             nil,
	} {
		t.Run(machine, func(t *testing.T) {
			o := instancetest.Open(t, "clients:\n  send_hostname: true", strings.Replace(inventory, "web1", `"`+machine+`"`, 1))
			h, err := setup(o.Pool, []string{o.Path})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcp4test.Raw(55, 1, 12), dhcp4test.Raw(50, 10, 0, 0, 10))
				if resp, _ := h(req, dhcp4test.Prepared(t, req)); resp == nil || resp.Options.Has(dhcpv4.OptionHostName) != (want == nil) {
					t.Fatalf("got %v", resp)
				}
			}
			if lines := o.Messages(); !slices.Equal(lines, want) {
				t.Errorf("log: %q, want %q", lines, want)
			}
		})
	}
}

func TestWhatNetBoxDoesNotLeaseFallsThroughIfAsked(t *testing.T) { // lease.fallthrough
	discover := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, stranger(9))
	asks := func(addr string) *dhcpv4.DHCPv4 {
		return dhcp4test.Request(t, dhcpv4.MessageTypeRequest, stranger(9),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(dhcp4test.Server().AsSlice())),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(netip.MustParseAddr(addr).AsSlice())))
	}
	for name, c := range map[string]struct {
		settings string
		req      *dhcpv4.DHCPv4
		through  bool
	}{
		"no lease, not asked to":              {"dynamic:\n  allow_unknown: false", discover, false},
		"no lease":                            {"dynamic:\n  allow_unknown: false\nlease:\n  fallthrough: true", discover, true},
		"another plugin's address":            {"lease:\n  fallthrough: true", asks("10.0.0.200"), true},
		"another plugin's address, not asked": {"", asks("10.0.0.200"), false},
		"an address of another network":       {"lease:\n  fallthrough: true", asks("192.0.2.7"), false},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandler(t, c.settings)
			o.Engine.SetAuthority(lease.Off)
			resp, stop := h(c.req, dhcp4test.Prepared(t, c.req))
			if through := resp != nil && !stop && resp.YourIPAddr.IsUnspecified(); through != c.through {
				t.Errorf("got %v, stop %v; want it to go on: %v", resp, stop, c.through)
			}
		})
	}
}

func TestTroubleIsLoggedOnceWithItsReason(t *testing.T) { // B-2, N-4
	o, h := newHandler(t, "network:\n  subnet: 192.0.2.0/24")
	for range 5 {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
		if resp, stop := h(req, dhcp4test.Prepared(t, req)); resp != nil || !stop {
			t.Fatalf("a client in no prefix is answered: %v", resp)
		}
	}
	if lines := o.Messages(); !slices.Equal(lines, []string{"no answer"}) {
		t.Errorf("log: %q", lines)
	}
}
