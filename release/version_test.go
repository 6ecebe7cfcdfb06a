package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// PK-1: what release/version.sh says of a checkout.
func TestTheVersionIsTheTagOfTheCommit(t *testing.T) {
	const commit = `0\.0\.0\+[0-9a-f]{12}`
	for name, tt := range map[string]struct{ prepare, want string }{
		"a tag":                                   {"git tag v1.2.3", `1\.2\.3`},
		"a tag with a message":                    {"git tag -m release v1.2.3", `1\.2\.3`},
		"a pre-release":                           {"git tag v1.2.3-rc.1", `1\.2\.3-rc\.1`},
		"a pre-release that became the release":   {"git tag v1.2.3-rc.1; git tag v1.2.3", `1\.2\.3`},
		"the higher of two tags":                  {"git tag v1.10.0; git tag v1.9.0", `1\.10\.0`},
		"no tag":                                  {"true", commit},
		"a tag that is no version":                {"git tag nightly; git tag v1; git tag v1.2.3.4", commit},
		"a tag on an older commit":                {"git tag v1.2.3; git commit -q --allow-empty -m later", commit},
		"a shallow clone of it":                   {"git tag v1.2.3; git commit -q --allow-empty -m later; git clone -q --depth 1 file://$PWD clone; cd clone", commit},
		"a changed file, with a tag":              {"git tag v1.2.3; echo >>release/version.sh", `1\.2\.3\+dirty`},
		"a changed file, without a tag":           {"echo >>release/version.sh", commit + `\.dirty`},
		"a new file":                              {"touch more.go", commit + `\.dirty`},
		"no repository":                           {"rm -rf .git", `0\.0\.0\+unknown`},
		"the repository of somebody else around":  {"mkdir -p ours/release; cp release/version.sh ours/release; cd ours", `0\.0\.0\+unknown`},
		"VERSION goes before what git says":       {"git tag v1.2.3; export VERSION=9.9.9", `9\.9\.9`},
		"a checkout that belongs to another user": {"[ $(id -u) != 0 ] || chown -R 12345 .; git -c safe.directory=$PWD tag v1.2.3", `1\.2\.3`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := inRepository(t, tt.prepare, "./release/version.sh"); !regexp.MustCompile("^" + tt.want + "$").MatchString(got) {
				t.Errorf("%q, want %s", got, tt.want)
			} else if err := checkVersion(got); err != nil {
				t.Error(err)
			}
		})
	}
}

// PK-4: all files of a release have the time of the commit.
func TestTheTimeIsThatOfTheCommit(t *testing.T) {
	for name, tt := range map[string]struct{ prepare, want string }{
		"a commit":                             {"GIT_COMMITTER_DATE='1700000000 +0200' git commit -q --allow-empty -m later", "1700000000"},
		"SOURCE_DATE_EPOCH goes before it":     {"export SOURCE_DATE_EPOCH=7", "7"},
		"no repository, so that two are alike": {"rm -rf .git", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := inRepository(t, tt.prepare, "./release/version.sh --time"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// inRepository makes a repository with one commit that has the script, prepares
// it, and returns what a command prints there.
func inRepository(t *testing.T, prepare, command string) string {
	t.Helper()
	folder := t.TempDir()
	script, err := os.ReadFile("version.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "release"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "release", "version.sh"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", "git init -q .; git add .; git commit -q -m first; "+prepare+"; "+command)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder),
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org")
	cmd.Env = append(cmd.Env, "VERSION=", "SOURCE_DATE_EPOCH=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// PK-2: dpkg and rpm sort versions of packages as people do.
func TestPackagesSortAsVersionsDo(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg on this machine")
	}
	sorted := []string{"0.0.0+fb54829b92a2", "0.1.0-rc.1", "0.1.0-rc.2", "0.1.0", "0.1.0+dirty", "0.2.0", "0.10.0", "1.0.0"}
	for i := range sorted[1:] {
		older, newer := packageVersion(sorted[i])+"-1", packageVersion(sorted[i+1])+"-1"
		if out, err := exec.CommandContext(t.Context(), dpkg, "--compare-versions", older, "lt", newer).CombinedOutput(); err != nil {
			t.Errorf("%s is not before %s: %v %s", older, newer, err, out)
		}
	}
}

func TestAVersionThatIsNoneIsRefused(t *testing.T) {
	for _, v := range []string{"", "1", "1.2", "v1.2.3", "1.2.3-rc-1", "1.2.3 ", "1.2.3+a+b", "1.2.3-rc.1;x", "../1.2.3"} {
		if checkVersion(v) == nil {
			t.Errorf("%q is taken", v)
		}
	}
}
