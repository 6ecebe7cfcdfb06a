package metrics

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	dto "github.com/prometheus/client_model/go"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

var update = flag.Bool("update", false, "write docs/metrics.md, and the tables of alarms, anew")

const page = root + "/docs/metrics.md"

// possible is a value that a label can have.
type possible struct{ value, meaning string }

// label is one label of a metric; without values it is open, and bounded by words.
type label struct {
	values  []possible
	bounded string
}

// labels are what each label may say, by "metric label"; "* label" counts for all metrics
// that have no entry of their own.
func labels(t *testing.T) map[string]label {
	t.Helper()
	outcomes := constants(t, "internal/netbox", "Outcome")
	reasons := constants(t, "internal/lease", "Reason")
	var refused []possible
	for _, r := range reasons {
		if slices.Contains(unserved(t), r.value) {
			refused = append(refused, r)
		}
	}
	var decided, verdicts, messages []possible
	for k := range lease.MessageType(32) {
		decided = append(decided, possible{value: k.String()})
	}
	for v := range lease.Verdict(32) {
		verdicts = append(verdicts, possible{value: v.String()})
	}
	for m := dhcpv4.MessageTypeDiscover; m <= dhcpv4.MessageTypeInform; m++ {
		messages = append(messages, possible{value: m.String()})
	}
	messages = append(messages, possible{value: "BOOTP"}, possible{value: "other"})
	server, mirrored := "coredhcp_netbox_", "netbox_dhcp_sync_"
	return map[string]label{
		server + "decisions_total message":         {values: distinct(decided)},
		server + "decisions_total verdict":         {values: distinct(verdicts)},
		server + "decisions_total reason":          {values: reasons},
		server + "unserved_clients reason":         {values: refused},
		server + "dhcp4_dropped_total reason":      {values: constants(t, "internal/receive", "Drop")},
		server + "dhcp4_received_total message":    {values: messages},
		server + "dhcp4_replies_total message":     {values: messages},
		server + "dhcp4_replies_total destination": {values: found(t, "internal/receive/reply.go", `\bto\("(\w+)"`)},
		server + "rows_lost table":                 {values: found(t, "internal/ipam/loss.go", `lossesOf\("([^"]+)"`)},
		server + "records_total outcome":           {values: outcomes},
		server + "dns_updates_total outcome":       {values: constants(t, "internal/ddns", "Outcome")},
		server + "store_commit_seconds outcome":    {values: words("done contested failed")},
		server + "snapshot_copies_total outcome":   {values: words("done failed")},
		server + "circuits_total result":           {values: constants(t, "internal/lease", "CircuitResult")},
		server + "boot_transfers_total outcome":    {values: constants(t, "internal/bootfiles", "outcome")},
		server + "pool_addresses state":            {values: words("free leased offered quarantined withheld")},
		server + "pool_addresses prefix":           {bounded: "prefixes of NetBox, at most 400"},
		server + "pool_addresses vrf":              {bounded: "VRFs of NetBox with their ids; empty: the global table"},
		server + "events_total outcome":            {values: words("sent refused dropped")},
		"* to":                                     {bounded: "`file`, and hosts of the webhooks of the settings"},
		"* protocol":                               {values: words("tftp http")},
		"* for":                                    {values: words("disk echo switch")},
		"* version":                                {bounded: "of the program, or of Go"},
		"* server":                                 {bounded: "Windows servers of the settings"},
		mirrored + "runs_total code":               {values: words("0 1 3 4 64")},
		mirrored + "steps_total kind":              {values: slices.Concat(constants(t, "sync/state", "Kind"), constants(t, "sync/plan", "state.Kind"))},
		mirrored + "steps_total action":            {values: constants(t, "sync/state", "Action")},
		mirrored + "steps_total outcome":           {values: outcomes},
		mirrored + "notes level":                   {values: constants(t, "sync/plan", "Level")},
		mirrored + "psu_requests_total method":     {values: words("GET POST PUT DELETE")},
		mirrored + "psu_requests_total path":       {bounded: "routes of the script, without values"},
		mirrored + "psu_requests_total status":     {bounded: "statuses that HTTP defines, `0` and `other`"},
		mirrored + "scopes state":                  {values: words("synced left_alone")},
		mirrored + "leases state":                  {values: words("active ended")},
	}
}

func words(text string) (list []possible) {
	for _, w := range strings.Fields(text) {
		list = append(list, possible{value: w})
	}
	return list
}

func distinct(list []possible) []possible {
	slices.SortFunc(list, func(a, b possible) int { return cmp.Compare(a.value, b.value) })
	return slices.Compact(list)
}

// constants are the values of the constants of a type, with their comments.
func constants(t *testing.T, folder, typeName string) (list []possible) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || len(spec.Values) != 1 {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if ok && literal.Kind == token.STRING && nameOf(spec.Type) == typeName {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, possible{value, strings.TrimSpace(spec.Comment.Text())})
			}
			return true
		})
	}
	if len(list) == 0 {
		t.Fatalf("%s has no constants of type %s", folder, typeName)
	}
	return list
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// found are the words that a file of the module has at a place.
func found(t *testing.T, file, place string) (list []possible) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(place).FindAllStringSubmatch(string(source), -1) {
		list = append(list, possible{value: m[1]})
	}
	if len(list) == 0 {
		t.Fatalf("%s has no %s", file, place)
	}
	return list
}

// unserved are the reasons of coredhcp_netbox_unserved_clients.
func unserved(t *testing.T) (list []string) {
	t.Helper()
	reasons := make(map[string]string) // by the name of the constant
	for _, m := range found(t, "internal/lease/request.go", `(Reason\w+ +Reason = "\w+")`) {
		parts := strings.Fields(m.value)
		reasons[parts[0]] = strings.Trim(parts[3], `"`)
	}
	source, err := os.ReadFile(filepath.Join(root, "internal/instance/unserved.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`lease\.(Reason\w+),`).FindAllStringSubmatch(string(source), -1) {
		list = append(list, reasons[m[1]])
	}
	return list
}

func labelOf(known map[string]label, metric, name string) (label, bool) {
	if l, ok := known[metric+" "+name]; ok {
		return l, true
	}
	l, ok := known["* "+name]
	return l, ok
}

// ours reports whether a metric is one of this project.
func ours(name string) bool {
	return strings.HasPrefix(name, "coredhcp_netbox_") || strings.HasPrefix(name, "netbox_dhcp_sync_")
}

// checkValues holds each label to the values that it may have.
func checkValues(t *testing.T, f families) {
	t.Helper()
	known := labels(t)
	for name, family := range f {
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				l, ok := labelOf(known, name, pair.GetName())
				switch {
				case !ours(name):
				case !ok:
					t.Errorf("%s: nothing bounds the label %s", name, pair.GetName())
				case l.values != nil && !slices.ContainsFunc(l.values, func(p possible) bool { return p.value == pair.GetValue() }):
					t.Errorf("%s: the label %s has the value %q", name, pair.GetName(), pair.GetValue())
				}
			}
		}
	}
}

// comparePage holds docs/metrics.md to the metrics of both programs.
func comparePage(t *testing.T, server, mirrored families) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Metrics\n\nAll metrics of both programs. Generated from what the programs tell: `go test ./test/metrics -update`. How to scrape them, alarms and dashboards:\n" +
		"[operations.md](operations.md#watching-it). A histogram has `_bucket`, `_sum` and `_count`. No label names a client, and no client can make up a value (C-42).\n")
	known := labels(t)
	var values bytes.Buffer
	for _, part := range []struct {
		title, prefix string
		families
	}{{"coredhcp-netbox", "coredhcp_netbox_", server}, {"netbox-dhcp-sync", "netbox_dhcp_sync_", mirrored}, {"Of the process, in both", "", mirrored}} {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", part.title)
		for _, name := range slices.Sorted(maps.Keys(part.families)) {
			if ours(name) != (part.prefix != "") || !strings.HasPrefix(name, part.prefix) {
				continue
			}
			row(&b, &values, name, part.families, known)
		}
	}
	b.WriteString("\n## Values of labels\n")
	b.Write(values.Bytes())
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("docs/metrics.md is stale (%v): go test ./test/metrics -update", err)
	}
}

// row writes one metric, and the values of its labels that have a meaning.
func row(b, values *bytes.Buffer, name string, f families, known map[string]label) {
	family := f[name]
	names := make(map[string]bool)
	for _, m := range family.GetMetric() {
		for _, pair := range m.GetLabel() {
			names[pair.GetName()] = true
		}
	}
	var cells []string
	for _, l := range slices.Sorted(maps.Keys(names)) {
		what, _ := labelOf(known, name, l)
		switch {
		case slices.ContainsFunc(what.values, func(p possible) bool { return p.meaning != "" }):
			heading := fmt.Sprintf("%s of %s", l, name)
			cells = append(cells, fmt.Sprintf("`%s`: [%d values](#%s)", l, len(what.values), strings.ReplaceAll(heading, " ", "-")))
			fmt.Fprintf(values, "\n### %s\n\n| value | meaning |\n|---|---|\n", heading)
			for _, p := range what.values {
				fmt.Fprintf(values, "| `%s` | %s |\n", p.value, p.meaning)
			}
		case what.values != nil:
			var list []string
			for _, p := range what.values {
				list = append(list, "`"+p.value+"`")
			}
			cells = append(cells, fmt.Sprintf("`%s`: %s", l, strings.Join(list, ", ")))
		case what.bounded != "":
			cells = append(cells, fmt.Sprintf("`%s`: %s", l, what.bounded))
		default:
			cells = append(cells, "`"+l+"`")
		}
	}
	kind := strings.ToLower(family.GetType().String())
	if family.GetType() == dto.MetricType_SUMMARY {
		kind = "summary"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(cells, "<br>"), family.GetHelp())
}

// documented are the labels of each series that docs/metrics.md has, those of
// histograms by the names of their series.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (.*?) \\| ").FindAllStringSubmatch(string(text), -1) {
		names := []string{"job", "instance"}
		for _, l := range regexp.MustCompile("(?:^|<br>)`(\\w+)`").FindAllStringSubmatch(m[3], -1) {
			names = append(names, l[1])
		}
		switch m[2] {
		case "histogram":
			all[m[1]+"_bucket"], all[m[1]+"_count"], all[m[1]+"_sum"] = append(slices.Clone(names), "le"), names, names
		case "summary":
			all[m[1]], all[m[1]+"_count"], all[m[1]+"_sum"] = append(slices.Clone(names), "quantile"), names, names
		default:
			all[m[1]] = names
		}
	}
	if len(all) < 80 {
		t.Fatalf("docs/metrics.md has only %d series", len(all))
	}
	all["up"] = []string{"job", "instance"} // Prometheus's own
	return all
}

// C-42: pages name no metric that does not exist.
func TestPagesNameMetricsThatExist(t *testing.T) {
	there := documented(t)
	for _, folder := range []string{"docs", "docs/sync", "docs/spec", "plugins/netbox", "plugins/pxe", "deploy/prometheus", "deploy/grafana"} {
		pages, err := filepath.Glob(filepath.Join(root, folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pages {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`\b(?:coredhcp_netbox|netbox_dhcp_sync)_\w+`).FindAllString(string(text), -1) {
				if there[name] == nil && there[name+"_count"] == nil {
					t.Errorf("%s names %s, which does not exist", path, name)
				}
			}
		}
	}
}
