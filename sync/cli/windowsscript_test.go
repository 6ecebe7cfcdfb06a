package cli

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
)

// rule 13.5.
func TestTheScriptToInstallIsPrinted(t *testing.T) {
	noEnvironment(t)
	for line, kind := range map[string]string{"windows-script": "bound-read", "windows-script --write": "bound-write"} {
		stdout, stderr, code := execute(t.Context(), strings.Fields(line)...)
		if code != exit.OK || stderr != "" {
			t.Errorf("%s: exit code %d, %s", line, code, stderr)
		}
		if sum := fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(stdout)), kind); !strings.Contains(deploy.Sums, sum) {
			t.Errorf("%s prints another text than %s of deploy/ssh/sums", line, kind)
		}
	}
	if _, stderr, code := execute(t.Context(), "windows-script", "dh1"); code != exit.Usage || !strings.Contains(stderr, "takes no argument") {
		t.Errorf("an argument: exit code %d, %s", code, stderr)
	}
}

// rule 13.5: the help and the guide show one and the same line for authorized_keys.
func TestTheHelpShowsTheForcedCommandOfTheGuide(t *testing.T) {
	noEnvironment(t)
	stdout, _, _ := execute(t.Context(), "windows-script", "--help")
	forced := regexp.MustCompile(`restrict,from="10\.0\.0\.10",command="powershell .* ssh-ed25519 AAAA\.\.\.`).FindStringSubmatch(strings.Join(strings.Fields(stdout), " "))
	if forced == nil {
		t.Fatalf("the help has no line for authorized_keys:\n%s", stdout)
	}
	if guide := readFile(t, "../../deploy/ssh/README.md"); !strings.Contains(guide, forced[0]) {
		t.Errorf("deploy/ssh/README.md has another line than the help:\n%s", forced[0])
	}
}
