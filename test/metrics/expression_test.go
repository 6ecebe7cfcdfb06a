package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
)

// checkExpression holds an expression to the metrics, labels and values that exist, and
// returns the metrics it asks for and the labels they have.
func checkExpression(t *testing.T, where, expr string) (metrics, has []string) {
	t.Helper()
	metrics, has, wrong := readExpression(t, expr)
	for _, what := range wrong {
		t.Errorf("%s: %s", where, what)
	}
	return metrics, has
}

// readExpression tells the metrics that an expression asks for, the labels they have,
// and what is wrong with it.
func readExpression(t *testing.T, expr string) (metrics, has, wrong []string) {
	t.Helper()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		return nil, nil, []string{fmt.Sprintf("%v: %s", err, expr)}
	}
	there, known := documented(t), labels(t)
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		selector, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, group := range selector.LabelFilterss {
			metric := group[0].Value
			of, exists := there[metric]
			if group[0].Label != "__name__" || !exists {
				say("there is no metric %s", metric)
				continue
			}
			metrics, has = append(metrics, metric), append(has, of...)
			for _, f := range group[1:] {
				if !slices.Contains(of, f.Label) {
					say("%s has no label %s", metric, f.Label)
				}
				for _, value := range neverSaid(metric, f, known) {
					say("the label %s of %s is never %q", f.Label, metric, value)
				}
			}
		}
	})
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		var named []string
		switch e := e.(type) {
		case *metricsql.AggrFuncExpr:
			named = e.Modifier.Args
		case *metricsql.BinaryOpExpr:
			named = slices.Concat(e.GroupModifier.Args, e.JoinModifier.Args)
		}
		for _, l := range named {
			if !slices.Contains(has, l) {
				say("no metric in it has a label %s", l)
			}
		}
	})
	return metrics, has, wrong
}

// neverSaid are the values of a filter that a label of a closed list never has.
func neverSaid(metric string, f metricsql.LabelFilter, known map[string]label) (values []string) {
	l, ok := labelOf(known, metric, f.Label)
	if !ok {
		l, ok = labelOf(known, family(metric), f.Label)
	}
	if !ok || l.values == nil {
		return nil
	}
	for value := range strings.SplitSeq(f.Value, "|") {
		if !slices.ContainsFunc(l.values, func(p possible) bool { return p.value == value }) {
			values = append(values, value)
		}
	}
	return values
}

// family is the metric that a series belongs to.
func family(series string) string {
	return regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(series, "")
}

// checkLabels holds a text with labels of a series in it to those that there are.
func checkLabels(t *testing.T, where, text, pattern string, has []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(has, m[1]) {
			t.Errorf("%s: no metric in it has the label %s, which %q shows", where, m[1], text)
		}
	}
}

// C-43
func TestAlarmsAskForMetricsThatExist(t *testing.T) {
	for _, program := range programs() {
		for _, r := range rulesOf(t, program) {
			_, has := checkExpression(t, r.Alert, r.Expr)
			for _, text := range r.Annotations {
				checkLabels(t, r.Alert, text, `\$labels\.(\w+)`, has)
			}
		}
	}
}

// C-43, C-44: the check of expressions finds what does not exist.
func TestAWrongExpressionIsFound(t *testing.T) {
	for _, expr := range []string{
		`coredhcp_netbox_raedy == 0`, `coredhcp_netbox_ready{prefix="10.0.0.0/24"}`, `sum by (prefix) (coredhcp_netbox_ready)`, `sum(coredhcp_netbox_pool_addresses{state="fre"})`,
		`rate(coredhcp_netbox_decisions_total{verdict=~"NAK|quiet"}[5m])`, `rate(coredhcp_netbox_store_commit_seconds_bucket{outcome="ok"}[5m])`, `rate(up[`,
	} {
		if _, _, wrong := readExpression(t, expr); len(wrong) == 0 {
			t.Errorf("nothing is wrong with %s", expr)
		}
	}
}
