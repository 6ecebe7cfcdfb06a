package gateway

import (
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

const inventory = `
sites:
  - name: lab
prefixes:
  - prefix: 10.0.0.0/24
    site: lab
  - prefix: 10.0.7.0/24
    site: lab
ip_addresses:
  - address: 10.0.0.1/24
    tags: [Gateway]
  - address: 10.0.0.2/24
    status: deprecated
    role: vrrp
    tags: [Gateway]
  - address: 10.0.7.1/24
    tags: [Gateway]
  - address: 10.0.0.50/24
devices:
  - name: db1
    site: lab
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:01"
        ip_addresses:
          - address: 10.0.0.77/24
    config_context:
      pydhcp_configuration:
        mtu: 9000
config_contexts:
  - name: lab
    sites: [lab]
    data:
      pydhcp_configuration:
        mtu: 1400
        static_routes: ["10.20.0.0/16,10.0.0.9"]
`

func TestHandlerAnswersFromNetBox(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := dhcp4test.Raw(55, 1, 3, 26, 121)
	stranger := dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9})
	tests := map[string]struct {
		kind   dhcpv4.MessageType
		mods   []dhcpv4.Modifier
		cidr   string
		router string
		mtu    string
	}{
		"G-2 a known device, by the address another plugin leased": {dhcpv4.MessageTypeRequest, nil, "10.0.0.77/24", "10.0.0.1", "#("},
		"G-5 an unknown client goes by the site":                   {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{stranger}, "10.0.0.90/24", "10.0.0.1", "\x05x"},
		"G-2 not the gateway of another prefix":                    {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{stranger}, "10.0.7.90/24", "10.0.7.1", "\x05x"},
		"G-1 DISCOVER":                                             {dhcpv4.MessageTypeDiscover, nil, "10.0.0.77/24", "10.0.0.1", "#("},
		"G-1 INFORM goes by ciaddr": {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{stranger, dhcp4test.ClientAddr("10.0.0.50")},
			"10.0.0.50/24", "10.0.0.1", "\x05x"},
		"no prefix, nothing to say": {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{stranger}, "172.16.0.5/24", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, tt.kind, append([]dhcpv4.Modifier{all}, tt.mods...)...)
			resp, stop := handle(req, dhcp4test.Granted(t, req, tt.cidr))
			if resp == nil || stop {
				t.Fatalf("reply %v, stop %v", resp, stop)
			}
			router := ""
			if list := resp.Router(); len(list) > 0 {
				router = list[0].String()
			}
			if mtu := string(resp.Options.Get(dhcpv4.OptionInterfaceMTU)); router != tt.router || mtu != tt.mtu {
				t.Errorf("gateway %q MTU %q, want %q %q", router, mtu, tt.router, tt.mtu)
			}
		})
	}
}

// L-15: N is what the netbox plugin decided, not what yiaddr lies in.
func TestHandlerTakesTheNetworkFromTheDecision(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
	seven, err := opened.Snapshot().Subnet(addr("10.0.7.1"))
	if err != nil {
		t.Fatal(err)
	}
	x := opened.Pool.Exchanges.Open(req, dhcp4.Ingress{})
	defer opened.Pool.Exchanges.Close(req)
	x.Decided, x.Decision = true, lease.Decision{Verdict: lease.Ack, Subnet: seven}
	resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.90/16"))
	if got := resp.Router()[0].String(); got != "10.0.7.1" {
		t.Errorf("gateway %s, want 10.0.7.1", got)
	}
}

// G-3
func TestGatewayOutsideTheMaskIsSentAndLoggedOnce(t *testing.T) {
	opened := instancetest.Open(t, "gateway:\n  fallback: 192.168.1.1\n", "prefixes:\n  - prefix: 10.0.0.0/24\n")
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
		resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.77/24"))
		if got := resp.Router()[0].String(); got != "192.168.1.1" {
			t.Fatalf("gateway %s", got)
		}
	}
	const line = "gateway is outside the client's subnet"
	if n := strings.Count(strings.Join(opened.Messages(), "\n"), line); n != 1 { // B-2
		t.Errorf("%d warnings, want 1: %q", n, opened.Messages())
	}
}

// G-1
func TestHandlerPassesOtherRepliesUntouched(t *testing.T) {
	opened := instancetest.Open(t, "gateway:\n  fallback: 10.0.0.1\n", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
	nak := dhcp4test.Granted(t, refused, "10.0.0.77/24")
	nak.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
	if resp, stop := handle(refused, nak); resp != nak || stop || resp.Options.Has(dhcpv4.OptionRouter) {
		t.Errorf("NAK: %v, stop %v", resp, stop)
	}
	offered := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	empty := dhcp4test.Prepared(t, offered)
	if resp, stop := handle(offered, empty); resp != empty || stop || resp.Options.Has(dhcpv4.OptionRouter) {
		t.Errorf("OFFER without address: %v, stop %v", resp, stop)
	}
	if resp, stop := handle(offered, nil); resp != nil || !stop { // B-5
		t.Errorf("no reply: %v, stop %v", resp, stop)
	}
}

func TestSetup(t *testing.T) {
	if _, err := setup(new(instance.Pool), nil); err == nil || !strings.Contains(err.Error(), "netbox") {
		t.Errorf("without an instance: %v", err)
	}
	opened := instancetest.Open(t, "", inventory)
	if _, err := setup(opened.Pool, []string{opened.Path}); err != nil {
		t.Errorf("with the path: %v", err)
	}
	if _, err := setup(opened.Pool, []string{"10.0.0.1", "10.0.0.2"}); err == nil {
		t.Error("arguments accepted")
	}
	if Plugin.Name != "netbox_gateway" || Plugin.Setup6 != nil || Plugin.Setup4 == nil {
		t.Errorf("plugin %+v", Plugin)
	}
}
