package netboxtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheReadmeListsEveryFact(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, g := range factGroups() {
		fmt.Fprintf(&want, "### %s (%s)\n\n", g.name, g.ids)
		for _, f := range g.facts {
			from := ""
			if f.from > 0 {
				from = fmt.Sprintf(" (from 4.%d)", f.from)
			}
			fmt.Fprintf(&want, "- %s%s\n", f.name, from)
		}
		want.WriteString("\n")
	}
	if !strings.Contains(string(b), want.String()) {
		t.Errorf("README.md does not contain the list of facts:\n%s", want.String())
	}
}
