package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// seen is one message of a recording.
type seen struct {
	at       time.Duration
	from, to string // addresses with ports
	payload  []byte
}

// record writes a capture of IP packets.
func record(t *testing.T, messages ...seen) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pcapgo.NewWriter(f)
	err = w.WriteFileHeader(65536, layers.LinkTypeRaw)
	for _, m := range messages {
		from, to := netip.MustParseAddrPort(m.from), netip.MustParseAddrPort(m.to)
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
		b := gopacket.NewSerializeBuffer()
		err = errors.Join(err, udp.SetNetworkLayerForChecksum(ip),
			gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, udp, gopacket.Payload(m.payload)))
		info := gopacket.CaptureInfo{Timestamp: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(m.at), CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}
		err = errors.Join(err, w.WritePacket(info, b.Bytes()))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// relayed is a message of a client as its relay sends it.
func relayed(t *testing.T, at time.Duration, mac net.HardwareAddr, kind dhcpv4.MessageType, more ...dhcpv4.Modifier) seen {
	t.Helper()
	more = append([]dhcpv4.Modifier{
		dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(kind), dhcpv4.WithRelay(net.IPv4(10, 77, 0, 1)), dhcpv4.WithTransactionID(dhcpv4.TransactionID(mac[2:6])),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer),
	}, more...)
	m, err := dhcpv4.New(more...)
	if err != nil {
		t.Fatal(err)
	}
	return seen{at, "10.77.0.1:67", "10.77.0.2:67", m.ToBytes()}
}

func wants(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr)))
}

func fromServer(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(addr)))
}

// replay runs the command on a lab of its own.
func replayIn(t *testing.T, conf string, code int, args ...string) string {
	t.Helper()
	return told(t, code, "", append([]string{"replay", "-c", conf, "--server-id", "10.77.0.2"}, args...)...)
}

// C-22: what real firmware asked when test/boot watched it is answered as it was then,
// and two replays give the same bytes.
func TestCapturesOfFirmwareAreReplayedTheSameEachTime(t *testing.T) {
	captures, err := filepath.Glob("../../plugins/pxe/testdata/*.pcap")
	if err != nil || len(captures) < 6 {
		t.Fatal(captures, err)
	}
	inventory, err := os.ReadFile("../../plugins/pxe/testdata/inventory.yml")
	if err != nil {
		t.Fatal(err)
	}
	conf, _ := lab(t, string(inventory))
	for _, path := range captures {
		for _, format := range [][]string{nil, {"--json"}} {
			first := told(t, 0, "", append([]string{"replay", "-c", conf, "--local", "10.60.1.1", "--compare-captured", path}, format...)...)
			again := told(t, 0, "", append([]string{"replay", "-c", conf, "--local", "10.60.1.1", "--compare-captured", path}, format...)...)
			if first != again || !strings.Contains(first, "DHCPDISCOVER") {
				t.Errorf("%s: first\n%s\nthen\n%s", path, first, again)
			}
		}
	}
}

// C-22: what real clients said when test/scenario watched them is answered as the server
// of that run answered, and two replays give the same bytes.
func TestCapturesOfClientsAreReplayedTheSameEachTime(t *testing.T) {
	t.Parallel()
	const folder = "../scenario/testdata"
	inventory, err := os.ReadFile(filepath.Join(folder, "inventory.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lease, server string
		says          []string
	}{
		"direct-and-relayed":   {"{time: 10m}", "10.50.5.1", []string{"ACK 10.50.5.102/24", "ACK 10.50.6.102/24"}},
		"renewed-and-released": {"{time: 12s, min: 12s}", "10.50.10.1", []string{"ACK 10.50.10.100/24 (bound)", "10.50.10.102/24 (released)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, _ := lab(t, string(inventory))
			settings, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			write(t, conf, strings.Replace(string(settings), "  network: {relays: [127.0.0.2, 10.77.0.0/20]}\n", "  lease: "+c.lease+"\n", 1))
			for _, format := range [][]string{nil, {"--json"}} {
				args := append([]string{"replay", "-c", conf, "--local", c.server, "--compare-captured", filepath.Join(folder, name+".pcap")}, format...)
				first := told(t, 0, "", args...)
				if again := told(t, 0, "", args...); first != again {
					t.Errorf("first\n%s\nthen\n%s", first, again)
				}
				for _, want := range c.says {
					if format == nil && !strings.Contains(first, want) {
						t.Errorf("no %q in\n%s", want, first)
					}
				}
			}
		})
	}
}

// C-22: the leases of a replay begin empty, and go by the clock of the capture.
func TestAReplayKeepsItsOwnLeasesByTheClockOfTheCapture(t *testing.T) {
	t.Parallel()
	conf, _ := lab(t, strings.Replace(pool, "10.77.1.0-10.77.3.255/20", "10.77.1.0/20", 1)) // one address
	capture := record(t,
		relayed(t, 0, mac(1), dhcpv4.MessageTypeDiscover),
		relayed(t, time.Second, mac(2), dhcpv4.MessageTypeDiscover),
		relayed(t, 2*time.Second, mac(1), dhcpv4.MessageTypeRequest, wants("10.77.1.0"), fromServer("10.77.0.2")),
		relayed(t, 20*time.Minute, mac(2), dhcpv4.MessageTypeDiscover),
		relayed(t, 2*time.Hour, mac(2), dhcpv4.MessageTypeDiscover),
		relayed(t, 2*time.Hour+time.Second, mac(2), dhcpv4.MessageTypeRequest, wants("10.77.1.0"), fromServer("10.77.0.2")),
		relayed(t, 2*time.Hour+2*time.Second, mac(1), dhcpv4.MessageTypeRequest, wants("10.77.1.0")),
	)
	got := replayIn(t, conf, 0, "--json", capture)
	var verdicts []string
	for line := range strings.Lines(got) {
		var l struct {
			Time    time.Time
			Relay   string
			Message string
			Answer  struct{ Verdict, Address, Reason, Rule string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Relay != "10.77.0.1" || l.Answer.Rule == "" || l.Time.Year() != 2026 {
			t.Errorf("%s: %v", line, err)
		}
		verdicts = append(verdicts, strings.TrimSpace(l.Answer.Verdict+" "+l.Answer.Address))
	}
	want := []string{"OFFER 10.77.1.0/20", "OFFER 10.77.1.0/20", "ACK 10.77.1.0/20", "silent", "OFFER 10.77.1.0/20", "ACK 10.77.1.0/20", "NAK"}
	if !slices.Equal(verdicts, want) {
		t.Errorf("got %q, want %q", verdicts, want)
	}
	if before, after := tree(t, filepath.Dir(conf)), replayIn(t, conf, 0, capture); before != tree(t, filepath.Dir(conf)) || !strings.Contains(after, "7 messages: 2 ACK, 1 NAK, 3 OFFER, 1 silent\n") {
		t.Errorf("a replay left something behind, or said\n%s", after)
	}
}

// site are two networks with hosts and a pool.
const site = `sites: [{name: HQ}]
prefixes:
  - {prefix: 10.77.0.0/20, site: HQ}
  - {prefix: 10.78.0.0/24}
ip_addresses:
  - {address: 10.77.0.1/20, tags: [Gateway]}
  - {address: 10.78.0.1/24, tags: [Gateway]}
  - {address: 10.77.1.0-10.77.1.20/20, tags: [DHCP]}
  - {address: 10.77.2.0/20, tags: [DHCP]}
devices:
  - {name: web0, interfaces: [{name: eth0, mac_address: "52:54:00:aa:00:00", ip_addresses: [{address: 10.77.0.10/20}]}]}
  - {name: web1, interfaces: [{name: eth0, mac_address: "52:54:00:aa:00:01", ip_addresses: [{address: 10.77.0.11/20}]}]}
  - {name: web2, interfaces: [{name: eth0, mac_address: "52:54:00:aa:00:02", ip_addresses: [{address: 10.77.0.12/20}]}]}
`

// C-23: one edit changes the answers of those it is about, and no other.
func TestOneEditChangesTheExpectedAnswersAndNoOther(t *testing.T) {
	t.Parallel()
	var messages []seen
	everyone := make(map[string]bool)
	for n := range 10 {
		messages = append(messages, relayed(t, time.Duration(10+n)*time.Second, mac(n), dhcpv4.MessageTypeDiscover),
			relayed(t, time.Duration(10+n)*time.Second+time.Millisecond, mac(n), dhcpv4.MessageTypeRequest, wants(fmt.Sprintf("10.77.1.%d", n)), fromServer("10.77.0.2")))
		everyone[mac(n).String()] = true
	}
	for n := range 3 {
		messages = append(messages, relayed(t, time.Duration(20+n)*time.Second, hostMAC(n), dhcpv4.MessageTypeDiscover),
			relayed(t, time.Duration(20+n)*time.Second+time.Millisecond, hostMAC(n), dhcpv4.MessageTypeRequest, wants(fmt.Sprintf("10.77.0.%d", 10+n)), fromServer("10.77.0.2")))
		everyone[hostMAC(n).String()] = true
	}
	capture := record(t, messages...)
	of := func(macs ...net.HardwareAddr) map[string]bool {
		set := make(map[string]bool)
		for _, m := range macs {
			set[m.String()] = true
		}
		return set
	}
	for name, c := range map[string]struct {
		from, to string
		want     map[string]bool // whose answers change
		says     string
	}{
		"nothing":                              {"web0", "web0", of(), "26 messages, 0 answers differ"},
		"a machine is renamed":                 {"web0", "web9", of(), "0 answers differ"},
		"an address of another network":        {"10.78.0.1/24", "10.78.0.2/24", of(), "0 answers differ"},
		"an address that nobody leases":        {"10.77.2.0/20, tags: [DHCP]", "10.77.2.0/20", of(), "0 answers differ"},
		"the address of one machine":           {"10.77.0.11/20", "10.77.0.99/20", of(hostMAC(1)), "OFFER 10.77.0.11/20 (static) (rule D-1) -> OFFER 10.77.0.99/20 (static) (rule D-1)"},
		"the MAC of one machine":               {"52:54:00:aa:00:02", "52:54:00:bb:00:02", of(hostMAC(2)), "2 answers differ"},
		"the MAC of a machine that asks first": {"52:54:00:aa:00:00", "52:54:00:bb:00:00", of(hostMAC(0)), "-> OFFER 10.77.1.10/20 (new)"},
		"the last address that is leased":      {"10.77.1.0-10.77.1.20/20", "10.77.1.0-10.77.1.8/20", of(mac(9)), "ACK 10.77.1.9/20 (new) (rule D-4) -> ACK 10.77.2.0/20 (new) (rule D-4)"},
		"a context of the machine":             {`{name: web1, `, `{name: web1, config_context: {pydhcp_configuration: {dns_servers: [10.0.0.9]}}, `, of(hostMAC(1)), "(none) -> 10.0.0.9"},
		"the gateway of all":                   {"10.77.0.1/20, tags: [Gateway]", "10.77.0.7/20, tags: [Gateway]", everyone, "option 3: 10.77.0.1 -> 10.77.0.7"},
		"the network is gone":                  {"  - {prefix: 10.77.0.0/20, site: HQ}\n", "", everyone, "silent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, _ := lab(t, site)
			if !strings.Contains(site, c.from) {
				t.Fatalf("no %q in the inventory", c.from)
			}
			edited := filepath.Join(filepath.Dir(conf), "edited.yml")
			write(t, edited, strings.Replace(site, c.from, c.to, 1))
			saved := filepath.Join(filepath.Dir(conf), "before.snapshot")
			told(t, 0, "", "snapshot", "save", saved, "-c", conf)
			code := min(len(c.want), 1)
			got := replayIn(t, conf, code, capture, "--against", saved, "--and", edited)
			whose := make(map[string]bool)
			for line := range strings.Lines(got) {
				if fields := strings.Fields(line); len(fields) > 3 && strings.HasPrefix(fields[2], "DHCP") {
					whose[strings.ToLower(fields[1])] = true
				}
			}
			if !maps.Equal(whose, c.want) || !strings.Contains(got, c.says) {
				t.Errorf("the answers of %v change, want %v and %q:\n%s", slices.Sorted(maps.Keys(whose)), slices.Sorted(maps.Keys(c.want)), c.says, got)
			}
			if again := replayIn(t, conf, code, capture, "--against", saved, "--and", edited); again != got {
				t.Errorf("a second time:\n%s", again)
			}
			asJSON := replayIn(t, conf, code, capture, "--against", saved, "--and", edited, "--json")
			for line := range strings.Lines(asJSON) {
				var l struct {
					Old, New    struct{ Verdict string }
					Differences []struct{ What string }
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil || l.Old.Verdict == "" || l.New.Verdict == "" || len(l.Differences) == 0 {
					t.Errorf("%s: %v", line, err)
				}
			}
			if strings.Count(asJSON, "\n") != strings.Count(got, "\n")-1 {
				t.Errorf("as JSON:\n%s\nas text:\n%s", asJSON, got)
			}
		})
	}
}

// C-23, C-24: without a capture, all who have a lease or a static address are asked for;
// leases are those of the running server, and of its store.
func TestKnownClientsAreAskedForWithoutACapture(t *testing.T) {
	t.Parallel()
	conf, addr := lab(t, pool)
	server := serve(t, conf)
	got := leased(t, addr, 9)
	inventory := filepath.Join(filepath.Dir(conf), "inventory.yml")
	edited := filepath.Join(filepath.Dir(conf), "edited.yml")
	write(t, edited, strings.Replace(pool, "10.77.1.0-10.77.3.255/20", "10.77.2.0-10.77.3.255/20", 1))
	ask := func(when string) {
		t.Helper()
		all := replayIn(t, conf, 0, "--clients", "leases")
		for _, want := range []string{"DHCPREQUEST   -                ACK " + got + "/20", "DHCPDISCOVER  10.77.0.1        OFFER " + got + "/20", "52:54:00:AA:00:01  DHCPDISCOVER  10.77.0.1        OFFER 10.77.0.10/20", "3 messages: 1 ACK, 2 OFFER\n"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %q in\n%s", when, want, all)
			}
		}
		changed := replayIn(t, conf, 1, "--clients", "leases", "--against", inventory, "--and", edited)
		if strings.Contains(changed, "AA:00:01") || !strings.Contains(changed, "-> OFFER 10.77.2.0/20") {
			t.Errorf("%s: the address of a lease leaves the pool:\n%s", when, changed)
		}
		replayIn(t, conf, 0, "--clients", "leases", "--against", inventory)
	}
	ask("while it runs")
	_ = server.Process.Kill()
	_ = server.Wait()
	ask("when it has ended")
}

// C-24: where relays are listed, one of them says by link selection where clients are.
func TestKnownClientsComeByListedRelays(t *testing.T) {
	t.Parallel()
	conf, _ := lab(t, strings.NewReplacer("10.77.0.0/20", "10.78.0.0/20", "10.77.0.1/20", "10.78.0.1/20", "10.77.0.10/20", "10.78.0.10/20", "10.77.1.0-10.77.3.255/20", "10.78.1.0-10.78.3.255/20").Replace(pool))
	all := replayIn(t, conf, 0, "--clients", "leases")
	if !strings.Contains(all, "127.0.0.2        OFFER 10.78.0.10/20") {
		t.Errorf("got\n%s", all)
	}
}

// C-22: clients of another server are taken over, and its answers stand beside ours.
func TestClientsOfAnotherServerAreReplayed(t *testing.T) {
	t.Parallel()
	conf, _ := lab(t, pool)
	request := relayed(t, time.Second, hostMAC(1), dhcpv4.MessageTypeRequest, wants("10.77.0.10"), fromServer("192.0.2.9"))
	asked, err := dhcpv4.FromBytes(request.payload)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := dhcpv4.NewReplyFromRequest(asked, dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP(net.IPv4(10, 77, 0, 11)))
	if err != nil {
		t.Fatal(err)
	}
	capture := record(t, request, seen{2 * time.Second, "192.0.2.9:67", "10.77.0.1:67", ack.ToBytes()})
	if got := replayIn(t, conf, 0, capture); !strings.Contains(got, "silent (other_server)") {
		t.Errorf("as it is:\n%s", got)
	}
	for _, place := range []string{"192.0.2.9", "all"} {
		got := replayIn(t, conf, 1, capture, "--in-place-of", place, "--compare-captured")
		if !strings.Contains(got, "ACK 10.77.0.10/20 (static) (rule D-4); there ACK 10.77.0.11\n") || !strings.Contains(got, "1 message, 1 answer differs") {
			t.Errorf("in place of %s:\n%s", place, got)
		}
	}
}

// C-22, C-26: what cannot be used is counted, what is no capture is refused, and a
// damaged one is answered up to the damage.
func TestCapturesThatAreNotWholeAreReplayedAsFarAsTheyGo(t *testing.T) {
	t.Parallel()
	conf, _ := lab(t, pool)
	dir := filepath.Dir(conf)
	good := record(t, relayed(t, 0, hostMAC(1), dhcpv4.MessageTypeDiscover))
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged, fragment, empty := filepath.Join(dir, "damaged.pcap"), filepath.Join(dir, "fragment.pcap"), filepath.Join(dir, "empty.pcap")
	write(t, damaged, string(content)+"\x00\x00")
	part := bytes.Clone(content)
	part[24+16+6] |= 0x20 // more fragments
	write(t, fragment, string(part))
	write(t, empty, string(content[:24]))
	direct := relayed(t, 0, hostMAC(1), dhcpv4.MessageTypeDiscover, dhcpv4.WithRelay(net.IPv4zero))
	direct.from, direct.to = "0.0.0.0:68", "255.255.255.255:67"
	broadcast := record(t, direct)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a damaged capture":               {[]string{damaged}, 1, "damaged after 1 frames"},
		"what came before":                {[]string{damaged}, 1, "OFFER 10.77.0.10/20"},
		"a damaged one, compared":         {[]string{damaged, "--against", filepath.Join(dir, "inventory.yml")}, 2, "damaged after 1 frames"},
		"a fragment":                      {[]string{fragment}, 0, "left out: 1 fragments"},
		"nothing in it":                   {[]string{empty}, 0, "0 messages"},
		"no capture":                      {[]string{conf}, 64, "not a pcap or pcapng file"},
		"no such file":                    {[]string{filepath.Join(dir, "none.pcap")}, 64, "none.pcap"},
		"no file":                         {nil, 64, "--clients leases"},
		"no relay and no interface":       {[]string{broadcast}, 0, "give --local or --interface"},
		"no relay, and where it arrived":  {[]string{broadcast, "--local", "10.77.0.2"}, 0, "OFFER 10.77.0.10/20"},
		"a snapshot that is none":         {[]string{good, "--against", good}, 64, "no intact snapshot"},
		"--and alone":                     {[]string{good, "--and", good}, 64, "--and needs --against"},
		"leases that are neither":         {[]string{good, "--leases", "some"}, 64, "current or none"},
		"two ways to compare":             {[]string{good, "--against", good, "--compare-captured"}, 64, "not both"},
		"another server that is a name":   {[]string{good, "--in-place-of", "dhcp1"}, 64, "--in-place-of"},
		"two sources":                     {[]string{good, "--clients", "leases"}, 64, "not both"},
		"clients of what":                 {[]string{"--clients", "all"}, 64, "want leases"},
		"clients without leases":          {[]string{"--clients", "leases", "--leases", "none"}, 64, "--leases current"},
		"clients have no captured answer": {[]string{"--clients", "leases", "--compare-captured"}, 64, "needs a capture"},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, c.code, c.want, append([]string{"replay", "-c", conf, "--server-id", "10.77.0.2"}, c.args...)...)
		})
	}
}
