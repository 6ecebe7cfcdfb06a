package spec

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func found(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(files, "*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d pages: %v", len(names), err)
	}
	return names
}

func TestEveryPageIsRead(t *testing.T) {
	have := make(map[string]bool)
	for _, r := range All() {
		have[r.Page] = true
	}
	for _, page := range found(t) {
		if !have[page] {
			t.Errorf("%s: no rule of it is read", page)
		}
	}
}

// section is the id of a section of the mirror's page: a name, and perhaps only
// other sections below it.
var section = regexp.MustCompile(`^[0-9.]+$`)

func TestEveryRuleIsWhole(t *testing.T) {
	for _, r := range All() {
		words := len(strings.Fields(r.Title))
		if strings.HasSuffix(r.Title, ".") {
			t.Errorf("%s: a title has no full stop: %q", r.ID, r.Title)
		}
		if section.MatchString(r.ID) {
			continue
		}
		if words < 2 || words > 9 {
			t.Errorf("%s: want a title of 2 to 9 words, not %q", r.ID, r.Title)
		}
		if r.Text == "" {
			t.Errorf("%s: no text", r.ID)
		}
	}
}

func TestEveryFinestHeadingIsARule(t *testing.T) {
	finest := regexp.MustCompile(`(?m)^### .*$`)
	for _, page := range found(t) {
		text, err := files.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range finest.FindAllString(string(text), -1) {
			if !heading.MatchString(line) {
				t.Errorf("%s: %q begins with no id", page, line)
			}
		}
	}
}

func TestNoIDAndNoAnchorIsGivenTwice(t *testing.T) {
	keys, anchors := make(map[string]string), make(map[string]string)
	for _, r := range All() {
		if other := keys[key(r.ID)]; other != "" {
			t.Errorf("%s is looked up like %s", r.ID, other)
		}
		keys[key(r.ID)] = r.ID
		place := r.Page + "#" + r.Anchor()
		if other := anchors[place]; other != "" {
			t.Errorf("%s has the anchor of %s", r.ID, other)
		}
		anchors[place] = r.ID
	}
}

func TestLookupForgives(t *testing.T) {
	for _, id := range []string{"D-7", "d-7", " D-7 ", "(D-7)", "D7", "d 7", "rule D-7", "[D-7]", "D-7."} {
		r, ok := Lookup(id)
		if !ok || r.ID != "D-7" || r.Page != "server.md" || r.Text == "" {
			t.Errorf("%q: %v %+v", id, ok, r)
		}
	}
	for _, id := range []string{"nb-1.4", "NB1.4", "NB 1.4"} {
		if r, ok := Lookup(id); !ok || r.ID != "NB-1.4" {
			t.Errorf("%q: %v %+v", id, ok, r)
		}
	}
	for _, id := range []string{"", "D", "D-", "D-99", "99", "D-7 and more", "rule"} {
		if r, ok := Lookup(id); ok {
			t.Errorf("%q finds %s", id, r.ID)
		}
	}
}

// The page of the mirror has ids of its own form.
func TestIDsWithRowsGuardsAndSteps(t *testing.T) {
	for want, forms := range map[string][]string{
		"3.5 row 4":   {"3.5 row 4", "3.5/4", "3.5 Row 4", "3.5  row  4", "3.5 4", "rule 3.5 row 4", "[3.5 row 4]", "3.5row4"},
		"3.7 guard c": {"3.7 guard c", "3.7/c", "3.7 C"},
		"4 step 2":    {"4 step 2", "4/2"},
		"9 row 15":    {"9 row 15", "9/15"},
		"1.4 quirk 2": {"1.4 quirk 2", "1.4/2"},
		"3.7 delete":  {"3.7 delete", "3.7/delete", "rule 3.7 Delete"},
		"5.2":         {"5.2", "rule 5.2"},
	} {
		for _, form := range forms {
			if key(form) != key(want) {
				t.Errorf("%q is not looked up as %s: %q, %q", form, want, key(form), key(want))
			}
		}
	}
}

func TestPagesAreCutAtTheirHeadings(t *testing.T) {
	const page = `# Title 1 2

Intro.

## 3.7 Cleanup

Section.

### 3.7 guard c Too many deletes

Guard.

` + "```\n## 9 In a fence\n```" + `

### 3.5 row by row

### 3.7 status settings Former ones count

### No id

## 3.8 Next one
# 10 Not a rule
### D-6b Both missing ###
Text.

#### Detail
More.
## Words
`
	want := []Rule{
		{ID: "3.7", Title: "Cleanup", Page: "p.md", Text: "Section.\n\n### 3.7 guard c Too many deletes\n\nGuard.\n\n```\n## 9 In a fence\n```\n\n### 3.5 row by row\n\n### 3.7 status settings Former ones count\n\n### No id"},
		{ID: "3.7 guard c", Title: "Too many deletes", Page: "p.md", Text: "Guard.\n\n```\n## 9 In a fence\n```"},
		{ID: "3.7 status settings", Title: "Former ones count", Page: "p.md"},
		{ID: "3.8", Title: "Next one", Page: "p.md"},
		{ID: "D-6b", Title: "Both missing ###", Page: "p.md", Text: "Text.\n\n#### Detail\nMore."},
	}
	if diff := cmp.Diff(want, parse("p.md", page)); diff != "" {
		t.Error(diff)
	}
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	for want, r := range map[string]Rule{
		"d-7-an-unknown-network":                  {ID: "D-7", Title: "An unknown network"},
		"35-row-4-a-lease-without-a-reservation":  {ID: "3.5 row 4", Title: "A lease without a reservation"},
		"k-4-nak-checks-other-lease-plugins":      {ID: "K-4", Title: "`nak` checks other lease plugins"},
		"g-4-routes-gateways--and-a_b":            {ID: "G-4", Title: "Routes, gateways & and a_b"},
		"nb-14-pages-and-fields":                  {ID: "NB-1.4", Title: "Pages and fields"},
		"x-12-http-boot-needs-a-url-not-a-path-ü": {ID: "X-12", Title: "HTTP boot needs a URL, not a path: ü"},
	} {
		if got := r.Anchor(); got != want {
			t.Errorf("%s: %s, want %s", r.Heading(), got, want)
		}
	}
}

func TestAnUnknownIDIsMetWithTheNearest(t *testing.T) {
	for id, want := range map[string][]string{
		"REC-9": {"REC-1", "REC-2", "REC-3", "REC-4", "REC-5"},
		"D-99":  {"D-9"},
		"e-7":   {"E-1"},
		"Ω":     nil,
		"":      nil,
	} {
		if diff := cmp.Diff(want, Nearest(id)); diff != "" {
			t.Errorf("%q: %s", id, diff)
		}
	}
	if got := Nearest("D-2c"); len(got) != mostNearest || got[0] != "D-2" {
		t.Errorf("D-2c: %v", got)
	}
}

func TestPlainTextFitsATerminal(t *testing.T) {
	r := Rule{Text: "One [link](https://example.org/a) and\nmore words\n\n- an item of a list\n  that goes on\n- ä ö ü ß\n\n| a table | is left as it is |\n\n```\ncode stays    too\n```\nunbreakable-word-of-more-than-20"}
	want := "One link and more\nwords\n\n- an item of a list\n  that goes on\n- ä ö ü ß\n\n| a table | is left as it is |\n\ncode stays    too\nunbreakable-word-of-more-than-20"
	if diff := cmp.Diff(want, r.Plain(20)); diff != "" {
		t.Error(diff)
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := Print(&b, "rec-1", false); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "CoreDHCP's server package is replaced\nrule REC-1\n\nOur binary") ||
		!strings.HasSuffix(got, "\n\ndocs/spec/server.md#rec-1-coredhcps-server-package-is-replaced\n") {
		t.Errorf("%s", got)
	}
	for line := range strings.Lines(b.String()) {
		if len([]rune(line)) > width+1 {
			t.Errorf("too long: %s", line)
		}
	}
	b.Reset()
	if err := Print(&b, "", false); err != nil || strings.Count(b.String(), "\n") != len(All()) {
		t.Errorf("%v\n%s", err, b.String())
	}
	unknown := (*UnknownError)(nil)
	if err := Print(&b, "REC-9", true); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "REC-1, REC-2, REC-3") {
		t.Errorf("%v", err)
	}
	if err := Print(&b, "nonsense", false); !errors.As(err, &unknown) || strings.Contains(err.Error(), "near") {
		t.Errorf("%v", err)
	}
}

// FuzzParse: whatever stands on a page, rules are looked up by their own id,
// and text is neither made up nor wrapped away.
func FuzzParse(f *testing.F) {
	f.Add("## 3.7 Cleanup\n\ntext\n### 3.7 guard c Many\n- a\n  b\n```\n## 1 x\n")
	f.Add("### D-6b A\r\n### NB-1.4 [x](y)\n| a |\n#### b")
	f.Add("### 9 row 15 \xff\n\x00")
	f.Fuzz(func(t *testing.T, page string) {
		for _, r := range parse("p.md", page) {
			if r.ID == "" || r.Title == "" || !strings.Contains(page, r.Text) {
				t.Fatalf("%+v", r)
			}
			if k := key(r.ID); k == "" || key(k) != k || key("rule "+r.ID) != k {
				t.Fatalf("%q is looked up as %q", r.ID, k)
			}
			_ = r.Anchor()
			words := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "```", "")), "") }
			if got := words(r.Plain(30)); !strings.Contains(r.Text, "```") && got != words(link.ReplaceAllString(r.Text, "$1")) {
				t.Fatalf("%q became %q", r.Text, r.Plain(30))
			}
		}
	})
}
