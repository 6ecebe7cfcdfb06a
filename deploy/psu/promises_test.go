package psu_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy/powershelltest"
)

// holds checks that a function of the script has pieces of code, each after the one
// before it.
func holds(t *testing.T, function string, pieces ...string) {
	t.Helper()
	powershelltest.Holds(t, function, bodyOf(t, function), pieces...)
}

// wantCalls compares the commands that a function calls, of those whose name fits.
func wantCalls(t *testing.T, function, name string, want ...string) {
	t.Helper()
	var have []string
	for _, call := range powershelltest.Calls(bodyOf(t, function), name) {
		have = append(have, strings.Fields(call)[0])
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s calls (-want +have):\n%s", function, diff)
	}
}

// quotedIn gives the texts in single quotes that a pattern finds in a function.
func quotedIn(t *testing.T, function, pattern string) []string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(bodyOf(t, function))
	if m == nil {
		t.Fatalf("%s has nothing like %s", function, pattern)
	}
	return m[1:]
}

// rule 1.8: the patterns of the script, asked here. Any text used to be an id, so that
// a DELETE for one client took another's reservation.
func TestAClientIDIsHexPairsAndNothingElse(t *testing.T) {
	pair := regexp.MustCompile(quotedIn(t, "ConvertTo-ClientId", `\$pairs = \[regex\]::Matches\(\$Text, '([^']+)'\)`)[0])
	kind := regexp.MustCompile(quotedIn(t, "ConvertTo-ClientId", `\$kinds = @\(\[regex\]::Matches\(\$Text, '([^']+)'\)`)[0])
	whole := regexp.MustCompile(quotedIn(t, "ConvertTo-ClientId", `-notmatch '([^']+)'`)[0])
	holds(t, "ConvertTo-ClientId", `ForEach-Object { $_.Value } | Select-Object -Unique)`,
		`if ($Text -notmatch`, `-or $kinds.Count -gt 1 -or $pairs.Count -gt 255) { Stop-Input 'client_id'`,
		`return (@($pairs | ForEach-Object { $_.Value }) -join '-').ToLowerInvariant()`)
	for text, want := range map[string]string{
		"aa-bb-cc-dd-ee-70":         "aa-bb-cc-dd-ee-70",
		"AABBCCDDEE70":              "aa-bb-cc-dd-ee-70",
		"aa:bb:cc:dd:ee:70":         "aa-bb-cc-dd-ee-70",
		"0200.5e00.5301":            "02-00-5e-00-53-01",
		"ff":                        "ff",
		strings.Repeat("ab", 255):   strings.TrimSuffix(strings.Repeat("ab-", 255), "-"),
		"":                          "",
		"zz":                        "",
		"hello face":                "",
		"AABBCCDDEEF":               "",
		"zz-aa-bb-cc-dd-ee-70":      "",
		"aa-bb-cc-dd-ee-70-zz":      "",
		"aa-bb:cc":                  "",
		"aa--bb":                    "",
		"-aa-bb":                    "",
		"aa-bb-":                    "",
		"aa bb":                     "",
		"aa-bb\n":                   "",
		"a-ab-b":                    "",
		strings.Repeat("ab", 256):   "",
		"\uff10\uff11-\uff10\uff11": "",
	} {
		pairs, kinds := pair.FindAllString(text, -1), map[string]bool{}
		for _, k := range kind.FindAllString(text, -1) {
			kinds[k] = true
		}
		have := ""
		if whole.MatchString(text) && len(kinds) <= 1 && len(pairs) <= 255 {
			have = strings.ToLower(strings.Join(pairs, "-"))
		}
		if have != want {
			t.Errorf("%q is taken for %q, want %q", text, have, want)
		}
	}
}

// rule 1.8: no client id of a request goes to Windows as it was sent.
func TestEachClientIDIsRead(t *testing.T) {
	for _, line := range strings.Split(read(t, script), "\n") {
		for _, use := range []string{`Get-Text $in 'client_id'`, `Get-Text $Item 'client_id'`, `Get-Text $Fields 'client_id'`} {
			if strings.Contains(line, use) && !strings.Contains(line, "(ConvertTo-ClientId ("+use+"))") && !strings.Contains(line, "ConvertTo-ClientId ("+use+") }") {
				t.Errorf("used as it was sent: %s", strings.TrimSpace(line))
			}
		}
	}
	holds(t, "Get-ClientReservation", `$wanted = ConvertTo-ClientId $Client`, `-eq $wanted`)
}

// rule 1.8: the mark that the script puts before each text, put here. Without it
// ConvertFrom-Json makes times of texts that look like one.
func TestEachTextOfABodyIsMarked(t *testing.T) {
	parts := quotedIn(t, "Read-Json", `\$marked = \[regex\]::Replace\(\$Text, '([^']+)', '([^']+)'\)`)
	holds(t, "Read-Json", `ConvertFrom-Json -InputObject ('{"body":' + $marked + '}') -ErrorAction Stop`,
		`if ($null -eq $whole -or @($whole.PSObject.Properties).Count -ne 1) { Stop-Input 'body'`, `return , $whole.body`)
	for _, body := range []string{
		`{"name":"2026-11-28T10:00:00Z","scope_id":"10.8.4.0"}`,
		`{"name":"/Date(1764324000000)/","description":""}`,
		`[{"name":"a \"quoted\" \\"},{"name":"\\\\","2026-11-28T10:00:00Z":"x"}]`,
		`{"options":[{"code":6,"value":["2026-11-28","b, c"]}],"lease_duration_seconds":3600,"n":null,"t":true}`,
		`{"name":"K\u00fcche \u005c","d":"{\"a\":\"b\"}"}`,
	} {
		marked := regexp.MustCompile(parts[0]).ReplaceAllString(body, parts[1])
		var sent, came any
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(`{"body":`+marked+`}`), &came); err != nil {
			t.Errorf("%s became no JSON: %v", body, err)
			continue
		}
		if diff := cmp.Diff(map[string]any{"body": withMark(sent)}, came); diff != "" {
			t.Errorf("%s (-want +have):\n%s", body, diff)
		}
	}
}

// withMark puts the mark before each text and key.
func withMark(value any) any {
	switch v := value.(type) {
	case string:
		return "_" + v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withMark(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, x := range v {
			out["_"+key] = withMark(x)
		}
		return out
	}
	return value
}

// rule 1.8: the mark is taken off, and what has none is no text.
func TestOnlyWhatIsMarkedIsAText(t *testing.T) {
	const marked = `-not $value.StartsWith('_', [System.StringComparison]::Ordinal)) { Stop-Input $Name`
	holds(t, "Test-Key", `$null -ne $Fields.PSObject.Properties["_$Name"]`)
	holds(t, "Get-Text", `if (-not (Test-Key $Fields $Name)) { return '' }`, `$value = $Fields.PSObject.Properties["_$Name"].Value`, `if ($value -isnot [string] -or `+marked, `return $value.Substring(1)`)
	holds(t, "Get-TextList", `if ($list -isnot [array] -or $list.Count -eq 0) { Stop-Input $Name`, `foreach ($value in $list) { if ($value -isnot [string] -or $value.Length -lt 2 -or `+marked,
		`$value.Substring(1)`)
	holds(t, "Assert-Fields", `if ($Fields -isnot [System.Management.Automation.PSCustomObject]) { Stop-Input 'body'`,
		`foreach ($name in $Mandatory) { if (-not (Get-Text $Fields $name)) { Stop-Input $name`,
		`foreach ($name in 'scope_id', 'ip_address', 'start_ip', 'end_ip', 'subnet_mask', 'router') { $address = Get-Text $Fields $name if ($address) { Assert-IPv4 $name $address }`,
		`foreach ($name in 'name', 'description') { [void] (Get-Text $Fields $name)`, `Get-Choice $Fields 'state'`, `Get-Choice $Fields 'type'`)
}

// rule 1.8.
func TestALeaseTimeIsAWholeNumberOfSeconds(t *testing.T) {
	holds(t, "Get-LeaseSpan", `$Fields.PSObject.Properties['_lease_duration_seconds'].Value`,
		`if (($seconds -isnot [int] -and $seconds -isnot [long]) -or $seconds -lt 1 -or $seconds -gt 4294967295) { Stop-Input 'lease_duration_seconds'`,
		`return [TimeSpan]::FromSeconds($seconds)`)
	for _, function := range []string{"Add-Scope", "Get-ScopeText"} {
		if body := bodyOf(t, function); strings.Count(body, "LeaseDuration = Get-LeaseSpan $Fields") != 1 {
			t.Errorf("%s does not read the lease time with Get-LeaseSpan", function)
		}
	}
	holds(t, "ConvertTo-Seconds", `if ($Span -isnot [TimeSpan]) { return 0 }`, `if ($seconds -ge [uint32]::MaxValue -or $seconds -lt 0) { return 0 }`)
}

// rule 1.7: the module is loaded without the hidden Windows PowerShell, and 5.1 is not
// given a parameter it does not know.
func TestTheModuleIsLoadedAsItsPowerShellWants(t *testing.T) {
	holds(t, "Import-Dhcp", `try {`, `if ($PSVersionTable.PSEdition -eq 'Core') { Import-Module DhcpServer -SkipEditionCheck -ErrorAction Stop }`,
		`else { Import-Module DhcpServer -ErrorAction Stop }`, `}`, `catch { Stop-Request 500 'module' 'DhcpServer'`)
	if n := len(powershelltest.Calls(read(t, script), `Import-Module`)); n != 2 {
		t.Errorf("modules are loaded in %d places", n)
	}
	if !strings.Contains(read(t, script), "try {`nImport-Dhcp`n\" + $Script.ToString() + \"`n} catch { Send-Problem `$_ }`n\"") {
		t.Error("not each endpoint loads the module before its own text, inside of try")
	}
}

// rule 1.7: a new scope hands nothing out before it is whole and was read back.
func TestANewScopeIsActivatedLast(t *testing.T) {
	wantCalls(t, "Add-Scope", `\w+-(?:DhcpServer\w+|Router|OptionList|Difference|OneScope|State|LeaseSpan)`,
		"Get-LeaseSpan", "Read-OptionList", "Add-DhcpServerv4Scope",
		"Set-Router", "Set-OptionList", "Get-Difference", "Get-OneScope", "Set-State", "Get-OneScope", "Remove-DhcpServerv4Scope")
	holds(t, "Add-Scope", `if (-not $state) { $state = 'Active' }`, `Add-DhcpServerv4Scope`, `-State InActive @new`, `try {`,
		`if ($router) { Set-Router $id @($router) }`, `if ($options.Count -gt 0) { Set-OptionList $id $options }`,
		`$lacks = Get-Difference $Fields (ConvertTo-Scope (Get-OneScope $id 500))`, `if ($lacks) { Stop-Request 500 'half_done' $lacks`,
		`if ($state -eq 'Active') { Set-State $id 'Active' }`, `if ($made.state -ne $state) { Stop-Request 500 'half_done' 'state'`, `return $made`,
		`catch { $cause = $_`, `try { Remove-DhcpServerv4Scope -ScopeId $id`, `catch { Stop-Request 500 'half_done' 'scope_id'`, `throw $cause`)
	holds(t, "Get-Difference", `foreach ($name in 'start_ip', 'end_ip', 'subnet_mask') { if ($Made.$name -ne (Get-Text $Fields $name)) { return $name }`,
		`if ($Made.lease_duration_seconds -ne (ConvertTo-Seconds (Get-LeaseSpan $Fields))) { return 'lease_duration_seconds' }`,
		`if ($router -and @(Get-Router $Made.scope_id)[0] -ne $router) { return 'router' }`)
	holds(t, "Set-OptionList", `$plan += @{ Name = 'reading back'; Scope = $Id; All = @($Wanted) Act = {`, `foreach ($want in $Part.All)`, `Test-SameValue $want.Type $want.To @(Get-OwnValue $Part.Scope $want.Code)`, `Stop-Request 500 'half_done' 'value'`)
	if n := len(powershelltest.Calls(read(t, script), `Add-DhcpServerv4Scope`)); n != 1 {
		t.Errorf("scopes are made in %d places", n)
	}
}

// rule 1.7: what was changed before a failure is taken back, the last change first.
func TestAChangeIsWholeOrTakenBack(t *testing.T) {
	holds(t, "Invoke-Whole", `$done = New-Object`, `foreach ($part in $Parts) { try { [void] (& $part.Act $part) }`, `catch { $cause = $_`,
		`for ($back = $done.Count - 1; $back -ge 0; $back--) { try { [void] (& $done[$back].Undo $done[$back]) } catch { $left += $done[$back].Name }`,
		`if ($left.Count -gt 0) { Stop-Request 500 'half_done' ($left -join ', ')`, `throw $cause`, `[void] $done.Add($part)`)
	holds(t, "Edit-Scope", `$was = ConvertTo-Scope $Old`, `Assert-Range $Id $was.subnet_mask $start $end`,
		`$moves = $start -ne $was.start_ip -or $end -ne $was.end_ip`, `$turns = $state -and $state -ne $was.state`,
		`$textsTo = $texts.To`, `$textsFrom = $texts.From`, `if (Test-Key $Fields 'router') { $hadRouters = @(Get-Router $Id) }`,
		`Act = { Set-State $Id $state }; Undo = { Set-State $Id $was.state }`,
		`Act = { Set-Range $Id $was.start_ip $was.end_ip $start $end }; Undo = { Set-Range $Id $start $end $was.start_ip $was.end_ip }`,
		`Act = { Set-DhcpServerv4Scope -ScopeId $Id @textsTo`, `Undo = { Set-DhcpServerv4Scope -ScopeId $Id @textsFrom`,
		`Act = { Set-Router $Id $routers }; Undo = { Set-Router $Id $hadRouters }`,
		`$early = $turns -and $moves -and $state -eq 'Active'`,
		`if ($early) { $plan += $turn }`, `if ($moves) { $plan += $move }`, `if ($textsTo.Count -gt 0) { $plan += $write }`,
		`{ $plan += $route }`, `if ($turns -and -not $early) { $plan += $turn }`, `Invoke-Whole $plan`)
	holds(t, "Set-OptionList", `From = @(Get-OwnValue $Id $want.Code)`, `Act = { param($Part) Set-OwnValue $Part.Scope $Part.Code $Part.To }`,
		`Undo = { param($Part) Set-OwnValue $Part.Scope $Part.Code $Part.From }`, `Invoke-Whole $plan`)
	for _, what := range []string{"Name", "Description", "LeaseDuration"} {
		holds(t, "Get-ScopeText", fmt.Sprintf("$to.%s =", what), fmt.Sprintf("$from.%s =", what))
	}
	holds(t, "Edit-Reservation", `$before = @{ Type = $was.type }`, `$before.Name = $was.name`, `$before.Description = $was.description`, `$after = $before.Clone()`,
		`Remove-DhcpServerv4Reservation`, `try { return Add-Reservation $was.scope_id $was.ip_address $client $after }`,
		`try { [void] (Add-Reservation $was.scope_id $was.ip_address $was.client_id $before) }`, `Stop-Request 500 'half_done' 'client_id'`, `throw $cause`)
}

// rule 1.7: Windows takes a range that holds the old one or lies in it; one that does
// neither goes by way of both together, and back if the second half is refused.
func TestARangeMovesByWayOfBoth(t *testing.T) {
	holds(t, "Set-Range", `$low = $FromStart`, `$high = $FromEnd`, `if ((Get-Order $ToStart) -lt (Get-Order $low)) { $low = $ToStart }`, `if ((Get-Order $ToEnd) -gt (Get-Order $high)) { $high = $ToEnd }`,
		`$holds = $low -eq $ToStart -and $high -eq $ToEnd`, `$within = $low -eq $FromStart -and $high -eq $FromEnd`, `if ($holds -or $within) {`, `-StartRange $ToStart -EndRange $ToEnd`, `return`, `-StartRange $low -EndRange $high`,
		`try {`, `-StartRange $ToStart -EndRange $ToEnd`, `catch { $cause = $_`, `-StartRange $FromStart -EndRange $FromEnd`, `Stop-Request 500 'half_done' 'range'`, `throw $cause`)
}

// rule 1.7: half an entry is an error.
func TestHalfAnEntryIsAnError(t *testing.T) {
	holds(t, "Get-Needed", `if (-not [string] $Entry.$Name) { Stop-Request 500 'incomplete' $Name`, `return $Entry.$Name`)
	holds(t, "Get-Address", `$text = [string] (Get-Needed $Entry $Name $What)`, `if (-not (Test-IPv4 $text)) { Stop-Request 500 'incomplete' $Name`)
	holds(t, "ConvertTo-Scope", `if ($Scope.LeaseDuration -isnot [TimeSpan]) { Stop-Request 500 'incomplete' 'LeaseDuration'`)
	for function, want := range map[string][]string{
		"ConvertTo-Scope":       {"ScopeId", "StartRange", "EndRange", "SubnetMask", "State"},
		"ConvertTo-ListedScope": {"Name"},
		"ConvertTo-Lease":       {"IPAddress", "ScopeId", "AddressState"},
		"ConvertTo-Reservation": {"IPAddress", "ClientId", "ScopeId"},
		"ConvertTo-Exclusion":   {"ScopeId", "StartRange", "EndRange"},
		"ConvertTo-Option":      {"OptionId"},
		"ConvertTo-Failover":    {"Name", "PartnerServer"},
	} {
		var have []string
		for _, m := range regexp.MustCompile(`(?:Get-Needed|Get-Address) \$\w+ '(\w+)'`).FindAllStringSubmatch(powershelltest.Plain(bodyOf(t, function)), -1) {
			have = append(have, m[1])
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s demands (-want +have):\n%s", function, diff)
		}
	}
	if !strings.Contains(read(t, script), `-or -not [string] $_.AddressState } | ForEach-Object { ConvertTo-Lease $_ }`) {
		t.Error("a lease without a state is left out, and not an error")
	}
}

// rule 1.7: one scope is asked for by itself, and only one number is a 404. The number
// is in no text of an error.
func TestOnlyOneNumberMeansThatAScopeIsMissing(t *testing.T) {
	holds(t, "Get-OneScope", `Assert-IPv4 'scope_id' $Id`, `Get-DhcpServerv4Scope -ScopeId $Id`, `if ((Get-ErrorNumber $_) -eq 'DHCP 20005') { Stop-Request $Missing`, `throw`,
		`if ($found.Count -ne 1) { Stop-Request 500`)
	holds(t, "Get-ErrorNumber", `if ($own) { return $own }`, `([string] $Record.FullyQualifiedErrorId -split ',')[0].Trim()`)
	holds(t, "ConvertTo-Problem", `error_id = Get-ErrorNumber $Record`, `reason = Get-ErrorReason $Record`)
	holds(t, "Send-Problem", `$status = $Record.Exception.Data['status']`, `if (-not $status) { $status = 500 }`, `Send-Json $status (ConvertTo-Problem $Record)`)
	all := 0
	for _, call := range powershelltest.Calls(read(t, script), `Get-DhcpServerv4Scope`) {
		if !strings.Contains(call, "-ScopeId $Id") {
			all++
		}
	}
	if all != 2 { // Get-WantedScope without a scope, and health
		t.Errorf("the list of all scopes is asked for in %d places", all)
	}
}
