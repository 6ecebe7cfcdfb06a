package openssh_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

// rules 13.1, 13.3 and 13.4: Windows as it is.
func TestEachKindOfWindowsIsUnderstood(t *testing.T) {
	for name, change := range map[string]func(*sshtest.Shell){
		"a banner":                func(s *sshtest.Shell) { s.Banner = []byte("Authorised use only.\r\n\r\n") },
		"a profile that prints":   func(s *sshtest.Shell) { s.Banner = []byte("Loading personal and system profiles took 812ms.") },
		"an OEM code page":        func(s *sshtest.Shell) { s.Banner = []byte(sshtest.OEM) },
		"text after the hello":    func(s *sshtest.Shell) { s.Chatter = []byte("WARNING: x\r\n") },
		"CLIXML on stderr":        func(s *sshtest.Shell) { s.Stderr = []byte(sshtest.CLIXML) },
		"PowerShell 7":            func(s *sshtest.Shell) { s.Edition = "Core" },
		"a version of the script": func(s *sshtest.Shell) { s.ScriptVersion = "2026.11.0" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *sshtest.Config) { change(&c.Shell) })
			c := l.client()
			if list := c.Scopes(t.Context(), false); !list.Complete() {
				t.Fatal(list.Err)
			}
			if got := c.Warnings(); len(got) > 0 {
				t.Errorf("warns %q", got)
			}
		})
	}
}

// rule 13: what keeps the door shut is one clear line with the next step, nothing was
// sent to the script, and it is not tried again.
func TestWhatKeepsTheDoorShutIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sshtest.Config)
		kind   endpoint.Kind
		want   []string
	}{
		"constrained language": {func(c *sshtest.Config) { c.Shell.Mode = "ConstrainedLanguage" }, endpoint.NoGreeting, []string{"language mode ConstrainedLanguage", "FullLanguage", "PowerShell Universal"}},
		"no PowerShell": {func(c *sshtest.Config) {
			c.Shell.Exit, c.Shell.Stderr = 1, []byte("'powershell' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n")
		}, endpoint.NoGreeting, []string{"not recognized as an internal", "ssh.command"}},
		"a login that may not run commands": {func(c *sshtest.Config) {
			c.Shell.Exit, c.Shell.Banner = 1, []byte("This account is for file transfer only.\r\n")
		}, endpoint.NoGreeting, []string{"file transfer only"}},
		"another protocol": {func(c *sshtest.Config) { c.Shell.Protocol = 2 }, endpoint.WrongScript, []string{"another protocol", "windows-script"}},
		"another script":   {func(c *sshtest.Config) { c.Shell.Script = "other" }, endpoint.WrongScript, []string{"other"}},
		"much noise":       {func(c *sshtest.Config) { c.Shell.Banner = []byte(strings.Repeat("x", 70_000)) }, endpoint.NoGreeting, []string{"64 KiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.change)
			client := l.client()
			_, err := client.Health(t.Context())
			e := wantKind(t, err, c.kind)
			for _, want := range c.want {
				if !strings.Contains(e.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if strings.ContainsAny(e.Error(), "\r\n\x1b") {
				t.Errorf("more than a line: %q", e.Error())
			}
			if !endpoint.Shut(e.Kind) || e.Unsure() || l.ssh.Sessions() != 1 || len(l.windows.Requests()) > 0 {
				t.Errorf("shut %t, unsure %t, %d sessions, %d requests", endpoint.Shut(e.Kind), e.Unsure(), l.ssh.Sessions(), len(l.windows.Requests()))
			}
		})
	}
}

// rule 13.2: silence instead of the greeting is given up.
func TestAServerThatDoesNotGreetIsGivenUp(t *testing.T) {
	for _, path := range []string{"boot", "hello"} {
		l := newLab(t)
		l.ssh.Fail(sshtest.Fault{Method: sshtest.Opening, Path: path, Kind: sshtest.Silent})
		_, err := l.client(func(c *openssh.Config) { c.Timeout = 2 * time.Second }).Health(t.Context())
		if e := wantKind(t, err, endpoint.TimedOut); !strings.Contains(e.Error(), "did not greet in time") || e.Unsure() {
			t.Error(e)
		}
	}
}

// rule 13.4: without the right to write, the text that is sent has no route that writes.
func TestAReaderSendsTheTextThatOnlyReads(t *testing.T) {
	l := newLab(t, func(c *sshtest.Config) {
		for sum, kind := range c.Shell.Accept {
			if kind == sshtest.Whole {
				delete(c.Shell.Accept, sum)
			}
		}
	})
	c := l.client(func(c *openssh.Config) { c.ReadOnly = true })
	health, err := c.Health(t.Context())
	if err != nil || !strings.Contains(strings.Join(c.Facts(), "; "), "rights read") {
		t.Errorf("%+v, %v, facts %q", health, err, c.Facts())
	}
	wantKind(t, c.CheckWriter(t.Context()), endpoint.Rejected)
	if n := len(l.windows.Writes()); n != 0 {
		t.Errorf("%d writes arrived", n)
	}
	_, err = l.client().Health(t.Context()) // the whole text is not one that this server takes
	wantKind(t, err, endpoint.NoGreeting)
}

// rules 13.3 and 13.5: which of the two ways a key has is told; it is warned of only
// where the settings want it bound.
func TestWhetherAKeyIsBoundIsKnown(t *testing.T) {
	for _, c := range []struct {
		installed string
		wants     bool
		fact      string
		warning   string
	}{
		{"", false, "the key is not bound to it, so it gives a shell", ""},
		{"", true, "the key is not bound to it, so it gives a shell", "ssh.bound is true, and the key is not bound"},
		{openssh.Script(false, true), false, "the key is bound to the script", ""},
		{openssh.Script(false, true), true, "rights read; the key is bound to the script", ""},
		{openssh.Script(true, true), true, "rights write; the key is bound to the script", ""},
	} {
		t.Run(fmt.Sprintf("%d %t", len(c.installed), c.wants), func(t *testing.T) {
			l := newLab(t, func(s *sshtest.Config) { s.Bound = c.installed })
			client := l.client(func(o *openssh.Config) { o.Bound = c.wants })
			if got := client.Facts(); got != nil {
				t.Errorf("before the first session: %q", got)
			}
			if _, err := client.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(client.Facts(), "; "); !strings.Contains(got, c.fact) || !strings.Contains(got, "PowerShell 5.1.20348.2700 (Desktop) on DH1 as CORP\\netbox-dhcp") {
				t.Errorf("facts %s", got)
			}
			if got := strings.Join(client.Warnings(), "; "); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("warns %q, want %q", got, c.warning)
			}
		})
	}
}

// rule 13.3.
func TestAClockThatIsOffIsTold(t *testing.T) {
	for off, want := range map[time.Duration]string{-2 * time.Hour: "off by -2h0m0s", 7 * time.Minute: "off by 7m0s", 30 * time.Second: ""} {
		l := newLab(t, func(c *sshtest.Config) { c.Shell.Clock = off })
		at := time.Now()
		c := l.client(func(c *openssh.Config) { c.Now = func() time.Time { return at } })
		if _, err := c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(c.Warnings(), "; ")
		if (got == "") != (want == "") || want != "" && !strings.Contains(got, "the clock of the server is off by") {
			t.Errorf("%s: warns %q, want %q", off, got, want)
		}
	}
}

// What Windows says is answered with the next step for an account, not for a service
// of PowerShell Universal.
func TestErrorsOfWindowsHaveTheNextStep(t *testing.T) {
	l := newLab(t)
	l.windows.Configure(func(c *psutest.Config) { c.Rights = "none" })
	err := l.client().Scopes(t.Context(), false).Err
	e := wantKind(t, err, endpoint.ServerError)
	if e.ID != "WIN32 5" || !strings.Contains(e.Fix(), "DHCP Users") || strings.Contains(e.Fix(), "PowerShell Universal") {
		t.Error(e)
	}
}

// What PowerShell says beside its answers is kept for -vv, in one line without escapes.
func TestWhatPowerShellSaysIsKept(t *testing.T) {
	l := newLab(t, func(c *sshtest.Config) {
		c.Shell.Stderr, c.Shell.Banner = []byte(sshtest.CLIXML+strings.Repeat("x", 1<<20)), []byte("\x1b[31mWelcome\r\n")
	})
	c := l.client()
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	found := ""
	for _, e := range l.hook.AllEntries() {
		if text, ok := e.Data["output"].(string); ok {
			if e.Level != logrus.DebugLevel || len(text) > 2100 || strings.ContainsAny(text, "\x1b\r\n") {
				t.Errorf("%s: %q", e.Level, text)
			}
			found += text
		}
	}
	if !strings.Contains(found, "Welcome") || !strings.Contains(found, "WARNING: ") {
		t.Errorf("kept %q", found)
	}
}
