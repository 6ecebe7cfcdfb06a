package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what a file of deploy/grafana holds, in Grafana's classic model.
type dashboard struct {
	ID            any     `json:"id"`
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	Description   string  `json:"description"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource *datasource
		} `json:"list"`
	} `json:"templating"`
}

type datasource struct{ Type, UID string }

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	Datasource  *datasource
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct {
		Expr         string
		LegendFormat string
		RefID        string
		Datasource   *datasource
	}
	FieldConfig struct{ Defaults struct{ Unit string } }
}

func dashboardOf(t *testing.T, program string) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/grafana", program+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("__inputs")) {
		t.Errorf("%s: the datasource is to be a variable", program)
	}
	return d
}

// asked is an expression with the variables of the dashboard filled in.
func asked(expr string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(expr)
}

// C-44: panels ask for metrics and labels that exist, in a unit that fits, and say what
// they show; and no metric of ours is on no panel.
func TestDashboardsShowMetricsThatExist(t *testing.T) {
	shown := make(map[string]bool)
	for _, program := range programs() {
		d := dashboardOf(t, program)
		if d.ID != nil || d.UID != program || d.Title == "" || d.Description == "" || d.SchemaVersion < 39 {
			t.Errorf("%s: id %v, uid %q, title %q, schema %d", program, d.ID, d.UID, d.Title, d.SchemaVersion)
		}
		list := d.Templating.List
		if len(list) != 2 || list[0].Name != "datasource" || list[0].Type != "datasource" || list[0].Query != "prometheus" || list[1].Name != "instance" || list[1].Datasource.UID != "${datasource}" {
			t.Errorf("%s: variables %+v", program, list)
		}
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			where := program + ": " + p.Title
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") || p.Datasource == nil || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
				t.Errorf("%s: description %q, datasource %+v, %d targets", where, p.Description, p.Datasource, len(p.Targets))
			}
			for _, target := range p.Targets {
				if target.Datasource == nil || *target.Datasource != (datasource{"prometheus", "${datasource}"}) {
					t.Errorf("%s: datasource %+v", where, target.Datasource)
				}
				metrics, has := checkExpression(t, where, asked(target.Expr))
				checkLabels(t, where, target.LegendFormat, `\{\{(\w+)\}\}`, has)
				checkUnit(t, where, p.FieldConfig.Defaults.Unit, target.Expr)
				for _, m := range metrics {
					shown[family(m)] = true
				}
			}
		}
		checkGrid(t, program, d.Panels)
	}
	for metric := range documented(t) {
		if ours(metric) && !shown[family(metric)] {
			t.Errorf("%s is on no dashboard", metric)
		}
	}
}

// checkUnit compares the unit of a panel with what an expression gives.
func checkUnit(t *testing.T, where, unit, expr string) {
	t.Helper()
	has := func(pattern string) bool { return regexp.MustCompile(pattern).MatchString(expr) }
	perSecond := []string{"reqps", "pps", "cps", "wps"}
	var fits bool
	switch {
	case strings.Contains(expr, " / "):
		fits = unit == "percentunit"
	case has(`histogram_quantile\(.*_seconds_bucket`):
		fits = unit == "s"
	case has(`rate\(\w+_bytes_total`):
		fits = unit == "Bps"
	case has(`rate\(process_cpu_seconds_total`):
		fits = unit == "short"
	case has(`rate\(`):
		fits = slices.Contains(perSecond, unit) || unit == "short" && has("records_total")
	case has(`_bytes\b`):
		fits = unit == "bytes"
	case has(`_seconds\b`):
		fits = unit == "s"
	default:
		fits = unit == "short" || unit == "none"
	}
	if !fits {
		t.Errorf("%s: the unit %q does not fit %s", where, unit, expr)
	}
}

// checkGrid finds panels that lie on one another or beyond the edge.
func checkGrid(t *testing.T, program string, panels []panel) {
	t.Helper()
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: %s: the id %d is used twice", program, p.Title, p.ID)
		}
		ids[p.ID] = true
		at := p.GridPos
		if at.W < 1 || at.H < 1 || at.X+at.W > 24 {
			t.Errorf("%s: %s: place %+v", program, p.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("%s: %s lies on %s", program, p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// C-44: what panels ask is PromQL to Prometheus itself.
func TestPrometheusReadsWhatPanelsAsk(t *testing.T) {
	for _, program := range programs() {
		var rules strings.Builder
		rules.WriteString("groups:\n  - name: panels\n    rules:\n")
		for i, p := range dashboardOf(t, program).Panels {
			for j, target := range p.Targets {
				fmt.Fprintf(&rules, "      - {record: 'panel_%d_%d', expr: %q}\n", i, j, asked(target.Expr))
			}
		}
		path := filepath.Join(t.TempDir(), "panels.yml")
		if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		runPromtool(t, "check", "rules", path)
	}
}
