package status

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
)

var (
	somewhere = netip.MustParseAddr("10.0.0.120")
	yesterday = time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
)

// ended puts spans of an address into the files, of one client after the other, each for a
// minute.
func (l *lab) ended(addr netip.Addr, names ...string) (file string) {
	l.t.Helper()
	folder := instance.HistoryFolder(l.Settings)
	h, err := history.Open(history.Options{Folder: folder}, yesterday)
	if err != nil {
		l.t.Fatal(err)
	}
	for n, name := range names {
		at := yesterday.Add(time.Duration(n) * time.Minute)
		h.Saw(history.Span{Addr: addr, Client: mac(900 + n).String(), Hostname: name, Circuit: name, Heard: at, Until: at.Add(time.Hour)})
		h.Ended(addr, 0, "", at.Add(time.Minute), history.Released)
	}
	if err := h.Flush(yesterday); err != nil {
		l.t.Fatal(err)
	}
	return filepath.Join(folder, yesterday.Format("2006-01-02")+".jsonl")
}

// remembered waits until the history knows a span that runs.
func (l *lab) remembered(addr netip.Addr) {
	l.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		a, err := l.Who(l.t.Context(), history.Query{Prefix: netip.PrefixFrom(addr, addr.BitLen())})
		if err == nil && len(a.Spans) > 0 {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("the history knows nothing of %s: %v", addr, err)
		}
	}
}

// pastIn is what an answer for programs says of the past.
func (l *lab) pastIn(path string) past {
	l.t.Helper()
	w := l.ask("/api/" + path + ".json")
	api := pagetest.OpenAPI(l.t, openAPI)
	kind, _, _ := strings.Cut(path, "/")
	api.Check(l.t, "/api/"+kind+"/{file}", w.Code, w.Header(), w.Body.Bytes())
	var answer struct{ History past }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		l.t.Fatalf("%s: %d, %v", path, w.Code, err)
	}
	return answer.History
}

// rows are those of the history on a page, as text.
func (l *lab) rows(path string) (list []string) {
	l.t.Helper()
	section := pagetest.All(l.page(path), func(n *html.Node) bool {
		return n.Data == "section" && pagetest.Attr(n, "aria-labelledby") == "past"
	})
	if len(section) != 1 {
		l.t.Fatalf("%s has %d histories", path, len(section))
	}
	for _, row := range pagetest.All(section[0], func(n *html.Node) bool { return n.Data == "tr" && n.Parent.Data == "tbody" }) {
		list = append(list, pagetest.Content(row))
	}
	return list
}

// WEB-15: the page of an address says who had it, and that of a client what it had, the
// newest first, with names that are only text.
func TestWhoHadAnAddressIsShown(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	addr := l.lease(1, hostile)
	l.remembered(addr)
	l.ended(addr, "first-pc", hostile)
	for path, want := range map[string][]string{
		"/ip/" + addr.String():      {"running", "released", "first-pc"},
		"/client/02:00:00:00:00:01": {"running"},
		"/client/02:00:00:00:03:84": {"first-pc"},
		"/client/02:00:00:00:0f:0f": {},
	} {
		rows := l.rows(path)
		if len(rows) != len(want) {
			t.Errorf("%s: %q", path, rows)
			continue
		}
		for n, text := range want {
			if !strings.Contains(rows[n], text) || !strings.Contains(rows[n], addr.String()) || strings.ContainsAny(rows[n], "\u202e\x1b") {
				t.Errorf("%s: row %d is %q, want %q in it", path, n, rows[n], text)
			}
		}
		n := l.page(path)
		pagetest.Readable(t, n)
		for _, script := range pagetest.All(n, pagetest.Element("script")) {
			t.Errorf("%s: a script: %v", path, script.Attr)
		}
		pagetest.Harmless(t, n, "form")
	}
	p := l.pastIn("ip/" + addr.String())
	if len(p.Spans) != 3 || !p.Spans[0].End.IsZero() || p.Spans[2].Hostname != "first-pc" || p.Spans[1].How != history.Released || p.More || p.Damaged != 0 || p.Trouble != "" || p.Since != yesterday.Format("2006-01-02") {
		t.Errorf("%+v", p)
	}
	if p := l.pastIn("client/02:00:00:00:03:84"); len(p.Spans) != 1 || p.Spans[0].Addr != addr {
		t.Errorf("%+v", p)
	}
}

// WEB-15: a page has a bounded number of spans, and says that there are more.
func TestALongHistoryIsCut(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	names := make([]string, pastShown+5)
	for n := range names {
		names[n] = fmt.Sprintf("pc-%d", n)
	}
	l.ended(somewhere, names...)
	rows := l.rows("/ip/" + somewhere.String())
	if len(rows) != pastShown || !strings.Contains(rows[0], "pc-54") {
		t.Errorf("%d rows, the first one %q", len(rows), rows[:min(1, len(rows))])
	}
	l.contains("/ip/"+somewhere.String(), "earlier ones are left out", "coredhcp-netbox who "+somewhere.String())
	if p := l.pastIn("ip/" + somewhere.String()); len(p.Spans) != pastShown || !p.More || p.Spans[pastShown-1].Hostname != "pc-5" {
		t.Errorf("%+v", p)
	}
}

// WEB-15: where the history says nothing, a sentence says why, and the rest is there.
func TestAPageIsThereWhateverTheHistoryIs(t *testing.T) {
	path := "ip/" + somewhere.String()
	for name, c := range map[string]struct {
		settings string
		breaks   func(t *testing.T, l *lab)
		want     string
		spans    int
		damaged  int
	}{
		"whole":         {"", func(*testing.T, *lab) {}, "", 2, 0},
		"switched off":  {"history: {keep: 0}", func(*testing.T, *lab) {}, "No history is kept: netbox.history.keep is 0.", 0, 0},
		"a broken line": {"", breakLine, "1 line of the files about it cannot be read.", 1, 1},
		"no folder":     {"", breakFolder, "The history cannot be read: the log of the server says why.", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.settings, "127.0.0.1:8067")
			if c.settings == "" {
				l.remembered(l.lease(1, "other"))
				l.ended(somewhere, "first-pc", "second-pc")
			}
			c.breaks(t, l)
			l.contains("/"+path, "10.0.0.0/24", "It is for", c.want)
			p := l.pastIn(path)
			if len(p.Spans) != c.spans || p.Damaged != c.damaged || c.spans == 0 && p.Trouble != c.want {
				t.Errorf("%+v", p)
			}
		})
	}
}

func breakLine(t *testing.T, l *lab) {
	file := l.ended(somewhere) // nothing more
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "first-pc", "f1rst-pc", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func breakFolder(t *testing.T, l *lab) {
	folder := instance.HistoryFolder(l.Settings)
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// WEB-15: a disk that does not answer keeps no page waiting.
func TestASlowHistoryKeepsNoPageWaiting(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	l.site.reading <- struct{}{} // as a question that the disk keeps
	ctx, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	if p := l.site.pastOf(ctx, history.Query{}, "who"); !strings.HasPrefix(p.Trouble, "The history could not be read within 2 seconds.") || p.Spans == nil {
		t.Errorf("%+v", p)
	}
}

// WEB-15, HI-8: what was erased is on no page.
func TestWhatWasErasedIsNotShown(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	l.remembered(l.lease(1, "other"))
	l.ended(somewhere, "jane-laptop", "printer")
	if _, err := l.Erase(t.Context(), history.Query{Name: "jane-laptop"}, true); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/ip/" + somewhere.String(), "/api/ip/" + somewhere.String() + ".json", "/client/" + mac(900).String(), "/api/client/" + mac(900).String() + ".json"} {
		if text := l.ask(path).Body.String(); strings.Contains(text, "jane-laptop") {
			t.Errorf("%s has it", path)
		}
	}
	names := []string{}
	for _, s := range l.pastIn("ip/" + somewhere.String()).Spans {
		names = append(names, s.Hostname)
	}
	if !slices.Equal(names, []string{"printer"}) {
		t.Errorf("%q is left", names)
	}
}
