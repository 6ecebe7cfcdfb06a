package ddns

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/dnstest"
)

const (
	pcName  = "pc.dhcp.example.org"
	reverse = "7.0.0.10.in-addr.arpa"
)

// contract is what has to hold on any DNS server.
func contract() map[string]func(w *world) {
	return map[string]func(w *world){
		"DNS-9 a client gets address, name of the address and DHCID":        addsAll,
		"DNS-12 a renewal sends nothing":                                    renewal,
		"DNS-10 a new address takes the place of the old one":               newAddress,
		"DNS-10 a new name takes the place of the old one":                  newName,
		"DNS-13 a release removes all":                                      releases,
		"DNS-13 the end of a lease removes all":                             expiry,
		"DNS-13 a static address ends with its time":                        staticExpiry,
		"DNS-10 a name that people made is left alone":                      handMade,
		"DNS-10 a name of another client is left alone":                     foreign,
		"DNS-11 a name of an address that people made is left alone":        handMadePTR,
		"DNS-11 the next client of an address gets the name of the address": nextClient,
		"DNS-13 an address that people added to a name stays":               addedAddress,
		"DNS-3 addresses of a classless zone":                               classless,
		"DNS-14 a server that is down loses nothing":                        downAndBack,
		"DNS-12 a crash loses nothing":                                      crash,
		"DNS-15 a wrong secret":                                             wrongSecret,
		"DNS-15 a key that the server does not know":                        unknownKey,
		"DNS-15 clocks that differ":                                         badTime,
		"DNS-14 a thousand names at once":                                   thousand,
		"DNS-17 a check says that all is well, and changes nothing":         checksWell,
		"DNS-17 a check says what is wrong":                                 checksWrong,
		"DNS-16 clean removes what is ours and nothing else":                cleans,
	}
}

// DNS-3, DNS-9, DNS-10, DNS-11, DNS-12, DNS-13, DNS-14, DNS-15, DNS-16, DNS-17: each case
// of contract names its own.
func TestContractOnTheStandIn(t *testing.T) {
	contractOn(t, func(t *testing.T) *dnstest.Server { return dnstest.New(t, zones()...).Server })
}

func TestContractOnKnot(t *testing.T) {
	contractOn(t, func(t *testing.T) *dnstest.Server { return dnstest.Knot(t, zones()...) })
}

func TestContractOnBIND(t *testing.T) {
	contractOn(t, func(t *testing.T) *dnstest.Server { return dnstest.BIND(t, zones()...) })
}

func contractOn(t *testing.T, start func(t *testing.T) *dnstest.Server) {
	for name, holds := range contract() {
		t.Run(name, func(t *testing.T) { holds(on(t, start(t))) })
	}
}

// id is the DHCID of a client for a name, as DNS shows it.
func id(t *testing.T, client lease.ClientID, name string) string {
	t.Helper()
	text, err := DHCID(client, "", false, name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func addsAll(w *world) {
	w.run().grant(pc, "10.0.0.7", "PC")
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.eventually(pcName, dns.TypeDHCID, id(w.t, pc, pcName))
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.eventually(reverse, dns.TypeDHCID, id(w.t, pc, pcName))
	if ttl := w.server.Records(w.t, pcName, dns.TypeA)[0].Header().Ttl; ttl != 1200 {
		w.t.Errorf("%d s to live, want a third of the lease", ttl)
	}
}

func renewal(w *world) {
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.settled()
	before := w.updates()
	for range 5 {
		w.service.Granted(c)
	}
	w.grant(other, "10.0.0.8", "last")
	w.eventually("8.0.0.10.in-addr.arpa", dns.TypePTR, "last.dhcp.example.org.")
	w.settled()
	if after := w.updates(); after[Done] != before[Done]+2 {
		w.t.Errorf("updates before %v, after %v: want two, of the other client", before, after)
	}
}

func newAddress(w *world) {
	first := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.grant(pc, "10.0.0.9", "pc")
	w.eventually(pcName, dns.TypeA, "10.0.0.9")
	w.eventually("9.0.0.10.in-addr.arpa", dns.TypePTR, pcName+".")
	w.release(first)
	w.eventually(reverse, dns.TypePTR)
	w.settled()
	w.eventually(pcName, dns.TypeA, "10.0.0.9")
	w.eventually(pcName, dns.TypeDHCID, id(w.t, pc, pcName))
}

func newName(w *world) {
	w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.grant(pc, "10.0.0.7", "laptop")
	w.eventually("laptop.dhcp.example.org", dns.TypeA, "10.0.0.7")
	w.eventually(reverse, dns.TypePTR, "laptop.dhcp.example.org.")
	w.eventually(pcName, dns.TypeA)
	w.eventually(pcName, dns.TypeDHCID)
}

func (w *world) gone() {
	w.t.Helper()
	for _, kind := range []uint16{dns.TypeA, dns.TypeDHCID} {
		w.eventually(pcName, kind)
	}
	for _, kind := range []uint16{dns.TypePTR, dns.TypeDHCID} {
		w.eventually(reverse, kind)
	}
	w.settled()
	if left := w.service.Report().Entries; len(left) > 0 {
		w.t.Errorf("still known: %+v", left)
	}
}

func releases(w *world) {
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.release(c)
	w.gone()
}

func expiry(w *world) {
	w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.service.Look()
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.set(func() { w.ahead = 2 * time.Hour; w.signedAt = -2 * time.Hour })
	w.service.registry.mu.Lock()
	w.service.registry.bindings[netip.MustParseAddr("10.0.0.7")].Until = time.Now() // the clock of signatures stays right
	w.service.registry.mu.Unlock()
	w.service.Look()
	w.gone()
}

func staticExpiry(w *world) {
	w.run()
	c := Client{Addr: netip.MustParseAddr("10.0.0.7"), Client: pc, Hostname: "pc", Time: time.Hour, Static: true, Until: time.Now().Add(-time.Second)}
	w.service.Granted(c)
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.service.Look()
	w.gone()
}

func handMade(w *world) {
	w.server.Add(w.t, pcName+". 300 IN A 10.0.0.99")
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.state(pcName, "conflict")
	w.eventually(pcName, dns.TypeA, "10.0.0.99")
	w.eventually(reverse, dns.TypePTR)
	w.settled() // the name of the address is held, and does not wait
	if found := w.service.Findings(); len(found) != 1 || found[0].Object != pcName || !strings.Contains(found[0].Text, "another's") {
		w.t.Errorf("findings: %+v", found)
	}
	w.release(c)
	w.settled()
	w.eventually(pcName, dns.TypeA, "10.0.0.99")
}

func foreign(w *world) {
	w.server.Add(w.t, pcName+". 300 IN A 10.0.0.99")
	w.server.Add(w.t, pcName+". 300 IN DHCID "+id(w.t, other, pcName))
	w.run().grant(pc, "10.0.0.7", "pc")
	w.state(pcName, "conflict")
	w.eventually(pcName, dns.TypeA, "10.0.0.99")
	w.eventually(pcName, dns.TypeDHCID, id(w.t, other, pcName))
	if n := w.updates()[Taken]; n != 1 {
		w.t.Errorf("%d conflicts are counted, want one", n)
	}
}

func handMadePTR(w *world) {
	w.server.Add(w.t, reverse+". 300 IN PTR router.example.org.")
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.state(reverse, "conflict")
	w.release(c)
	w.eventually(pcName, dns.TypeA)
	w.settled()
	w.eventually(reverse, dns.TypePTR, "router.example.org.")
}

func nextClient(w *world) {
	first := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.grant(other, first.Addr.String(), "next")
	w.eventually(reverse, dns.TypePTR, "next.dhcp.example.org.")
	w.eventually(reverse, dns.TypeDHCID, id(w.t, other, "next.dhcp.example.org"))
	w.eventually(pcName, dns.TypeA)
}

func addedAddress(w *world) {
	c := w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	w.server.Add(w.t, pcName+". 300 IN A 10.0.0.99")
	w.server.Add(w.t, pcName+". 300 IN AAAA 2001:db8::1")
	w.release(c)
	w.eventually(pcName, dns.TypeA, "10.0.0.99")
	w.eventually(reverse, dns.TypePTR)
	w.settled()
	w.eventually(pcName, dns.TypeAAAA, "2001:db8::1")
}

func classless(w *world) {
	c := w.run().grant(pc, "192.0.2.77", "pc")
	w.eventually("77."+classlessOne, dns.TypePTR, pcName+".")
	w.release(c)
	w.eventually("77."+classlessOne, dns.TypePTR)
	w.grant(other, "192.0.2.200", "far") // no reverse zone has it
	w.eventually("far.dhcp.example.org", dns.TypeA, "192.0.2.200")
	w.settled()
}

func downAndBack(w *world) {
	w.server.Stop()
	first := w.run().grant(pc, "10.0.0.7", "pc")
	for i := range 20 {
		w.grant(lease.ClientID(fmt.Sprintf("52:54:00:00:01:%02X", i)), fmt.Sprintf("10.0.1.%d", i), fmt.Sprintf("host%d", i))
	}
	w.until("the trouble is told", func() bool { return len(w.service.Findings()) > 0 }, func() any { return nil })
	w.release(first)
	w.server.Start()
	for i := range 20 {
		w.eventually(fmt.Sprintf("%d.1.0.10.in-addr.arpa", i), dns.TypePTR, fmt.Sprintf("host%d.dhcp.example.org.", i))
	}
	w.eventually(pcName, dns.TypeA)
	w.settled()
	if found := w.service.Findings(); len(found) > 0 {
		w.t.Errorf("afterwards: %+v", found)
	}
}

// crash ends a service like a kill would, at each of several moments: what it wrote to
// disk is taken by the next one, and what it knew in memory is lost.
func crash(w *world) {
	const clients = 40
	w.run()
	for i := range clients {
		w.grant(lease.ClientID(fmt.Sprintf("52:54:00:00:01:%02X", i)), fmt.Sprintf("10.0.1.%d", i), fmt.Sprintf("host%d", i))
		if i%10 == 3 {
			w.kill()
		}
	}
	w.kill()
	w.service.Look()
	for i := range clients {
		w.eventually(fmt.Sprintf("%d.1.0.10.in-addr.arpa", i), dns.TypePTR, fmt.Sprintf("host%d.dhcp.example.org.", i))
	}
	w.set(func() { clear(w.leases); w.lost++ }) // all ended while it was dead, and it knows no lease any more
	w.kill()
	w.set(func() {
		for i := range clients {
			addr := netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})
			w.leases[addr] = lease.Lease{Addr: addr, Client: lease.ClientID(fmt.Sprintf("52:54:00:00:01:%02X", i)), State: lease.Released}
		}
	})
	w.service.Look()
	for i := range clients {
		w.eventually(fmt.Sprintf("%d.1.0.10.in-addr.arpa", i), dns.TypePTR)
		w.eventually(fmt.Sprintf("host%d.dhcp.example.org", i), dns.TypeDHCID)
	}
}

// kill takes the file from the service at this moment and starts another one on it.
func (w *world) kill() {
	w.t.Helper()
	before := w.path
	w.path = fmt.Sprintf("%s.%d", strings.TrimRight(before, ".0123456789"), time.Now().UnixNano())
	copyFile(w.t, before, w.path)
	w.end()
	w.run()
}

func (w *world) told(service func(), want ...string) {
	w.t.Helper()
	var log logBuffer
	w.log = &log
	secret := w.secret
	service()
	for _, text := range append(want, "fix=") {
		w.until("the log says "+text, func() bool { return strings.Contains(log.String(), text) }, func() any { return log.String() })
	}
	if n := strings.Count(log.String(), "zone="+forwardZone); n != 1 {
		w.t.Errorf("%d lines about the zone, want one:\n%s", n, log.String())
	}
	if strings.Contains(log.String(), w.server.Secret) || strings.Contains(log.String(), secret) {
		w.t.Error("the secret is in the log")
	}
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func wrongSecret(w *world) {
	w.secret = "d3JvbmctYnV0LWxvbmctZW5vdWdoLXNlY3JldC0wMTI="
	w.told(func() { w.run().grant(pc, "10.0.0.7", "pc") }, "BADSIG")
	w.eventually(pcName, dns.TypeA)
	w.set(func() { w.secret = w.server.Secret }) // the file is written anew: no restart is needed
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
}

func unknownKey(w *world) {
	w.key = "no-such-key."
	w.told(func() { w.run().grant(pc, "10.0.0.7", "pc") }, "BADKEY", "no-such-key")
	w.eventually(pcName, dns.TypeA)
}

func badTime(w *world) {
	w.signedAt = time.Hour
	w.told(func() { w.run().grant(pc, "10.0.0.7", "pc") }, "BADTIME", "time synchronisation")
	w.eventually(pcName, dns.TypeA)
	w.set(func() { w.signedAt = 0 })
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
}

func thousand(w *world) {
	const clients = 1000
	w.run()
	for i := range clients {
		w.grant(lease.ClientID(fmt.Sprintf("52:54:00:01:%02X:%02X", i>>8, i&0xff)), fmt.Sprintf("10.0.%d.%d", i>>8+1, i&0xff), fmt.Sprintf("host%d", i))
	}
	w.until("all are registered", func() bool { n, _, _ := w.service.Counts(); return n == 2*clients }, func() any { return w.service.Report().Zones })
	if n := w.updates(); n[Done] != 2*clients || len(n) != 1 {
		w.t.Errorf("updates: %v, want one for each record", n)
	}
	for _, i := range []int{0, 499, 999} {
		w.eventually(fmt.Sprintf("host%d.dhcp.example.org", i), dns.TypeA, fmt.Sprintf("10.0.%d.%d", i>>8+1, i&0xff))
	}
}

func checksWell(w *world) {
	for _, zone := range w.settings() {
		if problems := CheckZone(context.Background(), zone); len(problems) > 0 {
			w.t.Errorf("%s: %v", zone.Name, problems)
		}
	}
}

func checksWrong(w *world) {
	wrong := func(change func(*Zone), want string) {
		w.t.Helper()
		zone := w.settings()[0]
		change(&zone)
		problems := CheckZone(context.Background(), zone)
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) || problems[0].Fix == "" {
			w.t.Errorf("%v: want %q and a fix", problems, want)
		}
	}
	wrong(func(z *Zone) { z.Name = "elsewhere.example.org" }, "not the primary")
	wrong(func(z *Zone) { z.Key.Name = "no-such-key" }, "BADKEY")
	wrong(func(z *Zone) {
		z.Key.Secret = func() (string, error) { return "d3JvbmctYnV0LWxvbmctZW5vdWdoLXNlY3JldC0wMTI=", nil }
	}, "BADSIG")
	w.server.Stop()
	wrong(func(*Zone) {}, "does not answer")
}

func cleans(w *world) {
	w.server.Add(w.t, "printer.dhcp.example.org. 300 IN A 10.0.0.99")
	w.run().grant(pc, "10.0.0.7", "pc")
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.settled()
	w.end()
	c, err := OpenClean(w.path, w.settings(), forwardZone)
	if err != nil {
		w.t.Fatal(err)
	}
	if list := c.Entries(); len(list) != 1 || list[0].Name != pcName {
		w.t.Fatalf("to be removed: %+v", list)
	}
	w.eventually(pcName, dns.TypeA, "10.0.0.7")
	if removed, err := c.Remove(context.Background()); removed != 1 || err != nil {
		w.t.Errorf("removed %d, %v", removed, err)
	}
	if err := c.Close(); err != nil {
		w.t.Error(err)
	}
	w.eventually(pcName, dns.TypeA)
	w.eventually(pcName, dns.TypeDHCID)
	w.eventually(reverse, dns.TypePTR, pcName+".")
	w.eventually("printer.dhcp.example.org", dns.TypeA, "10.0.0.99")
	report, err := ReadReport(w.path, nil)
	if err != nil || len(report.Entries) != 1 || report.Entries[0].Kind != "PTR" {
		w.t.Errorf("left: %+v, %v", report, err)
	}
}
