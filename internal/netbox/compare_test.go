package netbox

import (
	"encoding/json"
	"testing"
)

func TestValuesThatMeanTheSameAreTheSame(t *testing.T) {
	raw := `{"id":1,"address":"10.0.0.5/24","dns_name":"pc.example","description":"a","status":{"value":"dhcp","label":"DHCP"},"vrf":{"id":3,"name":"red"},"tenant":null,
		"role":{"id":4,"slug":"dhcp-scope"},"tags":[{"id":2,"slug":"b"},{"id":1,"slug":"a"}],"last_updated":"2026-01-02T03:04:05.000001Z","data":{"id":1,"a":{"n":1.0,"l":[1,{}]}},
		"custom_fields":{"sel":{"value":"created","label":"Created"},"at":"2026-07-01T09:30:00Z","n":3600,"empty":null,"text":"","doc":[{"b":1,"a":2}],"date":"10.0.0.5/24"}}`
	row, err := DecodeShown([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		field string
		want  any
		same  bool
	}{
		{"address", "10.0.0.5/24", true}, {"address", "10.0.0.5/25", false}, {"dns_name", "PC.Example", true}, {"description", " a ", true}, {"description", "A", false},
		{"status", "dhcp", true}, {"status", "DHCP", false}, {"vrf", int64(3), true}, {"vrf", nil, false}, {"tenant", nil, true}, {"tenant", 0, false},
		{"role", 4, true}, {"role", "dhcp-scope", true}, {"role", "other", false}, {"tags", []string{"a", "b"}, true}, {"tags", []string{"a"}, false},
		{"last_updated", "2026-01-02T04:04:05.000001+01:00", true}, {"last_updated", "2026-01-02T03:04:05Z", false},
		{"data", json.RawMessage(`{"a":{"l":[1.0,{}],"n":1},"id":1}`), true}, {"data", map[string]any{"id": 1}, false},
		{"custom_fields.sel", "created", true}, {"custom_fields.sel", "Created", false}, {"custom_fields.at", "2026-07-01T11:30:00+02:00", true},
		{"custom_fields.at", nil, false}, {"custom_fields.n", float64(3600), true}, {"custom_fields.n", "3600", false}, {"custom_fields.empty", "", true},
		{"custom_fields.text", nil, true}, {"custom_fields.missing", nil, true}, {"custom_fields.missing", false, false},
		{"custom_fields.doc", []any{map[string]any{"a": int64(2), "b": 1}}, true}, {"custom_fields.doc", []any{}, false}, {"custom_fields.doc", json.RawMessage(nil), false},
	}
	for _, tt := range tests {
		if got := row.Is(tt.field, tt.want); got != tt.same {
			t.Errorf("%s shows %s, is %v: %v", tt.field, row.Raw(tt.field), tt.want, got)
		}
	}
}

// FuzzShown reads arbitrary objects: each field shows what it shows.
func FuzzShown(f *testing.F) {
	f.Add([]byte(`{"id":4,"name":"windows-dhcp option-codes","is_active":true,"data":{"a":[1,2.0]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		row, err := DecodeShown(raw)
		if err != nil {
			return
		}
		for field := range row.fields {
			if !row.Is(field, row.Raw(field)) {
				t.Errorf("%s does not show what it shows: %s", field, row.Raw(field))
			}
		}
	})
}
