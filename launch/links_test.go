package launch

import (
	"net"
	"testing"

	"github.com/coredhcp/coredhcp/config"
	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/coredhcp/coredhcp/plugins/serverid"
	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// What stands for CoreDHCP's server_id does the same.
func TestTheServerIDIsThatOfCoreDHCP(t *testing.T) {
	theirs, err := serverid.Plugin.Setup4("10.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	ours := new(dhcp4.Exchanges).Handler(serverID("10.0.0.2"))
	for _, siaddr := range []net.IP{nil, net.IPv4zero, net.IPv4zero.To4(), net.IPv4(10, 0, 0, 2), {10, 0, 0, 2}, net.IPv4(10, 0, 0, 3)} {
		for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeNone, dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest} {
			var replies [2]*dhcpv4.DHCPv4
			var stops [2]bool
			for i, h := range []handler.Handler4{theirs, ours} {
				req := dhcp4test.Request(t, kind, dhcp4test.Raw(54, 10, 0, 0, 9))
				req.ServerIPAddr, req.TransactionID = siaddr, dhcpv4.TransactionID{1}
				resp, err := dhcpv4.NewReplyFromRequest(req)
				if err != nil {
					t.Fatal(err)
				}
				replies[i], stops[i] = h(req, resp)
			}
			if diff := cmp.Diff(replies[0], replies[1]); diff != "" || stops[0] != stops[1] {
				t.Errorf("siaddr %v in %v (-CoreDHCP +ours), stops %v:\n%s", siaddr, kind, stops, diff)
			}
		}
	}
	for _, argument := range []string{"", "2001:db8::1", "ours"} { // which CoreDHCP refuses
		if serverID(argument) != nil {
			t.Errorf("%q is taken", argument)
		}
	}
}

// Each handler of ours stands at the place of its plugin, whatever others are around.
func TestHandlersAreThoseOfTheirPlugins(t *testing.T) {
	for _, name := range []string{"links_test_v4", "links_test_v6"} {
		p := &plugins.Plugin{Name: name}
		if name == "links_test_v4" {
			p.Setup4 = func(...string) (handler.Handler4, error) { return nil, nil } //nolint:nilnil // it is not called
		}
		plugins.RegisteredPlugins[name] = p
		defer delete(plugins.RegisteredPlugins, name)
	}
	for _, p := range []plugins.Plugin{serverid.Plugin, {Name: "netbox"}, {Name: "nak"}} {
		if plugins.RegisteredPlugins[p.Name] == nil {
			p.Setup4 = func(...string) (handler.Handler4, error) { return nil, nil } //nolint:nilnil // as above
			plugins.RegisteredPlugins[p.Name] = &p
			defer delete(plugins.RegisteredPlugins, p.Name)
		}
	}
	called := ""
	mark := func(name string) dhcp4.Handler {
		return func(_ *dhcp4.Exchange, _, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
			called = name
			return resp, false
		}
	}
	conf := &config.ServerConfig{Plugins: []config.PluginConfig{
		{Name: "server_id", Args: []string{"10.0.0.2"}}, {Name: "links_test_v6"}, {Name: "netbox"}, {Name: "links_test_v4"}, {Name: "nak"},
	}}
	links := linksOf(conf, make([]handler.Handler4, 4), []dhcp4.Handler{mark("of a chain before"), mark("netbox"), mark("nak")})
	var names []string
	for _, l := range links {
		names = append(names, l.Plugin)
		called = ""
		if l.Ours != nil {
			l.Ours(new(dhcp4.Exchange), dhcp4.Of(new(dhcpv4.DHCPv4)), dhcp4.Of(new(dhcpv4.DHCPv4)))
		}
		want := map[string]string{"netbox": "netbox", "nak": "nak"}[l.Plugin]
		if called != want || (l.Ours == nil) != (l.Plugin == "links_test_v4") {
			t.Errorf("%s: the handler of %q", l.Plugin, called)
		}
	}
	if diff := cmp.Diff([]string{"server_id", "netbox", "links_test_v4", "nak"}, names); diff != "" {
		t.Error(diff)
	}
	if linksOf(nil, nil, nil) != nil {
		t.Error("a file without server4 has handlers")
	}
}
