package netbox

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestAURLIsTakenAsPeoplePasteIt(t *testing.T) {
	for given, want := range map[string]string{
		"https://netbox.example.org":           "https://netbox.example.org",
		" https://netbox.example.org/ ":        "https://netbox.example.org",
		"https://netbox.example.org/api/":      "https://netbox.example.org",
		"http://10.0.0.9:8000/netbox/":         "http://10.0.0.9:8000/netbox",
		"http://[2001:db8::1]:8000/netbox/api": "http://[2001:db8::1]:8000/netbox",
		"netbox.example.org":                   "",
		"ftp://netbox.example.org":             "",
		"https://":                             "",
		"https://user:secret@netbox/":          "",
		"https://netbox/?a=b":                  "",
		"https://netbox/#x":                    "",
		"https://user:secret@netbox/%zz":       "",
		"":                                     "",
	} {
		c, err := NewClient(Config{URL: given, Token: testToken("x")}, silent())
		switch {
		case want == "" && err == nil:
			t.Errorf("%q was taken as %s", given, c.URL())
		case want == "" && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error tells the password: %v", given, err)
		case want != "" && err != nil:
			t.Errorf("%q: %v", given, err)
		case want != "" && c.URL() != want:
			t.Errorf("%q was taken as %s, want %s", given, c.URL(), want)
		}
	}
}

func TestBothGenerationsOfTokensAreSentWithTheirWord(t *testing.T) {
	for token, want := range map[string]string{
		"0123456789abcdef0123456789abcdef01234567": "Token 0123456789abcdef0123456789abcdef01234567",
		secretToken:                    "Bearer " + secretToken,
		"Bearer " + secretToken + "\n": "Bearer " + secretToken,
		"Token 0123456789abcdef\n":     "Token 0123456789abcdef",
		"":                             "",
		"two words":                    "",
		"line\nbreak":                  "",
	} {
		c, err := NewClient(Config{URL: "http://netbox", Token: testToken(token)}, silent())
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.authorization()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("token %q gives %q, %v; want %q", token, got, err, want)
		}
	}
}

func TestAReplacedTokenTakesEffectWithoutARestart(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	token := "0000000000000000000000000000000000000000"
	c, err := NewClient(Config{URL: s.URL(), Token: func() (string, error) { return token, nil }}, silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Count(t.Context(), Addresses, nil); KindOf(err) != BadToken {
		t.Fatalf("a wrong token gives %v, want a bad token", err)
	}
	token = s.TokenV2()
	if _, err := c.Count(t.Context(), Addresses, nil); err != nil {
		t.Fatal(err)
	}
}

// answering starts a server of one handler and a client for it.
func answering(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return connect(t, s.URL, secretToken, silent())
}

func TestAnOwnAuthorityIsTrustedWhenItsFileIsNamed(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"count":0,"next":null,"results":[]}`)
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(Config{URL: s.URL, Token: testToken("x"), CAFile: file}, silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if n, err := c.Count(t.Context(), Addresses, nil); err != nil || n != 0 {
		t.Errorf("count %d, %v", n, err)
	}
	if _, err := NewClient(Config{URL: s.URL, Token: testToken("x"), CAFile: file + ".missing"}, silent()); err == nil {
		t.Error("a missing CA file was no error")
	}
}
