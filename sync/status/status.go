// Package status shows what the mirror does: pages for people, JSON for
// scripts, metrics and probes. It reads what runs left behind, and all it can
// cause is a run that would come anyway, and that a server or a relationship is
// left alone for a while. It must not ask NetBox or a Windows
// server anything, and must not decide about addresses.
package status

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// site is the status page of one mirror.
type site struct {
	m       *mirror.Mirror
	log     logrus.FieldLogger
	now     func() time.Time
	leases  leaseIndex
	pages   *report.Page
	login   *login
	metrics http.Handler
}

func newSite(m *mirror.Mirror, listen string, log logrus.FieldLogger) (*site, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	settings := &m.File.Sync.Status
	s := &site{m: m, log: log, now: time.Now, pages: pages, login: &login{
		token: settings.Token, trusted: settings.Socket() != "", reading: listen != "" && settings.Socket() == "" && !loopback(listen), now: time.Now,
	}}
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
	mux.HandleFunc("GET /rules/{rule}", s.rule)
	mux.HandleFunc("POST /sync", s.sync)
	mux.HandleFunc("POST /maintenance", s.maintenance)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.logIn)
	mux.HandleFunc("POST /logout", s.logOut)
	mux.HandleFunc("GET /api/status.json", s.statusJSON)
	mux.HandleFunc("GET /api/leases.json", s.leasesJSON)
	mux.HandleFunc("GET /api/leases.csv", s.leasesCSV)
	mux.HandleFunc("GET /api/ip/{file}", s.addressJSON)
	if m.File.Sync.Status.Socket() != "" {
		listen = ""
	}
	return guarded(s.guard(mux), listen, m.File.Sync.Status.URL)
}

// probes are what programs ask for and holds no name of a client.
func (s *site) probes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// loopback reports whether only this machine reaches an address.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	addr, addrErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || addrErr == nil && addr.IsLoopback())
}

// Serve serves the status page at sync.status.listen, and probes at
// sync.status.probes, until ctx ends; requests under way then have five seconds. An
// error means that it could not begin, or broke off. A page that names and
// addresses of clients could be read from by anybody on the network is not served:
// the log says what is missing, and Serve ends without an error.
func Serve(ctx context.Context, m *mirror.Mirror, log logrus.FieldLogger) error {
	settings := &m.File.Sync.Status
	if err := private(settings); err != nil {
		log.WithError(err).Error("the status page is not served")
		return nil
	}
	handler, err := newHandler(m, settings.Listen, log)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	if settings.Probes != "" {
		site, err := newSite(m, settings.Probes, log)
		if err != nil {
			return fmt.Errorf("status page: %w", err)
		}
		group.Go(func() error { return serve(ctx, "tcp", settings.Probes, site.probes(), nil, log) })
	}
	var secure *tls.Config
	if settings.CertificateFile != "" && settings.KeyFile != "" {
		pair := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { // read anew, so that a renewed one needs no restart
			c, err := tls.LoadX509KeyPair(settings.CertificateFile, settings.KeyFile)
			return &c, err
		}
		if _, err := pair(nil); err != nil {
			return fmt.Errorf("status page: %w", err)
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair}
	}
	network, address := "tcp", settings.Listen
	if path := settings.Socket(); path != "" {
		network, address = "unix", path
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
			return fmt.Errorf("status page: %w", err)
		}
	}
	group.Go(func() error { return serve(ctx, network, address, handler, secure, log) })
	return group.Wait()
}

// private is what a page lacks that may be reached beyond this machine.
func private(settings *settings.Status) error {
	if settings.Socket() != "" || loopback(settings.Listen) {
		return nil
	}
	token, err := settings.Token()
	switch {
	case err != nil:
		return err
	case token == "":
		return fmt.Errorf("beyond loopback %s needs a token: set sync.status.token_file, or listen at 127.0.0.1", settings.Listen)
	case settings.CertificateFile == "" || settings.KeyFile == "":
		return fmt.Errorf("beyond loopback %s needs TLS: set sync.status.certificate_file and key_file, or listen at 127.0.0.1", settings.Listen)
	}
	return nil
}

// serve serves a handler until ctx ends.
func serve(ctx context.Context, network, address string, handler http.Handler, secure *tls.Config, log logrus.FieldLogger) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, network, address)
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o660); err != nil { //nolint:gosec // the web server's group
			return fmt.Errorf("status page: %w", err)
		}
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(errorLog{log}, "", 0),
		TLSConfig:         secure,
	}
	log.WithField("address", listener.Addr().String()).Info("status page served")
	failed := make(chan error, 1)
	go func() {
		if secure != nil {
			failed <- server.ServeTLS(listener, "", "")
			return
		}
		failed <- server.Serve(listener)
	}()
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
