package settings

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Problem is one mistake in a settings file; it renders as
// `config.yml:12: netbox.lease.time: want a duration such as 1h, not "soon"`.
type Problem = strictyaml.Problem

// Problems are all mistakes of a settings file, by line. Load returns it as
// its error.
type Problems = strictyaml.Problems

// File is a settings file that was read and found right.
type File struct {
	Path     string
	NetBox   NetBox
	Chain    Chain
	Warnings []Problem // what works but is probably a mistake
}

// Options say how a file is read. The zero value suits our own binary.
type Options struct {
	// Stock is for a binary made of stock CoreDHCP: the path of the file is
	// the argument of the netbox plugin, the server4: section may stand in
	// another file, and server_id is needed since nothing else knows the
	// server's address.
	Stock bool
	// Getenv is os.Getenv where nil.
	Getenv func(string) string
}

// Load reads the settings file of our own binary. The error is a Problems
// unless the file cannot be read.
func Load(path string) (*File, error) { return Options{}.Load(path) }

// Load reads the settings file at path.
func (o Options) Load(path string) (*File, error) {
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	f, err := o.Parse(path, data)
	if err != nil {
		return nil, err
	}
	if text := TokenFileWarning(f.NetBox.TokenFile); text != "" {
		f.Warnings = append(f.Warnings, Problem{File: path, Key: "netbox.token_file", Text: text})
	}
	for i, key := range f.NetBox.DDNS.Keys {
		if text := TokenFileWarning(key.SecretFile); text != "" {
			f.Warnings = append(f.Warnings, Problem{File: path, Key: fmt.Sprintf("netbox.ddns.keys[%d].secret_file", i), Text: text})
		}
	}
	return f, nil
}

// document is the file as we see it. Everything outside our sections belongs
// to CoreDHCP; its keys count without case (F-8).
type document struct {
	NetBox NetBox               `yaml:"netbox"`
	Sync   yaml.Node            `yaml:"sync"` // of netbox-dhcp-sync
	Other  map[string]yaml.Node `yaml:",inline"`
}

// Parse does the work of Load for a file's content, without opening any file.
// Relative paths in the settings count from the folder of path.
func (o Options) Parse(path string, data []byte) (*File, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	d := document{NetBox: Defaults()}
	r := strictyaml.Decode(path, data, &d)
	f := &File{Path: path, NetBox: d.NetBox}
	Misspelt(r, d.Other)
	chain := chainReader{report: r, stock: o.Stock, file: path}
	f.Chain = chain.read(topLevel(r, d.Other))
	f.Warnings = chain.warnings
	_, unused := f.NetBox.Complete(r, filepath.Dir(path), o.Getenv)
	f.Warnings = append(f.Warnings, unused...)
	for _, w := range f.NetBox.Status.Warnings("netbox.status") {
		f.Warnings = append(f.Warnings, Problem{File: path, Line: r.Line(w[0]), Key: w[0], Text: w[1]})
	}
	if r.Has("netbox") || f.Chain.needsNetBox() || o.Stock {
		validate(r, &f.NetBox)
		o.validateProxy(r, f)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// topLevel returns key and value of the server4 section.
func topLevel(r *strictyaml.Report, other map[string]yaml.Node) (string, *yaml.Node) {
	var name string
	var section *yaml.Node
	for _, key := range slices.Sorted(maps.Keys(other)) {
		if !strings.EqualFold(key, "server4") {
			continue
		}
		if section != nil {
			r.Addf(key, "the same as %s to CoreDHCP: keep one", name)
		}
		value := other[key]
		name, section = key, &value
	}
	return name, section
}

// Misspelt reports those of the other top-level keys that were meant to be known
// ones.
func Misspelt(r *strictyaml.Report, other map[string]yaml.Node) {
	for _, key := range slices.Sorted(maps.Keys(other)) {
		near := nearest.Word(key, []string{"netbox", "sync", "server4"})
		if near != "" && !strings.EqualFold(key, "server4") && !strings.EqualFold(key, "server6") {
			r.Addf(key, "did you mean %s?", near)
		}
	}
}
