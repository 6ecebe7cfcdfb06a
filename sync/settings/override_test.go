package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rules 7, rules 9 row 50 and 9 row 51: environment > overrides > config.
func TestPrecedenceOfForcedSettings(t *testing.T) {
	const name = "NETBOX_DHCP_SYNC_PUSH_SCOPE_INFO"
	for title, tc := range map[string]struct {
		config, override, environment string
		want                          bool
		origin                        string // empty: not forced
	}{
		"config alone":                       {"true", "", "", true, ""},
		"default alone":                      {"", "", "", false, ""},
		"override forces off":                {"true", "false", "", false, "override config.yml:6"},
		"override forces on":                 {"false", "true", "", true, "override config.yml:6"},
		"null keeps config":                  {"true", "null", "", true, ""},
		"override that agrees is told":       {"true", "true", "", true, "override config.yml:6"},
		"environment over config":            {"true", "", "0", false, "environment " + name},
		"environment over override":          {"true", "true", " False\n", false, "environment " + name},
		"environment may force on":           {"false", "false", "1", true, "environment " + name},
		"empty variable leaves the override": {"true", "false", " ", false, "override config.yml:6"},
	} {
		t.Run(title, func(t *testing.T) {
			f := mustParse(t, fmt.Sprintf("%s  push_scope_info: %s\n  overrides: {push_scope_info: %s}\n", oneServer, tc.config, tc.override), name, tc.environment)
			if f.Sync.PushScopeInfo != tc.want {
				t.Errorf("got %v", f.Sync.PushScopeInfo)
			}
			var want []Setting
			if tc.origin != "" {
				want = []Setting{{"sync.push_scope_info", fmt.Sprint(tc.want), tc.origin, true}}
			}
			if diff := cmp.Diff(want, forced(f), mirrored); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachSettingTheEnvironmentForces(t *testing.T) {
	for name, get := range map[string]func(Sync) bool{
		"SYNC_IPS_FROM_DHCP": func(s Sync) bool { return s.SyncIPs },
		"PUSH_RESERVATIONS":  func(s Sync) bool { return s.PushReservations },
		"PUSH_SCOPE_INFO":    func(s Sync) bool { return s.PushScopeInfo },
		"READ_ONLY":          func(s Sync) bool { return s.ReadOnly },
		"DRY_RUN":            func(s Sync) bool { return s.DryRun },
	} {
		name = "NETBOX_DHCP_SYNC_" + name
		f := mustParse(t, oneServer, name, "true")
		if !get(f.Sync) || len(forced(f)) != 1 || forced(f)[0].Origin != "environment "+name {
			t.Errorf("%s: %v", name, forced(f))
		}
		_, err := parse(t, oneServer, name, "perhaps")
		if want := "environment: " + name + `: want true or false, not "perhaps"`; message(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVariableThatIsMisspeltForcesNothingAndIsReported(t *testing.T) {
	variables := func() []string {
		return []string{"HOME=/", "NETBOX_DHCP_SYNC_PUSH_SCOPES_INFO=false", "NETBOX_DHCP_SYNC_DRY_RUN=1", "NETBOX_DHCP_SYNC_DH1_TOKEN=hunter2", "BROKEN"}
	}
	_, err := Options{Getenv: noEnvironment, Environ: variables}.Parse("config.yml", []byte(oneServer))
	want := "environment: NETBOX_DHCP_SYNC_PUSH_SCOPES_INFO: forces nothing; did you mean NETBOX_DHCP_SYNC_PUSH_SCOPE_INFO?"
	if diff := cmp.Diff(want, message(err)); diff != "" {
		t.Error(diff)
	}
}

func TestOverridesOfAServer(t *testing.T) {
	f := mustParse(t, netboxSection+`sync:
  servers:
    - {host: dh1.corp.example, token_file: /prod}
    - {host: dh2.corp.example, token_env: PROD}
    - {host: dh3.corp.example, token_file: /prod, port: 8443}
  overrides:
    servers:
      DH1.corp.example: {token_env: DEV}
      dh2.corp.example:
        token_file: dev.token
        port: 8443
        enabled: false
      dh3.corp.example:
        port:
`, "DEV", "d", "PROD", "p")
	got := make(map[string]Server)
	for _, s := range f.Sync.Servers {
		got[s.Host] = s
	}
	if s := got["dh1.corp.example"]; s.TokenFile != "" || s.TokenEnv != "DEV" || s.EnvToken != "d" || s.Port != 443 || !s.Enabled {
		t.Errorf("dh1: %+v", s)
	}
	if s := got["dh2.corp.example"]; s.TokenFile != "/etc/c/dev.token" || s.TokenEnv != "" || s.EnvToken != "" || s.Port != 8443 || s.Enabled {
		t.Errorf("dh2: %+v", s)
	}
	if s := got["dh3.corp.example"]; s.TokenFile != "/prod" || s.Port != 8443 {
		t.Errorf("dh3: %+v", s)
	}
	var lines []string
	for _, s := range forced(f) {
		lines = append(lines, s.Key+" = "+s.Value+" ("+s.Origin+")")
	}
	want := []string{
		`sync.servers.dh1.corp.example.token_file = "" (override config.yml:9)`,
		`sync.servers.dh1.corp.example.token_env = DEV (override config.yml:9)`,
		`sync.servers.dh2.corp.example.port = 8443 (override config.yml:12)`,
		`sync.servers.dh2.corp.example.token_file = /etc/c/dev.token (override config.yml:11)`,
		`sync.servers.dh2.corp.example.token_env = "" (override config.yml:11)`,
		`sync.servers.dh2.corp.example.enabled = false (override config.yml:13)`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestEffectiveSettingsTellTheirOrigin(t *testing.T) {
	f := mustParse(t, `sync:
  interval: 90m
  maintenance_scopes: [10.0.0.0/8, 10.8.4.0/24]
  protect: {tag: "true"}
  servers:
    - host: dh1.corp.example
      aliases: [east, west]
      scope_vrf: {10.8.6.0/25: blue, 10.8.4.0/25: ""}
      token_env: T
  failover: {east.pair: {primary: dh1}}
`, "NETBOX_URL", "https://netbox.example.org/", "NETBOX_TOKEN", "hunter2", "T", "hunter2")
	got := make(map[string]string)
	for _, s := range f.Effective() {
		if _, twice := got[s.Key]; twice {
			t.Errorf("%s is listed twice", s.Key)
		}
		got[s.Key] = s.Value + " <- " + s.Origin
	}
	for key, want := range map[string]string{
		"netbox.url":                                           "https://netbox.example.org <- environment NETBOX_URL",
		"netbox.token":                                         "(set) <- environment NETBOX_TOKEN",
		"netbox.token_file":                                    `"" <- default`,
		"netbox.timeout":                                       "1m <- default",
		"sync.interval":                                        "1h30m <- config.yml:2",
		"sync.psu.timeout":                                     "1m <- default",
		"sync.maintenance_scopes":                              "[10.0.0.0/8, 10.8.4.0/24] <- config.yml:3",
		"sync.protect.tag":                                     `"true" <- config.yml:4`,
		"sync.protect.update_client_id":                        "false <- default",
		"sync.servers.dh1.corp.example.host":                   "dh1.corp.example <- config.yml:6",
		"sync.servers.dh1.corp.example.aliases":                "[east, west] <- config.yml:7",
		"sync.servers.dh1.corp.example.scope_vrf":              `{10.8.4.0/25: "", 10.8.6.0/25: blue} <- config.yml:8`,
		"sync.servers.dh1.corp.example.token_env":              "T <- config.yml:9",
		"sync.servers.dh1.corp.example.port":                   "443 <- default",
		"sync.failover.east.pair.primary":                      "dh1 <- config.yml:10",
		"sync.failover.east.pair.sync_enabled":                 "true <- default",
		"sync.statuses.previous_lease":                         "[] <- default",
		"sync.servers.dh1.corp.example.sync_standalone_scopes": "true <- default",
	} {
		if got[key] != want {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
	}
	if text := fmt.Sprint(f.Effective(), f.Sync, f.NetBox); strings.Contains(text, "hunter2") {
		t.Error("a secret is shown")
	}
}

// Rules 9 row 1 and 9 row 24.
func TestTokenOfAServer(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	jwt := "eyJ" + strings.Repeat("abcDEF-_09", 220) + ".x.y"
	for name, tc := range map[string]struct {
		server Server
		want   string
		err    string
	}{
		"of nowhere":             {Server{Host: "dh1"}, "", ""},
		"of a file, trimmed":     {Server{Host: "dh1", TokenFile: write("jwt", "\r\n "+jwt+" \r\n")}, jwt, ""},
		"of a file from Windows": {Server{Host: "dh1", TokenFile: write("bom", "\ufeffabc\r\n")}, "abc", ""},
		"of the environment":     {Server{Host: "dh1", TokenEnv: "T", EnvToken: "abc"}, "abc", ""},
		"of an empty variable":   {Server{Host: "dh1", TokenEnv: "T"}, "", "read token of dh1: the environment variable T is empty"},
		"of two words in it":     {Server{Host: "dh1", TokenEnv: "T", EnvToken: "Bearer abc"}, "", "read token of dh1: T holds more than one word of plain text"},
		"of an empty file":       {Server{Host: "dh1", TokenFile: write("empty", "\n")}, "", "is empty"},
		"of a file in UTF-16":    {Server{Host: "dh1", TokenFile: write("utf16", "\xff\xfea\x00b\x00c\x00")}, "", "is UTF-16, as > of Windows PowerShell writes it"},
		"of two lines":           {Server{Host: "dh1", TokenFile: write("two", "abc\ndef")}, "", "more than one word"},
		"of something else":      {Server{Host: "dh1", TokenFile: write("long", strings.Repeat("abc", 64<<10))}, "", "is too long for a token"},
		"of no file":             {Server{Host: "dh1", TokenFile: filepath.Join(folder, "absent")}, "", "read token of dh1: open"},
		"of a folder":            {Server{Host: "dh1", TokenFile: folder}, "", "read token of dh1: read"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.server.Token()
			if got.Reveal() != tc.want || (err == nil) != (tc.err == "") || !strings.Contains(message(err), tc.err) {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
			if strings.Contains(message(err), "abc") {
				t.Error("the error repeats the token")
			}
		})
	}
	renewed := Server{Host: "dh1", TokenFile: write("renewed", "old")}
	for _, want := range []string{"old", "new"} {
		write("renewed", want)
		if got, err := renewed.Token(); err != nil || got.Reveal() != want {
			t.Errorf("got %q, %v", got.Reveal(), err)
		}
	}
}

func TestTokensOfServersAreLookedForWhenTheFileIsLoaded(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yml")
	for name, content := range map[string]string{
		"config.yml": netboxSection + `sync:
  servers:
    - {host: DH1.corp.example.}
    - {host: '2001:db8::5'}
    - {host: dh3}
    - {host: dh4, token_env: UNSET}
    - {host: dh5, token_file: token}
    - {host: dh6, enabled: false}
    - {host: dh7, token_file: own}
`,
		"psu_dh1.corp.example": "one", "psu_2001-db8--5": "two", "psu_dh7": "not used", "token": "x", "own": "seven",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(folder, "token"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Options{Getenv: environment(map[string]string{"CREDENTIALS_DIRECTORY": folder})}.Load(config)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"one", "two", "", "", "x", "", "seven"} {
		if got, _ := f.Sync.Servers[i].Token(); got.Reveal() != want {
			t.Errorf("server %d: %q, want %q", i, got.Reveal(), want)
		}
	}
	want := []string{
		config + ":6: sync.servers[2]: no token for dh3: requests go out without one; set token_file or token_env, or give the service a systemd credential psu_dh3",
		config + ":7: sync.servers[3].token_env: the environment variable UNSET is empty",
		config + ":8: sync.servers[4].token_file: " + folder + "/token can be read by every user of this machine: chmod o= " + folder + "/token",
	}
	var got []string
	for _, w := range f.Warnings {
		got = append(got, w.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, s := range f.Effective() {
		if s.Key == "sync.servers.DH1.corp.example.token_file" && s.Origin == "systemd credential psu_dh1.corp.example" {
			return
		}
	}
	t.Error("the origin of a systemd credential is not told")
}

// A token of NetBox that travels in clear is told at every run.
func TestNetBoxWithoutHTTPSIsWarnedAbout(t *testing.T) {
	for url, want := range map[string]bool{
		"http://netbox.example.org": true, "http://10.1.1.1:8000/netbox": true, "https://netbox.example.org": false, "http://127.0.0.1:8000": false, "http://localhost": false, "http://[::1]:8000": false,
	} {
		f, err := parse(t, "netbox: {url: '"+url+"', token_file: t}\nsync: {servers: [{host: dh1, token_file: t}]}\n")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, w := range f.Warnings {
			found = found || !w.Insecure && strings.Contains(fmt.Sprint(w.Problem), "NetBox can read its token")
		}
		if found != want {
			t.Errorf("%s: warned: %t", url, found)
		}
	}
}
