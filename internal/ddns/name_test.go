package ddns

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// DNS-5: what clients call themselves becomes one label, or nothing.
func TestNamesOfClientsBecomeOneLabelOrNone(t *testing.T) {
	long := strings.Repeat("a", 63)
	for text, want := range map[string]string{
		"PC-17": "pc-17", "pc.corp.example.org": "pc", "pc.": "pc", " pc ": "pc", "web server_1": "web-server-1", "John's iPhone": "johns-iphone", "John’s iPhone": "johns-iphone",
		"bücher": "xn--bcher-kva", "BÜCHER": "xn--bcher-kva", "東京": "xn--1lqs71d", "xn--bcher-kva": "xn--bcher-kva", "_pc_": "pc", "7up": "7up", long: long,
		"": "", ".": "", "-": "", "17": "", "10.0.0.7": "", "fe80::1": "", "*": "", "*.corp": "", "pc/1": "", "a\x00b": "", "a\x1b[31m": "", "<b>": "", "pc\u202e": "", "not\xffutf8": "",
		long + "a": "", strings.Repeat("ü", 60): "", "xn--a": "", "ab--cd": "", "a b": "a-b", "\u200dpc": "",
	} {
		if got, ok := Label(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, ok, want)
		}
	}
}

func policyOf(t testing.TB, change func(*Policy)) *Policy {
	t.Helper()
	p := &Policy{Sources: []Source{FromNetBox, FromClient, FromTemplate}, Template: "dhcp-{address}", Forbidden: []string{"www"}, Static: true, Dynamic: true, OverrideClientUpdate: true}
	if change != nil {
		change(p)
	}
	p.SetZones([]Zone{
		{Name: "corp.example", Prefixes: in("0.0.0.0/0")}, {Name: "lab.example.", Prefixes: in("10.1.0.0/16")},
		{Name: "10.in-addr.arpa", Prefixes: in("10.0.0.0/8"), Reverse: true}, {Name: "1.10.IN-ADDR.ARPA", Prefixes: in("10.1.0.0/16"), Reverse: true},
		{Name: "64/26.2.0.192.in-addr.arpa", Prefixes: in("192.0.2.64/26"), Reverse: true, Classless: true},
	})
	return p
}

func device(id int64) ipam.MachineID { return ipam.MachineID{Kind: ipam.Device, ID: id} }

func portOf(machine int64) ipam.InterfaceID {
	return ipam.InterfaceID{Kind: ipam.Device, ID: 100 + machine}
}

// named are addresses with a dns_name.
func named() map[int64]*ipam.Address {
	list := make(map[int64]*ipam.Address)
	for i, a := range []ipam.Address{
		{Address: netip.MustParsePrefix("10.0.0.25/24"), DNSName: "mail.corp.example"},
		{Address: netip.MustParsePrefix("10.0.0.26/24"), DNSName: "dhcp-10-0-0-26.corp.example"},
		{Address: netip.MustParsePrefix("10.0.0.27/24"), DNSName: "sql.corp.example", Interface: portOf(2)},
		{Address: netip.MustParsePrefix("10.0.0.28/24"), DNSName: "pair.corp.example"},
		{Address: netip.MustParsePrefix("10.0.0.29/24"), DNSName: "pair.lab.example"},
		{Address: netip.MustParsePrefix("10.0.0.30/24"), DNSName: "web1.elsewhere.example"},
		{Address: netip.MustParsePrefix("10.0.0.31/24"), DNSName: "laptop.corp.example", Managed: true},
		{Address: netip.MustParsePrefix("10.0.0.32/24"), DNSName: "*.corp.example"},
	} {
		list[int64(i+1)] = &a
	}
	return list
}

// DNS-1, DNS-4 and DNS-6: which name a client gets in which zone.
func TestWhichNameAClientGets(t *testing.T) {
	names := NamesOf(&ipam.Objects{Machines: machines(), Addresses: named(), Interfaces: map[ipam.InterfaceID]*ipam.Interface{portOf(2): {ID: portOf(2), Machine: device(2)}}})
	at := netip.MustParseAddr
	for title, test := range map[string]struct {
		client Client
		change func(*Policy)
		name   string
	}{
		"NetBox's name goes first":                         {Client{Addr: at("10.0.0.7"), Machine: device(1), MachineName: "web1", Hostname: "pc"}, nil, "web1.corp.example."},
		"the first label of a full name":                   {Client{Addr: at("10.0.0.7"), Machine: device(2), MachineName: "db1.corp.example"}, nil, "db1.corp.example."},
		"the longest prefix says which zone":               {Client{Addr: at("10.1.0.7"), Hostname: "pc"}, nil, "pc.lab.example."},
		"an unknown client's own word":                     {Client{Addr: at("10.0.0.7"), Hostname: "PC"}, nil, "pc.corp.example."},
		"never the name of another machine":                {Client{Addr: at("10.0.0.7"), Hostname: "WEB1"}, nil, "dhcp-10-0-0-7.corp.example."},
		"nor its first label in full":                      {Client{Addr: at("10.0.0.7"), Hostname: "db1.elsewhere.example"}, nil, "dhcp-10-0-0-7.corp.example."},
		"a machine may call itself as NetBox does":         {Client{Addr: at("10.0.0.7"), Machine: device(1), Hostname: "web1"}, nil, "web1.corp.example."},
		"a machine may not call itself as another":         {Client{Addr: at("10.0.0.7"), Machine: device(2), Hostname: "web1"}, nil, "dhcp-10-0-0-7.corp.example."},
		"a name of two machines is nobody's":               {Client{Addr: at("10.0.0.7"), Machine: device(3), MachineName: "twin"}, nil, "dhcp-10-0-0-7.corp.example."},
		"never wpad":                                       {Client{Addr: at("10.0.0.7"), Hostname: "WPAD.corp.example"}, nil, "dhcp-10-0-0-7.corp.example."},
		"never isatap":                                     {Client{Addr: at("10.0.0.7"), Hostname: "isatap"}, nil, "dhcp-10-0-0-7.corp.example."},
		"never localhost, not even by NetBox":              {Client{Addr: at("10.0.0.7"), MachineName: "localhost"}, nil, "dhcp-10-0-0-7.corp.example."},
		"never a listed one":                               {Client{Addr: at("10.0.0.7"), Hostname: "www"}, nil, "dhcp-10-0-0-7.corp.example."},
		"never a name that only an address has":            {Client{Addr: at("10.0.0.7"), Hostname: "Mail.corp.example"}, nil, "dhcp-10-0-0-7.corp.example."},
		"but for the client at the address":                {Client{Addr: at("10.0.0.25"), Hostname: "mail"}, nil, "mail.corp.example."},
		"also where it is the template's":                  {Client{Addr: at("10.0.0.26"), Hostname: "17"}, nil, "dhcp-10-0-0-26.corp.example."},
		"never one of an address of another machine":       {Client{Addr: at("10.0.0.7"), Machine: device(1), Hostname: "sql"}, nil, "dhcp-10-0-0-7.corp.example."},
		"but for the machine, wherever it is":              {Client{Addr: at("10.0.0.7"), Machine: device(2), Hostname: "sql"}, nil, "sql.corp.example."},
		"never one of two addresses":                       {Client{Addr: at("10.0.0.28"), Hostname: "pair"}, nil, "dhcp-10-0-0-28.corp.example."},
		"a machine's name stays its own":                   {Client{Addr: at("10.0.0.7"), Machine: device(1), MachineName: "web1"}, nil, "web1.corp.example."},
		"a name that the mirror wrote is a client's word":  {Client{Addr: at("10.0.0.7"), Hostname: "laptop"}, nil, "laptop.corp.example."},
		"no source, no name":                               {Client{Addr: at("10.0.0.7"), Hostname: "17"}, func(p *Policy) { p.Sources = p.Sources[:2] }, ""},
		"static clients only":                              {Client{Addr: at("10.0.0.7"), Hostname: "pc"}, func(p *Policy) { p.Dynamic = false }, ""},
		"dynamic clients only":                             {Client{Addr: at("10.0.0.7"), Hostname: "pc", Static: true}, func(p *Policy) { p.Static = false }, ""},
		"DNS-8 a client that asks for no update":           {Client{Addr: at("10.0.0.7"), Hostname: "pc", Wish: lease.NameNoUpdate}, nil, ""},
		"DNS-8 which may be overridden":                    {Client{Addr: at("10.0.0.7"), Hostname: "pc", Wish: lease.NameNoUpdate}, func(p *Policy) { p.OverrideNoUpdate = true }, "pc.corp.example."},
		"DNS-8 a client that wants to update is overruled": {Client{Addr: at("10.0.0.7"), Hostname: "pc", Wish: lease.NameClientUpdates}, nil, "pc.corp.example."},
	} {
		t.Run(title, func(t *testing.T) {
			plan := policyOf(t, test.change).Plan(names, test.client)
			if plan.Name != test.name || plan.Addressed() != (test.name != "") {
				t.Errorf("%+v, want %q", plan, test.name)
			}
		})
	}
}

// DNS-3: the name of an address is in the zone with the longest prefix, and in listed
// zones only.
func TestWhichZoneTheNameOfAnAddressIsIn(t *testing.T) {
	p := policyOf(t, nil)
	for addr, want := range map[string]string{
		"10.0.0.7": "7.0.0.10.in-addr.arpa.", "10.1.2.3": "3.2.1.10.in-addr.arpa.", "192.0.2.77": "77.64/26.2.0.192.in-addr.arpa.", "192.0.2.7": "", "172.16.0.1": "",
	} {
		plan := p.Plan(nil, Client{Addr: netip.MustParseAddr(addr), Hostname: "pc"})
		got := ""
		if plan.Reverse != nil {
			got = plan.Reverse.owner(netip.MustParseAddr(addr))
		}
		if got != want || plan.Name == "" {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}

// DNS-8: a client that updates its address itself gets the name of its address here.
func TestAClientMayUpdateItsAddressItself(t *testing.T) {
	p := policyOf(t, func(p *Policy) { p.OverrideClientUpdate = false })
	c := Client{Addr: netip.MustParseAddr("10.0.0.7"), Hostname: "pc", Wish: lease.NameClientUpdates}
	if plan := p.Plan(nil, c); plan.Forward != nil || plan.Reverse == nil || plan.Name != "pc.corp.example." {
		t.Errorf("%+v", plan)
	}
	c.Addr = netip.MustParseAddr("172.16.0.1")
	if plan := p.Plan(nil, c); plan != (Plan{}) {
		t.Errorf("nothing is left to do without a reverse zone: %+v", plan)
	}
}

// DNS-9: a third of the lease, at least ten minutes, or what the settings say.
func TestTimeToLive(t *testing.T) {
	for lease, want := range map[time.Duration]uint32{time.Minute: 600, time.Hour: 1200, 12 * time.Hour: 14400, 1 << 62: 86400} {
		if got := (&Policy{}).ttl(lease); got != want {
			t.Errorf("%s: %d, want %d", lease, got, want)
		}
	}
	if got := (&Policy{TTL: time.Minute}).ttl(time.Hour); got != 60 {
		t.Errorf("%d", got)
	}
}

// DNS-10: the examples of RFC 4701 section 3.6, and one client with and without option 61.
func TestDHCID(t *testing.T) {
	for title, test := range map[string]struct {
		client, hardware lease.ClientID
		identifiers      bool
		name, want       string
	}{
		"hardware address":   {"01:02:03:04:05:06", "", false, "client.example.com", "AAABxLmlskllE0MVjd57zHcWmEH3pCQ6VytcKD//7es/deY="},
		"client identifier":  {"id/01:07:08:09:0A:0B:0C", "01:02:03:04:05:06", true, "chi.example.com", "AAEBOSD+XR3Os/0LozeXVqcNc7FwCfQdWL3b/NaiUDlW2No="},
		"DUID":               {"id/FF:01:02:03:04:00:01:00:06:41:2D:F1:66:01:02:03:04:05:06", "01:02:03:04:05:06", true, "chi6.example.com", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="},
		"capitals":           {"01:02:03:04:05:06", "", false, "Client.Example.COM.", "AAABxLmlskllE0MVjd57zHcWmEH3pCQ6VytcKD//7es/deY="},
		"the system agrees":  {"id/FF:01:02:03", "01:02:03:04:05:06", false, "client.example.com", "AAABxLmlskllE0MVjd57zHcWmEH3pCQ6VytcKD//7es/deY="},
		"no hardware at all": {"01:07:08:09:0A:0B:0C", "", false, "chi.example.com", "AAEBOSD+XR3Os/0LozeXVqcNc7FwCfQdWL3b/NaiUDlW2No="},
	} {
		if got, err := DHCID(test.client, test.hardware, test.identifiers, test.name); got != test.want || err != nil {
			t.Errorf("%s: %s %v, want %s", title, got, err, test.want)
		}
	}
	if _, err := DHCID("", "", false, "pc.example."); err == nil {
		t.Error("a client without anything has no DHCID")
	}
}

func FuzzLabel(f *testing.F) {
	for _, text := range []string{"PC-17", "bücher", "John’s iPhone", "xn--a", "*", "10.0.0.7", strings.Repeat("ü", 99)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		label, ok := Label(text)
		if !ok {
			return
		}
		if !isLabel(label) || !name(label+".dhcp.example.org.") {
			t.Errorf("%q makes %q, which is no label", text, label)
		}
		if again, ok := Label(label); !ok || again != label {
			t.Errorf("%q makes %q, which makes %q", text, label, again)
		}
	})
}
