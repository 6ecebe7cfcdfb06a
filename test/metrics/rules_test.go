package metrics

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rule is one alarm of a rule file.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func ruleFile(program string) string {
	return filepath.Join(root, "deploy/prometheus", program+".rules.yml")
}

// rulesOf reads the rule file of a program.
func rulesOf(t *testing.T, program string) (rules []rule) {
	t.Helper()
	text, err := os.ReadFile(ruleFile(program))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

func programs() []string { return []string{"coredhcp-netbox", "netbox-dhcp-sync"} }

// C-43: an alarm says what is wrong, what to do next, and where to read on.
func TestAlarmsTellTheNextStep(t *testing.T) {
	seen := make(map[string]bool)
	for _, program := range programs() {
		for _, r := range rulesOf(t, program) {
			if seen[r.Alert] {
				t.Errorf("%s stands there twice", r.Alert)
			}
			seen[r.Alert] = true
			if s := r.Annotations["summary"]; len(s) < 20 || strings.HasSuffix(s, ".") {
				t.Errorf("%s: summary %q", r.Alert, s)
			}
			if d := r.Annotations["description"]; len(d) < 40 || !strings.HasSuffix(d, ".") {
				t.Errorf("%s: description %q", r.Alert, d)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.For == "" {
				t.Errorf("%s: severity %q, for %q", r.Alert, r.Labels["severity"], r.For)
			}
			runbook, ok := strings.CutPrefix(r.Annotations["runbook_url"], "https://github.com/coredhcp-netbox/coredhcp-netbox/blob/main/")
			file, anchor, _ := strings.Cut(runbook, "#")
			if !ok || !slices.Contains(anchors(t, file), anchor) {
				t.Errorf("%s: the runbook %q leads nowhere", r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
}

// anchors are the places that the headings of a page make.
func anchors(t *testing.T, file string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		word := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(word, " ", "-"))
	}
	return list
}

// C-43: the tables of docs/operations.md are those of the rule files.
func TestTheTablesOfAlarmsAreTheRuleFiles(t *testing.T) {
	path := filepath.Join(root, "docs/operations.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, program := range programs() {
		begin, end := fmt.Sprintf("<!-- alarms of %s -->\n", program), "<!-- end of alarms -->"
		before, rest, found := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("docs/operations.md has no place for the alarms of %s", program)
		}
		var b strings.Builder
		b.WriteString("| alarm | expression | for | what to do |\n|---|---|---|---|\n")
		for _, r := range rulesOf(t, program) {
			fmt.Fprintf(&b, "| %s (%s) | `%s` | %s | %s |\n", r.Alert, r.Labels["severity"], strings.ReplaceAll(r.Expr, "|", `\|`), r.For, r.Annotations["description"])
		}
		page = before + begin + b.String() + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if page != string(text) {
		t.Error("the alarms in docs/operations.md are stale: go test ./test/metrics -update")
	}
}

// promtool finds Prometheus's own tool (Debian package prometheus).
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	switch {
	case err == nil:
		return path
	case os.Getenv("REQUIRE_INTEGRATION") != "":
		t.Fatal("promtool is missing: bash test/netns/install.sh")
	}
	t.Skip("promtool is missing: bash test/netns/install.sh")
	return ""
}

func runPromtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), promtool(t), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
	}
}

// C-43
func TestPrometheusTakesRulesAndScrapeConfigs(t *testing.T) {
	for _, program := range programs() {
		runPromtool(t, "check", "rules", ruleFile(program))
		runPromtool(t, "check", "config", filepath.Join(root, "deploy/prometheus", program+".scrape.yml"))
	}
}

// C-43: each alarm fires when it should, and not at a restart, in a quiet night or in a
// pool of one address.
func TestAlarmsFireWhenTheyShould(t *testing.T) {
	promtool(t)
	for _, program := range programs() {
		fired := make(map[string]bool)
		for _, c := range alarmCases(program) {
			for _, name := range c.fires {
				fired[name] = true
			}
			t.Run(program+" "+c.name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "alarm.yml")
				if err := os.WriteFile(path, []byte(c.yaml(t, program)), 0o600); err != nil {
					t.Fatal(err)
				}
				runPromtool(t, "test", "rules", path)
			})
		}
		for _, r := range rulesOf(t, program) {
			if !fired[r.Alert] {
				t.Errorf("no case makes %s fire", r.Alert)
			}
		}
	}
}

// yaml writes a case for promtool.
func (c alarmCase) yaml(t *testing.T, program string) string {
	t.Helper()
	rules, err := filepath.Abs(ruleFile(program))
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]string{"up": "1x2000"}
	maps.Copy(series, c.series)
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n", rules)
	for _, name := range slices.Sorted(maps.Keys(series)) {
		if series[name] == "" {
			continue
		}
		labels := fmt.Sprintf("job=%q,instance=\"one\"", program)
		metric, more, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		if more != "" {
			labels += "," + more
		}
		fmt.Fprintf(&b, "      - series: '%s{%s}'\n        values: '%s'\n", metric, labels, series[name])
	}
	fmt.Fprintf(&b, "    promql_expr_test:\n      - expr: group by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: %s\n        exp_samples:\n", c.at)
	for _, name := range c.fires {
		fmt.Fprintf(&b, "          - {labels: '{alertname=%q}', value: 1}\n", name)
	}
	if len(c.fires) == 0 {
		return strings.TrimSuffix(b.String(), "\n") + " []\n"
	}
	return b.String()
}
