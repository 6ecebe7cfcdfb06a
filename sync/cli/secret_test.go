package cli

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// secured is a laboratory with the NetBox of s, and a server of the same
// content behind an unsigned certificate.
func secured(t *testing.T, s *shell) *shell {
	t.Helper()
	server := psutest.New(t, psutest.Config{HTTPS: true, World: psutest.Example("dh1.corp.example")})
	text, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(fmt.Sprintf("port: %d", s.dh1.Port()), fmt.Sprintf("port: %d", server.Port()), "https: false", "https: true").Replace(string(text))
	conf := s.File("secure.yml", changed)
	s.File("dh1.token", server.Writer())
	out := &shell{Lab: s.Lab, t: t, dh1: server, conf: conf}
	fetched := out.expect(exit.OK, "cert", "fetch", "dh1.corp.example")
	_, fingerprint, _ := strings.Cut(fetched, "--fingerprint ")
	out.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", strings.TrimSpace(fingerprint))
	return out
}

// rules 6 and 9 row 25.
func TestCertificates(t *testing.T) {
	s := secured(t, imported(t, syncs))
	var shown []struct {
		Host, Fingerprint string
		Certificate       bool
		SelfSigned        bool `json:"self_signed"`
	}
	read := func(args ...string) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.expect(exit.OK, append(args, "--json")...)), &shown); err != nil || len(shown) != 1 {
			t.Fatal(err, shown)
		}
	}
	read("cert", "fetch", "dh1.corp.example")
	fetched := shown[0]
	if len(fetched.Fingerprint) != 95 || !fetched.SelfSigned {
		t.Errorf("fetched %+v", fetched)
	}
	read("cert", "show", "dh1.corp.example")
	if shown[0] != fetched {
		t.Errorf("kept %+v, fetched %+v", shown[0], fetched)
	}
	if text := s.expect(exit.OK, "cert", "show"); !strings.Contains(text, fetched.Fingerprint) || !strings.Contains(text, "localhost") {
		t.Errorf("shown as\n%s", text)
	}
	for _, r := range s.dh1.Requests() {
		t.Errorf("a certificate was fetched with %s %s", r.Method, r.Path)
	}
	s.expect(exit.OK, "sync")

	s.expect(exit.OK, "cert", "remove", "dh1.corp.example")
	s.dh1.ForgetRequests()
	s.expect(exit.Failed, "cert", "remove", "dh1.corp.example")
	s.expect(exit.Failed, "sync") // the certificate is not signed
	other := fetched.Fingerprint[93:] + fetched.Fingerprint[2:93] + fetched.Fingerprint[:2]
	if other == fetched.Fingerprint {
		other = "0" + strings.Repeat("0:0", 31) + "0"
	}
	s.expect(exit.Failed, "cert", "trust", "dh1.corp.example", "--fingerprint", other)
	s.expect(exit.Failed, "sync")
	for _, r := range s.dh1.Requests() {
		t.Errorf("a token went to a server that is not trusted: %s %s", r.Method, r.Path)
	}
	if text := s.expect(exit.OK, "cert", "show"); !strings.Contains(text, "none kept") {
		t.Errorf("shown as\n%s", text)
	}
	s.expect(exit.Usage, "cert", "trust", "dh1.corp.example", "--file", s.conf)
}

// rule 3.7 guard o: another computer under the name of a server is written to again
// after its certificate was trusted, and a refused fingerprint trusts nothing.
func TestTrustingACertificateTrustsItsComputer(t *testing.T) {
	s := secured(t, open(t, "push_scope_info: true\n"))
	s.dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	s.expect(exit.OK, "import", "--quiet")
	s.expect(exit.OK, "sync")
	office := s.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	s.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{"dhcp_scope_name": "edited"}})
	s.dh1.Configure(func(c *psutest.Config) { c.Computer = "OTHER" })
	fetched := s.expect(exit.OK, "cert", "fetch", "dh1.corp.example")
	_, fingerprint, _ := strings.Cut(fetched, "--fingerprint ")
	fingerprint = strings.TrimSpace(fingerprint)

	s.expect(exit.Guard, "sync")
	s.expect(exit.Failed, "cert", "trust", "dh1.corp.example", "--fingerprint", strings.Repeat("00:", 31)+"00")
	s.expect(exit.Guard, "sync")
	if writes := s.dh1.Writes(); len(writes) > 0 {
		t.Errorf("written to another computer: %v", writes)
	}
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", fingerprint)
	s.expect(exit.OK, "sync")
	s.dh1.Edit(func(w *psutest.World) {
		if name := w.Scope("10.8.4.0").Name; name != "edited" {
			t.Errorf("the server has %q", name)
		}
	})
}

// rule 6 point 4.
func TestACertificateWithoutAnEndIsShownSo(t *testing.T) {
	s := secured(t, imported(t, syncs))
	made, err := psutest.NewCertificate(psutest.CertificateConfig{Names: []string{"Example CA"}, CA: true, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	file := s.File("root.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]})))
	if text := s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--file", file); !strings.Contains(text, "trusted without end,") {
		t.Errorf("trusted: %s", text)
	}
	if text := s.expect(exit.OK, "cert", "show"); !regexp.MustCompile(`ends +never`).MatchString(text) {
		t.Errorf("shown as\n%s", text)
	}
	if text := s.expect(exit.OK, "cert", "show", "--json"); strings.Contains(text, `"ends"`) || !strings.Contains(text, "Example CA") {
		t.Errorf("as JSON\n%s", text)
	}
}

// rules 9 row 21 and 9 row 24.
func TestSettingsAreShownWithTheirOriginAndWithoutSecrets(t *testing.T) {
	s := open(t, syncs)
	some := s.expect(exit.OK, "config", "show")
	all := s.expect(exit.OK, "config", "show", "--effective")
	if strings.Contains(some, "sync.adopt") || !strings.Contains(all, "sync.adopt") {
		t.Errorf("some:\n%s\nall:\n%s", some, all)
	}
	for _, want := range []string{"sync.sync_ips_from_dhcp", "config.yml:", "sync.servers." + s.Host(0) + ".token", "(set)", "ends 20"} {
		if !strings.Contains(some, want) {
			t.Errorf("%q is missing:\n%s", want, some)
		}
	}
	t.Setenv("NETBOX_TOKEN", "an-environment-token")
	if err := os.Remove(filepath.Join(s.Folder, "dh1.token")); err != nil {
		t.Fatal(err)
	}
	all = s.expect(exit.OK, "config", "show", "--effective")
	if !strings.Contains(all, "(cannot be read)") || strings.Contains(all, "an-environment-token") {
		t.Errorf("shown:\n%s", all)
	}
	var list []settings.Setting
	if err := json.Unmarshal([]byte(s.expect(exit.OK, "config", "show", "--json")), &list); err != nil || len(list) == 0 {
		t.Error(err)
	}
}

// rule 9 row 24: no message of any level has a token in it, also where a server or
// NetBox repeats its own.
func TestNoTokenIsSaidAnywhere(t *testing.T) {
	s := open(t, syncs+"push_reservations: true\npush_scope_info: true\n")
	tokens := []string{s.Token(), s.dh1.Writer(), s.dh1.Reader()}
	var said strings.Builder
	commands := [][]string{{"doctor"}, {"bootstrap", "--yes"}, {"import", "--report", filepath.Join(s.Folder, "report.json")}, {"plan", "--json"}, {"sync", "--json"}, {"drift"},
		{"validate"}, {"config", "show", "--effective"}, {"cert", "show"}, {"sync", "--log-format", "json"}}
	all := func() {
		for _, c := range commands {
			stdout, stderr, _ := s.run(append([]string{"-vvv"}, c...)...)
			said.WriteString(stdout + stderr)
		}
	}
	all()
	s.dh1.Fail(psutest.Fault{Kind: psutest.EchoToken500, Times: 20})
	all()
	s.dh1.ClearFaults()
	s.dh1.Fail(psutest.Fault{Kind: psutest.EchoToken, Times: 20})
	all()
	s.dh1.ClearFaults()
	s.dh1.Fail(psutest.Fault{Method: "GET", Kind: psutest.Drop, Times: 1})
	all()
	for _, echo := range []mirrortest.Break{mirrortest.Echo, mirrortest.EchoPage} {
		for _, repeats := range []func(mirrortest.Request) bool{
			mirrortest.Request.Write,
			func(r mirrortest.Request) bool { return strings.HasPrefix(r.Path, "ipam/ip-addresses") },
			func(mirrortest.Request) bool { return true },
		} {
			s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[3].Hostname += "x" }) // so that there is something to write
			before := said.Len()
			s.Front.Before(func(r mirrortest.Request) mirrortest.Break {
				if repeats(r) {
					return echo
				}
				return mirrortest.None
			})
			all()
			if !strings.Contains(said.String()[before:], "[redacted]") {
				t.Errorf("NetBox repeated its token, and nothing that was said shows where")
			}
		}
	}
	s.Front.Before(nil)
	if err := filepath.WalkDir(s.Folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".token") {
			return err
		}
		data, err := os.ReadFile(path)
		said.Write(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=debug", "[redacted]"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q was not said: the test shows nothing", want)
		}
	}
	for i, token := range tokens {
		if strings.Contains(said.String(), token) || strings.Contains(said.String(), token[len(token)-20:]) {
			t.Errorf("token %d was said", i)
		}
	}
}

// Texts of servers cannot steer a terminal.
func TestTextOfServersIsShownSafely(t *testing.T) {
	s := open(t, syncs)
	s.dh1.Edit(func(w *psutest.World) {
		w.Scope("10.8.4.0").Name = "\x1b[31mred\u202e"
		w.Scope("10.8.4.0").Leases[5].Hostname = "\x1b]0;title\a"
	})
	var said strings.Builder
	for _, c := range [][]string{{"import"}, {"plan"}, {"plan", "--json"}, {"drift"}, {"drift", "--csv"}, {"drift", "--json"}, {"sync", "--json", "-vvv"}} {
		stdout, stderr, _ := s.run(c...)
		said.WriteString(stdout + stderr)
	}
	if !strings.Contains(said.String(), "red") {
		t.Error("the name was not shown at all")
	}
	if i := strings.IndexAny(said.String(), "\x1b\a\u202e"); i >= 0 {
		t.Errorf("shown raw: %q", said.String()[max(0, i-100):min(i+100, said.Len())])
	}
}
