//go:build linux

package scenario

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command runs the program as an administrator does and returns what it prints and its exit code.
func (l *lab) command(t *testing.T, environment []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), l.bin, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environment...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// expect runs a command and fails unless it ends with the code and prints all of texts.
func (l *lab) expect(t *testing.T, environment []string, code int, args []string, texts ...string) string {
	t.Helper()
	out, got := l.command(t, environment, args...)
	if got != code {
		t.Fatalf("%s: exit code %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%s does not print %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	return out
}

// The commands of the README's ten minutes, with its least-privilege token.
func administratorsDay(t *testing.T, l *lab) {
	conf, admin := filepath.Join(t.TempDir(), "config.yml"), filepath.Join(t.TempDir(), "admin-token")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(admin, l.netbox.Token)
	// Names that only this story uses.
	tag, gateway, mac, expire := l.name("Leases"), l.name("Router"), l.field("shown_mac"), l.field("shown_expire")
	write(conf, fmt.Sprintf("server4:\n  plugins:\n    - netbox:\n    - netbox_gateway:\n    - netbox_dns:\n    - netbox_pxe:\n    - nak: authoritative\n"+
		"netbox:\n  url: %s\n  token_file: %q\n  vrf: %s\n  store: {path: %q}\n  dynamic: {tag: %s}\n  gateway: {tag: %s}\n  fields: {mac: %s, expire: %s}\n",
		l.netbox.URL, l.token, l.name("lab"), t.TempDir(), tag, gateway, mac, expire))
	made := map[string][]string{"extras/tags": {tag, gateway}, "extras/custom-fields": {mac, expire}}
	t.Cleanup(func() {
		for path, names := range made {
			for _, name := range names {
				l.netbox.remove(t, path, name)
			}
		}
	})
	exist := func(want int) {
		t.Helper()
		for path, names := range made {
			for _, name := range names {
				if got := l.netbox.count(t, path+"/?name="+url.QueryEscape(name)); got != want {
					t.Errorf("%d %s named %q, want %d", got, path, name, want)
				}
			}
		}
	}
	bootstrap := []string{"bootstrap", "--conf", conf}
	asAdmin := []string{"NETBOX_TOKEN_FILE=" + admin}

	out, _ := l.command(t, nil, "check", "--conf", conf)
	for _, name := range []string{tag, gateway, mac, expire, "bootstrap"} {
		if !strings.Contains(out, name) {
			t.Errorf("check does not name %q:\n%s", name, out)
		}
	}
	l.expect(t, asAdmin, 0, bootstrap, tag, gateway, mac, expire, "Nothing was done")
	exist(0)
	l.expect(t, asAdmin, 0, append(bootstrap, "--yes"), "done")
	exist(1)
	l.expect(t, asAdmin, 0, append(bootstrap, "--yes"), "nothing to do")
	l.expect(t, nil, 0, []string{"check", "--conf", conf}, "ready")

	explain := func(mac byte, n int, texts ...string) {
		t.Helper()
		l.expect(t, nil, 0, []string{"explain", "--conf", conf, "--mac", l.mac(mac).String(), "--local", host(n, 1).String()}, texts...)
	}
	explain(macWeb, netStatic, "OFFER", "D-1", ip(netStatic, 10).Addr().String(), l.name("web"))
	// Nothing carries the new tag yet.
	explain(macVisitor+80, netQuestion, "D-2", "not in NetBox")
	l.change(t, ip(netQuestion, 100), map[string]any{"tags": []int64{l.netbox.find(t, "extras/tags", tag)}})
	explain(macVisitor+80, netQuestion, "OFFER", ip(netQuestion, 100).Addr().String())
}

// find is the id of the object of a name; 0: none.
func (n inventory) find(t testing.TB, path, name string) int64 {
	t.Helper()
	var list struct {
		Results []struct {
			ID int64 `json:"id"`
		} `json:"results"`
	}
	n.get(t, path+"/?name="+url.QueryEscape(name), &list)
	if len(list.Results) == 0 {
		return 0
	}
	return list.Results[0].ID
}

// remove deletes the object of a name if there is one.
func (n inventory) remove(t testing.TB, path, name string) {
	t.Helper()
	if id := n.find(t, path, name); id != 0 {
		n.Call(t, http.MethodDelete, fmt.Sprintf("%s/%d/", path, id), nil, nil)
	}
}
