// Package pagetest checks pages as tests see them: that all people can read them,
// that names from the network are only text, and that each rule has its link. It
// must not be imported by anything but tests.
package pagetest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Parse reads a page as a browser does.
func Parse(t *testing.T, page string) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// All finds the elements below n that match.
func All(n *html.Node, match func(*html.Node) bool) (found []*html.Node) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && match(c) {
			found = append(found, c)
		}
	}
	return found
}

// Element matches elements by their name.
func Element(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return n.Data == name }
}

// Class matches elements that have a class.
func Class(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return slices.Contains(strings.Fields(Attr(n, "class")), name) }
}

// Attr is an attribute of an element; empty: it has none.
func Attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Content is the text of an element without styles, blanks run together.
func Content(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode && c.Parent.Data != "style" {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Readable checks what readers with and without eyes rely on: a language, one
// first heading, ids that exist once, names and links that lead to one, tables
// with captions, headings and as many cells in each row.
func Readable(t *testing.T, page *html.Node) {
	t.Helper()
	if lang := Attr(All(page, Element("html"))[0], "lang"); lang != "en" {
		t.Errorf("its language is %q", lang)
	}
	if n := len(All(page, Element("h1"))); n != 1 {
		t.Errorf("%d first headings", n)
	}
	ids := map[string]int{}
	for _, n := range All(page, func(n *html.Node) bool { return Attr(n, "id") != "" }) {
		ids[Attr(n, "id")]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%d elements have the id %s", n, id)
		}
	}
	for _, n := range All(page, func(*html.Node) bool { return true }) {
		id, inside := strings.CutPrefix(Attr(n, "href"), "#")
		for _, target := range []string{Attr(n, "aria-labelledby"), Attr(n, "for"), map[bool]string{true: id}[inside]} {
			if target != "" && ids[target] == 0 {
				t.Errorf("<%s> means %q, which is not there", n.Data, target)
			}
		}
	}
	for _, table := range All(page, Element("table")) {
		checkTable(t, table)
	}
}

func checkTable(t *testing.T, table *html.Node) {
	t.Helper()
	if len(All(table, Element("caption"))) != 1 {
		t.Errorf("a table has no caption: %.60s", Content(table))
	}
	for _, th := range All(table, Element("th")) {
		if Attr(th, "scope") == "" {
			t.Errorf("a heading has no scope: %s", Content(th))
		}
	}
	heads := All(All(table, Element("thead"))[0], Element("th"))
	for _, body := range All(table, Element("tbody")) {
		checkRectangle(t, body, heads)
	}
}

// checkRectangle finds rows with too few or too many cells, and cells that are
// called otherwise on a narrow screen than their column.
func checkRectangle(t *testing.T, body *html.Node, heads []*html.Node) {
	t.Helper()
	above := 0 // rows for which a cell of an earlier row still stands
	for _, row := range All(body, Element("tr")) {
		n := 0
		if above > 0 {
			n, above = 1, above-1
		}
		for _, c := range All(row, func(n *html.Node) bool { return n.Data == "td" || n.Data == "th" }) {
			if label := Attr(c, "data-label"); label != "" && n < len(heads) && label != Content(heads[n]) {
				t.Errorf("on a narrow screen the column %s is called %s", Content(heads[n]), label)
			}
			n += max(1, number(Attr(c, "colspan")))
			above = max(above, number(Attr(c, "rowspan"))-1)
		}
		if n != len(heads) {
			t.Errorf("a row has %d cells of %d: %s", n, len(heads), Content(row))
		}
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// Harmless checks that a page has no element that could run or load anything,
// but for those allowed, and no attribute that could.
func Harmless(t *testing.T, page *html.Node, allowed ...string) {
	t.Helper()
	for _, name := range []string{"script", "img", "link", "iframe", "object", "form", "base"} {
		if got := All(page, Element(name)); len(got) != 0 && !slices.Contains(allowed, name) {
			t.Errorf("the page has the element %s", name)
		}
	}
	for _, n := range All(page, func(*html.Node) bool { return true }) {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}

// Rules checks that each rule a page names is a link, and returns the links.
func Rules(t *testing.T, page *html.Node) (links []string) {
	t.Helper()
	for _, n := range All(page, Class("rule")) {
		if n.Data != "a" || Attr(n, "href") == "" || Attr(n, "title") == "" {
			t.Errorf("rule %s has no link", Content(n))
		}
		links = append(links, Attr(n, "href"))
	}
	return links
}
