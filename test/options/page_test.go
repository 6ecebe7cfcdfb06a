// Package options shows what devices of many makers ask and what they are answered
// from the examples of docs/options-from-netbox.md.
package options

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

var update = flag.Bool("update", false, "write the example of the bootstrap command anew")

// page has the examples that the goldens rest on.
const page = "../../docs/options-from-netbox.md"

// examples are the inventory files of the page by the heading above them.
func examples(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, section := range regexp.MustCompile(`(?m)^## `).Split(string(text), -1)[1:] {
		heading, _, _ := strings.Cut(section, "\n")
		for i, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(section, -1) {
			if i > 0 {
				t.Errorf("%s: more than one example", heading)
			}
			files[heading] = block[1]
		}
	}
	return files
}

// load reads an example as the server does.
func load(t *testing.T, file string) (*ipam.Snapshot, []ipam.Problem) {
	t.Helper()
	s := settings.Defaults()
	s.Inventory = filepath.Join(t.TempDir(), "inventory.yml")
	if err := os.WriteFile(s.Inventory, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot, problems, err := instance.Inventory(s)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, problems
}

// OPT-1, OPT-2, CTX-1: the page has one example of each kind, and nothing of it is a finding.
func TestExamplesOfThePageAreUnderstood(t *testing.T) {
	files := examples(t)
	for _, heading := range []string{"Phones", "Access points", "Switches", "Diskless Linux", "Windows"} {
		if files[heading] == "" {
			t.Errorf("%s: no example", heading)
		}
	}
	for heading, file := range files {
		snapshot, problems := load(t, file)
		for _, p := range problems {
			t.Errorf("%s: %s: %s", heading, p.Object, p.Text)
		}
		if len(snapshot.Objects().Contexts) == 0 {
			t.Errorf("%s: no context", heading)
		}
	}
}

// The context that bootstrap --example makes is the first example of the page.
func TestBootstrapMakesTheExampleOfThePage(t *testing.T) {
	snapshot, _ := load(t, examples(t)["Phones"])
	want := snapshot.Objects().Contexts[0].Data
	if *update {
		var text bytes.Buffer
		if err := json.Indent(&text, want, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../../internal/prepare/example.json", append(text.Bytes(), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, need := range prepare.Example("dhcp") {
		contexts, ok := need.(prepare.Contexts)
		if !ok {
			continue
		}
		var made map[string]any
		if err := json.Unmarshal(contexts.List[0].Data, &made); err != nil {
			t.Fatal(err)
		}
		var shown any
		if err := json.Unmarshal(want, &shown); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"dhcp": shown}, made); diff != "" {
			t.Errorf("not the example of the page (-page +made): go test ./test/options -update\n%s", diff)
		}
	}
}
