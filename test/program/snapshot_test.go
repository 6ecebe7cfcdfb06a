package program

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// told runs a command and wants an exit code and words.
func told(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	stdout, stderr, got := run(t, args...)
	if got != code || !strings.Contains(stdout+stderr, want) {
		t.Errorf("%q: exit code %d, want %d and %q in\n%s%s", args, got, code, want, stdout, stderr)
	}
	return stdout
}

// C-20, C-21: what a server knows of NetBox is saved, shown and compared, with the
// server and without it; a saved snapshot has no secret in it, and is read by its owner
// only.
func TestWhatIsKnownOfNetBoxIsSavedShownAndCompared(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	at := func(name string) string { return filepath.Join(filepath.Dir(o.conf), name) }
	command := func(code int, want string, args ...string) string {
		t.Helper()
		return told(t, code, want, append(args, "-c", o.conf)...)
	}
	command(0, "from the running server", "snapshot", "save", at("before.snapshot"))
	command(64, "is there already", "snapshot", "save", at("before.snapshot"))
	content, err := os.ReadFile(at("before.snapshot"))
	info, statErr := os.Stat(at("before.snapshot"))
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || bytes.Contains(content, []byte(limitedToken)) {
		t.Errorf("%v, %v, mode %v", err, statErr, info.Mode())
	}
	if shown := command(0, "MAC addresses         12", "snapshot", "show", at("before.snapshot")); !strings.Contains(shown, o.netbox.URL()) || !strings.Contains(shown, " ago\n") {
		t.Errorf("shown:\n%s", shown)
	}
	command(0, "0 added, 0 removed, 0 changed", "snapshot", "diff", at("before.snapshot"))

	o.netbox.Edit(t, "ipam/ip-addresses", o.ids("ipam/ip-addresses", "lab 10.77.0.10/20")[0], map[string]any{"tags": []map[string]any{{"name": "DHCP"}}})
	o.polled()
	const changed = "~ IP address 10.77.0.10, VRF lab: tags (none) -> DHCP\n0 added, 0 removed, 1 changed\n"
	if got := command(1, "", "snapshot", "diff", at("before.snapshot")); got != changed {
		t.Errorf("the server has changed by\n%s", got)
	}
	o.stop()
	command(0, "from the files of the server", "snapshot", "save", at("after.snapshot"))
	if got := command(1, "", "snapshot", "diff", at("before.snapshot"), at("after.snapshot")); got != changed {
		t.Errorf("the files differ by\n%s", got)
	}
	var changes []struct{ Kind, Object, How string }
	if err := json.Unmarshal([]byte(command(1, "", "snapshot", "diff", "--json", at("before.snapshot"), at("after.snapshot"))), &changes); err != nil || len(changes) != 1 || changes[0].How != "changed" {
		t.Errorf("as JSON: %+v, %v", changes, err)
	}
	command(0, "[]", "snapshot", "diff", "--json", at("after.snapshot"), at("after.snapshot"))

	write(t, at("damaged.snapshot"), string(content[:len(content)-1]))
	command(64, "no intact snapshot", "snapshot", "diff", at("damaged.snapshot"))
	command(64, "none.snapshot", "snapshot", "show", at("none.snapshot"))
	text, err := os.ReadFile(o.conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, o.conf, strings.Replace(string(text), "vrf: lab", "vrf: lab\n  context_key: other", 1))
	command(64, "netbox.context_key", "snapshot", "show", at("before.snapshot"))
}

// C-20: NetBox is read now where it is asked for, without a server.
func TestNetBoxIsReadForASnapshot(t *testing.T) {
	t.Parallel()
	s := netboxtest.New(t, netboxtest.Config{})
	netboxtest.Seed(t, s.URL(), s.TokenV1(), world())
	conf, _ := lab(t, pool)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "inventory: inventory.yml", "url: "+s.URL()+"\n  vrf: lab\n  token_file: token", 1))
	write(t, filepath.Join(filepath.Dir(conf), "token"), s.TokenV2())
	saved := filepath.Join(filepath.Dir(conf), "now.snapshot")
	told(t, 1, "none has left a copy", "snapshot", "save", saved, "-c", conf)
	told(t, 0, "12 machines, from NetBox as it is now", "snapshot", "save", saved, "--read-netbox", "-c", conf)
	told(t, 0, "MAC addresses         12", "snapshot", "show", saved, "-c", conf)
}

// C-20: an inventory before an edit is compared with the one after it.
func TestInventoriesAreCompared(t *testing.T) {
	t.Parallel()
	conf, _ := lab(t, pool)
	edited := filepath.Join(filepath.Dir(conf), "edited.yml")
	write(t, edited, strings.Replace(pool, "10.77.0.10/20", "10.77.0.11/20", 1))
	got := told(t, 1, "1 added, 1 removed, 0 changed", "snapshot", "diff", filepath.Join(filepath.Dir(conf), "inventory.yml"), edited, "-c", conf)
	if !strings.HasPrefix(got, "- IP address 10.77.0.10: ") || !strings.Contains(got, "\n+ IP address 10.77.0.11: ") {
		t.Errorf("got\n%s", got)
	}
	told(t, 1, "1 added, 1 removed", "snapshot", "diff", edited, "-c", conf)
	write(t, edited, "prefixes: [{prefixx: 10.0.0.0/24}]\n")
	told(t, 64, "edited.yml:1: ", "snapshot", "diff", edited, "-c", conf)
}
