package leasefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t testing.TB, format Format, text string) File {
	t.Helper()
	f, err := Parse(format, strings.NewReader(text), time.FixedZone("", 2*3600))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// brief is an entry on one line.
func brief(e Entry) string {
	ends, since := "never", ""
	if !e.Ends.IsZero() {
		ends = e.Ends.UTC().Format(time.RFC3339)
	}
	if !e.Since.IsZero() {
		since = " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%d %s %s %q %s %s%s", e.Line, e.Addr, e.Client(), e.Name, e.State, ends, since)
}

func expect(t *testing.T, f File, entries, problems []string) {
	t.Helper()
	var got []string
	for _, e := range f.Entries {
		got = append(got, brief(e))
	}
	if !slices.Equal(got, entries) {
		t.Errorf("read\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(entries, "\n"))
	}
	var told []string
	for _, p := range f.Problems {
		told = append(told, fmt.Sprintf("%d %s", p.Line, p.Text))
	}
	if len(told) != len(problems) {
		t.Fatalf("problems\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(problems, "\n"))
	}
	for i, want := range problems {
		if !strings.HasPrefix(told[i], want) {
			t.Errorf("problem %q, want %q", told[i], want)
		}
	}
}

const dhcpdFile = `# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;
server-duid "\000\001\000\001/\001\002\003RT\000\0224V";

lease 10.0.0.10 {
  starts 5 2026/05/01 12:00:00;
  ends 5 2026/05/01 13:00:00;
  cltt 5 2026/05/01 12:30:00;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 52:54:00:00:00:0a;
  uid "\001RT\000\000\000\012";
  set vendor-class-identifier = "a; } lease 10.9.9.9 {";
  client-hostname "pc \"one\" \\ \x41 \351";
  on expiry { set x = "}"; }
}
lease 10.0.0.11 { starts epoch 1777636800; # Fri May 1 12:00:00 2026
  ends never; hardware ethernet 52:54:0:0:0:b; binding state active; }
lease 10.0.0.12 {
  ends 5 2026/05/01 13:00:00;
  binding state abandoned;
}
lease 10.0.0.13 {
  ends 5 2026/05/01 13:00:00;
  binding state free;
  hardware ethernet 52:54:00:00:00:0d;
}
failover peer "a" state {
  my state normal at 5 2026/05/01 12:00:00;
}
lease 10.0.0.10 {
  ends 5 2026/05/01 14:00:00;
  binding state active;
  uid 00:63:69:73:63:6f;
}
`

// C-13
func TestDHCPD(t *testing.T) {
	expect(t, parse(t, DHCPD, dhcpdFile), []string{
		`5 10.0.0.10 52:54:00:00:00:0A "pc \"one\" \\ A \xe9" leased 2026-05-01T13:00:00Z since 2026-05-01T12:30:00Z`,
		`18 10.0.0.11 52:54:00:00:00:0B "" leased never since 2026-05-01T12:00:00Z`,
		`20 10.0.0.12 no client "" abandoned 2026-05-01T13:00:00Z`,
		`24 10.0.0.13 no client "" ended 2026-05-01T13:00:00Z`,
		`32 10.0.0.10 client identifier 00:63:69:73:63:6F "" leased 2026-05-01T14:00:00Z`,
	}, nil)
}

// C-13: a declaration that is broken hides no other, and each says where and what to do.
func TestBrokenDeclarationsOfDHCPD(t *testing.T) {
	good := "lease 10.0.0.9 {\n ends never;\n hardware ethernet 52:54:00:00:00:09;\n}\n"
	for name, c := range map[string]struct{ text, want string }{
		"no end":                {"lease 10.0.0.1 {\n hardware ethernet 52:54:00:00:00:01;\n}\n", "3 the lease of 10.0.0.1 does not say when it ends"},
		"no brace":              {"lease 10.0.0.1 {\n ends never;\n", "1 the declaration has no closing brace before the next one in line 3"},
		"no semicolon":          {"lease 10.0.0.1 {\n ends never\n}\n", "3 the lease of 10.0.0.1, in line 3: a semicolon is missing"},
		"a wrong time":          {"lease 10.0.0.1 {\n ends tomorrow;\n}\n", "2 the lease of 10.0.0.1, in line 2: want a time such as 4 2026/05/01"},
		"a wrong state":         {"lease 10.0.0.1 {\n ends never;\n binding state odd;\n}\n", "3 the lease of 10.0.0.1, in line 3: binding state: want active"},
		"no client":             {"lease 10.0.0.1 {\n ends never;\n}\n", "1 the lease of 10.0.0.1: it names no client"},
		"a group address":       {"lease 10.0.0.1 {\n ends never;\n hardware ethernet 01:00:5e:00:00:01;\n}\n", "3 the lease of 10.0.0.1, in line 3: 01:00:5e:00:00:01 is the hardware address of no one client"},
		"a broadcast address":   {"lease 10.0.0.1 {\n ends never;\n hardware ethernet ff:ff:ff:ff:ff:ff;\n}\n", "3 the lease of 10.0.0.1, in line 3: ff:ff:ff:ff:ff:ff is the hardware address of no one client"},
		"no address":            {"lease 10.0.0 {\n ends never;\n}\n", "1 want an IPv4 address"},
		"a text without an end": {"lease 10.0.0.1 {\n uid \"abc;\n ends never;\n}\n", "2 the lease of 10.0.0.1, in line 2: a text has no closing quote"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, DHCPD, c.text+good)
			if len(f.Problems) != 1 || !strings.HasPrefix(fmt.Sprintf("%d %s", f.Problems[0].Line, f.Problems[0].Text), c.want) {
				t.Errorf("%+v, want %q", f.Problems, c.want)
			}
			if len(f.Entries) != 1 || f.Entries[0].Addr != netip.MustParseAddr("10.0.0.9") {
				t.Errorf("the other is hidden: %+v", f.Entries)
			}
		})
	}
	expect(t, parse(t, DHCPD, good+"lease 10.0.0.1 {\n ends"), []string{`1 10.0.0.9 52:54:00:00:00:09 "" leased never`}, []string{"5 the declaration has no closing brace: it was not written"})
}

// C-13
func TestKea(t *testing.T) {
	f := parse(t, Kea, `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
10.0.0.10,52:54:00:00:00:0a,01:52:54:00:00:00:0a,3600,1777640400,1,0,0,pc&#x2cone,0,,0
10.0.0.11,52:54:00:00:00:0b,,4294967295,6072603695,1,0,0,,0,,0
10.0.0.12,,,86400,1777723200,1,0,0,,1,,0
10.0.0.13,52:54:00:00:00:0d,,3600,1777640400,1,0,0,,2,,0
10.0.0.14,52:54:00:00:00:0e,,0,1777640400,1,0,0,,0,,0
10.0.0.15,,ff:01:02,3600,1777640400,1,0,0,&#x,0,{ "a": 1 &#x2c "b": 2 },0
10.0.0.16,52:54:00:00:00:10,,3600
10.0.0.17,52:54:00:00:00:zz,,3600,1777640400,1,0,0,,0,,0
2001:db8::1,52:54:00:00:00:11,,3600,1777640400,1,0,0,,0,,0
10.0.0.18,52:54:00:00:00:12,,soon,1777640400,1,0,0,,0,,0
`)
	expect(t, f, []string{
		`2 10.0.0.10 52:54:00:00:00:0A "pc,one" leased 2026-05-01T13:00:00Z since 2026-05-01T12:00:00Z`,
		`3 10.0.0.11 52:54:00:00:00:0B "" leased never`,
		`4 10.0.0.12 no client "" abandoned 2026-05-02T12:00:00Z since 2026-05-01T12:00:00Z`,
		`5 10.0.0.13 no client "" ended 2026-05-01T13:00:00Z since 2026-05-01T12:00:00Z`,
		`6 10.0.0.14 no client "" ended 2026-05-01T13:00:00Z since 2026-05-01T13:00:00Z`,
		`7 10.0.0.15 client identifier FF:01:02 "&#x" leased 2026-05-01T13:00:00Z since 2026-05-01T12:00:00Z`,
	}, []string{"8 the row has 4 columns", "9 column hwaddr: want bytes", "11 column valid_lifetime: want a number"})
	if f.Others != 1 {
		t.Errorf("%d IPv6 leases", f.Others)
	}
	expect(t, parse(t, Kea, "address,hwaddr\n10.0.0.1,52:54:00:00:00:01\n"), nil, []string{
		"1 the header has no column client_id", "1 the header has no column valid_lifetime", "1 the header has no column expire", "1 the header has no column hostname", "1 the header has no column state",
	})
}

// C-13
func TestDnsmasq(t *testing.T) {
	f := parse(t, Dnsmasq, `1777640400 52:54:00:00:00:0a 10.0.0.10 pc 01:52:54:00:00:00:0a
0 52:54:00:00:00:0b 10.0.0.11 * *
1777640400 20-00:00:02:03:04:05:06:07 10.0.0.12 * ff:01:02
3600 52:54:00:00:00:0d 10.0.0.13 * *
1777640400 52:54:00:00:00:0e 10.0.0.14 *
soon 52:54:00:00:00:0f 10.0.0.15 * *
duid 00:01:00:01
1777640400 12345 2001:db8::1 pc *
`)
	expect(t, f, []string{
		`1 10.0.0.10 52:54:00:00:00:0A "pc" leased 2026-05-01T13:00:00Z`,
		`2 10.0.0.11 52:54:00:00:00:0B "" leased never`,
		`3 10.0.0.12 00:00:02:03:04:05:06:07 "" leased 2026-05-01T13:00:00Z`,
	}, []string{"4 first word: 3600 is a span and no time", "5 want five words", "6 first word: want seconds since 1970"})
	if f.Others != 1 {
		t.Errorf("%d IPv6 leases", f.Others)
	}
}

const windowsFile = `<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<DHCPServer xmlns="http://schemas.microsoft.com/windows/DHCPServer">
  <IPv4><Scopes><Scope><ScopeId>10.0.0.0</ScopeId>
    <Reservations>
      <Reservation><Name>printer &amp; scanner</Name><IPAddress>10.0.0.50</IPAddress><ClientId>52-54-00-00-00-50</ClientId><Type>Both</Type></Reservation>
      <Reservation><Name>bad</Name><IPAddress>10.0.0.51</IPAddress><ClientId>xx</ClientId></Reservation>
    </Reservations>
    <Leases>
      <Lease><IPAddress>10.0.0.10</IPAddress><ClientId>52-54-00-00-00-0a</ClientId><HostName>pc.example</HostName><AddressState>Active</AddressState><LeaseExpiryTime>2026-05-01T15:00:00</LeaseExpiryTime></Lease>
      <Lease><IPAddress>10.0.0.50</IPAddress><ClientId>52-54-00-00-00-50</ClientId><AddressState>ActiveReservation</AddressState></Lease>
      <Lease><IPAddress>10.0.0.11</IPAddress><ClientId>00-63-69</ClientId><AddressState>Active</AddressState><LeaseExpiryTime>2026-05-01T13:00:00Z</LeaseExpiryTime></Lease>
      <Lease><IPAddress>10.0.0.12</IPAddress><AddressState>Declined</AddressState><LeaseExpiryTime>2026-05-01T13:00:00Z</LeaseExpiryTime></Lease>
      <Lease><IPAddress>10.0.0.13</IPAddress><AddressState>Odd</AddressState></Lease>
    </Leases>
  </Scope></Scopes></IPv4>
  <IPv6><Scopes><Scope><Leases><Lease><IPAddress>2001:db8::1</IPAddress></Lease></Leases></Scope></Scopes></IPv6>
</DHCPServer>
`

// C-13
func TestWindows(t *testing.T) {
	f := parse(t, Windows, windowsFile)
	expect(t, f, []string{
		`9 10.0.0.10 52:54:00:00:00:0A "pc.example" leased 2026-05-01T13:00:00Z`,
		`10 10.0.0.50 52:54:00:00:00:50 "" leased never`,
		`11 10.0.0.11 client identifier 00:63:69 "" leased 2026-05-01T13:00:00Z`,
		`12 10.0.0.12 no client "" abandoned 2026-05-01T13:00:00Z`,
	}, []string{"6 the reservation of 10.0.0.51: ClientId: want bytes", "13 the lease of 10.0.0.13: AddressState: want"})
	if len(f.Reservations) != 1 || f.Reservations[0].Addr != netip.MustParseAddr("10.0.0.50") || f.Reservations[0].Name != "printer & scanner" || f.Others != 1 {
		t.Errorf("%+v, %d IPv6", f.Reservations, f.Others)
	}
}

// C-13: what is no export is told, and nothing in it is expanded.
func TestWhatIsNoExportOfWindows(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"entities":         {`<!DOCTYPE x [<!ENTITY a "aaaa">]><DHCPServer>&a;</DHCPServer>`, "document type"},
		"an entity":        {`<DHCPServer>&a;</DHCPServer>`, "no XML from here on"},
		"too deep":         {`<DHCPServer>` + strings.Repeat("<a>", maxDepth), "nested more than"},
		"another document": {`<html></html>`, "begins with <html>"},
		"half a file":      {windowsFile[:700], "the file ends early"},
		"nothing":          {"", "ends early"},
		"UTF-16":           {`<?xml version="1.0" encoding="utf-16"?><DHCPServer/>`, "UTF-8"},
	} {
		if f := parse(t, Windows, c.text); len(f.Problems) == 0 || !strings.Contains(f.Problems[len(f.Problems)-1].Text, c.want) {
			t.Errorf("%s: %+v, want %q", name, f.Problems, c.want)
		}
	}
}

// C-13
func TestJSONLines(t *testing.T) {
	expect(t, parse(t, JSONL, `{"address":"10.0.0.10","client":"52:54:00:00:00:0a","state":"leased","ends":"2026-05-01T13:00:00Z","name":"pc"}

{"address":"10.0.0.11","client":"id/FF:01:02","hardware":"52:54:00:00:00:0B","state":"leased"}
{"address":"10.0.0.12","client":"00:00:00:00:00:00","state":"abandoned","ends":"2026-05-01T13:00:00Z"}
{"address":"10.0.0.13","client":"52:54:00:00:00:0D","state":"odd"}
{"client":"52:54:00:00:00:0D","state":"leased"}
{"address":
{"address":"10.0.0.14","client":"no","state":"leased"}
`), []string{
		`1 10.0.0.10 52:54:00:00:00:0A "pc" leased 2026-05-01T13:00:00Z`,
		`3 10.0.0.11 52:54:00:00:00:0B "" leased never`,
		`4 10.0.0.12 no client "" abandoned 2026-05-01T13:00:00Z`,
	}, []string{"5 state: want leased", "6 address is missing", "7 no lease in JSON", "8 client: want bytes"})
}

func TestTheFormatIsFoundWhereItIsSure(t *testing.T) {
	for text, want := range map[string]Format{
		dhcpdFile: DHCPD, windowsFile: Windows, "\ufeff" + windowsFile: Windows, "lease 10.0.0.1 {": DHCPD,
		"address,hwaddr,client_id": Kea, "0 52:54:00:00:00:0b 10.0.0.11 * *\n": Dnsmasq, `{"address":"10.0.0.1"}`: JSONL,
		"": "", "# only a comment\n": "", "<?xml version=\"1.0\"?><html/>": "", "hello there": "", `{"a":1}`: "", "1 2 3 4 5": "",
	} {
		if got := Detect([]byte(text)); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

// What is written is read again.
func TestWhatIsWrittenIsRead(t *testing.T) {
	at := time.Date(2026, 5, 1, 13, 0, 0, 0, time.UTC)
	entries := []Entry{
		{Addr: netip.MustParseAddr("10.0.0.10"), Hardware: "52:54:00:00:00:0A", State: Leased, Ends: at, Name: "pc, \"one\" \\ \x01=&#x2c é"},
		{Addr: netip.MustParseAddr("10.0.0.11"), Hardware: "52:54:00:00:00:0B", Key: "id/FF:01:02", State: Leased, Ends: at},
		{Addr: netip.MustParseAddr("10.0.0.12"), State: Abandoned, Ends: at},
		{Addr: netip.MustParseAddr("10.0.0.13"), Hardware: "52:54:00:00:00:0D", State: Leased},
	}
	for _, format := range []Format{JSONL, DHCPD, Kea, Dnsmasq} {
		var out bytes.Buffer
		n, err := Write(&out, format, entries)
		want := 4
		if format == Dnsmasq {
			want = 3
		}
		if err != nil || n != want {
			t.Fatalf("%s: %d, %v", format, n, err)
		}
		if got := Detect(out.Bytes()); got != format {
			t.Errorf("%s is found to be %q", format, got)
		}
		f := parse(t, format, out.String())
		if len(f.Problems) != 0 || len(f.Entries) != want {
			t.Fatalf("%s: %+v\n%s", format, f, out.String())
		}
		for i, e := range f.Entries {
			was := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return format == Dnsmasq && e.State != Leased })[i]
			wantName := was.Name
			if format == Dnsmasq {
				wantName = ""
			}
			if e.Addr != was.Addr || e.State != was.State || !e.Ends.Equal(was.Ends) || e.Name != wantName || was.State == Leased && e.Hardware != was.Hardware && e.Key != was.Hardware {
				t.Errorf("%s: %+v, want %+v", format, e, was)
			}
			if e.identifier() != was.identifier() && e.Key != was.Hardware {
				t.Errorf("%s: identifier %q, want %q", format, e.identifier(), was.identifier())
			}
		}
	}
	if _, err := Write(io.Discard, Windows, nil); err == nil {
		t.Error("the format of Windows is written")
	}
}

// endless never ends.
type endless struct{ line string }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.line[i%len(e.line)]
	}
	return len(p), nil
}

// C-13
func TestFilesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MiB")
	}
	if _, err := Parse(Dnsmasq, endless{"#"}, time.UTC); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	long := strings.Repeat("x", 3*maxLine) + "\n0 52:54:00:00:00:0b 10.0.0.11 * *\n"
	expect(t, parse(t, Dnsmasq, long), []string{`2 10.0.0.11 52:54:00:00:00:0B "" leased never`}, []string{"1 the line has more than"})
}

func fuzz(f *testing.F, format Format, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		Detect(text)
		file, err := Parse(format, bytes.NewReader(text), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range file.Entries {
			if !e.Addr.Is4() || e.Line < 1 || e.State == 0 || len(e.Name) > maxName || e.State == Leased && e.Client() == "no client" {
				t.Errorf("%+v", e)
			}
		}
		for _, p := range file.Problems {
			if p.Line < 1 || p.Text == "" {
				t.Errorf("%+v", p)
			}
		}
		if format == Windows {
			return
		}
		var out bytes.Buffer
		if n, err := Write(&out, JSONL, file.Entries); err != nil || n != len(file.Entries) {
			t.Fatalf("%d of %d written: %v", n, len(file.Entries), err)
		}
		again, err := Parse(JSONL, &out, time.UTC)
		if err != nil || len(again.Problems) != 0 && allNamed(file.Entries) || len(again.Entries)+len(again.Problems) != len(file.Entries) {
			t.Errorf("%d entries written, %d read, %v, %v", len(file.Entries), len(again.Entries), again.Problems, err)
		}
	})
}

// allNamed reports whether all leases are of clients that JSON lines name.
func allNamed(entries []Entry) bool {
	return !slices.ContainsFunc(entries, func(e Entry) bool { return e.State == Leased && e.Hardware == "" && e.Key == "" })
}

func FuzzDHCPD(f *testing.F) {
	fuzz(f, DHCPD, dhcpdFile, "lease 10.0.0.1 {\n uid \"\\", "lease 10.0.0.1 { a {")
}

func FuzzKea(f *testing.F) {
	fuzz(f, Kea, "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n10.0.0.10,52:54:00:00:00:0a,,3600,1777640400,1,0,0,a&#x2cb,0\n")
}

func FuzzDnsmasq(f *testing.F) { fuzz(f, Dnsmasq, "1777640400 52:54:00:00:00:0a 10.0.0.10 pc *\n") }

func FuzzWindows(f *testing.F) { fuzz(f, Windows, windowsFile) }

func FuzzJSONL(f *testing.F) {
	fuzz(f, JSONL, `{"address":"10.0.0.10","client":"52:54:00:00:00:0a","state":"leased","ends":"2026-05-01T13:00:00Z","name":"pc"}`)
}
