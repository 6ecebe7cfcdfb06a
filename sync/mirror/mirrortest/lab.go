// Package mirrortest is a laboratory for the mirror: a NetBox, stand-in or
// real, behind a front that records and breaks requests, Windows servers, and
// a settings file that names them. It asserts nothing about the mirror.
package mirrortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// Lab is one NetBox and some Windows servers.
type Lab struct {
	Front   *Front
	Log     *bytes.Buffer // everything logged, at trace level
	Folder  string        // of settings, tokens and state
	Servers []*psutest.Server
	// StateDir is where settings that are written from now on keep the state, in Folder.
	StateDir string

	tb     testing.TB
	target Target
}

// Target is the NetBox of a lab. A real one is emptied before each lab, but for what
// Bootstrap made.
type Target struct {
	URL, Token string

	kept map[string][]int64 // definitions that Bootstrap made, by list; nil: it is a stand-in
}

// Real is the real NetBox of the environment: see netboxtest.Real. It is emptied in the
// end unless NETBOX_DISPOSABLE=1 says that it is thrown away: NetBox deletes thirty
// addresses a second.
func Real(tb testing.TB) Target {
	tb.Helper()
	url, token := netboxtest.Real(tb)
	if os.Getenv("NETBOX_DISPOSABLE") != "1" {
		tb.Cleanup(func() {
			netboxtest.Wipe(tb, url, token)
			http.DefaultClient.CloseIdleConnections() // of what wiped it
		})
	}
	return Target{URL: url, Token: token, kept: make(map[string][]int64)}
}

// IsReal reports whether the NetBox is no stand-in, and slow.
func (t Target) IsReal() bool { return t.kept != nil }

// StandIn starts a stand-in of a NetBox.
func StandIn(tb testing.TB, c netboxtest.Config) Target {
	tb.Helper()
	s := netboxtest.New(tb, c)
	return Target{URL: s.URL(), Token: s.TokenV1()}
}

// New prepares a lab with the given objects in NetBox.
func New(tb testing.TB, target Target, world netboxtest.World) *Lab {
	tb.Helper()
	l := &Lab{tb: tb, target: target, Log: &bytes.Buffer{}, Folder: tb.TempDir(), StateDir: "state"}
	tb.Cleanup(http.DefaultClient.CloseIdleConnections) // of the lab's own requests; last
	netboxtest.WipeBut(tb, target.URL, target.Token, target.kept)
	netboxtest.Seed(tb, target.URL, target.Token, world)
	l.Front = newFront(tb, target.URL)
	l.File("netbox.token", target.Token)
	return l
}

// File writes a file into the lab's folder and returns its path.
func (l *Lab) File(name, content string) string {
	l.tb.Helper()
	path := filepath.Join(l.Folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		l.tb.Fatal(err)
	}
	return path
}

// Add starts a Windows server. Servers are called dh1.corp.example and so on,
// and listen at 127.0.0.1 and so on.
func (l *Lab) Add(world psutest.World) *psutest.Server {
	l.tb.Helper()
	n := len(l.Servers) + 1
	if world.Name == "" {
		world.Name = fmt.Sprintf("dh%d.corp.example", n)
	}
	s := psutest.New(l.tb, psutest.Config{Listen: fmt.Sprintf("127.0.0.%d", n), World: world})
	l.Servers = append(l.Servers, s)
	l.File(fmt.Sprintf("dh%d.token", n), s.Writer())
	return s
}

// OverSSH starts an SSH server in front of each Windows server, trusts its key, and
// gives the lines of settings that lead through it.
func (l *Lab) OverSSH(start func(testing.TB, sshtest.Config) *sshtest.Server) map[string]string {
	l.tb.Helper()
	lines := make(map[string]string)
	trust := openssh.HostKeys{File: filepath.Join(l.Folder, l.StateDir, "certificates", "known_hosts")}
	for _, s := range l.Servers {
		door := start(l.tb, sshtest.Config{Windows: s, Listen: s.Host(), Shell: sshtest.Shell{Accept: sshtest.Accept(l.tb, deploy.Sums)}})
		lines[s.Host()] = fmt.Sprintf("transport: ssh\nssh:\n  user: %s\n  port: %d\n  key_file: %s\n", door.User, door.Port, door.KeyFile)
		c := openssh.Config{Host: door.Host, Port: door.Port, User: door.User, Key: openssh.Key{File: door.KeyFile}}
		if _, err := trust.Trust(l.tb.Context(), c, door.Fingerprint()); err != nil {
			l.tb.Fatal(err)
		}
	}
	return lines
}

// Host is how settings name the n-th server, from 0.
func (l *Lab) Host(n int) string { return l.Servers[n].Host() }

// Settings writes a settings file: NetBox, all servers, and what is given
// below sync:, each line as it stands there. Lines for one server are given by
// its host.
func (l *Lab) Settings(sync string, perServer map[string]string) *settings.File {
	l.tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "netbox:\n  url: %s\n  token_file: netbox.token\n", l.Front.URL())
	fmt.Fprintf(&b, "sync:\n  state_dir: %s\n%s  servers:\n", l.StateDir, indent(sync, "  "))
	for i, s := range l.Servers {
		fmt.Fprintf(&b, "    - host: %s\n      port: %d\n      https: false\n      aliases: [dh%d.corp.example]\n      token_file: dh%d.token\n",
			s.Host(), s.Port(), i+1, i+1)
		b.WriteString(indent(perServer[s.Host()], "      "))
	}
	path := l.File("config.yml", b.String())
	f, err := settings.Options{Environ: func() []string { return nil }}.Load(path)
	if err != nil {
		l.tb.Fatalf("%v\n%s", err, b.String())
	}
	return f
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// Open makes a mirror of the settings and prepares NetBox for it.
func (l *Lab) Open(sync string, perServer map[string]string) *mirror.Mirror {
	l.tb.Helper()
	m := l.OpenUnprepared(sync, perServer)
	p, err := m.Bootstrap(l.tb.Context())
	if err != nil {
		l.tb.Fatal(err)
	}
	others := l.definitions()
	if err := p.Apply(l.tb.Context(), m.NetBox, l.logger()); err != nil {
		l.tb.Fatal(err)
	}
	for path, ids := range l.definitions() {
		l.target.kept[path] = slices.DeleteFunc(ids, func(id int64) bool {
			return slices.Contains(others[path], id) && !slices.Contains(l.target.kept[path], id)
		})
	}
	return m
}

// definitions are those of a real NetBox.
func (l *Lab) definitions() map[string][]int64 {
	l.tb.Helper()
	if !l.target.IsReal() {
		return nil
	}
	return netboxtest.Definitions(l.tb, l.target.URL, l.target.Token)
}

// OpenUnprepared makes a mirror of the settings.
func (l *Lab) OpenUnprepared(sync string, perServer map[string]string) *mirror.Mirror {
	l.tb.Helper()
	m, err := mirror.Open(l.Settings(sync, perServer), l.logger())
	if err != nil {
		l.tb.Fatal(err)
	}
	l.tb.Cleanup(m.Close)
	return m
}

// logger writes everything to Log.
func (l *Lab) logger() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(l.Log)
	log.SetLevel(logrus.TraceLevel)
	return log
}

// Token is NetBox's.
func (l *Lab) Token() string { return l.target.Token }

// Get reads rows of a list of NetBox, past the front.
func (l *Lab) Get(path, query string) []map[string]any {
	l.tb.Helper()
	var rows []map[string]any
	for {
		var page struct {
			Results []map[string]any
		}
		q := "?limit=1000&ordering=id&offset=" + fmt.Sprint(len(rows)) + "&" + query
		l.do(http.MethodGet, path+"/"+q, nil, &page)
		rows = append(rows, page.Results...)
		if len(page.Results) == 0 || len(page.Results) < 1000 {
			return rows
		}
	}
}

// Address reads the one object of an address in the global table; nil: none.
func (l *Lab) Address(host string) map[string]any {
	l.tb.Helper()
	rows := l.Get("ipam/ip-addresses", "vrf_id=null&address="+url.QueryEscape(host))
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

// Create makes an object in NetBox as another user and returns its id.
func (l *Lab) Create(path string, body map[string]any) int64 {
	l.tb.Helper()
	var row struct{ ID int64 }
	l.do(http.MethodPost, path+"/", body, &row)
	return row.ID
}

// Patch changes an object in NetBox as another user.
func (l *Lab) Patch(path string, id any, body map[string]any) {
	l.tb.Helper()
	l.do(http.MethodPatch, fmt.Sprintf("%s/%.0f/", path, id), body, nil)
}

// Remove deletes an object in NetBox as another user.
func (l *Lab) Remove(path string, id any) {
	l.tb.Helper()
	l.do(http.MethodDelete, fmt.Sprintf("%s/%.0f/", path, id), nil, nil)
}

func (l *Lab) do(method, path string, body, out any) {
	l.tb.Helper()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			l.tb.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(l.tb.Context(), method, l.target.URL+"/api/"+path, reader)
	if err != nil {
		l.tb.Fatal(err)
	}
	word := "Token"
	if strings.HasPrefix(l.target.Token, "nbt_") {
		word = "Bearer"
	}
	r.Header.Set("Authorization", word+" "+l.target.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		l.tb.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		l.tb.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		l.tb.Fatalf("%s %s: %s\n%s", method, path, resp.Status, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			l.tb.Fatalf("%s %s: %v\n%s", method, path, err, raw)
		}
	}
}

// Field reads a field of a row: dots descend, a choice gives its value, a list
// of objects their slugs.
func Field(row map[string]any, path string) any {
	var v any = row
	for part := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[part]
	}
	switch x := v.(type) {
	case map[string]any:
		if value, ok := x["value"]; ok {
			return value
		}
	case []any:
		var slugs []string
		for _, e := range x {
			if o, ok := e.(map[string]any); ok && o["slug"] != nil {
				slugs = append(slugs, fmt.Sprint(o["slug"]))
			}
		}
		if slugs != nil {
			return slugs
		}
	}
	return v
}
