package inventory

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// G-9: what is wrong in a config context of an inventory is found by file and line: of
// the key, or else of the context. A merged context leads to the one place that says
// the key.
func TestProblemsOfContextsHaveLines(t *testing.T) {
	text := `prefixes:
  - {prefix: 10.0.0.0/24, site: lab}
sites: [{name: lab}]
devices:
  - name: web
    site: lab
    interfaces: [{name: eth0, mac_address: "52:54:00:00:00:01"}]
    config_context:
      pydhcp_configuration:
        domain_name: 7
config_contexts:
  - name: voice
    sites: [lab]
    data:
      pydhcp_configuration:
        options:
          150: [10.0.0.1]
          26: 1500
        vendor_classes:
          "Cisco: AP":
            options: {43: "no hex"}
        lease_time: soon
        mtu: big
        tftp_server: [1]
  - name: phones
    sites: [lab]
    data:
      pydhcp_configuration:
        tftp_server: [2]
        options: {66: [1]}
  - name: nowhere
    tags: [missing]
    data: {pydhcp_configuration: {user_classes: {a: {options: {66: a}}}}}
`
	path := filepath.Join(t.TempDir(), "inventory.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Load(path, Options{ContextKey: "pydhcp_configuration"})
	if err != nil {
		t.Fatal(err)
	}
	_, problems := ipam.Build(o, ipam.Options{DynamicTag: "DHCP"})
	var got []string
	for _, p := range WithLines(path, "pydhcp_configuration", problems) {
		object := strings.TrimPrefix(p.Object, path)
		key, _, _ := strings.Cut(p.Text, " ")
		got = append(got, object+": "+key)
	}
	want := []string{
		":30: config context phones (id 2): options.66:",
		":22: config context voice (id 1): lease_time:",
		":18: config context voice (id 1): options.26:",
		`:21: config context voice (id 1): vendor_classes."Cisco:`,
		":31: config context nowhere (id 3): it",
		":10: device web (id 1), config context: domain_name:",
		":23: device web (id 1), config context: mtu:",
		": device web (id 1), config context: tftp_server:",
		":23: prefix 10.0.0.0/24 (id 1), site context: mtu:",
		": prefix 10.0.0.0/24 (id 1), site context: tftp_server:",
		"tag DHCP: not",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
