package page

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
)

// Rules makes the links to rules of one page, and remembers which it made. It is
// not safe for concurrent use.
type Rules struct {
	link func(spec.Rule) string
	refs map[string]RuleRef // by id as it was asked for
}

// NewRules makes links with a function that says where a rule is shown.
func NewRules(link func(spec.Rule) string) *Rules {
	return &Rules{link: link, refs: make(map[string]RuleRef)}
}

// RuleRef is the id of a rule on a page, with the link to its text.
type RuleRef struct {
	ID    string // empty: there is none
	Title string
	Link  string // empty: no page has such a rule
}

// Ref is the reference to a rule by its id.
func (r *Rules) Ref(id string) RuleRef {
	ref, known := r.refs[id]
	if known {
		return ref
	}
	ref.ID = id
	if rule, ok := spec.Lookup(id); ok {
		ref.Title, ref.Link = rule.Title, r.link(rule)
	}
	r.refs[id] = ref
	return ref
}

// Named returns the rules that Ref was asked for, in the order of the pages.
func (r *Rules) Named() []spec.Rule {
	return slices.DeleteFunc(spec.All(), func(rule spec.Rule) bool {
		ref, named := r.refs[rule.ID]
		return !named || ref.Link == ""
	})
}

// repositoryLink is a link to a file of the repository, which pages do not serve.
var repositoryLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// RuleText is the whole text of a rule as HTML.
func RuleText(r spec.Rule) (template.HTML, error) { return ruleHTML(r.Text) }

// RuleSentence is the first paragraph of a rule as HTML, behind a table if it
// begins with one; empty where there is none before the first finer rule.
func RuleSentence(r spec.Rule) (template.HTML, error) {
	for block := range strings.SplitSeq(r.Text, "\n\n") {
		switch {
		case strings.HasPrefix(block, "#"):
			return "", nil
		case !strings.HasPrefix(block, "|"):
			return ruleHTML(block)
		}
	}
	return "", nil
}

func ruleHTML(markdown string) (template.HTML, error) {
	var out bytes.Buffer
	text := repositoryLink.ReplaceAllString(markdown, "$1")
	if err := goldmark.New(goldmark.WithExtensions(extension.Table)).Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("text of a rule: %w", err)
	}
	// Screen readers need captions, and what a heading is for.
	tables := strings.NewReplacer("<th>", `<th scope="col">`, "<table>", `<table><caption class="hidden">Table of this rule</caption>`)
	return template.HTML(tables.Replace(out.String())), nil //nolint:gosec // G203: embedded, not input
}
