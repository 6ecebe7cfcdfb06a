package launch

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/leasefile"
)

// site is a folder with settings and an inventory: a pool of 10.0.0.0/18, a printer with
// a static address, and addresses that are neither.
func site(t *testing.T) (conf string) {
	t.Helper()
	dir := t.TempDir()
	conf = filepath.Join(dir, "config.yml")
	for path, text := range map[string]string{
		conf: "server4: {listen: \"127.0.0.1:6767\", plugins: [{netbox: }]}\nnetbox: {inventory: inventory.yml, store: {path: state}, control: {folder: run}}\n",
		filepath.Join(dir, "inventory.yml"): `prefixes: [{prefix: 10.0.0.0/18}]
ip_ranges: [{start_address: 10.0.1.0/18, end_address: 10.0.47.255/18, tags: [DHCP]}]
devices:
  - name: printer
    interfaces: [{name: eth0, mac_addresses: ["52:54:00:FF:00:01"], ip_addresses: [{address: 10.0.60.1/18}]}]
`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	return conf
}

// ran runs a command in this process.
func ran(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), nil, args, &out, &errs)
	return out.String(), errs.String(), code
}

// imported runs an import and reads its report.
func imported(t *testing.T, code int, args ...string) (r importReport) {
	t.Helper()
	stdout, stderr, got := ran(t, append([]string{"leases", "import", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || got != code {
		t.Fatalf("%v: exit code %d, want %d, %v: %.2000s%s", args, got, code, err, stdout, stderr)
	}
	sum := 0
	for _, n := range r.Fates {
		sum += n
	}
	if sum != r.Read {
		t.Errorf("%v: %d entries were read, and the counts add up to %d: %v", args, r.Read, sum, r.Fates)
	}
	return r
}

func expectFates(t *testing.T, r importReport, want map[lease.Fate]int) {
	t.Helper()
	for _, fate := range fates() {
		if r.Fates[fate] != want[fate] {
			t.Errorf("%s: %d, want %d", fate, r.Fates[fate], want[fate])
		}
	}
}

// hostIn is address n of the pool.
func hostIn(n int) netip.Addr {
	n += 1 << 8
	return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
}

// officeLeases are ten thousand addresses of another server, in several states.
func officeLeases(now time.Time) (list []leasefile.Entry) {
	for n := range 10_000 {
		e := leasefile.Entry{Addr: hostIn(n), Hardware: fmt.Sprintf("52:54:00:01:%02X:%02X", n>>8, n&0xff), State: leasefile.Leased, Ends: now.Add(time.Hour), Name: fmt.Sprintf("pc-%d", n)}
		switch {
		case n < 500:
			e.State, e.Ends = leasefile.Ended, now.Add(-time.Hour)
		case n < 700:
			e.Ends = now.Add(-time.Minute)
		case n < 800:
			e.Addr = netip.AddrFrom4([4]byte{192, 0, 2, byte(n - 700)})
		case n < 850:
			e.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(n - 800 + 1)})
		case n == 850:
			e.Addr = netip.MustParseAddr("10.0.60.1")
		case n < 900:
			e.State = leasefile.Abandoned
		}
		list = append(list, e)
	}
	return list
}

// C-13, C-14: ten thousand leases of dhcpd and of Kea move in: the counts add up, a dry
// run changes nothing, and neither does a second import.
func TestTenThousandLeasesMoveIn(t *testing.T) {
	for _, format := range []leasefile.Format{leasefile.DHCPD, leasefile.Kea} {
		t.Run(string(format), func(t *testing.T) {
			conf := site(t)
			dir := filepath.Dir(conf)
			path := filepath.Join(dir, "leases")
			var text strings.Builder
			now := time.Now().UTC().Truncate(time.Second)
			list := officeLeases(now)
			earlier := append([]leasefile.Entry{}, list[1000:1100]...)
			for i := range earlier {
				earlier[i].Ends = now.Add(-2 * time.Hour)
			}
			if _, err := leasefile.Write(&text, format, append(earlier, list...)); err != nil {
				t.Fatal(err)
			}
			switch format {
			case leasefile.Kea:
				text.WriteString("10.0.9.9,52:54:00\n")
			default:
				text.WriteString("lease 10.0.9.9 {\n  ends soon;\n}\n")
			}
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			want := map[lease.Fate]int{
				lease.FateImported: 9149, lease.FateEnded: 700, lease.FateUnserved: 100, lease.FateNotDynamic: 50, lease.FateStatic: 1, fateReplaced: 100, fateMalformed: 1,
			}
			plan := imported(t, 1, path, "--conf", conf)
			expectFates(t, plan, want)
			if entries, err := os.ReadDir(filepath.Join(dir, "state")); err != nil || len(entries) != 0 || plan.Done || len(plan.Losing) != 151 {
				t.Errorf("the dry run left %v, %v; %d clients lose", entries, err, len(plan.Losing))
			}
			done := imported(t, 1, path, "--conf", conf, "--yes")
			expectFates(t, done, want)
			want[lease.FateSame], want[lease.FateImported] = want[lease.FateImported], 0
			expectFates(t, imported(t, 1, path, "--conf", conf, "--yes"), want)
			exportMovesOn(t, conf, 9149)
		})
	}
}

// exportMovesOn moves the leases of a server to another one, by JSON lines.
func exportMovesOn(t *testing.T, conf string, leases int) {
	t.Helper()
	exported, stderr, code := ran(t, "leases", "export", "--conf", conf)
	if n := strings.Count(exported, "\n"); code != 0 || n != leases {
		t.Fatalf("exit code %d, %d lines: %s", code, n, stderr)
	}
	other := site(t)
	path := filepath.Join(filepath.Dir(other), "leases.jsonl")
	if err := os.WriteFile(path, []byte(exported), 0o600); err != nil {
		t.Fatal(err)
	}
	expectFates(t, imported(t, 0, path, "--conf", other, "--yes"), map[lease.Fate]int{lease.FateImported: leases})
	if again, _, _ := ran(t, "leases", "export", "--conf", other); again != exported {
		t.Errorf("the export of the other server differs")
	}
}

// C-13: what an import says to people, for each format that is left, and how it ends.
func TestWhatAnImportSays(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		text string
		args []string
		code int
		want []string
	}{
		"dnsmasq": {fmt.Sprintf("%d 52:54:00:00:00:0a 10.0.1.10 pc *\n%d 52:54:00:00:00:0b 10.0.1.11 a *\n%[2]d 52:54:00:00:00:0c 10.0.1.11 b *\n", soon.Unix(), soon.Unix()), nil, 1,
			[]string{"3  read", "1  would be imported", "2  two clients of one address", "10.0.1.11  52:54:00:00:00:0B  a     two clients of one address: the file names", "Nothing was done."}},
		"all is well":             {fmt.Sprintf("%d 52:54:00:00:00:0a 10.0.1.10 pc *\n", soon.Unix()), nil, 0, []string{"1  read", "1  would be imported"}},
		"a lease that never ends": {"0 52:54:00:00:00:0a 10.0.1.10 pc *\n", nil, 1, []string{"1  would be imported", "its lease never ends, and is kept until", "reserve the address in NetBox"}},
		"Windows": {`<DHCPServer><IPv4><Scopes><Scope><Reservations>
<Reservation><Name>printer</Name><IPAddress>10.0.60.1</IPAddress><ClientId>52-54-00-ff-00-01</ClientId></Reservation>
<Reservation><Name>` + "\u202e" + `scanner</Name><IPAddress>10.0.60.2</IPAddress><ClientId>52-54-00-ff-00-02</ClientId></Reservation>
</Reservations><Leases><Lease><IPAddress>10.0.1.10</IPAddress><ClientId>52-54-00-00-00-0a</ClientId><AddressState>Active</AddressState><LeaseExpiryTime>` + soon.UTC().Format(time.RFC3339) + `</LeaseExpiryTime></Lease></Leases></Scope></Scopes></IPv4></DHCPServer>`, nil, 0,
			[]string{"1  would be imported", "2  reservations beside them, of which NetBox has 1", `10.0.60.2  52:54:00:FF:00:02  \u202escanner  not dynamic`}},
		"mistakes":          {"{\"address\":\"10.0.1.10\"}\n{\"address\":\"10.0.1.11\",\"state\":\"leased\",\"client\":\"x\"}\n", nil, 1, []string{"2  malformed", ":1: state: want", ":2: client: want bytes"}},
		"an unknown file":   {"hello", nil, 64, []string{"not sure what format this is: name it with --format"}},
		"an unknown format": {"hello", []string{"--format", "odd"}, 64, []string{"want jsonl, dhcpd, kea, dnsmasq or windows"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := site(t)
			path := filepath.Join(filepath.Dir(conf), "leases")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, code := ran(t, append([]string{"leases", "import", path, "--conf", conf}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("no %q in\n%s%s", want, stdout, stderr)
				}
			}
		})
	}
	if _, stderr, code := ran(t, "leases", "import", "--conf", site(t)); code != 64 || !strings.Contains(stderr, "FILE") {
		t.Errorf("without a file: %d, %s", code, stderr)
	}
	if _, stderr, code := ran(t, "leases", "import", "/nowhere/leases", "--conf", site(t)); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("a file that is not there: %d, %s", code, stderr)
	}
	if _, stderr, code := ran(t, "leases", "export", "--format", "windows", "--conf", site(t)); code != 64 || !strings.Contains(stderr, "want jsonl") {
		t.Errorf("a format that is not written: %d, %s", code, stderr)
	}
}
