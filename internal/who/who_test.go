package who

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func asked(t *testing.T, line string) (history.Query, error) {
	t.Helper()
	var a Asked
	f := pflag.NewFlagSet("who", pflag.ContinueOnError)
	a.AddTo(f)
	if err := f.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return a.Query(f.Args(), now)
}

// HI-6: times are read as people write them, and in UTC where they do not say; one that
// may mean several is refused with what to write.
func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-01T14:05Z":         "2026-11-01T14:05:00Z 2026-11-01T14:05:00Z",
		"2026-11-01T14:05:09+01:00": "2026-11-01T13:05:09Z 2026-11-01T13:05:09Z",
		"2026-11-01 14:05Z":         "2026-11-01T14:05:00Z 2026-11-01T14:05:00Z",
		"2026-11-01":                "2026-11-01T00:00:00Z 2026-11-01T23:59:59Z",
		"2h":                        "2026-11-20T10:00:00Z 2026-11-20T10:00:00Z",
		"2026-11-01T14:05":          "write 2026-11-01T14:05Z for UTC",
		"2026-11-01 14:05:30":       "write 2026-11-01T14:05:30Z for UTC",
		"11/01/2026":                "want 2026-11-01T14:05Z",
		"-2h":                       "want 2026-11-01T14:05Z",
		"2026-02-30":                "want 2026-11-01T14:05Z",
	} {
		first, last, err := ParseTime(text, now)
		got := first.Format(time.RFC3339) + " " + last.Format(time.RFC3339)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// HI-6: mistakes in a question are told in words.
func TestQuestionsAreReadOrRefused(t *testing.T) {
	q, err := asked(t, "10.1.2.3 --mac 5254.0000.00ab --circuit hex:4769 --at 2026-11-01")
	if err != nil || q.Prefix.String() != "10.1.2.3/32" || q.Client != "52:54:00:00:00:AB" || q.Circuit != "Gi" || q.To.Hour() != 23 {
		t.Errorf("%+v, %v", q, err)
	}
	if q, err := asked(t, "10.1.2.3/24 --circuit hex:00ff"); err != nil || q.Prefix.String() != "10.1.2.0/24" || q.Circuit != "hex:00ff" {
		t.Errorf("%+v, %v", q, err)
	}
	for line, want := range map[string]string{
		"10.1.2 ":                         "want an address",
		"10.1.2.3 10.1.2.4":               "want one address",
		"--mac x":                         "--mac: want a hardware address",
		"--mac 5254.0000.00ab --client x": "contradict",
		"--circuit hex:0":                 "--circuit: want text",
		"--at 1h --from 2h":               "--at contradicts",
		"--from 1h --to 2h":               "--to is before --from",
		"--from yesterday":                "--from: want",
		"--limit 20000":                   "--limit: want",
	} {
		if _, err := asked(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// HI-7, B-7: what clients wrote cannot steer a terminal or forge a line of the table.
func TestTheTableIsSafeToLookAt(t *testing.T) {
	hostile := "pc\x1b[2J\nx"
	a := history.Answer{More: true, Since: "2026-11-01", Damaged: 1, Spans: []history.Span{
		{Addr: netip.MustParseAddr("10.1.2.3"), Client: hostile, Hardware: hostile, Hostname: hostile, Machine: hostile, Interface: hostile, Circuit: hostile, Remote: hostile, Server: hostile, Begin: now, Heard: now},
		{Addr: netip.MustParseAddr("10.1.2.4"), Client: "A", Machine: "web1", Static: true, Begin: now, Heard: now, Until: now.Add(time.Hour), End: now.Add(time.Minute), How: history.Taken, Network: netip.MustParsePrefix("10.1.2.0/24"), Relay: netip.MustParseAddr("10.1.2.1")},
	}}
	var out strings.Builder
	if err := Show(&out, a); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("%q", out.String())
	}
	for _, want := range []string{"(web1)", "static", "2026-11-20T12:01:00Z taken by another client", "10.1.2.0/24, relay 10.1.2.1", "2 spans, and earlier ones", "known since 2026-11-01", "1 line of the files cannot be read"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
