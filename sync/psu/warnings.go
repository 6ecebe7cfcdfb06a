package psu

import (
	"fmt"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// Warnings are the facts that an operator must see in every run: an unverified or
// unencrypted connection, and certificates and tokens about to end. The
// server's own certificate is known after the first connection.
func (d *Door) Warnings() []string {
	var out []string
	switch {
	case !d.config.HTTPS:
		out = append(out, "plain HTTP: the token travels in clear")
	case !d.config.Verify:
		out = append(out, "the server's certificate is not verified: a machine in between can read the token")
	}
	out = d.warnCertificates(out)
	if d.config.Token == nil {
		return append(out, "no token is sent")
	}
	if token, err := d.config.Token(); err == nil {
		if ends, ok := TokenExpiry(token); ok {
			out = d.warnEnd(out, "the token", ends, tokenWarnDays)
		}
	}
	return out
}

// warnCertificates looks at the trusted certificate and at the one the server
// showed last.
func (d *Door) warnCertificates(out []string) []string {
	if !d.config.HTTPS || !d.config.Verify {
		return out
	}
	pin, seen := d.config.Pin, d.seen.Load()
	if pin != nil {
		out = d.warnEnd(out, "the trusted certificate", pin.NotAfter, d.config.WarnDays)
	}
	if seen != nil && (pin == nil || !pin.parsed.Equal(seen)) {
		out = d.warnEnd(out, "the server's certificate", seen.NotAfter, d.config.WarnDays)
	}
	return out
}

func (d *Door) warnEnd(out []string, what string, at time.Time, days int) []string {
	switch left := at.Sub(d.config.Now()); {
	case endpoint.End(at).IsZero():
	case left <= 0:
		return append(out, fmt.Sprintf("%s expired on %s", what, at.UTC().Format(time.DateOnly)))
	case left <= time.Duration(days)*24*time.Hour:
		return append(out, fmt.Sprintf("%s expires on %s", what, at.UTC().Format(time.DateOnly)))
	}
	return out
}
