package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// ScopeKey is a scope on a server.
type ScopeKey struct {
	Server string
	Subnet netip.Prefix
}

// MarshalText writes "subnet server", for keys of the memory.
func (k ScopeKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s %s", k.Subnet, k.Server), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *ScopeKey) UnmarshalText(text []byte) error {
	subnet, server, ok := strings.Cut(string(text), " ")
	if !ok {
		return fmt.Errorf("%q is no subnet and server", text)
	}
	var err error
	k.Server = server
	k.Subnet, err = netip.ParsePrefix(subnet)
	return err
}

// Without is an agreement after a step on exclusions or options failed: what both
// sides agree on about these is what it was before.
func (a Agreement) Without(kind state.Kind, before Agreement) Agreement {
	if kind == WindowsOption {
		a.Options = before.Options
		return a
	}
	a.Held = append(slices.Clone(before.Held), a.Held...)
	a.Exclusions, a.Whole, a.Edited, a.FewExclusions = before.Exclusions, before.Whole, before.Edited, before.FewExclusions
	return a
}

// Absence is since when a server lacks something, by two clocks.
type Absence struct {
	First      time.Time           `json:"first,omitzero"` // by the mirror's
	Dated      time.Time           `json:"dated,omitzero"` // by the server's, else NetBox's; zero: not known
	Exclusions []windhcp.Exclusion `json:"exclusions,omitempty"`
}

// Agreement is what NetBox and a server said of a scope when they last agreed, by
// which a later run tells which side has changed since (rule 5.6).
type Agreement struct {
	Edited time.Time `json:"edited,omitzero"` // last change of NetBox's record then, by its clock
	// Exclusions are those that both had. Whole is set once they were read whole.
	Exclusions []windhcp.Exclusion `json:"exclusions,omitempty"`
	Whole      bool                `json:"whole,omitempty"`
	// Held are exclusions that guard c did not let go from the server: only a person's
	// word does.
	Held []windhcp.Exclusion `json:"held,omitempty"`
	// The other values are nil until both sides had the same.
	Router  *string `json:"router,omitempty"`
	State   *string `json:"state,omitempty"`
	Options *string `json:"options,omitempty"` // as JSON
	// FewExclusions and RouterGone tell since when the server lacks what NetBox has,
	// in a way that one read does not prove; zero: it does not.
	FewExclusions Absence `json:"few_exclusions,omitzero"`
	RouterGone    Absence `json:"router_gone,omitzero"`
	// Pulled is what NetBox was given of the scope's attributes, in words, by name.
	Pulled map[string]string `json:"pulled,omitempty"`
	// Told are the warnings of the last run, which the next one does not repeat.
	Told []string `json:"told,omitempty"`
}
