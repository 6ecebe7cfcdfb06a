package psutest

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/recorded.jsonl holds what version 1.1.0 of the script of deploy/psu
// answered under PowerShell 7.6.9, over stand-ins of the cmdlets; a request and its
// answer a line, in an order in which each can be asked. Left out is what the
// present script answers otherwise on purpose (rules 1.6 to 1.9): health, exclusions
// of all scopes, the state in a PUT, a range outside the subnet (400 now), texts that
// look like times, client ids that are not exact. The words of errors are not
// recorded, since they are those of the stand-ins.
func TestTheStandInAnswersWhatWasRecorded(t *testing.T) {
	text, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, c := at(t, Config{World: recordedWorld(), Script: Own})
	asked := 0
	for line := range bytes.Lines(text) {
		var row struct {
			Request string          `json:"request"`
			Sent    map[string]any  `json:"sent"`
			Status  int             `json:"status"`
			Answer  json.RawMessage `json:"answer"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		method, path, _ := strings.Cut(row.Request, " ")
		var in any
		if row.Sent != nil {
			in = row.Sent
		}
		got := c.do(method, path, in)
		asked++
		if got.status != row.Status {
			t.Errorf("%s: status %d (%s), recorded is %d", line, got.status, got.body, row.Status)
		}
		if row.Answer == nil {
			continue
		}
		if diff := cmp.Diff(inOrder(t, row.Answer), inOrder(t, got.body)); diff != "" {
			t.Errorf("%s (-recorded +stand-in):\n%s", row.Request, diff)
		}
	}
	if asked < 50 {
		t.Errorf("%d requests", asked)
	}
}

// inOrder is an answer with the entries of a list in an order of their own, and
// without the fields that came later.
func inOrder(t *testing.T, body []byte) []string {
	t.Helper()
	var list []map[string]any
	if json.Unmarshal(body, &list) != nil {
		list = []map[string]any{{}}
		if err := json.Unmarshal(body, &list[0]); err != nil {
			t.Fatal(err, string(body))
		}
	}
	var out []string
	for _, entry := range list {
		delete(entry, "user_class")
		delete(entry, "policy")
		out = append(out, string(marshal(entry)))
	}
	slices.Sort(out)
	return out
}

// recordedWorld is what the cmdlets had when it was recorded.
func recordedWorld() World {
	const end = "2026-11-28T22:08:44Z"
	switchover := int64(2700)
	return World{
		Name:          "dh1.corp.example",
		ServerOptions: []*Option{{Code: 15, Name: "DNS Domain Name", Values: []string{"corp.example"}}},
		Failovers: []*Failover{{Name: "east-pair", Partner: "dh2.corp.example", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 3600,
			StateSwitchover: &switchover, EnableAuth: true}},
		Scopes: []*Scope{
			{
				ID: "10.8.4.0", Mask: "255.255.255.0", Name: "Office", Start: "10.8.4.10", End: "10.8.4.200", LeaseSeconds: 691200, Routers: []string{"10.8.4.1", "10.8.4.2"},
				Leases: []*Lease{
					{IP: "10.8.4.33", ClientID: "00-11-22-33-44-55", Hostname: "pc1.corp.example", Expiry: end},
					{IP: "10.8.4.34", ClientID: "00-11-22-33-44-56", Hostname: "B\u00fcro", Expiry: end},
					{IP: "10.8.4.60", ClientID: "00-11-22-33-44-60", Hostname: "printer"},
				},
				Reservations: []*Reservation{{IP: "10.8.4.60", ClientID: "00-11-22-33-44-60", Name: "printer", Description: "third floor"}},
				Exclusions:   []Exclusion{{Start: "10.8.4.10", End: "10.8.4.19"}},
				Options: []*Option{
					{Code: 6, Name: "DNS Servers", Values: []string{"10.8.0.53"}, Type: "IPv4Address"},
					{Code: 43, Name: "Vendor Specific Info", Values: []string{"0x01", "0x04"}, Type: "BinaryData", VendorClass: "Microsoft Options"},
				},
			},
			{
				ID: "10.8.6.0", Mask: "255.255.255.128", Name: "G\u00e4ste \"1\"", Start: "10.8.6.10", End: "10.8.6.100", Description: "it's a", State: "InActive", LeaseSeconds: 3600,
				Leases: []*Lease{{IP: "10.8.6.10", ClientID: "52-41-53-20-01-00-00-00-00-00-00-00-01-00-00-00", Hostname: "ras", Expiry: "9999-12-31T23:59:59Z"}},
			},
			{ID: "10.9.0.0", Mask: "255.255.254.0", Name: "Unlimited", Start: "10.9.0.10", End: "10.9.1.200", Unreadable: true},
			{ID: "192.0.2.0", Mask: "255.255.255.0", Name: "Scratch", Start: "192.0.2.10", End: "192.0.2.200", LeaseSeconds: 3600},
		},
	}
}
