package cli

import (
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
)

func TestRulesArePrinted(t *testing.T) {
	noEnvironment(t)
	for line, want := range map[string]string{
		"rule":               "NB-1.14",
		"rule nb-1.5":        "rule NB-1.5",
		"rule NB 1.5":        "rule NB-1.5",
		"rule NB-1.5 --json": `"id": "NB-1.5"`,
	} {
		stdout, stderr, code := execute(t.Context(), strings.Fields(line)...)
		if code != exit.OK || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", line, code, want, stdout, stderr)
		}
	}
}
