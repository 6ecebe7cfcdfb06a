// Package status shows what the mirror does: pages for people, JSON for
// scripts, metrics and probes. It reads what runs left behind, and all it can
// cause is a run that would come anyway. It must not ask NetBox or a Windows
// server anything, and must not decide about addresses.
package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// site is the status page of one mirror.
type site struct {
	m      *mirror.Mirror
	log    logrus.FieldLogger
	now    func() time.Time
	leases leaseIndex
	pages  *report.Page
}

// newHandler serves the pages of m, for the hosts that listen and sync.status.url
// name. The error is one of settings.
func newHandler(m *mirror.Mirror, listen string, log logrus.FieldLogger) (http.Handler, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &site{m: m, log: log, now: time.Now, pages: pages}
	metrics, err := s.metricsHandler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /ip/{address}", s.address)
	mux.HandleFunc("GET /search", s.search)
	mux.HandleFunc("GET /runs", s.runs)
	mux.HandleFunc("GET /drift", s.drift)
	mux.HandleFunc("GET /rules/{rule}", s.rule)
	mux.HandleFunc("POST /sync", s.sync)
	mux.HandleFunc("GET /api/status.json", s.statusJSON)
	mux.HandleFunc("GET /api/leases.json", s.leasesJSON)
	mux.HandleFunc("GET /api/leases.csv", s.leasesCSV)
	mux.HandleFunc("GET /api/ip/{file}", s.addressJSON)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	return guarded(mux, listen, m.File.Sync.Status.URL)
}

// Serve serves the status page at listen, an address with a port, until ctx
// ends; requests under way then have five seconds. An error means that it
// could not begin, or broke off.
func Serve(ctx context.Context, m *mirror.Mirror, listen string, log logrus.FieldLogger) error {
	handler, err := newHandler(m, listen, log)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(errorLog{log}, "", 0),
	}
	log.WithField("address", listener.Addr().String()).Info("status page served")
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("status page: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		err = server.Close() // a client takes longer than that
		if err != nil {
			return fmt.Errorf("status page: %w", err)
		}
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("status page: %w", err)
	}
	return nil
}

// errorLog takes what net/http has to say: clients that break off, mostly.
type errorLog struct{ log logrus.FieldLogger }

func (e errorLog) Write(line []byte) (int, error) {
	e.log.WithField("trouble", strings.TrimSpace(string(line))).Debug("status page: a connection failed")
	return len(line), nil
}

// plain answers one line.
func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

// ready tells whether there is something to show: a run of this process ended.
func (s *site) ready(w http.ResponseWriter, _ *http.Request) {
	switch run, running := s.m.Last(), s.m.Activity().Running; {
	case run != nil && run.Outcome == mirror.Clean:
		plain(w, http.StatusOK, "ready")
	case run != nil:
		plain(w, http.StatusOK, fmt.Sprintf("ready; the last run ended with exit code %d: %s", run.Outcome.ExitCode(), meaning(run.Outcome)))
	case running.IsZero():
		plain(w, http.StatusServiceUnavailable, "not ready: the first run has not begun")
	default:
		plain(w, http.StatusServiceUnavailable, "not ready: the first run has not ended; it began at "+stamp(running))
	}
}

// sync asks for a run, over one server or all.
func (s *site) sync(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	var servers []string
	if name := r.PostForm.Get("server"); name != "" {
		server, ok := s.m.File.Sync.FindServer(name)
		if !ok {
			s.fail(w, r, http.StatusBadRequest, "No server of this name is configured.")
			return
		}
		servers = []string{server.Host}
	}
	if !s.m.SyncNow(servers) {
		s.fail(w, r, http.StatusConflict, "A run is asked for already. It begins as soon as the one under way ends.")
		return
	}
	s.log.WithField("servers", servers).Info("run asked for on the status page")
	// Relative: a proxy may serve the page below a path of its own.
	w.Header().Set("Location", "./")
	w.WriteHeader(http.StatusSeeOther)
}
