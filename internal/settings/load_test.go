package settings

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// netip values compare by ==.
var plain = cmpopts.EquateComparable(Relays{}, Gateway{}, netip.Prefix{})

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

var noEnvironment = environment(nil)

const chain = `server4:
  plugins:
    - server_id: 10.10.0.2
    - netbox:
    - netbox_gateway:
    - netbox_dns: 10.10.0.53
    - netbox_pxe:
    - nak: authoritative
`

func parse(t *testing.T, text string) (*File, error) {
	t.Helper()
	return Options{Getenv: noEnvironment}.Parse("/etc/c/config.yml", []byte(text))
}

func TestMinimalFileHasTheDefaults(t *testing.T) {
	f, err := parse(t, chain+"netbox:\n  url: https://netbox.example.org/api/\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.URL = "https://netbox.example.org"
	if diff := cmp.Diff(want, f.NetBox, plain); diff != "" {
		t.Error(diff)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("warnings: %v", f.Warnings)
	}
}

func TestEverySettingIsRead(t *testing.T) {
	f, err := parse(t, chain+`
netbox:
  url: http://127.0.0.1:8000
  token_file: secrets/token
  vrf: blue
  context_key: dhcp
  timeout: 10s
  poll: {interval: 5s, stale_after: 7d, doubt: 2h}
  store: {engine: pebble, path: state, endpoints: []}
  lease:
    time: 1d12h
    min: 90s
    max: 2d
    offer_hold: 30s
    decline_time: 1h
    reclaim_grace: 0s
    probe: 300ms
    pick: hash
    standby_secs: 4
    fallthrough: true
    identify: client_id
    static_at_once: true
  dynamic: {tag: pool, roles: [phones], status: dhcp, write_back: leased, allow_unknown: false, keep_for_known: 20}
  fields: {mac: m, expire: e, hostname: h, reservation_mac: rm, reservation_client_id: ri}
  claims: {prefixes: [10.0.0.0/24], serial: true, port: true, boot: true, idle: 48h}
  clients: {lag: any, bind_interface: true, send_hostname: true}
  network: {subnet: 10.0.0.0/24, server_id_override: false, relays: [10.0.0.1, 10.1.0.0/16], serve: tagged, serve_tag: pilot, circuits: {relays: [10.0.0.1], formats: [text, "{host} eth {port}"]}}
  gateway: {tag: gw, fallback: 10.0.0.1, all: true}
  dns: {fallback: gateway}
  pxe: {gate: on, redeploy_field: r, confirm_field: c, unknown: site, default_arch: bios, proxy_dhcp: [eth1]}
  boot_service: {folder: boot, tftp_listen: "", http_listen: "10.0.0.2:80", max_transfers: 9, max_per_client: 3}
  control: {folder: run}
  history: {keep: 90d, max_bytes: 5000000}
  events: {renewals: true, file: events.jsonl, file_bytes: 100000, files: 2, webhooks: [{url: "https://hooks.example.org/dhcp", secret_file: hook, ca_file: ca.pem, timeout: 3s}]}
  status: {listen: '127.0.0.1:8067', url: 'https://dhcp.example.org/page/', token_file: page.token, certificate_file: page.pem, key_file: /k/page.key, probes: '10.1.1.9:9067'}
sync:
  anything: belongs to another program
`)
	if err != nil {
		t.Fatal(err)
	}
	want := NetBox{
		URL: "http://127.0.0.1:8000", TokenFile: "/etc/c/secrets/token", VRF: "blue", ContextKey: "dhcp", Timeout: 10 * time.Second,
		Poll:  Poll{5 * time.Second, 7 * 24 * time.Hour, 2 * time.Hour},
		Store: Store{"pebble", "/etc/c/state", []string{}, ""},
		Lease: Lease{36 * time.Hour, 90 * time.Second, 48 * time.Hour, 30 * time.Second, time.Hour, 0,
			300 * time.Millisecond, "hash", 4, true, "client_id", true},
		Dynamic: Dynamic{"pool", []string{"phones"}, "dhcp", "leased", false, 20},
		Fields:  Fields{"m", "e", "h", "rm", "ri"},
		Clients: Clients{"any", true, true},
		Claims:  Claims{[]netip.Prefix{prefix("10.0.0.0/24")}, true, true, true, 48 * time.Hour},
		Gateway: Gateway{Tag: "gw", Fallback: netip4(10, 0, 0, 1), All: true},
		DNS:     DNS{"gateway"},
		PXE:     PXE{"on", "r", "c", "site", "bios", []string{"eth1"}},

		BootService: BootService{"/etc/c/boot", "", "10.0.0.2:80", 9, 3},
		Control:     Control{"/etc/c/run"},
		History:     History{90 * 24 * time.Hour, 5000000},
		Events:      Events{true, "/etc/c/events.jsonl", 100000, 2, []Webhook{{URL: "https://hooks.example.org/dhcp", SecretFile: "/etc/c/hook", CAFile: "/etc/c/ca.pem", Timeout: 3 * time.Second}}},
		Status:      Status{"127.0.0.1:8067", "https://dhcp.example.org/page", "/etc/c/page.token", "/etc/c/page.pem", "/k/page.key", "10.1.1.9:9067"},
	}
	want.DDNS = Defaults().DDNS // TestNamesInDNSAreSet reads the others
	want.Network.Subnet, want.Network.Relays = prefix("10.0.0.0/24"), []Relays{{prefix("10.0.0.1/32")}, {prefix("10.1.0.0/16")}}
	want.Network.Serve, want.Network.ServeTag = "tagged", "pilot"
	want.Network.Circuits = Circuits{[]Relays{{prefix("10.0.0.1/32")}}, []string{"text", "{host} eth {port}"}}
	if diff := cmp.Diff(want, f.NetBox, plain); diff != "" {
		t.Error(diff)
	}
}

func TestFiveMistakesGiveFiveErrorsWithLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yml")
	text := chain + `netbox:
  url: https://netbox.example.org
  lease:
    time: soon
    pick: highest
  pol:
    interval: 30s
  network:
    subnet: 10.0.0.5/24
  url: https://other.example.org
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	want := strings.Join([]string{
		path + `:12: netbox.lease.time: want a duration such as 30s, 90m, 12h or 1d, not "soon"`,
		path + `:13: netbox.lease.pick: want lowest or hash, not "highest"`,
		path + `:14: netbox.pol: unknown key; did you mean poll?`,
		path + `:17: netbox.network.subnet: host bits are set in 10.0.0.5/24; want 10.0.0.0/24`,
		path + `:18: netbox.url: repeated; it stands on line 10 already`,
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 5 {
		t.Errorf("want five Problems, got %T", err)
	}
}

func TestMistakesInTheSection(t *testing.T) {
	for name, tc := range map[string]struct{ section, want string }{
		"seconds need a unit":             {"timeout: 60", `netbox.timeout: want a duration such as 30s, 90m, 12h or 1d, not "60"; for seconds write 60s`},
		"section is a list":               {"lease: [1h]", "netbox.lease: want a mapping with time, min, max, offer_hold, decline_time, reclaim_grace, probe, pick, standby_secs, fallthrough, identify, static_at_once, not a list"},
		"text where a bool belongs":       {"gateway: {all: maybe}", `netbox.gateway.all: want true or false, not "maybe"`},
		"yes is no bool":                  {"gateway: {all: yes}", `netbox.gateway.all: want true or false, not "yes"`},
		"bool where text belongs":         {"pxe: {gate: true}", `netbox.pxe.gate: want text: write "true" with the quotes, not "true"`},
		"number is a fraction":            {"lease: {standby_secs: 1.5}", `netbox.lease.standby_secs: want a whole number, not "1.5"`},
		"percentage out of range":         {"dynamic: {keep_for_known: 91}", "netbox.dynamic.keep_for_known: want 0 to 90, not 91"},
		"percentage below zero":           {"dynamic: {keep_for_known: -1}", "netbox.dynamic.keep_for_known: want 0 to 90, not -1"},
		"number out of range":             {"lease: {standby_secs: 70000}", "netbox.lease.standby_secs: want 0 to 65535, not 70000"},
		"duration out of range":           {"lease: {probe: 2s}", "netbox.lease.probe: want 0s to 900ms, not 2s"},
		"negative duration":               {"timeout: -1s", "netbox.timeout: want 1s to 10m, not -1s"},
		"lease of parts of a second":      {"lease: {time: 90500ms}", "netbox.lease.time: want whole seconds, not 1m30.5s"},
		"min above max":                   {"lease: {min: 2h, max: 90m}", "netbox.lease.min: 2h is above netbox.lease.time, which is 1h"},
		"max below the default time":      {"lease: {max: 30m}", "netbox.lease.max: 30m is below netbox.lease.time, which is 1h"},
		"stale before the next poll":      {"poll: {interval: 1h, stale_after: 30m}", "netbox.poll.stale_after: 30m is below netbox.poll.interval, which is 1h"},
		"relay is no address":             {"network: {relays: [router]}", `netbox.network.relays[0]: want an IPv4 address or prefix such as 10.0.0.1 or 10.0.0.0/24, not "router"`},
		"relays are no list":              {"network: {relays: 10.0.0.1}", "netbox.network.relays: want a list, not \"10.0.0.1\""},
		"relay of the wrong family":       {"network: {relays: ['fe80::1']}", "netbox.network.relays: want IPv4 addresses or prefixes such as 10.0.0.1 or 10.0.0.0/24, not fe80::1/128"},
		"relays with host bits":           {"network: {relays: [10.0.0.1/24]}", "netbox.network.relays: host bits are set in 10.0.0.1/24; want 10.0.0.0/24 or 10.0.0.1"},
		"gateway is no address":           {"gateway: {fallback: router}", `netbox.gateway.fallback: want an address such as 10.0.0.1, not "router"`},
		"gateway of the wrong family":     {"gateway: {fallback: 'fe80::1'}", "netbox.gateway.fallback: want the IPv4 address of a host, not fe80::1"},
		"subnet without a mask":           {"network: {subnet: 10.0.0.1}", `netbox.network.subnet: want a prefix such as 10.0.0.0/24, not "10.0.0.1"`},
		"subnet of the wrong family":      {"network: {subnet: '2001:db8::/64'}", "netbox.network.subnet: want an IPv4 prefix such as 10.0.0.0/24, not 2001:db8::/64"},
		"etcd":                            {"store: {engine: etcd, endpoints: ['10.0.0.9:2379']}", "netbox.store.engine: store.engine: etcd is not in this version; use pebble"},
		"endpoints of an embedded store":  {"store: {endpoints: ['10.0.0.9:2379']}", "netbox.store.endpoints: contradicts store.engine: pebble, which keeps leases on this machine"},
		"a copy in the store":             {"store: {path: state, copy: ./state/}", "netbox.store.copy: want a folder other than store.path, which the copy is to outlive"},
		"no store folder":                 {"store: {path: ''}", "netbox.store.path: want a folder"},
		"url and inventory":               {"inventory: lab.yml", "netbox.inventory: contradicts netbox.url: facts come from one of them"},
		"nothing can be dynamic":          {"dynamic: {tag: ''}", "netbox.dynamic.tag: want a tag or a status; for static addresses only, give no address the tag"},
		"one tag for both":                {"gateway: {tag: dhcp}", "netbox.gateway.tag: contradicts netbox.dynamic.tag: a gateway is never leased (N-5)"},
		"no field name":                   {"fields: {mac: 'Last MAC'}", `netbox.fields.mac: want the internal name of a custom field (letters, digits, single _), not "Last MAC"`},
		"a field of the record (CL-1)":    {"fields: {reservation_mac: pydhcp_mac}", "netbox.fields.reservation_mac: netbox.fields.mac names the same custom field"},
		"a field of the mirror (CL-1)":    {"fields: {reservation_mac: dhcp_client_id}", "netbox.fields.reservation_mac: the mirror of Windows servers writes the custom field dhcp_client_id: want one of its own (CL-1)"},
		"one field for two things":        {"fields: {hostname: pydhcp_mac}", "netbox.fields.hostname: netbox.fields.mac names the same custom field"},
		"gate without a field":            {"pxe: {gate: on, confirm_field: ''}", `netbox.pxe.confirm_field: want the internal name of a custom field (letters, digits, single _), not ""`},
		"boot service nowhere":            {"boot_service: {folder: boot, tftp_listen: ''}", `netbox.boot_service.folder: want an address in tftp_listen or http_listen to serve it at`},
		"boot service without folder":     {"boot_service: {http_listen: ':8069'}", `netbox.boot_service.http_listen: has no effect without netbox.boot_service.folder`},
		"boot service without port":       {"boot_service: {folder: boot, tftp_listen: 10.0.0.2}", `netbox.boot_service.tftp_listen: want an address and a port, such as :69 or 10.0.0.2:69, not "10.0.0.2"`},
		"boot service at a strange port":  {"boot_service: {folder: boot, tftp_listen: ':tftp'}", `netbox.boot_service.tftp_listen: want a port of 0 to 65535 after the colon, not "tftp"`},
		"page without a port":             {"status: {listen: localhost}", `netbox.status.listen: want an address and a port such as 127.0.0.1:8067, not "localhost"`},
		"page at no path":                 {"status: {listen: 'unix:page.sock'}", `netbox.status.listen: want an address and a port such as 127.0.0.1:8067, not "unix:page.sock"`},
		"probes at a socket":              {"status: {probes: 'unix:/run/p'}", `netbox.status.probes: want an address and a port such as 127.0.0.1:8067, not "unix:/run/p"`},
		"page with a password":            {"status: {url: 'https://u:hunter2@dhcp.example.org'}", "netbox.status.url: want an address such as https://dhcp.example.org, without user, ? and #"},
		"token for the page":              {"status: {token_file: '0123456789abcdef0123456789abcdef01234567'}", "netbox.status.token_file: this looks like a token, not like the path of a file that holds one"},
		"boot service at a name":          {"boot_service: {folder: boot, http_listen: 'boot.example.org:80'}", `netbox.boot_service.http_listen: want an address of this machine before the port, not "boot.example.org"`},
		"TFTP over IPv6":                  {"boot_service: {folder: boot, tftp_listen: '[2001:db8::1]:69'}", `netbox.boot_service.tftp_listen: want an IPv4 address, not 2001:db8::1`},
		"no transfers":                    {"boot_service: {max_transfers: 0, folder: boot}", `netbox.boot_service.max_transfers: want 1 to 4096, not 0`},
		"more per client than in all":     {"boot_service: {max_transfers: 8, folder: boot}", `netbox.boot_service.max_per_client: want 1 to max_transfers, which is 8, not 16`},
		"ProxyDHCP on everything":         {"pxe: {proxy_dhcp: ['*']}", `netbox.pxe.proxy_dhcp: want names of interfaces such as eth0, not "*"`},
		"ProxyDHCP twice":                 {"pxe: {proxy_dhcp: [eth0, eth0]}", `netbox.pxe.proxy_dhcp: eth0 is listed twice`},
		"wrong architecture":              {"pxe: {default_arch: uefi}", `netbox.pxe.default_arch: want bios, not "uefi"`},
		"no context key":                  {"context_key: ''", "netbox.context_key: want the name of a key of the config contexts"},
		"served by a tag that is missing": {"network: {serve: tagged}", "netbox.network.serve_tag: network.serve: tagged needs the name or slug of a tag; only prefixes that carry it are served"},
		"a tag that is not asked for":     {"network: {serve_tag: pilot}", "netbox.network.serve_tag: network.serve: all serves prefixes with and without tag; write network.serve: tagged, or leave the tag out"},
		"served by an unknown word":       {"network: {serve: some}", `netbox.network.serve: want all or tagged, not "some"`},
		"ports that count nowhere":        {"claims: {port: true}\n  network: {circuits: {relays: [10.0.0.1]}}", "netbox.claims.port: want the prefixes where claims count in netbox.claims.prefixes (CL-6)"},
		"boot data that count nowhere":    {"claims: {boot: true}", "netbox.claims.boot: want the prefixes where claims count in netbox.claims.prefixes (CL-6)"},
		"ports without relays":            {"claims: {port: true, prefixes: [10.0.0.0/24]}", "netbox.claims.port: want the relays that set or strip option 82 for each client in netbox.network.circuits.relays (CL-13)"},
		"formats without relays":          {"network: {circuits: {formats: [cisco]}}", "netbox.network.circuits.formats: want the relays that set or strip option 82 for each client in netbox.network.circuits.relays (CL-13)"},
		"format that is none":             {"network: {circuits: {relays: [10.0.0.1], formats: [text, Junos]}}", `netbox.network.circuits.formats[1]: want text, cisco, nexus, procurve or a template such as "{host} eth {port}:{vlan}", not "Junos"`},
		"template without a port":         {"network: {circuits: {relays: [10.0.0.1], formats: ['{host} eth']}}", `netbox.network.circuits.formats[0]: want one {port}, at most one {host} and at most 128 characters in a circuit format, not "{host} eth"`},
		"relays of circuits with a host":  {"network: {circuits: {relays: [10.0.0.1/24]}}", "netbox.network.circuits.relays: host bits are set in 10.0.0.1/24; want 10.0.0.0/24 or 10.0.0.1"},
		"serials that count nowhere":      {"claims: {serial: true}", "netbox.claims.serial: want the prefixes where claims count in netbox.claims.prefixes (CL-6)"},
		"identifiers that count nowhere":  {"fields: {reservation_client_id: x}", "netbox.fields.reservation_client_id: a client identifier is a claim: want the prefixes where claims count in netbox.claims.prefixes (CL-6)"},
		"claims in a host":                {"claims: {prefixes: [10.0.0.1/24]}", "netbox.claims.prefixes: want IPv4 prefixes without host bits such as 10.0.0.0/24, not 10.0.0.1/24"},
		"a role without a name":           {"dynamic: {roles: [phones, ' ']}", "netbox.dynamic.roles[1]: want the name or slug of an IPAM role"},
		"the role of the mirror":          {"dynamic: {roles: [DHCP-Scope]}", "netbox.dynamic.roles[0]: this is the role of the scopes of Windows DHCP servers, which are never pools (N-15)"},
		"a word for write_back":           {"dynamic: {write_back: all}", "netbox.dynamic.write_back: want existing or leased or none, not \"all\""},
		"a field of the server's own":     {"fields: {mac: dhcp_made_for_lease}", "netbox.fields.mac: dhcp_made_for_lease is the field of objects that the server makes for leases; name another one"},
		"objects without a tag":           {"dynamic: {write_back: leased, tag: '', status: dhcp}", "netbox.dynamic.write_back: leased needs netbox.dynamic.tag, which the objects get that it makes (S-17)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, chain+"netbox:\n  url: https://netbox.example.org\n  "+tc.section+"\n")
			if diff := cmp.Diff("/etc/c/config.yml:11: "+tc.want, message(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesOfTheWholeFile(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":                     {"", "/etc/c/config.yml: server4: the section with listen: and plugins: is missing"},
		"no YAML":                   {"netbox: [", "/etc/c/config.yml:1: not YAML: did not find expected node content"},
		"a list":                    {"- netbox", "/etc/c/config.yml:1: want a mapping with netbox, sync, not a list"},
		"neither url nor inventory": {chain, "/etc/c/config.yml: netbox.url: want the address of NetBox here or in NETBOX_URL, or a file in netbox.inventory"},
		"section misspelt":          {chain + "netbx:\n  url: https://n.example\n", "/etc/c/config.yml: netbox.url: want the address of NetBox here or in NETBOX_URL, or a file in netbox.inventory\n/etc/c/config.yml:9: netbx: did you mean netbox?"},
		"section in capitals":       {chain + "netbox: {inventory: lab.yml}\nNetBox:\n  url: https://n.example\n", "/etc/c/config.yml:10: NetBox: did you mean netbox?"},
		"a second document":         {chain + "netbox: {inventory: lab.yml}\n---\nnetbox: {inventory: other.yml}\n", "/etc/c/config.yml:10: ---: a second document begins here, which is not read: keep everything in one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, tc.text)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAddressIsCheckedAndNeverRepeated(t *testing.T) {
	for name, address := range map[string]string{
		"no scheme":   "netbox.example.org/hunter2",
		"wrong one":   "ftp://netbox.example.org/hunter2",
		"no host":     "https:///hunter2",
		"password":    "https://me:hunter2@netbox.example.org",
		"query":       "https://netbox.example.org/?t=hunter2",
		"unparsable":  "https://netbox.example.org:hunter2",
		"token in it": "https://netbox.example.org/#hunter2",
	} {
		for _, inFile := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				text, pairs := chain, map[string]string{"NETBOX_URL": address}
				if inFile {
					text, pairs = chain+"netbox:\n  url: "+address+"\n", nil
				}
				_, err := Options{Getenv: environment(pairs)}.Parse("config.yml", []byte(text))
				if err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("want an error that keeps the address to itself, got %v", err)
				}
			})
		}
	}
}

func TestEnvironmentFillsWhatTheFileLeavesOut(t *testing.T) {
	all := map[string]string{
		"NETBOX_URL": "https://env.example.org/", "NETBOX_TOKEN": " abc\n",
		"NETBOX_TOKEN_FILE": "/run/token", "CREDENTIALS_DIRECTORY": "/run/credentials/c",
	}
	without := func(names ...string) map[string]string {
		pairs := make(map[string]string)
		for k, v := range all {
			if !strings.Contains(strings.Join(names, " ")+" ", k+" ") {
				pairs[k] = v
			}
		}
		return pairs
	}
	for name, tc := range map[string]struct {
		section   string
		env       map[string]string
		url, file string
		token     Secret
		warnings  int
	}{
		"all from the environment": {"", all, "https://env.example.org", "", "abc", 0},
		"token file":               {"", without("NETBOX_TOKEN"), "https://env.example.org", "/run/token", "", 0},
		"systemd credential":       {"", without("NETBOX_TOKEN", "NETBOX_TOKEN_FILE"), "https://env.example.org", "/run/credentials/c/netbox_token", "", 0},
		"file wins":                {"netbox: {url: 'https://f.example', token_file: /f}", all, "https://f.example", "/f", "", 2},
		"inventory wins":           {"netbox: {inventory: /lab.yml}", without("NETBOX_TOKEN", "NETBOX_TOKEN_FILE", "CREDENTIALS_DIRECTORY"), "", "", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Options{Getenv: environment(tc.env)}.Parse("config.yml", []byte(chain+tc.section))
			if err != nil {
				t.Fatal(err)
			}
			if f.NetBox.URL != tc.url || f.NetBox.TokenFile != tc.file || f.NetBox.EnvToken != tc.token || len(f.Warnings) != tc.warnings {
				t.Errorf("got %q %q %q %v", f.NetBox.URL, f.NetBox.TokenFile, f.NetBox.EnvToken.Reveal(), f.Warnings)
			}
		})
	}
}

func TestShortLeaseLowersTheDefaultMinimum(t *testing.T) {
	f, err := parse(t, chain+"netbox: {inventory: lab.yml, lease: {time: 2m}}")
	if err != nil {
		t.Fatal(err)
	}
	if l := f.NetBox.Lease; l.Min != 2*time.Minute || l.Max != 2*time.Minute {
		t.Errorf("min %v max %v, want both 2m", l.Min, l.Max)
	}
	if want := "/etc/c/lab.yml"; f.NetBox.Inventory != want {
		t.Errorf("inventory %q, want %q", f.NetBox.Inventory, want)
	}
}

func TestSectionIsOptionalWithoutOurPlugins(t *testing.T) {
	f, err := parse(t, "server4:\n  plugins:\n    - range: leases.db 10.0.0.1 10.0.0.9 60s\n    - nak: own\n")
	if err != nil {
		t.Fatal(err)
	}
	if f.Chain.Nak != "own" {
		t.Errorf("nak %q", f.Chain.Nak)
	}
}

func TestServerIgnoresTheSectionOfTheMirror(t *testing.T) {
	f, err := parse(t, chain+"netbox: {inventory: lab.yml}\nsync: {nonsense: [1, {token: x}], servers: 7}\n")
	if err != nil || f.NetBox.Inventory == "" {
		t.Error(err)
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(chain + "netbox:\n  url: https://netbox.example.org\n"))
	f.Add([]byte(chain + "netbox: &a\n  inventory: lab.yml\n  lease: {time: 1d, <<: {min: 30s}}\n"))
	f.Add([]byte("server4: &s [*s]\nnetbox: {token: x}\n"))
	f.Add([]byte("Server4:\n  Plugins:\n  - nak\n  - NetBox: {a: b}\n  - netbox_dns: 1.2.3.4 ::1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Options{Getenv: noEnvironment}.Parse("config.yml", data)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			return
		}
		if file.NetBox.URL == "" && file.NetBox.Inventory == "" && !file.Chain.needsNetBox() {
			return
		}
		if again := revalidate(&file.NetBox); again != nil {
			t.Errorf("accepted, but: %v", again)
		}
	})
}

// C-3: systemd names the runtime directory of a service; the file wins.
func TestTheFolderOfTheControlSocket(t *testing.T) {
	for name, c := range map[string]struct{ text, environment, want string }{
		"nothing said":         {"", "", "/run/coredhcp-netbox"},
		"systemd says":         {"", "/run/dhcp:/run/other", "/run/dhcp"},
		"the file says":        {"  control: {folder: /srv/run}\n", "", "/srv/run"},
		"the file says it too": {"  control: {folder: /srv/run}\n", "/run/dhcp", "/srv/run"},
	} {
		f, err := Options{Getenv: func(name string) string {
			if name == "RUNTIME_DIRECTORY" {
				return c.environment
			}
			return ""
		}}.Parse("/etc/c/config.yml", []byte(chain+"netbox:\n  url: https://netbox.example.org\n"+c.text))
		if err != nil || f.NetBox.Control.Folder != c.want {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
