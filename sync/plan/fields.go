package plan

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Names of config contexts. A relationship's is followed by its name, two hold the
// option library, and one says which NetBox this is and where its memory is kept.
const (
	FailoverContext = state.ContextName + "failover "
	CodesContext    = state.ContextName + "option-codes"
	ValuesContext   = state.ContextName + "option-values"
	MemoryContext   = state.ContextName + "memory"
)

// CustomField names a custom field in a change.
func CustomField(name string) string { return "custom_fields." + name }

// field is a field of a NetBox object that the mirror writes: its name in a
// change, and how a value of a change is read from the object and put there.
type field[T any] struct {
	name string
	get  func(*T) any
	set  func(*T, any)
}

// addressFields are the fields of an address in the order in which they are
// shown. The first three are written only when an address is made.
func addressFields() []field[state.Address] {
	type address = state.Address
	return []field[address]{
		{"address", func(x *address) any { return prefixOrNil(x.Address) }, func(x *address, v any) { x.Address = prefixOf(v) }},
		{"vrf", func(x *address) any { return IDOrNil(x.VRF) }, func(x *address, v any) { x.VRF = numberOf(v) }},
		{"tenant", func(x *address) any { return IDOrNil(x.Tenant) }, func(x *address, v any) { x.Tenant = numberOf(v) }},
		{"status", func(x *address) any { return TextOrNil(x.Status) }, func(x *address, v any) { x.Status = textOf(v) }},
		{"dns_name", func(x *address) any { return x.DNSName }, func(x *address, v any) { x.DNSName = textOf(v) }},
		{"description", func(x *address) any { return x.Description }, func(x *address, v any) { x.Description = textOf(v) }},
		{
			CustomField(state.FieldClientID),
			func(x *address) any { return TextOrNil(x.ClientID) }, func(x *address, v any) { x.ClientID = textOf(v) },
		},
		{
			CustomField(state.FieldManaged),
			func(x *address) any { return TextOrNil(string(x.Managed)) }, func(x *address, v any) { x.Managed = state.Managed(textOf(v)) },
		},
		{
			CustomField(state.FieldLeaseHostname),
			func(x *address) any { return TextOrNil(x.LeaseHostname) }, func(x *address, v any) { x.LeaseHostname = textOf(v) },
		},
		{CustomField(state.FieldLeaseActive), leaseActive, setLeaseActive},
		{CustomField(state.FieldLeaseExpires), leaseExpires, setLeaseExpires},
	}
}

func leaseActive(x *state.Address) any {
	if x.LeaseActive == nil {
		return nil
	}
	return *x.LeaseActive
}

func setLeaseActive(x *state.Address, v any) {
	x.LeaseActive = nil
	if active, ok := v.(bool); ok {
		x.LeaseActive = &active
	}
}

func leaseExpires(x *state.Address) any {
	if x.LeaseExpires.IsZero() {
		return nil
	}
	return x.LeaseExpires.UTC().Format(time.RFC3339)
}

func setLeaseExpires(x *state.Address, v any) {
	x.LeaseExpires = time.Time{}
	if t, err := time.Parse(time.RFC3339, textOf(v)); err == nil {
		x.LeaseExpires = t
	}
}

// rangeFields are the fields of a range in the order in which they are shown.
func rangeFields() []field[state.Range] {
	type scope = state.Range
	text := func(name string, at func(*scope) *string) field[scope] {
		return field[scope]{CustomField(name), func(r *scope) any { return TextOrNil(*at(r)) }, func(r *scope, v any) { *at(r) = textOf(v) }}
	}
	document := func(name string, at func(*scope) *json.RawMessage) field[scope] {
		return field[scope]{CustomField(name), func(r *scope) any { return rawOrNil(*at(r)) }, func(r *scope, v any) { *at(r), _ = v.(json.RawMessage) }}
	}
	return []field[scope]{
		{"start_address", func(r *scope) any { return prefixOrNil(netip.PrefixFrom(r.Start, r.Bits)) }, func(r *scope, v any) {
			r.Start, r.Bits = prefixOf(v).Addr(), prefixOf(v).Bits()
		}},
		{"end_address", func(r *scope) any { return prefixOrNil(netip.PrefixFrom(r.End, r.Bits)) }, func(r *scope, v any) { r.End = prefixOf(v).Addr() }},
		{"description", func(r *scope) any { return r.Description }, func(r *scope, v any) { r.Description = textOf(v) }},
		text(state.FieldScopeName, func(r *scope) *string { return &r.ScopeName }),
		text(state.FieldServer, func(r *scope) *string { return &r.Server }),
		text(state.FieldFailover, func(r *scope) *string { return &r.Failover }),
		text(state.FieldRouter, func(r *scope) *string { return &r.Router }),
		{CustomField(state.FieldLeaseSeconds), func(r *scope) any { return IDOrNil(r.LeaseSeconds) }, func(r *scope, v any) { r.LeaseSeconds = numberOf(v) }},
		text(state.FieldLeaseDisplay, func(r *scope) *string { return &r.LeaseDisplay }),
		text(state.FieldScopeState, func(r *scope) *string { return &r.ScopeState }),
		document(state.FieldExclusions, func(r *scope) *json.RawMessage { return &r.Exclusions }),
		document(state.FieldOptions, func(r *scope) *json.RawMessage { return &r.Options }),
		document(state.FieldOtherSources, func(r *scope) *json.RawMessage { return &r.OtherSources }),
	}
}

// addressFieldNames names the fields of an address that the mirror writes.
func addressFieldNames() []string { return names(addressFields()) }

// rangeFieldNames names the fields of a range that the mirror writes.
func rangeFieldNames() []string { return names(rangeFields()) }

func names[T any](fields []field[T]) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// AddressChanges lists the fields in which two addresses differ, as far as they
// are written. For an address that is made, have is the zero value.
func AddressChanges(have, want *state.Address, written func(field string) bool) []Change {
	return changes(addressFields(), have, want, written)
}

// RangeChanges does the same for ranges.
func RangeChanges(have, want *state.Range, written func(field string) bool) []Change {
	return changes(rangeFields(), have, want, written)
}

func changes[T any](fields []field[T], have, want *T, written func(string) bool) []Change {
	var out []Change
	for _, f := range fields {
		before, after := f.get(have), f.get(want)
		if !SameValue(before, after) && written(f.name) {
			out = append(out, Change{Field: f.name, Old: before, New: after})
		}
	}
	return out
}

// ObservedAddress is what a step rests on: fields of an address as they were seen.
func ObservedAddress(x *state.Address, fields ...string) []Change {
	return asSeen(addressFields(), x, fields)
}

// ObservedRange does the same for a range.
func ObservedRange(r *state.Range, fields ...string) []Change {
	return asSeen(rangeFields(), r, fields)
}

func asSeen[T any](known []field[T], x *T, fields []string) []Change {
	var out []Change
	for _, name := range fields {
		for _, f := range known {
			if f.name == name {
				out = append(out, Change{Field: name, Old: f.get(x)})
			}
		}
	}
	return out
}

// carry puts the new values of changes into an object.
func carry[T any](fields []field[T], x *T, changes []Change) {
	for _, c := range changes {
		for _, f := range fields {
			if f.name == c.Field {
				f.set(x, c.New)
			}
		}
	}
}

// SameValue compares field values; JSON by content, not by spelling.
func SameValue(a, b any) bool {
	rawA, okA := a.(json.RawMessage)
	rawB, okB := b.(json.RawMessage)
	if okA && okB {
		return canonjson.Equal(rawA, rawB)
	}
	return !okA && !okB && a == b
}

// TextOrNil is text as the value of a field that is null where it is unset.
func TextOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// IDOrNil is a number as the value of a field that is null where it is unset.
func IDOrNil(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func rawOrNil(raw json.RawMessage) any {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func prefixOrNil(p netip.Prefix) any {
	if !p.IsValid() {
		return nil
	}
	return p.String()
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func numberOf(v any) int64 {
	n, _ := v.(int64)
	return n
}

func prefixOf(v any) netip.Prefix {
	p, err := netip.ParsePrefix(textOf(v))
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
