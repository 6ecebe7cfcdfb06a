package settings

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const example = "../../config.yml.example"

func TestExampleLoadsAndShowsTheDefaults(t *testing.T) {
	f, err := Options{Getenv: noEnvironment}.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.URL, want.TokenFile = "https://netbox.example.org", "/etc/coredhcp-netbox/token"
	want.Store.Endpoints = []string{}
	if diff := cmp.Diff(want, f.NetBox, plain); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, p := range f.Chain.Plugins {
		names = append(names, p.Name)
	}
	order := []string{"server_id", PluginNetBox, PluginGateway, PluginDNS, PluginPXE, PluginNak}
	if diff := cmp.Diff(order, names); diff != "" || f.Chain.Nak != "authoritative" {
		t.Errorf("nak %q, order %s", f.Chain.Nak, diff)
	}
}

func TestExampleExplainsEveryKeyOnce(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		NetBox yaml.Node `yaml:"netbox"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	shown := leaves(t, "", &file.NetBox)
	known := tags("", reflect.TypeFor[NetBox]())
	slices.Sort(shown)
	slices.Sort(known)
	if diff := cmp.Diff(known, shown); diff != "" {
		t.Error(diff)
	}
}

// leaves lists the settings under n, each of which needs a comment.
func leaves(t *testing.T, path string, n *yaml.Node) []string {
	t.Helper()
	var found []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.MappingNode {
			found = append(found, leaves(t, path+key.Value+".", value)...)
			continue
		}
		if value.LineComment == "" {
			t.Errorf("%s%s has no comment", path, key.Value)
		}
		found = append(found, path+key.Value)
	}
	return found
}

// tags lists the settings a section has.
func tags(path string, section reflect.Type) []string {
	var found []string
	for field := range section.Fields() {
		tag := field.Tag.Get("yaml")
		switch {
		case tag == "" || tag == "-" || field.Tag.Get("refuse") != "":
		case field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == section.PkgPath():
			found = append(found, tags(path+tag+".", field.Type)...)
		default:
			found = append(found, path+tag)
		}
	}
	return found
}
