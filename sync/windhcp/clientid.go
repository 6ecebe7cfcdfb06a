package windhcp

import (
	"encoding/hex"
	"strings"
)

// ClientID is a client identifier in canonical form: lower-case hex pairs
// joined by hyphens, "3c-52-82-0a-1b-2c". Text that is not hex pairs is kept
// as it came and is never pushed (rule 3.9).
type ClientID string

// ParseClientID reads any form people and servers write: separated by ':',
// '-', '.' or nothing, in any case. Nothing is stripped, padded or cut.
func ParseClientID(s string) ClientID {
	s = strings.TrimSpace(s)
	bare := strings.Map(func(r rune) rune {
		if r == ':' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, s)
	raw, err := hex.DecodeString(bare)
	if err != nil || len(raw) == 0 {
		return ClientID(s)
	}
	pairs := make([]string, len(raw))
	for i, b := range raw {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return ClientID(strings.Join(pairs, "-"))
}

// Bytes returns the identifier's octets; nil if it is not hex pairs.
func (c ClientID) Bytes() []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(string(c), "-", ""))
	if err != nil {
		return nil
	}
	return raw
}

// Canonical reports whether c is hex pairs, so that the server can store it
// without changing it.
func (c ClientID) Canonical() bool { return len(c.Bytes()) > 0 && ParseClientID(string(c)) == c }

// RAS reports whether the identifier is one of a remote access server that
// leases addresses in blocks: 16 octets or more that start with "RAS ".
func (c ClientID) RAS() bool {
	raw := c.Bytes()
	return len(raw) >= 16 && string(raw[:4]) == "RAS "
}
