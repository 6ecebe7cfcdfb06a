package psu

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// TokenExpiry reads when an app token ends, without verifying it. It is false
// for a token that is no JSON Web Token (RFC 7519) or never ends.
func TokenExpiry(token string) (time.Time, bool) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp *float64 `json:"exp"` // seconds since 1970, maybe with a fraction
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return time.Time{}, false
	}
	if *claims.Exp <= 0 || *claims.Exp > math.MaxInt32*128 { // beyond the year 9999
		return time.Time{}, false
	}
	at := endpoint.End(time.Unix(int64(*claims.Exp), 0).UTC())
	return at, !at.IsZero()
}
