package repository

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A list of vulnerabilities that cannot be had is a skip that is told and counted,
// never a pass; one that was found, and a tool that breaks, are failures.
func TestAVulnerabilityCheckThatCannotLookSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		tool string // a shell script
		code int
		want string
	}{
		"nothing found":             {"exit 0", 0, "no known vulnerabilities"},
		"one found":                 {"echo GO-2026-1234; exit 3", 3, "GO-2026-1234"},
		"one found, by go run":      {"echo GO-2026-1234; echo exit status 3; exit 1", 3, "GO-2026-1234"},
		"no list":                   {"echo 'govulncheck: fetching vulnerabilities: Get: dial tcp: no such host'; exit 1", 0, "--- SKIP: known vulnerabilities"},
		"no list, by go run":        {"echo 'govulncheck: fetching vulnerabilities: Get: dial tcp: no such host'; echo exit status 1; exit 1", 0, "--- SKIP"},
		"no tool":                   {"echo 'go: module lookup disabled by GOPROXY=off'; exit 1", 0, "--- SKIP"},
		"packages that do not load": {"echo 'govulncheck: loading packages: undefined: x'; exit 1", 1, "loading packages"},
		"another failure":           {"exit 2", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tool := filepath.Join(t.TempDir(), "tool")
			if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+c.tool+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, "test", "vulnerabilities.sh"))
			cmd.Env = append(os.Environ(), "GOVULNCHECK="+tool)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(string(out), c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", got, c.code, c.want, out)
			}
			if c.want != "--- SKIP" && strings.Contains(string(out), "SKIP") != strings.Contains(c.want, "SKIP") {
				t.Errorf("told as a skip: %s", out)
			}
		})
	}
}
