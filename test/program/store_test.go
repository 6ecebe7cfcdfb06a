package program

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// checked is what "store check --json" says.
type checked struct {
	Path                                string
	Sound, Open, Unjudged               bool
	Trouble                             string
	Format                              int
	Leases, Running, Ended, Quarantined int
	Bytes                               int
	Restored                            time.Time `json:"restored"`
	BackupTaken                         time.Time `json:"backup_taken"`
	YoungUntil                          time.Time `json:"young_until"`
	SecondCopy                          *struct {
		Sound   bool
		Trouble string
		Running int
	} `json:"second_copy"`
}

func checkStore(t *testing.T, conf string, wantCode int) (c checked) {
	t.Helper()
	stdout, stderr, code := run(t, "store", "check", "--conf", conf, "--json")
	if err := json.Unmarshal([]byte(stdout), &c); err != nil || code != wantCode {
		t.Fatalf("store check: exit code %d, want %d, %v\n%s%s", code, wantCode, err, stdout, stderr)
	}
	return c
}

// must runs a command that has to end with exit code 0.
func must(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	stdout, stderr, code := run(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

func kill(t *testing.T, server *exec.Cmd) {
	t.Helper()
	_ = server.Process.Kill()
	_ = server.Wait() // says that it was killed
}

// acquire has clients ask for leases, some at a time, until all have one or some time
// has passed.
func acquire(t *testing.T, addr string, first uint32, most int, during time.Duration) *load.Result {
	t.Helper()
	relay, err := load.Dial(netip.MustParseAddrPort(addr), netip.MustParseAddrPort("127.64.0.2:0"))
	if err != nil {
		t.Error(err)
		return &load.Result{}
	}
	defer func() { _ = relay.Close() }()
	relay.Patience = 500 * time.Millisecond
	anyAddress := func(uint32, netip.Addr) bool { return true }
	result, err := relay.Closed(t.Context(), load.Clients{First: first, Count: most, Right: anyAddress}, 64, most, during)
	if err := errors.Join(err, result.Err()); err != nil {
		t.Error(err)
	}
	return result
}

// C-30, C-31, C-32: a backup that is made under load, a server that is killed, and a
// restore: clients of the backup keep their addresses, and what was leased after it is
// given to nobody, since its hosts answer.
func TestClientsKeepTheirAddressesOverARestore(t *testing.T) {
	conf, addr := lab(t, manyAddresses)
	settings, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(settings), "relays: [127.0.0.2, 10.77.0.0/20]", "relays: [127.64.0.2]", 1))
	file := filepath.Join(t.TempDir(), "leases.jsonl")
	server := serve(t, conf)
	const clients = 300
	before := acquire(t, addr, 1, clients, 30*time.Second)
	if len(before.Given) != clients {
		t.Fatalf("%d leases of %d clients", len(before.Given), clients)
	}
	done := make(chan *load.Result)
	go func() { done <- acquire(t, addr, 10_001, 3000, 2*time.Second) }()
	if out := must(t, "store", "backup", "--conf", conf, file); out != "" {
		t.Errorf("a backup that went well says %q", out)
	}
	after := <-done
	kill(t, server)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	must(t, "store", "restore", "--conf", conf, file, "--yes")
	kept := leases(t, conf)
	for address, client := range before.Given {
		if want := strings.ToUpper(hardware(client)); kept[address] != want {
			t.Fatalf("%s was given to %s, and the restored store has %q", address, want, kept[address])
		}
	}
	lost := 0
	for address := range after.Given {
		if kept[address] == "" {
			lost++
		}
	}
	if lost == 0 {
		t.Fatal("nothing was leased after the backup: the test tells nothing")
	}

	serve(t, conf)
	for end := time.Now().Add(30 * time.Second); checkStoreNow(t, conf).Unjudged && time.Now().Before(end); { // clients ask again meanwhile, this load does not
		time.Sleep(10 * time.Millisecond)
	}
	again := acquire(t, addr, 1, clients, 30*time.Second)
	for address, client := range before.Given {
		if got, ok := again.Given[address]; !ok || got != client {
			t.Errorf("client %d had %s, which is now of client %d (%v)", client, address, got, ok)
		}
	}
	for address, client := range acquire(t, addr, 20_001, 20, 3*time.Second).Given { // all of 127/8 answers an echo request
		t.Errorf("%s was given to new client %d, and its host answers", address, client)
	}
	c := checkStore(t, conf, 0)
	if !c.Open || c.Unjudged || c.Restored.IsZero() || c.BackupTaken.IsZero() || !c.YoungUntil.After(time.Now()) || c.Leases < clients {
		t.Errorf("%+v", c)
	}
	t.Logf("%d leases in the backup, %d after it", len(kept), lost)
}

// C-30: a backup is the same of a running server and of its files, replaces nothing
// by mistake, and leaves nothing behind where there is none.
func TestABackupIsOneFile(t *testing.T) {
	conf, addr := lab(t, pool)
	dir := t.TempDir()
	if _, stderr, code := run(t, "store", "backup", "--conf", conf, filepath.Join(dir, "none")); code != 1 || !strings.Contains(stderr, "there is no backup") {
		t.Errorf("without a store: exit code %d, %s", code, stderr)
	}
	server := serve(t, conf)
	got := leased(t, addr, 9)
	online, offline := filepath.Join(dir, "online"), filepath.Join(dir, "offline")
	must(t, "store", "backup", "--conf", conf, online)
	if _, stderr, code := run(t, "store", "backup", "--conf", conf, online); code != 1 || !strings.Contains(stderr, "--force") {
		t.Errorf("a file that is there: exit code %d, %s", code, stderr)
	}
	if err := os.Chmod(online, 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "store", "backup", "--conf", conf, online, "--force")
	kill(t, server)
	before := tree(t, filepath.Dir(conf))
	must(t, "store", "backup", "--conf", conf, offline)
	stdout := must(t, "store", "backup", "--conf", conf, "-")
	if after := tree(t, filepath.Dir(conf)); before != after {
		t.Errorf("the files were\n%s\nand are\n%s", before, after)
	}
	leaseLines := func(text string) (lines []string) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, `{"lease"`) {
				lines = append(lines, line)
			}
		}
		return lines
	}
	for _, path := range []string{online, offline} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		if lines := leaseLines(string(text)); len(lines) != 1 || !strings.Contains(lines[0], got) || lines[0] != leaseLines(stdout)[0] {
			t.Errorf("%s: %v, want the lease of %s", path, lines, got)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("beside the backups: %v, %v", entries, err)
	}
}

// C-31: a restore is shown before it is done, and not done while a server runs, from a
// file that is no backup, or from one of another NetBox.
func TestARestoreIsShownFirst(t *testing.T) {
	conf, addr := lab(t, pool)
	file := filepath.Join(t.TempDir(), "leases.jsonl")
	server := serve(t, conf)
	leased(t, addr, 9)
	must(t, "store", "backup", "--conf", conf, file)
	leased(t, addr, 10)
	if stdout, stderr, code := run(t, "store", "restore", "--conf", conf, file, "--yes"); code != 3 || !strings.Contains(stderr, "stop it first") {
		t.Errorf("while a server runs: exit code %d, %s%s", code, stdout, stderr)
	}
	if stdout := must(t, "store", "restore", "--conf", conf, file); !strings.Contains(stdout, "Stop the server") {
		t.Errorf("while a server runs: %s", stdout)
	}
	kill(t, server)
	before := tree(t, filepath.Dir(conf))
	shown := must(t, "store", "restore", "--conf", conf, file)
	for _, want := range []string{"1: 1 running, 0 ended", "2: 2 running, 0 ended", "is newer", "Nothing was done", "inventory"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut, foreign := file+".cut", file+".foreign"
	write(t, cut, string(whole[:len(whole)/2]))
	if _, stderr, code := run(t, "store", "restore", "--conf", conf, cut, "--yes"); code != 1 || !strings.Contains(stderr, cut) || !strings.Contains(stderr, "cut short") {
		t.Errorf("half a backup: exit code %d, %s", code, stderr)
	}
	write(t, foreign, must(t, "store", "backup", "--conf", otherNetBox(t, conf), "-"))
	if _, stderr, code := run(t, "store", "restore", "--conf", conf, foreign, "--yes"); code != 64 || !strings.Contains(stderr, "https://netbox.example.org") || !strings.Contains(stderr, "--force") {
		t.Errorf("a backup of another NetBox: exit code %d, %s", code, stderr)
	}
	if after := tree(t, filepath.Dir(conf)); before != after {
		t.Errorf("the files were\n%s\nand are\n%s", before, after)
	}
	done := must(t, "store", "restore", "--conf", conf, file, "--yes")
	if !strings.Contains(done, "leases.aside-") || !strings.Contains(done, "Start the server") {
		t.Errorf("%s", done)
	}
	if c := checkStore(t, conf, 0); c.Leases != 1 || !c.Unjudged || c.Restored.IsZero() {
		t.Errorf("%+v", c)
	}
	if aside, err := filepath.Glob(filepath.Join(filepath.Dir(conf), "state", "leases.aside-*")); err != nil || len(aside) != 1 {
		t.Errorf("%v, %v", aside, err)
	}
	serve(t, conf)
}

// otherNetBox are settings with the store of conf, and another source of facts.
func otherNetBox(t *testing.T, conf string) string {
	t.Helper()
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other := strings.Replace(string(text), "inventory: inventory.yml", "url: https://netbox.example.org\n  token_file: token", 1)
	other = strings.Replace(other, "path: state", "path: "+filepath.Join(filepath.Dir(conf), "state"), 1)
	write(t, filepath.Join(dir, "config.yml"), other)
	write(t, filepath.Join(dir, "token"), "0123456789abcdef0123456789abcdef01234567")
	return filepath.Join(dir, "config.yml")
}

// C-33, C-34, H-5, H-10: a damaged store is told, the start names the command, and that
// lets the running server go on with its second copy, without a restart.
func TestADamagedStoreIsSetAsideUnderTheServer(t *testing.T) {
	conf, addr := lab(t, pool)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "path: state\n", "path: state\n    copy: cache\n", 1))
	if c := checkStore(t, conf, 1); c.Sound || !strings.Contains(c.Trouble, "there is no store") {
		t.Errorf("before the first start: %+v", c)
	}
	server := serve(t, conf)
	got := leased(t, addr, 9)
	if c := checkStore(t, conf, 0); !c.Sound || !c.Open || c.Leases != 1 || c.Running != 1 || c.Format != 2 || c.Bytes == 0 || c.SecondCopy == nil {
		t.Errorf("of a running server: %+v", c)
	}
	if _, stderr, code := run(t, "store", "set-aside", "--conf", conf, "--yes"); code != 64 || !strings.Contains(stderr, "sound") {
		t.Errorf("a sound store: exit code %d, %s", code, stderr)
	}
	if _, stderr, code := run(t, "store", "set-aside", "--conf", conf, "--yes", "--force"); code != 3 || !strings.Contains(stderr, "stop it first") {
		t.Errorf("an open store: exit code %d, %s", code, stderr)
	}
	if err := server.Process.Signal(os.Interrupt); err != nil { // writes the second copy
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	if c := checkStore(t, conf, 0); c.Open || c.Leases != 1 || c.SecondCopy == nil || !c.SecondCopy.Sound || c.SecondCopy.Running != 1 {
		t.Errorf("of the files: %+v, %+v", c, c.SecondCopy)
	}
	manifests, err := filepath.Glob(filepath.Join(filepath.Dir(conf), "state", "leases", "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("%v, %v", manifests, err)
	}
	for _, m := range manifests {
		write(t, m, "nonsense")
	}
	if c := checkStore(t, conf, 1); c.Sound || !strings.Contains(c.Trouble, "store set-aside") {
		t.Errorf("damaged: %+v", c)
	}

	serve(t, conf)
	if c := checkStore(t, conf, 1); c.Sound || c.Open {
		t.Errorf("damaged, under a server: %+v", c)
	}
	if _, stderr, code := run(t, "store", "backup", "--conf", conf, "-"); code != 1 || !strings.Contains(stderr, "without its lease store") {
		t.Errorf("a backup of a server without its store: exit code %d, %s", code, stderr)
	}
	if shown := must(t, "store", "set-aside", "--conf", conf); !strings.Contains(shown, "Nothing was done") || !strings.Contains(shown, "NO: ") {
		t.Errorf("%s", shown)
	}
	must(t, "store", "set-aside", "--conf", conf, "--yes")
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if c := checkStoreNow(t, conf); c.Open && c.Running == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the server does not go on: %+v", checkStoreNow(t, conf))
		}
	}
	if again := leased(t, addr, 9); again != got {
		t.Errorf("the client had %s and gets %s", got, again)
	}
}

func checkStoreNow(t *testing.T, conf string) (c checked) {
	t.Helper()
	stdout, _, _ := run(t, "store", "check", "--conf", conf, "--json")
	if err := json.Unmarshal([]byte(stdout), &c); err != nil {
		t.Fatal(err)
	}
	return c
}
