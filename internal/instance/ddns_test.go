package instance

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/dnstest"
)

// named is an instance that registers names on a DNS server.
func named(t *testing.T, s *dnstest.Server) *Instance {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yml")
	for name, text := range map[string]string{
		"dns.key":       s.Secret,
		"inventory.yml": "prefixes: [{prefix: 10.0.0.0/24}]\ndevices: [{name: web1}]\n",
		"config.yml": "server4:\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox:\nnetbox:\n  inventory: inventory.yml\n  store: {path: state}\n  ddns:\n    keys: [{name: " + s.Key + ", secret_file: dns.key}]\n" +
			"    zones: [{name: dhcp.example.org, server: \"" + s.Addr.String() + "\", key: " + s.Key + "}]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := new(Pool)
	if err := pool.UseFile(path); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(t.Output())
	i, err := pool.Join("", log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// DNS-7 and DNS-18: an ACK to a REQUEST is followed by a name, INFORM and BOOTP are not; a
// DNS server that is down holds nobody up. DNS-20: metrics count, and name nobody.
func TestAnACKIsFollowedByAName(t *testing.T) {
	server := dnstest.New(t, "dhcp.example.org")
	i := named(t, server.Server)
	for i.namesFeed.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	server.Stop()
	began := time.Now()
	for _, m := range []struct {
		kind    lease.MessageType
		verdict lease.Verdict
		name    string
	}{{lease.Request, lease.Ack, "pc"}, {lease.Inform, lease.Informed, "informed"}, {lease.BOOTP, lease.BootReply, "bootp"}, {lease.Discover, lease.Offer, "offered"}, {lease.Request, lease.Ack, "web1"}} {
		i.Answered(&lease.ClientMessage{Type: m.kind, Client: "52:54:00:00:00:01", Hostname: m.name},
			&lease.Decision{Verdict: m.verdict, Addr: netip.MustParsePrefix("10.0.0.7/24"), Static: true, Time: time.Hour}, time.Now())
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("answers took %s while the DNS server was down", took)
	}
	i.Answered(&lease.ClientMessage{Type: lease.Request, Client: "52:54:00:00:00:02", Hostname: "laptop"},
		&lease.Decision{Verdict: lease.Ack, Addr: netip.MustParsePrefix("10.0.0.8/24"), Static: true, Time: time.Hour}, time.Now())
	server.Start()
	for deadline := time.Now().Add(20 * time.Second); !slices.Equal(server.Look(t, "laptop.dhcp.example.org", dns.TypeA), []string{"10.0.0.8"}); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no name; findings %+v", i.DNSFindings())
		}
	}
	for _, name := range []string{"informed", "bootp", "offered", "web1"} {
		if data := server.Look(t, name+".dhcp.example.org", dns.TypeA); len(data) > 0 {
			t.Errorf("%s is registered: %v", name, data)
		}
	}
	if report := i.NamesInDNS(); len(report.Zones) != 1 || report.Zones[0].Zone != "dhcp.example.org" {
		t.Errorf("%+v", report)
	}
	families, err := i.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		switch f.GetName() {
		case "coredhcp_netbox_dns_updates_total":
			found++
			for _, m := range f.GetMetric() {
				if len(m.GetLabel()) != 1 || m.GetLabel()[0].GetName() != "outcome" {
					t.Errorf("%v", m)
				}
			}
		case "coredhcp_netbox_dns_registered_records", "coredhcp_netbox_dns_queued_records", "coredhcp_netbox_dns_conflicting_records", "coredhcp_netbox_dns_lost_messages_total":
			found++
		}
	}
	if found != 5 {
		t.Errorf("%d of five metrics", found)
	}
}

// DNS-8: what option 81 says follows from settings, NetBox and the message alone.
func TestWhatOption81SaysIsKnownBeforeDNSIsAsked(t *testing.T) {
	server := dnstest.New(t, "dhcp.example.org")
	i := named(t, server.Server)
	server.Stop()
	ack := &lease.Decision{Verdict: lease.Ack, Addr: netip.MustParsePrefix("10.0.0.7/24")}
	for hostname, want := range map[string]dhcp4.Registration{"PC": {Name: "pc.dhcp.example.org.", Address: true}, "web1": {}, "wpad": {}} {
		m := &lease.ClientMessage{Type: lease.Request, Client: "52:54:00:00:00:01", Hostname: hostname, Naming: lease.NameServerUpdates}
		if got := i.Registration(m, ack); got != want {
			t.Errorf("%s: %+v, want %+v", hostname, got, want)
		}
	}
	m := &lease.ClientMessage{Type: lease.Request, Client: "52:54:00:00:00:01", Hostname: "pc", Naming: lease.NameNoUpdate}
	if got := i.Registration(m, ack); got != (dhcp4.Registration{}) {
		t.Errorf("a client that asks for no update: %+v", got)
	}
}
