package powershelltest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbidden makes errors silent, lets text become code, or reaches out of the place
// it stands in (rules 1.7 and 1.8); or Windows PowerShell 5.1 does not know it.
func forbidden() []string {
	return []string{
		`Invoke-Expression`, `\biex\b`, `Add-Type`, `Start-Process`, `Invoke-Command`, `Set-Variable`, `Get-Variable`, `New-Alias`, `Set-Alias`,
		`\$global:`, `\$script:`, `\$env:`, `GetNewClosure`, `SilentlyContinue\b.*-Dhcp`, `-ErrorAction\s+(Silently|Ignore|Continue)`, `-ea\b`,
		`\$input\b`, `InvokeScript`, `ExpandString`, `\.Invoke\(`, `catch\s*\{\s*\}`, `Invoke-WebRequest`, `Invoke-RestMethod`,
		`\?\?`, `\?\.`, `\s\?\s`, `-AsHashtable`, `-DateKind`, `-AsArray`, `-NoEnumerate`, `&&`, `\|\|`, `-Parallel`, `\bclean\s*\{`, `Join-String`, `Test-Json`,
	}
}

// Forbidden are the constructs of a script that it must not have.
func Forbidden(text string) (out []string) {
	clean := Code(text)
	for _, word := range forbidden() {
		if found := regexp.MustCompile(`(?i)` + word).FindString(clean); found != "" {
			out = append(out, found)
		}
	}
	return out
}

// Unbalanced tells of the first bracket that is not closed, or closes none; empty:
// there is none.
func Unbalanced(text string) string {
	closes := map[rune]rune{')': '(', ']': '[', '}': '{'}
	var open []rune
	line := 1
	for _, c := range Code(text) {
		switch c {
		case '\n':
			line++
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != closes[c] {
				return fmt.Sprintf("line %d of the code: %c closes nothing", line, c)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("%d brackets are not closed, the last of them %c", len(open), open[len(open)-1])
	}
	return ""
}

// cmdlets are those that scripts may call besides the ones for DHCP; both editions
// of PowerShell have them.
func cmdlets() []string {
	return []string{"ConvertFrom-Json", "ConvertTo-Json", "ForEach-Object", "Import-Module", "New-Object", "Select-Object", "Where-Object", "Write-Host"}
}

var definition = regexp.MustCompile(`(?m)^ *function ([A-Za-z]+-[A-Za-z0-9]+)`)

func defined(text string) (names []string) {
	for _, m := range definition.FindAllStringSubmatch(Code(text), -1) {
		names = append(names, m[1])
	}
	return names
}

func called(text string) (names []string) {
	text = definition.ReplaceAllString(Code(text), "")
	for _, call := range Calls(text, `[A-Za-z]+-[A-Za-z0-9]+`) {
		names = append(names, regexp.MustCompile(`^[A-Za-z]+-[A-Za-z0-9]+`).FindString(call))
	}
	return names
}

func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(other, name) })
}

// Undefined are the commands that a script calls, and that neither it nor PowerShell
// nor the module DhcpServer defines.
func Undefined(text string) (out []string) {
	known := append(defined(text), cmdlets()...)
	for _, name := range called(text) {
		if !has(known, name) && !strings.Contains(name, "-DhcpServer") && !has(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Unused are the functions that a script defines and does not call.
func Unused(text string) (out []string) {
	names := called(text)
	for _, name := range defined(text) {
		if !has(names, name) {
			out = append(out, name)
		}
	}
	return out
}

// automatic are variables that PowerShell sets.
func automatic() []string {
	return []string{"_", "true", "false", "null", "PSVersionTable", "ExecutionContext"}
}

var (
	isSet  = regexp.MustCompile(`\$(\w+)\s*(?:=[^=]|\+=)|foreach \(\$(\w+) in`)
	params = regexp.MustCompile(`param\(([^)]*)\)`)
	isRead = regexp.MustCompile(`[$@]\{?(\w+)\}?`)
)

// sets are the variables that code sets, parameters too.
func sets(code string) (names []string) {
	for _, m := range isSet.FindAllStringSubmatch(code, -1) {
		names = append(names, m[1]+m[2])
	}
	for _, block := range params.FindAllStringSubmatch(code, -1) {
		for _, m := range isRead.FindAllStringSubmatch(block[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// Unset are the variables that a function reads and that neither it nor the script
// around it sets, with the function; and those of the script itself. Endpoints have
// known ones from their routes.
func Unset(text string, known ...string) (out []string) {
	code := Code(text)
	outside := code
	type function struct{ name, body string }
	var functions []function
	for _, m := range definition.FindAllStringSubmatchIndex(code, -1) {
		body := block(code[m[0]:])
		functions = append(functions, function{code[m[2]:m[3]], body})
		outside = strings.Replace(outside, body, "", 1)
	}
	functions = append(functions, function{"the script", outside})
	known = append(append(known, automatic()...), sets(outside)...)
	for _, f := range functions {
		own := sets(f.body)
		for _, m := range isRead.FindAllStringSubmatch(f.body, -1) {
			if name := f.name + ": " + m[1]; !has(known, m[1]) && !has(own, m[1]) && !has(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// block gives code up to the bracket that closes the first one.
func block(code string) string {
	depth := 0
	for i, c := range code {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return code[:i+1]
			}
		}
	}
	return code
}

// Body cuts one function out of a script, with its texts and comments.
func Body(t *testing.T, text, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^( *)function ` + name + ` \{\n`).FindStringSubmatchIndex(text)
	if m == nil {
		t.Fatalf("the script lacks function %s", name)
	}
	body, _, ok := strings.Cut(text[m[1]:], "\n"+text[m[2]:m[3]]+"}\n")
	if !ok {
		t.Fatalf("function %s does not end", name)
	}
	return body
}

// Plain drops lines of comment and makes each row of white space one blank.
func Plain(text string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")), " ")
}

// Holds checks that text has pieces of code, each after the one before it.
func Holds(t *testing.T, what, text string, pieces ...string) {
	t.Helper()
	rest := Plain(text)
	for _, piece := range pieces {
		_, after, ok := strings.Cut(rest, Plain(piece))
		if !ok {
			t.Errorf("%s lacks, in this place: %s", what, piece)
			continue
		}
		rest = after
	}
}
