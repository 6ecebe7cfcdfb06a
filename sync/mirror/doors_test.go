package mirror

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// counted is a door that counts how often it was closed.
type counted struct{ closed int }

func (*counted) Ask(context.Context, endpoint.Request) (rest.Answer, error) {
	return rest.Answer{Status: 200, Body: []byte("[]")}, nil
}
func (*counted) Fix(*endpoint.Error) string { return "" }
func (*counted) Facts() []string            { return nil }
func (*counted) Warnings() []string         { return nil }
func (*counted) URL() string                { return "" }
func (d *counted) Close()                   { d.closed++ }

// rule 13.1: sessions end with the run, and never under one that goes on.
func TestServersAreLeftWhenTheLastOfSeveralRunsIsOver(t *testing.T) {
	door := &counted{}
	client, err := endpoint.New(door, endpoint.Config{}, logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	m := &Mirror{servers: map[string]*endpoint.Client{"dh1": client}}
	first, second := m.visit(), m.visit()
	first()
	if door.closed != 0 {
		t.Error("the sessions of the second run were ended with the first")
	}
	second()
	m.visit()()
	if door.closed != 2 {
		t.Errorf("closed %d times, want after each of two visits", door.closed)
	}
}

// rules 13, 13.7 and 9 row 29: what the settings say of a server goes to its door.
func TestTheSSHDoorIsMadeOfTheSettings(t *testing.T) {
	const base = "netbox: {url: 'https://netbox.example.org'}\nsync:\n  state_dir: /state\n"
	server := "{host: dh1, transport: ssh, ssh: {user: u, key_file: /k, passphrase_file: /p, port: 2222, command: pwsh, bound: true, jump: 'g@jump:23'}}"
	plain := openssh.Config{Host: "dh1", Port: 22, User: "u", Command: "powershell", Key: openssh.Key{File: "/k"}, ReadOnly: true, Timeout: time.Minute,
		HostKeys: openssh.HostKeys{File: filepath.FromSlash("/state/certificates/known_hosts")}}
	whole := plain
	whole.Port, whole.Command, whole.Bound, whole.Key.Passphrase, whole.Jump = 2222, "pwsh", true, "/p", &openssh.Jump{User: "g", Host: "jump", Port: 23}
	writes, low, known, agent := plain, plain, plain, plain
	writes.ReadOnly = false
	low.Timeout = 90 * time.Second
	known.HostKeys.File = "/etc/ssh/ssh_known_hosts"
	agent.Key = openssh.Key{Agent: true}
	const short = "{host: dh1, transport: ssh, ssh: {user: u, key_file: /k%}}"
	with := func(more string) string { return short[:len(short)-3] + more + "}}" }
	for name, tc := range map[string]struct {
		sync, server string
		want         openssh.Config
	}{
		"as little as is needed":         {"", with(""), plain},
		"all of it":                      {"", server, whole},
		"pushed to":                      {"push_reservations: true", with(""), writes},
		"a brake on pushing":             {"push_reservations: true", with("}, read_only: true, scope_vrf: {"), plain},
		"a server that wins":             {"push_scope_info: true", with("}, push: false, scope_vrf: {"), plain},
		"low priority and patience":      {"priority: low\n  psu: {timeout: 90s, parallel: 8}", with(""), low},
		"host keys of the operator's":    {"", with(", known_hosts: /etc/ssh/ssh_known_hosts"), known},
		"the agent":                      {"", "{host: dh1, transport: ssh, ssh: {user: u, agent: true}}", agent},
		"nothing, for a look at its key": {"", "{host: dh1, transport: ssh, ssh: {user: u}}", agent},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := settings.Options{Getenv: func(string) string { return "" }}.Parse("/etc/c/config.yml", []byte(base+"  "+tc.sync+"\n  servers:\n    - "+tc.server+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, OpenSSH(f, f.Sync.Servers[0]), cmpopts.IgnoreFields(openssh.Config{}, "Now")); diff != "" {
				t.Error(diff)
			}
			atOnce := 2
			if name == "low priority and patience" {
				atOnce = 1
			}
			if n := parallel(f.Sync); n != atOnce {
				t.Errorf("%d requests at once, want %d", n, atOnce)
			}
		})
	}
}

// rules 13.5 and 13.8: findings speak of what there is at the door that is used.
func TestFindingsSpeakOfTheDoorThatIsUsed(t *testing.T) {
	ssh := wordsFor(settings.Server{Transport: settings.TransportSSH, SSH: settings.SSH{User: `CORP\netbox-dhcp`}})
	psu := wordsFor(settings.Server{Transport: settings.TransportPSU})
	old := endpoint.Health{Script: endpoint.ScriptName, Version: "2026.1.0"}
	_, again := ssh.adviceOn(old)
	_, file := psu.adviceOn(old)
	for _, tc := range []struct {
		text        string
		want, avoid []string
	}{
		{ssh.account + ssh.right + ssh.routes + again, []string{`CORP\netbox-dhcp`, "DHCP Administrators", "windows-script --write"}, []string{"token", "PowerShell Universal", "DHCPWriter", "$ReadOnly", "dhcp_endpoints.ps1"}},
		{psu.account + psu.right + psu.routes + file, []string{"PowerShell Universal", "DHCPWriter", "$ReadOnly", "dhcp_endpoints.ps1"}, []string{"windows-script"}},
	} {
		contains := func(word string) bool { return strings.Contains(tc.text, word) }
		for _, word := range tc.want {
			if !contains(word) {
				t.Errorf("%q lacks %q", tc.text, word)
			}
		}
		if i := slices.IndexFunc(tc.avoid, contains); i >= 0 {
			t.Errorf("%q has %q", tc.text, tc.avoid[i])
		}
	}
}

// answering is a door that answers every request with one status.
type answering struct {
	counted
	status int
}

func (d *answering) Ask(context.Context, endpoint.Request) (rest.Answer, error) {
	return rest.Answer{Status: d.status, Body: []byte(`{"error":"no"}`)}, nil
}

// rule 13.5: a script of ours without routes that write is told from a right that is missing.
func TestAScriptWithoutRoutesThatWriteIsToldAsSuch(t *testing.T) {
	ours, plugins := endpoint.Health{Script: endpoint.ScriptName, Rights: endpoint.RightsWrite}, endpoint.Health{Version: "1.0.0"}
	for _, transport := range []string{settings.TransportPSU, settings.TransportSSH} {
		w := wordsFor(settings.Server{Transport: transport})
		for _, tc := range []struct {
			health  endpoint.Health
			status  int
			problem string
			fix     string
		}{
			{ours, 404, noWriteRoutes, w.routes},
			{ours, 405, noWriteRoutes, w.routes},
			{ours, 403, "pushing is on, but: ", w.right},
			{plugins, 404, "pushing is on, but: ", w.right}, // which has such routes since before it could be asked
		} {
			client, err := endpoint.New(&answering{status: tc.status}, endpoint.Config{}, logrus.New())
			if err != nil {
				t.Fatal(err)
			}
			f, found := w.examineWriter(t.Context(), client, tc.health)
			if !found || f.Severity != prepare.Failure || !strings.HasPrefix(f.Problem, tc.problem) || !strings.HasPrefix(f.Fix, tc.fix) {
				t.Errorf("%s, %d: %v", transport, tc.status, f)
			}
		}
	}
}
