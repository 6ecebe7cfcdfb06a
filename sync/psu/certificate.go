package psu

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

const fetchTimeout = 10 * time.Second

var (
	errMismatch = errors.New("the server's certificate is not the trusted one")
	errExpired  = errors.New("the trusted certificate expired")
)

// Certificate is what an operator compares before trusting a server. Make one
// with ParseCertificate or FetchCertificate.
type Certificate struct {
	PEM        []byte
	Subject    string // common name
	Issuer     string // common name
	DNSNames   []string
	IPs        []netip.Addr
	NotAfter   time.Time // zero: it never ends
	SelfSigned bool
	Authority  bool // it may sign others: servers are trusted by chain and name

	parsed *x509.Certificate
}

// ParseCertificate reads the first certificate of a PEM text.
func ParseCertificate(text []byte) (Certificate, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return Certificate{}, errors.New("no PEM certificate")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Certificate{}, fmt.Errorf("parse certificate: %w", err)
		}
		return describe(parsed), nil
	}
}

func describe(c *x509.Certificate) Certificate {
	out := Certificate{
		PEM:        pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}),
		Subject:    c.Subject.CommonName,
		Issuer:     c.Issuer.CommonName,
		DNSNames:   c.DNSNames,
		NotAfter:   endpoint.End(c.NotAfter),
		SelfSigned: c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil,
		Authority:  c.IsCA,
		parsed:     c,
	}
	for _, ip := range c.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			out.IPs = append(out.IPs, addr.Unmap())
		}
	}
	return out
}

// Fingerprint is the SHA-256 of the certificate in upper-case pairs with
// colons; empty for the zero Certificate.
func (c Certificate) Fingerprint() string {
	if c.parsed == nil {
		return ""
	}
	return fingerprint(c.parsed)
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// current says whether c is still within its time.
func (c *Certificate) current(now time.Time) error {
	if !c.NotAfter.IsZero() && now.After(c.NotAfter) {
		return fmt.Errorf("%w on %s", errExpired, c.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

// verify decides about the certificates a server showed. The trusted one itself
// is enough: its names are not compared, since self-signed ones often say
// localhost. One that a trusted authority signed must be for name (rule 6 point 3).
func (c *Certificate) verify(shown []*x509.Certificate, name string, now time.Time) error {
	if err := c.current(now); err != nil {
		return err
	}
	if len(shown) == 0 {
		return fmt.Errorf("%w: it shows none", errMismatch)
	}
	if c.parsed.Equal(shown[0]) {
		return nil
	}
	mismatch := fmt.Errorf("%w: it shows %s, trusted is %s", errMismatch, fingerprint(shown[0]), c.Fingerprint())
	if !c.Authority {
		return mismatch
	}
	options := x509.VerifyOptions{DNSName: name, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now}
	options.Roots.AddCert(c.parsed)
	for _, one := range shown[1:] {
		options.Intermediates.AddCert(one)
	}
	_, err := shown[0].Verify(options)
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return mismatch
	}
	return err
}

// FetchCertificate asks a server for its certificate and does not verify it. It
// speaks no HTTP and sends no token. An empty serverName means host. It takes
// at most 10 seconds.
func FetchCertificate(ctx context.Context, host string, port int, serverName string) (Certificate, error) {
	op := "fetch the certificate of " + host
	if serverName == "" {
		serverName = host
	}
	limited, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         serverName,
		InsecureSkipVerify: true, //nolint:gosec // it is fetched for an operator to compare
	}}
	conn, err := dialer.DialContext(limited, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return Certificate{}, failed(ctx, op, err)
	}
	defer func() { _ = conn.Close() }()
	secure, ok := conn.(*tls.Conn)
	if !ok || len(secure.ConnectionState().PeerCertificates) == 0 {
		return Certificate{}, &endpoint.Error{Kind: endpoint.BadTLS, Op: op, Message: "the server shows no certificate"}
	}
	return describe(secure.ConnectionState().PeerCertificates[0]), nil
}

// parseFingerprint reads a SHA-256 in any of the ways tools print it.
func parseFingerprint(text string) (string, error) {
	bare := strings.ToUpper(strings.TrimSpace(text))
	bare = strings.TrimPrefix(strings.TrimPrefix(bare, "SHA-256:"), "SHA256:")
	bare = strings.NewReplacer(":", "", " ", "", "-", "").Replace(bare)
	sum, err := hex.DecodeString(bare)
	if err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("fingerprint %.100q: want the 32 pairs of a SHA-256", text)
	}
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":"), nil
}
