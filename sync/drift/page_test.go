package drift

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	look "github.com/coredhcp-netbox/coredhcp-netbox/internal/page"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// parsed is the page of a plan as a browser understands it.
func parsed(t *testing.T, p *plan.Plan) *html.Node {
	t.Helper()
	return pagetest.Parse(t, string(written(t, New(p).HTML)))
}

func TestThePageShowsEachDifferenceOnce(t *testing.T) {
	p := sample(40)
	page := parsed(t, p)
	objects := pagetest.All(page, func(n *html.Node) bool { return n.Data == "tr" && pagetest.Attr(n, "class") == "object" })
	if len(objects) != len(p.Steps) {
		t.Errorf("%d objects of %d steps", len(objects), len(p.Steps))
	}
	lines, want := 0, 0
	for _, body := range pagetest.All(page, func(n *html.Node) bool { return n.Data == "table" && pagetest.Attr(n, "class") == "differences" }) {
		lines += len(pagetest.All(body, func(n *html.Node) bool {
			return n.Data == "td" && strings.HasPrefix(pagetest.Attr(n, "class"), "after")
		}))
	}
	for _, d := range New(p).Differences {
		want += len(d.Fields)
	}
	if lines != want {
		t.Errorf("%d fields, want %d", lines, want)
	}
	c := New(p).Counts
	tiles := map[string]string{}
	for _, li := range pagetest.All(page, func(n *html.Node) bool { return n.Data == "li" }) {
		tiles[pagetest.Content(pagetest.All(li, pagetest.Element("span"))[0])] = pagetest.Content(pagetest.All(li, pagetest.Element("b"))[0])
	}
	figures := map[string]int{"to create": c.Create, "to change": c.Update, "to delete": c.Delete, "failure": 1, "held back by guards": 1,
		"conflict": 1, "warning": 1, "invalid statuses": 2}
	for label, n := range figures {
		if tiles[label] != strconv.Itoa(n) {
			t.Errorf("%q shows %q, want %d", label, tiles[label], n)
		}
	}
	if notes := pagetest.All(page, func(n *html.Node) bool {
		return n.Data == "table" && strings.HasPrefix(pagetest.Attr(n, "class"), "notes")
	}); len(notes) != 6 {
		t.Errorf("%d tables of notes, want one for each of 6 levels", len(notes))
	}
}

func TestHostileNamesAreOnlyText(t *testing.T) {
	page := parsed(t, sample(40))
	if got := pagetest.All(page, pagetest.Element("script")); len(got) != 1 || got[0].FirstChild.Data != pageJS {
		t.Errorf("%d scripts on the page", len(got))
	}
	pagetest.Harmless(t, page, "script")
	for _, n := range pagetest.All(page, pagetest.Element("a")) {
		if href := pagetest.Attr(n, "href"); !strings.HasPrefix(href, "#") {
			t.Errorf("a link leads to %q", href)
		}
	}
	if want := printable.Text(hostile); strings.Count(pagetest.Content(page), want) < 3 {
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
		if got, want := look.Digest(pagetest.All(page, pagetest.Element(name))[0].FirstChild.Data), policy(page); !strings.Contains(want, "'"+got+"'") {
			t.Errorf("its policy forbids its own %s: %s is not in %s", name, got, want)
		}
	}
}

func policy(page *html.Node) string {
	for _, n := range pagetest.All(page, pagetest.Element("meta")) {
		if pagetest.Attr(n, "http-equiv") == "Content-Security-Policy" {
			return pagetest.Attr(n, "content")
		}
	}
	return ""
}

func TestThePageCanBeReadByEverybody(t *testing.T) { pagetest.Readable(t, parsed(t, sample(40))) }

func TestEachRuleOfThePageStandsAtItsEnd(t *testing.T) {
	page := parsed(t, sample(40))
	links := pagetest.Rules(t, page)
	slices.Sort(links)
	links = slices.Compact(links)
	told := pagetest.All(page, pagetest.Element("dt"))
	if len(links) != len(told) || len(told) < 8 {
		t.Errorf("%d rules are named and %d are told", len(links), len(told))
	}
	text := pagetest.Content(page)
	for _, want := range []string{"A lease without an address in NetBox rule 3.5 row 4", "The address is created with the lease status"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
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
			got := pagetest.Content(pagetest.All(parsed(t, c.plan), pagetest.Element("h1"))[0])
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
