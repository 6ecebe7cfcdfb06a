package psu

import (
	"encoding/base64"
	"fmt"
	"math"
	"testing"
)

func FuzzTokenExpiry(f *testing.F) {
	for _, seed := range []string{
		"", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTg3NjE2MDB9.x", "e30.e30.", "e30.eyJleHAiOm51bGx9.x", "e30.eyJleHAiOi0xfQ.x", "e30.eyJleHAiOjFlMzA4fQ.x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		end, ok := TokenExpiry(token)
		if ok && end.Unix() < 0 || !ok && !end.IsZero() {
			t.Fatalf("%q: %s, %v", token, end, ok)
		}
	})
}

func TestTokenExpiry(t *testing.T) {
	for token, want := range map[string]int64{
		"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTg3NjE2MDB9.x":        1798761600,
		" eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTg3NjE2MDAuNX0=.x\n": 1798761600, // a fraction, and padding
	} {
		if end, ok := TokenExpiry(token); !ok || end.Unix() != want {
			t.Errorf("%q: %s, %v, want %d", token, end, ok, want)
		}
	}
	for _, token := range []string{"", "opaque", "a.b", "e30.e30.x", "e30.!!!.x", "e30.eyJleHAiOm51bGx9.x"} {
		if end, ok := TokenExpiry(token); ok {
			t.Errorf("%q: %s", token, end)
		}
	}
}

// rule 1.3: the last moment that .NET knows is no time.
func TestATokenUntilTheLastMomentNeverEnds(t *testing.T) {
	const last = int64(253402300799) // 9999-12-31T23:59:59Z
	for exp, want := range map[int64]bool{last - 365*86400: true, last - 364*86400: false, last: false, last + 1: false, last + 86400*365: false, math.MaxInt64: false} {
		token := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp)) + ".x"
		if end, ok := TokenExpiry(token); ok != want || ok && end.Unix() != exp {
			t.Errorf("a token until %d ends %s, %v", exp, end, ok)
		}
	}
}

func FuzzParseCertificate(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cert, err := ParseCertificate(text)
		if err != nil {
			return
		}
		again, err := ParseCertificate(cert.PEM)
		if err != nil || again.Fingerprint() != cert.Fingerprint() || cert.Fingerprint() == "" {
			t.Fatalf("%q: %v, then %v, %v", text, cert, again, err)
		}
	})
}
