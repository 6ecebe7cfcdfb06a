// Package options shows what devices of many makers ask and what they are answered
// from the examples of docs/options-from-netbox.md.
package options

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the example of the bootstrap command anew")

// page has the examples that the goldens rest on.
const page = "../../docs/options-from-netbox.md"

// contextKey is the key of the examples, and the settings' default.
const contextKey = "pydhcp_configuration"

// example is what the tests read of an inventory file on the page.
type example struct {
	Prefixes  json.RawMessage `yaml:"prefixes"`
	Addresses json.RawMessage `yaml:"ip_addresses"`
	Contexts  []struct {
		Name string          `yaml:"name"`
		Tags []string        `yaml:"tags"`
		Data json.RawMessage `yaml:"data"`
	} `yaml:"config_contexts"`
	Devices []struct {
		Name       string          `yaml:"name"`
		Context    json.RawMessage `yaml:"config_context"`
		Interfaces json.RawMessage `yaml:"interfaces"`
	} `yaml:"devices"`
}

// layer is the DHCP part of a context.
func layer(t *testing.T, source string, data json.RawMessage) option.Layer {
	t.Helper()
	var keys map[string]map[string]any
	if err := json.Unmarshal(data, &keys); err != nil || keys[contextKey] == nil {
		t.Fatalf("%s: no object under %s: %v", source, contextKey, err)
	}
	return option.Layer{Source: source, Data: keys[contextKey]}
}

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

// set compiles what the clients of an example are told: its contexts, and that of
// a device above them if one is named.
func set(t *testing.T, heading, file, device string) *option.Set {
	t.Helper()
	var e example
	if err := strictyaml.Decode(heading, []byte(file), &e).Err(); err != nil {
		t.Fatal(err)
	}
	var layers []option.Layer
	for _, c := range e.Contexts {
		layers = append(layers, layer(t, c.Name, c.Data))
	}
	for _, d := range e.Devices {
		if d.Name == device {
			layers = append(layers, layer(t, d.Name, d.Context))
		}
	}
	compiled, findings := option.Compile(layers)
	for _, f := range findings {
		t.Errorf("%s: %s: %s: %s", heading, f.Source, f.Field, f.Problem)
	}
	return compiled
}

// OPT-1, OPT-2: the page has one example of each kind, and nothing of it is a finding.
func TestExamplesOfThePageAreUnderstood(t *testing.T) {
	files := examples(t)
	for _, heading := range []string{"Phones", "Access points", "Switches", "Diskless Linux", "Windows"} {
		if set(t, heading, files[heading], "") == nil {
			t.Errorf("%s: the example says nothing", heading)
		}
	}
}

// The context that bootstrap --example makes is the first example of the page.
func TestBootstrapMakesTheExampleOfThePage(t *testing.T) {
	var e example
	if err := strictyaml.Decode("Phones", []byte(examples(t)["Phones"]), &e).Err(); err != nil {
		t.Fatal(err)
	}
	if *update {
		var text bytes.Buffer
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(e.Contexts[0].Data, &keys); err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&text, keys[contextKey], "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../../internal/prepare/example.json", append(text.Bytes(), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, need := range prepare.Example(contextKey) {
		contexts, ok := need.(prepare.Contexts)
		if !ok {
			continue
		}
		if diff := cmp.Diff(layer(t, "", e.Contexts[0].Data), layer(t, "", contexts.List[0].Data)); diff != "" {
			t.Errorf("not the example of the page (-page +made): go test ./test/options -update\n%s", diff)
		}
	}
}
