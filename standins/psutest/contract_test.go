package psutest

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract runs on the stand-in and, if PSU_URL names one, on a real
// PowerShell Universal; see README.md.
func TestContract(t *testing.T) {
	for name, script := range map[string]string{"stand-in": "", "stand-in with lists": Lists, "stand-in of deploy/psu": Own} {
		t.Run(name, func(t *testing.T) {
			s := New(t, Config{World: scratchWorld(), Script: script})
			Contract(t, Target{URL: s.URL(), Writer: s.Writer(), Reader: s.Reader(), Scratch: "192.0.2.0", Client: client(t, false)})
		})
	}
	if url := os.Getenv("PSU_URL"); url != "" {
		t.Run("real", func(t *testing.T) {
			Contract(t, Target{
				URL: strings.TrimSuffix(url, "/"), Writer: secret(t, "PSU_TOKEN_FILE"), Reader: secret(t, "PSU_READER_TOKEN_FILE"),
				Scratch: os.Getenv("PSU_SCRATCH_SCOPE"), Client: client(t, os.Getenv("PSU_INSECURE") == "1"),
			})
		})
	}
}

// scratchWorld is the example with a relationship and an empty scope.
func scratchWorld() World {
	w := Example("dh1.corp.example")
	w.Failovers = []*Failover{{Name: "east-pair", Partner: "dh2", Scopes: []string{"10.8.4.0"}}}
	w.Scopes = append(w.Scopes, &Scope{ID: "192.0.2.0", Mask: "255.255.255.0", Name: "Scratch", Start: "192.0.2.10", End: "192.0.2.200", LeaseSeconds: 3600, Routers: []string{"192.0.2.254"}})
	return w
}

func secret(t *testing.T, variable string) string {
	t.Helper()
	file := os.Getenv(variable)
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func client(t *testing.T, insecure bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestTheReadmeListsEveryFact(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, g := range groups() {
		fmt.Fprintf(&want, "### %s (%s)\n\n", g.name, g.sections)
		for _, f := range g.facts {
			fmt.Fprintf(&want, "- %s\n", f.name)
		}
		want.WriteString("\n")
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("README.md does not contain the list of facts:\n%s", want.String())
	}
}
