package program

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp/coredhcp/config"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/coredhcp/coredhcp/plugins/serverid"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// TestTwoServersInOneProcessWithSettingsOfTheirOwn runs two chains as CoreDHCP
// sets them up, each on its own settings file. Both have the same server_id,
// which upstream keeps in a package variable.
func TestTwoServersInOneProcessWithSettingsOfTheirOwn(t *testing.T) {
	for _, p := range []*plugins.Plugin{&serverid.Plugin, &netbox.Plugin, &gateway.Plugin, &dns.Plugin, &pxe.Plugin, &nak.Plugin} {
		if err := plugins.RegisterPlugin(p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := instance.Default.Close(); err != nil {
			t.Error(err)
		}
	})
	first := serveHere(t, "10.77.1.", "10.77.0.53", "nak: PATH authoritative")
	second := serveHere(t, "10.77.2.", "10.77.0.54", "nak: PATH off")
	for server, want := range map[*relay.Agent]struct{ addr, dns string }{
		first: {"10.77.1.100", "10.77.0.53"}, second: {"10.77.2.100", "10.77.0.54"},
	} {
		ack, err := server.Acquire(mac(1), dhcpv4.WithRequestedOptions(dhcpv4.OptionDomainNameServer))
		if err != nil {
			t.Fatal(err)
		}
		if ack.YourIPAddr.String() != want.addr || len(ack.DNS()) != 1 || ack.DNS()[0].String() != want.dns {
			t.Errorf("got %s with DNS %v, want %+v", ack.YourIPAddr, ack.DNS(), want)
		}
	}
	stranger := netip.MustParseAddr("192.0.2.1").AsSlice()
	if reply, err := first.Reclaim(mac(2), stranger); err != nil || reply.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("the authoritative server: %v, %v", reply, err)
	}
	if reply, err := second.Reclaim(mac(2), stranger); err == nil {
		t.Errorf("the server that does not refuse says %v", reply.MessageType())
	}
}

// serveHere starts a chain in this process, as a stock build configures it:
// every plugin of ours names its settings file.
func serveHere(t *testing.T, block, dns, refuse string) *relay.Agent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yml")
	addr := integration.FreePort(t)
	text := `server4:
  listen: "` + addr + `"
  plugins:
    - server_id: 127.0.0.1
    - netbox: PATH
    - netbox_gateway: PATH
    - netbox_dns: PATH
    - netbox_pxe: PATH
    - ` + refuse + `
netbox:
  inventory: inventory.yml
  network: {relays: [127.0.0.2]}
  store:
    path: state
`
	write(t, path, strings.ReplaceAll(text, "PATH", path))
	write(t, filepath.Join(filepath.Dir(path), "inventory.yml"), `prefixes: [{prefix: 10.77.0.0/20}]
ip_addresses: [{address: `+block+`100-`+block+`110/20, tags: [DHCP]}]
config_contexts:
  - {name: all, data: {pydhcp_configuration: {dns_servers: [`+dns+`]}}}
`)
	conf, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	handlers, _, err := plugins.LoadPlugins(conf)
	if err != nil {
		t.Fatal(err)
	}
	var links []receive.Link
	for _, h := range handlers {
		links = append(links, receive.Link{Theirs: h})
	}
	return serveChain(t, addr, receive.Chain{Handlers: links, Exchanges: &instance.Default.Exchanges, OwnsDecline: true})
}

// serveChain answers with a chain in this process until the test ends.
func serveChain(t *testing.T, addr string, chain receive.Chain) *relay.Agent {
	t.Helper()
	log, _ := test.NewNullLogger()
	loop, err := receive.Listen([]net.UDPAddr{*net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))}, chain, receive.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = loop.Close()
	})
	return agent(t, addr)
}
