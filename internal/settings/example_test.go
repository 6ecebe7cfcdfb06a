package settings

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExampleLoadsAndShowsTheDefaults(t *testing.T) {
	f, err := Options{Getenv: noEnvironment}.Load("../../config.yml.example")
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.URL, want.TokenFile = "https://netbox.example.org", "/etc/coredhcp-netbox/token"
	want.Store.Endpoints, want.PXE.ProxyDHCP, want.Network.Relays = []string{}, []string{}, []Relays{}
	want.Claims.Prefixes, want.Network.Circuits = []netip.Prefix{}, Circuits{Relays: []Relays{}, Formats: []string{}}
	want.Dynamic.Roles, want.Events.Webhooks = []string{}, []Webhook{{URL: "https://hooks.example.org/dhcp", SecretFile: "/etc/coredhcp-netbox/hook", Timeout: 10 * time.Second}}
	want.DDNS.Zones, want.DDNS.Keys, want.DDNS.Forbidden = []DDNSZone{}, []DDNSKey{}, []string{}
	if diff := cmp.Diff(want, f.NetBox, plain); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, p := range f.Chain.Plugins {
		names = append(names, p.Name)
	}
	order := []string{"server_id", PluginNetBox, PluginGateway, PluginDNS, PluginPXE, PluginNak}
	if diff := cmp.Diff(order, names); diff != "" || f.Chain.Nak != "authoritative" {
		t.Errorf("nak %q, order %s", f.Chain.Nak, diff)
	}
}
