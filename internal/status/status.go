// Package status is the status page of the server: pages for people, the same facts as
// JSON, and what is decided about messages as it happens. Everything it tells comes from
// memory, but for the history. It must not change anything, ask NetBox anything, hold a
// lock of the engine for long, or make a packet wait.
package status

import (
	"context"
	_ "embed" // the files of the pages
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/who"
)

//go:embed pages.html
var pagesHTML string

//go:embed pages.css
var pagesCSS string

//go:embed live.js
var liveJS []byte

//go:embed openapi.json
var openAPI []byte

// section is where the settings of the page are.
const section = "netbox.status"

// Config is what the page shows, and where it gets that from.
type Config struct {
	Instance *instance.Instance
	// Plugins tells what each plugin of the chain did.
	Plugins func() []Plugin
	// Explain answers the form of the page as the explain command answers its flags; it
	// must return soon, and ask nobody.
	Explain func(url.Values) (*Explanation, error)
	// Probes answers /healthz, /readyz and /metrics.
	Probes http.Handler
	Log    logrus.FieldLogger
	Now    func() time.Time // nil: time.Now
}

// Plugin is a plugin of the chain and what it did since the start.
type Plugin struct {
	Name   string `json:"name"`
	Calls  uint64 `json:"calls"`  // messages it was asked about
	Ends   uint64 `json:"ends"`   // of them, those that no later plugin was asked about
	Panics uint64 `json:"panics"` // of them, those that it broke off
}

// site is the status page of one server.
type site struct {
	page.Site
	Instance   *instance.Instance
	config     Config
	feed       *feed
	cache      cache
	explaining chan struct{} // places
	reading    chan struct{} // the place of the one who asks the history
	ended      <-chan struct{}
}

// Serve serves the page at netbox.status.listen, and probes at netbox.status.probes,
// until ctx ends. A page that names and addresses of clients could be read from by
// anybody on the network is not served: the log says what is missing, and Serve ends. It
// ends in the same way where it cannot listen, since clients are served all the same
// (WEB-1).
func Serve(ctx context.Context, config Config) {
	status := &config.Instance.Settings.Status
	err := page.Private(status, section)
	var pages http.Handler
	if err == nil {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		if pages, err = newHandler(ctx, config, status.Listen); err == nil {
			err = page.Serve(ctx, status, pages, config.Probes, config.Log)
		}
	}
	if err != nil {
		config.Log.WithError(err).Error("the status page is not served")
	}
}

// newHandler serves the pages until ctx ends. The error is one of settings.
func newHandler(ctx context.Context, config Config, listen string) (http.Handler, error) {
	s, err := newSite(ctx, config, listen)
	if err != nil {
		return nil, err
	}
	if config.Instance.Settings.Status.Socket() != "" {
		listen = ""
	}
	return page.Guarded(s.Guard(s.routes()), section, listen, config.Instance.Settings.Status.URL)
}

func newSite(ctx context.Context, config Config, listen string) (*site, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	templates, err := page.NewSite(pagesHTML, pagesCSS, functions())
	if err != nil {
		return nil, err
	}
	s := &site{
		Site:     page.Site{About: about(), Log: config.Log, Now: config.Now, Templates: templates, Scripts: true},
		Instance: config.Instance, config: config, explaining: make(chan struct{}, mostExplaining), reading: make(chan struct{}, 1), ended: ctx.Done(),
	}
	status := &config.Instance.Settings.Status
	s.LetIn(status, "coredhcp_netbox", listen)
	if status.TokenFile != "" && status.Socket() == "" {
		s.Nav = append(s.Nav, page.Link{Target: "login", Label: "Log in"})
	}
	s.feed = newFeed(ctx, config.Instance)
	return s, nil
}

// functions are what the templates use besides those of all pages.
func functions() template.FuncMap {
	return template.FuncMap{
		"client": clientPath, "bar": newBar, "names": who.Names, "kind": who.Kind, "where": who.Where,
		"query":    func(encoded string) template.URL { return template.URL(encoded) }, //nolint:gosec // G203: made by url.Values
		"figure64": func(n uint64) string { return page.Figure(int(min(n, math.MaxInt32))) },
		"keys":     func() []string { return []string{"leased", "offered", "withheld", "quarantined", "free"} },
		"states":   lease.Phases,
		"arches": func() []Named {
			return []Named{{"0: BIOS", "0"}, {"7: UEFI x64", "7"}, {"11: UEFI ARM64", "11"}, {"16: UEFI x64 by HTTP", "16"}}
		},
	}
}

// about is what all pages of the server say.
func about() page.About {
	return page.About{
		Program: "coredhcp-netbox", Key: section,
		Nav: []page.Link{
			{Target: "leases", Label: "Leases"}, {Target: "live", Label: "Messages"}, {Target: "network", Label: "Network"},
			{Target: "unserved", Label: "Not served"}, {Target: "explain", Label: "Explain"},
		},
		ForScripts: []page.Link{
			{Target: "api/status.json", Label: "status"}, {Target: "api/leases.json", Label: "leases"}, {Target: "metrics", Label: "metrics"},
			{Target: "api/openapi.json", Label: "description of all"},
		},
		SearchPage: "leases", SearchFor: "Address, MAC, host name or prefix", SearchHint: "Address, MAC, name, prefix",
	}
}

// routes are all paths, but for those of the login. Each one of /api/ is described in
// openapi.json (WEB-14).
func (s *site) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handle := range s.pages() {
		mux.HandleFunc(pattern, handle)
	}
	for path, handle := range s.answers() {
		mux.HandleFunc("GET "+path, handle)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		mux.Handle("GET "+path, s.config.Probes)
	}
	return mux
}

func (s *site) pages() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /{$}":             s.homePage,
		"GET /leases":          s.leasesPage,
		"GET /ip/{address}":    s.subjectPage(addresses()),
		"GET /client/{client}": s.subjectPage(clients()),
		"GET /live":            s.livePage,
		"GET /network":         s.networkPage,
		"GET /unserved":        s.unservedPage,
		"GET /explain":         s.explainPage,
		"GET /rules/{rule}":    s.Rule,
		"GET /live.js": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = w.Write(liveJS) // the client may be gone
		},
	}
}

// answers are what programs ask for, by path.
func (s *site) answers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/api/status.json":     func(w http.ResponseWriter, _ *http.Request) { s.JSON(w, http.StatusOK, s.overview()) },
		"/api/leases.json":     s.leasesJSON,
		"/api/leases.csv":      s.leasesCSV,
		"/api/ip/{file}":       s.subjectJSON(addresses()),
		"/api/client/{file}":   s.subjectJSON(clients()),
		"/api/messages.json":   s.messagesJSON,
		"/api/messages.stream": s.stream,
		"/api/network.json":    func(w http.ResponseWriter, _ *http.Request) { s.JSON(w, http.StatusOK, s.networks()) },
		"/api/unserved.json":   func(w http.ResponseWriter, _ *http.Request) { s.JSON(w, http.StatusOK, s.unserved()) },
		"/api/explain.json":    s.explainJSON,
		"/api/openapi.json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(openAPI) // the client may be gone
		},
	}
}

// inNetBox is a page of NetBox; empty where facts come from a file.
func (s *site) inNetBox(path string) string {
	base := s.Instance.Settings.URL
	if base == "" || s.Instance.Settings.Inventory != "" || path == "" {
		return ""
	}
	return strings.TrimRight(base, "/") + path
}

// machinePath is the page of a machine in NetBox; empty: there is none.
func machinePath(id ipam.MachineID) string {
	switch id.Kind {
	case ipam.Device:
		return fmt.Sprintf("/dcim/devices/%d/", id.ID)
	case ipam.VirtualMachine:
		return fmt.Sprintf("/virtualization/virtual-machines/%d/", id.ID)
	}
	return ""
}

// parseAddr reads an IPv4 or IPv6 address without a zone.
func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr.Unmap(), err == nil && addr.Zone() == ""
}
