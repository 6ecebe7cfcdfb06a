package settings

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Secret is text that shows itself nowhere: fmt in every verb, JSON, YAML and
// any text encoding print a mark instead.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret.
func (Secret) GoString() string { return redacted }

// Format hides the secret with every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText hides the secret, in JSON too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML hides the secret.
func (Secret) MarshalYAML() (any, error) { return redacted, nil }

// LooksLikeToken recognises both generations of NetBox tokens and the JWT of
// PowerShell Universal, so that one pasted in the wrong place is reported
// without being repeated.
func LooksLikeToken(s string) bool {
	_, err := hex.DecodeString(s)
	return strings.HasPrefix(s, "nbt_") || len(s) == 40 && err == nil || strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2
}
