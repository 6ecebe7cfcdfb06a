package instance

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// B-2, SET-1: a private authority is a setting, and no error repeats the token.
func TestAPrivateAuthorityIsTrustedByASetting(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef01234567"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "a proxy that repeats: Authorization: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ca, want string
	}{
		"with it":    {authority, "a proxy that repeats"},
		"without it": {"", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			client, err := Client(settings.NetBox{URL: server.URL, CAFile: c.ca, EnvToken: token, Timeout: 10 * time.Second}, log)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = client.Version(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), token) {
				t.Errorf("got %v, want %q in it and no token", err, c.want)
			}
		})
	}
	log, _ := test.NewNullLogger()
	if _, err := Client(settings.NetBox{URL: server.URL, CAFile: filepath.Join(t.TempDir(), "none.pem"), EnvToken: token}, log); err == nil {
		t.Error("a file that is not there was taken")
	}
}

func TestHTTPIsWarnedOfBeyondLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"http://netbox.example.org": true, "HTTP://10.0.0.1:8000": true, "https://netbox.example.org": false,
		"http://127.0.0.1:8000": false, "http://[::1]:8000": false, "http://localhost": false, "": false,
	} {
		if got := inClear(address); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
}
