package program

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/dnstest"
)

// onDNS lets a lab register names in the zones of a DNS server.
func onDNS(t *testing.T, conf string, s *dnstest.Server) {
	t.Helper()
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(filepath.Dir(conf), "dns.key"), s.Secret+"\n")
	section := "  ddns:\n    keys: [{name: " + s.Key + ", secret_file: dns.key}]\n    zones:\n"
	for _, zone := range s.Zones {
		section += fmt.Sprintf("      - {name: %s, server: %q, key: %s}\n", zone, s.Addr, s.Key)
	}
	write(t, conf, string(text)+section)
}

// says waits until DNS says of a name what it should; none: nothing.
func says(t *testing.T, s *dnstest.Server, name string, kind uint16, want ...string) {
	t.Helper()
	var have []string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if have = s.Look(t, name, kind); slices.Equal(have, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s: still %v, want %v", name, dns.TypeToString[kind], have, want)
		}
	}
}

// fqdn is option 81 with the flag S and a name in labels.
func fqdn(labels string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, append([]byte{0x05, 0, 0}, labels...)))
}

func ddnsServers() map[string]func(testing.TB, ...string) *dnstest.Server {
	return map[string]func(testing.TB, ...string) *dnstest.Server{
		"the stand-in": func(t testing.TB, zones ...string) *dnstest.Server { return dnstest.New(t, zones...).Server },
		"Knot":         dnstest.Knot,
		"BIND":         dnstest.BIND,
	}
}

// DNS-8, DNS-9 and DNS-13: a real exchange puts a name into DNS, and a release takes it out.
// DNS-16 and DNS-17: the commands say so.
func TestANameAppearsInDNSAndGoesWithItsLease(t *testing.T) {
	for title, start := range ddnsServers() {
		t.Run(title, func(t *testing.T) {
			server := start(t, "dhcp.example.org", "77.10.in-addr.arpa")
			conf, addr := lab(t, pool)
			onDNS(t, conf, server)
			if out, errs, code := run(t, "check", "--conf", conf); code != 0 || strings.Count(out, "takes updates signed with") != 2 {
				t.Fatalf("check: %d\n%s%s", code, out, errs)
			}
			serve(t, conf)
			client := agent(t, addr)
			ack, err := client.Acquire(mac(1), fqdn("\x06laptop\x00"))
			if err != nil {
				t.Fatal(err)
			}
			reverse, _ := dns.ReverseAddr(ack.YourIPAddr.String())
			if got := ack.Options.Get(dhcpv4.OptionFQDN); string(got) != "\x05\xff\xff\x06laptop\x04dhcp\x07example\x03org\x00" {
				t.Errorf("option 81: %q", got)
			}
			says(t, server, "laptop.dhcp.example.org", dns.TypeA, ack.YourIPAddr.String())
			says(t, server, reverse, dns.TypePTR, "laptop.dhcp.example.org.")
			if _, err := client.Acquire(net.HardwareAddr{0x52, 0x54, 0, 0xaa, 0, 1}); err != nil {
				t.Fatal(err)
			}
			says(t, server, "web1.dhcp.example.org", dns.TypeA, "10.77.0.10")
			commandsAboutNames(t, conf)
			release(t, client.Send, ack)
			says(t, server, "laptop.dhcp.example.org", dns.TypeA)
			says(t, server, "laptop.dhcp.example.org", dns.TypeDHCID)
			says(t, server, reverse, dns.TypePTR)
		})
	}
}

// commandsAboutNames asks the running server.
func commandsAboutNames(t *testing.T, conf string) {
	t.Helper()
	var out string
	for deadline := time.Now().Add(10 * time.Second); strings.Count(out, "registered") != 4 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, _, _ = run(t, "ddns", "list", "--conf", conf)
	}
	for _, want := range []string{"laptop.dhcp.example.org", "PTR", "52:54:00:00:00:01", "4 records"} {
		if !strings.Contains(out, want) {
			t.Errorf("ddns list lacks %q:\n%s", want, out)
		}
	}
	if out, _, code := run(t, "ddns", "status", "--conf", conf); code != 0 || !strings.Contains(out, "dhcp.example.org") {
		t.Errorf("ddns status: %d\n%s", code, out)
	}
	var list []map[string]any
	out, _, _ = run(t, "ddns", "list", "--conf", conf, "--zone", "DHCP.example.org", "--state", "registered", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 {
		t.Errorf("ddns list --json: %v\n%s", err, out)
	}
	if _, errs, code := run(t, "ddns", "clean", "--conf", conf, "--zone", "dhcp.example.org", "--yes"); code != 3 || !strings.Contains(errs, "stop it first") {
		t.Errorf("ddns clean beside the server: %d %s", code, errs)
	}
}

// release is the DHCPRELEASE of a client.
func release(t *testing.T, send func(*dhcpv4.DHCPv4) error, ack *dhcpv4.DHCPv4) {
	t.Helper()
	m, err := dhcpv4.NewReleaseFromACK(ack)
	if err == nil {
		err = send(m)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// DNS-12 and DNS-16: kill -9 loses no name, also while DNS is down, and clean removes what
// is left.
func TestAKilledServerKeepsItsWordInDNS(t *testing.T) {
	for title, start := range ddnsServers() {
		t.Run(title, func(t *testing.T) {
			const clients = 25
			server := start(t, "dhcp.example.org", "77.10.in-addr.arpa")
			conf, addr := lab(t, pool)
			onDNS(t, conf, server)
			process := serve(t, conf)
			client := agent(t, addr)
			addrs := make(map[string]*dhcpv4.DHCPv4)
			for i := range clients {
				ack, err := client.Acquire(mac(i+1), dhcpv4.WithOption(dhcpv4.OptHostName(fmt.Sprintf("host%d", i))))
				if err != nil {
					t.Fatal(err)
				}
				addrs[fmt.Sprintf("host%d.dhcp.example.org", i)] = ack
				if i == clients/2 {
					server.Stop()
				}
			}
			kill(t, process)
			server.Start()
			process = serve(t, conf)
			for name, ack := range addrs {
				says(t, server, name, dns.TypeA, ack.YourIPAddr.String())
			}
			release(t, client.Send, addrs["host0.dhcp.example.org"])
			says(t, server, "host0.dhcp.example.org", dns.TypeA)
			kill(t, process)
			if out, errs, code := run(t, "ddns", "clean", "--conf", conf, "--zone", "dhcp.example.org"); code != 0 || strings.Count(out, "registered") != clients-1 || !strings.Contains(out, "Nothing was done") {
				t.Errorf("what clean would do: %d\n%s%s", code, out, errs)
			}
			if out, errs, code := run(t, "ddns", "clean", "--conf", conf, "--zone", "dhcp.example.org", "--yes"); code != 0 || !strings.Contains(out, "records were removed") {
				t.Errorf("clean: %d\n%s%s", code, out, errs)
			}
			for name := range addrs {
				says(t, server, name, dns.TypeA)
			}
			if _, errs, code := run(t, "ddns", "clean", "--conf", conf, "--zone", "other.example.org"); code != 64 {
				t.Errorf("a zone that is not listed: %d %s", code, errs)
			}
		})
	}
}

// DNS-2 and DNS-17: check says what keeps names from being registered, and shows no secret.
func TestCheckSaysWhyNamesCannotBeRegisteredInDNS(t *testing.T) {
	server := dnstest.New(t, "dhcp.example.org")
	conf, _ := lab(t, pool)
	if _, errs, code := run(t, "ddns", "list", "--conf", conf); code != 1 || !strings.Contains(errs, "netbox.ddns.zones is empty") {
		t.Errorf("names are off: %d %s", code, errs)
	}
	onDNS(t, conf, server.Server)
	secret := filepath.Join(filepath.Dir(conf), "dns.key")
	const other = "d3JvbmctYnV0LWxvbmctZW5vdWdoLXNlY3JldC0wMTI="
	for content, want := range map[string]string{other: "BADSIG", "two words": "more than one word", server.Secret: "takes updates"} {
		write(t, secret, content)
		out, errs, code := run(t, "check", "--conf", conf)
		if (code == 0) != (want == "takes updates") || !strings.Contains(out, want) || strings.Contains(out+errs, other) || strings.Contains(out+errs, server.Secret) {
			t.Errorf("%s: %d\n%s%s", want, code, out, errs)
		}
		if code != 0 && !strings.Contains(out, "fix: ") {
			t.Errorf("%s: no fix in\n%s", want, out)
		}
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := run(t, "check", "--conf", conf); !strings.Contains(out, "netbox.ddns.keys[0].secret_file: "+secret+" can be read by every user") {
		t.Errorf("a secret that all may read:\n%s", out)
	}
}
