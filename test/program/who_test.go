package program

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
)

// HI-2, HI-6, HI-8: who had an address is known while the server runs, after it was
// killed, and after it runs again; an ended lease is erased from all that is kept, and the
// log does not say whose.
func TestWhoHadAnAddressIsKnownAfterAKill(t *testing.T) {
	conf, addr := lab(t, pool)
	ask := func(when string, args ...string) []history.Span {
		t.Helper()
		stdout, stderr, code := run(t, append([]string{"who", "--conf", conf, "--json"}, args...)...)
		var a history.Answer
		if err := json.Unmarshal([]byte(stdout), &a); err != nil || code != 0 {
			t.Fatalf("%s: exit code %d, %v: %s%s", when, code, err, stdout, stderr)
		}
		return a.Spans
	}
	if spans := ask("before a server ran"); len(spans) != 0 {
		t.Errorf("before a server ran: %+v", spans)
	}
	server := serve(t, conf)
	got := leased(t, addr, 9)
	first := ask("while it runs", got)
	for began := time.Now(); len(first) == 0 && time.Since(began) < 10*time.Second; first = ask("while it runs", got) {
		time.Sleep(10 * time.Millisecond)
	}
	if len(first) != 1 || !strings.EqualFold(first[0].Client, mac(9).String()) || first[0].Static || !first[0].Relay.IsValid() || !first[0].Until.After(first[0].Heard) {
		t.Fatalf("while it runs: %+v", first)
	}
	begun := filepath.Join(filepath.Dir(conf), "state", "history", "begun.jsonl")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // HI-2
		if text, err := os.ReadFile(begun); err == nil && strings.Contains(string(text), got) {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("what began is not in %s", begun)
		}
	}
	_ = server.Process.Kill()
	_ = server.Wait()
	before := tree(t, filepath.Dir(conf))
	if spans := ask("when it was killed", "--mac", mac(9).String()); len(spans) != 1 || spans[0] != first[0] {
		t.Errorf("when it was killed: %+v, was %+v", spans, first)
	}
	if after := tree(t, filepath.Dir(conf)); before != after {
		t.Errorf("who wrote files:\n%s\nand now\n%s", before, after)
	}

	serve(t, conf)
	leased(t, addr, 9)
	spans := ask("when it runs again", got)
	for began := time.Now(); time.Since(began) < 10*time.Second && (len(spans) != 1 || !spans[0].Heard.After(first[0].Heard)); spans = ask("when it runs again", got) {
		time.Sleep(100 * time.Millisecond)
		leased(t, addr, 9) // times are in whole seconds
	}
	if len(spans) != 1 || !spans[0].Begin.Equal(first[0].Begin) || !spans[0].End.IsZero() {
		t.Errorf("when it runs again: %+v, was %+v", spans, first)
	}
	table, _, code := run(t, "who", "--conf", conf, got, "--at", "0s")
	if code != 0 || !strings.Contains(table, got) || !strings.Contains(table, "dynamic") {
		t.Errorf("exit code %d:\n%s", code, table)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a time without a zone": {[]string{"who", got, "--at", "2026-11-01T14:05"}, 64, "names no time zone"},
		"no key to erase":       {[]string{"history", "erase", "--yes"}, 64, "say what is to be erased"},
		"what runs stays":       {[]string{"history", "erase", "--mac", mac(9).String()}, 0, "stays         1 lease and 1 span"},
		"what is beyond reach":  {[]string{"history", "erase", "--address", got}, 0, "NetBox: its change log"},
		"done, as JSON":         {[]string{"history", "erase", "--address", got, "--yes", "--json"}, 0, `"done": true`},
	} {
		stdout, stderr, code := run(t, append(c.args, "--conf", conf)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d; want %q in\n%s%s", name, code, c.code, c.want, stdout, stderr)
		}
	}
}
