package decide

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// record is a scope as NetBox holds it: an IP range with role dhcp-scope, or
// an entry in the dhcp_other_sources of one, where two sources serve
// overlapping spans of one subnet, which NetBox does not allow as two ranges.
// Its identity is source, subnet and VRF (rule 4).
type record struct {
	Source       plan.Source
	Subnet       netip.Prefix
	VRF          int64
	Name         string
	Start, End   netip.Addr
	Description  string
	State        string
	Router       string
	LeaseSeconds int64 // 0: not known
	LeaseDisplay string
	Exclusions   []windhcp.Exclusion
	Options      []optionValue

	holder *state.Range // the range it is, or is an entry of; nil: new
	entry  bool
}

// key identifies a record.
type key struct {
	Source plan.Source
	Subnet netip.Prefix
	VRF    int64
}

func (r *record) key() key { return key{r.Source, r.Subnet, r.VRF} }

func (r *record) subnetKey() subnetKey { return subnetKey{r.VRF, r.Subnet} }

func (r *record) missingKey() plan.MissingKey {
	return plan.MissingKey{List: plan.ListScopes, Place: plan.Place{VRF: r.VRF, Addr: r.Subnet.Addr()}, Name: r.Source.String()}
}

// exclusionOf is the exclusion that an address is in; nil: none.
func (r *record) exclusionOf(addr netip.Addr) *windhcp.Exclusion {
	for i := range r.Exclusions {
		if r.Exclusions[i].Contains(addr) {
			return &r.Exclusions[i]
		}
	}
	return nil
}

// optionValue is an option of a scope: the definition is found by vendor class
// and code, the friendly name by those and the value.
type optionValue struct {
	Code        int    `json:"code"`
	VendorClass string `json:"vendor_class,omitempty"`
	Value       string `json:"value"`
}

func (o optionValue) compare(p optionValue) int {
	return cmp.Or(cmp.Compare(o.VendorClass, p.VendorClass), cmp.Compare(o.Code, p.Code), cmp.Compare(o.Value, p.Value))
}

// exclusionJSON is an exclusion in dhcp_exclusions.
type exclusionJSON struct {
	Start netip.Addr `json:"start"`
	End   netip.Addr `json:"end"`
}

// entryJSON is a scope in dhcp_other_sources.
type entryJSON struct {
	plan.Source
	Name         string          `json:"name"`
	Start        netip.Addr      `json:"start"`
	End          netip.Addr      `json:"end"`
	Description  string          `json:"description,omitempty"`
	State        string          `json:"state,omitempty"`
	Router       string          `json:"router,omitempty"`
	LeaseSeconds int64           `json:"lease_seconds,omitempty"`
	Exclusions   []exclusionJSON `json:"exclusions,omitempty"`
	Options      []optionValue   `json:"options,omitempty"`
}

// recordsOf reads the scopes out of NetBox's ranges. What cannot be read is
// noted. A range without a source is no scope of any server and is never synced
// (rule 3.2).
func recordsOf(ranges []state.Range) (records []*record, notes []plan.Note) {
	for i := range ranges {
		r := &ranges[i]
		if r.Role != state.RoleScope {
			continue
		}
		note := func(format string, args ...any) {
			notes = append(notes, plan.Note{Level: plan.Failure, Scope: r.Subnet(), Cause: plan.CauseRecord,
				Text: fmt.Sprintf("IP range %d (%s-%s): ", r.ID, r.Start, r.End) + fmt.Sprintf(format, args...)})
		}
		if (r.Server == "") == (r.Failover == "") {
			note("has to name either a server or a failover relationship in %s and %s; it is left alone", state.FieldServer, state.FieldFailover)
			continue
		}
		own := &record{
			Source: plan.Source{Server: r.Server, Failover: r.Failover}, Subnet: r.Subnet(), VRF: r.VRF,
			Name: r.ScopeName, Start: r.Start, End: r.End, Description: r.Description, State: r.ScopeState,
			Router: r.Router, LeaseSeconds: r.LeaseSeconds, LeaseDisplay: r.LeaseDisplay, holder: r,
		}
		if shown, err := windhcp.ParseLifetime(r.LeaseDisplay); err == nil && own.LeaseSeconds <= 0 {
			own.LeaseSeconds = shown // the operator filled in the readable field only
		}
		var err error
		if own.Exclusions, err = exclusionsOf(r.Exclusions); err != nil {
			note("%s: %v; it is left alone", state.FieldExclusions, err)
			continue
		}
		if err := unmarshal(r.Options, &own.Options); err != nil {
			note("%s: %v; it is left alone", state.FieldOptions, err)
			continue
		}
		var others []entryJSON
		if err := unmarshal(r.OtherSources, &others); err != nil {
			note("%s: %v; it is left alone", state.FieldOtherSources, err)
			continue
		}
		if i := slices.IndexFunc(others, func(e entryJSON) bool { return !e.valid() }); i >= 0 {
			note("%s: entry %d needs one source, a start and an end; it is left alone", state.FieldOtherSources, i+1)
			continue
		}
		records = append(records, own)
		for _, o := range others {
			records = append(records, o.record(r))
		}
	}
	return records, notes
}

// valid reports whether an entry can be a scope at all.
func (e entryJSON) valid() bool {
	return (e.Server == "") != (e.Failover == "") && e.Start.IsValid() && e.End.IsValid() &&
		!slices.ContainsFunc(e.Exclusions, func(x exclusionJSON) bool { return !x.Start.IsValid() || !x.End.IsValid() || x.End.Less(x.Start) })
}

func (e entryJSON) record(holder *state.Range) *record {
	r := &record{
		Source: e.Source, Subnet: holder.Subnet(), VRF: holder.VRF, Name: e.Name, Start: e.Start, End: e.End,
		Description: e.Description, State: e.State, Router: e.Router, LeaseSeconds: e.LeaseSeconds,
		Options: e.Options, holder: holder, entry: true,
	}
	for _, x := range e.Exclusions {
		r.Exclusions = append(r.Exclusions, windhcp.Exclusion(x))
	}
	r.Exclusions = union(nil, r.Exclusions)
	return r
}

func (r *record) entryJSON() entryJSON {
	e := entryJSON{
		Source: r.Source, Name: r.Name, Start: r.Start, End: r.End, Description: r.Description, State: r.State,
		Router: r.Router, LeaseSeconds: r.LeaseSeconds, Options: r.Options,
	}
	for _, x := range r.Exclusions {
		e.Exclusions = append(e.Exclusions, exclusionJSON(x))
	}
	return e
}

func exclusionsOf(raw json.RawMessage) ([]windhcp.Exclusion, error) {
	var list []exclusionJSON
	if err := unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var out []windhcp.Exclusion
	for _, x := range list {
		if !x.Start.IsValid() || !x.End.IsValid() || x.End.Less(x.Start) {
			return nil, fmt.Errorf("%s-%s is no span of addresses", x.Start, x.End)
		}
		out = append(out, windhcp.Exclusion(x))
	}
	return union(nil, out), nil
}

// unmarshal reads a JSON custom field; unset means the zero value.
func unmarshal(raw json.RawMessage, out any) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// document writes a list for a JSON custom field; nothing is null there.
func document[T any](list []T) json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	return canonjson.Of(list)
}

// asRange is the range of a record, but for the scopes of other sources in it.
func (r *record) asRange() state.Range {
	exclusions := make([]exclusionJSON, 0, len(r.Exclusions))
	for _, x := range r.Exclusions {
		exclusions = append(exclusions, exclusionJSON(x))
	}
	out := state.Range{
		Start: r.Start, End: r.End, Bits: r.Subnet.Bits(), VRF: r.VRF, Description: keptDescription(r.Description),
		ScopeName: r.Name, Server: r.Source.Server, Failover: r.Source.Failover, Router: r.Router, ScopeState: r.State,
		Exclusions: document(exclusions), Options: document(r.Options),
	}
	if r.LeaseSeconds > 0 {
		out.LeaseSeconds, out.LeaseDisplay = r.LeaseSeconds, windhcp.FormatLifetime(r.LeaseSeconds)
	}
	return out
}

// keptDescription is a description as NetBox keeps it. One that was cut is never
// taken for another one, and so never pushed (rule 3.8 point 25).
func keptDescription(text string) string {
	return strings.TrimSpace(cutRunes(strings.TrimSpace(text), 200))
}

// cutRunes cuts s to n characters; NetBox refuses longer descriptions.
func cutRunes(s string, n int) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), n)])
}
