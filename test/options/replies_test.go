package options

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
)

// chain is all plugins on an inventory, as a settings file loads them. pxe.default_arch
// makes no boot clients of phones that ask for 66 and 67 (OPT-9).
func chain(t *testing.T, inventory string) receive.Chain {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "config.yml")
	for path, content := range map[string]string{
		conf:                                "netbox: {inventory: inventory.yml, store: {path: state}, pxe: {default_arch: bios}}\n",
		filepath.Join(dir, "inventory.yml"): inventory,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := instance.Default.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	c := receive.Chain{Exchanges: &instance.Default.Exchanges, OwnsDecline: true, SupplyServerID: true}
	for _, plugin := range []struct {
		setup func(args ...string) (handler.Handler4, error)
		args  []string
	}{
		{netbox.Plugin.Setup4, []string{conf}}, {gateway.Plugin.Setup4, nil}, {dns.Plugin.Setup4, nil}, {pxe.Plugin.Setup4, nil},
		{nak.Plugin.Setup4, []string{"authoritative"}},
	} {
		handle, err := plugin.setup(plugin.args...)
		if err != nil {
			t.Fatal(err)
		}
		own := instance.Default.Own()
		c.Handlers = append(c.Handlers, receive.Link{Ours: own[len(own)-1], Theirs: handle})
	}
	return c
}

// elsewhere reports whether an option is the server's own, or has a key of its own:
// examples have some of those, too.
func elsewhere(code uint8) bool {
	switch code {
	case 1, 3, 6, 12, 15, 26, 28, 42, 51, 53, 54, 58, 59, 61, 108, 119, 121, 249:
		return true
	}
	return false
}

// reply is what the device is answered, as it reads it.
func (a asked) reply(t *testing.T, c *receive.Chain) *dhcpv4.DHCPv4 {
	t.Helper()
	server := netip.MustParseAddr(at(t, a.Page, 2))
	in := dhcp4.Ingress{Interface: "eth0", Addrs: []netip.Addr{server}, Delivery: lease.DeliveryBroadcast}
	out := c.Answer(a.message(t), in, server, nil)
	if out.Reply == nil {
		t.Fatalf("no reply: %v", out.Drop)
	}
	reply, err := dhcpv4.FromBytes(dhcp4.AppendMessage(nil, out.Reply))
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// OPT-2, OPT-5, OPT-6, OPT-7, OPT-9, OPT-11, OPT-14, CTX-1, CTX-2: what devices of many makers
// are told, from the inventory file on the page, through all plugins, to the bytes of
// the reply.
func TestDevicesAreToldWhatTheirMakersAskFor(t *testing.T) {
	list, files := devices(t), examples(t)
	for _, a := range list {
		if files[a.Page] == "" {
			t.Errorf("%s: the page has no example %q", a.Device, a.Page)
		}
	}
	for heading, file := range files {
		t.Run(heading, func(t *testing.T) {
			c := chain(t, file)
			for _, a := range list {
				if a.Page != heading {
					continue
				}
				t.Run(a.Device, func(t *testing.T) {
					reply, got := a.reply(t, &c), make(map[uint8]string)
					if address := reply.YourIPAddr.String(); a.Address != "" && address != a.Address {
						t.Errorf("address %s, want %s", address, a.Address)
					}
					for code, value := range reply.Options {
						if !elsewhere(code) {
							got[code] = hex.EncodeToString(value)
						}
					}
					if diff := cmp.Diff(a.want(t), got); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
				})
			}
		})
	}
}
