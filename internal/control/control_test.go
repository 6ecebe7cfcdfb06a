package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socket is a path whose folder is not there yet.
func socket(t *testing.T) string {
	t.Helper()
	return Path(filepath.Join(t.TempDir(), "run"), "/var/lib/somewhere")
}

func serve(t *testing.T, path string, commands map[string]Command) *test.Hook {
	t.Helper()
	log, hook := test.NewNullLogger()
	s, err := Serve(path, commands, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return hook
}

func echo(_ context.Context, question []byte) (any, error) { return json.RawMessage(question), nil }

func TestAnAnswerComesBack(t *testing.T) {
	path := socket(t)
	serve(t, path, map[string]Command{"echo": {Do: echo}, "fail": {Do: func(context.Context, []byte) (any, error) {
		return nil, errors.New("10.0.0.9 is not in quarantine")
	}}})
	var got map[string]string
	if err := Ask(t.Context(), path, "echo", map[string]string{"a": "b"}, &got); err != nil || got["a"] != "b" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := Ask(t.Context(), path, "fail", nil, &got); err == nil || err.Error() != "10.0.0.9 is not in quarantine" {
		t.Errorf("an error comes back as %v", err)
	}
	if err := Ask(t.Context(), path, "unheard", nil, &got); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("an unknown command: %v", err)
	}
	if err := Ask(t.Context(), path, "echo", strings.Repeat("x", maxQuestion), &got); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a question without end: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v, want mode 0660", info.Mode(), err)
	}
}

// C-30: a long answer comes in pieces; one that ends early is told from a whole one.
func TestALongAnswerIsStreamed(t *testing.T) {
	path := socket(t)
	piece := strings.Repeat("x", 100<<10)
	send := func(err error) Command {
		return Command{Stream: func(_ context.Context, question []byte, answer io.Writer) error {
			if string(question) == `"nothing"` {
				return err
			}
			for range 5 {
				if _, err := io.WriteString(answer, piece); err != nil {
					return err
				}
			}
			return err
		}}
	}
	serve(t, path, map[string]Command{"whole": send(nil), "cut": send(errors.New("the disk fails"))})
	var got []byte
	read := func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	}
	if err := AskStream(t.Context(), path, "whole", nil, read); err != nil || string(got) != strings.Repeat(piece, 5) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := AskStream(t.Context(), path, "cut", nil, read); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an answer that is cut short: %d bytes, %v", len(got), err)
	}
	if err := AskStream(t.Context(), path, "cut", "nothing", read); err == nil || err.Error() != "the disk fails" {
		t.Errorf("an error before the answer: %v", err)
	}
	if err := AskStream(t.Context(), path, "unheard", nil, read); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("an unknown command: %v", err)
	}
	if err := AskStream(t.Context(), socket(t), "whole", nil, read); !errors.Is(err, ErrNoServer) {
		t.Errorf("no server: %v", err)
	}
}

func TestNoServerIsToldFromAServerThatFails(t *testing.T) {
	path := socket(t)
	if err := Ask(t.Context(), path, "echo", nil, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("no folder: %v", err)
	}
	if err := Ask(t.Context(), "/"+strings.Repeat("x", maxPath), "echo", nil, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("a path that no socket can have: %v", err)
	}
	dead(t, path)
	if err := Ask(t.Context(), path, "echo", nil, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("a socket that a killed server left: %v", err)
	}
	var got string
	serve(t, path, map[string]Command{"echo": {Do: echo}})
	if err := Ask(t.Context(), path, "echo", "a", &got); err != nil || got != "a" {
		t.Errorf("after it was left by a killed server: %q, %v", got, err)
	}
	log, _ := test.NewNullLogger()
	if _, err := Serve(path, nil, log); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on one socket: %v", err)
	}
	if err := Ask(t.Context(), path, "echo", "a", &got); err != nil {
		t.Errorf("the second server took the socket of the first: %v", err)
	}
}

// dead leaves a socket that nothing listens on.
func dead(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// C-3
func TestOnlyRootAndTheServersUserMayChange(t *testing.T) {
	own := uint32(os.Geteuid())
	for name, c := range map[string]struct {
		peer *unix.Ucred
		want bool
	}{
		"root":                       {&unix.Ucred{Uid: 0}, true},
		"the user of the server":     {&unix.Ucred{Uid: own}, true},
		"a member of its group":      {&unix.Ucred{Uid: own + 1000, Gid: uint32(os.Getegid())}, false},
		"one the kernel cannot name": {nil, false},
	} {
		if got := mayChange(c.peer); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	path := socket(t)
	hook := serve(t, path, map[string]Command{"end": {Changes: true, Do: echo}, "look": {Do: echo}})
	var got string
	if err := Ask(t.Context(), path, "end", "10.0.0.9", &got); err != nil || got != "10.0.0.9" {
		t.Errorf("the kernel's word is not believed: %q, %v", got, err)
	}
	if err := Ask(t.Context(), path, "look", "10.0.0.9", &got); err != nil {
		t.Error(err)
	}
	lines := hook.AllEntries()
	if len(lines) != 1 || lines[0].Level != logrus.InfoLevel || lines[0].Data["uid"] != own || lines[0].Data["command"] != "end" || lines[0].Data["question"] != `"10.0.0.9"` {
		t.Errorf("logged: %v", lines)
	}
}

// HI-8: what an erasure is about is not in the log.
func TestPrivateQuestionsAreNotLogged(t *testing.T) {
	path := socket(t)
	fails := func(_ context.Context, question []byte) (any, error) { return nil, errors.New(string(question)) }
	hook := serve(t, path, map[string]Command{"erase": {Changes: true, Private: true, Do: echo}, "broken": {Changes: true, Private: true, Do: fails}})
	var got string
	if err := Ask(t.Context(), path, "erase", "52:54:00:12:34:56", &got); err != nil {
		t.Error(err)
	}
	if err := Ask(t.Context(), path, "broken", "52:54:00:12:34:56", &got); err == nil || !strings.Contains(err.Error(), "52:54") {
		t.Errorf("who asks is not told why: %v", err)
	}
	for _, entry := range hook.AllEntries() {
		if line, err := entry.String(); err != nil || strings.Contains(line, "52:54") {
			t.Errorf("logged: %s, %v", line, err)
		}
	}
	if n := len(hook.AllEntries()); n != 2 {
		t.Errorf("%d lines", n)
	}
}

// C-3: one that connects and says nothing takes no place for long, and never all.
func TestConnectionsAreBounded(t *testing.T) {
	path := socket(t)
	var most, now atomic.Int32
	release := make(chan struct{})
	serve(t, path, map[string]Command{"wait": {Do: func(context.Context, []byte) (any, error) {
		for n := now.Add(1); ; {
			if before := most.Load(); n <= before || most.CompareAndSwap(before, n) {
				break
			}
		}
		defer now.Add(-1)
		<-release
		return "done", nil
	}}})
	answers := make(chan error)
	const asked = 3 * maxConnections
	for range asked {
		go func() {
			var got string
			answers <- Ask(context.Background(), path, "wait", nil, &got)
		}()
	}
	for now.Load() < maxConnections {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range asked {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > maxConnections {
		t.Errorf("%d at once", most.Load())
	}
	mute, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	if err := mute.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := mute.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a mute connection ends with %v", err)
	}
}

func TestEachStoreHasItsSocket(t *testing.T) {
	a, b := Path("/run/x", "/var/lib/a"), Path("/run/x", "/var/lib/b")
	if a == b || a != Path("/run/x", "/var/lib/a/") {
		t.Errorf("%s, %s", a, b)
	}
	log, _ := test.NewNullLogger()
	if _, err := Serve(filepath.Join("/tmp", strings.Repeat("x", 200)), nil, log); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a path that is too long: %v", err)
	}
}
