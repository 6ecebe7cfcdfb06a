package openssh

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

var update = flag.Bool("update", false, "write deploy/ssh/sums anew")

// rule 13.4: exec requests of about 2 500 characters were seen to fail.
func TestTheCommandIsShortAndMeansOneThingToBothShells(t *testing.T) {
	path := `C:\` + strings.Repeat("p", 257)
	for _, powershell := range []string{"powershell", "pwsh", path} {
		have := command(powershell)
		if len(have) >= 1000 {
			t.Errorf("the command is %d characters long", len(have))
		}
		encoded, ok := strings.CutPrefix(have, powershell+" -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand ")
		if !ok || !regexp.MustCompile(`^[A-Za-z0-9+/]+=*$`).MatchString(encoded) {
			t.Errorf("the command is %q", have)
		}
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(text)%2 != 0 {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		var b strings.Builder
		for i := 0; i < len(text); i += 2 {
			if text[i+1] != 0 {
				t.Fatal("the bootstrap is not ASCII")
			}
			b.WriteByte(text[i])
		}
		if b.String() != bootstrap() || !strings.HasPrefix(b.String(), "$ProgressPreference='SilentlyContinue'\n") || strings.Contains(b.String(), "\n#") {
			t.Errorf("the command runs %q", b.String())
		}
	}
}

// rule 13.4: the endpoint script is part of what is sent as it is.
func TestTheScriptThatWritesHoldsTheEndpointsUnchanged(t *testing.T) {
	for _, bound := range []bool{false, true} {
		if n := strings.Count(Script(true, bound), "\n# ---- the endpoint script ----\n"+deploy.Endpoints+"# ---- end of the endpoint script ----\n"); n != 1 {
			t.Errorf("bound %t: the endpoint script is there %d times", bound, n)
		}
	}
}

// rules 13.4 and 13.5: what is asked for is what the switches in the text say.
func TestTheSwitchesAreSet(t *testing.T) {
	for _, c := range kinds() {
		text := Script(c.write, c.bound)
		for line, want := range map[string]bool{
			"\n$NdsBound = $true\n": c.bound, "\n$NdsBound = $false\n": !c.bound,
			"\n$ReadOnly = $true\n": !c.write, "\n$ReadOnly = $false\n": c.write,
		} {
			if have := strings.Count(text, line) == 1; have != want {
				t.Errorf("%s: %q is there: %t", c.name, strings.TrimSpace(line), have)
			}
		}
	}
}

// rule 13.3: the greeting finds the version in the text of the endpoints.
func TestTheGreetingTellsTheVersionOfTheEndpoints(t *testing.T) {
	pattern := regexp.MustCompile(`\[regex\]::Match\(\$Common\.ToString\(\), "([^"]+)"\)\.Groups\[1\]`).FindStringSubmatch(deploy.Loop)
	if pattern == nil {
		t.Fatal("the loop does not look for the version")
	}
	have := regexp.MustCompile(pattern[1]).FindStringSubmatch(deploy.Endpoints)
	if have == nil || have[1] != endpoint.ScriptVersion {
		t.Errorf("the loop finds version %q, want %s", have, endpoint.ScriptVersion)
	}
	if !strings.Contains(deploy.Loop, "= '"+endpoint.ScriptName+"'\n") {
		t.Error("the greeting has another name of the script")
	}
}

type kind struct {
	name         string
	write, bound bool
}

func kinds() []kind {
	return []kind{{"sent-read", false, false}, {"sent-write", true, false}, {"bound-read", false, true}, {"bound-write", true, true}}
}

// rules 13.4 and 13.5: what runs on a server does not change unnoticed.
func TestTheSumsAreThoseOfTheTexts(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%x  bootstrap\n", sha256.Sum256([]byte(bootstrap())))
	for _, c := range kinds() {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256([]byte(Script(c.write, c.bound))), c.name)
	}
	if *update {
		if err := os.WriteFile("../../deploy/ssh/sums", []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if deploy.Sums != b.String() {
		t.Errorf("deploy/ssh/sums has\n%sand the texts are\n%slook at what changed, then: go test ./sync/openssh -run Sums -update", deploy.Sums, b.String())
	}
}
