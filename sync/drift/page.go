package drift

import (
	"bytes"
	_ "embed" // the files of the page
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
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
	made, err := report.NewPage(pageHTML, pageCSS, template.FuncMap{"parts": parts})
	if err != nil {
		return err
	}
	page, err := newPage(r, string(made.Style))
	if err != nil {
		return fmt.Errorf("drift page: %w", err)
	}
	page.Back = back
	var out bytes.Buffer
	if err := made.ExecuteTemplate(&out, "drift", page); err != nil {
		return fmt.Errorf("drift page: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// page is what the template shows.
type page struct {
	*Report
	Style  template.CSS
	Script template.JS
	Policy string // of the page about itself
	Back   string // the page that leads here

	Verdict report.Verdict
	Tiles   []report.Tile
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
	Mood       report.Mood
	Lines      []line
	Ref        report.RuleRef
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

func newPage(r *Report, style string) (*page, error) {
	rules := report.NewRules(func(rule spec.Rule) string { return "#" + rule.Anchor() })
	p := &page{
		Report:  r,
		Style:   template.CSS(style), //nolint:gosec // embedded, not input
		Script:  template.JS(pageJS), //nolint:gosec // embedded, not input
		Policy:  fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", report.Digest(style), report.Digest(pageJS)),
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
		sentence, err := report.RuleSentence(rule)
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, ruleText{rule, sentence})
	}
	return p, nil
}

func verdict(c Counts) report.Verdict {
	switch {
	case c.Failures > 0:
		return report.Verdict{Sentence: "Not everything could be compared.", Mood: report.Bad}
	case c.Guards > 0:
		return report.Verdict{Sentence: "A run would hold changes back.", Mood: report.Bad}
	case c.Differences() > 0:
		return report.Verdict{Sentence: "NetBox and Windows DHCP differ.", Mood: report.Drift}
	case c.Synced == 0:
		return report.Verdict{Sentence: "No scope was compared.", Mood: report.Drift}
	case !c.InStep():
		return report.Verdict{Sentence: "Nothing to change, but something to look at.", Mood: report.Drift}
	}
	return report.Verdict{Sentence: "NetBox and Windows DHCP are in step.", Mood: report.Good}
}

func tiles(c Counts) []report.Tile {
	var all []report.Tile
	add := func(n int, label, link string, mood report.Mood) {
		if n == 0 {
			link, mood = "", report.Plain
		}
		all = append(all, report.Tile{Label: label, Figure: report.Figure(n), Link: link, Class: mood})
	}
	add(c.Create, "to create", "#differences", report.Good)
	add(c.Update, "to change", "#differences", report.Drift)
	add(c.Delete, "to delete", "#differences", report.Bad)
	add(c.Failures, printable.Noun(c.Failures, "failure", "failures"), "#failure", report.Bad)
	add(c.Guards, "held back by guards", "#guard", report.Bad)
	add(c.Conflicts, printable.Noun(c.Conflicts, "conflict", "conflicts"), "#conflict", report.Bad)
	add(c.Warnings, printable.Noun(c.Warnings, "warning", "warnings"), "#warning", report.Drift)
	add(c.Violations, printable.Noun(c.Violations, "invalid status", "invalid statuses"), "#violations", report.Drift)
	return all
}

// targets groups differences, which are in order, by target and scope.
func targets(differences []Difference, rules *report.Rules) []targetGroup {
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

func newItem(d Difference, rules *report.Rules) item {
	it := item{Difference: d, Sign: "~", Verb: "change", Mood: report.Drift, Ref: rules.Ref(d.Rule)}
	switch d.Action {
	case state.Create:
		it.Sign, it.Verb, it.Mood = "+", "create", report.Good
	case state.Delete:
		it.Sign, it.Verb, it.Mood = "\u2212", "delete", report.Bad
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
func (p *page) anchor(s Scope) string {
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
