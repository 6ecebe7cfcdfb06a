package report

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func TestDifferencesAreToldInDetail(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, c := range map[string]struct {
		change plan.Change
		want   []Difference
	}{
		"text": {plan.Change{Field: "dns_name", Old: "a", New: "b"}, []Difference{{Field: "dns_name", Old: "a", New: "b"}}},
		"custom fields lose their prefix": {plan.Change{Field: "custom_fields.dhcp_client_id", Old: nil, New: "b"},
			[]Difference{{Field: "dhcp_client_id", New: "b"}}},
		"numbers and switches": {plan.Change{Field: "n", Old: int64(0), New: true}, []Difference{{Field: "n", Old: "0", New: "true"}}},
		"text with line ends is one value": {plan.Change{Field: "description", Old: "a\nb", New: "a\nc"},
			[]Difference{{Field: "description", Old: "a\nb", New: "a\nc"}}},
		"a table by its lines": {plan.Change{Field: "custom_fields.dhcp_scopes", Old: "", New: "a\nb\n"},
			[]Difference{{Field: "dhcp_scopes", Entry: true, New: "a"}, {Field: "dhcp_scopes", Entry: true, New: "b"}}},
		"lists by their entries, what goes first": {plan.Change{Field: "l", Old: raw(`[1,2,2]`), New: raw(`[3,2]`)},
			[]Difference{{Field: "l", Entry: true, Old: "1"}, {Field: "l", Entry: true, Old: "2"}, {Field: "l", Entry: true, New: "3"}}},
		"a list that goes": {plan.Change{Field: "l", Old: raw(`[null,{"start":"1","end":"2"},{"code":6,"value":"a b","list":[true]}]`), New: nil},
			[]Difference{{Field: "l", Entry: true, Old: "null"}, {Field: "l", Entry: true, Old: "1-2"}, {Field: "l", Entry: true, Old: `code=6 list=[true] value="a b"`}}},
		"a list in another order": {plan.Change{Field: "l", Old: raw(`[1,2]`), New: raw(`[2,1]`)}, []Difference{{Field: "l", Old: "[1, 2]", New: "[2, 1]"}}},
		"the same in other words": {plan.Change{Field: "l", Old: raw(`{"a":1, "b":[2]}`), New: raw(`{"b":[2],"a":1}`)}, nil},
		"objects by their keys": {plan.Change{Field: "data", Old: raw(`{"a":1,"b":{"c":2,"d":3}}`), New: raw(`{"b":{"c":4,"d":3},"e":"x"}`)},
			[]Difference{{Field: "data.a", Old: "1"}, {Field: "data.b.c", Old: "2", New: "4"}, {Field: "data.e", New: "x"}}},
		"an object for text":     {plan.Change{Field: "data", Old: "x", New: raw(`{"a":""}`)}, []Difference{{Field: "data", Old: "x", New: `a=""`}}},
		"another type":           {plan.Change{Field: "n", Old: int64(1), New: "1"}, []Difference{{Field: "n", Old: "1", New: "1"}}},
		"nothing and empty text": {plan.Change{Field: "n", Old: nil, New: ""}, nil},
		"JSON that is none":      {plan.Change{Field: "l", Old: raw(`[1`), New: nil}, []Difference{{Field: "l", Old: "[1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := plan.Step{Action: state.Update, Changes: []plan.Change{c.change}}
			if diff := cmp.Diff(c.want, Differences(&s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestADeleteTellsWhatGoes(t *testing.T) {
	s := plan.Step{Action: state.Delete, Observed: []plan.Change{{Field: "status", Old: "dhcp", New: "dhcp"}, {Field: "dns_name", Old: "", New: ""}}}
	if diff := cmp.Diff([]Difference{{Field: "status", Old: "dhcp"}}, Differences(&s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The role is sent by its id, which tells people nothing.
func TestTheRoleOfAScopeIsToldByItsName(t *testing.T) {
	for old, change := range map[string]plan.Change{"": {Field: "role", New: int64(7)}, "Pool": {Field: "role", Old: "Pool", New: int64(7)}} {
		s := &plan.Step{Kind: state.IPRange, Changes: []plan.Change{change}}
		if diff := cmp.Diff([]Difference{{Field: "role", Old: old, New: "dhcp-scope"}}, Differences(s)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
