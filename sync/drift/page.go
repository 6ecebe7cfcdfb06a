package drift

import (
	"bytes"
	_ "embed" // the files of the page
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// HTML writes the report as one page that needs nothing but itself: style, script
// and the rules it names are in it, and its policy forbids it to load or run
// anything else. It reads the same without its script, which only filters. The
// error is that of w.
func (r *Report) HTML(w io.Writer) error { return r.HTMLUnder(w, "") }

// HTMLUnder is HTML with a way back to the page that leads here.
func (r *Report) HTMLUnder(w io.Writer, back string) error {
	made, err := page.New(report.Templates+pageHTML, pageCSS, template.FuncMap{"parts": parts})
	if err != nil {
		return err
	}
	shown, err := newSheet(r, string(made.Style))
	if err != nil {
		return fmt.Errorf("drift page: %w", err)
	}
	shown.Back = back
	var out bytes.Buffer
	if err := made.ExecuteTemplate(&out, "drift", shown); err != nil {
		return fmt.Errorf("drift page: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// sheet is what the template shows.
type sheet struct {
	*Report
	Style  template.CSS
	Script template.JS
	Policy string // of the page about itself
	Back   string // the page that leads here

	Verdict page.Verdict
	Tiles   []page.Tile
	Urgent  []report.NoteGroup // an operator has to look
	Quiet   []report.NoteGroup
	Invalid report.Violations
	Targets []targetGroup
	Rows    []scopeRow
	Rules   []ruleText // those the page names
}

// ruleText is a rule at the end of the page.
type ruleText struct {
	spec.Rule
	Sentence template.HTML
}

type targetGroup struct {
	Title  string
	Count  int
	Groups []scopeGroup
}

type scopeGroup struct {
	ID    string
	Title string
	Items []item
}

// item is a difference as the page shows it.
type item struct {
	Difference
	Sign, Verb string
	Mood       page.Mood
	Lines      []line
	Ref        page.RuleRef
}

// line is a field; the name is given once for all entries of a list.
type line struct {
	Field
	Label string
	Span  int // lines the label stands for; 0: it stands above already
}

type scopeRow struct {
	Scope
	Link string
}

func newSheet(r *Report, style string) (*sheet, error) {
	rules := page.NewRules(func(rule spec.Rule) string { return "#" + rule.Anchor() })
	p := &sheet{
		Report:  r,
		Style:   template.CSS(style), //nolint:gosec // embedded, not input
		Script:  template.JS(pageJS), //nolint:gosec // embedded, not input
		Policy:  fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", page.Digest(style), page.Digest(pageJS)),
		Verdict: verdict(r.Counts), Tiles: tiles(r.Counts), Targets: targets(r.Differences, rules), Invalid: report.Violations{Count: len(r.Violations)},
	}
	p.Urgent, p.Quiet = report.GroupNotes(r.Notes, len(r.Notes), rules)
	for _, v := range r.Violations {
		p.Invalid.Rows = append(p.Invalid.Rows, report.ViolationRow{Address: v.Address, VRF: figure(v.VRF), Text: v.Text})
	}
	for _, s := range r.Scopes {
		row := scopeRow{Scope: s}
		if s.Differences > 0 {
			row.Link = p.anchor(s)
		}
		p.Rows = append(p.Rows, row)
	}
	for _, rule := range rules.Named() {
		sentence, err := page.RuleSentence(rule)
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, ruleText{rule, sentence})
	}
	return p, nil
}

func verdict(c Counts) page.Verdict {
	switch {
	case c.Failures > 0:
		return page.Verdict{Sentence: "Not everything could be compared.", Mood: page.Bad}
	case c.Guards > 0:
		return page.Verdict{Sentence: "A run would hold changes back.", Mood: page.Bad}
	case c.Differences() > 0:
		return page.Verdict{Sentence: "NetBox and Windows DHCP differ.", Mood: page.Drift}
	case c.Synced == 0:
		return page.Verdict{Sentence: "No scope was compared.", Mood: page.Drift}
	case !c.InStep():
		return page.Verdict{Sentence: "Nothing to change, but something to look at.", Mood: page.Drift}
	}
	return page.Verdict{Sentence: "NetBox and Windows DHCP are in step.", Mood: page.Good}
}

func tiles(c Counts) []page.Tile {
	var all []page.Tile
	add := func(n int, label, link string, mood page.Mood) {
		if n == 0 {
			link, mood = "", page.Plain
		}
		all = append(all, page.Tile{Label: label, Figure: page.Figure(n), Link: link, Class: mood})
	}
	add(c.Create, "to create", "#differences", page.Good)
	add(c.Update, "to change", "#differences", page.Drift)
	add(c.Delete, "to delete", "#differences", page.Bad)
	add(c.Failures, printable.Noun(c.Failures, "failure", "failures"), "#failure", page.Bad)
	add(c.Guards, "held back by guards", "#guard", page.Bad)
	add(c.Conflicts, printable.Noun(c.Conflicts, "conflict", "conflicts"), "#conflict", page.Bad)
	add(c.Warnings, printable.Noun(c.Warnings, "warning", "warnings"), "#warning", page.Drift)
	add(c.Violations, printable.Noun(c.Violations, "invalid status", "invalid statuses"), "#violations", page.Drift)
	return all
}

// targets groups differences, which are in order, by target and scope.
func targets(differences []Difference, rules *page.Rules) []targetGroup {
	var out []targetGroup
	for i, d := range differences {
		if i == 0 || d.Target != differences[i-1].Target {
			out = append(out, targetGroup{Title: targetTitle(d.Target)})
		}
		target := &out[len(out)-1]
		target.Count++
		if n := len(target.Groups); n == 0 || d.Scope != differences[i-1].Scope || d.VRF != differences[i-1].VRF {
			target.Groups = append(target.Groups, scopeGroup{ID: fmt.Sprintf("d%d-%d", len(out), n+1), Title: groupTitle(d)})
		}
		group := &target.Groups[len(target.Groups)-1]
		group.Items = append(group.Items, newItem(d, rules))
	}
	return out
}

func targetTitle(target string) string {
	if target == plan.NetBox {
		return "A run would change in NetBox"
	}
	return "A run would change on " + target
}

func groupTitle(d Difference) string {
	if d.Scope == "" {
		return "General"
	}
	title := strings.TrimSpace(d.Scope + " " + d.ScopeName)
	if d.VRF != 0 {
		title += fmt.Sprintf(" (VRF %d)", d.VRF)
	}
	return title
}

func newItem(d Difference, rules *page.Rules) item {
	it := item{Difference: d, Sign: "~", Verb: "change", Mood: page.Drift, Ref: rules.Ref(d.Rule)}
	switch d.Action {
	case state.Create:
		it.Sign, it.Verb, it.Mood = "+", "create", page.Good
	case state.Delete:
		it.Sign, it.Verb, it.Mood = "\u2212", "delete", page.Bad
	}
	first := 0
	for i, f := range d.Fields {
		l := line{Field: f, Label: f.Name}
		if i == 0 || d.Fields[i-1].Name != f.Name {
			first = i
		}
		it.Lines = append(it.Lines, l)
		it.Lines[first].Span++
	}
	return it
}

// anchor is where the differences of a scope begin.
func (p *sheet) anchor(s Scope) string {
	for _, t := range p.Targets {
		for _, g := range t.Groups {
			if d := g.Items[0]; d.Scope == s.Scope && d.VRF == s.VRF {
				return "#" + g.ID
			}
		}
	}
	return ""
}

// parts are the words of a field's name, between which a line may break.
func parts(field string) []string { return strings.Split(field, "_") }
