package report

import (
	"crypto/sha256"
	_ "embed" // the files of the pages
	"encoding/base64"
	"fmt"
	"html/template"
	"net/netip"
	"strconv"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// Page is what a kind of pages is made with: the templates and the stylesheet
// that all pages share, and its own.
type Page struct {
	*template.Template
	Style template.CSS
}

// NewPage reads the templates of a kind of pages, its stylesheet and the functions
// that its templates use. Own templates may use those of page.html. The error is
// one of the templates.
func NewPage(templates, style string, functions template.FuncMap) (*Page, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"safe": printable.Text, "count": count}).Funcs(functions).Parse(pageHTML)
	if err == nil {
		t, err = t.Parse(templates)
	}
	if err != nil {
		return nil, fmt.Errorf("templates of the pages: %w", err)
	}
	return &Page{t, template.CSS(pageCSS + style)}, nil //nolint:gosec // G203: embedded, not input
}

// Digest names an inline script or style in the content security policy of its
// page.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Mood is the class of a verdict, a figure or a badge: it says with a colour
// whether an operator has to look.
type Mood string

// The moods.
const (
	Good  Mood = "good"
	Drift Mood = "drift" // something differs, or is to be looked at
	Bad   Mood = "bad"
	Plain Mood = "" // no colour
)

// Verdict is the heading of a page: what it says, in one sentence.
type Verdict struct {
	Sentence string
	Mood     Mood
}

// Tile is a figure at the top of a page.
type Tile struct {
	Label, Figure string
	Link          string // empty: none
	Class         Mood
}

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
	Ref RuleRef
}

// Urgent reports whether an operator has to look at notes of a level; the others
// are for the record.
func Urgent(level plan.Level) bool { return level != plan.Skip && level != plan.Info }

// GroupNotes sorts notes into tables for a page: those an operator has to look
// at, and those for the record. Of each level the first most are shown.
func GroupNotes(notes []Note, most int, rules *Rules) (urgent, quiet []NoteGroup) {
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

// count writes a number with its noun, as pages do: see Figure.
func count(n int, one, many string) string {
	return Figure(n) + " " + printable.Noun(n, one, many)
}

// Figure writes a number in groups of three.
func Figure(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
