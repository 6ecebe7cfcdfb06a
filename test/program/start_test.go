package program

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// B-12: the start says in five lines what is served from where.
func TestTheStartSaysInFiveLinesWhatIsServedFromWhere(t *testing.T) {
	for name, c := range map[string]struct {
		inventory string
		store     string
		want      []string
	}{
		"all is well": {pool, "state", []string{
			`facts come from an inventory.*inventory=`, `lease store opened.*leases=0`, `snapshot of NetBox replaced.*dynamic=768.*prefixes=1`,
			`serving DHCPv4.*127\.0\.0\.1:`, `ready: clients are served`,
		}},
		"no store": {pool, "/dev/null/state", []string{
			`no lease store.*not a directory`, `facts come from an inventory`, `snapshot of NetBox replaced`, `serving DHCPv4`, `started, but not ready.*there is no lease store`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			conf, _ := lab(t, c.inventory)
			settings, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			write(t, conf, strings.Replace(string(settings), "path: state", "path: "+c.store, 1))
			out := new(bytes.Buffer)
			cmd := exec.CommandContext(t.Context(), binary, "serve", "--conf", conf)
			cmd.Env = []string{"HOME=" + t.TempDir()}
			log, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			buf := make([]byte, 4096)
			for last := regexp.MustCompile(c.want[4] + `.*\n`); !last.Match(out.Bytes()); {
				n, err := log.Read(buf)
				if err != nil {
					break
				}
				out.Write(buf[:n])
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			var lines []string
			for line := range strings.Lines(out.String()) {
				if !strings.Contains(line, "net.core.rmem_max") { // of this machine
					lines = append(lines, line)
				}
			}
			for _, want := range c.want { // store and facts come in either order
				if !slices.ContainsFunc(lines, regexp.MustCompile(want).MatchString) {
					t.Errorf("no line %s:\n%s", want, strings.Join(lines, ""))
				}
			}
			if len(lines) > len(c.want) {
				t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
			}
		})
	}
}

// SET-2, F-6, F-7: check and serve find the same mistakes in plugins that are not ours, and
// end with the same code.
func TestCheckAndServeAgreeOnForeignPlugins(t *testing.T) {
	for name, c := range map[string]struct{ entry, want string }{
		"a plugin that is not there": {"dance: 1", "dance"},
		"no argument":                {"lease_time:", "lease_time"},
		"a wrong argument":           {"mtu: big", "mtu"},
		"a wrong address":            {"router: nowhere", "router"},
		"a file that is not there":   {"file: /none/leases.txt", "/none/leases.txt"}, // C-8
		"a file with a wrong line":   {"file: LEASES", "malformed hardware address: somewhere"},
		"no file":                    {"file:", "file"},
		"a wrong time":               {"sleep: long", "parse duration"},
	} {
		leases := filepath.Join(t.TempDir(), "leases.txt")
		write(t, leases, "somewhere 10.77.1.1\n")
		conf, _ := lab(t, pool, strings.Replace(c.entry, "LEASES", leases, 1), "netbox:", "nak: authoritative")
		for _, command := range []string{"serve", "check"} {
			if stdout, stderr, code := run(t, command, "--conf", conf); code != 64 || !strings.Contains(stderr, c.want) || strings.Contains(stdout, "are right") {
				t.Errorf("%s: %s: exit code %d, want 64 and %q in\n%s%s", name, command, code, c.want, stdout, stderr)
			}
		}
	}
	leases := filepath.Join(t.TempDir(), "leases.txt")
	write(t, leases, "52:54:00:00:00:01 10.77.1.1\n")
	conf, _ := lab(t, pool, "server_id: 10.77.0.2", "mtu: 1500", "file: "+leases+" autorefresh", "netbox:", "nak: authoritative")
	if stdout, stderr, code := run(t, "check", "--conf", conf); code != 0 {
		t.Errorf("a good chain: exit code %d\n%s%s", code, stdout, stderr)
	}
}
