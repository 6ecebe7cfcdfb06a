package psu_test

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
)

func issue(t *testing.T, c psutest.CertificateConfig) tls.Certificate {
	t.Helper()
	cert, err := psutest.NewCertificate(c)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// secure starts a stand-in on HTTPS that shows a certificate.
func secure(t *testing.T, cert tls.Certificate) *psutest.Server {
	t.Helper()
	return example(t, func(c *psutest.Config) { c.HTTPS, c.Certificate = true, &cert })
}

func fetch(t *testing.T, srv *psutest.Server) psu.Certificate {
	t.Helper()
	cert, err := psu.FetchCertificate(t.Context(), srv.Host(), srv.Port(), "")
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func store(t *testing.T) psu.TrustStore {
	t.Helper()
	return psu.TrustStore{Dir: filepath.Join(t.TempDir(), "certificates")}
}

// rules 6 point 1 and 9 row 25.
func TestFetchShowsWhatAnOperatorCompares(t *testing.T) {
	authority := issue(t, psutest.CertificateConfig{Names: []string{"Example CA"}, CA: true})
	end := time.Date(2199, 3, 4, 5, 6, 7, 0, time.UTC)
	shown := issue(t, psutest.CertificateConfig{
		Names: []string{"dh1.corp.example", "dh1"}, IPs: []net.IP{net.ParseIP("10.0.0.1")}, NotAfter: end, Signer: &authority,
	})
	srv := secure(t, shown)
	cert := fetch(t, srv)
	if cert.Subject != "dh1.corp.example" || cert.Issuer != "Example CA" || !slices.Equal(cert.DNSNames, []string{"dh1.corp.example", "dh1"}) ||
		!slices.Equal(cert.IPs, []netip.Addr{netip.MustParseAddr("10.0.0.1")}) || !cert.NotAfter.Equal(end) || cert.SelfSigned || cert.Authority {
		t.Errorf("got %+v", cert)
	}
	sum := sha256.Sum256(shown.Certificate[0])
	want := strings.TrimSuffix(strings.Repeat("%02X:", 32), ":")
	parts := make([]any, len(sum))
	for i, b := range sum {
		parts[i] = b
	}
	if have := cert.Fingerprint(); have != fmt.Sprintf(want, parts...) {
		t.Errorf("fingerprint %s", have)
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d HTTP requests were sent", n)
	}
	if self := fetch(t, secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}}))); !self.SelfSigned {
		t.Error("a self-signed certificate is not called so")
	}
}

func TestFetchSaysWhyThereIsNoCertificate(t *testing.T) {
	srv := example(t)
	_, err := psu.FetchCertificate(t.Context(), srv.Host(), srv.Port(), "")
	wantKind(t, err, endpoint.BadTLS)
	srv.Close()
	_, err = psu.FetchCertificate(t.Context(), srv.Host(), srv.Port(), "")
	wantKind(t, err, endpoint.Unreachable)
	_, err = psu.FetchCertificate(canceled(t), srv.Host(), srv.Port(), "")
	wantKind(t, err, endpoint.Canceled)
}

// rule 6 point 2.
func TestTrustTakesOnlyTheComparedCertificate(t *testing.T) {
	srv := secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}}))
	other := issue(t, psutest.CertificateConfig{Names: []string{"localhost"}})
	want := fetch(t, srv).Fingerprint()
	s := store(t)
	wrong := fetch(t, secure(t, other)).Fingerprint()
	_, err := s.Trust(t.Context(), srv.Host(), srv.Port(), "", wrong)
	if e := wantKind(t, err, endpoint.CertificateMismatch); !strings.Contains(e.Error(), want) || !strings.Contains(e.Error(), wrong) {
		t.Errorf("the error does not tell both fingerprints: %v", e)
	}
	for _, text := range []string{"", "AB:CD", want[:len(want)-3], want + ":00", "not a fingerprint"} {
		_, err := s.Trust(t.Context(), srv.Host(), srv.Port(), "", text)
		wantKind(t, err, endpoint.Invalid)
	}
	if kept, err := s.Load(srv.Host()); kept != nil || err != nil {
		t.Fatalf("kept %v, %v", kept, err)
	}
	for _, text := range []string{want, strings.ToLower(want), strings.ReplaceAll(want, ":", ""), " SHA256:" + want + "\n"} {
		if _, err := s.Trust(t.Context(), srv.Host(), srv.Port(), "", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if kept, err := s.Load(srv.Host()); err != nil || kept.Fingerprint() != want {
		t.Errorf("kept %v, %v", kept, err)
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d HTTP requests were sent", n)
	}
}

func TestTrustRefusesAnExpiredCertificate(t *testing.T) {
	srv := secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: time.Now().Add(-time.Hour)}))
	s := store(t)
	_, err := s.Trust(t.Context(), srv.Host(), srv.Port(), "", fetch(t, srv).Fingerprint())
	wantKind(t, err, endpoint.CertificateExpired)
	if kept, err := s.Load(srv.Host()); kept != nil || err != nil {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// rule 6 point 3: the trusted certificate is enough, with
// any names.
func TestATrustedCertificateNeedsNoMatchingName(t *testing.T) {
	for name, cert := range map[string]tls.Certificate{
		"self-signed for localhost": issue(t, psutest.CertificateConfig{Names: []string{"localhost"}}),
		"self-signed authority":     issue(t, psutest.CertificateConfig{Names: []string{"localhost"}, CA: true}),
		"no names":                  issue(t, psutest.CertificateConfig{}),
	} {
		srv := secure(t, cert)
		pin := fetch(t, srv)
		c := client(t, srv, func(c *psu.Config) { c.Pin = &pin })
		if list := c.Scopes(t.Context(), false); list.Err != nil {
			t.Errorf("%s: %v", name, list.Err)
		}
	}
}

// rule 6 point 4: fail closed, both fingerprints, no token.
func TestAnotherCertificateSeesNoRequest(t *testing.T) {
	authority := issue(t, psutest.CertificateConfig{Names: []string{"Example CA"}, CA: true})
	other := issue(t, psutest.CertificateConfig{Names: []string{"Other CA"}, CA: true})
	leaf := issue(t, psutest.CertificateConfig{Names: []string{"127.0.0.1"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Signer: &authority})
	self := issue(t, psutest.CertificateConfig{Names: []string{"localhost"}})
	for name, pinned := range map[string]tls.Certificate{"self-signed": self, "another authority": other} {
		srv := secure(t, leaf)
		pin := fetch(t, secure(t, pinned))
		c := client(t, srv, func(c *psu.Config) { c.Pin = &pin })
		e := wantKind(t, c.Scopes(t.Context(), false).Err, endpoint.CertificateMismatch)
		for _, want := range []string{fetch(t, srv).Fingerprint(), pin.Fingerprint(), "cert trust"} {
			if !strings.Contains(e.Error(), want) {
				t.Errorf("%s: the error does not tell %s: %v", name, want, e)
			}
		}
		if n := len(srv.Requests()); n != 0 {
			t.Errorf("%s: the server saw %d requests", name, n)
		}
	}
}

// rule 6 point 3: an authority is trusted by chain and name.
func TestATrustedAuthorityNeedsAMatchingName(t *testing.T) {
	authority := issue(t, psutest.CertificateConfig{Names: []string{"Example CA"}, CA: true})
	pin := fetch(t, secure(t, authority))
	byName := issue(t, psutest.CertificateConfig{Names: []string{"dh1.corp.example"}, Signer: &authority})
	byAddress := issue(t, psutest.CertificateConfig{Names: []string{"dh1"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Signer: &authority})
	expired := issue(t, psutest.CertificateConfig{Names: []string{"dh1.corp.example"}, Signer: &authority, NotAfter: time.Now().Add(-time.Hour)})
	for name, c := range map[string]struct {
		shown      tls.Certificate
		serverName string
		want       endpoint.Kind
	}{
		"the address is in it":    {shown: byAddress},
		"the address is not":      {shown: byName, want: endpoint.BadTLS},
		"server_name is in it":    {shown: byName, serverName: "dh1.corp.example"},
		"server_name is not":      {shown: byAddress, serverName: "dh2.corp.example", want: endpoint.BadTLS},
		"it is past its own time": {shown: expired, serverName: "dh1.corp.example", want: endpoint.BadTLS},
	} {
		srv := secure(t, c.shown)
		list := client(t, srv, func(p *psu.Config) { p.Pin, p.ServerName = &pin, c.serverName }).Scopes(t.Context(), false)
		if have := endpoint.KindOf(list.Err); have != c.want {
			t.Errorf("%s: %v (kind %q), want kind %q", name, list.Err, have, c.want)
		}
		if c.want != "" && len(srv.Requests()) != 0 {
			t.Errorf("%s: the server saw a request", name)
		}
	}
}

// rule 6 point 4.
func TestAnExpiredTrustedCertificateIsNotUsed(t *testing.T) {
	srv := secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}))
	pin := fetch(t, srv)
	before := srv.Connections()
	c := client(t, srv, func(c *psu.Config) {
		c.Pin, c.Now = &pin, func() time.Time { return pin.NotAfter.Add(time.Second) }
	})
	if e := wantKind(t, c.Scopes(t.Context(), false).Err, endpoint.CertificateExpired); !strings.Contains(e.Fix(), "cert trust") {
		t.Errorf("no fix: %v", e)
	}
	if n := srv.Connections() - before; n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// rule 6 point 5.
func TestWithoutTrustTheSystemDecides(t *testing.T) {
	srv := secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}}))
	if e := wantKind(t, client(t, srv).Scopes(t.Context(), false).Err, endpoint.BadTLS); !strings.Contains(e.Fix(), "cert fetch") {
		t.Errorf("no fix: %v", e)
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("the server saw %d requests", n)
	}
	open := client(t, srv, func(c *psu.Config) { c.Verify = false })
	complete(t, open)
}

// rules 6 point 4, 6 point 5 and 2 (tokens).
func TestWarnings(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	cert := issue(t, psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: now.AddDate(0, 0, 60)})
	srv := example(t, func(c *psutest.Config) {
		c.HTTPS, c.Certificate, c.TokenExpires = true, &cert, now.AddDate(0, 0, 29)
	})
	pin := fetch(t, srv)
	warnings := func(change func(*psu.Config)) string {
		return strings.Join(client(t, srv, func(c *psu.Config) {
			c.Now, c.Pin = func() time.Time { return now }, &pin
			change(c)
		}).Warnings(), "; ")
	}
	const token = "the token expires on 2026-06-30"
	for name, c := range map[string]struct {
		change func(*psu.Config)
		want   string
	}{
		"within 90 days":     {func(*psu.Config) {}, "the trusted certificate expires on 2026-07-31; " + token},
		"not within 30 days": {func(c *psu.Config) { c.WarnDays = 30 }, token},
		"past":               {func(c *psu.Config) { c.Now = func() time.Time { return now.AddDate(1, 0, 0) } }, "the trusted certificate expired on 2026-07-31; the token expired on 2026-06-30"},
		"not verified":       {func(c *psu.Config) { c.Verify = false }, "the server's certificate is not verified: a machine in between can read the token; " + token},
		"plain HTTP":         {func(c *psu.Config) { c.HTTPS = false }, "plain HTTP: the token travels in clear; " + token},
		"no token":           {func(c *psu.Config) { c.Token, c.WarnDays = nil, 1 }, "no token is sent"},
		"an opaque token":    {func(c *psu.Config) { c.Token, c.WarnDays = func() (string, error) { return "abc", nil }, 1 }, ""},
	} {
		if have := warnings(c.change); have != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, have, c.want)
		}
	}
}

// rule 6 point 4: a certificate until the year 9999 has no end (RFC 5280 section 4.1.2.5).
func TestACertificateWithoutAnEndNeverEnds(t *testing.T) {
	for end, want := range map[time.Time]bool{
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC): false, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC): false, time.Date(9998, 12, 31, 23, 59, 59, 0, time.UTC): true,
	} {
		cert := issue(t, psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: end})
		srv := secure(t, cert)
		pin := fetch(t, srv)
		if !pin.NotAfter.IsZero() != want || want && !pin.NotAfter.Equal(end) {
			t.Errorf("a certificate until %s ends %s", end, pin.NotAfter)
		}
		trusting := client(t, srv, func(c *psu.Config) { c.Pin = &pin })
		complete(t, trusting)
		if have := strings.Join(trusting.Warnings(), "; "); have != "" {
			t.Errorf("a certificate until %s: %s", end, have)
		}
	}
}

// rule 6 point 4: a trusted authority does not say how long
// the server's own certificate lasts.
func TestTheEndOfAnUnpinnedCertificateIsSeenAtTheConnection(t *testing.T) {
	authority := issue(t, psutest.CertificateConfig{Names: []string{"Example CA"}, CA: true})
	end := time.Now().AddDate(0, 0, 10)
	srv := secure(t, issue(t, psutest.CertificateConfig{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Signer: &authority, NotAfter: end}))
	pin := fetch(t, secure(t, authority))
	c := client(t, srv, func(c *psu.Config) { c.Pin = &pin })
	if have := c.Warnings(); len(have) != 0 {
		t.Errorf("before the connection: %q", have)
	}
	complete(t, c)
	if have := c.Warnings(); len(have) != 1 || !strings.Contains(have[0], end.UTC().Format(time.DateOnly)) {
		t.Errorf("after the connection: %q", have)
	}
}

// The files stay in the folder with any name of a host.
func TestTheStoreKeepsAnyHostInItsFolder(t *testing.T) {
	srv := secure(t, issue(t, psutest.CertificateConfig{Names: []string{"localhost"}}))
	cert := fetch(t, srv)
	s := store(t)
	hosts := []string{"dh1.corp.example", "..", "../../etc/x", `..\..\x`, "2001:db8::5", "con", "*", "a/b", "a%2fb", "a b", "über", "server-x"}
	for _, host := range hosts {
		if err := s.Put(host, cert); err != nil {
			t.Errorf("%q: %v", host, err)
		}
		if kept, err := s.Load(host); err != nil || kept.Fingerprint() != cert.Fingerprint() {
			t.Errorf("%q: kept %v, %v", host, kept, err)
		}
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) != len(hosts) {
		t.Errorf("%d files for %d hosts, %v", len(entries), len(hosts), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	around, err := os.ReadDir(filepath.Dir(s.Dir))
	if err != nil || len(around) != 1 {
		t.Errorf("beside the folder: %v, %v", around, err)
	}
	if kept, err := s.Load("DH1.corp.example."); err != nil || kept == nil {
		t.Errorf("another spelling of a host: %v, %v", kept, err)
	}
	if err := s.Remove("dh1.corp.example"); err != nil {
		t.Error(err)
	}
	if kept, err := s.Load("dh1.corp.example"); kept != nil || err != nil {
		t.Errorf("after Remove: %v, %v", kept, err)
	}
	if err := s.Remove("dh1.corp.example"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove of nothing: %v", err)
	}
}

// A damaged file must not mean that the system's authorities decide.
func TestADamagedCertificateIsAnError(t *testing.T) {
	s := store(t)
	if err := s.Put("dh1", fetch(t, secure(t, issue(t, psutest.CertificateConfig{})))); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if err := os.WriteFile(filepath.Join(s.Dir, entries[0].Name()), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if kept, err := s.Load("dh1"); err == nil {
			t.Errorf("%q: %v", text, kept)
		}
	}
}
