package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

const addressesPath = "ipam/ip-addresses"

// leasedSite is a NetBox with dynamic addresses, and a server's folder whose store has
// leases there: 10.0.0.100 of a MAC on an interface, 10.0.0.101 of one that NetBox does
// not know, 10.0.0.150 of a range.
func leasedSite(t *testing.T, version netboxtest.Version, more string) (s *netboxtest.Server, seeded *netboxtest.Seeded, conf string) {
	t.Helper()
	s = netboxtest.New(t, netboxtest.Config{Version: version})
	onAddresses := []string{"ipam.ipaddress"}
	seeded = netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "keep"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses}, {Name: "pydhcp_expire", Type: "text", ObjectTypes: onAddresses},
			{Name: "res_mac", Type: "text", ObjectTypes: onAddresses},
		},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		Ranges:   []netboxtest.Range{{Start: "10.0.0.150/24", End: "10.0.0.160/24", Tags: []string{"DHCP"}}},
		IPs: []netboxtest.IP{
			{Address: "10.0.0.100/24", Tags: []string{"DHCP", "keep"}, CustomFields: map[string]any{"pydhcp_mac": "52:54:00:00:00:01", "pydhcp_expire": "2020-01-01T00:00:00+00:00"}},
			{Address: "10.0.0.101/24", Tags: []string{"DHCP"}},
		},
		Sites:   []netboxtest.Site{{Name: "lab"}},
		Devices: []netboxtest.Device{{Name: "pc1", Site: "lab", Interfaces: []netboxtest.Interface{{Name: "eth0", MACs: []string{"52:54:00:00:00:01"}}}}},
	})
	dir := t.TempDir()
	conf = filepath.Join(dir, "config.yml")
	ends := time.Now().Add(time.Hour).Unix()
	for path, text := range map[string]string{
		conf:                         fmt.Sprintf("server4: {listen: \"127.0.0.1:6767\", plugins: [{netbox: }]}\nnetbox: {url: %q, token_file: token, store: {path: state}, control: {folder: run}%s}\n", s.URL(), more),
		filepath.Join(dir, "token"):  s.TokenV1(),
		filepath.Join(dir, "leases"): fmt.Sprintf("%d 52:54:00:00:00:01 10.0.0.100 pc1 *\n%[1]d 52:54:00:00:00:02 10.0.0.101 phone *\n%[1]d 52:54:00:00:00:03 10.0.0.150 tv *\n", ends),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := ran(t, "leases", "import", filepath.Join(dir, "leases"), "--conf", conf, "--yes"); code != 0 || !strings.Contains(stdout, "3  imported") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if stdout, _, _ := ran(t, "leases", "--conf", conf); strings.Count(stdout, "not yet") != 2 { // C-11: NetBox is told after the next start, but not of the range (S-17)
		t.Errorf("NetBox would not be told:\n%s", stdout)
	}
	s.ForgetRequests()
	return s, seeded, conf
}

// C-15: a running lease becomes a reservation in NetBox, shown first, and its client
// keeps the address.
func TestALeaseBecomesAReservation(t *testing.T) {
	for _, version := range netboxtest.Versions() {
		t.Run("NetBox "+string(version), func(t *testing.T) {
			s, seeded, conf := leasedSite(t, version, ", fields: {reservation_mac: res_mac}")
			for _, c := range []struct{ addr, says string }{
				{"10.0.0.100", "assign it to"}, {"10.0.0.101", "set its field res_mac to 52:54:00:00:00:02"}, {"10.0.0.150", "create IP address 10.0.0.150/24"},
			} {
				before := len(s.Writes())
				stdout, stderr, code := ran(t, "leases", "reserve", c.addr, "--conf", conf)
				if code != 0 || !strings.Contains(stdout, c.says) || !strings.Contains(stdout, "Nothing was done") || len(s.Writes()) != before {
					t.Errorf("%s: exit code %d, %d writes: %s%s", c.addr, code, len(s.Writes())-before, stdout, stderr)
				}
				if stdout, stderr, code = ran(t, "leases", "reserve", c.addr, "--conf", conf, "--yes"); code != 0 || !strings.Contains(stdout, ": done") {
					t.Errorf("%s: exit code %d: %s%s", c.addr, code, stdout, stderr)
				}
				done := len(s.Writes())
				if stdout, stderr, code = ran(t, "leases", "reserve", c.addr, "--conf", conf, "--yes"); code != 0 || !strings.Contains(stdout, "nothing to do") || len(s.Writes()) != done {
					t.Errorf("%s, a second time: exit code %d: %s%s", c.addr, code, stdout, stderr)
				}
				keepsStatic(t, conf, c.addr)
			}
			row := fmt.Sprint(s.Get(addressesPath, seeded.ID(t, addressesPath, "10.0.0.100/24")))
			if strings.Contains(row, "DHCP") || !strings.Contains(row, "keep") || strings.Contains(row, "52:54:00:00:00:01") {
				t.Errorf("%s", row)
			}
		})
	}
}

// keepsStatic checks that the client of a lease gets it confirmed as a static address.
func keepsStatic(t *testing.T, conf, addr string) {
	t.Helper()
	log, _ := test.NewNullLogger()
	file, err := settings.Load(conf)
	if err != nil {
		t.Fatal(err)
	}
	i, err := instance.Rehearsal(file, logrus.NewEntry(log))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = i.Close() }()
	for _, l := range i.Engine.Leases() {
		if l.Addr.String() != addr {
			continue
		}
		trace := new(lease.Trace)
		if d := i.Engine.Rehearse(lease.Renewal(l), trace); d.Verdict != lease.Ack || !d.Static || d.Addr.Addr() != l.Addr {
			t.Errorf("%s is told %s %s: %v", addr, d.Verdict, d.Reason, trace.Steps)
		}
		return
	}
	t.Errorf("no lease of %s", addr)
}

// C-15: what cannot be reserved says why and which setting is missing, and nothing is
// written.
func TestWhatCannotBeReserved(t *testing.T) {
	s, seeded, conf := leasedSite(t, netboxtest.Versions()[0], "")
	expect := func(addr string, code int, want string) {
		t.Helper()
		if stdout, stderr, got := ran(t, "leases", "reserve", addr, "--conf", conf, "--yes"); got != code || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s%s", addr, got, code, want, stdout, stderr)
		}
	}
	expect("10.0.0.102", 1, "no lease of this address runs")
	expect("10.0.0.101", 1, "netbox.fields.reservation_mac is not set: name a custom field there and let bootstrap make it")
	expect("soon", 64, "IPv4 address")
	if n := len(s.Writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
	s.Edit(t, addressesPath, seeded.ID(t, addressesPath, "10.0.0.100/24"), map[string]any{"role": "anycast"})
	expect("10.0.0.100", 1, "the client would not keep it as a static address")
	s.Down()
	expect("10.0.0.100", 1, "")
}
