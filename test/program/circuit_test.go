package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const switchInventory = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: access1, interfaces: [{name: Vlan10, ip_addresses: [{address: 10.0.0.1/24}]}, {name: GigabitEthernet1/0/5, connected_endpoint: {device: printer, name: eth0}}]}
  - {name: printer, interfaces: [{name: eth0, ip_addresses: [{address: 10.0.0.50/24}]}]}
  - {name: web1, interfaces: [{name: eth0, mac_address: "02:00:00:00:00:0b", ip_addresses: [{address: 10.0.0.11/24}]}]}
`

// CL-13 to CL-18: explain shows how a circuit is read, what it leads to, and why it does
// not count, in text and JSON; check says that the lists need the running server.
func TestExplainReadsCircuits(t *testing.T) {
	folder := t.TempDir()
	conf := filepath.Join(folder, "config.yml")
	for name, text := range map[string]string{"inventory.yml": switchInventory, "config.yml": "server4:\n  listen: [127.0.0.1:6767]\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox:\n" +
		"netbox:\n  inventory: inventory.yml\n  store:\n    path: state\n  control:\n    folder: control\n  claims: {prefixes: [10.0.0.0/24], port: true}\n  network: {circuits: {relays: [10.0.0.1]}}\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, append(args, "--conf", conf)...)
		command.Env = []string{"HOME=" + t.TempDir()}
		out, _ := command.CombinedOutput() // its exit code is no matter here
		return string(out)
	}
	type circuit struct {
		Circuit, Remote, Result, Switch, Port string
		LeadsTo                               string `json:"leads_to"`
		Counts                                bool
		Wrong                                 bool `json:"wrong_cable"`
		Means                                 []string
	}
	for name, c := range map[string]struct {
		args    []string
		address string
		want    circuit
	}{
		"a port": {[]string{"--mac", "02:00:00:00:00:01", "--circuit-id", "hex:0004000a0105", "--remote-id", "access1"}, "10.0.0.50/24",
			circuit{"hex:0004000a0105", "access1", "leads", "access1", "GigabitEthernet1/0/5", "device printer interface eth0", true, false, []string{"port 1/5"}}},
		"a wrong cable": {[]string{"--mac", "02:00:00:00:00:0b", "--circuit-id", "Gi1/0/5"}, "10.0.0.11/24",
			circuit{"Gi1/0/5", "", "leads", "access1", "GigabitEthernet1/0/5", "device printer interface eth0", true, true, []string{"gigabitethernet1/0/5"}}},
		"another sender": {[]string{"--mac", "02:00:00:00:00:01", "--circuit-id", "Gi1/0/5", "--source", "10.0.0.77"}, "10.0.0.100/24",
			circuit{Circuit: "Gi1/0/5", Means: []string{"gigabitethernet1/0/5"}}},
		"another switch": {[]string{"--mac", "02:00:00:00:00:01", "--circuit-id", "Gi1/0/5", "--remote-id", "edge1"}, "10.0.0.100/24",
			circuit{Circuit: "Gi1/0/5", Remote: "edge1", Result: "no_switch", Counts: true, Means: []string{"gigabitethernet1/0/5"}}},
	} {
		t.Run(name, func(t *testing.T) {
			ask := append([]string{"explain", "--relay", "10.0.0.1"}, c.args...)
			var said struct {
				Address string
				Circuit circuit
			}
			out := run(append(ask, "--json")...)
			if json.Unmarshal([]byte(out), &said) != nil {
				t.Fatal(out)
			}
			want, _ := json.Marshal(c.want)
			if got, _ := json.Marshal(said.Circuit); said.Address != c.address || string(got) != string(want) {
				t.Errorf("%s with %s, want %s with %s", said.Address, got, c.address, want)
			}
			text := run(ask...)
			for _, part := range []string{"circuit", c.want.Circuit, "means", c.want.Means[0], c.want.LeadsTo} {
				if !strings.Contains(text, part) {
					t.Errorf("%s lacks %q", text, part)
				}
			}
		})
	}
	if text := run("check"); !strings.Contains(text, "the server does not run: which relays of netbox.network.circuits.relays set option 82 is not known") {
		t.Errorf("check: %s", text)
	}
}

// CL-17: a relay of the list that was seen without a circuit is named by the running
// server, and by check.
func TestARelayWithoutCircuitsIsNamed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.stop()
	text, err := os.ReadFile(o.conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, o.conf, strings.Replace(string(text), "network: {", "network: {circuits: {relays: [127.0.0.2]}, ", 1))
	o.start("NetBox read")
	if _, err := o.agent.Acquire(mac(5)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.agent.Acquire(mac(6)); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := run(t, "circuits", "--conf", o.conf)
	if code != 0 || !strings.Contains(out, "127.0.0.2") || !strings.Contains(out, "0 wrong cables, 1 relay without option 82, 0 circuits that lead nowhere") {
		t.Errorf("circuits: exit code %d\n%s%s", code, out, stderr)
	}
	if out, stderr, _ := run(t, "check", "--conf", o.conf); !strings.Contains(out, "warning  relay 127.0.0.2 passed 4 messages on without option 82 within a day") {
		t.Errorf("check:\n%s%s", out, stderr)
	}
}
