// Package repository keeps promises about the whole checkout that no single
// package can keep: documents that load, rules that have tests, imports that
// point down. It tests no behaviour.
package repository

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	mirrored "github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

const (
	root   = "../.."
	module = "github.com/coredhcp-netbox/coredhcp-netbox/"
)

// eachFile calls fn for every file of the checkout whose name ends in suffix;
// paths count from the top.
func eachFile(t *testing.T, suffix string, fn func(path string, content []byte)) {
	t.Helper()
	checkout.Each(t, root, suffix, fn)
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

// TestPartsOfSettingsInDocumentsLoad reads every netbox: section that a page shows
// without the rest of the file.
func TestPartsOfSettingsInDocumentsLoad(t *testing.T) {
	section := regexp.MustCompile(`(?m)^netbox:.*$`)
	source := regexp.MustCompile(`(?m)^  (url|inventory):`)
	options := settings.Options{Getenv: func(string) string { return "" }}
	loaded := 0
	eachFile(t, ".md", func(path string, content []byte) {
		for _, m := range fenced.FindAllStringSubmatch(string(content), -1) {
			text := dedent(m[1])
			if !section.MatchString(text) || strings.Contains(text, "server4:") || strings.Contains(text, "\nsync:") {
				continue // complete, or of the mirror
			}
			loaded++
			if !source.MatchString(text) {
				text = section.ReplaceAllString(text, "$0\n  url: https://netbox.example.org\n  token_file: token")
			}
			text = "server4: {listen: ['%eth0', '%eth1'], plugins: [{netbox: ''}, {netbox_pxe: ''}]}\n" + text
			if _, err := options.Parse(path, []byte(text)); err != nil {
				t.Errorf("%s: an example does not load:\n%v\n%s", path, err, text)
			}
		}
	})
	if loaded < 1 {
		t.Errorf("only %d netbox: sections found in the documents", loaded)
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

// hasHeading reports whether a page has the heading that an anchor stands for: in lower
// case, with hyphens for blanks and nothing for other signs.
func hasHeading(t *testing.T, page, anchor string) bool {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(content), -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}

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
			to := filepath.Join(root, filepath.Dir(path), string(m[1]))
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
			} else if len(m[2]) > 0 && !hasHeading(t, to, string(m[2][1:])) {
				t.Errorf("%s: %s has no heading %s", path, m[1], m[2])
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
