package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

const syncs = "sync_ips_from_dhcp: true\n"

// shell runs commands on a laboratory.
type shell struct {
	*mirrortest.Lab
	t    *testing.T
	dh1  *psutest.Server
	conf string
}

// noEnvironment keeps the environment of the test out of the settings.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"NETBOX_URL", "NETBOX_TOKEN", "NETBOX_TOKEN_FILE", "CREDENTIALS_DIRECTORY", confVariable, "NO_COLOR"} {
		t.Setenv(name, "")
	}
}

// open makes a laboratory of one server whose NetBox is prepared, with these
// lines below sync:. Nothing is imported yet.
func open(t *testing.T, sync string) *shell {
	t.Helper()
	noEnvironment(t)
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	l.Open(sync, nil)
	s := &shell{Lab: l, t: t, dh1: dh1, conf: filepath.Join(l.Folder, "config.yml")}
	s.forget()
	return s
}

// imported is open with the scopes recorded and a first sync behind it.
func imported(t *testing.T, sync string) *shell {
	t.Helper()
	s := open(t, sync)
	s.expect(exit.OK, "import", "--quiet")
	s.expect(exit.OK, "sync", "--quiet")
	s.forget()
	return s
}

func (s *shell) forget() {
	s.Front.Forget()
	s.dh1.ForgetRequests()
}

// run runs a command to its end.
func (s *shell) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return execute(s.t.Context(), append([]string{"--conf", s.conf}, args...)...)
}

func execute(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = Main(ctx, args, &out, &errs)
	return out.String(), errs.String(), code
}

// expect runs a command that has to end with a code, and returns what it
// printed on standard output.
func (s *shell) expect(code int, args ...string) string {
	s.t.Helper()
	stdout, stderr, got := s.run(args...)
	if got != code {
		s.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	return stdout
}

// atTerminal runs a command as a person does who types answer.
func (s *shell) atTerminal(answer string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdin: strings.NewReader(answer), stdout: &out, screen: &screen{out: &errs}, terminal: func(any) bool { return true }}
	code = p.run(s.t.Context(), append([]string{"--conf", s.conf}, args...))
	return out.String(), errs.String(), code
}

func (s *shell) writesNothing() {
	s.t.Helper()
	for _, r := range s.Front.Writes() {
		if strings.HasSuffix(r.Path, "/0/") {
			continue // an object that cannot exist: doctor asks so whether the token may delete
		}
		s.t.Errorf("NetBox: %s %s %s", r.Method, r.Path, r.Body)
	}
	for _, r := range s.dh1.Writes() {
		s.t.Errorf("server: %s %s %s", r.Method, r.Path, r.Body)
	}
}

func TestEveryCommandTeaches(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		stdout, stderr, code := execute(t.Context(), args...)
		if code != exit.OK || stderr != "" {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
		if !strings.Contains(stdout, cmd.Long) || cmd.Short == "" {
			t.Errorf("%v: no purpose", args)
		}
		if !cmd.HasSubCommands() && (cmd.Example == "" || !strings.Contains(cmd.Long, "Exit code")) {
			t.Errorf("%v: want an example and the exit codes", args)
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 82 {
				t.Errorf("%v: a line too long for a terminal: %s", args, line)
			}
		}
		for _, sub := range cmd.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" {
				visit(sub)
			}
		}
	}
	visit((&program{}).rootCommand())
}

func TestMistakesOnTheCommandLineEndWith64(t *testing.T) {
	noEnvironment(t)
	conf := filepath.Join(t.TempDir(), "config.yml")
	text := "netbox: {url: 'http://127.0.0.1:1'}\nsync:\n  state_dir: state\n  servers: [{host: dh1, https: false, port: 1, token_env: DH1_TOKEN}]\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yml")
	if err := os.WriteFile(broken, []byte(strings.ReplaceAll(text, "state_dir", "state_dri")), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"snyc":                       "unknown command",
		"sync --nonsense":            "unknown flag",
		"sync now":                   "no argument",
		"sync --every 1m":            "5m to 24h",
		"sync --every 25h":           "5m to 24h",
		"sync --every soon":          "5m to 24h",
		"sync --scope 10.8.4.0":      "want a network",
		"sync --scope 10.8.4.1/24":   "want a network",
		"sync --scope 2001:db8::/64": "want a network",
		"sync --server dh9":          "want one of dh1",
		"sync --log-format xml":      "text or json",
		"plan --conf absent.yml":     "--conf",
		"plan --conf " + broken:      "state_dir",
		"apply":                      "no terminal to ask at",
		"apply a b":                  "one file",
		"apply absent.plan":          "read plan",
		"apply " + conf:              "read plan",
		"drift --json --csv":         "contradict",
		"cert nonsense":              "unknown command",
		"rule REC-":                  "REC-1, REC-2, REC-3",
		"cert fetch":                 "name one server",
		"cert fetch dh9":             "want one of dh1",
		"cert fetch dh1":             "https: false",
		"cert trust dh1":             "--fingerprint",
		"cert trust dh1 --fingerprint x --file y": "--fingerprint",
		"validate --status dhcp":                  "need --ip",
		"validate --ip 10.8.4.300":                "IPv4 address",
		"validate --ip 10.8.4.3/33":               "IPv4 address",
		"validate --ip 2001:db8::1":               "IPv4 address",
		"config nonsense":                         "unknown command",
		"version 2":                               "no argument",
	} {
		t.Run(line, func(t *testing.T) {
			stdout, stderr, code := execute(t.Context(), append([]string{"--conf", conf}, strings.Fields(line)...)...)
			if code != exit.Usage || !strings.Contains(stderr, want) || stdout != "" {
				t.Errorf("exit code %d, %q on standard error, want 64 and %q", code, stderr, want)
			}
		})
	}
}

func TestSettingsFileComesFromTheEnvironmentToo(t *testing.T) {
	s := open(t, syncs)
	t.Setenv(confVariable, s.conf)
	stdout, stderr, code := execute(t.Context(), "config", "show")
	if code != exit.OK || !strings.Contains(stdout, "sync.sync_ips_from_dhcp") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

//
func TestExitCodes(t *testing.T) {
	s := imported(t, syncs+"guards: {max_delete_percent: 10, max_delete_count: 1}\n")

	s.expect(exit.OK, "sync")
	s.expect(exit.OK, "plan", "--detailed-exitcode")
	s.expect(exit.OK, "drift", "--detailed-exitcode")

	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[3].Hostname = "renamed" })
	s.expect(exit.OK, "plan")
	s.expect(exit.Differs, "plan", "--detailed-exitcode")
	s.expect(exit.Differs, "drift", "--detailed-exitcode")
	s.expect(exit.OK, "sync")

	lock := flock.New(filepath.Join(s.Folder, "state", "lock"))
	if ok, err := lock.TryLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.forget()
	s.expect(exit.Locked, "sync")
	if n := len(s.Front.Requests()) + len(s.dh1.Requests()); n > 0 {
		t.Errorf("%d requests in spite of the lock", n)
	}
	s.expect(exit.OK, "plan") // needs no lock
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}

	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases = nil })
	s.expect(exit.OK, "plan") // they wait for the end of their leases
	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Reservations = nil })
	s.forget()
	s.expect(exit.Guard, "plan")
	s.expect(exit.Guard, "sync")
	s.expect(exit.OK, "sync", "--allow-deletes")

	s.dh1.Fail(psutest.Fault{Path: "scopes", Kind: psutest.Error500})
	s.expect(exit.Failed, "plan")
	s.expect(exit.Failed, "sync")
	s.expect(exit.Failed, "doctor")
	s.dh1.ClearFaults()
	s.expect(exit.OK, "doctor")
}

// rule 3.8: where a person must act and something failed in the same run, the code is
// that of the guard; once the guard is released, that of the failure.
func TestAGuardGoesBeforeAFailure(t *testing.T) {
	for _, c := range []struct {
		name string
		fail func(*shell)
		code int // of a plan after the release
	}{
		{"a list that cannot be read", func(s *shell) { s.dh1.Fail(psutest.Fault{Path: "exclusions", Kind: psutest.Error500}) }, exit.Failed},
		{"a step that NetBox refuses", func(s *shell) {
			s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.6.0").Leases[0].Hostname = "renamed" })
			s.Front.Before(func(r mirrortest.Request) mirrortest.Break {
				if r.Write() && strings.Contains(r.Body, "renamed") {
					return mirrortest.Denied
				}
				return mirrortest.None
			})
		}, exit.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := imported(t, syncs+"guards: {max_delete_percent: 10, max_delete_count: 1}\n")
			s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases, w.Scope("10.8.4.0").Reservations = nil, nil })
			c.fail(s)
			s.expect(exit.Guard, "plan")
			s.expect(exit.Guard, "sync")
			s.expect(exit.Failed, "sync", "--allow-deletes")
			s.expect(c.code, "plan")
		})
	}
}

func TestUnpreparedNetBoxEndsWith64AndBootstrapMakesItReady(t *testing.T) {
	noEnvironment(t)
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	s := &shell{Lab: l, t: t, dh1: l.Add(psutest.Example("dh1.corp.example")), conf: filepath.Join(l.Folder, "config.yml")}
	l.Settings(syncs, nil)
	for _, command := range []string{"sync", "plan", "drift", "import"} {
		_, stderr, code := s.run(command)
		stdout, _, _ := s.run(command)
		if code != exit.Usage || !strings.Contains(stderr+stdout, "bootstrap") {
			t.Errorf("%s: exit code %d, %s%s", command, code, stdout, stderr)
		}
	}
	s.expect(exit.Failed, "doctor")

	stdout := s.expect(exit.OK, "bootstrap") // no terminal to ask at
	if !strings.Contains(stdout, "dhcp_client_id") {
		t.Errorf("the plan is not shown:\n%s", stdout)
	}
	_, _, code := s.atTerminal("n\n", "bootstrap")
	if code != exit.OK {
		t.Errorf("exit code %d", code)
	}
	s.writesNothing()
	if stdout, stderr, code := s.atTerminal("yes\n", "bootstrap"); code != exit.OK || !strings.Contains(stdout, "done") || !strings.Contains(stderr, "[y/N]") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	s.forget()
	if stdout := s.expect(exit.OK, "bootstrap", "--yes"); !strings.Contains(stdout, "nothing to do") {
		t.Errorf("the second time:\n%s", stdout)
	}
	s.writesNothing()
	s.expect(exit.OK, "sync", "--quiet")
}

// rule 9 row 22.
func TestDoctorNamesEachProblemWithItsFix(t *testing.T) {
	s := open(t, syncs)
	if stdout := s.expect(exit.OK, "doctor"); !strings.Contains(stdout, "ready") {
		t.Errorf("no word of it:\n%s", stdout)
	}
	s.File("dh1.token", s.dh1.NoRole())
	var findings []struct{ Severity, Object, Problem, Fix string }
	if err := json.Unmarshal([]byte(s.expect(exit.Failed, "doctor", "--json")), &findings); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range findings {
		found = found || f.Severity == "failure" && strings.Contains(f.Object, s.Host(0)) && strings.Contains(f.Problem, "token")
	}
	if !found {
		t.Errorf("no finding about the token: %+v", findings)
	}
	if stdout := s.expect(exit.Failed, "doctor", "--quiet"); !strings.Contains(stdout, "1 problem") {
		t.Errorf("quiet hides the problem:\n%s", stdout)
	}
	s.writesNothing()
}

// rule 5.5: the operator's word changes the memory; a dry run changes nothing.
func TestBootstrapTakesTheWordThatNetBoxIsTheSame(t *testing.T) {
	s := imported(t, "push_scope_info: true\n")
	moved := s.File("moved.yml", strings.Replace(readFile(t, s.conf), "state_dir: state", "state_dir: moved", 1))
	other := &shell{Lab: s.Lab, t: t, dh1: s.dh1, conf: moved}
	other.expect(exit.Guard, "sync", "--quiet")
	if stdout := other.expect(exit.OK, "bootstrap", "--same-netbox"); !strings.Contains(stdout, "remembers") {
		t.Errorf("said %q", stdout)
	}
	other.expect(exit.OK, "sync", "--quiet")
	s.expect(exit.Guard, "sync", "--quiet")
	dry := &shell{Lab: s.Lab, t: t, dh1: s.dh1, conf: s.File("dry.yml", strings.Replace(readFile(t, s.conf), "state_dir: state", "state_dir: state\n  dry_run: true", 1))}
	dry.expect(exit.OK, "bootstrap", "--same-netbox")
	s.expect(exit.Guard, "sync", "--quiet")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
