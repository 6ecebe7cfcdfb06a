package psu_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy/powershelltest"
)

// rule 1.7.
func TestEachCallOfACmdletSaysWhatToDoWithErrors(t *testing.T) {
	for _, fault := range powershelltest.Faults(read(t, script)) {
		t.Error(fault)
	}
	if n := len(powershelltest.Calls(read(t, script), `\w+-DhcpServer\w+`)); n < 20 {
		t.Errorf("%d calls are found: does the reader still read?", n)
	}
}

// What makes errors silent, lets text become code, or reaches out of the
// endpoint; and what Windows PowerShell 5.1 does not know (rules 1.7 and 1.8).
func TestTheScriptHasNoForbiddenConstruct(t *testing.T) {
	for _, found := range powershelltest.Forbidden(read(t, script)) {
		t.Errorf("the script has %q", found)
	}
	clean := powershelltest.Code(read(t, script))
	for text, most := range map[string]int{"[scriptblock]::Create": 1, "ConvertFrom-Json": 1, "New-PSUEndpoint": 1} {
		if n := strings.Count(clean, text); n != most {
			t.Errorf("%s is used in %d places, want %d", text, n, most)
		}
	}
}

// route is one Add-DhcpEndpoint of the script.
type route struct {
	method, path, access string
	names                []string
}

func endpoints(t *testing.T) (out []route) {
	t.Helper()
	quoted := regexp.MustCompile(`'([^']*)'`)
	for _, m := range regexp.MustCompile(`(?m)^ *Add-DhcpEndpoint (\S+) '([^']+)' (\S+) @\(([^)]*)\) \{$`).FindAllStringSubmatch(read(t, script), -1) {
		e := route{method: m[1], path: m[2], access: m[3]}
		for _, name := range quoted.FindAllStringSubmatch(m[4], -1) {
			e.names = append(e.names, name[1])
		}
		out = append(out, e)
	}
	if n := len(powershelltest.Calls(read(t, script), `Add-DhcpEndpoint`)); n != len(out)+1 { // and its own definition
		t.Errorf("%d endpoints are added, and %d are understood", n, len(out))
	}
	return out
}

// rule 1.8: without a param block every name of a query becomes a variable,
// WhatIfPreference too.
func TestOnlyNamesOfTheRouteBecomeVariables(t *testing.T) {
	queries := map[string][]string{
		"GET scopes": {"active_only", "include_router"}, "GET leases": {"scope_id"}, "GET reservations": {"scope_id"}, "GET exclusions": {"scope_id"},
		"PUT reservations/:client_id": {"scope_id"}, "DELETE reservations/:client_id": {"scope_id"},
	}
	for _, e := range endpoints(t) {
		var want []string
		for part := range strings.SplitSeq(e.path, "/") {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				want = append(want, name)
			}
		}
		want = append(want, queries[e.method+" "+e.path]...)
		if !slices.Equal(want, e.names) {
			t.Errorf("%s %s declares %q, want %q", e.method, e.path, e.names, want)
		}
	}
	text := read(t, script)
	_, made, ok := strings.Cut(text, "function Add-DhcpEndpoint {")
	_, made, _ = strings.Cut(made, "    $declared = @()\n")
	want := strings.ReplaceAll("    foreach ($name in $Names) { $declared += \"[string] ~$$name\" }\n    $text = 'param(' + ($declared -join ', ') + \")~n\" + $Common.ToString() +\n", "~", "`")
	if !ok || !strings.HasPrefix(made, want) {
		t.Error("the text of an endpoint does not begin with its param block, and then the common text")
	}
	_, common, _ := strings.Cut(text, "$Common = {\n")
	first := regexp.MustCompile(`(?m)^    (\$\w+ = .+)$`).FindAllString(common, 6)
	for i, line := range first {
		first[i] = strings.TrimSpace(line)
	}
	if diff := cmp.Diff([]string{
		"$WhatIfPreference = $false", "$ConfirmPreference = 'None'", "$ErrorActionPreference = 'Stop'", "$ProgressPreference = 'SilentlyContinue'",
		"$WarningPreference = 'SilentlyContinue'", "$PSDefaultParameterValues = @{}",
	}, first); diff != "" {
		t.Errorf("the common text begins with (-want +have):\n%s", diff)
	}
}

// rule 1.8: a name that an endpoint reads without declaring it would be what an
// earlier request left.
func TestEndpointsReadNoVariableTheyDoNotSet(t *testing.T) {
	text := read(t, script)
	for _, e := range endpoints(t) {
		_, body, _ := strings.Cut(text, fmt.Sprintf("Add-DhcpEndpoint %s '%s' %s ", e.method, e.path, e.access))
		_, body, _ = strings.Cut(body, "{\n")
		body, _, _ = strings.Cut(body, "\n}\n")
		known := append([]string{"_", "Body", "false", "true", "null", "ScriptName", "ScriptVersion", "ScriptRights", "Item"}, e.names...)
		for _, m := range regexp.MustCompile(`\$(\w+) =|foreach \(\$(\w+) in`).FindAllStringSubmatch(body, -1) {
			known = append(known, m[1]+m[2])
		}
		for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(body, -1) {
			if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, m[1]) }) {
				t.Errorf("%s %s reads $%s", e.method, e.path, m[1])
			}
		}
	}
}
