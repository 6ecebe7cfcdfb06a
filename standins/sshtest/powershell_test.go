package sshtest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

func TestTheGreetingTellsWhatIsThere(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		utc := time.Duration(0)
		healthy := map[string]any{
			"protocol": 1.0, "script": "netbox-dhcp-sync", "version": psutest.Own, "bound": false, "rights": "write", "edition": "Desktop", "powershell": "5.1.20348.2700",
			"computer": "DH1", "account": `CORP\netbox-dhcp`, "zone": "W. Europe Standard Time", "offset_minutes": 60.0,
		}
		for name, c := range map[string]struct {
			windows psutest.Config
			shell   Shell
			program string
			script  string
			want    map[string]any // that differs
		}{
			"a healthy server":                {},
			"PowerShell 7":                    {program: "pwsh", want: map[string]any{"edition": "Core", "powershell": "7.4.6"}},
			"a whole path":                    {program: `C:/Windows/System32/powershell.exe`},
			"as the other stand-in has it":    {windows: psutest.Config{Computer: "DH7", Rights: "none", Script: psutest.OwnBefore}, want: map[string]any{"computer": "DH7", "version": psutest.OwnBefore}},
			"a script without routes":         {script: reading, want: map[string]any{"rights": "read"}},
			"a server without routes":         {windows: psutest.Config{Rights: "read"}, want: map[string]any{"rights": "read"}},
			"another protocol":                {shell: Shell{Protocol: 2}, want: map[string]any{"protocol": 2.0}},
			"another script of other version": {shell: Shell{Script: "other", ScriptVersion: "1.0"}, want: map[string]any{"script": "other", "version": "1.0"}},
			"another account in another zone": {shell: Shell{Account: "x", Computer: "y", Zone: "UTC", Offset: &utc, Version: "5.0"}, want: map[string]any{"account": "x", "computer": "y", "zone": "UTC", "offset_minutes": 0.0, "powershell": "5.0"}},
		} {
			t.Run(name, func(t *testing.T) {
				s := k.made(t, windows(t, c.windows), func(to *Config) { c.shell.Accept = accepted(); to.Shell = c.shell })
				program, script := "powershell", whole
				if c.program != "" {
					program = c.program
				}
				if c.script != "" {
					script = c.script
				}
				if s.real != nil {
					program = filepath.Join(s.real.bin, filepath.Base(strings.TrimSuffix(program, ".exe")))
				}
				a, err := open(t, login(t, s), encoded(program), script)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]any{"utc": a.hello["utc"]}
				for _, part := range []map[string]any{healthy, c.want} {
					for key, value := range part {
						want[key] = value
					}
				}
				if diff := cmp.Diff(want, a.hello); diff != "" {
					t.Errorf("greeting (-want +have):\n%s", diff)
				}
				if status := a.end(); status != 0 || a.errs.String() != "" {
					t.Errorf("exit status %d, stderr %q", status, a.errs.String())
				}
			})
		}
	})
}

func TestTheClockOfTheServerMayDiffer(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), func(c *Config) { c.Shell.Clock = -48 * time.Hour })
		a := ready(t, s)
		out, err := a.do("GET", "health", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{a.hello["utc"].(string), out.time} {
			at, err := time.Parse(time.RFC3339, text)
			if off := time.Until(at).Round(time.Hour); err != nil || off != -48*time.Hour || !strings.HasSuffix(text, "Z") {
				t.Errorf("%q is off by %v, %v", text, off, err)
			}
		}
	})
}

func TestWhatIsNotTheProtocolEndsItWithAWord(t *testing.T) {
	const begin = "powershell -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand "
	for name, c := range map[string]struct {
		command, script string
		shell           Shell
		status          int
		want            string // on stderr
	}{
		"another program":             {command: "bash -c ls", status: 1, want: "'bash' is not recognized"},
		"a profile":                   {command: "powershell -NonInteractive -OutputFormat Text -EncodedCommand " + Encoded(bootstrap), status: 1, want: "want -NoProfile"},
		"the output as CLIXML":        {command: "powershell -NoProfile -NonInteractive -OutputFormat XML -EncodedCommand " + Encoded(bootstrap), status: 1, want: `-OutputFormat is "XML"`},
		"an unknown argument":         {command: encoded("powershell") + " -Sta", status: 1, want: `argument "-sta"`},
		"an argument without value":   {command: "powershell -NoProfile -File", status: 1, want: "-file has no value"},
		"too long a command":          {command: begin + Encoded(strings.Repeat("x", 400)), status: 1, want: "want fewer than 1000"},
		"no base64":                   {command: begin + "!!", status: 1, want: "no base64 of UTF-16LE"},
		"another bootstrap":           {command: begin + Encoded("ls"), status: 1, want: "the text of -EncodedCommand is none"},
		"a script as bootstrap":       {command: begin + Encoded(whole), status: 1, want: "the text of -EncodedCommand is none"},
		"another script":              {command: encoded("powershell"), script: whole + " ", status: 1, want: "the script that was sent is none"},
		"a bound script that is sent": {command: encoded("powershell"), script: boundWhole, status: 1, want: "the script that was sent is none"},
		"a file that is not there":    {command: "powershell -NoProfile -NonInteractive -File /nowhere.ps1", status: 1, want: "does not exist"},
		"constrained language":        {command: encoded("powershell"), script: whole, shell: Shell{Mode: "ConstrainedLanguage"}, status: 0},
		"an early exit":               {command: encoded("powershell"), script: whole, shell: Shell{Exit: 255, Stderr: []byte(CLIXML)}, status: 255, want: CLIXML},
	} {
		t.Run(name, func(t *testing.T) {
			s := made(t, windows(t, psutest.Config{}), func(to *Config) { c.shell.Accept = accepted(); to.Shell = c.shell })
			a, err := open(t, login(t, s), c.command, c.script)
			if err == nil {
				t.Fatal("it greeted")
			}
			if status := a.end(); status != c.status || !strings.Contains(a.errs.String(), c.want) {
				t.Errorf("exit status %d, stderr %q, %v", status, a.errs.String(), err)
			}
		})
	}
}

func TestARequestThatIsNotTheProtocolEndsTheSession(t *testing.T) {
	for name, line := range map[string]string{
		"no object":       `[]`,
		"another id":      `{"id":2,"method":"GET","path":"health","query":{},"body":""}`,
		"an unknown name": `{"id":1,"method":"GET","path":"health","query":{},"body":"","token":"x"}`,
		"a whole path":    `{"id":1,"method":"GET","path":"/api/dhcp/health","query":{},"body":""}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := windows(t, psutest.Config{})
			a := ready(t, made(t, w, nil))
			a.send([]byte(line))
			if reply, err := a.line("reply"); err == nil {
				t.Errorf("reply %q", reply)
			}
			if status := a.end(); status != 1 || !strings.Contains(a.errs.String(), "rule 13.1") || len(w.Requests()) != 0 {
				t.Errorf("exit status %d, stderr %q, %d requests", status, a.errs.String(), len(w.Requests()))
			}
		})
	}
}

// rules 13.4 and 13.5.
func TestAScriptWithoutRoutesThatWriteWritesNothing(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		for name, c := range map[string]struct{ bound, script string }{"sent": {script: reading}, "installed": {bound: boundReading}} {
			t.Run(name, func(t *testing.T) {
				w := windows(t, psutest.Config{})
				s := k.made(t, w, func(to *Config) { to.Bound = c.bound })
				a, err := open(t, login(t, s), encoded("powershell"), c.script)
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range []string{"health", "scopes", "reservations", "nothing"} {
					if out, err := a.do("POST", path, []byte("{}")); err != nil || out.status != 404 {
						t.Errorf("POST %s: %d, %v", path, out.status, err)
					}
				}
				out, err := a.do("GET", "health", nil)
				if err != nil || out.status != 200 || !strings.Contains(string(out.body), `"rights":"read"`) {
					t.Errorf("health: %d %s, %v", out.status, out.body, err)
				}
				if n := len(w.Writes()); n != 0 {
					t.Errorf("%d writes came through", n)
				}
			})
		}
	})
}

// rule 13.5: the forced command runs whatever the client asks for, and no line that comes in.
func TestABoundKeyRunsTheInstalledScript(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		w := windows(t, psutest.Config{})
		s := k.made(t, w, func(c *Config) { c.Bound = boundWhole })
		a, err := open(t, login(t, s), "cmd /c del *", "")
		if err != nil {
			t.Fatal(err)
		}
		if a.hello["bound"] != true || a.hello["rights"] != "write" {
			t.Errorf("greeting %v", a.hello)
		}
		if out, err := a.do("POST", "health", []byte("{}")); err != nil || out.status != 200 {
			t.Errorf("POST health: %d, %v", out.status, err)
		}
		a.send([]byte(whole))
		if _, err := a.line("reply"); err == nil || a.end() != 1 {
			t.Error("it went on after a script came in")
		}
	})
}

func TestNoiseStandsWhereItIsAskedFor(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		loud := Shell{Accept: accepted(), Banner: []byte("\xfeb\x81ro\r\nno end of line"), Chatter: []byte("later\r\n"), Stderr: []byte(CLIXML)}
		s := k.made(t, windows(t, psutest.Config{}), func(c *Config) { c.Shell = loud })
		a := ready(t, s)
		s.Fail(Fault{Path: "health", Times: 1, Kind: Noise})
		s.Fail(Fault{Path: "health", Times: 1, Kind: NoiseAfter, Text: strings.Repeat("x", 70<<10) + "\n"})
		for range 3 {
			if out, err := a.do("GET", "health", nil); err != nil || out.status != 200 {
				t.Fatalf("%d, %v", out.status, err)
			}
		}
		if want := "\xfeb\x81ro" + "no end of line" + "later" + strings.TrimSpace(OEM) + strings.Repeat("x", 70<<10); a.noise.String() != want {
			t.Errorf("noise of %d bytes: %.200q", a.noise.Len(), a.noise.String())
		}
		if a.end(); a.errs.String() != CLIXML {
			t.Errorf("stderr %q", a.errs.String())
		}
	})
}
