package plan

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// AnswerKey is a value on a server: a field of a reservation, or of a scope, which
// goes by its network address.
type AnswerKey struct {
	Server string
	Kind   state.Kind
	Addr   netip.Addr
	Field  string
}

// Answer is what a server made of a value, in words. As long as one is sent and
// the other shown, the difference is settled (rule 3.8 point 25).
type Answer struct {
	Sent string `json:"sent"`
	Came string `json:"came"`
}

// Answer is the key of a field of the step's object.
func (s *Step) Answer(field string) AnswerKey {
	addr := s.Addr
	if !addr.IsValid() {
		addr = s.Scope.Addr()
	}
	return AnswerKey{Server: s.Target, Kind: s.Kind, Addr: addr, Field: field}
}

// AnswerOf is what a change sends and what the server shows instead.
func AnswerOf(sent, came any) Answer { return Answer{Sent: inWords(sent), Came: inWords(came)} }

func inWords(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(v)
}

// MarshalText writes "address kind field server", for keys of the memory.
func (k AnswerKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s %s %s %s", k.Addr, k.Kind, k.Field, k.Server), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *AnswerKey) UnmarshalText(text []byte) error {
	parts := strings.SplitN(string(text), " ", 4)
	if len(parts) != 4 {
		return fmt.Errorf("%q is no value on a server", text)
	}
	var err error
	k.Kind, k.Field, k.Server = state.Kind(parts[1]), parts[2], parts[3]
	k.Addr, err = netip.ParseAddr(parts[0])
	return err
}
