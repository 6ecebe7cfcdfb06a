// Package status shows what the mirror does: pages for people, JSON for
// scripts, metrics and probes. It reads what runs left behind, and all it can
// cause is a run that would come anyway, and that a server or a relationship is
// left alone for a while. It must not ask NetBox or a Windows
// server anything, and must not decide about addresses.
package status

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
)

// site is the status page of one mirror.
type site struct {
	page.Site
	m       *mirror.Mirror
	leases  leaseIndex
	metrics http.Handler
}

func newSite(m *mirror.Mirror, listen string, log logrus.FieldLogger) (*site, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &site{Site: page.Site{About: about(), Log: log, Now: time.Now, Templates: pages}, m: m}
	s.Banner = s.notices
	s.LetIn(&m.File.Sync.Status, "netbox_dhcp_sync", listen)
	s.metrics, err = s.metricsHandler()
	return s, err
}

// newHandler serves the pages of m, for the hosts that listen and sync.status.url
// name. The error is one of settings.
func newHandler(m *mirror.Mirror, listen string, log logrus.FieldLogger) (http.Handler, error) {
	s, err := newSite(m, listen, log)
	if err != nil {
		return nil, err
	}
	mux := s.probes()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /ip/{address}", s.address)
	mux.HandleFunc("GET /search", s.search)
	mux.HandleFunc("GET /runs", s.runs)
	mux.HandleFunc("GET /drift", s.drift)
	mux.HandleFunc("GET /rules/{rule}", s.Rule)
	mux.HandleFunc("POST /sync", s.sync)
	mux.HandleFunc("POST /maintenance", s.maintenance)
	for path, answer := range s.answers() {
		mux.HandleFunc("GET "+path, answer)
	}
	if m.File.Sync.Status.Socket() != "" {
		listen = ""
	}
	return page.Guarded(s.Guard(mux), "sync.status", listen, m.File.Sync.Status.URL)
}

// answers are what programs ask for instead of pages, by path: those of openapi.json.
func (s *site) answers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/api/status.json": s.statusJSON,
		"/api/leases.json": s.leasesJSON,
		"/api/leases.csv":  s.leasesCSV,
		"/api/ip/{file}":   s.addressJSON,
		"/api/openapi.json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(openAPI) // the client may be gone
		},
	}
}

// probes are what programs ask for and holds no name of a client.
func (s *site) probes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { page.Line(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// Serve serves the status page at sync.status.listen, and probes at
// sync.status.probes, until ctx ends; requests under way then have five seconds. An
// error means that it could not begin, or broke off. A page that names and
// addresses of clients could be read from by anybody on the network is not served:
// the log says what is missing, and Serve ends without an error.
func Serve(ctx context.Context, m *mirror.Mirror, log logrus.FieldLogger) error {
	settings := &m.File.Sync.Status
	if err := page.Private(settings, "sync.status"); err != nil {
		log.WithError(err).Error("the status page is not served")
		return nil
	}
	handler, err := newHandler(m, settings.Listen, log)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	site, err := newSite(m, settings.Probes, log)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	return page.Serve(ctx, settings, handler, site.probes(), log)
}

// ready tells whether there is something to show: a run of this process ended.
func (s *site) ready(w http.ResponseWriter, _ *http.Request) {
	switch run, running := s.m.Last(), s.m.Activity().Running; {
	case run != nil && run.Outcome == mirror.Clean:
		page.Line(w, http.StatusOK, "ready")
	case run != nil:
		page.Line(w, http.StatusOK, fmt.Sprintf("ready; the last run ended with exit code %d: %s", run.Outcome.ExitCode(), meaning(run.Outcome)))
	case running.IsZero():
		page.Line(w, http.StatusServiceUnavailable, "not ready: the first run has not begun")
	default:
		page.Line(w, http.StatusServiceUnavailable, "not ready: the first run has not ended; it began at "+page.Stamp(running))
	}
}

// sync asks for a run, over one server or all.
func (s *site) sync(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		s.Fail(w, r, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	var servers []string
	if name := r.PostForm.Get("server"); name != "" {
		server, ok := s.m.File.Sync.FindServer(name)
		if !ok {
			s.Fail(w, r, http.StatusBadRequest, "No server of this name is configured.")
			return
		}
		servers = []string{server.Host}
	}
	if !s.m.SyncNow(servers) {
		s.Fail(w, r, http.StatusConflict, "A run is asked for already. It begins as soon as the one under way ends.")
		return
	}
	s.Log.WithField("servers", servers).Info("run asked for on the status page")
	// Relative: a proxy may serve the page below a path of its own.
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}
