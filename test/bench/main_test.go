package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMediansAreTakenOfEachMeasurement(t *testing.T) {
	each := figures{
		{Part: partClosed, Peer: "a", CPUs: 1, Rate: 10, CPU: 5},
		{Part: partClosed, Peer: "b", CPUs: 1, Rate: 7},
		{Part: partClosed, Peer: "a", CPUs: 1, Rate: 30, CPU: 1},
		{Part: partClosed, Peer: "a", CPUs: 1, Rate: 20, CPU: 3},
		{Part: partLeases, Peer: "a", CPUs: 1, Leases: 5, Rate: 1},
		{Part: partLeases, Peer: "a", CPUs: 1, Leases: 6, Rate: 2},
		{Part: partClosed, Peer: "b", CPUs: 1, Rate: 8},
	}
	got := medians(each)
	want := figures{
		{Part: partClosed, Peer: "a", CPUs: 1, Rate: 20, CPU: 3},
		{Part: partClosed, Peer: "b", CPUs: 1, Rate: 7.5},
		{Part: partLeases, Peer: "a", CPUs: 1, Leases: 5, Rate: 1},
		{Part: partLeases, Peer: "a", CPUs: 1, Leases: 6, Rate: 2},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if each[0].Rate != 10 {
		t.Error("the rounds were changed")
	}
}

func TestAccountsOfTheKernelAreRead(t *testing.T) {
	waited, err := parseSchedstat("2500000 700 12\n")
	if err != nil || waited != 700 {
		t.Errorf("%v, %v", waited, err)
	}
	if _, err := parseSchedstat("x"); err == nil {
		t.Error("a line that is none is taken")
	}
	const status = "Name:\tserver\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n"
	if peak, rss, none := statusKB(status, "VmHWM:"), statusKB(status, "VmRSS:"), statusKB(status, "VmX:"); peak != 2048 || rss != 1024 || none != 0 {
		t.Errorf("peak %v, resident %v, unknown %v", peak, rss, none)
	}
}

// Threads that have ended count, too.
func TestProcessorTimeIsThatOfAllThreads(t *testing.T) {
	before, err := usageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const work = 30 * time.Millisecond
	ended := make(chan time.Duration)
	go func() {
		runtime.LockOSThread() // and ends with the goroutine
		var begin, now unix.Timespec
		for unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &begin); now.Nano()-begin.Nano() < int64(work); {
			unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
		}
		ended <- work
	}()
	<-ended
	after, err := usageOf(os.Getpid())
	if err != nil || after.ran-before.ran < work || after.peakKB < after.rssKB || after.rssKB == 0 {
		t.Errorf("%v: from %+v to %+v", err, before, after)
	}
	if _, err := usageOf(1 << 30); err == nil {
		t.Error("a process that is none has a processor time")
	}
}

func TestSyncsInARecordOfStraceAreCounted(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	const text = `7 fdatasync(5) = 0
8 fdatasync(5 <unfinished ...>
9 fsync(6) = 0
8 <... fdatasync resumed>) = 0
9 sync_file_range(4, 0, 1, SYNC_FILE_RANGE_WRITE) = 0
7 +++ exited with 0 +++
`
	if err := os.WriteFile(record, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := countSyncs(record); n != 4 || err != nil {
		t.Errorf("%d syncs, %v", n, err)
	}
}

// filled is a report in which everything was measured.
func filled() *report {
	r := &report{Date: "2026-01-02", CPUs: 2, Rounds: 3, Skipped: []string{"dhcpd_dyn"}}
	for i, name := range []string{oursDyn, oursKnown, stubPlain, stubGroup, keaDyn, keaKnown, coreDHCPFile} {
		for _, part := range append(allParts(), partHalf) {
			r.Medians = append(r.Medians, figure{
				Part: part, Peer: name, CPUs: 1, Size: 100_000, Leases: 6, Rate: 1000 * float64(1+i), CPU: 10,
				P50: 0.1, P99: 3, OfferP50: 0.7, Syncs: 12, ResidentMB: 251, Start: 2,
			})
		}
	}
	return r
}

func TestGoalsAreHeldAgainstMedians(t *testing.T) {
	got := make(map[string][]string)
	for _, row := range filled().goals().rows {
		got[row[0]] = row[2:]
	}
	for about, want := range map[string][]string{
		"dynamic, durable before the ACK, of the stub with grouped sync": {"0.25", "no"},
		"dynamic, of Kea memfile":                           {"0.20", "no"},
		"known hosts, of the stub":                          {"0.67", "no"},
		"known hosts, of CoreDHCP with `file`":              {"0.29", "no"},
		"dynamic: CPU for an exchange at half load, of Kea": {"1.00", "no"},
		"known hosts: p50 at half load":                     {"0.10 ms, Kea 0.10 ms", "yes"},
		"known hosts: p99 at half load":                     {"3.00 ms, Kea 3.00 ms", "yes"}, // not above
		"slow disk: OFFER p50":                              {"0.70 ms", "no"},
		"syncs for 200 exchanges with 64 under way":         {"12.0", "yes"},
	} {
		if strings.Join(got[about], "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", about, got[about], want)
		}
	}
	if rows := new(report).goals().rows; len(rows) != 0 {
		t.Errorf("goals of a run that measured nothing: %q", rows)
	}
}

func TestReportIsForPeopleAndPrograms(t *testing.T) {
	r := filled()
	var text, object bytes.Buffer
	if err := r.writeText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Skipped, since not installed: dhcpd_dyn.", "Goals", "coredhcp_file", "So many known hosts"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if err := r.writeJSON(&object); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "run.json")
	if err := os.WriteFile(saved, object.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	back, err := readReport(saved)
	if err != nil || len(back.Medians) != len(r.Medians) || back.Medians[1] != r.Medians[1] {
		t.Errorf("%v: %+v", err, back)
	}
	for line := range strings.Lines(r.markdown()) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") < 5 {
			t.Errorf("a row with few cells: %s", line)
		}
	}
}

func TestPageKeepsWhatIsAroundTheFigures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	page := "before\n" + sectionBegin + "old\n" + sectionEnd + "after\n"
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time over the first
		if err := filled().writeMarkdown(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "before\n"+sectionBegin) || !strings.HasSuffix(text, sectionEnd+"after\n") ||
		strings.Contains(text, "old") || strings.Count(text, "Goals:") != 1 {
		t.Errorf("%s", text)
	}
	if _, err := replaceSection([]byte("no marks"), ""); err == nil {
		t.Error("a page without marks is written")
	}
}

// The page of this project has the place that make bench writes to.
func TestPageOnPerformanceCanBeWritten(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replaceSection(page, ""); err != nil {
		t.Error(err)
	}
}

func TestOptionsChooseAPart(t *testing.T) {
	o, err := parse([]string{"-peer", "stub,kea_dyn", "-part", "highest", "-curve", "5,6"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.chosen) != 2 || o.chosen[1].name != "kea_dyn" || !o.parts[partClosed] || o.parts[partCores] || len(o.curve) != 2 {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"-peer", "nobody"}, {"-part", "nothing"}, {"-curve", "0"}, {"-curve", "x"}, {"-unknown"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestPeerThatIsNotInstalledIsNamed(t *testing.T) {
	absent := peer{name: "absent", command: "no-such-dhcp-server -x"}
	o := options{chosen: []peer{absent, {name: stubPlain, command: "{{.Bench}} stub"}}}
	var said bytes.Buffer
	skipped, err := o.installed(&said)
	if err != nil || len(skipped) != 1 || skipped[0] != "absent" || len(o.chosen) != 1 || !strings.Contains(said.String(), "no-such-dhcp-server is not installed") {
		t.Errorf("%v, %v: %s", skipped, err, said.String())
	}
	o.chosen, o.require = []peer{absent}, true
	if _, err := o.installed(&said); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("required: %v", err)
	}
}
