package repository

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Tests that need a real NetBox, network namespaces or a program of the machine may be
// skipped by make test.
// A package that moves must not drop out of make integration with them.
func TestIntegrationRunsEveryPackageThatNeedsIt(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, "test", "integration.sh"))
	if err != nil {
		t.Fatal(err)
	}
	needs := regexp.MustCompile(`/test/netns"|\bnetboxtest\.(Real|Disposable)\(|\bmirrortest\.Real\(|\bintegration\.RealNetBox\(|\bexec\.LookPath\(|\bkind\{Real, RealJump\}|\bsshtest\.Real|(?m)^\s+url, token := Real\(t\)$`)
	found := 0
	eachFile(t, "_test.go", func(path string, source []byte) {
		if !needs.Match(source) || path == "test/repository/integration_test.go" {
			return
		}
		found++
		for folder := filepath.ToSlash(filepath.Dir(path)); folder != "."; folder = filepath.ToSlash(filepath.Dir(folder)) {
			if regexp.MustCompile(`\./` + regexp.QuoteMeta(folder) + `(\s|/\.\.\.)`).Match(script) {
				return
			}
		}
		t.Errorf("test/integration.sh does not run %s", path)
	})
	if found < 10 || !strings.Contains(string(script), "REQUIRE_INTEGRATION=1") {
		t.Errorf("only %d test files need integration", found)
	}
}
