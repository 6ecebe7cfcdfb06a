package launch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// statusHandler answers /metrics, /healthz (the process turns) and /readyz (503
// with the reasons why clients are not served as NetBox has them now). notReady
// gives those reasons (B-8).
func statusHandler(registry *prometheus.Registry, notReady func() []string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		reasons := notReady()
		if len(reasons) == 0 {
			fmt.Fprintln(w, "ready")
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		for _, reason := range reasons {
			fmt.Fprintln(w, reason)
		}
	})
	return mux
}

// addProcessMetrics registers what is about the process and the build.
func addProcessMetrics(registry *prometheus.Registry) error {
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "coredhcp_netbox_build_info", Help: "1, with the version of the program.", ConstLabels: prometheus.Labels{"version": version.String()},
	}, func() float64 { return 1 })
	for _, c := range []prometheus.Collector{build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("register the metrics of the process: %w", err)
		}
	}
	return nil
}

// serveStatus offers metrics and health over HTTP at address; empty: not at all.
// key is how the operator named the address.
func serveStatus(key, address string, handler http.Handler, log *logrus.Entry) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)                     //nolint:noctx // lives as long as the process
	if system := (*os.SyscallError)(nil); errors.As(err, &system) { // a restart may find the port free (E-1)
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", key, err)}
	}
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	go func() {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.WithError(err).Error("metrics are no longer served")
		}
	}()
	log.WithField("address", listener.Addr()).Info("serving metrics")
	return func() { _ = srv.Close() }, nil
}
