package settings

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

const (
	netboxSection = "netbox: {url: 'https://netbox.example.org'}\n"
	oneServer     = netboxSection + "sync:\n  servers:\n    - {host: dh1.corp.example, token_file: /t}\n"
)

var mirrored = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()}

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

var noEnvironment = environment(nil)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// forced lists the settings that sync.overrides or the environment decide.
func forced(f *File) []Setting {
	return slices.DeleteFunc(f.Effective(), func(s Setting) bool { return !s.Forced })
}

func parse(t *testing.T, text string, pairs ...string) (*File, error) {
	t.Helper()
	env := make(map[string]string)
	for i := 0; i+1 < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return Options{Getenv: environment(env)}.Parse("/etc/c/config.yml", []byte(text))
}

func mustParse(t *testing.T, text string, pairs ...string) *File {
	t.Helper()
	f, err := parse(t, text, pairs...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Rule 9 row 21: the settings of the mirror are YAML.
func TestMinimalFileOfTheMirrorHasTheDefaults(t *testing.T) {
	f := mustParse(t, oneServer)
	want := Defaults()
	want.Servers = []Server{serverDefaults("dh1.corp.example")}
	want.Servers[0].TokenFile = "/t"
	if diff := cmp.Diff(want, f.Sync, mirrored); diff != "" {
		t.Error(diff)
	}
	if f.NetBox.URL != "https://netbox.example.org" || f.NetBox.Timeout != time.Minute || len(f.Warnings) > 0 {
		t.Errorf("NetBox %s, %v, warnings %v", f.NetBox.URL, f.NetBox.Timeout, f.Warnings)
	}
}

// Rules 9 rows 1, 18, 26, 27, 29 to 31 and 11.
func TestEverySettingOfTheMirrorIsRead(t *testing.T) {
	f := mustParse(t, `
server4: the mirror does not look at this
netbox: {url: 'https://netbox.example.org', token_file: nb, timeout: 5s, lease: {time: 2h}, inventory: lab.yml}
sync:
  interval: 5m
  state_dir: state
  priority: low
  sync_ips_from_dhcp: true
  push_reservations: true
  push_scope_info: true
  read_only: true
  dry_run: true
  active_scopes_only: true
  auto_import: true
  refresh_options: false
  adopt: report
  inherit_tenant: false
  skip_ras: true
  expiry_in_netbox: true
  maintenance_scopes: [10.8.4.0/24]
  exempt_tag: pool
  statuses: {lease: leased, reservation: kept, previous_lease: [dhcp], previous_reservation: [reserved]}
  protect: {tag: dhcp-protect, update_client_id: true, show_lease: false}
  guards: {max_delete_percent: 0, max_delete_count: 0, confirm_after: 4h, keep_assigned: false}
  import: {create_missing_prefixes: false}
  push: {replace_client_id: true, delete_removed: true, push_to_partner: true, activate_scopes: true, delete_scopes: true, scope_grace: 48h}
  psu: {timeout: 90s, parallel: 8}
  certificates: {warn_days: 0}
  history: {keep: 90d, max_bytes: 5000000}
  status: {listen: '127.0.0.1:8067', url: 'https://sync.example.org/dhcp/', token_file: page.token, certificate_file: page.pem, key_file: /k/page.key, probes: '10.1.1.9:9067'}
  servers:
    - host: DH1.corp.example.
      port: 8443
      https: true
      verify: false
      server_name: localhost
      token_file: dh1.token
      transport: ssh
      ssh:
        user: 'CORP\netbox-dhcp'
        port: 2222
        key_file: dh1.key
        passphrase_file: dh1.passphrase
        known_hosts: /etc/ssh/ssh_known_hosts
        jump: gate@[2001:db8::9]:2022
        command: 'C:\PROGRA~1\PowerShell\7\pwsh.exe'
        bound: true
      sync_standalone_scopes: false
      maintenance: true
      read_only: true
      push: false
      computer: DH1
      enabled: false
      aliases: [dhcp-east, 10.1.1.5]
      vrf: red
      scope_vrf: {10.8.6.0/25: blue}
      scope_prefix: {10.8.4.0/24: 217}
    - {host: '2001:db8::5', token_env: DH2_TOKEN, ssh: {agent: true}}
  failover:
    east.pair: {primary: dhcp-east, servers: [DH1, '2001:db8::5'], sync_enabled: false, maintenance: true, ask_partner: true}
    west:
`, "DH2_TOKEN", " abc\n")
	pool := "pool"
	want := Sync{
		ExemptTag: &pool,
		Interval:  5 * time.Minute, StateDir: "/etc/c/state", Priority: "low",
		SyncIPs: true, PushReservations: true, PushScopeInfo: true, ReadOnly: true, DryRun: true, ActiveScopesOnly: true, AutoImport: true,
		Adopt: "report", SkipRAS: true, ExpiryInNetBox: true, MaintenanceScopes: []netip.Prefix{prefix("10.8.4.0/24")},
		Statuses:     Statuses{"leased", "kept", []string{"dhcp"}, []string{"reserved"}},
		Protect:      Protect{"dhcp-protect", true, false},
		Guards:       Guards{ConfirmAfter: 4 * time.Hour},
		Push:         Push{true, true, true, true, true, 48 * time.Hour},
		PSU:          PSU{90 * time.Second, 8},
		Certificates: Certificates{0},
		History:      History{90 * 24 * time.Hour, 5000000},
		Status:       Status{Listen: "127.0.0.1:8067", URL: "https://sync.example.org/dhcp", TokenFile: "/etc/c/page.token", CertificateFile: "/etc/c/page.pem", KeyFile: "/k/page.key", Probes: "10.1.1.9:9067"},
		Servers: []Server{
			{Host: "DH1.corp.example.", Port: 8443, HTTPS: true, ServerName: "localhost", TokenFile: "/etc/c/dh1.token", Transport: "ssh",
				SSH: SSH{User: `CORP\netbox-dhcp`, Port: 2222, KeyFile: "/etc/c/dh1.key", PassphraseFile: "/etc/c/dh1.passphrase", KnownHosts: "/etc/ssh/ssh_known_hosts",
					Jump: "gate@[2001:db8::9]:2022", Command: `C:\PROGRA~1\PowerShell\7\pwsh.exe`, Bound: true}, Maintenance: true, ReadOnly: true, Computer: "DH1",
				Aliases: []string{"dhcp-east", "10.1.1.5"}, VRF: "red", ScopeVRF: map[netip.Prefix]string{prefix("10.8.6.0/25"): "blue"},
				ScopePrefix: map[netip.Prefix]int64{prefix("10.8.4.0/24"): 217}},
			{Host: "2001:db8::5", Port: 443, HTTPS: true, Verify: true, TokenEnv: "DH2_TOKEN", EnvToken: "abc", Transport: "psu", SSH: SSH{Port: 22, Command: "powershell", Agent: true}, SyncStandaloneScopes: true, Push: true, Enabled: true},
		},
		Failover: map[string]Failover{"east.pair": {Primary: "dhcp-east", Servers: []string{"DH1", "2001:db8::5"}, Maintenance: true, AskPartner: true}, "west": {SyncEnabled: true}},
	}
	if diff := cmp.Diff(want, f.Sync, mirrored); diff != "" {
		t.Error(diff)
	}
	if f.NetBox.TokenFile != "/etc/c/nb" || f.NetBox.Timeout != 5*time.Second || f.NetBox.Inventory != "" {
		t.Errorf("NetBox: %+v", f.NetBox)
	}
}

func TestMistakesInTheSectionOfTheMirror(t *testing.T) {
	for name, tc := range map[string]struct{ line, want string }{
		"unknown key":                   {"intervall: 1h", "intervall: unknown key; did you mean interval?"},
		"runs too often":                {"interval: 4m", "interval: want 5m to 24h, not 4m"},
		"runs too rarely":               {"interval: 25h", "interval: want 5m to 24h, not 25h"},
		"no state folder":               {"state_dir: ''", "state_dir: want a folder"},
		"priority":                      {"priority: urgent", `priority: want high or default or low, not "urgent"`},
		"adopt":                         {"adopt: never", `adopt: want overwrite or skip or report, not "never"`},
		"no lease status":               {"statuses: {lease: ''}", `statuses.lease: want the value of a status of IP addresses, such as dhcp, not ""`},
		"one status for both":           {"statuses: {lease: reserved}", "statuses.reservation: reserved is a status of leases already"},
		"old status of the other":       {"statuses: {previous_reservation: [dhcp]}", "statuses.previous_reservation[0]: dhcp is a status of leases already"},
		"old status of both":            {"statuses: {previous_lease: [x], previous_reservation: [y, x]}", "statuses.previous_reservation[1]: x is a status of leases already"},
		"tag by its name":               {"protect: {tag: 'DHCP Protect'}", `protect.tag: want the slug of a tag (letters, digits, - and _), not "DHCP Protect"`},
		"percent above all":             {"guards: {max_delete_percent: 101}", "guards.max_delete_percent: want 0 to 100, not 101"},
		"negative count":                {"guards: {max_delete_count: -1}", "guards.max_delete_count: want 0 to 1000000, not -1"},
		"a history of minutes":          {"history: {keep: 5m}", "history.keep: want 24h to 87600h, not 5m"},
		"a history of a few bytes":      {"history: {max_bytes: 9}", "history.max_bytes: want 1048576 (1 MiB) or more, not 9"},
		"negative days":                 {"certificates: {warn_days: -1}", "certificates.warn_days: want 0 to 3650, not -1"},
		"no request at all":             {"psu: {parallel: 0}", "psu.parallel: want 1 to 8, not 0"},
		"too many requests":             {"psu: {parallel: 9}", "psu.parallel: want 1 to 8, not 9"},
		"no time for requests":          {"psu: {timeout: 0s}", "psu.timeout: want 1s to 10m, not 0s"},
		"host bits":                     {"maintenance_scopes: [10.8.4.1/24]", "maintenance_scopes[0]: host bits are set in 10.8.4.1/24; want 10.8.4.0/24"},
		"scope of the wrong family":     {"maintenance_scopes: ['2001:db8::/64']", "maintenance_scopes[0]: want an IPv4 prefix such as 10.0.0.0/24"},
		"page without a port":           {"status: {listen: localhost}", `status.listen: want an address and a port such as 127.0.0.1:8067, not "localhost"`},
		"page on a port of words":       {"status: {listen: 'localhost:http'}", `status.listen: want an address and a port such as 127.0.0.1:8067, not "localhost:http"`},
		"page at no socket":             {"status: {listen: 'unix:page.sock'}", `status.listen: want an address and a port such as 127.0.0.1:8067, not "unix:page.sock"`},
		"probes at a socket":            {"status: {probes: 'unix:/run/p'}", `status.probes: want an address and a port such as 127.0.0.1:8067, not "unix:/run/p"`},
		"page without a scheme":         {"status: {url: sync.example.org}", "status.url: want an address such as https://dhcp-sync.example.org, without user, ? and #"},
		"page with a password":          {"status: {url: 'https://u:hunter2@sync.example.org'}", "status.url: want an address such as https://dhcp-sync.example.org, without user, ? and #"},
		"relationship of no server":     {"failover: {e.p: {primary: dh1.corp.exmaple}}", `failover.e.p.primary: want one of sync.servers, not "dh1.corp.exmaple"; did you mean dh1.corp.example?`},
		"one server of a relationship":  {"failover: {e: {servers: [dh1]}}", "failover.e.servers: want the two servers of the relationship, or none"},
		"a pair of one server":          {"failover: {e: {servers: [dh1, dh1.corp.example]}}", "failover.e.servers: want the two servers of the relationship, or none"},
		"a pair with a stranger":        {"failover: {e: {servers: [dh1, dh9]}}", `failover.e.servers[1]: want one of sync.servers, not "dh9"`},
		"relationship without a name":   {"failover: {'': {}}", "failover.: want the name of a failover relationship"},
		"relationship twice":            {"failover: {east: {}, East: {}}", "failover.east: the same relationship as East"},
		"shared secret":                 {"failover: {e: {shared_secret: hunter2}}", "failover.e.shared_secret: not needed: relationships are read and never created, and no secret belongs in this file"},
		"override of a server twice":    {"overrides: {servers: {dh1.corp.example: {}, DH1.corp.example.: {}}}", "overrides.servers.dh1.corp.example: the same server as DH1.corp.example."},
		"override key":                  {"overrides: {servers: {dh1.corp.example: {prot: 1}}}", "overrides.servers.dh1.corp.example.prot: unknown key; did you mean port?"},
		"override port":                 {"overrides: {servers: {dh1.corp.example: {port: 70000}}}", "overrides.servers.dh1.corp.example.port: want 1 to 65535, not 70000"},
		"override with two tokens":      {"overrides: {servers: {dh1.corp.example: {token_file: /a, token_env: B}}}", "overrides.servers.dh1.corp.example.token_env: contradicts token_file: keep one of them"},
		"override that is no boolean":   {"overrides: {push_scope_info: 'off'}", `overrides.push_scope_info: want true or false, not "off"`},
		"override of another setting":   {"overrides: {read_only: true}", "overrides.read_only: unknown key; known here: sync_ips_from_dhcp, push_reservations, push_scope_info, servers"},
		"servers that are no list":      {"overrides: {servers: [a]}", "overrides.servers: want a mapping, not a list"},
		"tag that is a list":            {"protect: {tag: [a]}", "protect.tag: want text, not a list"},
		"previous status that is empty": {"statuses: {previous_lease: ['']}", `statuses.previous_lease[0]: want the value of a status of IP addresses, such as dhcp, not ""`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, oneServer+"  "+tc.line+"\n")
			if diff := cmp.Diff("/etc/c/config.yml:5: sync."+tc.want, message(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesInServers(t *testing.T) {
	for name, tc := range map[string]struct{ entry, want string }{
		"no host":                    {"{port: 1}", "host: want the name or address of a host"},
		"address of a page":          {"{host: 'https://dh1/'}", "host: want a name or address alone; the scheme is said by https: and the port by port: or ssh.port"},
		"host and port":              {"{host: 'dh1:8443'}", "host: want a name or address alone; the port goes to port: or ssh.port"},
		"brackets":                   {"{host: '[2001:db8::1]'}", "host: want an IPv6 address without brackets"},
		"zone":                       {"{host: 'fe80::1%eth0'}", "host: want the address of a host, without a zone"},
		"path":                       {"{host: dh1/api}", "host: want a name such as dh1.corp.example, or an address"},
		"mistyped address":           {"{host: 10.0.0.300}", "host: want a name such as dh1.corp.example, or an address"},
		"name of other letters":      {"{host: dhcp-süd}", "host: want a name such as dh1.corp.example, or an address"},
		"the same host":              {"{host: DH0.corp.example.}", "host: the same as that of sync.servers[0]"},
		"port 0":                     {"{host: a, port: 0}", "port: want 1 to 65535, not 0"},
		"port too high":              {"{host: a, port: 65536}", "port: want 1 to 65535, not 65536"},
		"plain HTTP on the TLS port": {"{host: a, https: false}", "port: https: false needs the port here, which is 5000 unless PowerShell Universal was told otherwise"},
		"server name":                {"{host: a, server_name: 'a b'}", "server_name: want a name such as dh1.corp.example, or an address"},
		"two tokens":                 {"{host: a, token_file: /t, token_env: T}", "token_env: contradicts token_file: keep one of them"},
		"token in the environment":   {"{host: a, token_env: hunter2.hunter2}", "token_env: want the name of an environment variable, not the token itself"},
		"token as a path":            {"{host: a, token_file: eyJhunter2.eyJ.x}", "token_file: this looks like a token, not like the path of a file that holds one"},
		"path of Windows in quotes":  {`{host: a, token_file: "C:\new\new.token"}`, `token_file: a path with a control character: put a path of Windows into single quotes, such as 'C:\dhcp\a.token'`},
		"alias of another":           {"{host: a, aliases: [x, DH0.corp.example]}", "aliases[1]: means dh0.corp.example already"},
		"alias twice":                {"{host: a, aliases: [zero]}", "aliases[0]: means dh0.corp.example already"},
		"alias that is a short name": {"{host: a, aliases: [dh0]}", "aliases[0]: means dh0.corp.example already"},
		"alias that is nothing":      {"{host: a, aliases: ['']}", "aliases[0]: want the name or address of a host"},
		"scope with host bits":       {"{host: a, scope_vrf: {10.8.6.1/25: b}}", "scope_vrf.10.8.6.1/25: host bits are set in 10.8.6.1/25; want 10.8.6.0/25"},
		"no id of a prefix":          {"{host: a, scope_prefix: {10.8.6.0/24: 0}}", "scope_prefix.10.8.6.0/24: want the id of a prefix, as the address of its page in NetBox ends, not 0"},
		"a prefix of no network":     {"{host: a, scope_prefix: {10.8.6.1/24: 2}}", "scope_prefix.10.8.6.1/24: host bits are set in 10.8.6.1/24; want 10.8.6.0/24"},
		"scope that is no prefix":    {"{host: a, scope_vrf: {10.8.6.0: b}}", `scope_vrf.10.8.6.0: want a prefix such as 10.0.0.0/24, not "10.8.6.0"`},
		"unknown key":                {"{host: a, verfy: true}", "verfy: unknown key; did you mean verify?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, netboxSection+"sync:\n  servers:\n  - {host: dh0.corp.example, aliases: [zero]}\n  - "+tc.entry+"\n")
			if diff := cmp.Diff("/etc/c/config.yml:5: sync.servers[1]."+tc.want, message(err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(message(err), "hunter2") {
				t.Error("the token is repeated")
			}
		})
	}
}

func TestMistakesOfTheWholeFileOfTheMirror(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty": {"", "/etc/c/config.yml: netbox.url: want the address of NetBox here or in NETBOX_URL; the mirror cannot work on netbox.inventory\n" +
			"/etc/c/config.yml: sync.servers: want at least one server"},
		"inventory only":     {strings.Replace(oneServer, "url: 'https://netbox.example.org'", "inventory: lab.yml", 1), "/etc/c/config.yml:1: netbox.url: want the address of NetBox here or in NETBOX_URL; the mirror cannot work on netbox.inventory"},
		"misspelt section":   {oneServer + "snyc: {}\n", "/etc/c/config.yml:5: snyc: did you mean sync?"},
		"key of the server":  {strings.Replace(oneServer, "url:", "poll: {intervall: 1s}, url:", 1), "/etc/c/config.yml:1: netbox.poll.intervall: unknown key; did you mean interval?"},
		"mistakes together":  {netboxSection + "sync:\n  interval: 1s\n  pusch: 1\n  servers: [{host: a}, {host: A}]\n", "/etc/c/config.yml:3: sync.interval: want 5m to 24h, not 1s\n/etc/c/config.yml:4: sync.pusch: unknown key; did you mean push?\n/etc/c/config.yml:5: sync.servers[1].host: the same as that of sync.servers[0]"},
		"not YAML":           {"sync: [", "/etc/c/config.yml:1: not YAML: did not find expected node content"},
		"section is a list":  {netboxSection + "sync: []\n", "/etc/c/config.yml:2: sync: want a mapping with interval, state_dir"},
		"empty server":       {netboxSection + "sync:\n  servers:\n  -\n", "/etc/c/config.yml:4: sync.servers[0]: an empty entry"},
		"NetBox in the path": {strings.Replace(oneServer, "https://", "netbox://", 1), "/etc/c/config.yml:1: netbox.url: want an address such as https://netbox.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, tc.text)
			if !strings.HasPrefix(message(err), tc.want) {
				t.Errorf("got  %s\nwant %s", message(err), tc.want)
			}
			var problems Problems
			if !errors.As(err, &problems) {
				t.Errorf("want Problems, not %T", err)
			}
		})
	}
}

// Rule 9 row 24: no secret stands in the file.
func TestInlineTokenOfAServerIsRefusedAndNotRepeated(t *testing.T) {
	for _, line := range []string{
		"servers: [{host: a, token: hunter2}]", "servers: [{host: a, secret: [hunter2]}]",
		"servers: [{host: a, ssh: {password: hunter2}}]", "servers: [{host: a, ssh: {passphrase: hunter2}}]", "servers: [{host: a, ssh: {key: [hunter2]}}]",
		"servers: [{host: a}]\n  overrides: {servers: {a: {key: hunter2}}}", "servers: [{host: a}]\n  overrides: {servers: {a: {passphrase: hunter2}}}",
		"servers: [{host: a}]\n  overrides: {servers: {a: {token: hunter2}}}", "servers: [{host: a}]\n  overrides: {servers: {a: {secret: hunter2}}}",
		"servers: [{host: a}]\n  failover: {e: {secret: hunter2}}",
	} {
		_, err := parse(t, netboxSection+"sync:\n  "+line+"\n")
		if got := message(err); strings.Contains(got, "hunter2") || strings.Contains(got, "unknown key") || got == "" {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestWarningsOfTheMirror(t *testing.T) {
	for name, tc := range map[string]struct{ lines, want string }{
		"plain HTTP":                 {"servers: [{host: a, https: false, port: 5000}]", "sync.servers[0].https: without HTTPS"},
		"no verification":            {"servers: [{host: a, verify: false}]", "sync.servers[0].verify: without verification"},
		"override of no server":      {"servers: [{host: dh1}]\n  overrides: {servers: {dhl: {enabled: false}}}", "sync.overrides.servers.dhl: changes nothing, since no entry of sync.servers has this host"},
		"link to no page":            {"servers: [{host: a}]\n  status: {url: 'https://s.example'}", "sync.status.url: leads nowhere"},
		"disabled server in clear":   {"servers: [{host: a, https: false, port: 5000, enabled: false}]", ""},
		"override by the short name": {"servers: [{host: dh1.corp.example}]\n  overrides: {servers: {dh1: {port: 1}}}", "sync.overrides.servers.dh1: changes nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			f := mustParse(t, netboxSection+"sync:\n  "+tc.lines+"\n")
			var all []string
			for _, w := range f.Warnings {
				all = append(all, w.String())
			}
			got := strings.Join(all, "\n")
			if len(all) > 1 || !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("warnings %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFindServer(t *testing.T) {
	f := mustParse(t, netboxSection+"sync:\n  servers: [{host: dh1.corp.example, aliases: [east]}, {host: dh2.corp.example}]\n")
	for name, want := range map[string]string{
		"DH1.CORP.example.": "dh1.corp.example", "dh2": "dh2.corp.example", "EAST": "dh1.corp.example", "dh2.other.example": "", "": "",
	} {
		if got, ok := f.Sync.FindServer(name); got.Host != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", name, got.Host, ok)
		}
	}
}

func TestMissingFileOfTheMirror(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(oneServer), "true")
	f.Add([]byte(oneServer+"  overrides: {push_scope_info: false, servers: {dh1.corp.example: {port: 1, token_env: X}, dh9: {}}}\n"), "0")
	f.Add([]byte(oneServer+"  failover: {a.b: {primary: dh1}, 'c[0]': }\n  maintenance_scopes: [10.0.0.0/8]\n"), "")
	f.Add([]byte(netboxSection+"sync: &s\n  servers: [{host: a, aliases: [b], scope_vrf: {10.0.0.0/8: c}}, {host: 10.0.0.1, https: false, port: 80}]\n"), "maybe")
	f.Add([]byte(netboxSection+"sync: {servers: [{host: a, transport: ssh, ssh: {user: 'C\\u', jump: 'g@[::1]:2', command: pwsh, agent: true}}]}\n"), "")
	f.Add([]byte("sync: {servers: [{token: x}], overrides: {servers: {a: }}}\n"), "1")
	f.Fuzz(func(t *testing.T, data []byte, forced string) {
		options := Options{Getenv: environment(map[string]string{"NETBOX_DHCP_SYNC_PUSH_SCOPE_INFO": forced})}
		file, err := options.Parse("config.yml", data)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error without problems: %v", err)
			}
			return
		}
		// What was accepted is accepted again without the file, and every
		// setting says where it comes from.
		again := &File{NetBox: file.NetBox, Sync: file.Sync, report: strictyaml.Decode("", nil, &struct{}{})}
		for i := range again.Sync.Servers {
			again.Sync.Servers[i].HTTPS = true // needs a port in the file
		}
		again.validate()
		if err := again.report.Err(); err != nil {
			t.Errorf("accepted, but: %v", err)
		}
		for _, s := range file.Effective() {
			if s.Key == "" || s.Origin == "" || strings.Contains(s.Value, "\n") || s.Forced && !strings.HasPrefix(s.Origin, "override ") && !strings.HasPrefix(s.Origin, "environment ") {
				t.Errorf("a setting without a source: %+v", s)
			}
		}
		for _, server := range file.Sync.Servers {
			if found, ok := file.Sync.FindServer(server.Host); !ok || found.Host != server.Host {
				t.Errorf("%q is not found by its name", server.Host)
			}
		}
	})
}
