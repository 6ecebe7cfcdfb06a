// Package spec holds the rules that both programs follow, as pages to be read
// and as data to be printed: every id in a log line, a trace or a plan has its
// text here. It must not decide anything: no program may behave differently
// because of what stands in these pages.
package spec

import (
	"embed"
	"slices"
	"strings"
	"sync"
	"unicode"
)

//go:embed *.md
var files embed.FS

// Rule is one rule, or one fact that rules rest on.
type Rule struct {
	ID    string `json:"id"`    // "D-7", "NB-1.4", "3.5 row 4"
	Title string `json:"title"` // the rule in a few words, without a full stop
	Page  string `json:"page"`  // file in docs/spec
	Text  string `json:"text"`  // Markdown below the heading
}

// Heading is the rule's heading as it stands on the page.
func (r Rule) Heading() string { return r.ID + " " + r.Title }

// Anchor is the fragment that GitHub gives the rule's heading, without #.
func (r Rule) Anchor() string {
	var b strings.Builder
	for _, c := range strings.ToLower(r.Heading()) {
		switch {
		case c == ' ':
			b.WriteByte('-')
		case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

// All returns the rules of all pages: the server's, the mirror's, and the facts
// about NetBox, each page from top to bottom. The caller may change the slice.
func All() []Rule { return slices.Clone(all()) }

var all = sync.OnceValue(func() []Rule { //nolint:gochecknoglobals // the pages are part of the program and never change
	var rules []Rule
	for _, page := range []string{"server.md", "mirror.md", "netbox.md"} {
		text, err := files.ReadFile(page)
		if err != nil {
			continue // no such page yet
		}
		rules = append(rules, parse(page, string(text))...)
	}
	return rules
})

// Lookup finds a rule by its id. Case, blanks and brackets do not matter, and
// the word in the middle may be a slash: "d-7", "(D-7)", "rule 3.5 row 4" and
// "3.5/4" are understood.
func Lookup(id string) (Rule, bool) {
	want := key(id)
	at := slices.IndexFunc(all(), func(r Rule) bool { return key(r.ID) == want })
	if at < 0 {
		return Rule{}, false
	}
	return all()[at], true
}

// mostNearest is how many ids are suggested for an unknown one.
const mostNearest = 5

// Nearest returns the ids that begin most like one that does not exist, in the
// order of the pages; none where no id begins like it.
func Nearest(id string) []string {
	want, longest := key(id), 2 // the letter and what follows it
	if want != "" && unicode.IsDigit(rune(want[0])) {
		longest = 1
	}
	var ids []string
	for _, r := range all() {
		switch n := commonPrefix(want, key(r.ID)); {
		case n > longest:
			longest, ids = n, []string{r.ID}
		case n == longest && len(ids) < mostNearest:
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
