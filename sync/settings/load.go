package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Problems are all mistakes of a settings file, by line. Load returns it as
// its error.
type Problems = strictyaml.Problems

// Problem is one mistake in a settings file.
type Problem = strictyaml.Problem

// Warning is a setting that works but is probably a mistake.
type Warning struct {
	Problem
	// Insecure is about a server whose token others can read on the way. The
	// client of that server warns of it at each run too.
	Insecure bool
}

// File is a settings file without mistakes, as the mirror sees it.
type File struct {
	Path     string
	NetBox   shared.NetBox // URL, token and Timeout; the rest is the server's and not checked
	Sync     Sync
	Warnings []Warning

	report  *strictyaml.Report
	origins map[string]origin // by path in the file, of what does not come from there
}

// Options say where the environment is. The zero value is that of the process.
type Options struct {
	// Getenv is os.Getenv where nil.
	Getenv func(string) string
	// Environ is os.Environ where it and Getenv are nil. Misspelt names of
	// variables are looked for there; nil with Getenv: nowhere.
	Environ func() []string
	// WithoutKeys leaves the keys to log in with alone, for commands that need none,
	// such as those that trust a host key before there is one.
	WithoutKeys bool
}

// Load reads the settings file of the mirror. The error is a Problems
// unless the file cannot be read.
func Load(path string) (*File, error) { return Options{}.Load(path) }

// Load reads the mirror's part of the settings file at path, finds tokens and keys
// among systemd's credentials, and looks at the files of keys.
func (o Options) Load(path string) (*File, error) {
	o = o.withEnvironment()
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	f, err := o.Parse(path, data)
	if err != nil {
		return nil, err
	}
	if text := shared.TokenFileWarning(f.NetBox.TokenFile); text != "" {
		f.warn("netbox.token_file", "%s", text)
	}
	f.findTokens(o.Getenv("CREDENTIALS_DIRECTORY"))
	f.findKeys(o.Getenv("CREDENTIALS_DIRECTORY"))
	if !o.WithoutKeys {
		f.checkKeys()
	}
	if err := f.report.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// document is the file as the mirror sees it.
type document struct {
	NetBox shared.NetBox        `yaml:"netbox"`
	Sync   Sync                 `yaml:"sync"`
	Other  map[string]yaml.Node `yaml:",inline"` // CoreDHCP's
}

// Parse does the work of Load for a file's content, without looking at
// any other file.
func (o Options) Parse(path string, data []byte) (*File, error) {
	o = o.withEnvironment()
	d := document{NetBox: shared.Defaults(), Sync: Defaults()}
	r := strictyaml.Decode(path, data, &d)
	shared.Misspelt(r, d.Other)
	f := &File{Path: path, NetBox: d.NetBox, Sync: d.Sync, report: r, origins: make(map[string]origin)}
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

func (o Options) withEnvironment() Options {
	if o.Environ == nil {
		o.Environ = func() []string { return nil }
		if o.Getenv == nil {
			o.Environ = os.Environ
		}
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	return o
}

// deriveNetBox fills netbox: as the server does, but for the inventory, which
// the mirror cannot write to.
func (f *File) deriveNetBox(getenv func(string) string) {
	f.NetBox.Inventory = ""
	origins, unused := f.NetBox.Complete(f.report, filepath.Dir(f.Path), getenv)
	for key, text := range origins {
		f.origins[key] = origin{text: text}
	}
	for _, p := range unused {
		f.Warnings = append(f.Warnings, Warning{Problem: p})
	}
}

// deriveSync lets relative paths begin at the folder of the file.
func (f *File) deriveSync() {
	absolute := func(key string, path *string) {
		if shared.LooksLikeToken(*path) {
			f.report.Addf(key, "this looks like a token, not like the path of a file that holds one")
		}
		if mistake := shared.PathMistake(*path); mistake != "" {
			f.report.Addf(key, "%s", mistake)
		}
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(f.Path), *path)
		}
	}
	secret := func(key string, path *string) {
		if looksLikeKey(*path) {
			f.report.Addf(key, "this looks like a key, not like the path of a file; make a new key if others have seen this file")
		}
		absolute(key, path)
	}
	s := &f.Sync
	absolute("sync.state_dir", &s.StateDir)
	absolute("sync.status.token_file", &s.Status.TokenFile)
	absolute("sync.status.certificate_file", &s.Status.CertificateFile)
	absolute("sync.status.key_file", &s.Status.KeyFile)
	for i := range s.Servers {
		at, ssh := serverPath(i), &s.Servers[i].SSH
		absolute(at+".token_file", &s.Servers[i].TokenFile)
		secret(at+".ssh.key_file", &ssh.KeyFile)
		secret(at+".ssh.passphrase_file", &ssh.PassphraseFile)
		absolute(at+".ssh.known_hosts", &ssh.KnownHosts)
	}
	for host, o := range s.Overrides.Servers {
		at := "sync.overrides.servers." + host
		absolute(at+".token_file", &o.TokenFile)
		secret(at+".key_file", &o.KeyFile)
		secret(at+".passphrase_file", &o.PassphraseFile)
		s.Overrides.Servers[host] = o
	}
	s.Status.URL = strings.TrimRight(strings.TrimSpace(s.Status.URL), "/")
}

func serverPath(i int) string { return fmt.Sprintf("sync.servers[%d]", i) }

func (f *File) warn(path, format string, args ...any) {
	p := Problem{File: f.Path, Line: f.report.Line(path), Key: path, Text: fmt.Sprintf(format, args...)}
	f.Warnings = append(f.Warnings, Warning{Problem: p})
}
