package settings

import (
	"errors"
	"strings"
	"testing"

	"github.com/coredhcp/coredhcp/config"
	"os"
	"path/filepath"
)

// SET-1: what check finds right, CoreDHCP's reader takes, and the other way round.
func TestListenIsJudgedAsTheStartDoes(t *testing.T) {
	for listen, want := range map[string]struct{ mistake, warning string }{
		`"%eth0"`:                   {"", ""},
		`["%eth0", "%eth1"]`:        {"", ""},
		`"%eth0:1067"`:              {"", ""},
		`"%eth0.20"`:                {"", ""},
		`"10.10.0.2%eth0"`:          {"", ""},
		`127.0.0.1:6767`:            {"", ""},
		`0.0.0.0`:                   {"", ""},
		`":67"`:                     {"", ""},
		`10.10.0.2`:                 {"", "no broadcasts"},
		`["%eth0", "10.10.0.2:67"]`: {"", "no broadcasts"},
		`eth0`:                      {`"%eth0"`, ""},
		`["%eth0", eth1]`:           {`"%eth1"`, ""},
		`eth0:67`:                   {`"%eth0"`, ""},
		`10.10.0.2/24`:              {"without a mask: 10.10.0.2", ""},
		`"10.10.0.2:dhcp"`:          {"port", ""},
		`"[2001:db8::1]:67"`:        {"IPv4", ""},
		`10.10.0.300`:               {"interface is written", ""},
	} {
		t.Run(listen, func(t *testing.T) {
			text := "server4:\n  listen: " + listen + "\n  plugins:\n    - server_id: 10.0.0.2\n"
			path := filepath.Join(t.TempDir(), "config.yml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Load(path)
			_, upstream := config.Load(path)
			if (err == nil) != (upstream == nil) {
				t.Errorf("check says %v, the start says %v", err, upstream)
			}
			if want.mistake != "" {
				var problems Problems
				if !errors.As(err, &problems) || !strings.Contains(err.Error(), want.mistake) || !strings.Contains(err.Error(), "config.yml:2") {
					t.Errorf("got %v, want %q with its line", err, want.mistake)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			warned := ""
			for _, w := range f.Warnings {
				warned += w.String()
			}
			if (warned == "") != (want.warning == "") || !strings.Contains(warned, want.warning) {
				t.Errorf("warnings %q, want %q", warned, want.warning)
			}
		})
	}
}
