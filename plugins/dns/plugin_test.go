package dns

import (
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
)

const inventory = `
sites:
  - name: lab
  - name: bare
prefixes:
  - prefix: 10.0.0.0/24
    site: lab
  - prefix: 10.0.1.0/24
    site: bare
ip_addresses:
  - address: 10.0.0.1/24
    tags: [Gateway]
  - address: 10.0.1.1/24
    tags: [Gateway]
devices:
  - name: db1
    site: lab
    role: database
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:01"
  - name: web1
    site: bare
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:02"
config_contexts:
  - name: lab
    sites: [lab]
    data:
      pydhcp_configuration:
        dns_servers: ["10.0.0.53", "2001:db8::53", "ns.example.net"]
        domain_search: ["lab..example"]
  - name: databases
    roles: [database]
    weight: 2000
    data:
      pydhcp_configuration:
        dns_servers: 10.0.0.54
`

func TestHandlerAnswersFromNetBox(t *testing.T) {
	mac := func(last byte) dhcpv4.Modifier {
		return dhcpv4.WithHwAddr([]byte{0x02, 0xab, 0, 0, 0, last})
	}
	tests := map[string]struct {
		settings string
		args     []string
		mod      dhcpv4.Modifier
		cidr     string
		want     string
	}{
		"G-5 the role's context of a device":           {"", nil, mac(1), "10.0.0.77/24", "10.0.0.54"},
		"G-7 the site's context for an unknown client": {"", nil, mac(9), "10.0.0.78/24", "10.0.0.53"},
		"G-5 a device's context and nothing else":      {"", nil, mac(2), "10.0.0.79/24", ""},
		"P-9 a site without context":                   {"", nil, mac(9), "10.0.1.78/24", ""},
		"G-6 servers in the chain entry":               {"", []string{"10.9.9.9", "10.9.9.8"}, mac(9), "10.0.1.78/24", "10.9.9.9 10.9.9.8"},
		"G-6 the context before them":                  {"", []string{"10.9.9.9"}, mac(9), "10.0.0.78/24", "10.0.0.53"},
		"G-6 the gateway":                              {"dns:\n  fallback: gateway\n", nil, mac(9), "10.0.1.78/24", "10.0.1.1"},
		"G-6 the chain entry before the gateway":       {"dns:\n  fallback: gateway\n", []string{"10.9.9.9"}, mac(9), "10.0.1.78/24", "10.9.9.9"},
		"G-6 the gateway's own fallback":               {"dns:\n  fallback: gateway\ngateway:\n  fallback: 172.16.0.1\n", nil, mac(9), "172.16.0.5/24", "172.16.0.1"},
		"P-10 no gateway either":                       {"dns:\n  fallback: gateway\n", nil, mac(9), "172.16.0.5/24", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			opened := instancetest.Open(t, tt.settings, inventory)
			handle, err := setup(opened.Pool, tt.args)
			if err != nil {
				t.Fatal(err)
			}
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mod)
			resp, stop := handle(req, dhcp4test.Granted(t, req, tt.cidr))
			if resp == nil || stop {
				t.Fatalf("reply %v, stop %v", resp, stop)
			}
			var got []string
			for _, ip := range resp.DNS() {
				got = append(got, ip.String())
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("DNS %q, want %q", got, tt.want)
			}
		})
	}
}

// G-6: the gateway that an earlier plugin told the client is the gateway.
func TestFallbackIsTheGatewayOfTheReply(t *testing.T) {
	opened := instancetest.Open(t, "dns:\n  fallback: gateway\n", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9}))
	resp := dhcp4test.Granted(t, req, "10.0.1.78/24")
	resp.UpdateOption(dhcpv4.OptRouter([]byte{10, 0, 1, 254}))
	if resp, _ = handle(req, resp); len(resp.DNS()) != 1 || resp.DNS()[0].String() != "10.0.1.254" {
		t.Errorf("DNS %v, want the gateway", resp.DNS())
	}
}

// G-9
func TestNamesThatCannotBeSentAreLoggedOnce(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9}))
		if resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.78/24")); len(resp.DNS()) != 1 {
			t.Fatalf("DNS %v", resp.DNS())
		}
	}
	n := 0
	for _, e := range opened.Logs.AllEntries() {
		if e.Data["domain"] == "lab..example" {
			n++
		}
	}
	if n != 1 { // B-2
		t.Errorf("%d warnings, want 1: %q", n, opened.Messages())
	}
}

// G-1
func TestHandlerPassesOtherRepliesUntouched(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	handle, err := setup(opened.Pool, []string{"10.9.9.9"})
	if err != nil {
		t.Fatal(err)
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
	nak := dhcp4test.Granted(t, req, "10.0.0.77/24")
	nak.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
	if resp, stop := handle(req, nak); resp != nak || stop || resp.Options.Has(dhcpv4.OptionDomainNameServer) {
		t.Errorf("NAK: %v, stop %v", resp, stop)
	}
	if resp, stop := handle(req, nil); resp != nil || !stop { // B-5
		t.Errorf("no reply: %v, stop %v", resp, stop)
	}
}

func TestSetup(t *testing.T) {
	opened := instancetest.Open(t, "", inventory)
	for _, args := range [][]string{nil, {"10.0.0.53"}, {opened.Path}, {opened.Path, "10.0.0.53", "10.0.0.54"}} {
		if _, err := setup(opened.Pool, args); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"ns.example.net"}, {"2001:db8::53"}, {"10.0.0.53", opened.Path}, {"10.0.0.53,10.0.0.54"}} {
		if _, err := setup(opened.Pool, args); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
	if _, err := setup(new(instance.Pool), nil); err == nil {
		t.Error("set up without an instance")
	}
	if Plugin.Name != "netbox_dns" || Plugin.Setup4 == nil || Plugin.Setup6 != nil {
		t.Errorf("plugin %+v", Plugin)
	}
}
