package settings

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPageExplainsEveryKeyOfTheMirrorWithItsDefaultAndAnExampleThatLoads reads
// the tables of docs/sync/settings.md.
func TestPageExplainsEveryKeyOfTheMirrorWithItsDefaultAndAnExampleThatLoads(t *testing.T) {
	page, err := os.ReadFile("../../docs/sync/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	// Names that people choose have one value each here.
	chosen := strings.NewReplacer("servers.*", "servers.dh0.corp.example", "failover.*", "failover.east")
	preset := make(map[string]string)
	for _, s := range mustParse(t, netboxSection+"sync:\n  servers: [{host: dh0.corp.example}]\n  failover: {east: }\n").Effective() {
		preset[s.Key] = s.Value
	}
	var told []string
	row := regexp.MustCompile("(?m)^\\| `((?:sync|netbox)\\.[^`]+)` \\| (\\S+) \\| (.+?) \\| `([^`]+)` \\|$")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		key, shown, example := m[1], strings.Trim(m[2], "`"), m[4]
		told = append(told, key)
		if at := chosen.Replace(key); shown != "none" && shown != "null" && !strings.HasPrefix(key, "sync.overrides.") &&
			asDuration(shown) != preset[at] {
			t.Errorf("%s: the page says %s, the default is %s", key, shown, preset[at])
		}
		tryExample(t, key, example)
	}
	known := append(tags("sync.", reflect.TypeFor[Sync]()), "netbox.url", "netbox.token_file", "netbox.ca_file", "netbox.timeout")
	slices.Sort(told)
	slices.Sort(known)
	if diff := cmp.Diff(known, told); diff != "" {
		t.Error(diff)
	}
}

// asDuration renders 60s and 60m as Effective does.
func asDuration(s string) string {
	return strings.NewReplacer("60s", "1m", "60m", "1h").Replace(s)
}

// tryExample loads a file where key has the value of its example.
func tryExample(t *testing.T, key, value string) {
	t.Helper()
	parts := strings.Split(key, ".")
	node := value
	for i := len(parts) - 1; i > 0; i-- {
		switch {
		case parts[i] == "*" && parts[i-1] == "servers" && parts[1] == "servers":
			host := ""
			if parts[len(parts)-1] != "host" {
				host = "host: dh1.corp.example, "
			}
			if key == "sync.servers.*.transport" {
				host += "ssh: {user: u}, " // which a server has then
			}
			node = "[{" + host + "port: 1, " + strings.TrimPrefix(node, "{") + "]"
			node = strings.Replace(node, "port: 1, port:", "port:", 1)
		case parts[i] == "*":
			node = "{dh1.corp.example: " + node + "}"
		default:
			node = "{" + parts[i] + ": " + node + "}"
		}
	}
	text := parts[0] + ": " + node + "\n"
	if parts[0] == "netbox" {
		text += "sync: {servers: [{host: dh1.corp.example}]}\n"
	} else if parts[1] != "servers" {
		text = strings.Replace(text, "sync: {", "sync: {servers: [{host: dh1.corp.example}, {host: dh2.corp.example}], ", 1)
	}
	if _, err := parse(t, text, "NETBOX_URL", "https://netbox.example.org"); err != nil {
		t.Errorf("%s: the example %s does not load: %v\n%s", key, value, err, text)
	}
}
