package follow

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

func testDecoder() *decoder {
	return &decoder{fields: testFields(), contextKey: contextKey, gateFields: []string{"redeploy"},
		defined: make(map[string]bool), contexts: make(map[string]json.RawMessage)}
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
			if diff := cmp.Diff(tt.want, testFields().Record(have)); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRowsOfUnknownShapeAreReadAsFarAsTheyGo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table netbox.Table
		raw   string
		check func(any) bool
	}{
		{"custom status with empty label", netbox.Addresses, `{"id":1,"address":"10.0.0.5/24","status":{"value":"quarantine","label":""}}`,
			func(v any) bool { return v.(*ipam.Address).Status == "quarantine" }},
		{"bare status", netbox.Addresses, `{"id":1,"address":"10.0.0.5/24","status":"active"}`,
			func(v any) bool { return v.(*ipam.Address).Status == "active" }},
		{"no status, unknown keys", netbox.Addresses, `{"id":1,"address":"10.0.0.5/24","status":null,"nat_outside":[],"owner":{"id":3}}`,
			func(v any) bool { return v.(*ipam.Address).Status == "" }},
		{"id beyond 53 bits", netbox.Addresses, `{"id":9007199254740993,"address":"10.0.0.5/24","assigned_object_type":"dcim.interface","assigned_object_id":9007199254740995}`,
			func(v any) bool {
				a := v.(*ipam.Address)
				return a.ID == 9007199254740993 && a.Interface == ipam.InterfaceID{Kind: ipam.Device, ID: 9007199254740995}
			}},
		{"address on an FHRP group", netbox.Addresses, `{"id":1,"address":"10.0.0.1/24","assigned_object_type":"ipam.fhrpgroup","assigned_object_id":4}`,
			func(v any) bool { return v.(*ipam.Address).Interface == ipam.InterfaceID{} }},
		{"address of the mirror", netbox.Addresses, `{"id":1,"address":"10.0.0.1/24","custom_fields":{"dhcp_managed":{"value":"created","label":"Created"}}}`,
			func(v any) bool { return v.(*ipam.Address).Managed }},
		{"address the mirror let go", netbox.Addresses, `{"id":1,"address":"10.0.0.1/24","custom_fields":{"dhcp_managed":null}}`,
			func(v any) bool { return !v.(*ipam.Address).Managed }},
		{"interface in a bridge", netbox.Interfaces, `{"id":3,"name":"eno1","device":{"id":1},"lag":null,"bridge":{"id":4,"name":"vmbr0"},"parent":null}`,
			func(v any) bool { i := v.(*ipam.Interface); return i.Bridge == 4 && i.Parent == 0 }},
		{"sub-interface of a VM", netbox.VMInterfaces, `{"id":3,"name":"ens3.20","virtual_machine":{"id":1},"bridge":null,"parent":{"id":5}}`,
			func(v any) bool { i := v.(*ipam.Interface); return i.Bridge == 0 && i.Parent == 5 }},
		{"address without mask", netbox.Addresses, `{"id":1,"address":"10.0.0.1"}`,
			func(v any) bool { return v.(*ipam.Address).Address == netip.MustParsePrefix("10.0.0.1/32") }},
		{"VRF as bare id", netbox.Prefixes, `{"id":1,"prefix":"10.0.0.0/24","vrf":7,"scope_type":"plugin.campus","scope_id":3}`,
			func(v any) bool { p := v.(*ipam.Prefix); return p.VRF == 7 && p.Scope == ipam.Scope{} }},
		{"prefix on a VLAN", netbox.Prefixes, `{"id":1,"prefix":"10.0.0.0/24","vlan":{"id":12,"vid":5,"name":"office"}}`,
			func(v any) bool { return v.(*ipam.Prefix).VLAN == 12 }},
		{"prefix with tags", netbox.Prefixes, `{"id":1,"prefix":"10.0.0.0/24","tags":[{"id":4,"slug":"voice"},{"id":9,"slug":"b"}]}`,
			func(v any) bool { return slices.Equal(v.(*ipam.Prefix).Tags, []int64{4, 9}) }},
		{"prefix on no VLAN", netbox.Prefixes, `{"id":1,"prefix":"10.0.0.0/24","vlan":null}`,
			func(v any) bool { return v.(*ipam.Prefix).VLAN == 0 }},
		{"prefix with host bits", netbox.Prefixes, `{"id":1,"prefix":"10.0.0.9/24"}`,
			func(v any) bool { return v.(*ipam.Prefix).Prefix == netip.MustParsePrefix("10.0.0.0/24") }},
		{"MAC in Cisco notation", netbox.MACs, `{"id":1,"mac_address":"5254.0000.00aa"}`,
			func(v any) bool { return v.(*ipam.MACAddress).MAC == ipam.MAC{0x52, 0x54, 0, 0, 0, 0xaa} }},
		{"device without name", netbox.Devices, `{"id":1,"name":null,"config_context":null,"custom_fields":{}}`,
			func(v any) bool { m := v.(*ipam.Machine); return m.Name == "" && m.Context == nil && m.Gate == nil }},
		{"context that is no object", netbox.Devices, `{"id":1,"config_context":[1]}`,
			func(v any) bool { return v.(*ipam.Machine).Context == nil }},
		{"gate as a selection", netbox.VMs, `{"id":1,"custom_fields":{"redeploy":{"value":"yes","label":"Yes"},"x":1}}`,
			func(v any) bool {
				m := v.(*ipam.Machine)
				return m.ID.Kind == ipam.VirtualMachine && len(m.Gate) == 1 && string(m.Gate["redeploy"]) == `{"value":"yes","label":"Yes"}`
			}},
		{"context limited by tag slugs", netbox.Contexts, `{"id":1,"name":"x","tags":["a"],"data":{"pydhcp_configuration":{"mtu":9000}}}`,
			func(v any) bool {
				c := v.(*ipam.ConfigContext)
				return !c.MachinesOnly && slices.Equal(c.Tags, []string{"a"}) && string(c.Data) == `{"mtu":9000}`
			}},
		{"context with criteria", netbox.Contexts, `{"id":1,"name":"x","regions":[{"id":2}],"tenant_groups":[3],"data":{}}`,
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
		table netbox.Table
		raw   string
		id    int64
		words string
	}{
		{"address that is none", netbox.Addresses, `{"id":5,"address":"banana"}`, 5, "banana"},
		{"no address", netbox.Addresses, `{"id":5}`, 5, "no IP address"},
		{"zone in an address", netbox.Addresses, `{"id":5,"address":"fe80::1%eth0"}`, 5, "fe80"},
		{"status of another kind", netbox.Addresses, `{"id":5,"address":"10.0.0.5/24","status":[1]}`, 5, "choice"},
		{"tags of another kind", netbox.Addresses, `{"id":5,"address":"10.0.0.5/24","tags":"DHCP"}`, 5, "tags"},
		{"MAC too short", netbox.MACs, `{"id":6,"mac_address":"52:54"}`, 6, "12 hexadecimal digits"},
		{"range the wrong way round", netbox.Ranges, `{"id":7,"start_address":"10.0.0.9/24","end_address":"10.0.0.1/24"}`, 7, "before the start"},
		{"range of two families", netbox.Ranges, `{"id":7,"start_address":"10.0.0.9/24","end_address":"::1/64"}`, 7, "before the start"},
		{"interface of nothing", netbox.Interfaces, `{"id":8,"name":"eth0","device":null}`, 8, "no device"},
		{"VM interface of nothing", netbox.VMInterfaces, `{"id":8,"name":"eth0"}`, 8, "no virtual machine"},
		{"no id", netbox.Tags, `{"name":"x"}`, 0, "no id"},
		{"id zero", netbox.Tags, `{"id":0,"name":"x"}`, 0, "no id"},
		{"not an object", netbox.Tags, `7`, 0, "cannot unmarshal"},
		{"null", netbox.Tags, `null`, 0, "no id"},
		{"time that is none", netbox.Addresses, `{"id":9,"address":"10.0.0.5/24","last_updated":"yesterday"}`, 9, "yesterday"},
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
	one := d.row(netbox.Devices, raw).value.(*ipam.Machine)
	two := d.row(netbox.Devices, raw).value.(*ipam.Machine)
	if &one.Context[0] != &two.Context[0] {
		t.Error("two copies of one context are kept")
	}
}

// FuzzRow reads arbitrary rows of every table.
func FuzzRow(f *testing.F) {
	all := Tables()
	f.Add(0, []byte(`{"id":1,"name":"x","rd":null}`))
	f.Add(10, []byte(`{"id":1,"address":"10.0.0.5/24","status":{"value":"active"},"tags":[{"id":1}],"custom_fields":{"pydhcp_expire":"x"},"last_updated":"2026-01-02T03:04:05.123456Z"}`))
	f.Add(11, []byte(`{"id":1,"mac_address":"52:54:00:00:00:01","assigned_object_type":"dcim.interface","assigned_object_id":1}`))
	f.Add(14, []byte(`{"id":1,"name":"x","primary_ip4":{"id":3},"config_context":{"pydhcp_configuration":{}},"custom_fields":{"redeploy":true}}`))
	f.Add(12, []byte(`{"id":1,"name":"x","device":{"id":2},"connected_endpoints":[{"id":3}],"connected_endpoints_type":"dcim.interface","connected_endpoints_reachable":true}`))
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
		if !rowsOf(e).put(&o, row.id, row.value) || rowsOf(e).size(&o) != 1 {
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
