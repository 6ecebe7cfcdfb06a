package plan

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func TestDifferencesAreToldInDetail(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, c := range map[string]struct {
		change Change
		want   []Difference
	}{
		"text": {Change{"dns_name", "a", "b"}, []Difference{{Field: "dns_name", Old: "a", New: "b"}}},
		"custom fields lose their prefix": {Change{"custom_fields.dhcp_client_id", nil, "b"},
			[]Difference{{Field: "dhcp_client_id", New: "b"}}},
		"numbers and switches": {Change{"n", int64(0), true}, []Difference{{Field: "n", Old: "0", New: "true"}}},
		"text with line ends is one value": {Change{"description", "a\nb", "a\nc"},
			[]Difference{{Field: "description", Old: "a\nb", New: "a\nc"}}},
		"a table by its lines": {Change{"custom_fields.dhcp_scopes", "", "a\nb\n"},
			[]Difference{{Field: "dhcp_scopes", Entry: true, New: "a"}, {Field: "dhcp_scopes", Entry: true, New: "b"}}},
		"lists by their entries, what goes first": {Change{"l", raw(`[1,2,2]`), raw(`[3,2]`)},
			[]Difference{{Field: "l", Entry: true, Old: "1"}, {Field: "l", Entry: true, Old: "2"}, {Field: "l", Entry: true, New: "3"}}},
		"a list that goes": {Change{"l", raw(`[null,{"start":"1","end":"2"},{"code":6,"value":"a b","list":[true]}]`), nil},
			[]Difference{{Field: "l", Entry: true, Old: "null"}, {Field: "l", Entry: true, Old: "1-2"}, {Field: "l", Entry: true, Old: `code=6 list=[true] value="a b"`}}},
		"a list in another order": {Change{"l", raw(`[1,2]`), raw(`[2,1]`)}, []Difference{{Field: "l", Old: "[1, 2]", New: "[2, 1]"}}},
		"the same in other words": {Change{"l", raw(`{"a":1, "b":[2]}`), raw(`{"b":[2],"a":1}`)}, nil},
		"objects by their keys": {Change{"data", raw(`{"a":1,"b":{"c":2,"d":3}}`), raw(`{"b":{"c":4,"d":3},"e":"x"}`)},
			[]Difference{{Field: "data.a", Old: "1"}, {Field: "data.b.c", Old: "2", New: "4"}, {Field: "data.e", New: "x"}}},
		"an object for text":     {Change{"data", "x", raw(`{"a":""}`)}, []Difference{{Field: "data", Old: "x", New: `a=""`}}},
		"another type":           {Change{"n", int64(1), "1"}, []Difference{{Field: "n", Old: "1", New: "1"}}},
		"nothing and empty text": {Change{"n", nil, ""}, nil},
		"JSON that is none":      {Change{"l", raw(`[1`), nil}, []Difference{{Field: "l", Old: "[1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := Step{Action: state.Update, Changes: []Change{c.change}}
			if diff := cmp.Diff(c.want, s.Differences()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestADeleteTellsWhatGoes(t *testing.T) {
	s := Step{Action: state.Delete, Observed: []Change{{"status", "dhcp", "dhcp"}, {"dns_name", "", ""}}}
	if diff := cmp.Diff([]Difference{{Field: "status", Old: "dhcp"}}, s.Differences()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
