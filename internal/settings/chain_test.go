package settings

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const source = "netbox: {inventory: lab.yml}\n"

func TestChainIsReadAsCoreDHCPReadsIt(t *testing.T) { // F-7, F-8
	f, err := parse(t, source+`
Server4:
  listen: ["%eth0"]
  Plugins:
    - Server_ID: 10.10.0.2
    - NetBox:
    - NETBOX_DNS: >-
        10.10.0.53
        10.10.0.54
    - lease_time: 60s
    - nak:
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Chain{
		Listen: []Listener{{Addr: netip.IPv4Unspecified(), Interface: "eth0"}},
		Plugins: []Plugin{
			{"server_id", []string{"10.10.0.2"}, 6},
			{"netbox", nil, 7},
			{"netbox_dns", []string{"10.10.0.53", "10.10.0.54"}, 8},
			{"lease_time", []string{"60s"}, 11},
			{"nak", nil, 12},
		},
		Nak: "authoritative",
		DNS: []netip.Addr{netip4(10, 10, 0, 53), netip4(10, 10, 0, 54)},
	}
	if diff := cmp.Diff(want, f.Chain, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

func TestChainWithoutNakIsOff(t *testing.T) {
	f, err := parse(t, source+"server4: {plugins: [netbox: ]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if f.Chain.Nak != "off" || !f.Chain.Has("netbox") || f.Chain.Has("nak") {
		t.Errorf("got %+v", f.Chain)
	}
}

func TestMistakesInTheChain(t *testing.T) {
	for name, tc := range map[string]struct {
		plugins string
		want    []string
	}{
		"no list":           {"netbox", []string{"2: server4.plugins: want a list of plugins, in the order they work"}},
		"empty list":        {"[]", []string{"2: server4.plugins: want a list of plugins, in the order they work"}},
		"no colon":          {"[netbox]", []string{`2: server4.plugins[0]: want a colon after the name: "- netbox:"`}},
		"two in one entry":  {"[{server_id: 10.0.0.2, netbox: }]", []string{`2: server4.plugins[0]: want one plugin, as in "- server_id: 10.0.0.2"`}},
		"arguments as list": {"[netbox: , netbox_dns: [10.0.0.53]]", []string{"2: server4.plugins[1].netbox_dns: CoreDHCP drops arguments written as a list or mapping: write them in one line with blanks between them"}},
		"arguments of an upstream plugin as mapping": {"[dns: {a: b}]", []string{"2: server4.plugins[0].dns: CoreDHCP drops arguments written as a list or mapping: write them in one line with blanks between them"}},
		"unknown word":      {"[netbox: , nak: maybe]", []string{`2: server4.plugins[1].nak: want authoritative, own, off, not "maybe"`}},
		"two words":         {"[netbox: , nak: own off]", []string{"2: server4.plugins[1].nak: want one word of authoritative, own, off"}},
		"DNS by name":       {"[netbox: , netbox_dns: ns1.example.org]", []string{`2: server4.plugins[1].netbox_dns: want IPv4 addresses of hosts, not "ns1.example.org"`}},
		"DNS with commas":   {`[netbox: , netbox_dns: "10.0.0.1,10.0.0.2"]`, []string{`2: server4.plugins[1].netbox_dns: want IPv4 addresses with blanks between them, not "10.0.0.1,10.0.0.2"`}},
		"DNS by IPv6":       {`[netbox: , netbox_dns: "::1"]`, []string{`2: server4.plugins[1].netbox_dns: want IPv4 addresses of hosts, not "::1"`}},
		"too many servers":  {"[netbox: , netbox_dns: " + strings.Repeat("10.0.0.1 ", 17) + "]", []string{"2: server4.plugins[1].netbox_dns: want at most 16 addresses, not 17"}},
		"gateway argument":  {"[netbox: , netbox_gateway: 10.0.0.1]", []string{"2: server4.plugins[1].netbox_gateway: takes no arguments; its settings are in the netbox section"}},
		"netbox argument":   {"[netbox: config.yml]", []string{"2: server4.plugins[0].netbox: takes no argument in this program; its settings are in the netbox section of this file"}},
		"token as argument": {"[netbox: nbt_hunter2.x]", []string{"2: server4.plugins[0].netbox: this looks like a token, which would end up in the log: use netbox.token_file"}},
		"several arguments": {"[netbox: url=x token=y]", []string{"2: server4.plugins[0].netbox: takes no list of arguments; settings are in the netbox section"}},
		"listed twice":      {"[netbox: , netbox_pxe: , NetBox_PXE: ]", []string{"2: server4.plugins[2].NetBox_PXE: listed twice"}},
		"nak not last":      {"[netbox: , nak: , router: 10.0.0.1]", []string{"2: server4.plugins[1].nak: must be the last plugin, since it decides what a refusal looks like"}},
		"before server_id":  {"[netbox: , server_id: 10.0.0.2]", []string{"2: server4.plugins[1].server_id: must stand before netbox, which has to know the server's address"}},
		"before netbox": {"[netbox_pxe: , netbox_dns: , netbox: ]", []string{
			"2: server4.plugins[0].netbox_pxe: must stand after netbox, whose decision it needs",
			"2: server4.plugins[1].netbox_dns: must stand after netbox, whose decision it needs",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, "server4:\n  plugins: "+tc.plugins+"\n"+source)
			want := "/etc/c/config.yml:" + strings.Join(tc.want, "\n/etc/c/config.yml:")
			if diff := cmp.Diff(want, message(err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(message(err), "hunter2") {
				t.Error("the error repeats a token")
			}
		})
	}
}

func TestPluginsThatGetInTheWayAreWarnedAbout(t *testing.T) {
	f, err := parse(t, source+"server4: {plugins: [file: leases.txt, ipv6only: , netbox: , nbp: tftp://x/y]}\n")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, w := range f.Warnings {
		keys = append(keys, w.Key)
	}
	// nbp stands below all of ours and stops nothing.
	if diff := cmp.Diff([]string{"file", "ipv6only"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestStockBuild(t *testing.T) {
	for name, tc := range map[string]struct{ text, path, want string }{
		"settings in a file of their own": {source, "", ""},
		"path of this file":               {source + "server4: {plugins: [server_id: 10.0.0.2, netbox: config.yml]}", "config.yml", ""},
		"path in the other plugins":       {source + "server4: {plugins: [server_id: 10.0.0.2, netbox: /a.yml, netbox_gateway: /a.yml, netbox_dns: /a.yml 10.0.0.53, nak: /a.yml own]}", "/a.yml", ""},
		"another path":                    {source + "server4: {plugins: [server_id: 10.0.0.2, netbox: /a.yml, nak: /b.yml own]}", "", "config.yml:2: server4.plugins[2].nak: want one word of authoritative, own, off"},
		"no path":                         {source + "server4: {plugins: [server_id: 10.0.0.2, netbox: ]}", "", "config.yml:2: server4.plugins[1].netbox: want the path of the file with the netbox section, such as config.yml"},
		"no server_id":                    {source + "server4: {plugins: [netbox: config.yml]}", "", "config.yml:2: server4.plugins[0].netbox: needs a server_id before it: stock CoreDHCP does not tell which address it received on (R-13)"},
		"no source":                       {"netbox: {}", "", "config.yml:1: netbox.url: want the address of NetBox here or in NETBOX_URL, or a file in netbox.inventory"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Options{Stock: true, Getenv: noEnvironment}.Parse("config.yml", []byte(tc.text))
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Fatal(diff)
			}
			if err == nil && f.Chain.NetBoxPath != tc.path {
				t.Errorf("path %q, want %q", f.Chain.NetBoxPath, tc.path)
			}
		})
	}
}
