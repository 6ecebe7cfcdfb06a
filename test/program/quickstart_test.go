package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

// The quick start works as it stands: its blocks are run one after the other by a shell.
// What needs root is noted and not run.
func TestTheQuickStartWorks(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "sudo"), "#!/bin/sh\necho \"$@\" >>noted\n")
	if err := os.Chmod(filepath.Join(folder, "sudo"), 0o700); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/quick-start.md")
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for line, block := range checkout.ShellBlocks(string(page)) {
		shell := exec.CommandContext(t.Context(), "sh", "-eu")
		shell.Dir, shell.Stdin = folder, strings.NewReader(block)
		shell.Env = []string{"HOME=" + folder, "PATH=" + folder + ":" + filepath.Dir(binary) + ":" + os.Getenv("PATH")}
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("the block at line %d: %v\n%s", line, err, out)
		}
		printed = append(printed, string(out))
	}
	all := strings.Join(printed, "\n")
	for _, want := range []string{"settings are right", "192.168.1.10/24", "192.168.1.100/24"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing printed has %q:\n%s", want, all)
		}
	}
	noted, err := os.ReadFile(filepath.Join(folder, "noted"))
	if err != nil || string(noted) != "coredhcp-netbox serve -c config.yml\n" {
		t.Errorf("as root: %q, %v", noted, err)
	}
}
