package launch

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
)

// bootData stands for netbox_pxe: it names a file, to boot clients only.
func bootData(_ *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	if !strings.HasPrefix(string(req.Options.Get(dhcpv4.OptionClassIdentifier)), "PXEClient") {
		return nil, true
	}
	resp.BootFileName = "boot.efi"
	resp.Options.Set(dhcpv4.OptionClassIdentifier, []byte("PXEClient"))
	return resp, true
}

// explain says what would be answered on such an interface.
func TestExplainKnowsProxyDHCP(t *testing.T) {
	opened := instancetest.Open(t, "", "prefixes: [{prefix: 10.0.0.0/24}]\ndevices: [{name: web1, interfaces: [{name: eth0, mac_address: \"02:AB:00:00:00:01\"}]}]\n")
	chain := receive.Chain{Exchanges: &opened.Pool.Exchanges, Proxy: receive.Proxy{Interfaces: []string{"eth1"}, Handler: bootData}}
	identifier := netip.MustParseAddr("10.0.0.2")
	for name, tt := range map[string]struct {
		question question
		verdict  string
		reason   string
	}{
		"a boot client's DISCOVER":      {question{message: "discover", arch: 7}, "offer", "boot_data"},
		"its REQUEST to the other":      {question{message: "request", request: "10.0.0.50", arch: 7}, "silent", "other_server"},
		"its REQUEST on port 4011":      {question{message: proxyRequest, current: "10.0.0.50", arch: 7}, "ack", "boot_data"},
		"a DISCOVER of another client":  {question{message: "discover", arch: -1}, "silent", "no_boot_data"},
		"a lease that is to be renewed": {question{message: "rebind", current: "10.0.0.50", arch: -1}, "silent", "other_server"},
	} {
		q := tt.question
		q.mac, q.local, q.device = "02:ab:00:00:00:01", "10.0.0.2", "eth1"
		req, in, err := q.packet(identifier)
		if err != nil {
			t.Fatal(err)
		}
		got := rehearse(&chain, opened.Instance, req, in, identifier)
		if got.Verdict != tt.verdict || string(got.Reason) != tt.reason || got.Rule != "X-17" || len(got.Why) == 0 || got.Address != "" {
			t.Errorf("%s: %+v", name, got)
		}
		if got.Verdict != "silent" && (got.Client != "device web1" || got.Network != "10.0.0.0/24" || got.Reply["file"] != "boot.efi") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A chain may end before the netbox plugin is asked: explain says what is sent.
func TestExplainKnowsAnAnswerOfAnotherPlugin(t *testing.T) {
	opened := instancetest.Open(t, "", "prefixes: [{prefix: 10.0.0.0/24}]\n")
	for name, tt := range map[string]struct {
		address         net.IP
		verdict, reason string
		shown           string
	}{
		"it answers": {net.IPv4(10, 0, 0, 9), "offer", "other_plugin", "10.0.0.9"},
		"it drops":   {nil, "silent", "no_reply", ""},
	} {
		chain := receive.Chain{Exchanges: &opened.Pool.Exchanges, SupplyServerID: true, Handlers: []receive.Link{{Theirs: func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			if tt.address == nil {
				return nil, true
			}
			resp.YourIPAddr = tt.address
			return resp, true
		}}}}
		q := question{message: "discover", mac: "02:ab:00:00:00:01", local: "10.0.0.2", arch: -1}
		identifier := netip.MustParseAddr("10.0.0.2")
		req, in, err := q.packet(identifier)
		if err != nil {
			t.Fatal(err)
		}
		got := rehearse(&chain, opened.Instance, req, in, identifier)
		if got.Verdict != tt.verdict || string(got.Reason) != tt.reason || got.Address != tt.shown || got.Reply["yiaddr"] != tt.shown || len(got.Why) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
