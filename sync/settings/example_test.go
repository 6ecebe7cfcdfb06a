package settings

import (
	"encoding"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const example = "../../config.yml.example"

func TestExampleExplainsEveryKeyOnce(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		NetBox yaml.Node `yaml:"netbox"`
		Sync   yaml.Node `yaml:"sync"`
	}
	if err := yaml.Unmarshal(withEntries(data), &file); err != nil {
		t.Fatal(err)
	}
	shown := append(leaves(t, "netbox.", &file.NetBox), leaves(t, "sync.", &file.Sync)...)
	known := append(tags("netbox.", reflect.TypeFor[shared.NetBox]()), tags("sync.", reflect.TypeFor[Sync]())...)
	slices.Sort(shown)
	slices.Sort(known)
	if diff := cmp.Diff(known, shown); diff != "" {
		t.Error(diff)
	}
}

func TestExampleShowsTheDefaultsOfTheMirror(t *testing.T) {
	f, err := Options{Getenv: noEnvironment}.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	server := serverDefaults("dh1.corp.example")
	server.TokenFile = "/etc/netbox-dhcp-sync/dh1.token"
	want.Servers = []Server{server}
	want.Failover = map[string]Failover{"east-pair": failoverDefaults()}
	want.Overrides.Servers = map[string]ServerOverride{"dh1.corp.example": {}}
	if diff := cmp.Diff(want, f.Sync, mirrored); diff != "" {
		t.Error(diff)
	}
	if len(f.Warnings) > 0 || len(forced(f)) > 0 {
		t.Errorf("warnings %v, forced %v", f.Warnings, forced(f))
	}
}

// withEntries puts the entries that the example shows in comments below empty lists into
// those lists.
func withEntries(data []byte) []byte {
	list := regexp.MustCompile(`: \[\]( +#[^\n]*; an entry:\n)((?: +# [^\n]*\n)+)`)
	return list.ReplaceAllFunc(data, func(shown []byte) []byte {
		m := list.FindSubmatch(shown)
		return append(append([]byte(":"), m[1]...), regexp.MustCompile(`(?m)^( +)# `).ReplaceAll(m[2], []byte("$1"))...)
	})
}

// leaves lists the settings under n, each of which needs a comment. Names that
// people choose are "*".
func leaves(t *testing.T, path string, n *yaml.Node) []string {
	t.Helper()
	var found []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		if path == "sync.failover." || path == "sync.overrides.servers." {
			name = "*"
		}
		switch {
		case value.Kind == yaml.MappingNode && len(value.Content) > 0:
			found = append(found, leaves(t, path+name+".", value)...)
			continue
		case value.Kind == yaml.SequenceNode && len(value.Content) > 0 && value.Content[0].Kind == yaml.MappingNode:
			for _, entry := range value.Content {
				found = append(found, leaves(t, path+name+".*.", entry)...)
			}
			continue
		case value.LineComment == "" && key.LineComment == "":
			t.Errorf("%s%s has no comment", path, name)
		}
		found = append(found, path+name)
	}
	return found
}

// tags lists the settings a section has.
func tags(path string, section reflect.Type) []string {
	var found []string
	for field := range section.Fields() {
		tag := field.Tag.Get("yaml")
		part, name := field.Type, path+tag
		if part.Kind() == reflect.Slice || part.Kind() == reflect.Map {
			part, name = part.Elem(), name+".*"
		}
		switch {
		case tag == "" || tag == "-" || field.Tag.Get("refuse") != "":
		case part.Kind() == reflect.Struct && (part.PkgPath() == section.PkgPath() || part == reflect.TypeFor[Status]()) && !reflect.PointerTo(part).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
			found = append(found, tags(name+".", part)...)
		default:
			found = append(found, path+tag)
		}
	}
	return found
}
