package logline

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/coredhcp/coredhcp/logger"
	"github.com/sirupsen/logrus"
)

// hostile is what a file name, a host name or an object of NetBox may hold.
var hostile = map[string]string{
	"a forged line":          "x\"\ntime=\"2026-11-28T10:00:00Z\" level=error msg=\"lease store failed\" x=\"",
	"a carriage return":      "x\rlevel=error",
	"a terminal escape":      "x\x1b[31mred\x1b]0;title\a",
	"an escape of eight bit": "x\u009b31m",
	"bytes that are no text": "x\x9b31m\xff",
	"a turned direction":     "x\u202egnp.exe",
	"a line separator":       "x\u2028level=error\u2029\u0085",
	"a field without quotes": "x level=error",
	"a backslash":            `x\" level=error`,
	"very long":              strings.Repeat("\x1b", 100_000),
	"very long and wide":     strings.Repeat("界", 100_000),
}

type texter string

func (t texter) String() string { return string(t) }

// B-7
func TestTextFromOutsideStaysInItsField(t *testing.T) {
	for name, text := range hostile {
		for form, format := range map[string]Formatter{"text": {}, "json": {JSON: true}} {
			for place, write := range map[string]func(*logrus.Entry){
				"a field":     func(e *logrus.Entry) { e.WithField("file", text).Warn("refused") },
				"an error":    func(e *logrus.Entry) { e.WithError(errors.New(text)).Warn("refused") },
				"a Stringer":  func(e *logrus.Entry) { e.WithField("file", texter(text)).Warn("refused") },
				"a list":      func(e *logrus.Entry) { e.WithField("file", []string{text}).Warn("refused") },
				"a structure": func(e *logrus.Entry) { e.WithField("file", struct{ A string }{text}).Warn("refused") },
				"the message": func(e *logrus.Entry) { e.Warn(text) },
				"a name":      func(e *logrus.Entry) { e.WithField(text[:min(len(text), 40)], 1).Warn("refused") },
			} {
				t.Run(name+" in "+place+" as "+form, func(t *testing.T) {
					var out bytes.Buffer
					entry := logger.GetLogger("main") // as CoreDHCP's own plugins get it
					entry.Logger.SetOutput(&out)
					entry.Logger.SetFormatter(format)
					write(entry)
					check(t, out.String(), format.JSON)
				})
			}
		}
	}
}

// check says that out is one line of things to see, at warning level only.
func check(t *testing.T, out string, asJSON bool) {
	t.Helper()
	line, ended := strings.CutSuffix(out, "\n")
	if !ended || strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar && !asJSON }) >= 0 {
		t.Fatalf("not one line of text: %.300q", out)
	}
	if len(line) > 40<<10 {
		t.Fatalf("a line of %d bytes, which journald cuts", len(line))
	}
	if asJSON {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["level"] != "warning" {
			t.Fatalf("%v: %.300s", err, line)
		}
		return
	}
	if rest := outsideQuotes(line); strings.Count(rest, "level=") != 1 || !strings.Contains(rest, "level=warning") {
		t.Fatalf("outside of the quotes: %s", rest)
	}
}

// outsideQuotes is what a reader of key=value takes for structure.
func outsideQuotes(line string) string {
	var b strings.Builder
	in := false
	for i := 0; i < len(line); i++ {
		switch {
		case in && line[i] == '\\':
			i++
		case line[i] == '"':
			in = !in
		case !in:
			b.WriteByte(line[i])
		}
	}
	return b.String()
}

func TestLinesOfEachForm(t *testing.T) {
	log := logrus.New()
	var out bytes.Buffer
	log.SetOutput(&out)
	Use(log)
	fields := logrus.Fields{
		"addr": netip.MustParseAddr("10.0.0.1"), "mac": net.HardwareAddr{2, 0, 0, 0, 0, 1}, "n": 3, "none": nil, "msg": "a clash",
		"missing": (*netip.Addr)(nil), "empty": "", "share": math.Inf(1), "raw": []byte("bytes"), "error": errors.New("it broke"),
	}
	log.WithFields(fields).Info("lease made")
	_, line, _ := strings.Cut(out.String(), " ")
	want := `level=info msg="lease made" addr=10.0.0.1 empty="" error="it broke" mac="02:00:00:00:00:01" missing="<nil>" fields.msg="a clash" n=3 none="<nil>" raw=bytes share="+Inf"` + "\n"
	if line != want {
		t.Errorf("got  %swant %s", line, want)
	}
	out.Reset()
	log.SetFormatter(Formatter{JSON: true})
	log.WithFields(fields).Info("lease made")
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if got["addr"] != "10.0.0.1" || got["mac"] != "02:00:00:00:00:01" || got["error"] != "it broke" || got["msg"] != "lease made" || got["fields.msg"] != "a clash" {
		t.Errorf("got %s", out.String())
	}
}

func TestALogFileIsForItsGroupAndCanBeMovedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	file, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o027 != 0 {
		t.Errorf("mode %v, %v: others may read or write it", info.Mode(), err)
	}
	write := func(text string) {
		if _, err := file.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n") // no line is lost between the move and the reload
	if err := file.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	for name, want := range map[string]string{path + ".1": "one\ntwo\n", path: "three\n"} {
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := file.Reopen(); err == nil {
		t.Error("a folder was opened as a log file")
	}
	write("four\n")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestOneBrokenWriterSilencesNoOther(t *testing.T) {
	var out bytes.Buffer
	if _, err := (Both{broken{}, &out}).Write([]byte("line\n")); err == nil || out.String() != "line\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}
