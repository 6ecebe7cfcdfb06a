package program

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
)

// B-17: what a packet leaves is made useless, and yet all clients are answered as
// before, and the leases are theirs: no plugin of ours keeps anything of a packet.
func TestPluginsOfOursKeepNothingOfAPacket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yml")
	addr := integration.FreePort(t)
	write(t, path, "netbox: {inventory: inventory.yml, network: {relays: [127.0.0.2]}, lease: {identify: client_id}, pxe: {unknown: site}, store: {path: state}}\n")
	write(t, filepath.Join(filepath.Dir(path), "inventory.yml"), `prefixes: [{prefix: 10.77.0.0/20}]
ip_addresses:
  - {address: 10.77.0.1/20, tags: [Gateway]}
  - {address: 10.77.1.0-10.77.1.255/20, tags: [DHCP]}
config_contexts:
  - {name: all, data: {pydhcp_configuration: {dns_servers: [10.77.0.53], tftp_server: 10.77.0.66, pxe_boot_file: pxelinux.0}}}
`)
	var handlers []receive.Link
	for _, p := range []plugins.Plugin{netbox.Plugin, gateway.Plugin, dns.Plugin, pxe.Plugin, nak.Plugin} {
		h, err := p.Setup4(path)
		if err != nil {
			t.Fatal(err)
		}
		own := instance.Default.Own()
		handlers = append(handlers, receive.Link{Ours: own[len(own)-1], Theirs: h})
	}
	t.Cleanup(func() {
		if err := instance.Default.Close(); err != nil {
			t.Error(err)
		}
	})
	i, err := instance.Default.Joined(path)
	if err != nil {
		t.Fatal(err)
	}
	exchanges := &instance.Default.Exchanges
	exchanges.Poison = true
	t.Cleanup(func() { exchanges.Poison = false })
	a := serveChain(t, addr, receive.Chain{
		Handlers: handlers, Exchanges: exchanges, OwnsDecline: true, SupplyServerID: true, Reuse: true,
		Prompt: func(req *dhcp4.Packet) bool { return !i.MayWait(req) },
	})

	const clients = 40
	given := make(map[string]string) // addresses, by identifier
	for round := range 2 {           // new leases, then those that are there
		for n := range clients {
			id := fmt.Sprintf("identifier of %d", n)
			ack, err := a.Acquire(mac(n), dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte(id))), dhcpv4.WithOption(dhcpv4.OptHostName(fmt.Sprintf("host%d", n))),
				dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
				dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionBootfileName))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ack.ClientHWAddr, mac(n)) || ack.BootFileName != "pxelinux.0" || len(ack.Router()) != 1 || len(ack.DNS()) != 1 {
				t.Fatalf("client %d is answered by %s", n, ack.Summary())
			}
			if got := ack.YourIPAddr.String(); round == 0 {
				given[id] = got
			} else if given[id] != got {
				t.Errorf("client %d had %s and gets %s", n, given[id], got)
			}
		}
	}
	leases := i.Engine.Leases()
	for _, l := range leases {
		var n int
		if _, err := fmt.Sscanf(l.Hostname, "host%d", &n); err != nil || given[fmt.Sprintf("identifier of %d", n)] != l.Addr.String() {
			t.Errorf("the lease of %s is of %q, %q", l.Addr, l.Client, l.Hostname)
		}
	}
	if len(leases) != clients {
		t.Errorf("%d leases, want %d", len(leases), clients)
	}
}
