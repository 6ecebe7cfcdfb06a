package netbox

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// known has a network that is not served.
const known = `
prefixes: [{prefix: 10.0.0.0/24}, {prefix: 192.0.2.0/24, status: container}]
`

// twice has one MAC on two machines.
const twice = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.10/24}]}]}
  - {name: web2, interfaces: [{name: eth7, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.11/24}]}]}
`

// views has one network in two VRFs.
const views = `
vrfs: [{name: red}, {name: blue}]
prefixes: [{prefix: 10.0.0.0/24, vrf: red}, {prefix: 10.0.0.0/24, vrf: blue}]
`

// aggregate has a member whose MAC is not the aggregate's.
const aggregate = `
prefixes: [{prefix: 10.0.0.0/24}]
devices:
  - name: sw1
    interfaces:
      - {name: bond0, mac_address: "02:ab:00:00:00:99", ip_addresses: [{address: 10.0.0.10/24}]}
      - {name: eth0, mac_address: "02:ab:00:00:00:01", lag: bond0}
`

// B-2: a line says what the operator needs to act on it.
func TestALineSaysWhoAskedForWhatWhereAndWhyNot(t *testing.T) {
	asks := func(addr ...byte) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr)) }
	for name, c := range map[string]struct {
		settings, inventory string
		authority           lease.Authority
		kind                dhcpv4.MessageType
		mods                []dhcpv4.Modifier
		level, message      string
		want                map[string]string // field -> part of its value
	}{
		"a refusal that is spoken": {"", inventory, lease.Authoritative, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{stranger(1), asks(10, 0, 0, 77)},
			"info", "request refused", map[string]string{"requested": "10.0.0.77", "evidence": "10.0.0.2", "why": "10.0.0.77", "subnet": "10.0.0.0/24"}},
		"a refusal that is not spoken": {"", inventory, lease.Off, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{stranger(1), asks(10, 0, 0, 77)},
			"info", "no answer", map[string]string{"requested": "10.0.0.77", "why": "10.0.0.77"}},
		"a relay in no prefix": {"", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcp4test.Relayed("192.0.2.1")},
			"warning", "no answer", map[string]string{"reason": "relay_unknown", "evidence": "relay 192.0.2.1", "giaddr": "192.0.2.1", "why": "192.0.2.1"}},
		"a relay that is not listed": {"network:\n  relays: [10.0.0.0/24]", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcp4test.Relayed("192.0.2.1")},
			"warning", "no answer", map[string]string{"reason": "relay_unlisted", "evidence": "relay 192.0.2.1", "giaddr": "192.0.2.1", "why": "network.relays"}},
		"a relay in a network that is not served": {"", known, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcp4test.Relayed("192.0.2.1")},
			"warning", "no answer", map[string]string{"reason": "no_subnet", "evidence": "relay 192.0.2.1", "giaddr": "192.0.2.1", "why": "192.0.2.1"}},
		"a network that a relay selects": {"", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(5, 198, 51, 100, 0))},
			"warning", "no answer", map[string]string{"reason": "no_subnet", "evidence": "link selection 198.51.100.0", "why": "198.51.100.0"}},
		"a network that an option selects, from no listed sender": {"", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcp4test.Raw(118, 198, 51, 100, 0)},
			"warning", "what a relay says is not proved", map[string]string{"subnet_selection": "198.51.100.0", "fix": "network.relays"}},
		"a stranger where only known clients are served": {"dynamic:\n  allow_unknown: false", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(1)},
			"info", "no answer", map[string]string{"reason": "unknown_client", "evidence": "10.0.0.2"}},
		"a renewal in no prefix": {"", inventory, lease.Off, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.ClientAddr("192.0.2.50")},
			"warning", "no answer", map[string]string{"reason": "no_subnet", "evidence": "ciaddr 192.0.2.50", "ciaddr": "192.0.2.50", "why": "192.0.2.50"}},
		"a renewal through a relay": {"", known, lease.Off, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.ClientAddr("10.0.0.50"), dhcp4test.Relayed("192.0.2.1")},
			"warning", "no answer", map[string]string{"reason": "no_subnet", "evidence": "relay 192.0.2.1", "ciaddr": "10.0.0.50"}},
		"an INFORM in no prefix": {"", inventory, lease.Off, dhcpv4.MessageTypeInform, []dhcpv4.Modifier{dhcp4test.ClientAddr("192.0.2.50")},
			"warning", "no answer", map[string]string{"reason": "no_subnet", "evidence": "ciaddr 192.0.2.50", "ciaddr": "192.0.2.50", "why": "192.0.2.50"}},
		"a DISCOVER with an address of before": {"dynamic:\n  allow_unknown: false", inventory, lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(1), dhcp4test.ClientAddr("192.0.2.50")},
			"info", "no answer", map[string]string{"reason": "unknown_client", "evidence": "10.0.0.2", "ciaddr": "192.0.2.50"}},
		"a network in several VRFs": {"", views, lease.Off, dhcpv4.MessageTypeDiscover, nil,
			"error", "no answer", map[string]string{"reason": "ambiguous_vrf", "evidence": "10.0.0.2", "why": "blue"}},
		"and the other VRF": {"", views, lease.Off, dhcpv4.MessageTypeDiscover, nil,
			"error", "no answer", map[string]string{"why": "red"}},
		"a member of an aggregate": {"", aggregate, lease.Off, dhcpv4.MessageTypeDiscover, nil,
			"warning", "no answer", map[string]string{"reason": "lag_member", "why": "bond0", "machine": "sw1"}},
		"a network without a free address": {"", "prefixes: [{prefix: 10.0.0.0/24}]", lease.Off, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{stranger(1)},
			"warning", "no answer", map[string]string{"reason": "pool_empty", "subnet": "10.0.0.0/24", "evidence": "10.0.0.2"}},
		"an option that cannot be read": {"", inventory, lease.Off, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(50, 10, 0)},
			"warning", "no answer", map[string]string{"reason": "malformed", "why": "malformed: "}},
		"one MAC on two machines": {"", twice, lease.Off, dhcpv4.MessageTypeDiscover, nil,
			"error", "one MAC on several interfaces with addresses here", map[string]string{"why": "web1", "reason": "conflict"}},
		"and the other of the two": {"", twice, lease.Off, dhcpv4.MessageTypeDiscover, nil,
			"error", "one MAC on several interfaces with addresses here", map[string]string{"why": "eth7"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandlerOn(t, c.settings, c.inventory)
			o.Engine.SetAuthority(c.authority)
			o.Log.(*logrus.Logger).SetLevel(logrus.InfoLevel) // as servers run, without a trace of each message
			req := dhcp4test.Request(t, c.kind, c.mods...)
			h(req, dhcp4test.Prepared(t, req))
			last := o.Logs.LastEntry()
			if last == nil {
				t.Fatal("no line")
			}
			if last.Message != c.message || last.Level.String() != c.level {
				t.Errorf("%s: %s", last.Level, last.Message)
			}
			for field, part := range c.want {
				if got := fmt.Sprint(last.Data[field]); !strings.Contains(got, part) {
					t.Errorf("%s is %q, want %q in it", field, got, part)
				}
			}
		})
	}
}

// fromSenders sets the plugin up as in our own binary, which knows the sender of a
// message, and returns what sends one of a stranger.
func fromSenders(t *testing.T, o instancetest.Opened, now func() time.Time) func(source string, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) {
	t.Helper()
	if err := o.Pool.UseFile(o.Path); err != nil {
		t.Fatal(err)
	}
	h, err := setupAt(o.Pool, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	o.Log.(*logrus.Logger).SetLevel(logrus.InfoLevel) // as servers run, without a trace of each message
	return func(source string, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) {
		req := dhcp4test.Request(t, kind, append([]dhcpv4.Modifier{stranger(1)}, mods...)...)
		o.Pool.Exchanges.Open(req, dhcp4.Ingress{Interface: "eth0", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, Source: netip.AddrPortFrom(netip.MustParseAddr(source), 68)})
		defer o.Pool.Exchanges.Close(req)
		h(req, dhcp4test.Prepared(t, req))
	}
}

// D-32, B-2: a DECLINE in vain leaves one line that says who sent it, of what, and why
// it does not count.
func TestADeclineThatDoesNotCountLeavesALine(t *testing.T) {
	for name, c := range map[string]struct {
		declined byte
		mods     []dhcpv4.Modifier
		want     map[string]string // field -> part of its value
	}{
		"of an address that is not the sender's": {50, nil, map[string]string{"requested": "10.0.0.50"}},
		"of a known host's address":              {10, nil, map[string]string{"requested": "10.0.0.10"}},
		"by a relay":                             {50, []dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1")}, map[string]string{"requested": "10.0.0.50", "giaddr": "10.0.0.1", "evidence": "relay 10.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := instancetest.Open(t, "", inventory)
			send := fromSenders(t, o, time.Now)
			for range 3 {
				send("10.0.0.66", dhcpv4.MessageTypeDecline, append([]dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, c.declined}))}, c.mods...)...)
			}
			lines := 0
			for _, e := range o.Logs.AllEntries() {
				if e.Message != "DECLINE ignored" {
					continue
				}
				lines++
				if e.Level != logrus.WarnLevel {
					t.Errorf("it is a line of level %s", e.Level)
				}
				c.want["source"], c.want["client_id"], c.want["interface"], c.want["why"] = "10.0.0.66", "52:54:00:00:00:01", "eth0", "neither bound nor offered to the client"
				for field, part := range c.want {
					if got := fmt.Sprint(e.Data[field]); !strings.Contains(got, part) {
						t.Errorf("%s is %q, want %q in it", field, got, part)
					}
				}
			}
			if lines != 1 {
				t.Errorf("%d lines of DECLINEs ignored, want 1 of 3", lines)
			}
		})
	}
}

// N-11, N-12: what a relay or an option says in vain is told once a day for each
// relay and sender, with what it said and what to do.
func TestWhatIsNotProvedIsToldOnceADay(t *testing.T) {
	clock := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		mods  []dhcpv4.Modifier
		field string
		value string
	}{
		"link selection, 5":     {[]dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(5, 10, 0, 0, 0))}, "link_selection", "10.0.0.0"},
		"link selection, 150":   {[]dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(150, 10, 0, 0, 0))}, "link_selection", "10.0.0.0"},
		"server override, 11":   {[]dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(11, 10, 0, 0, 9))}, "server_override", "10.0.0.9"},
		"server override, 152":  {[]dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(152, 10, 0, 0, 9))}, "server_override", "10.0.0.9"},
		"subnet selection, 118": {[]dhcpv4.Modifier{dhcp4test.Raw(118, 198, 51, 100, 0)}, "subnet_selection", "198.51.100.0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := instancetest.Open(t, "network: {server_id_override: true}", inventory)
			send := fromSenders(t, o, func() time.Time { return clock })
			told := func() (lines int) {
				for _, e := range o.Logs.AllEntries() {
					if e.Message != "what a relay says is not proved" {
						continue
					}
					lines++
					for field, part := range map[string]string{c.field: c.value, "fix": "network.relays", "source": "10.0.0.6"} {
						if got := fmt.Sprint(e.Data[field]); !strings.Contains(got, part) || e.Level != logrus.WarnLevel {
							t.Errorf("%s: %s is %q, want %q in it", e.Level, field, got, part)
						}
					}
				}
				return lines
			}
			for _, step := range []struct {
				sender string
				later  time.Duration
				lines  int // from the start
			}{
				{"10.0.0.66", 0, 1},
				{"10.0.0.66", 23 * time.Hour, 1},
				{"10.0.0.67", 0, 2},
				{"10.0.0.66", time.Hour, 3},
				{"10.0.0.66", 0, 3},
			} {
				clock = clock.Add(step.later)
				send(step.sender, dhcpv4.MessageTypeDiscover, c.mods...)
				if got := told(); got != step.lines {
					t.Fatalf("%d lines, want %d", got, step.lines)
				}
			}
		})
	}
}

// D-31, B-2: a RELEASE that does not come from the address itself leaves one line a
// minute that says who sent it and why it does not count; one that does leaves none.
func TestAReleaseThatDoesNotCountLeavesALine(t *testing.T) {
	for name, c := range map[string]struct {
		sources []string
		mods    []dhcpv4.Modifier
		ignored int // lines
		source  string
	}{
		"from another host":              {[]string{"10.0.0.66"}, nil, 1, "10.0.0.66"},
		"from many, for one address":     {[]string{"10.0.0.66", "10.0.0.67", "10.0.0.68"}, nil, 1, "10.0.0.66"},
		"by a relay that is not proved":  {[]string{"10.0.0.66"}, []dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1")}, 1, "10.0.0.66"},
		"from the address itself":        {[]string{"10.0.0.100"}, nil, 0, ""},
		"by a relay on the lease's wire": {[]string{"10.0.0.1"}, []dhcpv4.Modifier{dhcp4test.Relayed("10.0.0.1")}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := instancetest.Open(t, "", inventory)
			send := fromSenders(t, o, time.Now)
			wish := dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 100}))
			send("0.0.0.0", dhcpv4.MessageTypeDiscover, wish)
			send("0.0.0.0", dhcpv4.MessageTypeRequest, wish, dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{10, 0, 0, 2})))
			for _, source := range c.sources {
				send(source, dhcpv4.MessageTypeRelease, append([]dhcpv4.Modifier{dhcpv4.WithClientIP([]byte{10, 0, 0, 100})}, c.mods...)...)
			}
			ignored, released := 0, 0
			for _, e := range o.Logs.AllEntries() {
				switch e.Message {
				case "RELEASE ignored":
					ignored++
					for field, want := range map[string]string{"source": c.source, "ciaddr": "10.0.0.100", "client_id": "52:54:00:00:00:01", "why": "RELEASE counts"} {
						if got := fmt.Sprint(e.Data[field]); !strings.Contains(got, want) {
							t.Errorf("%s is %q, want %q in it", field, got, want)
						}
					}
					if e.Level != logrus.WarnLevel {
						t.Errorf("it is a line of level %s", e.Level)
					}
				case "lease released":
					released++
				}
			}
			if ignored != c.ignored || (released == 0) == (c.ignored == 0) {
				t.Errorf("%d lines of RELEASEs ignored, want %d; %d leases released", ignored, c.ignored, released)
			}
		})
	}
}

// B-2: strangers choose keys, but not the number of lines.
func TestFloodsLeaveFewLines(t *testing.T) {
	const packets = 1000
	for name, c := range map[string]struct {
		authority lease.Authority
		message   func(i int) *dhcpv4.DHCPv4
		most      int
	}{
		"relays in no prefix": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed(fmt.Sprintf("192.0.%d.%d", i/250, 1+i%250)))
		}, 20},
		"networks that an option selects": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(118, 192, 0, byte(i/250), byte(1+i%250)))
		}, 2},
		"networks that a relay selects": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(5, 192, 0, byte(i/250), byte(1+i%250))))
		}, 20},
		"requests of made-up clients": {lease.Authoritative, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeRequest, madeUp(i), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 77})))
		}, 20},
		"requests of made-up clients, refused in silence": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeRequest, madeUp(i), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 77})))
		}, 20},
		"options that cannot be read": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeRequest, madeUp(i), dhcp4test.Raw(50, 10, 0))
		}, 20},
		"a known host's address declined": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			if i%2 == 0 {
				return dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
			}
			return dhcp4test.Request(t, dhcpv4.MessageTypeDecline, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 10})))
		}, 2},
		"declines of addresses that are not theirs": {lease.Off, func(i int) *dhcpv4.DHCPv4 {
			return dhcp4test.Request(t, dhcpv4.MessageTypeDecline, madeUp(i), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 50})))
		}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandler(t, "")
			o.Engine.SetAuthority(c.authority)
			o.Log.(*logrus.Logger).SetLevel(logrus.InfoLevel) // as servers run, without a trace of each message
			before := len(o.Logs.AllEntries())
			for i := range packets {
				req := c.message(i)
				h(req, dhcp4test.Prepared(t, req))
			}
			if lines := len(o.Logs.AllEntries()) - before; lines > c.most || lines == 0 {
				t.Errorf("%d lines for %d packets, want 1 to %d", lines, packets, c.most)
			}
		})
	}
}

// B-2: of clients that decline what they are offered, each for another address, some
// leave a line and the others a count.
func TestDeclinesThatCountLeaveFewLines(t *testing.T) {
	const pairs = 97 // of 400 addresses a quarter can be declined
	o, h := newHandlerOn(t, "", `
prefixes: [{prefix: 10.0.0.0/22}]
ip_addresses: [{address: 10.0.1.1-10.0.2.144/22, tags: [DHCP]}]
`)
	o.Log.(*logrus.Logger).SetLevel(logrus.InfoLevel) // as servers run, without a trace of each message
	before := len(o.Logs.AllEntries())
	for i := range pairs {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, madeUp(i))
		offer, _ := h(req, dhcp4test.Prepared(t, req))
		if offer == nil {
			t.Fatalf("client %d gets no offer", i)
		}
		req = dhcp4test.Request(t, dhcpv4.MessageTypeDecline, madeUp(i), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)))
		h(req, dhcp4test.Prepared(t, req))
	}
	resting := 0
	for _, l := range o.Engine.Leases() {
		if l.State == lease.Quarantined {
			resting++
		}
	}
	lines := o.Logs.AllEntries()[before:]
	if resting != pairs || len(lines) > 20 || len(lines) == 0 {
		t.Fatalf("%d addresses in quarantine, %d lines; want %d and 1 to 20", resting, len(lines), pairs)
	}
	if first := lines[0]; first.Message != "address declined: quarantined" || first.Level != logrus.WarnLevel {
		t.Errorf("%s %s", first.Level, first.Message)
	}
}

func madeUp(i int) dhcpv4.Modifier {
	return dhcpv4.WithHwAddr([]byte{0x52, 0x54, 1, 0, byte(i >> 8), byte(i)})
}
