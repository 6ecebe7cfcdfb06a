package plan

import (
	"encoding/json"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Names of config contexts. A relationship's is followed by its name; the other
// two hold the option library.
const (
	FailoverContext = state.ContextName + "failover "
	CodesContext    = state.ContextName + "option-codes"
	ValuesContext   = state.ContextName + "option-values"
)

// custom names a custom field in a change.
func CustomField(name string) string { return "custom_fields." + name }

// addressFieldOrder is the order in which fields of an address are shown.
func AddressFields() []string {
	return []string{
		"address", "vrf", "tenant", "status", "dns_name",
		CustomField(state.FieldClientID), CustomField(state.FieldManaged),
		CustomField(state.FieldLeaseHostname), CustomField(state.FieldLeaseActive), CustomField(state.FieldLeaseExpires),
	}
}

// rangeFieldOrder is the order in which fields of a range are shown.
func RangeFields() []string {
	return []string{
		"start_address", "end_address", "description",
		CustomField(state.FieldScopeName), CustomField(state.FieldServer), CustomField(state.FieldFailover), CustomField(state.FieldRouter),
		CustomField(state.FieldLeaseSeconds), CustomField(state.FieldLeaseDisplay), CustomField(state.FieldScopeState),
		CustomField(state.FieldExclusions), CustomField(state.FieldOptions), CustomField(state.FieldOtherSources),
	}
}

// sameValue compares field values; JSON by content, not by spelling.
func SameValue(a, b any) bool {
	rawA, okA := a.(json.RawMessage)
	rawB, okB := b.(json.RawMessage)
	if okA && okB {
		return canonjson.Equal(rawA, rawB)
	}
	return !okA && !okB && a == b
}
