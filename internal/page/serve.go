package page

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Loopback reports whether only this machine reaches an address.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	addr, addrErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || addrErr == nil && addr.IsLoopback())
}

// Private is what a page lacks that may be reached beyond this machine; nil: nothing
// (WEB-1). key is its section in the settings.
func Private(status *settings.Status, key string) error {
	if status.Socket() != "" || Loopback(status.Listen) {
		return nil
	}
	token, err := status.Token()
	switch {
	case err != nil:
		return err
	case token == "":
		return fmt.Errorf("beyond loopback %s needs a token: set %s.token_file, or listen at 127.0.0.1", status.Listen, key)
	case status.CertificateFile == "" || status.KeyFile == "":
		return fmt.Errorf("beyond loopback %s needs TLS: set %s.certificate_file and key_file, or listen at 127.0.0.1", status.Listen, key)
	}
	return nil
}

// Serve serves pages where the settings say so, and probes at the address for
// probes if there is one, until ctx ends; requests under way then have five seconds.
// An error means that it could not begin, or broke off.
func Serve(ctx context.Context, status *settings.Status, pages, probes http.Handler, log logrus.FieldLogger) error {
	group, ctx := errgroup.WithContext(ctx)
	if status.Probes != "" {
		group.Go(func() error { return serve(ctx, "tcp", status.Probes, probes, nil, log) })
	}
	var secure *tls.Config
	if status.CertificateFile != "" && status.KeyFile != "" {
		pair := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { // read anew, so that a renewed one needs no restart
			c, err := tls.LoadX509KeyPair(status.CertificateFile, status.KeyFile)
			return &c, err
		}
		if _, err := pair(nil); err != nil {
			return fmt.Errorf("status page: %w", err)
		}
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair}
	}
	network, address := "tcp", status.Listen
	if path := status.Socket(); path != "" {
		network, address = "unix", path
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
			return fmt.Errorf("status page: %w", err)
		}
	}
	group.Go(func() error { return serve(ctx, network, address, pages, secure, log) })
	return group.Wait()
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
