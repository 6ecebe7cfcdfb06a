package psu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
)

// TrustStore keeps the certificates that operators trusted, one a server, in
// files below Dir.
type TrustStore struct {
	Dir string
}

// Trust fetches the certificate of a server and keeps it, if it has the
// fingerprint an operator compared. Any other one is refused: the certificate
// may be another one than the operator looked at. An empty serverName means host.
func (s TrustStore) Trust(ctx context.Context, host string, port int, serverName, fingerprint string) (Certificate, error) {
	op := "trust the certificate of " + host
	want, err := parseFingerprint(fingerprint)
	if err != nil {
		return Certificate{}, &endpoint.Error{Kind: endpoint.Invalid, Op: op, Err: err}
	}
	cert, err := FetchCertificate(ctx, host, port, serverName)
	if err != nil {
		return Certificate{}, err
	}
	if got := cert.Fingerprint(); got != want {
		return cert, &endpoint.Error{Kind: endpoint.CertificateMismatch, Op: op, Err: fmt.Errorf("%w: it shows %s, expected is %s", errMismatch, got, want), Advice: advice(endpoint.CertificateMismatch, nil)}
	}
	if err := cert.current(time.Now()); err != nil {
		return cert, &endpoint.Error{Kind: endpoint.CertificateExpired, Op: op, Err: err, Advice: advice(endpoint.CertificateExpired, nil)}
	}
	return cert, s.Put(host, cert)
}

// Put keeps a certificate for host in place of an older one. It is how the
// certificate of an authority gets in.
func (s TrustStore) Put(host string, cert Certificate) error {
	if cert.parsed == nil {
		return fmt.Errorf("store the certificate of %s: it is empty", host)
	}
	if err := owned.Folder(s.Dir, 0o700); err != nil {
		return fmt.Errorf("store the certificate of %s: %w", host, err)
	}
	if err := owned.WriteFile(s.path(host), cert.PEM, 0o600); err != nil {
		return fmt.Errorf("store the certificate of %s: %w", host, err)
	}
	return nil
}

// Load returns the certificate kept for host; nil without an error if there is
// none. A file that cannot be read is an error: nothing else is trusted then.
func (s TrustStore) Load(host string) (*Certificate, error) {
	text, err := os.ReadFile(s.path(host))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the trusted certificate of %s: %w", host, err)
	}
	cert, err := ParseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("load the trusted certificate of %s: %s: %w", host, s.path(host), err)
	}
	return &cert, nil
}

// Remove forgets the certificate of host. It is an error wrapping
// fs.ErrNotExist if there is none.
func (s TrustStore) Remove(host string) error {
	if err := os.Remove(s.path(host)); err != nil {
		return fmt.Errorf("remove the trusted certificate of %s: %w", host, err)
	}
	return nil
}

// path is the file for a host. The name is the host with everything escaped
// that could lead elsewhere; the front part keeps it clear of names with a
// meaning, such as "..", and of Windows' devices.
func (s TrustStore) path(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	escaped := strings.ReplaceAll(url.QueryEscape(host), "*", "%2A")
	return filepath.Join(s.Dir, "server-"+escaped+".pem")
}
