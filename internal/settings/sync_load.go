package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// SyncFile is a settings file as the mirror sees it, found right.
type SyncFile struct {
	Path     string
	NetBox   NetBox // URL, token and Timeout; the rest is the server's and not checked
	Sync     Sync
	Warnings []Problem // what works but is hardly meant

	report  *strictyaml.Report
	origins map[string]origin // by path in the file, of what does not come from there
}

// LoadSync reads the settings file of the mirror. The error is a Problems
// unless the file cannot be read.
func LoadSync(path string) (*SyncFile, error) { return Options{}.LoadSync(path) }

// LoadSync reads the mirror's part of the settings file at path, and finds the
// tokens among systemd's credentials.
func (o Options) LoadSync(path string) (*SyncFile, error) {
	o = o.withEnvironment()
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	f, err := o.ParseSync(path, data)
	if err != nil {
		return nil, err
	}
	if text := tokenFileWarning(f.NetBox.TokenFile); text != "" {
		f.warn("netbox.token_file", "%s", text)
	}
	f.findTokens(o.Getenv("CREDENTIALS_DIRECTORY"))
	return f, nil
}

// syncDocument is the file as the mirror sees it.
type syncDocument struct {
	NetBox NetBox               `yaml:"netbox"`
	Sync   Sync                 `yaml:"sync"`
	Other  map[string]yaml.Node `yaml:",inline"` // CoreDHCP's
}

// ParseSync does the work of LoadSync for a file's content, without looking at
// any other file.
func (o Options) ParseSync(path string, data []byte) (*SyncFile, error) {
	o = o.withEnvironment()
	d := syncDocument{NetBox: Defaults(), Sync: SyncDefaults()}
	r := strictyaml.Decode(path, data, &d)
	misspelt(r, d.Other)
	f := &SyncFile{Path: path, NetBox: d.NetBox, Sync: d.Sync, report: r, origins: make(map[string]origin)}
	f.deriveNetBox(o.Getenv)
	f.deriveSync()
	f.override()
	problems := f.fromEnvironment(o)
	f.validate()
	if problems = append(r.Problems(), problems...); len(problems) > 0 {
		return nil, problems
	}
	f.warnings()
	return f, nil
}

// deriveNetBox fills netbox: as the server does, but for the inventory, which
// nothing can be written to.
func (f *SyncFile) deriveNetBox(getenv func(string) string) {
	f.NetBox.derive(f.report, filepath.Dir(f.Path))
	f.NetBox.Inventory = ""
	inFile := f.NetBox
	f.Warnings = append(f.Warnings, f.NetBox.fillFromEnvironment(getenv)...)
	if f.NetBox.URL != inFile.URL {
		f.origins["netbox.url"] = origin{text: "environment NETBOX_URL"}
	}
	switch {
	case f.NetBox.TokenFile == inFile.TokenFile:
	case f.NetBox.TokenFile == getenv("NETBOX_TOKEN_FILE"):
		f.origins["netbox.token_file"] = origin{text: "environment NETBOX_TOKEN_FILE"}
	default:
		f.origins["netbox.token_file"] = origin{text: "systemd credential " + credential}
	}
}

// deriveSync lets relative paths begin at the folder of the file.
func (f *SyncFile) deriveSync() {
	absolute := func(key string, path *string) {
		if looksLikeToken(*path) {
			f.report.Addf(key, "this looks like a token, not like the path of a file that holds one")
		}
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(f.Path), *path)
		}
	}
	s := &f.Sync
	absolute("sync.state_dir", &s.StateDir)
	for i := range s.Servers {
		absolute(serverPath(i)+".token_file", &s.Servers[i].TokenFile)
	}
	for host, o := range s.Overrides.Servers {
		absolute("sync.overrides.servers."+host+".token_file", &o.TokenFile)
		s.Overrides.Servers[host] = o
	}
	s.Status.URL = strings.TrimRight(strings.TrimSpace(s.Status.URL), "/")
}

func serverPath(i int) string { return fmt.Sprintf("sync.servers[%d]", i) }

func (f *SyncFile) warn(path, format string, args ...any) {
	f.Warnings = append(f.Warnings, Problem{File: f.Path, Line: f.report.Line(path), Key: path, Text: fmt.Sprintf(format, args...)})
}
