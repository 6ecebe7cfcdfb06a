package psu

import (
	"crypto/tls"
	"crypto/x509"
)

func (d *Door) tlsConfig() *tls.Config {
	out := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: d.config.ServerName,
		Time:       d.config.Now,
		VerifyConnection: func(s tls.ConnectionState) error {
			return d.accept(s.PeerCertificates)
		},
	}
	// A trusted certificate replaces the standard check, which would always
	// compare names. Without verification the operator said so, and Warnings
	// repeats it.
	out.InsecureSkipVerify = !d.config.Verify || d.config.Pin != nil
	return out
}

// accept decides about the certificates a server showed, after the standard
// check if there was one.
func (d *Door) accept(shown []*x509.Certificate) error {
	if d.config.Verify && d.config.Pin != nil {
		if err := d.config.Pin.verify(shown, d.config.ServerName, d.config.Now()); err != nil {
			return err
		}
	}
	if len(shown) > 0 {
		d.seen.Store(shown[0])
	}
	return nil
}
