package follow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	api "github.com/netbox-community/go-netbox/v4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// addressPage is a page as NetBox 4.7 gives it for the columns asked for.
func addressPage(first, rows int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"count":null,"next":null,"previous":null,"results":[`)
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		n := first + i
		fmt.Fprintf(&b, `{"id":%d,"address":"10.%d.%d.%d/16","vrf":null,"status":{"value":"active","label":"Active"},"role":null,`+
			`"assigned_object_type":null,"assigned_object_id":null,"tags":[{"id":1,"url":"http://netbox.example.org/api/extras/tags/1/",`+
			`"display_url":"http://netbox.example.org/extras/tags/1/","display":"DHCP","name":"DHCP","slug":"dhcp","color":"9e9e9e"}],`+
			`"custom_fields":{"pydhcp_expire":"2026-01-02T03:04:05Z","pydhcp_hostname":"host-%d","pydhcp_mac":"52:54:00:%02X:%02X:%02X"},`+
			`"last_updated":"2026-01-02T03:04:05.123456Z"}`, n, n>>16&255, n>>8&255, n&255, n, n>>16&255, n>>8&255, n&255)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// results are the rows of a page.
func results(tb testing.TB, body []byte) []json.RawMessage {
	tb.Helper()
	var page struct {
		Results []json.RawMessage `json:"results"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		tb.Fatal(err)
	}
	return page.Results
}

func BenchmarkDecodePageOf1000Addresses(b *testing.B) {
	body := addressPage(1, 1000)
	d := &decoder{fields: testFields(), defined: map[string]bool{}, contexts: map[string]json.RawMessage{}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		for _, raw := range results(b, body) {
			if row := d.row(netbox.Addresses, raw); row.value == nil {
				b.Fatal(row.reason)
			}
		}
	}
}

// The same rows, with what go-netbox insists on.
func BenchmarkDecodePageOf1000AddressesWithGoNetBox(b *testing.B) {
	body := bytes.ReplaceAll(addressPage(1, 1000), []byte(`"vrf":null`),
		[]byte(`"url":"http://netbox.example.org/","display":"x","family":{"value":4,"label":"IPv4"},"nat_outside":[],"vrf":null`))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var page api.PaginatedIPAddressList
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyOneChangeTo100000Addresses(b *testing.B) {
	p := newTables()
	d := &decoder{fields: testFields(), defined: map[string]bool{}, contexts: map[string]json.RawMessage{}}
	for first := 1; first < 100_000; first += 1000 {
		for _, raw := range results(b, addressPage(first, 1000)) {
			p.put(netbox.Addresses, d.row(netbox.Addresses, raw))
		}
	}
	row := d.row(netbox.Addresses, []byte(`{"id":50000,"address":"10.0.0.1/16","status":"reserved","last_updated":"2026-01-02T03:04:06Z"}`))
	b.ReportAllocs()
	for b.Loop() {
		next := p.copy()
		next.put(netbox.Addresses, row)
		if next.objects.Addresses[50000].Status != "reserved" || p.objects.Addresses[50000].Status == "reserved" {
			b.Fatal("the change is in the wrong picture")
		}
		if s, _ := ipam.Build(&next.objects, ipam.Options{DynamicTag: "DHCP"}); s == nil {
			b.Fatal("no snapshot")
		}
	}
}
