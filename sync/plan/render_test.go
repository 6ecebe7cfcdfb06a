package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// hostile is a host name as a client may send it.
const hostile = "pc\x1b[2J\u202e<b>`|x\r\ny"

// samplePlan has one step of every kind that people get to see.
func samplePlan() *Plan {
	lab, guest := netip.MustParsePrefix("10.8.4.0/24"), netip.MustParsePrefix("10.8.6.0/25")
	addr := netip.MustParseAddr
	var exclusions []string
	for _, host := range strings.Split("ABCDEFGHIJKLMN", "") {
		exclusions = append(exclusions, `{"code":"`+host+`","value":"x y"}`)
	}
	return &Plan{
		Made: time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC),
		Steps: []Step{
			{Phase: Records, Target: NetBox, Action: state.Update, Kind: state.ConfigContext, ID: 4, Name: "windows-dhcp failover east-pair",
				Changes: []Change{{"data", json.RawMessage(`{"mode":"LoadBalance","max_client_lead_time":3600}`), json.RawMessage(`{"mode":"HotStandby","max_client_lead_time":3600}`)}, {"is_active", false, true}},
				Rule:    "4", Why: "dh1.corp.example reports it"},
			{Phase: Records, Target: NetBox, Action: state.Update, Kind: state.IPRange, ID: 7, Name: "10.8.4.20-10.8.4.250", Scope: lab,
				Changes: []Change{
					{"custom_fields.dhcp_lease_seconds", int64(86400), int64(691200)},
					{"custom_fields.dhcp_router", nil, "10.8.4.1"},
					{"custom_fields.dhcp_exclusions", json.RawMessage(`[{"start":"10.8.4.20","end":"10.8.4.29"},{"end":"10.8.4.41","start":"10.8.4.40"}]`),
						json.RawMessage(`[{"start":"10.8.4.40","end":"10.8.4.41"},{"start":"10.8.4.50","end":"10.8.4.59"}]`)},
					{"custom_fields.dhcp_options", nil, json.RawMessage("[" + strings.Join(exclusions, ",") + "]")},
				},
				Rule: "5", Why: "as dh1.corp.example shows it; what was edited in NetBox is not kept while push_scope_info is off"},
			{Phase: Addresses, Target: NetBox, Action: state.Update, Kind: state.IPAddress, ID: 70, Name: "10.8.4.60/24", Scope: lab, Addr: addr("10.8.4.60"),
				Changes: []Change{{"dns_name", " mfp-2", "mfp-3"}}, AddTags: []string{"new-tag"}, RemoveTags: []string{state.TagInvalid}, Rule: "3.5 row 8", Why: "a reservation on dh1.corp.example", Journal: "Was edited by hand."},
			{Phase: Addresses, Target: NetBox, Action: state.Create, Kind: state.IPAddress, Name: "10.8.4.33/24", Scope: lab, Addr: addr("10.8.4.33"),
				Changes: []Change{{"status", nil, "dhcp"}, {"dns_name", nil, "pc-17"}, {"custom_fields.dhcp_lease_hostname", nil, hostile}}, Rule: "3.5 row 4", Why: "leased to " + hostile},
			{Phase: Cleanup, Target: NetBox, Action: state.Delete, Kind: state.IPAddress, ID: 71, Name: "10.8.6.20/25", Scope: guest, Addr: addr("10.8.6.20"), VRF: 3,
				Observed: []Change{{"status", "dhcp", "dhcp"}, {"dns_name", "", ""}}, Rule: "3.7", Why: "no lease and no reservation on dh2.corp.example"},
			{Phase: Push, Target: "dh1.corp.example", Action: state.Create, Kind: WindowsReservation, Name: "reservation 10.8.4.61", Scope: lab, Addr: addr("10.8.4.61"),
				Changes: []Change{{"client_id", nil, "3c-52-82-0a-1b-61"}, {"name", nil, "cam-1"}}, Rule: "5.2", Why: "NetBox has it"},
			{Phase: Reflection, Target: NetBox, Action: state.Update, Kind: state.IPPrefix, ID: 9, Name: "10.8.4.0/24", Scope: lab,
				Changes: []Change{{"custom_fields.dhcp_scopes", "| a |\n| - |\n| old |\n", "| a |\n| - |\n| new |\n"}}, Rule: "9 row 15"},
		},
		Notes: []Note{
			{Level: Info, Server: "dh3.corp.example", Rule: "3.2", Text: "not asked: in maintenance"},
			{Level: Skip, Scope: lab, Addr: addr("10.8.4.9"), Rule: "3.4", Text: "protected"},
			{Level: Guard, Scope: guest, Server: "dh2.corp.example", Rule: "3.7 guard c", Text: "would lose 40 of 50 addresses; nothing is deleted there"},
			{Level: Failure, Server: "dh2.corp.example", Scope: guest, Rule: "3.8", Text: "leases: " + hostile},
			{Level: Warning, Text: "a warning about nothing in particular"},
		},
		Scopes: []ScopeSeen{
			{Server: "dh1.corp.example", Source: Source{Failover: "east-pair"}, Scope: lab, Name: "Lab", Known: true, Synced: true, Leases: 1, Reservations: 2},
			{Server: "dh2.corp.example", Source: Source{Server: "dh2.corp.example"}, Scope: guest, Name: "Guest " + hostile, VRF: 3, Why: "in maintenance"},
		},
		Violations: []Violation{{ID: 80, Addr: netip.MustParsePrefix("10.8.4.25/24"), Text: "lies in the exclusion 10.8.4.20-10.8.4.29 of Lab"}},
	}
}

func rendered(t *testing.T, p *Plan, opts TextOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Text(&b, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPlanForPeople(t *testing.T) {
	golden(t, "plan.txt", rendered(t, samplePlan(), TextOptions{Width: 100}))
	golden(t, "plan-verbose.txt", rendered(t, samplePlan(), TextOptions{Verbose: true}))
	golden(t, "plan-colour.txt", rendered(t, samplePlan(), TextOptions{Colour: true, Width: 80}))
	golden(t, "plan-empty.txt", rendered(t, &Plan{}, TextOptions{}))
}

func TestTheSummaryIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		plan *Plan
		want string
	}{
		"everything":                           {samplePlan(), "Plan: 1 to create, 4 to change, 1 to delete in NetBox; 1 on dh1.corp.example; 1 invalid status; 5 notes (1 failure, 1 held back by guards)"},
		"nothing":                              {&Plan{}, "Plan: nothing to change"},
		"a note":                               {&Plan{Notes: []Note{{Level: Info}}}, "Plan: nothing to change; 1 note"},
		"a server that calls itself something": {&Plan{Steps: []Step{{Target: "dh\n1", Action: state.Create}}}, `Plan: 1 on dh\n1`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.plan.Summary(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTextIsSafeToLookAt(t *testing.T) {
	for in, want := range map[string]string{
		"pc-17":          "pc-17",
		"Müller 北京 🎧":    "Müller 北京 🎧",
		`C:\dhcp "x"`:    `C:\dhcp "x"`,
		"it's":           "it's",
		"a\x1b[31mb":     `a\x1b[31mb`,
		"a\u009b31mb":    `a\u009b31mb`,
		"a\r\nb\tc":      `a\r\nb\tc`,
		"a\u202eb":       `a\u202eb`,
		"a\u2066b":       `a\u2066b`,
		"a\u200bb":       `a\u200bb`,
		"a\u2028b":       `a\u2028b`,
		"a\xffb":         `a\xffb`,
		"a\U000e0001b":   `a\U000e0001b`,
		"a\x00b\x7fc":    `a\x00b\x7fc`,
		"a\u00a0b\ufffd": "a\\u00a0b\ufffd",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %s, want %s", in, got, want)
		}
	}
}

// Whatever the names are, each line stays a line and no character of them
// steers the terminal.
func TestHostileTextStaysInItsPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching("[\\x00-\\x1f\u0080-\u009f\u202a-\u202e\u2066-\u2069a ]*")).Draw(rt, "text")
		plain, other := samplePlan(), samplePlan()
		for _, p := range []*Plan{plain, other} {
			word := "x"
			if p == other {
				word = s
			}
			p.Steps[0].Name, p.Steps[1].Why, p.Steps[2].Target, p.Steps[3].Rule = word, word, "dh"+word, word
			p.Steps[2].AddTags, p.Steps[2].Journal, p.Steps[3].Changes[1].New = []string{word + "t"}, word, word
			p.Notes[0].Text, p.Notes[0].Server, p.Scopes[0].Name, p.Violations[0].Text = word, word, "n"+word, word
		}
		out := rendered(t, other, TextOptions{Verbose: true})
		if lines, want := bytes.Count(out, []byte("\n")), bytes.Count(rendered(t, plain, TextOptions{Verbose: true}), []byte("\n")); strings.TrimSpace(s) != "" && lines != want {
			rt.Errorf("%q makes %d lines of %d:\n%s", s, lines, want, out)
		}
		checkSafe(rt, out)
	})
}

func checkSafe(t interface{ Errorf(string, ...any) }, out []byte) {
	if !utf8.Valid(out) {
		t.Errorf("not UTF-8: %q", out)
	}
	for _, r := range string(out) {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			t.Errorf("%U is in %q", r, out)
			return
		}
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestAnErrorOfTheStreamIsReturned(t *testing.T) {
	if err := samplePlan().Text(brokenPipe{}, TextOptions{}); !errors.Is(err, errPipe) {
		t.Errorf("got %v", err)
	}
}
