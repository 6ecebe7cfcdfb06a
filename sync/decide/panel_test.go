package decide

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan/plantest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

func sampleRows() []panelRow {
	addr := netip.MustParseAddr
	return []panelRow{
		{Name: "Lab west", Source: plan.Source{Server: "dh2.corp.example"}, Start: addr("10.8.4.128"), End: addr("10.8.4.250"), LeaseSeconds: 262800, State: "Inactive"},
		{Name: "Lab_1", Source: plan.Source{Failover: "east-pair"}, Start: addr("10.8.4.20"), End: addr("10.8.4.120"), Router: "10.8.4.1", LeaseSeconds: 691200, State: "Active",
			Exclusions: []windhcp.Exclusion{{Start: addr("10.8.4.40"), End: addr("10.8.4.40")}, {Start: addr("10.8.4.20"), End: addr("10.8.4.29")}}},
		{Name: "", Source: plan.Source{Server: "dh1.corp.example"}, Start: addr("10.8.4.20"), End: addr("10.8.4.120")},
	}
}

// rule 9 row 15.
func TestTheTableOfAPrefix(t *testing.T) {
	plantest.Golden(t, "panel.md", []byte(panel(sampleRows())+"\n"))
	if got := panel(nil); got != "" {
		t.Errorf("no scopes: got %q", got)
	}
	turned := sampleRows()
	turned[0], turned[1], turned[2] = turned[2], turned[0], turned[1]
	if diff := cmp.Diff(panel(sampleRows()), panel(turned)); diff != "" {
		t.Errorf("it depends on the order in which scopes come:\n%s", diff)
	}
}

// cells renders a table with the extensions that sites turn on, as NetBox
// does, and returns what a reader sees, and the elements it is made of.
func cells(t interface{ Fatal(...any) }, markdown string) (rows [][]string, elements map[string]int) {
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Convert([]byte(markdown), &out); err != nil {
		t.Fatal(err)
	}
	page, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	elements = map[string]int{}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		elements[n.Data]++
		switch n.Data {
		case "tr":
			rows = append(rows, nil)
		case "td":
			var text strings.Builder
			for c := range n.Descendants() {
				if c.Type == html.TextNode {
					text.WriteString(c.Data)
				}
			}
			rows[len(rows)-1] = append(rows[len(rows)-1], text.String())
		}
	}
	return rows, elements
}

func checkPanel(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, name string) {
	rows := []panelRow{sampleRows()[0]}
	rows[0].Name, rows[0].State, rows[0].Router, rows[0].Source.Server = name, name, name, name
	got, elements := cells(t, panel(rows))
	seen := strings.TrimSpace(printable.Text(name))
	want := [][]string{nil, {seen, seen, "10.8.4.128-10.8.4.250", seen, "73 Hours", seen, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s\n%s", name, diff, panel(rows))
	}
	plain := map[string]int{"html": 1, "head": 1, "body": 1, "table": 1, "thead": 1, "tbody": 1, "tr": 2, "th": 7, "td": 7}
	if diff := cmp.Diff(plain, elements); diff != "" {
		t.Errorf("%q makes elements (-want +got):\n%s", name, diff)
	}
}

func TestNamesStayInTheirCell(t *testing.T) {
	for _, name := range []string{
		plantest.Hostile, "a|b", `a\|b`, "`a|b`", "``", "a\nb", "a\r\n\r\n# b", "<script>alert(1)</script>", "<!-- a", "&lt;", "&#60;b&#62;",
		"**a**", "_a_", "~~a~~", "[a](http://evil.example)", "![a](http://evil.example/a.png)", "<http://evil.example>",
		"http://evil.example/", "www.evil.example", "WWW.evil.example", "mail@evil.example", "[a]: http://evil.example", "[^1]", "$a$", "a--b...", `"a" 'b'`,
		"{: .class }", "{a}", "- [ ] a", "# a", "1. a", "> a", "---", ":-:", "a\u202eb", "\x1b[2J", "\u0000", "   ", "Müller 北京 🎧",
	} {
		checkPanel(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkPanel(t, rapid.OneOf(rapid.String(), rapid.StringMatching("[|\\\\`*_<>\\[\\]()!&#;~ \n:/.@wh-]{0,30}")).Draw(t, "name"))
	})
}
