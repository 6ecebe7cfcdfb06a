package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const niceChild = "CLI_TEST_NICE_CHILD"

// rule 9 row 29. Being nice cannot be taken back, so a child
// does it.
func TestLowPriorityMakesEveryThreadNice(t *testing.T) {
	if os.Getenv(niceChild) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), niceChild+"=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "threads are nice") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := lowerPriority(); err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(threads) == 0 {
		t.Fatal(err)
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that ended
		}
		_, after, _ := strings.Cut(string(stat), ") ") // proc(5): the name may hold blanks
		if fields := strings.Fields(after); fields[16] != "10" {
			t.Errorf("%s: nice %s", path, fields[16])
		}
	}
	t.Logf("%d threads are nice", len(threads))
}
