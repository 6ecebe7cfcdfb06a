package repository

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
)

var update = flag.Bool("update", false, "write docs/rules.md anew")

// rules are those that a packet, a plan, a log line or a setting shows, and that
// therefore need a test. Groups of facts and limits, and chapters of the
// mirror's page that hold finer rules, do not.
func rules() []spec.Rule {
	chapters := []string{"1", "1.4", "2", "3", "5", "9", "10", "11", "13"}
	return slices.DeleteFunc(spec.All(), func(r spec.Rule) bool {
		return ruleID.FindString(r.ID) != r.ID && (r.Page != "mirror.md" || slices.Contains(chapters, r.ID))
	})
}

// waiting are the rules that no test names yet, and why.
func waiting() map[string]string {
	return map[string]string{
		"N-7":  "optional: VSS (option 82 sub-option 151) does not select a VRF in this version",
		"X-16": "nothing to see in a packet: no code of the server writes these fields",
	}
}

var ruleID = regexp.MustCompile(`\b(BF-\d+|[CINDKRAGSHBX]-\d+b?|(?:OPT|CTX|CL|HI|PK|WEB|DNS)-\d+)\b`)

// ruleSpan is a run of ids, written "D-7 to D-10".
var ruleSpan = regexp.MustCompile(`\b([CINDKRAGSHBX])-(\d+)b? to ([CINDKRAGSHBX])-(\d+)\b`)

// number is an id of the mirror's page: "3.7", "3.5 row 4", "3.7 guard c".
const number = `[0-9]+(?:\.[0-9]+)?(?: (?:row|guard|step|quirk|point) (?:[0-9]+|[a-z])\b| (?:delete|downgrade|scope cleanup|status settings changed)\b)?`

var (
	oneNumber = regexp.MustCompile(number)
	// mirrorRules is how comments name rules of the mirror: "rules 3.4 and 9 row 43".
	mirrorRules = regexp.MustCompile(`\brules? (` + number + `(?:(?:, | and | to )` + number + `)*)`)
	// mirrorCase is how names of cases and expectations begin with one.
	mirrorCase = regexp.MustCompile(`["\[](` + number + `)[^0-9.]`)
)

func TestEveryRuleIsNamedByATestOrWaitsForAReason(t *testing.T) {
	tests := testsByRule(t)
	addFeatures(t, tests)
	for _, rule := range rules() {
		id := rule.ID
		reason := waiting()[id]
		switch {
		case len(tests[id]) == 0 && reason == "":
			t.Errorf("%s: no test names it", id)
		case len(tests[id]) > 0 && reason != "":
			t.Errorf("%s: waits (%s), but %s names it", id, reason, tests[id][0])
		}
	}
	page := rulesPage(tests)
	path := filepath.Join(root, "docs", "rules.md")
	if *update {
		if err := os.WriteFile(path, page, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, page) {
		t.Errorf("docs/rules.md is stale (%v): go test ./test/repository -update", err)
	}
}

func rulesPage(tests map[string][]string) []byte {
	var b bytes.Buffer
	b.WriteString("# Rules and their tests\n\nGenerated from the tests that name a rule: `go test ./test/repository -update`.\n\n| rule | says | tests |\n|---|---|---|\n")
	for _, rule := range rules() {
		fmt.Fprintf(&b, "| [%s](spec/%s#%s) | %s | ", rule.ID, rule.Page, rule.Anchor(), rule.Title)
		if reason := waiting()[rule.ID]; reason != "" {
			fmt.Fprintf(&b, "waits: %s |\n", reason)
			continue
		}
		list := tests[rule.ID]
		more := ""
		if len(list) > 6 {
			list, more = list[:6], fmt.Sprintf(" and %d more", len(tests[rule.ID])-6)
		}
		fmt.Fprintf(&b, "%s%s |\n", strings.Join(list, "<br>"), more)
	}
	return b.Bytes()
}

// testsByRule finds the test functions that name each rule, in a comment or in
// the name of a case.
func testsByRule(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string]map[string]bool)
	eachFile(t, "_test.go", func(path string, source []byte) {
		if filepath.ToSlash(filepath.Dir(path)) == "docs/spec" {
			return // how ids are looked up says nothing about the rules
		}
		for id, name := range namedIn(t, path, source) {
			for test := range name {
				if found[id] == nil {
					found[id] = make(map[string]bool)
				}
				found[id][filepath.Dir(path)+"."+test] = true
			}
		}
	})
	tests := make(map[string][]string)
	for id, names := range found {
		tests[id] = slices.Sorted(maps.Keys(names))
	}
	return tests
}

// addFeatures adds the tests that docs/sync/features.md names for the promises
// of section 9.
func addFeatures(t *testing.T, tests map[string][]string) {
	t.Helper()
	page, err := os.ReadFile(root + "/docs/sync/features.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		row := regexp.MustCompile(`^\| (\d+) \|`).FindStringSubmatch(line)
		if row == nil {
			continue
		}
		id := "9 row " + row[1]
		for _, m := range testRef.FindAllStringSubmatch(line, -1) {
			tests[id] = append(tests[id], m[1]+"."+m[2])
		}
		slices.Sort(tests[id])
		tests[id] = slices.Compact(tests[id])
	}
}

// namedIn returns rule id -> functions of one test file. A comment belongs to
// the function around it or after it.
func namedIn(t *testing.T, path string, source []byte) map[string]map[string]bool {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]map[string]bool)
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
			continue
		}
		from, to := f.Pos(), f.End()
		if f.Doc != nil {
			from = f.Doc.Pos()
		}
		text := string(source[files.Position(from).Offset:lineEnd(source, files.Position(to).Offset)])
		ids := idsIn(text)
		if ofTheMirror(path) {
			ids = append(ids, numbersIn(text)...)
		}
		for _, id := range ids {
			if named[id] == nil {
				named[id] = make(map[string]bool)
			}
			named[id][f.Name.Name] = true
		}
	}
	return named
}

// lineEnd returns the end of the line at offset.
func lineEnd(source []byte, offset int) int {
	if i := bytes.IndexByte(source[offset:], '\n'); i >= 0 {
		return offset + i
	}
	return len(source)
}

func idsIn(text string) []string {
	var ids []string
	for _, m := range ruleID.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
	}
	for _, m := range ruleSpan.FindAllStringSubmatch(text, -1) {
		var low, high int
		fmt.Sscanf(m[2]+" "+m[4], "%d %d", &low, &high)
		for n := low; n <= high && m[1] == m[3]; n++ {
			ids = append(ids, fmt.Sprintf("%s-%d", m[1], n))
		}
	}
	return ids
}

// ofTheMirror reports whether a number in a file may be a rule of the mirror.
func ofTheMirror(path string) bool {
	path = filepath.ToSlash(path)
	return slices.ContainsFunc([]string{"sync/", "standins/psutest/", "standins/sshtest/", "deploy/psu/", "deploy/ssh/"}, func(room string) bool { return strings.HasPrefix(path, room) })
}

// numbersIn returns the rules of the mirror that a text names.
func numbersIn(text string) []string {
	var ids []string
	for _, m := range mirrorRules.FindAllStringSubmatch(text, -1) {
		ids = append(ids, oneNumber.FindAllString(m[1], -1)...)
	}
	for _, m := range mirrorCase.FindAllStringSubmatch(text, -1) {
		if strings.ContainsAny(m[1], ". ") { // a bare number says nothing here
			ids = append(ids, m[1])
		}
	}
	return ids
}
