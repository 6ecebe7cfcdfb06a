// Package repository keeps promises about the whole checkout that no single
// package can keep: documents that load, rules that have tests, imports that
// point down. It tests no behaviour.
package repository

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	mirrored "github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

const (
	root   = "../.."
	module = "github.com/coredhcp-netbox/coredhcp-netbox/"
)

// eachFile calls fn for every file of the checkout whose name ends in suffix;
// paths count from the top.
func eachFile(t *testing.T, suffix string, fn func(path string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == ".git" || name == "bin" || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, suffix) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		fn(relative, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// below lists what packages of a row may import of this module; packages not
// listed are edges or wiring and free to import what is below them.
func below() map[string][]string {
	return map[string][]string{
		"docs/spec":                  {},
		"internal/ipam":              {},
		"internal/lease":             {"internal/ipam"},
		"internal/strictyaml":        {},
		"internal/exit":              {},
		"internal/quiet":             {},
		"internal/rest":              {},
		"internal/bootfiles":         {"internal/quiet"},
		"internal/settings":          {"internal/strictyaml"},
		"internal/inventory":         {"internal/ipam", "internal/settings", "internal/strictyaml"},
		"internal/dhcp4":             {"internal/ipam", "internal/lease"},
		"internal/stock":             {"internal/dhcp4", "internal/quiet"},
		"internal/receive":           {"internal/dhcp4", "internal/lease", "internal/quiet"},
		"internal/netbox":            {"internal/rest"},
		"internal/prepare":           {"internal/netbox", "internal/rest"},
		"internal/follow":            {"internal/ipam", "internal/netbox", "internal/quiet"},
		"sync/state":                 {},
		"sync/netboxio":              {"internal/netbox", "internal/prepare", "internal/rest", "sync/state"},
		"standins/fault":             {},
		"standins/netboxtest":        {"standins/fault"},
		"internal/lease/pebblestore": {"internal/lease"},
		"sync/windhcp":               {},
		"sync/settings":              {"internal/settings", "internal/strictyaml", "sync/windhcp"},
		"internal/printable":         {},
		"internal/canonjson":         {},
		"sync/plan":                  {"internal/canonjson", "internal/printable", "sync/state", "sync/windhcp"},
		"sync/decide":                {"internal/canonjson", "internal/printable", "sync/plan", "sync/state", "sync/windhcp"},
		"sync/report":                {"docs/spec", "internal/printable", "sync/plan", "sync/state"},
		"sync/drift":                 {"docs/spec", "internal/printable", "sync/plan", "sync/report", "sync/state"},
		"sync/psu":                   {"internal/rest", "sync/windhcp"},
		"standins/psutest":           {"standins/fault"},
		"sync/status":                {"docs/spec", "internal/printable", "sync/drift", "sync/mirror", "sync/netboxio", "sync/plan", "sync/report", "sync/windhcp"},
		"sync/cli":                   {"docs/spec", "internal/exit", "internal/prepare", "internal/printable", "internal/settings", "sync/decide", "sync/drift", "sync/mirror", "sync/netboxio", "sync/plan", "sync/psu", "sync/report", "sync/settings", "sync/state", "sync/status", "sync/windhcp"},
		"sync/apply":                 {"internal/netbox", "sync/netboxio", "sync/plan", "sync/psu", "sync/state", "sync/windhcp"},
		"sync/mirror":                {"internal/exit", "internal/netbox", "internal/prepare", "sync/apply", "sync/decide", "sync/netboxio", "sync/plan", "sync/psu", "sync/report", "sync/settings", "sync/state", "sync/windhcp"},
		"internal/writeback":         {"internal/follow", "internal/ipam", "internal/lease", "internal/netbox", "internal/quiet"},
	}
}

func TestImportsPointDown(t *testing.T) {
	seen := make(map[string]bool)
	eachFile(t, ".go", func(path string, source []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		allowed, ruled := below()[folder]
		seen[folder] = true
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "github.com/netbox-community/go-netbox") && folder != "internal/netbox" {
				t.Errorf("%s imports go-netbox: only internal/netbox may (docs/adr/0005)", path)
			}
			own, ok := strings.CutPrefix(name, module)
			if ok && ruled && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which is not below it", path, own)
			}
			if ok && strings.HasPrefix(folder, "plugins/") && (own == "launch" || own == "internal/receive") {
				t.Errorf("%s imports %s: plugins run on the stock server too (REC-2)", path, own)
			}
		}
	})
	for folder := range below() {
		if !seen[folder] {
			t.Errorf("%s is ruled but does not exist", folder)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	comments := make(map[string]string)
	eachFile(t, ".go", func(path string, source []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(path)
		if _, ok := comments[folder]; !ok {
			comments[folder] = ""
		}
		if file.Doc != nil && file.Doc.Text() != "" {
			if comments[folder] != "" && !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s: a second package comment", path)
			}
			comments[folder] = file.Doc.Text()
		}
	})
	for folder, comment := range comments {
		if comment == "" {
			t.Errorf("%s: no package comment", folder)
		}
	}
}

var fenced = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```")

// TestSettingsInDocumentsLoad reads every complete settings file that a page
// shows, as our own binary would.
func TestSettingsInDocumentsLoad(t *testing.T) {
	loaded := 0
	eachFile(t, ".md", func(path string, content []byte) {
		for _, m := range fenced.FindAllStringSubmatch(string(content), -1) {
			text := dedent(m[1])
			if !strings.Contains(text, "server4:") || !strings.Contains(text, "\nnetbox:") {
				continue // a fragment
			}
			loaded++
			stock := strings.Contains(text, "- netbox: /")
			options := settings.Options{Stock: stock, Getenv: func(string) string { return "" }}
			if _, err := options.Parse(path, []byte(text)); err != nil {
				t.Errorf("%s: an example does not load:\n%v\n%s", path, err, text)
			}
		}
	})
	if loaded < 6 {
		t.Errorf("only %d complete settings files found in the documents", loaded)
	}
}

// TestSettingsOfTheMirrorInDocumentsLoad reads every sync: section that a page
// shows. Pages may leave out NetBox and the servers.
func TestSettingsOfTheMirrorInDocumentsLoad(t *testing.T) {
	section := regexp.MustCompile(`(?m)^sync:$`)
	servers := regexp.MustCompile(`(?m)^  servers:`)
	options := mirrored.Options{Getenv: func(name string) string {
		return map[string]string{"NETBOX_URL": "https://netbox.example.org"}[name]
	}}
	loaded := 0
	eachFile(t, ".md", func(path string, content []byte) {
		for _, m := range fenced.FindAllStringSubmatch(string(content), -1) {
			text := dedent(m[1])
			if !section.MatchString(text) {
				continue
			}
			loaded++
			if !servers.MatchString(text) {
				text = section.ReplaceAllString(text, "sync:\n  servers: [{host: dh1.corp.example}, {host: dh2.corp.example}]")
			}
			if _, err := options.Parse(path, []byte(text)); err != nil {
				t.Errorf("%s: an example does not load:\n%v\n%s", path, err, text)
			}
		}
	})
	if loaded < 3 {
		t.Errorf("only %d sync: sections found in the documents", loaded)
	}
}

// dedent takes off the indentation of the first line everywhere.
func dedent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, indent))
	}
	return b.String()
}

func TestEveryPluginREADMEHasItsSections(t *testing.T) {
	found := 0
	eachFile(t, "README.md", func(path string, content []byte) {
		if filepath.Dir(filepath.Dir(path)) != "plugins" {
			return
		}
		found++
		at := 0
		for _, section := range []string{"Description", "Syntax", "Options it sets", "Examples", "NetBox data it reads and writes", "Metrics", "Behaviour when NetBox is down", "Limits"} {
			next := strings.Index(string(content), "\n## "+section)
			if next < at {
				t.Errorf("%s: section %q is missing or out of order", path, section)
				continue
			}
			at = next
		}
	})
	if found != 5 {
		t.Errorf("%d plugin READMEs, want 5", found)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	metric  = regexp.MustCompile("`(coredhcp_netbox_[a-z_]+)")
	testRef = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Benchmark)\\w+)`")
)

func TestDocumentsNameOnlyWhatExists(t *testing.T) {
	var sources strings.Builder
	functions := make(map[string]bool)
	eachFile(t, ".go", func(path string, source []byte) {
		sources.Write(source)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)`).FindAllSubmatch(source, -1) {
			functions[filepath.ToSlash(filepath.Dir(path))+"."+string(m[1])] = true
		}
	})
	eachFile(t, ".md", func(path string, content []byte) {
		for _, m := range link.FindAllSubmatch(content, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), string(m[1]))); err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
			}
		}
		for _, m := range metric.FindAllSubmatch(content, -1) {
			if !strings.Contains(sources.String(), string(m[1])) {
				t.Errorf("%s: metric %s does not exist", path, m[1])
			}
		}
		for _, m := range testRef.FindAllSubmatch(content, -1) {
			if !functions[string(m[1])+"."+string(m[2])] {
				t.Errorf("%s: test %s.%s does not exist", path, m[1], m[2])
			}
		}
	})
}
