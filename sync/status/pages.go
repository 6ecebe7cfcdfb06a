package status

import (
	"bytes"
	_ "embed" // the files of the pages
	"html/template"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/drift"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

//go:embed pages.html
var pagesHTML string

//go:embed pages.css
var pagesCSS string

//go:embed openapi.json
var openAPI []byte

func parsePages() (*page.Templates, error) {
	return page.NewSite(report.Templates+pagesHTML, pagesCSS, template.FuncMap{
		"took": took, "meaning": meaning, "mood": mood,
		"maintenanceForm": newMaintenanceForm,
		"ended":           func(r mirror.Run) time.Time { return r.Started.Add(r.Took) },
	})
}

// about is what all pages of the mirror say.
func about() page.About {
	return page.About{
		Program: "netbox-dhcp-sync", Key: "sync.status",
		Nav:        []page.Link{{Target: "runs", Label: "Runs"}, {Target: "drift", Label: "Differences"}, {Target: "search", Label: "Leases"}, {Target: "login", Label: "Log in"}},
		ForScripts: []page.Link{{Target: "api/status.json", Label: "status"}, {Target: "api/leases.json", Label: "leases"}, {Target: "metrics", Label: "metrics"}, {Target: "api/openapi.json", Label: "description of all"}},
		SearchPage: "search", SearchFor: "Host name, address or client id", SearchHint: "Host name, address, client id",
	}
}

// broken tells that the state folder cannot be read.
func (s *site) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.Log.WithError(err).Error("status page: state not read")
	s.Fail(w, r, http.StatusInternalServerError, "What is remembered cannot be read: "+err.Error())
}

func (s *site) home(w http.ResponseWriter, r *http.Request) {
	o, err := s.overview()
	if err != nil {
		s.broken(w, r, err)
		return
	}
	s.Render(w, http.StatusOK, "home", newHome(s.Frame("DHCP mirror", "./"), o, s.netBox(""), s.m.Known()))
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
	s.Render(w, http.StatusOK, "runs", struct {
		page.Frame
		Runs    []mirror.Run
		History string
	}{s.Frame("Runs of the DHCP mirror", "./"), o.runs, o.History})
}

func (s *site) drift(w http.ResponseWriter, r *http.Request) {
	run := s.m.Known().Run
	if run == nil {
		s.Fail(w, r, http.StatusNotFound, "No run of this process made a plan yet.")
		return
	}
	var out bytes.Buffer
	if err := drift.New(left(run)).HTMLUnder(&out, "./"); err != nil {
		s.Log.WithError(err).Error("status page: the report cannot be written")
		s.Fail(w, r, http.StatusInternalServerError, "The report cannot be written: see the log.")
		return
	}
	// The report says itself what it may load: nothing.
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // the client may be gone
}

// hitsShown is how many leases one search lists.
const hitsShown = 200

type hits struct {
	page.Frame
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
		s.Fail(w, r, http.StatusBadRequest, "Search for text of at most 200 characters.")
		return
	}
	q := r.URL.Query()
	if err := want.filter(q); err != nil {
		s.Fail(w, r, http.StatusBadRequest, "The filter cannot be understood: "+err.Error()+".")
		return
	}
	all, err := s.leases.all(s.m)
	if err != nil {
		s.broken(w, r, err)
		return
	}
	shown := hits{Frame: s.Frame("Leases", "./"), Known: len(all), Disabled: !s.m.File.Sync.SyncIPs, State: want.state, Filtered: !want.any()}
	shown.Query, shown.Server = query, q.Get("server")
	if want.scope.IsValid() {
		shown.Scope = want.scope.String()
	}
	shown.choices(all)
	shown.Export = template.URL(url.Values{"q": {query}, "scope": {shown.Scope}, "state": {want.state}, "server": {shown.Server}}.Encode()) //nolint:gosec // encoded
	if addr, err := netip.ParseAddr(want.text); err == nil && addr.Zone() == "" {
		shown.Addr = addr.Unmap()
	}
	if shown.Filtered {
		found, names := find(all, want), vrfNames(s.m.Known())
		shown.Count = len(found)
		for i := range found[:min(len(found), hitsShown)] {
			shown.Leases = append(shown.Leases, newLease(&found[i], names))
		}
	}
	s.Render(w, http.StatusOK, "search", shown)
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
	page.Frame
	*host
	Told string // where no step tells it
}

func (s *site) address(w http.ResponseWriter, r *http.Request) {
	addr, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil || addr.Zone() != "" {
		s.Fail(w, r, http.StatusBadRequest, "This is no address.")
		return
	}
	h, err := s.host(addr.Unmap(), r.URL.Query().Get("vrf"))
	if err != nil {
		s.broken(w, r, err)
		return
	}
	shown := addressPage{Frame: s.Frame(h.Address.String(), "../"), host: h}
	shown.Query = h.Address.String()
	shown.Told = s.told(h)
	s.Render(w, http.StatusOK, "address", shown)
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
