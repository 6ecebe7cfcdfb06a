package program

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// stateOf is the state of an address in the list of leases.
func stateOf(t *testing.T, conf, addr string) string {
	t.Helper()
	stdout, stderr, code := run(t, "leases", "--conf", conf, "--prefix", addr, "--json")
	var list []struct{ State string }
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 0 || len(list) != 1 {
		t.Fatalf("the lease of %s: exit code %d, %v: %s%s", addr, code, err, stdout, stderr)
	}
	return list[0].State
}

// stop ends a server as the service manager does.
func stop(t *testing.T, server interface{ Wait() error }, signal func() error) {
	t.Helper()
	if err := errors.Join(signal(), server.Wait()); err != nil {
		t.Fatal(err)
	}
}

// C-10: a lease ends by command, on the running server and on the store on disk, with
// the same effect: its client gets another address, and nobody gets this one.
func TestTheOperatorEndsALease(t *testing.T) {
	for _, way := range []string{"on the running server", "on the store on disk"} {
		t.Run(way, func(t *testing.T) {
			conf, addr := lab(t, strings.Replace(pool, "10.77.1.0-10.77.3.255/20", "10.77.1.0-10.77.1.1/20", 1)) // two addresses
			server := serve(t, conf)
			got := leased(t, addr, 9)
			if way == "on the store on disk" {
				stop(t, server, func() error { return server.Process.Signal(syscall.SIGTERM) })
			}
			stdout, stderr, code := run(t, "leases", "end", got, "--conf", conf)
			if want := got + ": the lease of " + strings.ToUpper(mac(9).String()) + " has ended; nobody else gets the address before 20"; code != 0 || !strings.HasPrefix(stdout, want) {
				t.Errorf("exit code %d, %q, want %q; %s", code, stdout, want, stderr)
			}
			if state := stateOf(t, conf, got); state != "withdrawn" {
				t.Errorf("the lease is %s", state)
			}
			if stdout, _, code := run(t, "leases", "end", got, "--conf", conf); code != 0 || !strings.Contains(stdout, "ended before; nobody else") {
				t.Errorf("a second time: exit code %d, %s", code, stdout)
			}
			if way == "on the store on disk" {
				serve(t, conf)
			}
			if other := leased(t, addr, 9); other == got {
				t.Errorf("the client got %s again", got)
			}
			if reply, err := agent(t, addr).Acquire(mac(10)); !errors.Is(err, relay.ErrSilence) {
				t.Errorf("another client got %v, %v", reply, err)
			}
			if stdout, stderr, code := run(t, "leases", "end", got, "--force", "--conf", conf); code != 0 || !strings.Contains(stdout, "the address is free now") {
				t.Errorf("with force: exit code %d, %s%s", code, stdout, stderr)
			}
			if way == "on the store on disk" {
				return // a start with a clock that nothing confirms gives no address of before to another client (S-15)
			}
			if after := leased(t, addr, 10); after != got {
				t.Errorf("another client got %s, want %s", after, got)
			}
		})
	}
}

// C-11: a change of the store by root leaves files of the user that the store belongs
// to, with the modes that the server gives them.
func TestRootChangesTheStoreAsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const user = 54321
	conf, addr := lab(t, pool)
	server := serve(t, conf)
	got := leased(t, addr, 9)
	stop(t, server, func() error { return server.Process.Signal(syscall.SIGTERM) })
	state := filepath.Join(filepath.Dir(conf), "state")
	for dir := filepath.Dir(conf); dir != "/"; dir = filepath.Dir(dir) { // the owner has to come through
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o011 != 0o011 && strings.Contains(dir, "Test") {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := func(do func(path string, info os.FileInfo)) {
		t.Helper()
		err := filepath.Walk(state, func(path string, info os.FileInfo, err error) error {
			if err == nil {
				do(path, info)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	modes := make(map[bool]map[os.FileMode]bool)
	note := func(after bool) func(string, os.FileInfo) {
		modes[after] = make(map[os.FileMode]bool)
		return func(path string, info os.FileInfo) {
			modes[after][info.Mode()] = true
			if owner := info.Sys().(*syscall.Stat_t); after && (owner.Uid != user || owner.Gid != user) {
				t.Errorf("%s belongs to %d:%d", path, owner.Uid, owner.Gid)
			}
		}
	}
	each(note(false))
	each(func(path string, _ os.FileInfo) {
		if err := os.Lchown(path, user, user); err != nil {
			t.Fatal(err)
		}
	})
	if stdout, stderr, code := run(t, "leases", "end", got, "--conf", conf); code != 0 {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	each(note(true))
	for mode := range modes[true] {
		if !modes[false][mode] {
			t.Errorf("a file has mode %s, as none had before", mode)
		}
	}
}

// C-11: a server that cannot be asked keeps its store.
func TestAStoreThatAServerHasOpenIsNotChanged(t *testing.T) {
	conf, addr := lab(t, pool)
	serve(t, conf)
	got := leased(t, addr, 9)
	sockets, err := filepath.Glob(filepath.Join(filepath.Dir(conf), "run", "*.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("%v, %v", sockets, err)
	}
	if err := os.Remove(sockets[0]); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := run(t, "leases", "end", got, "--conf", conf); code != 3 || !strings.Contains(stderr, "another server") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// C-12: leases are found by part of a client's name, whatever its case, and a name is no
// formula of a spreadsheet.
func TestLeasesAreFoundByNameAndWrittenAsCSV(t *testing.T) {
	conf, addr := lab(t, pool)
	serve(t, conf)
	a := agent(t, addr)
	for n, name := range map[int]string{1: "Printer-7", 2: `=HYPERLINK("http://192.0.2.1","printer")`, 3: "laptop"} {
		offer, err := a.Acquire(mac(n))
		if err != nil {
			t.Fatal(err)
		}
		request, err := dhcpv4.New(dhcpv4.WithHwAddr(mac(n)), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(offer.YourIPAddr), dhcpv4.WithOption(dhcpv4.OptHostName(name)))
		if err := errors.Join(err, a.Send(request)); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the name "+name+" is known", func() bool {
			stdout, _, _ := run(t, "leases", "--conf", conf, "--name", name[:4], "--mac", mac(n).String())
			return strings.Contains(stdout, "1 lease\n")
		})
	}
	stdout, stderr, code := run(t, "leases", "--conf", conf, "--name", "PRINTER", "--csv")
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || code != 0 || len(rows) != 3 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	names := map[string]bool{rows[1][6]: true, rows[2][6]: true}
	if rows[0][6] != "name" || !names["Printer-7"] || !names[`'=HYPERLINK("http://192.0.2.1","printer")`] {
		t.Errorf("%q", rows)
	}
}

// C-14: leases of another server move in while the server runs, and clients are served
// meanwhile. Their clients keep their addresses, and a second import changes nothing.
func TestLeasesMoveInWhileTheServerRuns(t *testing.T) {
	conf, addr := lab(t, pool)
	serve(t, conf)
	var text strings.Builder
	ends := time.Now().Add(time.Hour).Unix()
	for n := range 700 { // the last ones of the pool, in several questions
		fmt.Fprintf(&text, "%d %s %s pc-%d *\n", ends, mac(1000+n), netip.AddrFrom4([4]byte{10, 77, byte(1 + n/256), byte(n)}), n)
	}
	path := filepath.Join(filepath.Dir(conf), "dnsmasq.leases")
	write(t, path, text.String())
	done := make(chan struct{})
	served := make(chan error, 1)
	go func() {
		defer close(served)
		a := agent(t, addr)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			if _, err := a.Acquire(mac(n % 5)); err != nil {
				served <- err
				return
			}
		}
	}()
	stdout, stderr, code := run(t, "leases", "import", path, "--conf", conf, "--yes")
	close(done)
	if err := <-served; err != nil {
		t.Errorf("a client meanwhile: %v", err)
	}
	if !strings.Contains(stdout, "700  read") || code > 1 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if got := leased(t, addr, 1500); got != "10.77.2.244" {
		t.Errorf("a client whose lease moved in got %s", got)
	}
	stdout, _, _ = run(t, "leases", "import", path, "--conf", conf, "--yes")
	if !strings.Contains(stdout, "0  imported") {
		t.Errorf("a second import: %s", stdout)
	}
}

// The commands of the page about leases by hand, and about moving in, are right as they
// stand there: with leases at the addresses that they name, and files where they look.
func TestThePageHowToChangeLeasesIsRight(t *testing.T) {
	conf, _ := lab(t, pool)
	dir := filepath.Dir(conf)
	ends := time.Now().Add(time.Hour).UTC()
	leases := fmt.Sprintf(`{"address":"10.77.1.5","client":"52:54:00:00:00:05","state":"leased","ends":%[1]q}
{"address":"10.77.1.6","client":"00:00:00:00:00:00","state":"abandoned","ends":%[1]q}
{"address":"10.77.1.7","client":"52:54:00:00:00:07","state":"leased","ends":%[1]q}
`, ends.Format(time.RFC3339))
	files := map[string]string{
		"dhcpd.leases":      "lease 10.77.1.8 {\n  ends epoch " + strconv.FormatInt(ends.Unix(), 10) + ";\n  hardware ethernet 52:54:00:00:00:08;\n}\n",
		"kea-leases4.csv":   "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n",
		"kea-leases4.csv.2": "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n",
		"dnsmasq.leases":    strconv.FormatInt(ends.Unix(), 10) + " 52:54:00:00:00:09 10.77.1.9 * *\n",
		"dhcp-export.xml":   "<DHCPServer></DHCPServer>",
		"leases.jsonl":      leases,
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := run(t, "leases", "import", filepath.Join(dir, "leases.jsonl"), "--conf", conf, "--yes"); code != 0 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	ran := 0
	for page, title := range map[string]string{"operations.md": "Leases by hand", "moving-in.md": "From dhcpd, Kea, dnsmasq, Windows"} {
		for _, line := range commandsOf(t, page, title) {
			command, _, _ := strings.Cut(line, "#")
			words := strings.Fields(strings.ReplaceAll(command, "config.yml", conf))[1:]
			for i, word := range words {
				if _, ok := files[filepath.Base(word)]; ok {
					words[i] = filepath.Join(dir, filepath.Base(word))
				}
			}
			want := 0
			if words[1] == "reserve" { // an inventory stands in for NetBox here, which is not written to
				want = 64
			}
			if stdout, stderr, code := run(t, words...); code != want {
				t.Errorf("%q: exit code %d\n%s%s", line, code, stdout, stderr)
			}
			ran++
		}
	}
	if ran < 12 {
		t.Errorf("only %d commands", ran)
	}
}
