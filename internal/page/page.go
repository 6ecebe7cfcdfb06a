// Package page is what the pages of both programs share: one look, one way to say
// things, one guard, one login and one server of HTTP. It knows no field of DHCP or
// of NetBox, asks nobody anything, and must not decide what a page tells.
package page

import (
	"crypto/sha256"
	_ "embed" // the files of the pages
	"encoding/base64"
	"fmt"
	"html/template"
	"strconv"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed site.html
var siteHTML string

//go:embed site.css
var siteCSS string

// Templates is what a kind of pages is made with: the templates and the stylesheet
// that all pages share, and its own.
type Templates struct {
	*template.Template
	Style template.CSS
}

// New reads the templates of a page that stands alone, its stylesheet and the
// functions that its templates use. Own templates may use those of page.html, and
// replace them. The error is one of the templates.
func New(templates, style string, functions template.FuncMap) (*Templates, error) {
	return parse(functions, pageCSS+style, pageHTML, templates)
}

// NewSite is New for pages that are served: they have those of site.html besides.
func NewSite(templates, style string, functions template.FuncMap) (*Templates, error) {
	return parse(functions, pageCSS+siteCSS+style, pageHTML, siteHTML, templates)
}

func parse(functions template.FuncMap, style string, texts ...string) (*Templates, error) {
	t := template.New("page").Funcs(template.FuncMap{
		"safe": printable.Text, "count": Count, "figure": Figure, "stamp": Stamp, "short": ShortStamp, "iso": ISO,
	}).Funcs(functions)
	for _, text := range texts {
		if _, err := t.Parse(text); err != nil {
			return nil, fmt.Errorf("templates of the pages: %w", err)
		}
	}
	return &Templates{t, template.CSS(style)}, nil //nolint:gosec // G203: embedded, not input
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

// Count writes a number with its noun, as pages do: see Figure.
func Count(n int, one, many string) string {
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
