package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// The example context is made only where it is asked for, after the plan was shown.
func TestBootstrapMakesTheExampleOnlyIfAsked(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("server4: {listen: \"127.0.0.1:6767\", plugins: [{netbox: }]}\nnetbox: {url: %q, token_file: token, lease: {reclaim_grace: 1m}, store: {path: state}}\n", s.URL())
	for file, content := range map[string]string{path: text, filepath.Join(dir, "token"): s.TokenV2()} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		args     string
		says     string
		contexts int
	}{
		{"--yes", "create tag DHCP", 0},
		{"--example", "create config context DHCP options (example)\nNothing was done", 0},
		{"--example --yes", "create tag dhcp-example\ncreate config context DHCP options (example)\n" + s.URL() + ": done", 1},
		{"--example --yes", "nothing to do", 1},
	} {
		var out, errs strings.Builder
		args := append([]string{"bootstrap", "--conf", path}, strings.Fields(step.args)...)
		if code := run(t.Context(), nil, args, &out, &errs); code != 0 || !strings.Contains(out.String(), step.says) {
			t.Errorf("%s: exit code %d, want %q in\n%s%s", step.args, code, step.says, out.String(), errs.String())
		}
		if n := s.Count("extras/config-contexts"); n != step.contexts {
			t.Errorf("%s: %d config contexts, want %d", step.args, n, step.contexts)
		}
	}
}
