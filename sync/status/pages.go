package status

import (
	"bytes"
	_ "embed" // the files of the pages
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/drift"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

//go:embed pages.html
var pagesHTML string

//go:embed pages.css
var pagesCSS string

func parsePages() (*report.Page, error) {
	return report.NewPage(pagesHTML, pagesCSS, template.FuncMap{
		"stamp": stamp, "short": shortStamp, "took": took, "meaning": meaning, "mood": mood,
		"maintenanceForm": newMaintenanceForm,
		"ended":           func(r mirror.Run) time.Time { return r.Started.Add(r.Took) },
		"iso":             func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	})
}

// frame is what every page has.
type frame struct {
	Title  string
	Root   string // from this page to the first one
	Style  template.CSS
	Query  string
	Now    time.Time
	Banner []forced
	Rules  *report.Rules
}

func (s *site) frame(title, root string) frame {
	return frame{
		Title: title, Root: root, Now: s.now(), Banner: s.forced(), Style: s.pages.Style,
		Rules: report.NewRules(func(r spec.Rule) string { return root + "rules/" + url.PathEscape(r.ID) }),
	}
}

// Ago tells how long t is past, or how far ahead.
func (f frame) Ago(t time.Time) string { return ago(f.Now, t) }

func (s *site) render(w http.ResponseWriter, code int, name string, data any) {
	var out bytes.Buffer
	if err := s.pages.ExecuteTemplate(&out, name, data); err != nil {
		s.log.WithError(err).WithField("page", name).Error("status page: a page cannot be written")
		plain(w, http.StatusInternalServerError, "the page cannot be written: see the log")
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src '"+report.Digest(string(s.pages.Style))+
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // the client may be gone
}

// fail shows a page with one sentence.
func (s *site) fail(w http.ResponseWriter, r *http.Request, code int, text string) {
	root := "./"
	if r.PathValue("address")+r.PathValue("rule") != "" {
		root = "../"
	}
	s.render(w, code, "message", struct {
		frame
		Text string
	}{s.frame(http.StatusText(code), root), text})
}

// broken tells that the state folder cannot be read.
func (s *site) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.log.WithError(err).Error("status page: state not read")
	s.fail(w, r, http.StatusInternalServerError, "What is remembered cannot be read: "+err.Error())
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	o, err := s.overview()
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "home", newHome(s.frame("DHCP mirror", "./"), o, s.netBox(""), s.m.Known()))
}

// runsShown is how many runs the first page lists; /runs has all that are
// remembered.
const runsShown = 8

func (s *site) runs(w http.ResponseWriter, r *http.Request) {
	o, err := s.overview()
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.render(w, http.StatusOK, "runs", struct {
		frame
		Runs    []mirror.Run
		History string
	}{s.frame("Runs of the DHCP mirror", "./"), o.runs, o.History})
}

func (s *site) drift(w http.ResponseWriter, r *http.Request) {
	run := s.m.Known().Run
	if run == nil {
		s.fail(w, r, http.StatusNotFound, "No run of this process made a plan yet.")
		return
	}
	var out bytes.Buffer
	if err := drift.New(left(run)).HTMLUnder(&out, "./"); err != nil {
		s.log.WithError(err).Error("status page: the report cannot be written")
		s.fail(w, r, http.StatusInternalServerError, "The report cannot be written: see the log.")
		return
	}
	// The report says itself what it may load: nothing.
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // the client may be gone
}

// rule shows what a rule says.
func (s *site) rule(w http.ResponseWriter, r *http.Request) {
	rule, ok := spec.Lookup(r.PathValue("rule"))
	if !ok {
		s.fail(w, r, http.StatusNotFound, "There is no rule with this id.")
		return
	}
	text, err := report.RuleText(rule)
	if err != nil {
		s.log.WithError(err).Error("status page: a rule cannot be written")
		s.fail(w, r, http.StatusInternalServerError, "The rule cannot be written: see the log.")
		return
	}
	s.render(w, http.StatusOK, "rulepage", struct {
		frame
		Rule spec.Rule
		Text template.HTML
	}{s.frame(rule.Title, "../"), rule, text})
}

// hitsShown is how many leases one search lists.
const hitsShown = 200

type hits struct {
	frame
	Count    int
	Leases   []leaseView
	Addr     netip.Addr // the query is this address; invalid: it is none
	Known    int
	Disabled bool // leases are not synced

	// What the filter is set to, and what it can be.
	Scope, State, Server string
	Scopes, Servers      []string
	Filtered             bool
	Export               template.URL // the query, for the exports
}

func (s *site) search(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	want, ok := newWanted(query)
	if !ok {
		s.fail(w, r, http.StatusBadRequest, "Search for text of at most 200 characters.")
		return
	}
	q := r.URL.Query()
	if err := want.filter(q); err != nil {
		s.fail(w, r, http.StatusBadRequest, "The filter cannot be understood: "+err.Error()+".")
		return
	}
	all, err := s.leases.all(s.m)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	page := hits{frame: s.frame("Leases", "./"), Known: len(all), Disabled: !s.m.File.Sync.SyncIPs, State: want.state, Filtered: !want.any()}
	page.Query, page.Server = query, q.Get("server")
	if want.scope.IsValid() {
		page.Scope = want.scope.String()
	}
	page.choices(all)
	page.Export = template.URL(url.Values{"q": {query}, "scope": {page.Scope}, "state": {want.state}, "server": {page.Server}}.Encode()) //nolint:gosec // encoded
	if addr, err := netip.ParseAddr(want.text); err == nil && addr.Zone() == "" {
		page.Addr = addr.Unmap()
	}
	if page.Filtered {
		found, names := find(all, want), vrfNames(s.m.Known())
		page.Count = len(found)
		for i := range found[:min(len(found), hitsShown)] {
			page.Leases = append(page.Leases, newLease(&found[i], names))
		}
	}
	s.render(w, http.StatusOK, "search", page)
}

// choices lists the scopes and servers that leases have.
func (h *hits) choices(all []lease) {
	scopes, servers := make(map[netip.Prefix]bool), make(map[string]bool)
	for i := range all {
		if all[i].Scope.IsValid() {
			scopes[all[i].Scope] = true
		}
		servers[all[i].Server] = true
	}
	for _, scope := range slices.SortedFunc(maps.Keys(scopes), netip.Prefix.Compare) {
		h.Scopes = append(h.Scopes, scope.String())
	}
	delete(servers, "")
	h.Servers = slices.Sorted(maps.Keys(servers))
}

type addressPage struct {
	frame
	*host
	Told string // where no step tells it
}

func (s *site) address(w http.ResponseWriter, r *http.Request) {
	addr, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil || addr.Zone() != "" {
		s.fail(w, r, http.StatusBadRequest, "This is no address.")
		return
	}
	h, err := s.host(addr.Unmap(), r.URL.Query().Get("vrf"))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	page := addressPage{frame: s.frame(h.Address.String(), "../"), host: h}
	page.Query = h.Address.String()
	page.Told = s.told(h)
	s.render(w, http.StatusOK, "address", page)
}

// told says what NetBox has of an address the last run had no step for.
func (s *site) told(h *host) string {
	synced := false
	for i := range h.Scopes {
		synced = synced || h.Scopes[i].Synced && !h.Scopes[i].Stale
	}
	switch {
	case len(h.Steps) > 0:
		return ""
	case h.AsOf.IsZero():
		return "No run of this process made a plan yet."
	case !s.m.File.Sync.SyncIPs:
		return "Nothing: sync_ips_from_dhcp is off, so leases and reservations stay out of NetBox."
	case len(h.Scopes) == 0:
		return "Nothing: no scope of a server that answered contains this address."
	case !synced:
		return "Nothing: its scope was not synced in the last run."
	}
	return "The last run had nothing to change: what NetBox shows is in order."
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func shortStamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// took writes how long something was, to three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// ago writes the distance of two times in the largest unit.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	form := "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	text := ""
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		text = fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		text = fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		text = fmt.Sprintf("%d h", d/time.Hour)
	default:
		text = fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf(form, text)
}
