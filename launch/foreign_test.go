package launch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
)

// setupRange opens its file as CoreDHCP's range does: it makes it, writes to it, and
// refuses what it cannot read.
func setupRange(args ...string) (handler.Handler4, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("invalid number of arguments, want: 4, got: %d", len(args))
	}
	f, err := os.OpenFile(args[0], os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open lease database: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := os.ReadFile(args[0])
	if err == nil && strings.Contains(string(text), "damaged") {
		err = errors.New("failed to query leases database " + args[0])
	}
	if _, more := f.WriteString("opened\n"); err == nil {
		err = more
	}
	return func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return resp, false }, err
}

// C-8: check tries a plugin that writes to its file when it is set up on a copy of it.
func TestCheckTriesRangeOnACopyOfItsFile(t *testing.T) {
	for name, c := range map[string]struct {
		file  string // what it holds; empty: it is not there
		entry string
		want  string // in the error; empty: none
	}{
		"a file":                  {"a lease", "FILE 10.0.0.100 10.0.0.200 1h", ""},
		"no file yet":             {"", "FILE 10.0.0.100 10.0.0.200 1h", ""},
		"a file that is damaged":  {"damaged", "FILE 10.0.0.100 10.0.0.200 1h", "leases database FILE"},
		"a folder for a file":     {"", "FOLDER 10.0.0.100 10.0.0.200 1h", "FOLDER"},
		"a folder that is absent": {"", "FOLDER/none/leases 10.0.0.100 10.0.0.200 1h", "no such file"},
		"too few arguments":       {"", "FILE 10.0.0.100", "number of arguments"},
		"no argument":             {"", "", "number of arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			clear(plugins.RegisteredPlugins)
			t.Cleanup(func() { clear(plugins.RegisteredPlugins) })
			folder := t.TempDir()
			t.Setenv("TMPDIR", t.TempDir())
			named := strings.NewReplacer("FILE", filepath.Join(folder, "leases"), "FOLDER", folder).Replace
			conf := filepath.Join(t.TempDir(), "config.yml")
			files := map[string]string{
				conf: "server4: {listen: \"127.0.0.1:6767\", plugins: [{range: " + named(c.entry) + "}]}\nnetbox: {inventory: inventory.yml}\n",
				filepath.Join(filepath.Dir(conf), "inventory.yml"): "prefixes: [{prefix: 10.0.0.0/24}]\nip_addresses: [{address: 10.0.0.1/24, tags: [Gateway, DHCP]}]\n",
			}
			if c.file != "" {
				files[filepath.Join(folder, "leases")] = c.file
			}
			for path, text := range files {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), []*plugins.Plugin{{Name: pluginRange, Setup4: setupRange}}, []string{"check", "--conf", conf}, &out, &errs)
			if c.want == "" && code != exit.OK || c.want != "" && (code != exit.Usage || !strings.Contains(errs.String(), named(c.want))) {
				t.Errorf("exit code %d, want %q in\n%s%s", code, named(c.want), &out, &errs)
			}
			kept, err := os.ReadFile(filepath.Join(folder, "leases"))
			if string(kept) != c.file || (err == nil) != (c.file != "") {
				t.Errorf("the file holds %q, %v, and held %q", kept, err, c.file)
			}
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 || err != nil {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
