package repository

import (
	"regexp"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// letterID is an id as the pages of the server and of NetBox have them.
var letterID = regexp.MustCompile(`\b(?:[CINDKRAGSHBXEFLPV]|BF|REC|SET|NB|OPT|CTX|CL|HI|PK|WEB|DNS)-[0-9]+(?:\.[0-9]+)?[a-z]?\b`)

func TestEveryIDIsDefined(t *testing.T) {
	known, used := make(map[string]bool), make(map[string]bool)
	for _, r := range spec.All() {
		known[r.ID] = true
	}
	for _, suffix := range []string{".go", ".md", ".cfg", ".sh", ".yml", ".example", ".html", ".tmpl", ".ps1"} {
		eachFile(t, suffix, func(path string, content []byte) {
			if path == "docs/spec/spec_test.go" {
				return // looks up ids that do not exist
			}
			for _, id := range letterID.FindAllString(string(content), -1) {
				used[id] = true
				if !known[id] {
					t.Errorf("%s: %s is on no page of docs/spec", path, id)
				}
			}
			for _, m := range mirrorRules.FindAllStringSubmatch(string(content), -1) {
				for _, id := range oneNumber.FindAllString(m[1], -1) {
					used[id] = true
					if !known[id] {
						t.Errorf("%s: rule %s is on no page of docs/spec", path, id)
					}
				}
			}
		})
	}
	if len(used) < 150 {
		t.Errorf("only %d ids are used", len(used))
	}
}

// TestEveryCauseHasARule holds what plans and pages of the mirror show.
func TestEveryCauseHasARule(t *testing.T) {
	causes := 0
	for c := plan.NoCause + 1; c <= plan.CauseReadOnly; c++ {
		causes++
		if _, ok := spec.Lookup(c.Rule()); !ok {
			t.Errorf("cause %d: rule %q is on no page of docs/spec", c, c.Rule())
		}
	}
	if causes < 40 {
		t.Errorf("only %d causes", causes)
	}
}
