package report

import (
	_ "embed" // the templates
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Templates are those of notes and of addresses with an invalid status, for the
// templates of a page.
//
//go:embed page.html
var Templates string

// Note is a note of a plan as pages and JSON show it.
type Note struct {
	Level   plan.Level   `json:"level"`
	Server  string       `json:"server,omitempty"`
	Scope   netip.Prefix `json:"scope,omitzero"`
	Address netip.Addr   `json:"address,omitzero"`
	Rule    string       `json:"rule,omitempty"`
	Text    string       `json:"text"`
}

// NewNote makes the view of a note.
func NewNote(n plan.Note) Note {
	return Note{Level: n.Level, Server: n.Server, Scope: n.Scope, Address: n.Addr, Rule: n.Rule, Text: n.Text}
}

// NoteGroup is the notes of one level on a page.
type NoteGroup struct {
	Level plan.Level
	Title string
	Count int
	Notes []NoteRow // those that are shown
}

// NoteRow is a note on a page.
type NoteRow struct {
	Note
	Ref page.RuleRef
}

// Urgent reports whether an operator has to look at notes of a level; the others
// are for the record.
func Urgent(level plan.Level) bool { return level != plan.Skip && level != plan.Info }

// GroupNotes sorts notes into tables for a page: those an operator has to look
// at, and those for the record. Of each level the first most are shown.
func GroupNotes(notes []Note, most int, rules *page.Rules) (urgent, quiet []NoteGroup) {
	for _, level := range Levels() {
		g := NoteGroup{Level: level, Title: levelTitle(level)}
		for _, n := range notes {
			if n.Level != level {
				continue
			}
			g.Count++
			if g.Count <= most {
				g.Notes = append(g.Notes, NoteRow{n, rules.Ref(n.Rule)})
			}
		}
		switch {
		case g.Count == 0:
		case Urgent(level):
			urgent = append(urgent, g)
		default:
			quiet = append(quiet, g)
		}
	}
	return urgent, quiet
}

// Violations is the table of addresses with a status no scope accepts.
type Violations struct {
	Count  int
	Rows   []ViolationRow // those that are shown
	Linked bool           // the rows have InNetBox
}

// ViolationRow is one of these addresses.
type ViolationRow struct {
	Address  string // with its mask
	Link     string // to its page; empty: it has none
	VRF      string // empty: the global table
	Text     string
	InNetBox string // its page in NetBox
}
