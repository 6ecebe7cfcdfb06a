package drift

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the files of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

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

// HTML writes the report as one page that needs nothing but itself: style and
// script are in it, and its policy forbids it to load or run anything else. It
// reads the same without its script, which only filters. The error is that of w.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{"safe": printable.Text, "count": count, "parts": parts}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("drift page: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, newPage(r)); err != nil {
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

	Verdict string // one sentence
	Mood    string // class of the verdict: good, drift, bad
	Tiles   []tile
	Urgent  []noteGroup // somebody should look
	Quiet   []noteGroup
	Targets []targetGroup
	Rows    []scopeRow
}

type tile struct {
	Label, Link string
	Count       int
	Class       string
}

type noteGroup struct {
	Level plan.Level
	Title string
	Notes []Note
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
	Lines      []line
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

func newPage(r *Report) *page {
	p := &page{
		Report: r,
		Style:  template.CSS(pageCSS), //nolint:gosec // embedded, not input
		Script: template.JS(pageJS),   //nolint:gosec // embedded, not input
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", digest(pageCSS), digest(pageJS)),
	}
	p.Verdict, p.Mood = verdict(r.Counts)
	p.Tiles = tiles(r.Counts)
	for _, level := range report.Levels() {
		g := noteGroup{Level: level, Title: report.LevelTitle(level)}
		for _, n := range r.Notes {
			if n.Level == level {
				g.Notes = append(g.Notes, n)
			}
		}
		switch {
		case len(g.Notes) == 0:
		case level == plan.Skip || level == plan.Info:
			p.Quiet = append(p.Quiet, g)
		default:
			p.Urgent = append(p.Urgent, g)
		}
	}
	p.Targets = targets(r.Differences)
	for _, s := range r.Scopes {
		row := scopeRow{Scope: s}
		if s.Differences > 0 {
			row.Link = p.anchor(s)
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// digest names an inline script or style in the policy of the page.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func verdict(c Counts) (sentence, mood string) {
	switch {
	case c.Failures > 0:
		return "Not everything could be compared.", "bad"
	case c.Guards > 0:
		return "A run would hold changes back.", "bad"
	case c.Differences() > 0:
		return "NetBox and Windows DHCP differ.", "drift"
	case c.Synced == 0:
		return "No scope was compared.", "drift"
	case !c.InStep():
		return "Nothing to change, but something to look at.", "drift"
	}
	return "NetBox and Windows DHCP are in step.", "good"
}

func tiles(c Counts) []tile {
	noun := func(n int, one, many string) string {
		_, noun, _ := strings.Cut(count(n, one, many), " ")
		return noun
	}
	all := []tile{
		{"to create", "#differences", c.Create, "create"},
		{"to change", "#differences", c.Update, "update"},
		{"to delete", "#differences", c.Delete, "delete"},
		{noun(c.Failures, "failure", "failures"), "#failure", c.Failures, "bad"},
		{"held back by guards", "#guard", c.Guards, "bad"},
		{noun(c.Conflicts, "conflict", "conflicts"), "#conflict", c.Conflicts, "bad"},
		{noun(c.Warnings, "warning", "warnings"), "#warning", c.Warnings, "update"},
		{noun(c.Violations, "invalid status", "invalid statuses"), "#violations", c.Violations, "update"},
	}
	for i := range all {
		if all[i].Count == 0 {
			all[i].Link, all[i].Class = "", ""
		}
	}
	return all
}

// targets groups differences, which are in order, by target and scope.
func targets(differences []Difference) []targetGroup {
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
		group.Items = append(group.Items, newItem(d))
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

func newItem(d Difference) item {
	it := item{Difference: d, Sign: "~", Verb: "change"}
	switch d.Action {
	case state.Create:
		it.Sign, it.Verb = "+", "create"
	case state.Delete:
		it.Sign, it.Verb = "\u2212", "delete"
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

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// parts are the words of a field's name, between which a line may break.
func parts(field string) []string { return strings.Split(field, "_") }
