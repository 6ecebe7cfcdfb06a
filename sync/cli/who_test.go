package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

// rule 12: who answers from what runs saw: when a lease was first and last seen, and that
// it is not listed any more. What is erased is gone, and what a server lists stays.
func TestWhoAnswersFromWhatRunsSaw(t *testing.T) {
	s := open(t, syncs)
	s.expect(exit.OK, "import", "--quiet")
	s.expect(exit.OK, "sync", "--quiet")
	ask := func(args ...string) []history.Span {
		t.Helper()
		var a history.Answer
		if err := json.Unmarshal([]byte(s.expect(exit.OK, append([]string{"who", "--json"}, args...)...)), &a); err != nil {
			t.Fatal(err)
		}
		return a.Spans
	}
	all := ask()
	if len(all) == 0 {
		t.Fatal("no lease was seen")
	}
	one := all[0]
	if one.Server == "" || !one.Network.IsValid() || one.Heard.Before(one.Begin) || !one.End.IsZero() {
		t.Errorf("%+v", one)
	}
	s.expect(exit.OK, "sync", "--quiet")
	if again := ask(one.Addr.String()); len(again) != 1 || !again[0].Begin.Equal(one.Begin) {
		t.Errorf("a second run: %+v", again)
	}
	s.dh1.Edit(func(w *psutest.World) {
		for _, scope := range w.Scopes {
			scope.Leases = slices.DeleteFunc(scope.Leases, func(l *psutest.Lease) bool { return l.IP == one.Addr.String() })
		}
	})
	s.run("sync", "--quiet", "--allow-deletes")
	if gone := ask("--mac", one.Client); len(gone) != 1 || gone[0].How != history.Gone || gone[0].End.IsZero() {
		t.Errorf("not listed any more: %+v", gone)
	}
	if table := s.expect(exit.OK, "who", one.Addr.String()); !strings.Contains(table, "not listed any more") || !strings.Contains(table, "1 span") {
		t.Errorf("%s", table)
	}
	if shown := s.expect(exit.OK, "history", "erase", "--mac", one.Client); !strings.Contains(shown, "1 span\n") || !strings.Contains(shown, "Nothing was erased") || len(ask("--mac", one.Client)) != 1 {
		t.Errorf("%s", shown)
	}
	s.expect(exit.OK, "history", "erase", "--mac", one.Client, "--yes")
	if left := ask("--mac", one.Client); len(left) != 0 {
		t.Errorf("%+v", left)
	}
	files, err := filepath.Glob(filepath.Join(s.Folder, s.StateDir, "history", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, path := range files {
		if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), one.Client) {
			t.Errorf("%s still names the client, %v", path, err)
		}
	}
	s.expect(exit.Usage, "history", "erase", "--yes")
	s.expect(exit.Usage, "who", "10.8")
}
