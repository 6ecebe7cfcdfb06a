package psu_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// code gives a PowerShell script without comments, and with the content of its
// texts blanked: what is left in quotes is no code. A subexpression $(...) of a
// text is code and stays.
func code(text string) string {
	r := &reader{in: text}
	r.until("")
	return r.out.String()
}

type reader struct {
	in  string
	at  int
	out strings.Builder
}

// until reads code up to a closing bracket, or to the end.
func (r *reader) until(closing string) {
	for r.at < len(r.in) {
		rest := r.in[r.at:]
		switch {
		case closing != "" && strings.HasPrefix(rest, closing):
			r.take(len(closing))
			return
		case strings.HasPrefix(rest, "<#"):
			r.skip(rest, "#>")
		case rest[0] == '#' && (r.at == 0 || strings.ContainsRune(" \t\n;(){}", rune(r.in[r.at-1]))):
			line, _, _ := strings.Cut(rest, "\n")
			r.at += len(line)
		case strings.HasPrefix(rest, "@'\n"):
			r.blank(rest, "\n'@")
		case strings.HasPrefix(rest, "@\"\n"):
			r.quoted("\n\"@", 3)
		case rest[0] == '\'':
			r.single()
		case rest[0] == '"':
			r.quoted(`"`, 1)
		case rest[0] == '`' && len(rest) > 1:
			if rest[1] != '\n' { // a line that goes on is one line
				r.out.WriteString(rest[:2])
			}
			r.at += 2
		case rest[0] == '(':
			r.take(1)
			r.until(")")
		default:
			r.take(1)
		}
	}
}

func (r *reader) take(n int) {
	r.out.WriteString(r.in[r.at : r.at+n])
	r.at += n
}

// skip leaves out all up to an end and the end.
func (r *reader) skip(rest, end string) {
	n := strings.Index(rest, end)
	if n < 0 {
		n = len(rest)
	}
	r.at += min(n+len(end), len(rest))
}

func (r *reader) blank(rest, end string) {
	r.skip(rest, end)
	r.out.WriteString("''")
}

// single reads 'text', in which ” is a quote.
func (r *reader) single() {
	for r.at++; r.at < len(r.in); r.at++ {
		if r.in[r.at] == '\'' {
			if !strings.HasPrefix(r.in[r.at:], "''") {
				break
			}
			r.at++
		}
	}
	r.at++
	r.out.WriteString("''")
}

// quoted reads "text" with its subexpressions.
func (r *reader) quoted(end string, open int) {
	r.out.WriteString(`"`)
	for r.at += open; r.at < len(r.in); {
		rest := r.in[r.at:]
		switch {
		case rest[0] == '`':
			r.at += 2
		case end == `"` && strings.HasPrefix(rest, `""`):
			r.at += 2
		case strings.HasPrefix(rest, end):
			r.at += len(end)
			r.out.WriteString(`"`)
			return
		case strings.HasPrefix(rest, "$("):
			r.take(2)
			r.until(")")
		default:
			r.at++
		}
	}
}

// calls are the calls of commands whose name fits, each up to its end: a pipe,
// a semicolon, the end of the line or a bracket that was open before.
func calls(text, name string) (out []string) {
	clean := code(text)
	for _, m := range regexp.MustCompile(`(?i)(?:^|[\s({|;&=,@])(`+name+`)\b`).FindAllStringSubmatchIndex(clean, -1) {
		end, depth := m[2], 0
	scan:
		for ; end < len(clean); end++ {
			switch c := clean[end]; c {
			case '(', '{':
				depth++
			case ')', '}':
				if depth--; depth < 0 {
					break scan
				}
			case '|', ';', '\n':
				if depth == 0 {
					break scan
				}
			}
		}
		out = append(out, strings.TrimSpace(clean[m[2]:end]))
	}
	return out
}

func TestTheReaderKnowsCodeFromText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a call", "Get-DhcpA -X 1\n", []string{"Get-DhcpA -X 1"}},
		{"two in a pipe", "Get-DhcpA -X 1 | Get-DhcpB -Y 2", []string{"Get-DhcpA -X 1", "Get-DhcpB -Y 2"}},
		{"a comment", "# Get-DhcpA\nGet-DhcpB # Get-DhcpC", []string{"Get-DhcpB"}},
		{"a comment of lines", "<# Get-DhcpA\n#> Get-DhcpB", []string{"Get-DhcpB"}},
		{"a number sign in a word", "Get-DhcpA a#b -X", []string{"Get-DhcpA a#b -X"}},
		{"a text", "'Get-DhcpA' \"Get-DhcpB\"", nil},
		{"a quote in a text", "'it''s Get-DhcpA' \"a`\" Get-DhcpB \"\" Get-DhcpC\"", nil},
		{"a subexpression of a text", `"x $(Get-DhcpA -X 'a)') y"`, []string{"Get-DhcpA -X ''"}},
		{"here-strings", "@'\nGet-DhcpA 'x'\n'@ | Get-DhcpB\n@\"\nGet-DhcpC $(Get-DhcpD)\n\"@", []string{"Get-DhcpB", "Get-DhcpD"}},
		{"a line that goes on", "Get-DhcpA `\n  -X 1\nGet-DhcpB", []string{"Get-DhcpA   -X 1", "Get-DhcpB"}},
		{"brackets", "@(Get-DhcpA (Get-DhcpB -Y) -X | Sort)[0]", []string{"Get-DhcpA (Get-DhcpB -Y) -X", "Get-DhcpB -Y"}},
		{"any case", "get-dhcpa -X", []string{"get-dhcpa -X"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, calls(c.text, `\w+-Dhcp\w+`)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// faults are the calls of a script that may go wrong unseen: a preference does
// not reach the functions of a module (rule 1.7).
func faults(text string) (out []string) {
	lacks := func(call string, words ...string) {
		for _, word := range words {
			if !regexp.MustCompile(`(?i)\s` + regexp.QuoteMeta(word) + `(\s|$)`).MatchString(call) {
				out = append(out, fmt.Sprintf("%s: no %s", call, word))
			}
		}
	}
	for _, call := range calls(text, `(?:Get|Add|Set|Remove|Invoke|Import|Export|Repair|Backup|Restore)-DhcpServer\w*`) {
		lacks(call, "-ErrorAction Stop")
		if !strings.HasPrefix(strings.ToLower(call), "get-") {
			lacks(call, "-WhatIf:$false", "-Confirm:$false")
		}
		if strings.HasPrefix(call, "Get-DhcpServerv4Failover") {
			lacks(call, "-ErrorVariable problems")
		}
	}
	for _, call := range calls(text, `Import-Module|ConvertFrom-Json`) {
		lacks(call, "-ErrorAction Stop")
	}
	return out
}

func TestACallThatHidesItsErrorsIsFound(t *testing.T) {
	for text, want := range map[string]int{
		"Get-DhcpServerv4Scope":                                                  1,
		"Get-DhcpServerv4Scope -ErrorAction Stop":                                0,
		"Get-DhcpServerv4Scope -ErrorAction Stopp":                               1,
		"Get-DhcpServerv4Scope -ErrorAction SilentlyContinue":                    1,
		"Get-DhcpServerv4Scope | Get-DhcpServerv4Lease -ErrorAction Stop":        1,
		"$a = @(Get-DhcpServerv4Lease -ScopeId (Get-X -ErrorAction Stop))":       1,
		"# -ErrorAction Stop\nGet-DhcpServerv4Scope # -ErrorAction Stop":         1,
		"\"$(Get-DhcpServerv4Scope)\"":                                           1,
		"'Get-DhcpServerv4Scope'":                                                0,
		"Set-DhcpServerv4Scope -ErrorAction Stop":                                2,
		"Set-DhcpServerv4Scope -ErrorAction Stop -WhatIf:$false -Confirm:$false": 0,
		"Get-DhcpServerv4Failover -ErrorAction Stop":                             1,
		"Import-Module DhcpServer":                                               1,
		"Get-DhcpServerv4Scope `\n -ErrorAction Stop":                            0,
		"Get-DhcpServerv4Scope\n -ErrorAction Stop":                              1,
		"if ($x) { Remove-DhcpServerv4Scope -ScopeId $y -ErrorAction Stop -WhatIf:$false } else { z -Confirm:$false }": 1,
	} {
		if got := faults(text); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}

// rule 1.7.
func TestEachCallOfACmdletSaysWhatToDoWithErrors(t *testing.T) {
	for _, fault := range faults(read(t, script)) {
		t.Error(fault)
	}
	if n := len(calls(read(t, script), `\w+-DhcpServer\w+`)); n < 20 {
		t.Errorf("%d calls are found: does the reader still read?", n)
	}
}

// What makes errors silent, lets text become code, or reaches out of the
// endpoint; and what Windows PowerShell 5.1 does not know (rules 1.7 and 1.8).
func TestTheScriptHasNoForbiddenConstruct(t *testing.T) {
	clean := code(read(t, script))
	for _, word := range []string{
		`Invoke-Expression`, `\biex\b`, `Add-Type`, `Start-Process`, `Invoke-Command`, `Set-Variable`, `Get-Variable`, `New-Alias`, `Set-Alias`,
		`\$global:`, `\$script:`, `\$env:`, `GetNewClosure`, `SilentlyContinue\b.*-Dhcp`, `-ErrorAction\s+(Silently|Ignore|Continue)`, `-ea\b`,
		`\?\?`, `\?\.`, `-AsHashtable`, `-DateKind`, `&&`, `\|\|`, `-Parallel`, `catch\s*\{\s*\}`, `Invoke-WebRequest`, `Invoke-RestMethod`,
	} {
		if found := regexp.MustCompile(`(?i)` + word).FindString(clean); found != "" {
			t.Errorf("the script has %q", found)
		}
	}
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
	if n := len(calls(read(t, script), `Add-DhcpEndpoint`)); n != len(out)+1 { // and its own definition
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
