package openssh

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
)

// rule 13.1: noise does not count, whatever it looks like.
func TestOnlyWhatFollowsTheMarkCounts(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"plain":                       {"#nds boot FullLanguage\n", []string{"boot FullLanguage"}},
		"lines of Windows":            {"#nds boot FullLanguage\r\n#nds hello x\r\n", []string{"boot FullLanguage", "hello x"}},
		"a banner before":             {"Authorised use only\r\n\r\n#nds boot A\n", []string{"boot A"}},
		"text without an end before":  {"Loading profile...#nds boot A\n", []string{"boot A"}},
		"a byte order mark before":    {"\ufeff#nds boot A\n", []string{"boot A"}},
		"bytes of an OEM code page":   {"Gr\x81\xe1e\r\n#nds boot A\n", []string{"boot A"}},
		"a word that is nearly it":    {"#nd boot A\n#ndsboot A\n#nds boot B\n", []string{"boot B"}},
		"noise between":               {"#nds a\nWARNING: x\n#nds b\n", []string{"a", "b"}},
		"a last line without its end": {"#nds a\n#nds b", []string{"a"}},
		"nothing":                     {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(strings.NewReader(c.in))
			for _, want := range c.want {
				if got, err := r.next(); got != want || err != nil {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
			}
			if got, err := r.next(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %q, %v", got, err)
			}
		})
	}
}

// endless gives one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// rule 13.2.
func TestLinesAndNoiseAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		in   io.Reader
		want error
	}{
		"a line without the mark and without an end": {endless('x'), errNoise},
		"lines without the mark":                     {endless('\n'), errNoise},
		"a line with the mark and without an end":    {io.MultiReader(strings.NewReader(mark), endless('x')), errTooLong},
		"noise in front of the mark":                 {strings.NewReader(strings.Repeat("x\n", maxNoise) + mark + "a\n"), errNoise},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(c.in)
			if got, err := r.next(); !errors.Is(err, c.want) {
				t.Errorf("got %d bytes, %v, want %v", len(got), err, c.want)
			}
			if n := r.noise.Len(); n > 3*maxNoise {
				t.Errorf("%d bytes of noise are kept", n)
			}
		})
	}
	long := strings.Repeat("x", 3*maxNoise)
	if got, err := newReader(strings.NewReader("noise" + mark + long + "\n")).next(); got != long || err != nil {
		t.Errorf("a long line: %d bytes, %v", len(got), err)
	}
}

func coded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// rule 13.1.
func TestAReplyIsWholeOrNone(t *testing.T) {
	got, err := readReply("reply 7 200 2026-11-30T02:15:00Z " + coded("[]"))
	if err != nil || got.id != 7 || got.status != 200 || string(got.body) != "[]" || !got.date.Equal(time.Date(2026, 11, 30, 2, 15, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := readReply("reply 8 204 2026-11-30T02:15:00Z -"); err != nil || got.status != 204 || got.body != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := readReply("reply 8 200 soon W10="); err != nil || !got.date.IsZero() {
		t.Errorf("without a time: %+v, %v", got, err)
	}
	for _, text := range []string{
		"", "reply", "reply 1", "reply 1 200", "reply 1 200 2026-11-30T02:15:00Z", "hello 1 200 2026-11-30T02:15:00Z -", "reply x 200 t -", "reply 0 200 t -", "reply -1 200 t -",
		"reply 1 20 t -", "reply 1 600 t -", "reply 1 200 t W10", "reply 1 200 t W10= ", "reply 1 200 t W1 0=", "reply 1  200 t -",
	} {
		if got, err := readReply(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// rule 13.3.
func TestAGreetingIsShownInWords(t *testing.T) {
	h, err := readHello(coded(`{"protocol":1,"script":"netbox-dhcp-sync","version":"2026.11.1","bound":true,"rights":"read","edition":"Desktop","powershell":"5.1.20348.2700",` +
		`"computer":"DH1\u001b[31m","account":"CORP\\netbox-dhcp","zone":"Newfoundland Standard Time","offset_minutes":-210,"utc":"2026-11-30T02:15:00Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `PowerShell 5.1.20348.2700 (Desktop) on DH1 [31m as CORP\netbox-dhcp; ` +
		`endpoint script 2026.11.1, rights read; the key is bound to the script that is installed there; ` +
		`its clock says 2026-11-30 02:15:00, UTC-03:30 (Newfoundland Standard Time)`
	if got := strings.Join(h.facts(), "; "); got != want {
		t.Errorf("facts\n%s\nwant\n%s", got, want)
	}
	for _, text := range []string{"", "x", coded(""), coded("[]"), coded(`{"protocol":"1"}`), coded(`{"utc":"today"}`)} {
		if h, err := readHello(text); err == nil {
			t.Errorf("%q: %+v", text, h)
		}
	}
}

// What PowerShell says on standard error is one line without escapes.
func TestWhatPowerShellSaysIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"\x1b[31;1mImport-Module: \r\n\x1b[0mno": "[31;1mImport-Module: [0mno",
		"#< CLIXML\r\n<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><S S=\"Error\">Get-X : no_x000D__x000A_</S>" +
			"<S S=\"Error\">At line:1 &lt;here&gt;_x000D__x000A_</S></Objs>": "Get-X : no At line:1 <here>",
		"#< CLIXML\n<Objs><Obj S=\"progress\"></Obj></Objs>": "",
		"Zugriff verweigert \x81":                            "Zugriff verweigert",
	} {
		if got := said([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"#nds boot FullLanguage\r\n", "x#nds hello " + coded(`{"protocol":1}`) + "\n#nds reply 1 200 2026-11-30T02:15:00Z W10=\n", "#< CLIXML\r\n<S S=\"Error\">_x000A_</S>", mark} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newReader(strings.NewReader(string(in)))
		for {
			text, err := r.next()
			if line := said(r.noise.Bytes()); strings.ContainsFunc(line, unicode.IsControl) {
				t.Fatalf("%q is said as %q", in, line)
			}
			if err != nil {
				break
			}
			if strings.Contains(text, "\n") {
				t.Fatalf("%q gives %q", in, text)
			}
			if got, err := readReply(text); err == nil && (got.id < 1 || got.status < 100 || got.status > 599) {
				t.Fatalf("%q is the reply %+v", text, got)
			}
			greeting, ok := strings.CutPrefix(text, "hello ")
			if h, err := readHello(greeting); ok && err == nil && strings.ContainsFunc(strings.Join(h.facts(), ""), unicode.IsControl) {
				t.Fatalf("%q greets as %+v", text, h)
			}
		}
	})
}
