package nak_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
)

const settings = `
netbox:
  inventory: inventory.yml
  store: {path: state}
`

const inventory = `
sites:
  - name: lab
prefixes:
  - prefix: 10.0.0.0/24
    site: lab
ip_addresses:
  - address: 10.0.0.1/24
    tags: [Gateway]
  - address: 10.0.0.100-10.0.0.249/24
    tags: [DHCP]
devices:
  - name: web1
    site: lab
    interfaces:
      - name: eth0
        mac_address: "02:AB:00:00:00:01"
        ip_addresses:
          - address: 10.0.0.77/24
config_contexts:
  - name: lab
    sites: [lab]
    data:
      pydhcp_configuration:
        dns_servers: ["10.0.0.53"]
        tftp_server: 10.0.0.66
        pxe_boot_file: pxelinux.0
`

// chain is our plugins as a stock build lists them, run as its server does
// (F-17). REC-2: they know nothing of the receiving interface then.
type chain []handler.Handler4

func stockChain(t *testing.T) chain {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yml": settings, "inventory.yml": inventory} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := instance.Default.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	var handlers chain
	for _, p := range []plugins.Plugin{netbox.Plugin, gateway.Plugin, dns.Plugin, pxe.Plugin, nak.Plugin} {
		var args []string
		if p.Name == netbox.Plugin.Name {
			args = []string{filepath.Join(dir, "config.yml")}
		}
		h, err := p.Setup4(args...)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		handlers = append(handlers, h)
	}
	return handlers
}

// answer returns the reply on the wire, or nil for silence.
func (c chain) answer(t *testing.T, req *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	t.Helper()
	resp, stop := dhcp4test.Prepared(t, req), false
	for _, handle := range c {
		if resp, stop = handle(req, resp); stop {
			break
		}
	}
	if resp == nil {
		return nil
	}
	return dhcp4test.OverTheWire(t, resp)
}

func TestStockChain(t *testing.T) {
	c := stockChain(t)
	pxeClient := []dhcpv4.Modifier{
		dhcp4test.Raw(55, 1, 3, 6, 43, 60, 66, 67), dhcp4test.Text(60, "PXEClient:Arch:00000:UNDI:002001"), dhcp4test.Raw(93, 0, 0),
	}
	ours := dhcp4test.Raw(54, dhcp4test.Server().AsSlice()...)

	t.Run("a known machine boots", func(t *testing.T) {
		offer := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, pxeClient...))
		ack := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest,
			append(pxeClient, ours, dhcp4test.Raw(50, 10, 0, 0, 77))...))
		want := dhcpv4.Options{
			1: {255, 255, 255, 0}, 3: {10, 0, 0, 1}, 6: {10, 0, 0, 53}, 43: {6, 1, 8, 255},
			51: {0, 0, 14, 16}, 53: {2}, 54: {10, 0, 0, 2}, 58: {0, 0, 7, 8}, 59: {0, 0, 12, 78},
			60: []byte("PXEClient"), 66: []byte("10.0.0.66"), 67: []byte("pxelinux.0"),
		}
		if offer == nil || ack == nil {
			t.Fatalf("OFFER %v, ACK %v", offer, ack)
		}
		if diff := cmp.Diff(want, offer.Options); diff != "" {
			t.Errorf("OFFER: %s", diff)
		}
		want[53] = []byte{5}
		if diff := cmp.Diff(want, ack.Options); diff != "" {
			t.Errorf("ACK: %s", diff)
		}
		for _, reply := range []*dhcpv4.DHCPv4{offer, ack} {
			if !reply.YourIPAddr.Equal(net.IP{10, 0, 0, 77}) || !reply.ServerIPAddr.Equal(net.IP{10, 0, 0, 66}) || reply.BootFileName != "pxelinux.0" {
				t.Errorf("header of %s", reply.Summary())
			}
		}
	})
	t.Run("a wrong address is refused", func(t *testing.T) { // D-5, K-1
		reply := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, append(pxeClient, ours, dhcp4test.Raw(50, 10, 0, 0, 78))...))
		if reply == nil {
			t.Fatal("silence")
		}
		reply.DeleteOption(dhcpv4.OptionMessage)
		if diff := cmp.Diff(dhcpv4.Options{53: {6}, 54: {10, 0, 0, 2}}, reply.Options); diff != "" || reply.BootFileName != "" || !reply.ServerIPAddr.IsUnspecified() {
			t.Errorf("NAK with file %q siaddr %v, %s", reply.BootFileName, reply.ServerIPAddr, diff)
		}
	})
	t.Run("INFORM gets options and no address", func(t *testing.T) { // D-21
		reply := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeInform, dhcp4test.ClientAddr("10.0.0.50")))
		if reply == nil {
			t.Fatal("silence")
		}
		if !reply.YourIPAddr.IsUnspecified() || reply.Options.Has(dhcpv4.OptionIPAddressLeaseTime) ||
			len(reply.Router()) != 1 || len(reply.DNS()) != 1 {
			t.Error(reply.Summary())
		}
	})
	t.Run("RELEASE is not answered", func(t *testing.T) { // L-2
		if reply := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRelease, dhcp4test.ClientAddr("10.0.0.77"))); reply != nil {
			t.Error(reply.Summary())
		}
	})
}

// B-6
func TestAHundredClientsAtOnceGetAHundredAddresses(t *testing.T) {
	c := stockChain(t)
	var clients sync.WaitGroup
	leased := make(chan string, 100)
	for i := range cap(leased) {
		clients.Go(func() {
			hardware := dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 1, byte(i)})
			// One exchange each: an offer that gave way may be accepted all the
			// same, and each client is offered another address (A-13, D-34).
			offer := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, hardware))
			if offer == nil {
				t.Errorf("client %d: no offer", i)
				return
			}
			ack := c.answer(t, dhcp4test.Request(t, dhcpv4.MessageTypeRequest, hardware,
				dhcp4test.Raw(50, offer.YourIPAddr...), dhcp4test.Raw(54, dhcp4test.Server().AsSlice()...)))
			if ack == nil || ack.MessageType() != dhcpv4.MessageTypeAck {
				t.Errorf("client %d, offered %s: %v", i, offer.YourIPAddr, ack)
				return
			}
			leased <- fmt.Sprint(ack.YourIPAddr)
		})
	}
	clients.Wait()
	close(leased)
	owners := map[string]int{}
	for addr := range leased {
		owners[addr]++
	}
	if len(owners) != cap(leased) {
		t.Errorf("%d different addresses for %d clients: %v", len(owners), cap(leased), owners)
	}
}
