package powershelltest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAScriptMustNotHaveIsFound(t *testing.T) {
	for text, want := range map[string]int{
		"Get-Date | Invoke-Expression": 1,
		"# iex\n'iex' \"iex\"":         0,
		"iex $x":                       1,
		"foreach ($x in $input) { }":   1,
		"$inputs = 1":                  0,
		"$a ?? $b":                     1,
		"$a -eq 1 ? 2 : 3":             1,
		"\"$global:x\"":                1,
		"try { } catch { }":            1,
		"& $block":                     0,
		"$block.Invoke()":              1,
	} {
		if have := Forbidden(text); len(have) != want {
			t.Errorf("%q: %q, want %d", text, have, want)
		}
	}
}

func TestABracketThatIsNotClosedIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"if ($a) { @(1)[0] }":  "",
		"'{' \"{\" # {":        "",
		"if ($a) {\n":          "1 brackets are not closed, the last of them {",
		"function A {\n(1}\n}": "line 2 of the code: } closes nothing",
		"}":                    "line 1 of the code: } closes nothing",
		"\"$(if (1) { 2 })\"":  "",
	} {
		if have := Unbalanced(text); have != want {
			t.Errorf("%q: %q, want %q", text, have, want)
		}
	}
}

func TestACallOfWhatIsNotThereIsFound(t *testing.T) {
	for _, c := range []struct {
		text              string
		undefined, unused []string
	}{
		{"function Get-A { Get-B }\nGet-A", []string{"Get-B"}, nil},
		{"function Get-A { get-a }", nil, nil},
		{"function Get-A { 1 }", nil, []string{"Get-A"}},
		{"    function Get-A { 1 }\n$x = @(Get-A | Where-Object { $_ })", nil, nil},
		{"Get-DhcpServerv4Scope -ErrorAction Stop", nil, nil},
		{"'Get-A' # Get-A", nil, nil},
		{"\"$(Get-A)\"", []string{"Get-A"}, nil},
	} {
		if diff := cmp.Diff(c.undefined, Undefined(c.text)); diff != "" {
			t.Errorf("%q, not defined (-want +have):\n%s", c.text, diff)
		}
		if diff := cmp.Diff(c.unused, Unused(c.text)); diff != "" {
			t.Errorf("%q, not called (-want +have):\n%s", c.text, diff)
		}
	}
}

func TestAVariableThatNothingSetsIsFound(t *testing.T) {
	for text, want := range map[string][]string{
		"$a = 1\n$b = $a":     nil,
		"$b = $a":             {"the script: a"},
		"$x = $A\n$a = 2":     nil,
		"if ($a -eq 1) { 2 }": {"the script: a"},
		"function Get-A {\nparam([string] $B, $C)\n$b; $c\n}": nil,
		"function Get-A {\n$d\n}":                             {"Get-A: d"},
		"$d = 1\nfunction Get-A {\n$d\n}":                     nil,
		"function Get-A {\n$d = 1\n}\n$d":                     {"the script: d"},
		"foreach ($e in 1, 2) { $e; $_ }":                     nil,
		"Get-A @f":                                            {"the script: f"},
		"'$g' \"`$g\"":                                        nil,
		"\"$g ${h}\"":                                         {"the script: g", "the script: h"},
		"@{ a = 1 }; @(1); [ordered] @{ }":                    nil,
	} {
		if diff := cmp.Diff(want, Unset(text)); diff != "" {
			t.Errorf("%q (-want +have):\n%s", text, diff)
		}
	}
}
