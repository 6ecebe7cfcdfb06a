package program

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// leased gives a client of the lab a lease and returns its address.
func leased(t *testing.T, addr string, n int) string {
	t.Helper()
	reply, err := agent(t, addr).Acquire(mac(n))
	if err != nil {
		t.Fatal(err)
	}
	return reply.YourIPAddr.String()
}

// C-1, C-2, C-3: the same question asked of the running server, and of its files.
func TestExplainAndLeasesKnowWhatTheServerKnows(t *testing.T) {
	conf, addr := lab(t, pool)
	server := serve(t, conf)
	got := leased(t, addr, 9)
	explain := []string{"explain", "--conf", conf, "--mac", mac(9).String(), "--relay", "10.77.0.1", "--json"}
	know := func(when, restsOn string) {
		t.Helper()
		stdout, stderr, code := run(t, explain...)
		var said struct {
			Verdict, Address, Reason string
			RestsOn                  []string `json:"rests_on"`
		}
		if err := json.Unmarshal([]byte(stdout), &said); err != nil || code != 0 {
			t.Fatalf("%s: exit code %d, %v: %s%s", when, code, err, stdout, stderr)
		}
		if said.Verdict != "OFFER" || !strings.HasPrefix(said.Address, got) || said.Reason != "bound" || !strings.Contains(strings.Join(said.RestsOn, "; "), restsOn) {
			t.Errorf("%s: %+v, want the lease of %s by %q", when, said, got, restsOn)
		}
		stdout, stderr, code = run(t, "leases", "--conf", conf, "--mac", mac(9).String())
		if code != 0 || !strings.Contains(stdout, got) || !strings.Contains(stdout, "running") || !strings.Contains(stdout, "1 lease\n") {
			t.Errorf("%s: leases: exit code %d:\n%s%s", when, code, stdout, stderr)
		}
	}
	know("while it runs", "running server")
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Dir(conf))
	know("when it has ended", "as stored in")
	if after := tree(t, filepath.Dir(conf)); before != after {
		t.Errorf("the files were\n%s\nand are\n%s", before, after)
	}
	again := serve(t, conf)
	know("when it runs again", "running server")
	_ = again.Process.Kill()
	_ = again.Wait()
	know("when it was killed", "as stored in")
}

// tree lists all files below a folder with mode, size and time.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// C-3, C-4, C-5
func TestTheOperatorTellsTheServer(t *testing.T) {
	conf, addr := lab(t, pool)
	if _, stderr, code := run(t, "quarantine", "end", "--conf", conf, "10.77.0.100"); code != 1 || !strings.Contains(stderr, "no server is running") {
		t.Errorf("without a server: exit code %d, %s", code, stderr)
	}
	serve(t, conf)
	got := leased(t, addr, 9)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no quarantine":        {[]string{"quarantine", "end", got}, 1, got + ": the address is not in quarantine"},
		"no address":           {[]string{"quarantine", "end", "soon"}, 64, "IPv4 address"},
		"no argument":          {[]string{"quarantine", "end"}, 64, "ADDRESS"},
		"no such command":      {[]string{"quarantine", "begin"}, 64, "begin"},
		"an inventory":         {[]string{"accept"}, 1, "inventory"},
		"what is known":        {[]string{"snapshot", "show"}, 0, "prefixes"},
		"what is known, JSON":  {[]string{"snapshot", "show", "--json"}, 0, `"prefixes": 1`},
		"a wrong state":        {[]string{"leases", "--state", "dead"}, 64, "running"},
		"a wrong prefix":       {[]string{"leases", "--prefix", "here"}, 64, "--prefix"},
		"leases of one prefix": {[]string{"leases", "--prefix", "10.78.0.0/24"}, 0, "0 leases"},
		"a lease, as JSON":     {[]string{"leases", "--prefix", got, "--state", "running,ended", "--json"}, 0, `"state": "running"`},
	} {
		stdout, stderr, code := run(t, append(c.args, "--conf", conf)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d; want %q in\n%s%s", name, code, c.code, c.want, stdout, stderr)
		}
	}
}

// The commands of the page work as they stand there.
func TestThePageHowToAskTheServerIsRight(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Ask it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, inBlock := strings.Cut(section, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	if !found || !inBlock {
		t.Fatal("docs/operations.md has no section with commands on how to ask the server")
	}
	conf, _ := lab(t, pool)
	var commands [][]string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		words := strings.Fields(strings.ReplaceAll(command, "config.yml", conf))
		if len(words) == 0 || words[0] != "coredhcp-netbox" {
			t.Errorf("%q is no command of this program", line)
			continue
		}
		commands = append(commands, words[1:])
	}
	ask := func(whom string) {
		t.Helper()
		for _, command := range commands {
			if stdout, stderr, code := run(t, command...); code != 0 || stdout == "" {
				t.Errorf("%s: %q: exit code %d\n%s%s", whom, command, code, stdout, stderr)
			}
		}
	}
	ask("the files")
	serve(t, conf)
	ask("the server")
	if len(commands) < 7 {
		t.Errorf("only %d commands", len(commands))
	}
}
