package drift

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is a host name as a client may send it.
const hostile = "=cmd|' /C calc'!A0\x1b[2J\u202e<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\r\n|`"

// sample is a plan over a number of scopes, with every kind of step, note and
// state a site gets to see.
func sample(scopes int) *plan.Plan {
	p := &plan.Plan{Made: time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)}
	names := []string{"Lab", "Guest Wi-Fi", "Printers & scanners", "VoIP 2nd floor", "Cameras", "Büro Süd", "Warehouse", "Staff"}
	for i := range scopes {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(4 + i), 0}), 24)
		seen := plan.ScopeSeen{Server: "dh1.corp.example", Source: plan.Source{Failover: "east-pair"}, Scope: subnet,
			Name: names[i%len(names)], Known: i%9 != 8, Synced: true, Leases: 37 * (i + 1) % 240, Reservations: i % 13}
		if i%4 == 3 {
			seen.Server, seen.Source = "dh2.corp.example", plan.Source{Server: "dh2.corp.example"}
		}
		if i%11 == 7 {
			seen.VRF = 3
		}
		if i%10 == 9 {
			seen.Synced, seen.Why = false, "the scope is in maintenance"
		} else {
			stepsOf(p, i, seen)
		}
		p.Scopes = append(p.Scopes, seen)
	}
	p.Scopes[0].Name = "Lab " + hostile
	first := p.Scopes[0].Scope
	p.Notes = []plan.Note{
		{Level: plan.Info, Server: "dh3.corp.example", Rule: "3.2", Text: "not asked: the server is in maintenance"},
		{Level: plan.Skip, Scope: first, Addr: first.Addr().Next(), Rule: "3.4", Text: "protected by the tag dhcp-protect"},
		{Level: plan.Warning, Scope: first, Rule: "3.5 row 11", Text: "status active of 10.8.4.77/24 becomes dhcp: leased to " + hostile, Once: true},
		{Level: plan.Conflict, Server: "dh1.corp.example", Scope: first, Addr: netip.MustParseAddr("10.8.4.62"), Rule: "5.2", Text: "is reserved for 3c-52-82-0a-1b-62 on the server and for 3c-52-82-0a-1b-63 in NetBox"},
		{Level: plan.Guard, Server: "dh2.corp.example", Scope: first, Rule: "3.7 guard c", Text: "would lose 61 of 80 addresses; nothing is deleted there (--allow-deletes)"},
		{Level: plan.Failure, Server: "dh2.corp.example", Rule: "3.8", Text: "reservations: GET /api/dhcp/reservations: 500: {\"error\":\"Failed to get reservation\"}"},
	}
	p.Violations = []plan.Violation{
		{ID: 812, Addr: netip.MustParsePrefix("10.8.4.25/24"), Text: `status "dhcp" on 10.8.4.25: it is in exclusion 10.8.4.20-10.8.4.29 of Lab`},
		{ID: 813, Addr: netip.MustParsePrefix("192.0.2.9/24"), VRF: 3, Text: `status "dhcp" on 192.0.2.9: no DHCP scope contains it`},
	}
	return p
}

// stepsOf adds differences of one scope; the kinds take turns.
func stepsOf(p *plan.Plan, i int, seen plan.ScopeSeen) {
	subnet, source := seen.Scope, seen.Source.String()
	host := func(n int) netip.Addr {
		b := subnet.Addr().As4()
		b[3] = byte(n)
		return netip.AddrFrom4(b)
	}
	step := func(s plan.Step) {
		s.Scope, s.VRF = subnet, seen.VRF
		if s.Target == "" {
			s.Target = plan.NetBox
		}
		p.Steps = append(p.Steps, s)
	}
	text := func(field string, old, after any) plan.Change { return plan.Change{Field: field, Old: old, New: after} }
	if i%3 == 0 {
		step(plan.Step{Phase: plan.Records, Action: state.Update, Kind: state.IPRange, ID: int64(100 + i), Name: fmt.Sprintf("scope %s of %s (%s)", subnet, source, seen.Name),
			Changes: []plan.Change{
				text("custom_fields.dhcp_lease_seconds", int64(86400), int64(691200)), text("custom_fields.dhcp_lease_display", "1 Day", "8 Days"),
				text("custom_fields.dhcp_exclusions", json.RawMessage(fmt.Sprintf(`[{"start":"%s","end":"%s"},{"start":"%s","end":"%s"}]`, host(20), host(29), host(40), host(40))),
					json.RawMessage(fmt.Sprintf(`[{"start":"%s","end":"%s"},{"start":"%s","end":"%s"}]`, host(40), host(40), host(240), host(250)))),
			}, Rule: "5.1", Why: "as " + source + " has it"})
	}
	for n := 33; n < 35+i%3; n++ {
		name := fmt.Sprintf("pc-%d-%d.corp.example", i, n)
		step(plan.Step{Phase: plan.Addresses, Action: state.Create, Kind: state.IPAddress, Name: host(n).String() + "/24", Addr: host(n),
			Changes: []plan.Change{text("status", nil, "dhcp"), text("dns_name", nil, name), text("custom_fields.dhcp_client_id", nil, fmt.Sprintf("3c-52-82-0a-%02x-%02x", i, n)),
				text("custom_fields.dhcp_managed", nil, "created")}, Rule: "3.5 row 4", Why: "leased by " + seen.Server})
	}
	raw := "mfp-3"
	if i == 0 {
		raw = hostile
	}
	step(plan.Step{Phase: plan.Addresses, Action: state.Update, Kind: state.IPAddress, ID: int64(300 + i), Name: host(60).String() + "/24", Addr: host(60),
		Changes: []plan.Change{text("dns_name", "mfp-2", "mfp-3"), text("custom_fields.dhcp_lease_hostname", "mfp-2", raw)},
		AddTags: []string{"reserved-by-windows"}, RemoveTags: []string{state.TagInvalid}, Rule: "3.5 row 8", Why: "a reservation on " + seen.Server})
	if i%2 == 0 {
		step(plan.Step{Phase: plan.Cleanup, Action: state.Delete, Kind: state.IPAddress, ID: int64(500 + i), Name: host(90).String() + "/24", Addr: host(90),
			Observed: []plan.Change{text("status", "dhcp", "dhcp"), text("dns_name", "old-laptop", "old-laptop")}, Rule: "3.7 delete", Why: "neither leased nor reserved any more"})
	}
	if i%5 == 0 {
		step(plan.Step{Phase: plan.Push, Target: seen.Server, Action: state.Update, Kind: plan.WindowsReservation, Name: "reservation " + host(61).String(), Addr: host(61),
			Changes: []plan.Change{text("name", "cam", "cam-1"), text("description", "", "lobby")}, Rule: "5.2", Why: "NetBox is the truth for reservations"})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
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

func writers(r *Report) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{"drift.txt": r.Text, "drift.csv": r.CSV, "drift.json": r.JSON, "drift.html": r.HTML}
}

func written(t interface{ Fatal(...any) }, write func(io.Writer) error) []byte {
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAReportInEveryForm(t *testing.T) {
	r := New(sample(4))
	golden(t, "drift.txt", written(t, r.Text))
	golden(t, "drift.csv", written(t, r.CSV))
	golden(t, "drift.json", written(t, r.JSON))
	golden(t, "drift-none.txt", written(t, New(&plan.Plan{}).Text))
}

func TestTheSameReportIsTheSameBytes(t *testing.T) {
	for name, write := range writers(New(sample(40))) {
		again := writers(New(sample(40)))[name]
		if !bytes.Equal(written(t, write), written(t, again)) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestEachSideShowsWhatItHas(t *testing.T) {
	step := func(target string, kind state.Kind, field string) plan.Step {
		return plan.Step{Target: target, Action: state.Update, Kind: kind, Changes: []plan.Change{{Field: field, Old: "old", New: "new"}}}
	}
	for name, c := range map[string]struct {
		step plan.Step
		want Field
	}{
		"NetBox follows Windows":          {step(plan.NetBox, state.IPAddress, "dns_name"), Field{Name: "dns_name", NetBox: "old", Windows: "new", After: "new"}},
		"Windows follows NetBox":          {step("dh1", plan.WindowsReservation, "name"), Field{Name: "name", NetBox: "new", Windows: "old", After: "new"}},
		"Windows has no such thing":       {step(plan.NetBox, state.IPAddress, "custom_fields.dhcp_managed"), Field{Name: "dhcp_managed", NetBox: "old", After: "new", OwnToNetBox: true}},
		"the state of a Windows scope is": {step("dh1", plan.WindowsScope, "status"), Field{Name: "status", NetBox: "new", Windows: "old", After: "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := New(&plan.Plan{Steps: []plan.Step{c.step}}).Differences[0].Fields
			if diff := cmp.Diff([]Field{c.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheCountsAreThoseOfThePlan(t *testing.T) {
	p := sample(40)
	c := New(p).Counts
	want := Counts{InNetBox: 0, Failures: 1, Guards: 1, Conflicts: 1, Warnings: 1, Violations: 2, Scopes: 40, Synced: 36}
	for _, target := range p.Targets() {
		n := 0
		for action, count := range map[state.Action]*int{state.Create: &want.Create, state.Update: &want.Update, state.Delete: &want.Delete} {
			*count += p.Count(target, action)
			n += p.Count(target, action)
		}
		if target == plan.NetBox {
			want.InNetBox += n
		} else {
			want.OnWindows += n
		}
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if c.Differences() != len(p.Steps) || c.InStep() {
		t.Errorf("%d differences of %d steps, in step: %v", c.Differences(), len(p.Steps), c.InStep())
	}
	if quiet := New(&plan.Plan{Notes: []plan.Note{{Level: plan.Skip}, {Level: plan.Info}}}).Counts; !quiet.InStep() {
		t.Error("what is left alone on purpose counts as a difference")
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	for in, want := range map[string]string{
		"pc-17": "pc-17", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@sum": "'@sum", "  =1": "'  =1", "\t=1": `\t=1`, "\uff1d1": "'\uff1d1", "": "",
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := sample(1)
		name := rapid.OneOf(rapid.String(), rapid.StringMatching("[-=+@\t\r\n \",';\uff1d]{0,4}[A-Z0-9()]{0,5}")).Draw(t, "name")
		p.Steps[1].Changes[1].New, p.Steps[1].Why, p.Notes[0].Text, p.Scopes[0].Name = name, name, name, name
		rows, err := csv.NewReader(bytes.NewReader(written(t, New(p).CSV))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, c := range row {
				if strings.ContainsAny(c, "\t\r\n") || strings.IndexAny(strings.TrimSpace(c), "=+-@\uff1d") == 0 {
					t.Errorf("%q makes the cell %q", name, c)
				}
			}
		}
	})
}

// No text in a name makes a form of the report steer the program that shows it.
func TestNoFormHasCharactersThatSteer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := sample(1)
		name := rapid.OneOf(rapid.String(), rapid.StringMatching("[\\x00-\\x1f\u0080-\u009f\u202a-\u202e\u2066-\u2069a]*")).Draw(t, "name")
		p.Steps[0].Name, p.Steps[1].Why, p.Steps[2].Changes[1].New, p.Notes[0].Server, p.Scopes[0].Name = name, name, name, name, name
		for form, write := range writers(New(p)) {
			for _, r := range string(written(t, write)) {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
					t.Fatalf("%s has %U", form, r)
				}
			}
		}
	})
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestAnErrorOfTheStreamIsReturned(t *testing.T) {
	for form, write := range writers(New(sample(1))) {
		if err := write(brokenPipe{}); !errors.Is(err, errPipe) {
			t.Errorf("%s: got %v", form, err)
		}
	}
}
