package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

// As in package openssh: nothing ends the opening of a session that x/crypto lost.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/crypto/ssh.(*mux).openChannel"))
}

// idle is a mirror whose only server is in maintenance: its runs are short.
func idle(t *testing.T) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	s := l.Add(psutest.Example("dh1.corp.example"))
	return l, l.Open("sync_ips_from_dhcp: true\n", map[string]string{s.Host(): "maintenance: true\n"})
}

func state(l *mirrortest.Lab, name string) string { return filepath.Join(l.Folder, "state", name) }

func TestTheStateFolderIsForItsOwnerAndHoldsNoRemains(t *testing.T) {
	l, m := idle(t)
	for range 3 {
		run(t, m, mirror.Options{})
	}
	folder, err := os.Stat(state(l, ""))
	if err != nil {
		t.Fatal(err)
	}
	if mode := folder.Mode().Perm(); mode&0o027 != 0 {
		t.Errorf("the folder has mode %o", mode)
	}
	entries, err := os.ReadDir(state(l, ""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		mode := info.Mode().Perm()
		if e.IsDir() {
			mode &^= 0o110 // may be entered
		}
		if mode&0o137 != 0 {
			t.Errorf("%s has mode %o", e.Name(), mode)
		}
		names = append(names, e.Name())
	}
	if want := []string{"history", "lock", "memory.json", "runs.json"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// A run without the memory would delete less, and the operator would not know why.
func TestADamagedMemoryIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for name, content := range map[string]string{"torn": `{"leases":{"0/10.8.4`, "empty": "", "of something else": `[1]`, "with a place that cannot be read": `{"leases":{"here":{}}}`} {
		t.Run(name, func(t *testing.T) {
			l, m := inStep(t, "sync_ips_from_dhcp: true\n")
			path := state(l, "memory.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := m.Sync(t.Context(), mirror.Options{})
			if err == nil || r.Outcome != mirror.WithErrors || !strings.Contains(err.Error(), path+" is damaged") || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
			}
			if _, err := m.Memory(); err == nil {
				t.Error("the memory was read all the same")
			}
			if n := len(l.Servers[0].Requests()) + len(l.Front.Writes()); n > 0 {
				t.Errorf("%d requests", n)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			run(t, m, mirror.Options{})
		})
	}
}

// The history is not worth failing for.
func TestADamagedHistoryBeginsAnew(t *testing.T) {
	l, m := idle(t)
	run(t, m, mirror.Options{})
	if err := os.WriteFile(state(l, "runs.json"), []byte(`[{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.LastRuns(); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Error(err)
	}
	r := run(t, m, mirror.Options{})
	if runs, err := m.LastRuns(); err != nil || len(runs) != 1 || runs[0].ID != r.ID {
		t.Errorf("%v, %v", runs, err)
	}
}

func TestTheLastFiftyRunsTheNewestFirst(t *testing.T) {
	_, m := idle(t)
	if runs, err := m.LastRuns(); err != nil || len(runs) > 0 {
		t.Errorf("before any: %v, %v", runs, err)
	}
	var ids []string
	for range 53 {
		ids = append(ids, run(t, m, mirror.Options{}).ID)
	}
	runs, err := m.LastRuns()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		if r.Plan != nil || r.Report != nil || r.Summary == "" {
			t.Errorf("%+v", r)
		}
		got = append(got, r.ID)
	}
	slices.Reverse(ids)
	if !slices.Equal(got, ids[:50]) {
		t.Errorf("%v, want %v", got, ids[:50])
	}
}

// Records of runs hold exit codes, also those of versions before.
func TestRecordsOfRunsKeepTheirForm(t *testing.T) {
	l, m := idle(t)
	const before = `[{"id":"a","mode":"sync","started":"2026-01-02T03:04:05Z","took_ns":5,"summary":"","exit_code":0},` +
		`{"id":"b","mode":"sync","started":"2026-01-02T03:04:05Z","took_ns":5,"summary":"","exit_code":1},` +
		`{"id":"c","mode":"sync","started":"2026-01-02T03:04:05Z","took_ns":5,"summary":"","exit_code":3},` +
		`{"id":"d","mode":"sync","started":"2026-01-02T03:04:05Z","took_ns":5,"summary":"","exit_code":4},` +
		`{"id":"e","mode":"sync","started":"2026-01-02T03:04:05Z","took_ns":5,"summary":"","exit_code":64}]`
	write := func(text string) []mirror.Run {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(state(l, "runs.json")), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(state(l, "runs.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		runs, err := m.LastRuns()
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	runs := write(before)
	for i, want := range []mirror.Outcome{mirror.Clean, mirror.WithErrors, mirror.Locked, mirror.HeldBack, mirror.NotPrepared} {
		if runs[i].Outcome != want {
			t.Errorf("run %s: %d, want %d", runs[i].ID, runs[i].Outcome, want)
		}
	}
	after, err := json.Marshal(runs)
	if err != nil || string(after) != before {
		t.Errorf("%v\n%s\n%s", err, before, after)
	}
	if runs := write(`[{"id":"f","exit_code":7}]`); runs[0].Outcome != mirror.WithErrors {
		t.Errorf("a code of another version is %d", runs[0].Outcome)
	}
}

func TestALockedFolderIsNamed(t *testing.T) {
	l, m := idle(t)
	var err error
	run(t, m, mirror.Options{Progress: func(stage string, _, _ int) {
		if stage == "reading NetBox" {
			_, err = m.Sync(t.Context(), mirror.Options{})
		}
	}})
	if !errors.Is(err, mirror.ErrLocked) || !strings.Contains(err.Error(), state(l, "lock")) {
		t.Error(err)
	}
	if runs, err := m.LastRuns(); err != nil || len(runs) != 1 {
		t.Errorf("%d runs are recorded, %v: one that did not begin is none", len(runs), err)
	}
}

// However a run ends, the next one gets the lock.
func TestTheLockIsGivenBack(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	for name, end := range map[string]func(){
		"after a panic": func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = m.Sync(t.Context(), mirror.Options{Progress: func(string, int, int) { panic("not caught") }})
		},
		"after it was cancelled": func() {
			ctx, cancel := context.WithCancel(t.Context())
			if _, err := m.Sync(ctx, mirror.Options{Progress: func(string, int, int) { cancel() }}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		},
		"after a server did not answer": func() {
			l.Servers[0].Fail(psutest.Fault{Kind: psutest.Drop})
			fails(t, m)
			l.Servers[0].ClearFaults()
		},
	} {
		t.Run(name, func(t *testing.T) {
			end()
			if a := m.Activity(); !a.Running.IsZero() {
				t.Errorf("still running: %+v", a)
			}
			run(t, m, mirror.Options{})
		})
	}
}

// rule 9 row 19: a run asked for while one is under way comes
// after it, once; the loop ends with its context, in the middle of a run too.
func TestTheLoopDuringARun(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	hold := func() (release func()) {
		until := make(chan struct{})
		l.Servers[0].ForgetRequests()
		l.Servers[0].Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Times: 1, Until: until})
		return func() { close(until) }
	}
	release := hold()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran, done := make(chan *mirror.Run), make(chan struct{})
	go func() {
		defer close(done)
		m.Loop(ctx, time.Hour, mirror.Options{}, func(r *mirror.Run, _ error) { ran <- r })
	}()
	l.Servers[0].AwaitRequests(3)
	if !m.SyncNow([]string{"dh1.corp.example"}) || m.SyncNow(nil) || !m.Activity().Queued {
		t.Error("one run, and one only, can wait")
	}
	release()
	if r := <-ran; r.Outcome != mirror.Clean || len(r.Servers) != 0 {
		t.Errorf("the first run: %+v", r)
	}
	if r := <-ran; r.Outcome != mirror.Clean || len(r.Servers) != 1 {
		t.Errorf("the run that waited: %+v", r)
	}
	release = hold()
	if !m.SyncNow(nil) {
		t.Error("refused")
	}
	l.Servers[0].AwaitRequests(3)
	cancel()
	if r := <-ran; r.Outcome != mirror.WithErrors || !strings.Contains(r.Error, "cancel") {
		t.Errorf("the run that was ended: %+v", r)
	}
	<-done
	release()
}
