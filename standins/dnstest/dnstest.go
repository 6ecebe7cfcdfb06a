// Package dnstest is a DNS server for tests: a small one in memory, and real ones (Knot,
// BIND) on the loopback interface, all with the same zones and the same key. Tests see
// what a server holds by asking it, and add what people would with a signed update.
package dnstest

import (
	"crypto/rand"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Server is a running DNS server, primary for its zones.
type Server struct {
	Addr  netip.AddrPort
	Zones []string
	// Key may update all zones; Secret is base64.
	Key, Algorithm, Secret string

	start func() (stop func())
	stop  func()
}

// newServer is a server that is not started.
func newServer(addr netip.AddrPort, zones []string) *Server {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return &Server{Addr: addr, Zones: zones, Key: "dhcp-key.", Algorithm: "hmac-sha256", Secret: base64.StdEncoding.EncodeToString(secret), stop: func() {}}
}

// Stop ends the server; its zones are kept.
func (s *Server) Stop() {
	s.stop()
	s.stop = func() {}
}

// Start starts it again.
func (s *Server) Start() { s.stop = s.start() }

// Look returns the data of the records of a name, sorted: "10.0.0.7" of an A.
func (s *Server) Look(t testing.TB, name string, kind uint16) (data []string) {
	t.Helper()
	for _, r := range s.Records(t, name, kind) {
		data = append(data, strings.TrimPrefix(r.String(), r.Header().String()))
	}
	slices.Sort(data)
	return data
}

// Records returns the records of a name. A server that does not answer has none.
func (s *Server) Records(t testing.TB, name string, kind uint16) (records []dns.RR) {
	t.Helper()
	client := dns.Client{Net: "tcp", Timeout: 2 * time.Second}
	answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), s.Addr.String())
	if err != nil {
		return nil
	}
	for _, r := range answer.Answer {
		if r.Header().Rrtype == kind {
			records = append(records, r)
		}
	}
	return records
}

// Add does what people do: it adds a record such as
// "pc.dhcp.example.org. 300 IN A 10.0.0.99".
func (s *Server) Add(t testing.TB, record string) {
	t.Helper()
	s.change(t, record, (*dns.Msg).Insert)
}

// Remove takes a record away.
func (s *Server) Remove(t testing.TB, record string) {
	t.Helper()
	s.change(t, record, (*dns.Msg).Remove)
}

func (s *Server) change(t testing.TB, record string, how func(*dns.Msg, []dns.RR)) {
	t.Helper()
	r, err := dns.NewRR(record)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Zones, func(zone string) bool { return dns.IsSubDomain(dns.Fqdn(zone), r.Header().Name) })
	if i < 0 {
		t.Fatalf("%s is in no zone of the server", record)
	}
	m := new(dns.Msg).SetUpdate(dns.Fqdn(s.Zones[i]))
	how(m, []dns.RR{r})
	m.SetTsig(s.Key, dns.Fqdn(s.Algorithm), 300, time.Now().Unix())
	client := dns.Client{Net: "tcp", Timeout: 5 * time.Second, TsigSecret: map[string]string{s.Key: s.Secret}}
	answer, _, err := client.Exchange(m, s.Addr.String())
	if err != nil || answer.Rcode != dns.RcodeSuccess {
		t.Fatalf("change %s by hand: %v %v", record, answer, err)
	}
}
