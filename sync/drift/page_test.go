package drift

import (
	"bytes"
	"encoding/hex"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// parsed is the page of a plan as a browser understands it.
func parsed(t *testing.T, p *plan.Plan) *html.Node {
	t.Helper()
	page, err := html.Parse(bytes.NewReader(written(t, New(p).HTML)))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func find(n *html.Node, match func(*html.Node) bool) (found []*html.Node) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && match(c) {
			found = append(found, c)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func element(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return n.Data == name }
}

func content(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func TestThePageShowsEachDifferenceOnce(t *testing.T) {
	p := sample(40)
	page := parsed(t, p)
	objects := find(page, func(n *html.Node) bool { return n.Data == "tr" && attr(n, "class") == "object" })
	if len(objects) != len(p.Steps) {
		t.Errorf("%d objects of %d steps", len(objects), len(p.Steps))
	}
	lines, want := 0, 0
	for _, body := range find(page, func(n *html.Node) bool { return n.Data == "table" && attr(n, "class") == "differences" }) {
		lines += len(find(body, func(n *html.Node) bool { return n.Data == "td" && strings.HasPrefix(attr(n, "class"), "after") }))
	}
	for _, d := range New(p).Differences {
		want += len(d.Fields)
	}
	if lines != want {
		t.Errorf("%d fields, want %d", lines, want)
	}
	c := New(p).Counts
	tiles := map[string]string{}
	for _, li := range find(page, func(n *html.Node) bool { return n.Data == "li" }) {
		tiles[content(find(li, element("span"))[0])] = content(find(li, element("b"))[0])
	}
	figures := map[string]int{"to create": c.Create, "to change": c.Update, "to delete": c.Delete, "failure": 1, "held back by guards": 1,
		"conflict": 1, "warning": 1, "invalid statuses": 2}
	for label, n := range figures {
		if tiles[label] != strconv.Itoa(n) {
			t.Errorf("%q shows %q, want %d", label, tiles[label], n)
		}
	}
	if notes := find(page, func(n *html.Node) bool { return n.Data == "table" && strings.HasPrefix(attr(n, "class"), "notes") }); len(notes) != 6 {
		t.Errorf("%d tables of notes, want one for each of 6 levels", len(notes))
	}
}

func TestHostileNamesAreOnlyText(t *testing.T) {
	page := parsed(t, sample(40))
	if got := find(page, element("script")); len(got) != 1 || content(got[0]) != pageJS {
		t.Errorf("%d scripts on the page", len(got))
	}
	for _, name := range []string{"img", "link", "iframe", "object", "form", "base"} {
		if got := find(page, element(name)); len(got) != 0 {
			t.Errorf("the page has the element %s", name)
		}
	}
	for _, n := range find(page, func(*html.Node) bool { return true }) {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if want := printable.Text(hostile); strings.Count(content(page), want) < 3 {
		t.Errorf("the name is not shown as it is: %s", want)
	}
}

func TestThePageLoadsNothing(t *testing.T) {
	out := string(written(t, New(sample(4)).HTML))
	for _, word := range []string{"http://", "https://", "//cdn", "@import", "url("} {
		if strings.Contains(out, word) {
			t.Errorf("the page contains %s", word)
		}
	}
	page := parsed(t, sample(4))
	for _, name := range []string{"style", "script"} {
		if got, want := digest(content(find(page, element(name))[0])), policy(page); !strings.Contains(want, "'"+got+"'") {
			t.Errorf("its policy forbids its own %s: %s is not in %s", name, got, want)
		}
	}
}

func policy(page *html.Node) string {
	for _, n := range find(page, element("meta")) {
		if attr(n, "http-equiv") == "Content-Security-Policy" {
			return attr(n, "content")
		}
	}
	return ""
}

func TestThePageCanBeReadByEverybody(t *testing.T) {
	page := parsed(t, sample(40))
	if lang := attr(find(page, element("html"))[0], "lang"); lang != "en" {
		t.Errorf("its language is %q", lang)
	}
	ids := map[string]int{}
	for _, n := range find(page, func(n *html.Node) bool { return attr(n, "id") != "" }) {
		ids[attr(n, "id")]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%d elements have the id %s", n, id)
		}
	}
	for _, n := range find(page, element("a")) {
		if target := strings.TrimPrefix(attr(n, "href"), "#"); ids[target] == 0 {
			t.Errorf("a link leads to %q, which is not there", target)
		}
	}
	for _, n := range find(page, func(n *html.Node) bool { return attr(n, "aria-labelledby") != "" }) {
		if ids[attr(n, "aria-labelledby")] == 0 {
			t.Errorf("a section is named by %q, which is not there", attr(n, "aria-labelledby"))
		}
	}
	for _, table := range find(page, element("table")) {
		if len(find(table, element("caption"))) != 1 {
			t.Errorf("a table has no caption: %.60s", content(table))
		}
		for _, th := range find(table, element("th")) {
			if attr(th, "scope") == "" {
				t.Errorf("a heading has no scope: %s", content(th))
			}
		}
		checkRectangle(t, table)
	}
}

// checkRectangle finds rows with too few or too many cells.
func checkRectangle(t *testing.T, table *html.Node) {
	t.Helper()
	width := len(find(find(table, element("thead"))[0], element("th")))
	for _, body := range find(table, element("tbody")) {
		above := 0 // rows for which a cell of an earlier row still stands
		for _, row := range find(body, element("tr")) {
			n := 0
			if above > 0 {
				n, above = 1, above-1
			}
			for _, c := range find(row, func(n *html.Node) bool { return n.Data == "td" || n.Data == "th" }) {
				n += max(1, number(attr(c, "colspan")))
				above = max(above, number(attr(c, "rowspan"))-1)
			}
			if n != width {
				t.Errorf("a row has %d cells of %d: %s", n, width, content(row))
			}
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

func TestTheVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		plan *plan.Plan
		want string
	}{
		"in step":      {&plan.Plan{Scopes: []plan.ScopeSeen{{Synced: true}}, Notes: []plan.Note{{Level: plan.Skip}}}, "NetBox and Windows DHCP are in step."},
		"differences":  {&plan.Plan{Steps: []plan.Step{{Target: plan.NetBox}}}, "NetBox and Windows DHCP differ."},
		"a warning":    {&plan.Plan{Scopes: []plan.ScopeSeen{{Synced: true}}, Notes: []plan.Note{{Level: plan.Warning}}}, "Nothing to change, but something to look at."},
		"nothing read": {&plan.Plan{Scopes: []plan.ScopeSeen{{Why: "in maintenance"}}}, "No scope was compared."},
		"a guard":      {&plan.Plan{Notes: []plan.Note{{Level: plan.Guard}}}, "A run would hold changes back."},
		"a failure":    {&plan.Plan{Notes: []plan.Note{{Level: plan.Guard}, {Level: plan.Failure}}}, "Not everything could be compared."},
	} {
		t.Run(name, func(t *testing.T) {
			got := content(find(parsed(t, c.plan), element("h1"))[0])
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// WCAG 2.1, 1.4.3: text has a contrast of 4.5 to what it stands on.
func TestTextStandsOutInBothColourSchemes(t *testing.T) {
	light, dark, _ := strings.Cut(pageCSS, "prefers-color-scheme: dark")
	for scheme, css := range map[string]string{"light": light, "dark": dark[:strings.Index(dark, "\n}")]} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for text, grounds := range map[string][]string{
			"ink": {"page", "card", "head", "after"}, "soft": {"page", "card", "head", "after"}, "link": {"page", "card"},
			"create": {"create-bg"}, "update": {"update-bg"}, "delete": {"delete-bg"},
		} {
			for _, ground := range grounds {
				a, b := luminance(t, colours[text]), luminance(t, colours[ground])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.1f", scheme, text, ground, ratio)
				}
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	rgb, err := hex.DecodeString(strings.TrimPrefix(colour, "#"))
	if err != nil || len(rgb) != 3 {
		t.Fatalf("%q is no colour", colour)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
