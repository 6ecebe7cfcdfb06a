// Package report shows plans to people: as text for a terminal, as one line for
// a log, and as the list of what an import did. It must not decide anything, and
// nothing that decides may use it.
package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// TextOptions say how a plan is written for people.
type TextOptions struct {
	Colour  bool // with the escape sequences of a terminal
	Width   int  // of a line, in characters; 0: no limit
	Verbose bool // everything: each entry, what was left alone, the scopes
}

// shortList is how many entries of one field are shown if not all are asked
// for.
const shortList = 10

// Text writes the plan for people: steps by server, scope and address, then
// what is not done, and the counts. The error is that of w.
func Text(w io.Writer, p *plan.Plan, opts TextOptions) error {
	r := renderer{opts: opts}
	for _, target := range p.Targets() {
		r.target(p, target, "Changes in NetBox", "Changes on ")
	}
	r.violations(p.Violations)
	r.notes(p.Notes)
	if opts.Verbose {
		r.scopes(p.Scopes)
	}
	r.out.WriteString(Summary(p) + "\n")
	_, err := w.Write(r.out.Bytes())
	return err
}

// Changes writes steps alone, such as those that a run carried out. The error is
// that of w.
func Changes(w io.Writer, p *plan.Plan, opts TextOptions) error {
	r := renderer{opts: opts}
	for _, target := range p.Targets() {
		r.target(p, target, "Done in NetBox", "Done on ")
	}
	_, err := w.Write(r.out.Bytes())
	return err
}

// heading stands below a target: a scope in a VRF.
type heading struct {
	scope netip.Prefix
	vrf   int64
}

func (h heading) compare(o heading) int {
	return cmp.Or(h.scope.Compare(o.scope), cmp.Compare(h.vrf, o.vrf))
}

// StepsOf are the steps on a target by scope and address; those that are about
// no scope come first. Steps of one address stay in the order of the plan.
func StepsOf(p *plan.Plan, target string) []*plan.Step {
	var steps []*plan.Step
	for i := range p.Steps {
		if p.Steps[i].Target == target {
			steps = append(steps, &p.Steps[i])
		}
	}
	slices.SortStableFunc(steps, func(a, b *plan.Step) int {
		return cmp.Or(headingOf(a).compare(headingOf(b)), a.Addr.Compare(b.Addr))
	})
	return steps
}

func headingOf(s *plan.Step) heading { return heading{s.Scope, s.VRF} }

// sign is the mark of an action.
func sign(action state.Action) string {
	switch action {
	case state.Create:
		return "+"
	case state.Delete:
		return "-"
	}
	return "~"
}

// renderer collects the text of a plan.
type renderer struct {
	opts TextOptions
	out  bytes.Buffer
}

// The colours of a terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	dim    = "2"
)

func colourOf(sign string) string {
	return map[string]string{"+": green, "~": yellow, "-": red}[sign]
}

func (r *renderer) paint(colour, s string) string {
	if !r.opts.Colour || colour == "" || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// line writes text, made safe and broken at the width.
func (r *renderer) line(indent int, colour, text string) {
	r.wrapped(strings.Repeat(" ", indent), "", colour, text)
}

// wrapped writes text behind a head of one line; the lines after the first
// start below the text.
func (r *renderer) wrapped(margin, head, colour, text string) {
	text = printable.Text(text)
	first := margin + r.paint(colour, head)
	rest := strings.Repeat(" ", utf8.RuneCountInString(margin+head))
	for i, line := range wrap(text, r.opts.Width-utf8.RuneCountInString(rest)) {
		if i == 0 {
			r.out.WriteString(first)
		} else {
			r.out.WriteString(rest)
		}
		if head == "" {
			line = r.paint(colour, line)
		}
		r.out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// wrap breaks text between words; a word that is too long stays whole, so that
// addresses and names can be copied.
func wrap(text string, width int) []string {
	if width < 20 {
		return []string{text}
	}
	var lines []string
	line, length := "", 0
	for _, word := range strings.SplitAfter(text, " ") {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+utf8.RuneCountInString(strings.TrimRight(word, " ")) > width {
			lines = append(lines, line)
			line, length = "", 0
		}
		line += word
		length += n
	}
	return append(lines, line)
}

func (r *renderer) target(p *plan.Plan, target, inNetBox, onServer string) {
	title := inNetBox
	if target != plan.NetBox {
		title = onServer + target
	}
	r.line(0, bold, title)
	var last heading
	for i, s := range StepsOf(p, target) {
		if h := headingOf(s); i == 0 || h != last {
			last = h
			r.line(2, bold, scopeTitle(p, h.scope, h.vrf))
		}
		r.step(s)
	}
	r.out.WriteString("\n")
}

func (r *renderer) step(s *plan.Step) {
	name := StepTitle(s)
	if r.opts.Verbose && s.ID != 0 {
		name += fmt.Sprintf(" (id %d)", s.ID)
	}
	mark := sign(s.Action)
	if !r.opts.Verbose && s.Kind == state.IPAddress && s.Action == state.Create {
		r.wrapped("    ", mark+" ", colourOf(mark), Because(name+": "+plainAddress(s), s.Rule))
		return
	}
	r.wrapped("    ", mark+" ", colourOf(mark), name)
	r.differences(s)
	if s.Why != "" || s.Rule != "" {
		r.line(8, dim, Because(s.Why, s.Rule))
	}
	if s.Journal != "" && r.opts.Verbose {
		r.line(8, dim, "journal: "+s.Journal)
	}
}

// plainAddress is an address that is made, in the words that tell it from others. A
// first plan has thousands of them.
func plainAddress(s *plan.Step) string {
	var words []string
	for _, field := range []string{"status", "dns_name", plan.CustomField(state.FieldClientID)} {
		for _, c := range s.Changes {
			if text, ok := c.New.(string); ok && c.Field == field && text != "" {
				words = append(words, text)
			}
		}
	}
	return strings.Join(words, ", ")
}

// Because joins a reason and the rule behind it.
func Because(why, rule string) string {
	if rule == "" {
		return why
	}
	return strings.TrimSpace(why + " [" + rule + "]")
}

func (r *renderer) differences(s *plan.Step) {
	differences := Differences(s)
	width, entries := 0, map[string]int{}
	for _, d := range differences {
		width = max(width, utf8.RuneCountInString(printable.Text(d.Field)))
	}
	for i, d := range differences {
		label := printable.Text(d.Field)
		if i > 0 && differences[i-1].Field == d.Field {
			label = ""
		}
		head := label + strings.Repeat(" ", width-utf8.RuneCountInString(label)) + "  "
		text, colour := valueText(s.Action, d)
		if d.Entry {
			entries[d.Field]++
		}
		if n := entries[d.Field]; d.Entry && !r.opts.Verbose && n > shortList {
			if i+1 == len(differences) || differences[i+1].Field != d.Field {
				r.wrapped("        ", head, "", fmt.Sprintf("and %d more", n-shortList))
			}
			continue
		}
		if d.Entry {
			r.wrapped("        "+head, text[:2], colour, text[2:])
			continue
		}
		r.wrapped("        ", head, "", text)
	}
}

func (r *renderer) violations(list []plan.Violation) {
	if len(list) == 0 {
		return
	}
	r.line(0, bold, "Addresses with a status no scope accepts")
	for _, v := range list {
		address := v.Addr.String()
		if v.VRF != 0 {
			address += fmt.Sprintf(" (VRF %d)", v.VRF)
		}
		r.wrapped("  ", "! ", yellow, address+": "+v.Text)
	}
	r.out.WriteString("\n")
}

func (r *renderer) notes(notes []plan.Note) {
	for _, level := range Levels() {
		var of []plan.Note
		for _, n := range notes {
			if n.Level == level {
				of = append(of, n)
			}
		}
		if len(of) == 0 {
			continue
		}
		mark := "! "
		if level == plan.Skip || level == plan.Info {
			mark = "* "
		}
		if mark == "* " && !r.opts.Verbose {
			r.line(0, "", fmt.Sprintf("%s: %s, not shown", levelTitle(level), printable.Count(len(of), "note", "notes")))
			r.out.WriteString("\n")
			continue
		}
		r.line(0, bold, levelTitle(level))
		for _, alike := range r.together(of) {
			text := Because(alike[0].Text, alike[0].Rule)
			if where := alike.where(); where != "" {
				text = where + ": " + text
			}
			r.wrapped("  ", mark, levelColour(level), text)
		}
		r.out.WriteString("\n")
	}
}

func levelColour(level plan.Level) string {
	switch level {
	case plan.Failure, plan.Guard, plan.Conflict:
		return red
	case plan.Warning:
		return yellow
	}
	return dim
}

// together puts equal notes into one line, unless everything is asked for.
func (r *renderer) together(notes []plan.Note) []Alike {
	if !r.opts.Verbose {
		return Together(notes)
	}
	var list []Alike
	for _, n := range notes {
		list = append(list, Alike{n})
	}
	return list
}

func (r *renderer) scopes(scopes []plan.ScopeSeen) {
	if len(scopes) == 0 {
		return
	}
	r.line(0, bold, "Scopes")
	for _, s := range scopes {
		text := strings.TrimSpace(s.Scope.String()+" "+s.Name) + " of " + s.Source.String()
		if s.VRF != 0 {
			text += fmt.Sprintf(" (VRF %d)", s.VRF)
		}
		switch {
		case !s.Synced:
			text += ": not synced"
		case s.Leases+s.Reservations > 0: // else there are none, or they were not asked for
			text += fmt.Sprintf(": %s, %s", printable.Count(s.Leases, "lease", "leases"), printable.Count(s.Reservations, "reservation", "reservations"))
		}
		if s.Why != "" {
			text += ", " + s.Why
		}
		r.line(2, "", text)
	}
	r.out.WriteString("\n")
}
