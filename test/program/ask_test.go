package program

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
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
	if _, stderr, code := run(t, "accept", "--conf", conf); code != 1 || !strings.Contains(stderr, "no server is running") {
		t.Errorf("without a server: exit code %d, %s", code, stderr)
	}
	if _, stderr, code := run(t, "leases", "unquarantine", "--conf", conf, "10.77.0.100"); code != 1 || !strings.Contains(stderr, "there are no leases yet") {
		t.Errorf("before a server ran: exit code %d, %s", code, stderr)
	}
	serve(t, conf)
	got := leased(t, addr, 9)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no quarantine":        {[]string{"leases", "unquarantine", got}, 1, got + ": the address is not in quarantine"},
		"no address":           {[]string{"leases", "unquarantine", "soon"}, 64, "IPv4 address"},
		"no argument":          {[]string{"leases", "unquarantine"}, 64, "ADDRESS"},
		"the name of before":   {[]string{"quarantine", "end", got}, 1, "leases unquarantine now"},
		"no lease to end":      {[]string{"leases", "end", "10.77.3.9"}, 1, "10.77.3.9: no lease of this address runs"},
		"no such action":       {[]string{"leases", "stop"}, 64, "stop"},
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

// C-4, A-9: a client declines its address, and the operator ends the quarantine. The
// address is leased again.
func TestTheOperatorEndsAQuarantine(t *testing.T) {
	conf, addr := lab(t, strings.Replace(pool, "10.77.1.0-10.77.3.255/20", "10.77.1.0/20", 1)) // one address
	serve(t, conf)
	a, got := agent(t, addr), leased(t, addr, 9)
	decline, err := dhcpv4.New(dhcpv4.WithHwAddr(mac(9)), dhcpv4.WithMessageType(dhcpv4.MessageTypeDecline),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(got))))
	if err := errors.Join(err, a.Send(decline)); err != nil {
		t.Fatal(err)
	}
	quarantined := func() string {
		stdout, _, _ := run(t, "leases", "--conf", conf, "--state", "quarantined")
		return stdout
	}
	waitUntil(t, got+" is in quarantine", func() bool { return strings.Contains(quarantined(), got) })
	if reply, err := a.Acquire(mac(10)); !errors.Is(err, relay.ErrSilence) {
		t.Errorf("another client got %v, %v in the quarantine", reply, err)
	}
	if stdout, stderr, code := run(t, "leases", "unquarantine", got, "--conf", conf); code != 0 || stdout != got+": the quarantine has ended\n" {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if list := quarantined(); strings.Contains(list, got) {
		t.Errorf("still in quarantine: %s", list)
	}
	if again := leased(t, addr, 10); again != got {
		t.Errorf("another client got %s, want %s", again, got)
	}
	if _, stderr, code := run(t, "leases", "unquarantine", got, "--conf", conf); code != 1 || !strings.Contains(stderr, "not in quarantine") {
		t.Errorf("a second time: exit code %d: %s", code, stderr)
	}
}

// B-13, N-10: the page of metrics counts decisions by message, verdict and reason. The
// alarms of docs/operations.md ask for verdicts that are counted.
func TestDecisionsAreCountedByReason(t *testing.T) {
	conf, addr := lab(t, pool)
	status := integration.FreePort(t)
	launch(t, nil, binary, "serve", "--conf", conf, "--metrics", status)
	server, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, server) // a listed sender
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	send := func(giaddr string, times int, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) {
		t.Helper()
		for n := range times {
			m, err := dhcpv4.New(append(mods, dhcpv4.WithHwAddr(mac(n)), dhcpv4.WithMessageType(kind), dhcpv4.WithRelay(net.ParseIP(giaddr)))...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(m.ToBytes()); err != nil {
				t.Fatal(err)
			}
		}
	}
	leased(t, addr, 1)
	send("192.0.2.1", 3, dhcpv4.MessageTypeDiscover)
	send("10.77.0.1", 2, dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(198, 51, 100, 7))))
	send("10.77.0.1", 1, dhcpv4.MessageTypeDecline, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 77, 1, 9))))
	var page string
	for _, want := range []string{
		`{message="DHCPDISCOVER",reason="new",verdict="OFFER"} 1`,
		`{message="DHCPREQUEST",reason="new",verdict="ACK"} 1`,
		`{message="DHCPDISCOVER",reason="relay_unlisted",verdict="silent"} 3`,
		`{message="DHCPREQUEST",reason="wrong_network",verdict="NAK"} 2`,
		`{message="DHCPDECLINE",reason="nothing_to_do",verdict="silent"} 1`,
	} {
		waitUntil(t, want, func() bool {
			page = get(t, "http://"+status+"/metrics")
			return strings.Contains(page, "coredhcp_netbox_decisions_total"+want+"\n")
		})
	}
	alarms, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	verdicts := regexp.MustCompile(`verdict="[^"]*"`).FindAllString(string(alarms), -1)
	for _, verdict := range verdicts {
		if !strings.Contains(page, verdict) {
			t.Errorf("an alarm asks for %s, which nothing counts", verdict)
		}
	}
	if len(verdicts) == 0 {
		t.Error("no alarm asks for a verdict")
	}
}

// commandsOf are the commands in the first block of a section of a page.
func commandsOf(t *testing.T, name, title string) (lines []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, inBlock := strings.Cut(section, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	if !found || !inBlock {
		t.Fatalf("docs/%s has no section %q with commands", name, title)
	}
	for line := range strings.Lines(block) {
		if words := strings.Fields(line); len(words) == 0 || words[0] != "coredhcp-netbox" {
			t.Errorf("%q is no command of this program", line)
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// The commands of the page work as they stand there.
func TestThePageHowToAskTheServerIsRight(t *testing.T) {
	conf, _ := lab(t, pool)
	var commands [][]string
	ofServer := make(map[int]bool) // by number: it answers nothing from the files
	for _, line := range commandsOf(t, "operations.md", "Ask it") {
		command, what, _ := strings.Cut(line, "#")
		words := strings.Fields(strings.ReplaceAll(command, "config.yml", conf))
		ofServer[len(commands)] = strings.Contains(what, "while the server runs")
		commands = append(commands, words[1:])
	}
	ask := func(whom string, running bool) {
		t.Helper()
		for i, command := range commands {
			if ofServer[i] && !running {
				continue
			}
			if stdout, stderr, code := run(t, command...); code != 0 || stdout == "" {
				t.Errorf("%s: %q: exit code %d\n%s%s", whom, command, code, stdout, stderr)
			}
		}
	}
	ask("the files", false)
	serve(t, conf)
	ask("the server", true)
	if len(commands) < 7 {
		t.Errorf("only %d commands", len(commands))
	}
}
