package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

func lines(text string) int { return strings.Count(text, "\n") }

// rule 9 row 19.
func TestSyncSaysOneLineAndQuietSyncNoneUnlessSomebodyShouldLook(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	if stdout := s.expect(exit.OK, "sync"); lines(stdout) != 1 || !strings.Contains(stdout, "created") {
		t.Errorf("first run: %q", stdout)
	}
	s.forget()
	if stdout := s.expect(exit.OK, "sync"); lines(stdout) != 1 || !strings.Contains(stdout, "no change") {
		t.Errorf("second run: %q", stdout)
	}
	s.writesNothing()
	s.dh1.Fail(psutest.Fault{Path: "leases*", Kind: psutest.Error500})
	stdout, stderr, code := s.run("sync", "--quiet")
	if code != exit.Failed || lines(stdout) != 1 || !strings.Contains(stderr, "10.8.4.0/24") {
		t.Errorf("exit code %d, %q\n%s", code, stdout, stderr)
	}
	s.dh1.ClearFaults()

	var run struct {
		ID   string `json:"id"`
		Plan struct{ Steps []plan.Step }
	}
	if err := json.Unmarshal([]byte(s.expect(exit.OK, "sync", "--json")), &run); err != nil || run.ID == "" {
		t.Errorf("%v, %+v", err, run)
	}
}

// rule 3.8 point 2: the exit code tells what lasts; the words come once.
func TestQuietSyncTellsWhatLastsOnce(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	s.dh1.Fail(psutest.Fault{Path: "exclusions", Kind: psutest.Error500})
	if _, stderr, code := s.run("sync", "--quiet"); code != exit.Failed || !strings.Contains(stderr, "exclusions") || !strings.Contains(stderr, "plain HTTP") {
		t.Errorf("first run: exit code %d\n%s", code, stderr)
	}
	if stdout, stderr, code := s.run("sync", "--quiet"); code != exit.Failed || stdout+stderr != "" {
		t.Errorf("second run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := s.run("sync"); code != exit.Failed || !strings.Contains(stderr, "exclusions") || lines(stdout) != 1 {
		t.Errorf("asked by a person: exit code %d\n%s%s", code, stdout, stderr)
	}
	if stdout := s.expect(exit.Failed, "plan"); !strings.Contains(stdout, "exclusions") {
		t.Errorf("the plan:\n%s", stdout)
	}
	s.dh1.Fail(psutest.Fault{Path: "options/*", Kind: psutest.Error500})
	if _, stderr, code := s.run("sync", "--quiet"); code != exit.Failed || strings.Contains(stderr, "exclusions") || !strings.Contains(stderr, "options") {
		t.Errorf("something else: exit code %d\n%s", code, stderr)
	}
	s.dh1.ClearFaults()
	if stdout, stderr, code := s.run("sync", "--quiet"); code != exit.OK || stdout+stderr != "" {
		t.Errorf("over: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// rule 3.8 point 23.
func TestOneCauseIsOneLineWithACount(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	s.Create("extras/custom-fields", map[string]any{"name": "owner", "type": "text", "object_types": []string{"ipam.ipaddress"}, "required": true})
	_, stderr, code := s.run("sync", "--quiet")
	if code != exit.Failed || strings.Count(stderr, "owner") != 1 {
		t.Errorf("exit code %d, want one line\n%s", code, stderr)
	}
	for _, want := range []string{"steps failed", "steps=", "such_as=", "10.8.4.100"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

// rule 3.8 point 23: notes that say the same are one line of the log and of the plan;
// JSON has each.
func TestEqualNotesAreOneLine(t *testing.T) {
	s := open(t, syncs+"adopt: report\n")
	s.expect(exit.OK, "import", "--quiet")
	const claimed = 5
	for i := range claimed {
		s.Create("ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.8.4.10%d/24", i), "status": "active"})
	}
	stdout := s.expect(exit.OK, "plan")
	if strings.Count(stdout, "adopt: report") != 1 || !strings.Contains(stdout, "10.8.4.100, 10.8.4.101, 10.8.4.102 and 2 more: ") {
		t.Errorf("the plan:\n%s", stdout)
	}
	if stdout := s.expect(exit.OK, "plan", "-v"); strings.Count(stdout, "adopt: report") != claimed {
		t.Errorf("the plan with everything:\n%s", stdout)
	}
	var made plan.Plan
	if err := json.Unmarshal([]byte(s.expect(exit.OK, "plan", "--json")), &made); err != nil || len(made.Notes) < claimed {
		t.Errorf("%v, notes %+v", err, made.Notes)
	}
	_, stderr, _ := s.run("sync", "--quiet")
	if strings.Count(stderr, "adopt: report") != 1 {
		t.Errorf("the log:\n%s", stderr)
	}
	for _, want := range []string{"notes=5", `such_as="10.8.4.100, 10.8.4.101, 10.8.4.102"`, "subnet=10.8.4.0/24"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %s in\n%s", want, stderr)
		}
	}
}

func TestAPlanHasALineForEachNewLeaseAndDetailsOnRequest(t *testing.T) {
	s := open(t, syncs)
	if stdout := s.expect(exit.OK, "import", "--dry-run"); !strings.Contains(stdout, "scopes: 3 would be created, 0 skipped") || strings.Contains(stdout, "3 created") {
		t.Errorf("a rehearsal:\n%s", stdout)
	}
	s.expect(exit.OK, "import", "--quiet")
	shown := s.expect(exit.OK, "plan")
	line := ""
	for l := range strings.Lines(shown) {
		if strings.Contains(l, "10.8.4.100/24") {
			line += l
		}
	}
	if !strings.HasPrefix(line, "    + IP address 10.8.4.100/24: dhcp, ") || !strings.HasSuffix(line, " [3.5 row 4]\n") || lines(line) != 1 {
		t.Errorf("the lease is told as %q", line)
	}
	if strings.Contains(shown, "dhcp_managed") {
		t.Errorf("details of new addresses:\n%s", shown)
	}
	if shown := s.expect(exit.OK, "plan", "-v"); !strings.Contains(shown, "dhcp_managed") || !strings.Contains(shown, "dhcp_lease_hostname") {
		t.Errorf("no details:\n%s", shown)
	}
	did := s.expect(exit.OK, "sync", "-v")
	for _, want := range []string{"Done in NetBox", "scope 10.8.4.0/24", "+ IP address 10.8.4.100/24", "created"} {
		if !strings.Contains(did, want) {
			t.Errorf("no %q in what was done:\n%s", want, did)
		}
	}
	if did := s.expect(exit.OK, "sync", "-v"); strings.Contains(did, "Done in") || !strings.Contains(did, "no change") {
		t.Errorf("a second run:\n%s", did)
	}
}

func TestQuietSyncOfAHealthyPairSaysNothing(t *testing.T) {
	s := imported(t, syncs)
	secure := secured(t, s)
	stdout, stderr, code := secure.run("sync", "--quiet")
	if code != exit.OK || stdout != "" || stderr != "" {
		t.Errorf("exit code %d, said %q and %q", code, stdout, stderr)
	}
}

func TestDryRunShowsThePlanAndWritesNothing(t *testing.T) { // rule 3.7 guard f
	s := open(t, syncs+"push_reservations: true\npush_scope_info: true\n")
	for _, command := range [][]string{{"import", "--dry-run"}, {"sync", "--dry-run"}, {"apply", "--dry-run", "--yes"}, {"migrate", "--dry-run", "--yes"}} {
		stdout, stderr, code := s.run(command...)
		if code != exit.OK || !strings.Contains(stdout, "Plan: ") {
			t.Errorf("%v: exit code %d\n%s%s", command, code, stdout, stderr)
		}
		if !strings.Contains(stderr, "nothing is written anywhere") {
			t.Errorf("%v: no banner: %s", command, stderr)
		}
	}
	t.Setenv("NETBOX_DHCP_SYNC_DRY_RUN", "true")
	s.expect(exit.OK, "import")
	s.expect(exit.OK, "sync")
	s.writesNothing()
}

// rules 7 and 9 row 50.
func TestForcedSettingsAreToldAtEachRunAndInTheSettings(t *testing.T) {
	s := open(t, syncs+"push_scope_info: true\nread_only: true\noverrides: {push_scope_info: false}\n")
	_, stderr, _ := s.run("sync")
	shown := s.expect(exit.OK, "config", "show", "--effective")
	for _, want := range []string{"sync.push_scope_info", "override config.yml:", "this setting is forced", "nothing is written to Windows servers"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("not told at the start of a run: %q\n%s", want, stderr)
		}
		if !strings.Contains(shown, want) {
			t.Errorf("not told with the settings: %q\n%s", want, shown)
		}
	}
	t.Setenv("NETBOX_DHCP_SYNC_PUSH_SCOPE_INFO", "true")
	if _, stderr, _ := s.run("sync"); !strings.Contains(stderr, "environment NETBOX_DHCP_SYNC_PUSH_SCOPE_INFO") {
		t.Errorf("the environment is not told of: %s", stderr)
	}
}

func TestSavedPlanIsCarriedOutExactlyOrNotAtAll(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	saved := filepath.Join(s.Folder, "monday.plan")
	s.forget()
	shown := s.expect(exit.OK, "plan", "--out", saved)
	if !strings.Contains(shown, "10.8.4.100/24") {
		t.Errorf("the plan is not shown:\n%s", shown)
	}
	s.writesNothing()
	asJSON := s.expect(exit.OK, "plan", "--json")
	if _, err := plan.Parse([]byte(asJSON)); err != nil {
		t.Error(err)
	}

	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[5].Hostname = "changed" })
	if stdout := s.expect(exit.Failed, "apply", saved); !strings.Contains(stdout, "make a new one") {
		t.Errorf("told %q", stdout)
	}
	s.writesNothing()

	edited := filepath.Join(s.Folder, "edited.plan")
	if err := os.WriteFile(edited, []byte(strings.Replace(asJSON, "10.8.4.100", "10.8.4.101", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{edited, s.conf, filepath.Join(s.Folder, "absent.plan")} {
		s.expect(exit.Usage, "apply", file)
	}
	s.writesNothing()

	s.expect(exit.OK, "plan", "--out", saved, "--quiet")
	s.expect(exit.OK, "apply", saved)
	if s.Address("10.8.4.100") == nil {
		t.Error("the plan was not carried out")
	}
	s.expect(exit.OK, "plan", "--detailed-exitcode")
}

func TestAScopeThatNeitherSideKnowsIsAMistakeOnTheCommandLine(t *testing.T) { // rule 3.8
	s := imported(t, syncs)
	for _, command := range [][]string{{"sync"}, {"sync", "--scope", "10.8.4.0/24"}, {"plan"}, {"apply", "--yes"}, {"import"}, {"migrate", "--yes"}, {"drift"}} {
		stdout, stderr, code := s.run(append(command, "--scope", "10.8.40.0/24")...)
		if code != exit.Usage || !strings.Contains(stdout+stderr, "10.8.40.0/24") || strings.Contains(stdout+stderr, "--scope 10.8.4.0/24") {
			t.Errorf("%v: exit code %d\n%s%s", command, code, stdout, stderr)
		}
	}
	s.writesNothing()
	s.expect(exit.OK, "sync", "--scope", "10.8.4.0/24")
	s.dh1.Fail(psutest.Fault{Path: "scopes", Kind: psutest.Error500})
	s.expect(exit.Failed, "sync", "--scope", "10.8.40.0/24") // it may be there
}

// rule 4: what an import cannot record is an error.
func TestAnImportThatCannotRecordAScopeFails(t *testing.T) {
	s := open(t, syncs)
	s.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.4.20/24", "end_address": "10.8.4.250/24"})
	if stdout := s.expect(exit.Failed, "import"); !strings.Contains(stdout, "overlaps IP range 10.8.4.20-10.8.4.250") {
		t.Errorf("told:\n%s", stdout)
	}
	_, stderr, code := s.run("sync", "--quiet")
	if code != exit.Failed || !strings.Contains(stderr, "is in the way") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestValidateSaysTheSameOfOneAddressAndOfAll(t *testing.T) { // rule 8
	s := imported(t, syncs)
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.77.0.1/24", "status": "dhcp"})
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.242/24", "status": "dhcp"}) // in an exclusion
	same := func(addr string, code int) {
		t.Helper()
		s.expect(code, "validate", "--ip", addr)
		stdout, _, _ := s.run("validate")
		if strings.Contains(stdout, " "+addr+":") != (code != exit.OK) {
			t.Errorf("%s: exit code %d, but of all it says\n%s", addr, code, stdout)
		}
	}
	same("10.8.4.100", exit.OK)
	same("10.77.0.1", exit.Failed)
	same("10.8.4.242", exit.Failed)
	s.dh1.Edit(func(w *psutest.World) {
		w.Scopes = slices.DeleteFunc(w.Scopes, func(x *psutest.Scope) bool { return x.ID == "10.8.4.0" })
	})
	s.expect(exit.OK, "sync", "--allow-deletes")
	same("10.8.4.100", exit.Failed)
}

func TestRetireHandsScopesOver(t *testing.T) { // rule 4 step 5
	s := imported(t, syncs)
	for _, args := range [][]string{{"retire"}, {"retire", "dh1", "dh2"}, {"retire", "DH1.corp.example"}} {
		if _, stderr, code := s.run(args...); code != exit.Usage || !strings.Contains(stderr, "retire: ") {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
	}
	rows := s.Get("ipam/ip-ranges", "")
	for _, row := range rows {
		s.Patch("ipam/ip-ranges", row["id"], map[string]any{"custom_fields": map[string]any{"dhcp_server": "dh0.corp.example"}})
	}
	s.expect(exit.Failed, "sync", "--quiet")
	s.forget()
	s.expect(exit.OK, "retire", "dh0.corp.example", "--dry-run")
	s.writesNothing()
	s.expect(exit.OK, "retire", "dh0.corp.example", "--yes")
	for _, row := range s.Get("ipam/ip-ranges", "") {
		if got := mirrortest.Field(row, "custom_fields.dhcp_server"); got != s.Host(0) {
			t.Errorf("%v is of %v", mirrortest.Field(row, "display"), got)
		}
	}
	if stdout := s.expect(exit.OK, "sync"); !strings.Contains(stdout, "no change") {
		t.Errorf("the run after: %s", stdout)
	}
}

func TestApplyAsksBeforeItWrites(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	s.forget()
	stdout, stderr, code := s.atTerminal("no\n", "apply")
	if code != exit.OK || !strings.Contains(stdout, "10.8.4.100/24") || !strings.Contains(stderr, "Nothing was done") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	s.writesNothing()
	if _, stderr, code := s.atTerminal("y\n", "apply"); code != exit.OK || s.Address("10.8.4.100") == nil {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[5].Hostname = "changed" })
	if stdout := s.expect(exit.OK, "apply", "--yes"); !strings.Contains(stdout, "1 changed") {
		t.Errorf("said %q", stdout)
	}
}

func TestQuestionEndsWithTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never, end := io.Pipe()
	defer end.Close()
	p := &program{stdin: never, screen: &screen{out: io.Discard}, terminal: func(any) bool { return true }}
	if ok, err := p.confirmed(ctx, false, "Go on?"); ok || err == nil {
		t.Error(ok, err)
	}
}

// rules 9 row 8 to 9 row 10.
func TestImportListsWhatItMadeAndChangesNothingTheSecondTime(t *testing.T) {
	s := open(t, syncs)
	report := filepath.Join(s.Folder, "import.json")
	stdout := s.expect(exit.OK, "import", "--report", report)
	for _, want := range []string{"Office", "Guest", "Old lab"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%s is not listed:\n%s", want, stdout)
		}
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := plan.Parse(data)
	if err != nil || saved.Empty() || len(saved.Imported) != 4 {
		t.Error(err)
	}
	if want := "scopes: 3 created, 0 skipped, 0 errors"; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	s.forget()
	if stdout, want := s.expect(exit.OK, "import"), "scopes: 0 created, 3 skipped, 0 errors"; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
	s.writesNothing()
}

// rule 3.4.
func TestMigrateShowsFirstAndWritesAfterAYes(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.60/24", "status": "reserved", "dns_name": "mfp-2",
		"custom_fields": map[string]any{"dhcp_client_id": "3c-52-82-0a-1b-60"}})
	s.forget()
	if stdout := s.expect(exit.OK, "migrate"); !strings.Contains(stdout, "10.8.4.60/24") {
		t.Errorf("not shown:\n%s", stdout)
	}
	s.writesNothing()
	s.expect(exit.OK, "migrate", "--yes")
	fields, _ := s.Address("10.8.4.60")["custom_fields"].(map[string]any)
	if managed, _ := json.Marshal(fields["dhcp_managed"]); !strings.Contains(string(managed), "adopted") {
		t.Errorf("dhcp_managed is %s", managed)
	}
}

func TestDriftInAllFormats(t *testing.T) {
	s := imported(t, syncs)
	s.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[5].Hostname = "moved-away" })
	s.forget()
	if text := s.expect(exit.OK, "drift"); !strings.Contains(text, "moved-away") {
		t.Errorf("text:\n%s", text)
	}
	rows, err := csv.NewReader(strings.NewReader(s.expect(exit.OK, "drift", "--csv"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Errorf("CSV: %v, %v", err, rows)
	}
	var report struct{ Differences []any }
	if err := json.Unmarshal([]byte(s.expect(exit.OK, "drift", "--json")), &report); err != nil || len(report.Differences) != 1 {
		t.Errorf("JSON: %v, %+v", err, report)
	}
	page := filepath.Join(s.Folder, "drift.html")
	if stdout := s.expect(exit.Differs, "drift", "--html", page, "--quiet", "--detailed-exitcode"); stdout != "" {
		t.Errorf("quiet, but %q", stdout)
	}
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := html.Parse(bytes.NewReader(data)); err != nil || !bytes.Contains(data, []byte("moved-away")) {
		t.Errorf("page: %v", err)
	}
	s.writesNothing()
}

// rule 8.
func TestValidate(t *testing.T) {
	s := imported(t, "")
	if stdout := s.expect(exit.OK, "validate"); !strings.Contains(stdout, "every address") {
		t.Errorf("said %q", stdout)
	}
	s.Create("ipam/vrfs", map[string]any{"name": "red", "rd": "65000:1"})
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.25/24", "status": "dhcp"})
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.15/24", "status": "dhcp"}) // outside the pool is in the scope
	s.forget()
	if stdout := s.expect(exit.Failed, "validate"); !strings.Contains(stdout, "10.8.4.25") || !strings.Contains(stdout, "exclusion") || lines(stdout) != 1 {
		t.Errorf("said %q", stdout)
	}
	s.dh1.ForgetRequests()
	for args, code := range map[string]int{
		"--ip 10.8.4.30/24 --status dhcp":            exit.OK,
		"--ip 10.8.4.30":                             exit.OK,
		"--ip 10.8.4.29/24 --status dhcp":            exit.Failed, // the end of an exclusion
		"--ip 10.8.4.29/24 --status reserved":        exit.OK,     // not the lease status
		"--ip 10.77.0.1/24 --status dhcp":            exit.Failed,
		"--ip 10.8.4.30/24 --vrf red":                exit.Failed,
		"--ip 10.8.4.30/24 --vrf 65000:1":            exit.Failed,
		"--ip 10.8.4.30/24 --vrf blue":               exit.Usage,
		"--ip 10.77.0.1 --status dhcp --json":        exit.Failed,
		"--ip 10.8.4.30 --status dhcp --json":        exit.OK,
		"--ip 10.8.4.30 --status dhcp --quiet":       exit.OK,
		"--ip 10.8.4.30 --vrf 65000:1 --status dhcp": exit.Failed,
	} {
		s.expect(code, append([]string{"validate"}, strings.Fields(args)...)...)
	}
	if n := len(s.dh1.Requests()); n > 0 {
		t.Errorf("%d requests to a server for a question NetBox answers", n)
	}
	s.writesNothing()
}

// onLine calls a function at the first full line.
type onLine struct {
	mu   sync.Mutex
	text strings.Builder
	then func()
}

func (w *onLine) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(data)
	if bytes.ContainsRune(data, '\n') {
		w.then()
	}
	return len(data), nil
}

// rule 3.8: what is not written yet is left to the next run.
func TestInterruptedRunSaysSoAndTheNextOneGoesOn(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Write() {
			interrupt()
		}
		return mirrortest.None
	})
	if stdout, stderr, code := execute(ctx, "--conf", s.conf, "sync"); code != exit.Failed || !strings.Contains(stdout, "interrupted") {
		t.Errorf("exit code %d, %q\n%s", code, stdout, stderr)
	}
	s.Front.Before(nil)
	s.expect(exit.OK, "sync")
	s.expect(exit.OK, "plan", "--detailed-exitcode")
}

// rule 9 row 18.
func TestServiceRunsAtOnceAndEndsWhenTold(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	for _, flag := range []string{"--service", "--every=30m"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &onLine{then: cancel}
		var errs bytes.Buffer
		code := Main(ctx, []string{"--conf", s.conf, "sync", flag}, out, &errs)
		cancel()
		if code != exit.OK || lines(out.text.String()) != 1 || !strings.Contains(errs.String(), "service started") {
			t.Errorf("%s: exit code %d, %q\n%s", flag, code, out.text.String(), errs.String())
		}
	}
	if s.Address("10.8.4.100") == nil {
		t.Error("the run did nothing")
	}
}

func TestServiceServesTheStatusPage(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := listener.Addr().String()
	s := open(t, syncs+"status: {listen: '"+listen+"'}\n")
	if _, stderr, code := s.run("sync", "--service"); code != exit.Failed || !strings.Contains(stderr, listen) {
		t.Errorf("the address is taken, but exit code %d\n%s", code, stderr)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &onLine{then: func() {
		defer cancel()
		answer, err := http.Get("http://" + listen + "/")
		for err != nil && t.Context().Err() == nil { // the run was quicker than the page
			answer, err = http.Get("http://" + listen + "/")
		}
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the page answers %s", answer.Status)
		}
	}}
	if code := Main(ctx, []string{"--conf", s.conf, "sync", "--service"}, out, io.Discard); code != exit.OK || out.text.Len() == 0 {
		t.Errorf("exit code %d, said %q", code, out.text.String())
	}
}

func TestProgressStandsOnTerminalsOnly(t *testing.T) {
	s := imported(t, syncs)
	if _, stderr, code := s.atTerminal("", "sync"); code != exit.OK || !strings.Contains(stderr, "reading NetBox") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if _, stderr, _ := s.atTerminal("", "sync", "--quiet"); strings.Contains(stderr, "reading NetBox") {
		t.Errorf("progress in spite of --quiet: %q", stderr)
	}
	if _, stderr, _ := s.run("sync"); strings.Contains(stderr, "reading NetBox") {
		t.Errorf("progress without a terminal: %q", stderr)
	}
}
