package netbox

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func testDecoder() *decoder {
	return &decoder{fields: testFields(), contextKey: contextKey, gateFields: []string{"redeploy"},
		defined: make(map[string]bool), contexts: make(map[string]json.RawMessage)}
}

func TestTimesAreReadInEveryFormOfISO8601(t *testing.T) { // A-6, P-17
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, text := range []string{
		"2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05", "2026-01-02 03:04:05",
		"2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05,000000+00:00", "2026-01-02t03:04:05z",
		"2026-01-02T05:04:05+02:00", "2026-01-02T05:04:05+0200", "2026-01-02T05:04:05+02", "2026-01-01T22:04:05-05:00",
		"20260102T030405Z", "20260102T030405", "20260102T050405+0200", " 2026-01-02T03:04:05Z\n",
	} {
		got, err := parseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]time.Time{
		"2026-01-02T03:04Z": time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		"20260102T0304":     time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		"2026-01-02":        time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		"20260102":          time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "soon", "never", "1767323045", "2026-13-01T00:00:00Z", "02.01.2026", "2026-01-02T25:00:00Z"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestAnExpiryIsWrittenInUTCWithWholeSeconds(t *testing.T) {
	at := time.Date(2026, 1, 2, 5, 4, 5, 999_999_999, time.FixedZone("", 2*3600))
	if got, want := formatTime(at), "2026-01-02T03:04:05+00:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRecordsAreReadFromFieldsOfEveryType(t *testing.T) {
	expires := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name, fields string
		want         ipam.Record
	}{
		{"nothing yet", `{"pydhcp_mac":null,"pydhcp_expire":null,"pydhcp_hostname":null}`, ipam.Record{}},
		{"empty texts", `{"pydhcp_mac":"","pydhcp_expire":" ","pydhcp_hostname":""}`, ipam.Record{}},
		{"fields not defined", `{"other":5}`, ipam.Record{}},
		{"a lease", `{"pydhcp_mac":"52:54:00:00:00:09","pydhcp_expire":"2026-01-02T03:04:05Z","pydhcp_hostname":"pc"}`,
			ipam.Record{Client: "52:54:00:00:00:09", Expires: expires, Hostname: "pc"}},
		{"MAC in another notation", `{"pydhcp_mac":" 5254.0000.000a "}`, ipam.Record{Client: "52:54:00:00:00:0A"}},
		{"a longer client key", `{"pydhcp_mac":"00:01:02:03:04:05:06:07"}`, ipam.Record{Client: "00:01:02:03:04:05:06:07"}},
		{"MAC without expiry: released", `{"pydhcp_mac":"52:54:00:00:00:09","pydhcp_expire":null}`, ipam.Record{Client: "52:54:00:00:00:09"}}, // P-5
		{"expiry in words", `{"pydhcp_mac":"52:54:00:00:00:09","pydhcp_expire":"until further notice"}`,
			ipam.Record{Client: "52:54:00:00:00:09", Unreadable: true}}, // P-17
		{"expiry as a number", `{"pydhcp_expire":1767323045}`, ipam.Record{Unreadable: true}},
		{"expiry as an object", `{"pydhcp_expire":{"a":1}}`, ipam.Record{}},
		{"selection of 4.7", `{"pydhcp_hostname":{"value":"pc","label":"PC"}}`, ipam.Record{Hostname: "pc"}},
		{"client as a number", `{"pydhcp_mac":7}`, ipam.Record{Client: "7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var have map[string]json.RawMessage
			if err := json.Unmarshal([]byte(tt.fields), &have); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, testFields().record(have)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRowsOfUnknownShapeAreReadAsFarAsTheyGo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table endpoint
		raw   string
		check func(any) bool
	}{
		{"custom status with empty label", addresses, `{"id":1,"address":"10.0.0.5/24","status":{"value":"quarantine","label":""}}`,
			func(v any) bool { return v.(*ipam.Address).Status == "quarantine" }},
		{"bare status", addresses, `{"id":1,"address":"10.0.0.5/24","status":"active"}`,
			func(v any) bool { return v.(*ipam.Address).Status == "active" }},
		{"no status, unknown keys", addresses, `{"id":1,"address":"10.0.0.5/24","status":null,"nat_outside":[],"owner":{"id":3}}`,
			func(v any) bool { return v.(*ipam.Address).Status == "" }},
		{"id beyond 53 bits", addresses, `{"id":9007199254740993,"address":"10.0.0.5/24","assigned_object_type":"dcim.interface","assigned_object_id":9007199254740995}`,
			func(v any) bool {
				a := v.(*ipam.Address)
				return a.ID == 9007199254740993 && a.Interface == ipam.InterfaceID{Kind: ipam.Device, ID: 9007199254740995}
			}},
		{"address on an FHRP group", addresses, `{"id":1,"address":"10.0.0.1/24","assigned_object_type":"ipam.fhrpgroup","assigned_object_id":4}`,
			func(v any) bool { return v.(*ipam.Address).Interface == ipam.InterfaceID{} }},
		{"address without mask", addresses, `{"id":1,"address":"10.0.0.1"}`,
			func(v any) bool { return v.(*ipam.Address).Address == netip.MustParsePrefix("10.0.0.1/32") }},
		{"VRF as bare id", prefixes, `{"id":1,"prefix":"10.0.0.0/24","vrf":7,"scope_type":"plugin.campus","scope_id":3}`,
			func(v any) bool { p := v.(*ipam.Prefix); return p.VRF == 7 && p.Scope == ipam.Scope{} }},
		{"prefix with host bits", prefixes, `{"id":1,"prefix":"10.0.0.9/24"}`,
			func(v any) bool { return v.(*ipam.Prefix).Prefix == netip.MustParsePrefix("10.0.0.0/24") }},
		{"MAC in Cisco notation", macs, `{"id":1,"mac_address":"5254.0000.00aa"}`,
			func(v any) bool { return v.(*ipam.MACAddress).MAC == ipam.MAC{0x52, 0x54, 0, 0, 0, 0xaa} }},
		{"device without name", devices, `{"id":1,"name":null,"config_context":null,"custom_fields":{}}`,
			func(v any) bool { m := v.(*ipam.Machine); return m.Name == "" && m.Context == nil && m.Gate == nil }},
		{"context that is no object", devices, `{"id":1,"config_context":[1]}`,
			func(v any) bool { return v.(*ipam.Machine).Context == nil }},
		{"gate as a selection", vms, `{"id":1,"custom_fields":{"redeploy":{"value":"yes","label":"Yes"},"x":1}}`,
			func(v any) bool {
				m := v.(*ipam.Machine)
				return m.ID.Kind == ipam.VirtualMachine && len(m.Gate) == 1 && string(m.Gate["redeploy"]) == `{"value":"yes","label":"Yes"}`
			}},
		{"context limited by tag slugs", contexts, `{"id":1,"name":"x","tags":["a"],"data":{"pydhcp_configuration":{"mtu":9000}}}`,
			func(v any) bool {
				c := v.(*ipam.ConfigContext)
				return c.MachinesOnly && string(c.Data) == `{"mtu":9000}`
			}},
		{"context with criteria", contexts, `{"id":1,"name":"x","regions":[{"id":2}],"tenant_groups":[3],"data":{}}`,
			func(v any) bool {
				c := v.(*ipam.ConfigContext)
				return !c.MachinesOnly && c.Data == nil && c.Regions[0] == 2 && c.TenantGroups[0] == 3
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := testDecoder().row(tt.table, json.RawMessage(tt.raw))
			if row.reason != nil {
				t.Fatal(row.reason)
			}
			if !tt.check(row.value) {
				t.Errorf("read as %+v", row.value)
			}
		})
	}
}

func TestABadRowSaysWhatIsWrongAndKeepsItsID(t *testing.T) { // B-4
	for _, tt := range []struct {
		name  string
		table endpoint
		raw   string
		id    int64
		words string
	}{
		{"address that is none", addresses, `{"id":5,"address":"banana"}`, 5, "banana"},
		{"no address", addresses, `{"id":5}`, 5, "no IP address"},
		{"zone in an address", addresses, `{"id":5,"address":"fe80::1%eth0"}`, 5, "fe80"},
		{"status of another kind", addresses, `{"id":5,"address":"10.0.0.5/24","status":[1]}`, 5, "choice"},
		{"tags of another kind", addresses, `{"id":5,"address":"10.0.0.5/24","tags":"DHCP"}`, 5, "tags"},
		{"MAC too short", macs, `{"id":6,"mac_address":"52:54"}`, 6, "12 hexadecimal digits"},
		{"range the wrong way round", ranges, `{"id":7,"start_address":"10.0.0.9/24","end_address":"10.0.0.1/24"}`, 7, "before the start"},
		{"range of two families", ranges, `{"id":7,"start_address":"10.0.0.9/24","end_address":"::1/64"}`, 7, "before the start"},
		{"interface of nothing", interfaces, `{"id":8,"name":"eth0","device":null}`, 8, "no device"},
		{"VM interface of nothing", vmInterfaces, `{"id":8,"name":"eth0"}`, 8, "no virtual machine"},
		{"no id", tags, `{"name":"x"}`, 0, "no id"},
		{"id zero", tags, `{"id":0,"name":"x"}`, 0, "no id"},
		{"not an object", tags, `7`, 0, "cannot unmarshal"},
		{"null", tags, `null`, 0, "no id"},
		{"time that is none", addresses, `{"id":9,"address":"10.0.0.5/24","last_updated":"yesterday"}`, 9, "yesterday"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := testDecoder().row(tt.table, json.RawMessage(tt.raw))
			if row.value != nil || row.reason == nil {
				t.Fatalf("read as %+v", row.value)
			}
			if row.id != tt.id || !strings.Contains(row.reason.Error(), tt.words) {
				t.Errorf("id %d, reason %q; want id %d and %q", row.id, row.reason, tt.id, tt.words)
			}
		})
	}
}

func TestMachinesWithEqualContextsShareOneText(t *testing.T) {
	d := testDecoder()
	raw := json.RawMessage(`{"id":1,"config_context":{"pydhcp_configuration":{"mtu":9000}}}`)
	one := d.row(devices, raw).value.(*ipam.Machine)
	two := d.row(devices, raw).value.(*ipam.Machine)
	if &one.Context[0] != &two.Context[0] {
		t.Error("two copies of one context are kept")
	}
}

// FuzzRow reads arbitrary rows of every table.
func FuzzRow(f *testing.F) {
	all := append(smallTables(), followedTables()...)
	f.Add(0, []byte(`{"id":1,"name":"x","rd":null}`))
	f.Add(10, []byte(`{"id":1,"address":"10.0.0.5/24","status":{"value":"active"},"tags":[{"id":1}],"custom_fields":{"pydhcp_expire":"x"},"last_updated":"2026-01-02T03:04:05.123456Z"}`))
	f.Add(11, []byte(`{"id":1,"mac_address":"52:54:00:00:00:01","assigned_object_type":"dcim.interface","assigned_object_id":1}`))
	f.Add(14, []byte(`{"id":1,"name":"x","primary_ip4":{"id":3},"config_context":{"pydhcp_configuration":{}},"custom_fields":{"redeploy":true}}`))
	f.Add(7, []byte(`{"id":1,"weight":1000,"regions":[{"id":1}],"tags":["x"],"data":{"pydhcp_configuration":[]}}`))
	f.Fuzz(func(t *testing.T, which int, raw []byte) {
		e := all[int(uint(which)%uint(len(all)))]
		row := testDecoder().row(e, raw)
		if row.id < 0 {
			t.Errorf("id %d", row.id)
		}
		if row.value == nil {
			return
		}
		if row.id == 0 || row.reason != nil {
			t.Errorf("a value without id, or with a reason against it: %+v", row)
		}
		var o ipam.Objects
		if !tableOf(e).put(&o, row.value) || tableOf(e).size(&o) != 1 {
			t.Errorf("%s: the value is not in its table: %+v", e, row.value)
		}
		switch v := row.value.(type) {
		case *ipam.Address:
			if !v.Address.Addr().Is4() {
				t.Errorf("address %s", v.Address)
			}
		case *ipam.Prefix:
			if v.Prefix != v.Prefix.Masked() {
				t.Errorf("prefix %s has host bits", v.Prefix)
			}
		case *ipam.Machine:
			if v.Context != nil && !json.Valid(v.Context) {
				t.Errorf("context %q is no JSON", v.Context)
			}
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2026-01-02T03:04:05Z", "20260102T0304+02", "2026-01-02 03:04:05.5", "2026-01-02"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseTime(text)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			return
		}
		again, err := parseTime(formatTime(at))
		if err != nil || !again.Equal(at.Truncate(time.Second)) {
			t.Errorf("%q is %s, which is written %s and read %s, %v", text, at, formatTime(at), again, err)
		}
	})
}
