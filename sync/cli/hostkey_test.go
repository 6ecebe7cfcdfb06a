package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
)

// overSSH puts an SSH server in front of the server of s, and turns s to it by the word
// transport. No host key is trusted yet. more are further settings below ssh:.
func overSSH(t *testing.T, s *shell, more string) *sshtest.Server {
	t.Helper()
	server := sshtest.New(t, sshtest.Config{Windows: s.dh1, Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}})
	text, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	ssh := fmt.Sprintf("transport: ssh\n      ssh: {user: %s, port: %d, key_file: %q%s}\n      https:", server.User, server.Port, server.KeyFile, more)
	s.conf = s.File("ssh.yml", strings.Replace(string(text), "https:", ssh, 1))
	return server
}

// keysOf reads what cert prints for programs about one server.
func keysOf(t *testing.T, text string) []hostKeyJSON {
	t.Helper()
	var shown []struct {
		Host, Transport string
		Keys            []hostKeyJSON `json:"host_keys"`
	}
	if err := json.Unmarshal([]byte(text), &shown); err != nil || len(shown) != 1 || shown[0].Transport != "ssh" {
		t.Fatalf("%v\n%s", err, text)
	}
	return shown[0].Keys
}

// rules 13.7 and 13.9: the host key is looked at without a login, trusted by its
// fingerprint, and then a run goes on where the other door left off.
func TestHostKeys(t *testing.T) {
	s := imported(t, syncs)
	s.dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	s.expect(exit.OK, "sync", "--quiet")
	s.forget()
	server := overSSH(t, s, "")

	_, stderr, code := s.run("sync")
	if code != exit.Failed || !strings.Contains(stderr, server.Fingerprint()) || !strings.Contains(stderr, "cert trust") || server.Sessions() > 0 {
		t.Errorf("not trusted: code %d, %d sessions\n%s", code, server.Sessions(), stderr)
	}
	shown := s.expect(exit.OK, "cert", "fetch", "dh1.corp.example")
	for _, want := range []string{"ssh-ed25519", server.Fingerprint(), `ssh-keygen -lf C:\ProgramData\ssh\ssh_host_ed25519_key.pub`, "cert trust " + s.dh1.Host() + " --fingerprint " + server.Fingerprint()} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing:\n%s", want, shown)
		}
	}
	fetched := keysOf(t, s.expect(exit.OK, "cert", "fetch", "dh1.corp.example", "--json"))
	if want := (hostKeyJSON{Host: server.Host, Port: server.Port, Type: "ssh-ed25519", Fingerprint: server.Fingerprint()}); len(fetched) != 1 || fetched[0] != want {
		t.Errorf("fetched %+v", fetched)
	}
	if kept := keysOf(t, s.expect(exit.OK, "cert", "show", "dh1.corp.example", "--json")); len(kept) != 0 {
		t.Errorf("kept already: %+v", kept)
	}
	if text := s.expect(exit.OK, "cert", "show"); !strings.Contains(text, "none kept") {
		t.Errorf("shown as\n%s", text)
	}
	s.expect(exit.Failed, "cert", "trust", "dh1.corp.example", "--fingerprint", "SHA256:"+strings.Repeat("A", 43))
	s.expect(exit.Failed, "cert", "trust", "dh1.corp.example", "--fingerprint", strings.Repeat("AA:", 31)+"AA")
	s.expect(exit.Failed, "cert", "remove", "dh1.corp.example")
	s.expect(exit.Failed, "sync")
	if server.Sessions() > 0 || server.Passwords() > 0 || len(s.dh1.Requests()) > 0 {
		t.Errorf("%d sessions, %d passwords and %d requests to a server that is not trusted", server.Sessions(), server.Passwords(), len(s.dh1.Requests()))
	}

	if text := s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint()); !strings.Contains(text, "trusted its host key "+server.Fingerprint()) {
		t.Errorf("trusted: %s", text)
	}
	if kept := keysOf(t, s.expect(exit.OK, "cert", "show", "dh1.corp.example", "--json")); len(kept) != 1 || kept[0] != fetched[0] {
		t.Errorf("kept %+v", kept)
	}
	s.Front.Forget()
	s.expect(exit.OK, "sync")
	if server.Sessions() == 0 {
		t.Error("the run did not go through SSH")
	}
	s.writesNothing()

	server.NewHostKeys(t)
	_, stderr, code = s.run("sync")
	if code != exit.Failed || !strings.Contains(stderr, fetched[0].Fingerprint) || !strings.Contains(stderr, server.Fingerprint()) {
		t.Errorf("another key: code %d\n%s", code, stderr)
	}
	s.expect(exit.OK, "cert", "remove", "dh1.corp.example")
	if kept := keysOf(t, s.expect(exit.OK, "cert", "show", "--json")); len(kept) != 0 {
		t.Errorf("removed, and kept: %+v", kept)
	}
}

// rule 13.7: the key of a jump host is shown, and trusted, first.
func TestTheHostKeyOfAJumpHostComesFirst(t *testing.T) {
	s := imported(t, syncs)
	jump := sshtest.NewJump(t, sshtest.Config{User: "gate"})
	server := overSSH(t, s, fmt.Sprintf(", jump: 'gate@%s:%d'", jump.Host, jump.Port))
	jump.Authorize(t, server.Key.PublicKey())

	shown := s.expect(exit.OK, "cert", "fetch", "dh1.corp.example")
	if !strings.Contains(shown, jump.Fingerprint()) || !strings.Contains(shown, "jump host") || strings.Contains(shown, server.Fingerprint()) || strings.Contains(shown, "ProgramData") {
		t.Errorf("shown first:\n%s", shown)
	}
	if keys := keysOf(t, s.expect(exit.OK, "cert", "fetch", "dh1.corp.example", "--json")); len(keys) != 1 || !keys[0].Jump || keys[0].Port != jump.Port {
		t.Errorf("fetched %+v", keys)
	}
	s.expect(exit.Failed, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	if text := s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", jump.Fingerprint()); !strings.Contains(text, "now that of the server itself") {
		t.Errorf("trusted: %s", text)
	}
	s.expect(exit.Failed, "sync")
	if shown = s.expect(exit.OK, "cert", "fetch", "dh1.corp.example"); !strings.Contains(shown, server.Fingerprint()) {
		t.Errorf("shown then:\n%s", shown)
	}
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	keys := keysOf(t, s.expect(exit.OK, "cert", "show", "--json"))
	if len(keys) != 2 || !keys[0].Jump || keys[0].Fingerprint != jump.Fingerprint() || keys[1].Jump || keys[1].Fingerprint != server.Fingerprint() {
		t.Errorf("kept %+v", keys)
	}
	s.expect(exit.OK, "sync")
	if jump.Connections() == 0 || server.Sessions() == 0 {
		t.Error("the run did not go through the jump host")
	}
}

// rule 13.7: a file of the operator's is read and never written.
func TestHostKeysOfAFileOfTheOperators(t *testing.T) {
	s := imported(t, syncs)
	server := overSSH(t, s, ", known_hosts: hosts")
	line := fmt.Sprintf("[%s]:%d %s", server.Host, server.Port, ssh.MarshalAuthorizedKey(server.HostKey()))
	path := s.File("hosts", "# ours\n")
	if text := s.expect(exit.OK, "cert", "fetch", "dh1.corp.example"); !strings.Contains(text, path) || strings.Contains(text, "cert trust") {
		t.Errorf("fetched:\n%s", text)
	}
	for _, args := range [][]string{{"trust", "dh1.corp.example", "--fingerprint", server.Fingerprint()}, {"remove", "dh1.corp.example"}} {
		_, stderr, code := s.run(append([]string{"cert"}, args...)...)
		if code != exit.Usage || !strings.Contains(stderr, path) {
			t.Errorf("%v: code %d, %s", args, code, stderr)
		}
	}
	s.File("hosts", line)
	if keys := keysOf(t, s.expect(exit.OK, "cert", "show", "dh1.corp.example", "--json")); len(keys) != 1 || keys[0].Fingerprint != server.Fingerprint() {
		t.Errorf("trusted: %+v", keys)
	}
	s.expect(exit.OK, "sync")
	if text, err := os.ReadFile(path); err != nil || string(text) != line {
		t.Errorf("written: %v\n%s", err, text)
	}
}

// rule 13.7: no mistake of the command line trusts anything, and cert needs no key to
// log in with.
func TestTrustingAHostKeyNeedsNoKeyAndNoCertificate(t *testing.T) {
	s := open(t, syncs)
	server := overSSH(t, s, "")
	if err := os.Rename(server.KeyFile, server.KeyFile+".later"); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := s.run("cert", "trust", "dh1.corp.example", "--file", s.conf)
	if code != exit.Usage || !strings.Contains(stderr, "--file is for certificates") {
		t.Errorf("--file: code %d, %s", code, stderr)
	}
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	if info, err := os.Stat(filepath.Join(s.Folder, s.StateDir, "certificates", "known_hosts")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	_, stderr, code = s.run("plan")
	if code != exit.Usage || !strings.Contains(stderr, "ssh.key_file: there is no "+server.KeyFile) {
		t.Errorf("without a key: code %d, %s", code, stderr)
	}
}

// rule 3.7 guard o: another computer under the name of a server is written to again after
// its host key was trusted.
func TestTrustingAHostKeyTrustsItsComputer(t *testing.T) {
	s := imported(t, "push_scope_info: true\n")
	server := overSSH(t, s, "")
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	s.expect(exit.OK, "sync")
	s.dh1.Configure(func(c *psutest.Config) { c.Computer = "OTHER" })
	s.expect(exit.Guard, "sync")
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	s.expect(exit.OK, "sync")
}

// rules 9 row 24 and 13.8: what is shown of a key is that there is one, and no message of
// any level has a part of it.
func TestNoKeyIsSaidAnywhere(t *testing.T) {
	s := imported(t, syncs)
	server := overSSH(t, s, "")
	key, err := os.ReadFile(server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	shown := s.expect(exit.OK, "config", "show")
	if !strings.Contains(shown, "sync.servers."+s.dh1.Host()+".ssh.key ") || strings.Contains(shown, "servers."+s.dh1.Host()+".token ") {
		t.Errorf("shown:\n%s", shown)
	}
	var said strings.Builder
	for _, c := range [][]string{{"doctor"}, {"plan", "--json"}, {"sync", "--json"}, {"config", "show", "--effective"}, {"cert", "show"}, {"cert", "fetch", "dh1.corp.example"}} {
		stdout, stderr, _ := s.run(append([]string{"-vvv"}, c...)...)
		said.WriteString(stdout + stderr)
	}
	server.Refuse(t, true)
	_, stderr, _ := s.run("-vvv", "sync")
	said.WriteString(stderr)
	if !strings.Contains(stderr, "authorized_keys") {
		t.Errorf("a key that is refused: %s", stderr)
	}
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) > 30 && !strings.HasPrefix(line, "-----") && strings.Contains(said.String(), line) {
			t.Error("a part of the key was said")
		}
	}
}
