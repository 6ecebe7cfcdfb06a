package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// voiceInventory has contexts for a site, for prefixes with a tag, and a gateway.
const voiceInventory = `
sites: [{name: lab}]
prefixes: [{prefix: 10.0.0.0/24, site: lab, tags: [voice]}]
ip_addresses:
  - {address: 10.0.0.1/24, tags: [Gateway]}
  - {address: 10.0.0.100/24, tags: [DHCP]}
config_contexts:
  - name: lab
    sites: [lab]
    weight: 500
    data: {pydhcp_configuration: {dns_servers: [10.0.0.53], options: {server-name: lab, wpad: {value: "http://wpad", force: true}, "209": "BIG"}}}
  - name: voice
    tags: [voice]
    data:
      pydhcp_configuration:
        options: {"66": tftp.voice}
        vendor_classes: {yealink: {options: {"66": "https://yealink"}}, Cisco: {options: {"150": CISCO}}}
`

// OPT-3, OPT-8, OPT-10, OPT-12, OPT-13: explain names the source of each option and
// what it overrides, in text and JSON; check names bad values and unused classes.
func TestExplainNamesWhereOptionsComeFrom(t *testing.T) {
	folder := t.TempDir()
	conf := filepath.Join(folder, "config.yml")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.yml", "server4:\n  listen: [127.0.0.1:6767]\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox:\n    - netbox_gateway:\n    - netbox_dns:\n"+
		"netbox:\n  inventory: inventory.yml\n  store:\n    path: state\n  control:\n    folder: control\n")
	inventory := strings.NewReplacer("BIG", strings.Repeat("x", 200), "CISCO", "[10.0.9.1]").Replace(voiceInventory)
	write("inventory.yml", inventory)
	run := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, append(args, "--conf", conf)...)
		command.Env = []string{"HOME=" + t.TempDir()}
		out, _ := command.CombinedOutput() // check ends with 1 where it finds something
		return string(out)
	}
	ask := []string{"explain", "--mac", "02:00:00:00:00:01", "--local", "10.0.0.2", "--class", "yealink", "--option", "55=1,3,6,66,209,252"}
	var said struct {
		Options []struct {
			Code                  uint8
			Name, Source, NotSent string
			Forced                bool
			Overrides             []string
		}
	}
	if out := run(append(ask, "--json")...); json.Unmarshal([]byte(out), &said) != nil {
		t.Fatal(out)
	}
	var got []string
	for _, o := range said.Options {
		got = append(got, strings.Join(append([]string{o.Name, o.Source}, o.Overrides...), " | "))
	}
	want := []string{
		"subnet-mask | IP address 10.0.0.100/24 (id 2)",
		"router | IP address 10.0.0.1/24 (id 1) with the gateway tag",
		"domain-server | dns_servers of the config contexts for the place of 10.0.0.0/24",
		`server-name | config context "voice" (weight 1000), vendor_classes "yealink" | "tftp.voice" of config context "voice" (weight 1000) | "lab" of config context "lab" (weight 500)`,
		`configuration-file | config context "lab" (weight 500)`,
		`wpad | config context "lab" (weight 500)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text := run(ask...)
	for _, line := range []string{
		`option  66 server-name`, `config context "voice" (weight 1000), vendor_classes "yealink"; overrides "tftp.voice" of config context "voice" (weight 1000), "lab" of config context "lab" (weight 500)`,
		`config context "lab" (weight 500), forced`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%s lacks %q", text, line)
		}
	}
	write("inventory.yml", strings.Replace(inventory, strings.Repeat("x", 200), strings.Repeat("x", 250)+`", "210": "`+strings.Repeat("y", 250), 1))
	if text := run(append(ask, "--option", "55=1,3,6,66,209,210,252")...); !strings.Contains(text, "; not sent: the reply is too big for the client") {
		t.Errorf("%s does not say what was left out", text)
	}
	write("inventory.yml", strings.Replace(inventory, "[10.0.9.1]", "ten", 1))
	state := filepath.Join(folder, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	write("state/classes.json", `{"written": "2026-03-01T00:00:00Z", "classes": {"vendor_classes \"Cisco\"": {"since": "2026-01-01T00:00:00Z"}, "vendor_classes \"yealink\"": {"since": "2026-01-01T00:00:00Z", "last": "2026-02-20T00:00:00Z"}}}`)
	text = run("check")
	for _, line := range []string{`vendor_classes."Cisco".options.150: option 150: want an IPv4 address or a list of them`, `vendor_classes "Cisco" matched no client for 30 days`} {
		if !strings.Contains(text, line) {
			t.Errorf("%s lacks %q", text, line)
		}
	}
	if strings.Contains(text, `vendor_classes "yealink" matched`) {
		t.Errorf("a class that matched is named: %s", text)
	}
}
