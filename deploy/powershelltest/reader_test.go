package powershelltest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
			if diff := cmp.Diff(c.want, Calls(c.text, `\w+-Dhcp\w+`)); diff != "" {
				t.Error(diff)
			}
		})
	}
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
		if got := Faults(text); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}
