package psutest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"
)

// role is what a token may do.
type role string

const (
	noRole role = "none" // a valid token without role
	reader role = "DHCPReader"
	writer role = "DHCPWriter"
)

// Reader is a token with the role DHCPReader.
func (s *Server) Reader() string { return s.token(reader) }

// Writer is a token with the role DHCPWriter.
func (s *Server) Writer() string { return s.token(writer) }

// NoRole is a token without any role.
func (s *Server) NoRole() string { return s.token(noRole) }

func (s *Server) token(want role) string {
	for token, r := range s.tokens {
		if r == want {
			return token
		}
	}
	return ""
}

func (s *Server) who(r *http.Request) role {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if got, ok := s.tokens[token]; ok {
		return got
	}
	return noRole
}

// jwt makes a token as PowerShell Universal grants it. Nothing checks the
// signature.
func jwt(r role, end time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	signature := make([]byte, 32)
	_, _ = rand.Read(signature) // it never fails
	return part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		part(fmt.Appendf(nil, `{"name":"NetBox-DHCP","role":%q,"exp":%d,"iss":"IronmanSoftware"}`, r, end.Unix())) + "." + part(signature)
}

// CertificateConfig says what certificate to make.
type CertificateConfig struct {
	Names    []string // the first one is the common name too
	IPs      []net.IP
	NotAfter time.Time        // zero: in a year
	CA       bool             // it signs others
	Signer   *tls.Certificate // nil: itself
}

// SelfSigned makes a certificate for names that no authority signed, as
// PowerShell Universal does at its first start.
func SelfSigned(names ...string) (tls.Certificate, error) {
	return NewCertificate(CertificateConfig{Names: names})
}

// NewCertificate makes a certificate and its key.
func NewCertificate(c CertificateConfig) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a serial number: %w", err)
	}
	end := c.NotAfter
	if end.IsZero() {
		end = time.Now().AddDate(1, 0, 0)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: strings.Join(c.Names[:min(1, len(c.Names))], "")}, DNSNames: c.Names, IPAddresses: c.IPs,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: end, BasicConstraintsValid: true, IsCA: c.CA,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if c.CA {
		template.KeyUsage |= x509.KeyUsageCertSign
	}
	parent, signer := template, any(key)
	if c.Signer != nil {
		parent, signer = c.Signer.Leaf, c.Signer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// quiet drops what net/http logs about faults that are meant to be.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
