package program

import (
	"bytes"
	"os"
	"os/exec"
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
