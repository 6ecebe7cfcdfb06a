//go:build linux

package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// needs skips without INTEGRATION=1, and where a program is missing; with
// REQUIRE_INTEGRATION=1 what is missing fails.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("INTEGRATION") == "" {
		t.Skip("INTEGRATION is not set")
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil && os.Geteuid() == 0 {
			continue
		}
		what := "not root, or no " + name + ": test/netns/install.sh installs it"
		if os.Getenv("REQUIRE_INTEGRATION") == "1" {
			t.Fatal("REQUIRE_INTEGRATION=1, but ", what)
		}
		t.Skip(what)
	}
}

const (
	older = "0.0.1"
	newer = "0.0.2"
	// architecture of this machine's processors; make release makes others as well.
	architecture = "amd64"
)

// build runs release in a checkout, as make release does.
func build(checkout, out, version string, args ...string) error {
	command := append([]string{"run", "-trimpath", "./release", "-out", out, "-version", version, "-time", "1700000000", "-arch", architecture}, args...)
	cmd := exec.Command("go", command...)
	cmd.Dir = checkout
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("release of %s: %w\n%s", version, err, said)
	}
	return nil
}

// shared is where the release is that all tests look at.
var shared string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "packages-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// released is a release of this checkout, or the one that RELEASE_FOLDER names, made with
// make release VERSION=0.0.2.
var released = sync.OnceValues(func() (string, error) {
	if folder := os.Getenv("RELEASE_FOLDER"); folder != "" {
		return folder, nil
	}
	folder := filepath.Join(shared, "new")
	return folder, build("../..", folder, newer)
})

func release(t *testing.T) string {
	t.Helper()
	folder, err := released()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// run fails the test with what a program said.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// PK-4: the second build is in another folder, as another user would have it. Go's
// own cache is shared, so that what is compared are linker and recipe.
func TestASecondBuildElsewhereGivesTheSameBytes(t *testing.T) {
	needs(t, "git", "tar")
	first := release(t)
	elsewhere := t.TempDir()
	run(t, "sh", "-ec", `cd ../.. && git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$1"`, "sh", elsewhere)
	t.Setenv("TZ", "Pacific/Kiritimati")
	t.Setenv("LC_ALL", "tr_TR.UTF-8")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
	t.Setenv("GOMODCACHE", goEnv(t, "GOMODCACHE"))
	out := filepath.Join(elsewhere, "dist")
	if err := build(elsewhere, out, newer); err != nil {
		t.Fatal(err)
	}
	sums := func(folder string) string {
		text, err := os.ReadFile(filepath.Join(folder, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if a, b := sums(first), sums(out); a != b {
		t.Errorf("the first build has\n%s\nthe second\n%s", a, b)
	}
	if n := strings.Count(sums(first), "\n"); n != 10 {
		t.Errorf("%d results, want archive, deb, rpm, list of parts and image of two programs", n)
	}
	run(t, "sh", "-ec", `cd "$1" && sha256sum --quiet -c SHA256SUMS`, "sh", first)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
