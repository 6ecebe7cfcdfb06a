package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// P-17, B-4: check says what is wrong with NetBox's data: as it is, as the server
// last saw it where NetBox cannot be read, and nothing of a server that never ran.
func TestCheckListsWhatIsWrongWithTheData(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	onAddresses := []string{"ipam.ipaddress"}
	world := netboxtest.World{Tags: []netboxtest.Tag{{Name: "DHCP"}}, CustomFields: []netboxtest.CustomField{
		{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses}, {Name: "pydhcp_expire", Type: "text", ObjectTypes: onAddresses},
	}}
	for n := range shownProblems + 5 {
		world.IPs = append(world.IPs, netboxtest.IP{Address: fmt.Sprintf("10.0.0.%d/24", n+1), Tags: []string{"DHCP"},
			CustomFields: map[string]any{"pydhcp_mac": "52:54:00:00:00:01", "pydhcp_expire": "soon"}})
	}
	netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
	path := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("server4: {listen: \"127.0.0.1:6767\", plugins: [{netbox: }]}\nnetbox: {url: %q, token_file: token, lease: {reclaim_grace: 1m}, store: {path: state}, control: {folder: run}}\n", s.URL())
	for file, content := range map[string]string{path: text, filepath.Join(filepath.Dir(path), "token"): s.TokenV2()} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, hook := test.NewNullLogger()
	file, err := settings.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func() (lines []string) {
		var out strings.Builder
		_ = seen(t.Context(), &out, clienttest.Connect(t, s.URL(), s.TokenV2(), log), file.NetBox)
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	listed := func(when string, lines []string, asOf string) {
		t.Helper()
		if len(lines) < shownProblems+1 || !strings.Contains(lines[0], "IP address 10.0.0.1/24") || !strings.Contains(lines[0], "its record has the client") ||
			strings.Contains(lines[0], "(as of ") != (asOf != "") || !strings.Contains(lines[0], asOf) || !strings.Contains(lines[shownProblems], "more problems") {
			t.Errorf("%s:\n%s", when, strings.Join(lines, "\n"))
		}
	}
	listed("before a server ran", check(), "")
	s.Down()
	if lines := check(); lines[0] != "" {
		t.Errorf("without NetBox and before a server ran: %q", lines)
	}
	s.Up()

	pool := new(instance.Pool)
	if err := pool.UseFile(path); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Join("", log); err != nil {
		t.Fatal(err)
	}
	isRead := func(e *logrus.Entry) bool { return e.Message == "NetBox read" }
	for end := time.Now().Add(time.Minute); !slices.ContainsFunc(hook.AllEntries(), isRead); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("NetBox is not read")
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	listed("after a server ran", check(), "")
	s.Down()
	listed("after a server ran, without NetBox", check(), "(as of 20")
	s.Up()
	file.NetBox.Store.Path = "/dev/null" // no folder
	lines := check()
	if !strings.HasPrefix(lines[0], "notice   what the server last saw cannot be read: ") {
		t.Errorf("a copy that cannot be read: %q", lines[0])
	}
	listed("without a copy", lines[1:], "")
}
