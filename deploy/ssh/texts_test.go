// Package ssh_test holds the tests of the PowerShell texts of the SSH door, which read
// them. It has no code of its own, and runs no PowerShell.
package ssh_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/deploy/powershelltest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

// texts are those that run on servers.
func texts() map[string]string {
	return map[string]string{
		"bootstrap": deploy.Bootstrap,
		"sent-read": openssh.Script(false, false), "sent-write": openssh.Script(true, false),
		"bound-read": openssh.Script(false, true), "bound-write": openssh.Script(true, true),
	}
}

// rules 13.4 and 13.5: nothing runs text that it reads but the bootstrap, which runs
// the one line that it is for; nothing hides an error; 5.1 knows all of it.
func TestTheTextsHaveNoForbiddenConstruct(t *testing.T) {
	for name, text := range texts() {
		for _, found := range powershelltest.Forbidden(text) {
			t.Errorf("%s has %q", name, found)
		}
		for _, fault := range powershelltest.Faults(text) {
			t.Errorf("%s: %s", name, fault)
		}
		if trouble := powershelltest.Unbalanced(text); trouble != "" {
			t.Errorf("%s: %s", name, trouble)
		}
		for _, missing := range powershelltest.Undefined(text) {
			t.Errorf("%s calls %s, which it does not define", name, missing)
		}
		for _, function := range []string{"Import-Dhcp", "Send-Problem"} { // each endpoint calls them, by a text
			if name != "bootstrap" && !strings.Contains(text, "    function "+function+" {\n") {
				t.Errorf("%s does not define %s", name, function)
			}
		}
		if n := strings.Count(powershelltest.Code(text), "[scriptblock]::Create"); n != 1 {
			t.Errorf("%s makes code of text in %d places", name, n)
		}
		for i, line := range strings.Split(text, "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' }) {
				t.Errorf("%s:%d is not ASCII: %q", name, i+1, line)
			}
		}
	}
	for _, operator := range []string{"-split", "-match", "-notmatch", "-replace", "-like", "-f "} {
		if strings.Contains(strings.ToLower(powershelltest.Code(deploy.Loop)), operator) {
			t.Errorf("the loop uses %s", operator)
		}
	}
}

// rule 13.5: what is read from standard input is never run. The one call of a block in
// the loop is that of an endpoint, and no block is made there.
func TestTheLoopRunsEndpointsOnly(t *testing.T) {
	clean := powershelltest.Code(deploy.Loop)
	var runs []string
	for _, m := range regexp.MustCompile(`[^>*](&[^\n;|)]*)|(?m)^\s*(\. [^\n]*)`).FindAllStringSubmatch(clean, -1) {
		runs = append(runs, m[1]+m[2])
	}
	if diff := cmp.Diff([]string{"& $Endpoint @Values *>&1"}, runs); diff != "" {
		t.Errorf("the loop runs (-want +have):\n%s", diff)
	}
	if strings.Contains(strings.ToLower(clean), "[scriptblock]::") {
		t.Error("the loop makes code of text")
	}
	if n := strings.Count(clean, "[Console]::In"); n != 1 {
		t.Errorf("the loop reads standard input in %d places", n)
	}
	_, main, _ := strings.Cut(deploy.Loop, "\nSend-NdsHello\n")
	powershelltest.Holds(t, "the loop", main, `while ($null -ne ($NdsLine = [Console]::In.ReadLine())) {`, `$NdsRequest = Read-NdsRequest $NdsLine`,
		`if ($null -eq $NdsRequest) {`, `[Console]::Error.WriteLine(`, `exit 1`, `}`, `Send-NdsReply $NdsRequest.Id (Get-NdsAnswer $NdsRequest)`, `}`, `exit 0`)
}

// rules 1.8 and 13.6: a variable that nothing sets would be what an earlier request
// left, or what an operator's profile has.
func TestTheTextsReadNoVariableTheyDoNotSet(t *testing.T) {
	// Those of the routes, and of the request, are in endpoints only; their own test is
	// in deploy/psu.
	routes := []string{"Body", "scope_id", "client_id", "active_only", "include_router", "ScriptRights"}
	for name, text := range texts() {
		for _, unset := range powershelltest.Unset(text, routes...) {
			t.Errorf("%s: %s", name, unset)
		}
	}
	for _, unset := range powershelltest.Unset(deploy.Loop, "Common", "ReadOnly") {
		t.Errorf("the loop: %s", unset)
	}
}

// rule 13.4: the text for a server that is not written to has no route that writes and
// none of the functions these need; the routes that read are all there.
func TestTheReadOnlyTextCannotWrite(t *testing.T) {
	route := regexp.MustCompile(`(?m)^ *Add-DhcpEndpoint (\S+) '([^']+)' (Read|Write) `)
	reads := func(text string) (out []string) {
		for _, m := range route.FindAllStringSubmatch(text, -1) {
			if m[3] == "Read" {
				out = append(out, m[1]+" "+m[2])
			}
		}
		return out
	}
	for _, bound := range []bool{false, true} {
		text := openssh.Script(false, bound)
		if found := regexp.MustCompile(`(?i)(Add|Set|Remove|Invoke|Import|Export|Repair|Backup|Restore)-DhcpServer\w*|AllowFailover|#region|#endregion`).FindString(text); found != "" {
			t.Errorf("the text has %s", found)
		}
		for _, m := range route.FindAllStringSubmatch(text, -1) {
			if m[3] == "Write" || m[1] != "GET" {
				t.Errorf("the text has %s %s", m[1], m[2])
			}
		}
		if diff := cmp.Diff(reads(deploy.Endpoints), reads(text)); diff != "" || len(reads(text)) < 9 {
			t.Errorf("routes that read (-all +text):\n%s", diff)
		}
		for _, unused := range unused(t, text) {
			t.Errorf("%s is of no use in the text that reads: it belongs into a region of what writes", unused)
		}
	}
	for _, unused := range unused(t, openssh.Script(true, false)) {
		t.Errorf("nothing calls %s", unused)
	}
}

// unused are the functions that nothing calls, but for those that Add-DhcpEndpoint
// writes into the text of each endpoint.
func unused(t *testing.T, text string) []string {
	t.Helper()
	body := powershelltest.Body(t, text, "Add-DhcpEndpoint")
	return slices.DeleteFunc(powershelltest.Unused(text), func(name string) bool {
		return (name == "Import-Dhcp" && strings.Contains(body, "`nImport-Dhcp`n")) || (name == "Send-Problem" && strings.Contains(body, "catch { Send-Problem `$_ }"))
	})
}

// rule 13.4: the regions are closed, and each holds whole lines of code.
func TestTheRegionsArePaired(t *testing.T) {
	inside := false
	var cut strings.Builder
	for i, line := range strings.Split(deploy.Endpoints, "\n") {
		switch text := strings.TrimSpace(line); {
		case text == "#region writing" && !inside, text == "#endregion" && inside:
			inside = !inside
		case strings.HasPrefix(text, "#region"), strings.HasPrefix(text, "#endregion"):
			t.Errorf("line %d: %s", i+1, text)
		case inside:
			cut.WriteString(line + "\n")
		}
	}
	if inside {
		t.Error("the last region does not end")
	}
	if trouble := powershelltest.Unbalanced(cut.String()); trouble != "" {
		t.Errorf("what is cut out: %s", trouble)
	}
}

// rule 13.4: the language mode comes before anything that a restricted PowerShell
// forbids, and nothing else comes where it is restricted.
func TestTheModeOfTheLanguageComesFirst(t *testing.T) {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(deploy.Bootstrap), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
	want := []string{
		`$ProgressPreference='SilentlyContinue'`,
		`$m=$ExecutionContext.SessionState.LanguageMode`,
		`Write-Host "#nds boot $m"`,
		`if("$m" -eq 'FullLanguage'){&([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([Console]::In.ReadLine()))))}`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the bootstrap (-want +have):\n%s", diff)
	}
	before, after, ok := strings.Cut(powershelltest.Code(deploy.Loop), "exit 0\n}\n")
	if !ok || regexp.MustCompile(`::|New-Object|\)\.|\.\w+\(`).MatchString(before) || !strings.Contains(after, "::") {
		t.Errorf("what the loop does before it knows the mode: %s", before)
	}
	powershelltest.Holds(t, "the loop", deploy.Loop, `$ProgressPreference = 'SilentlyContinue'`, `$NdsMode = "$($ExecutionContext.SessionState.LanguageMode)"`,
		`if ($NdsMode -ne 'FullLanguage') { Write-Host "#nds boot $NdsMode" exit 0 }`)
}

// rule 13.6: an endpoint gets the names of its param block, and no other; a name of the
// path is that of the path.
func TestOnlyDeclaredNamesReachAnEndpoint(t *testing.T) {
	loop := func(function string, pieces ...string) {
		powershelltest.Holds(t, function, powershelltest.Body(t, deploy.Loop, function), pieces...)
	}
	loop("New-PSUEndpoint", `foreach ($parameter in $Endpoint.Ast.ParamBlock.Parameters) {`, `$names.Add($parameter.Name.VariablePath.UserPath)`, `Names = $names; Endpoint = $Endpoint`)
	loop("Get-NdsAnswer", `if ($route.Method -cne $Request.Method) { continue }`, `if ($null -eq $path) { continue }`, `$values = @{}`, `foreach ($name in $route.Names) {`,
		`if ($path.ContainsKey($name)) { $values[$name] = $path[$name] }`, `elseif ($Request.Query.ContainsKey($name)) { $values[$name] = $Request.Query[$name] }`, `}`,
		`return Invoke-NdsEndpoint $route.Endpoint $values $Request.Body`, `return Get-NdsFailure 404`)
	loop("Invoke-NdsEndpoint", `param([scriptblock] $Endpoint, [hashtable] $Values, [string] $Body)`, `try {`, `@(& $Endpoint @Values *>&1)`,
		`if ($null -ne $thing -and $thing.PSObject.TypeNames -contains 'Nds.Answer') { $answer = $thing }`,
		`catch { return Get-NdsFailure 500`, `if ($null -eq $answer) { return Get-NdsFailure 500`, `return $answer`)
	loop("New-PSUApiResponse", `PSTypeName = 'Nds.Answer'; Status = $StatusCode; Body = $Body`)
	loop("Get-NdsPathValue", `if ($Parts.Count -ne $Sent.Count) { return $null }`, `if ($Sent[$i] -eq '') { return $null }`, `elseif ($Parts[$i] -cne $Sent[$i]) { return $null }`)
	// The collectors take what the script gives to those of PowerShell Universal.
	for name, call := range map[string]string{
		"New-PSUEndpoint":    `-Url "/api/dhcp/$Path" -Method $Method -Authentication -Role $roles -Endpoint ([scriptblock]::Create($text))`,
		"New-PSUApiResponse": `-StatusCode $Status -ContentType 'application/json; charset=utf-8' -Body $json`,
	} {
		if !strings.Contains(deploy.Endpoints, name+" "+call) {
			t.Errorf("the endpoint script calls %s in another way", name)
		}
		_, params, _ := strings.Cut(powershelltest.Body(t, deploy.Loop, name), "param(")
		params, _, _ = strings.Cut(params, ")\n")
		for _, call := range powershelltest.Calls(deploy.Endpoints, name) {
			for _, m := range regexp.MustCompile(`\s-([A-Z]\w+)`).FindAllStringSubmatch(call, -1) {
				if !regexp.MustCompile(`\$` + m[1] + `\b`).MatchString(params) {
					t.Errorf("%s does not know -%s", name, m[1])
				}
			}
		}
	}
}

// rule 13.1: nothing stands between the lines of the protocol, each of which goes as a
// whole and at once.
func TestLinesGoOutWholeAndAtOnce(t *testing.T) {
	powershelltest.Holds(t, "Send-NdsLine", powershelltest.Body(t, deploy.Loop, "Send-NdsLine"), `$NdsOut.WriteLine($Line)`, `$NdsOut.Flush()`)
	powershelltest.Holds(t, "the loop", deploy.Loop, `$NdsOut = New-Object System.IO.StreamWriter ([Console]::OpenStandardOutput()), ([System.Text.Encoding]::ASCII), 65536`,
		"$NdsOut.NewLine = \"`n\"", `[Console]::SetOut([Console]::Error)`)
	powershelltest.Holds(t, "Send-NdsReply", powershelltest.Body(t, deploy.Loop, "Send-NdsReply"), `$body = '-'`, `if ($Answer.Body) { $body = ConvertTo-NdsBase64 $Answer.Body }`,
		`Send-NdsLine "#nds reply $Id $($Answer.Status) $(Get-NdsTime) $body"`)
	powershelltest.Holds(t, "Send-NdsHello", powershelltest.Body(t, deploy.Loop, "Send-NdsHello"), `Send-NdsLine "#nds hello $(ConvertTo-NdsBase64 $json)"`)
	powershelltest.Holds(t, "Get-NdsTime", powershelltest.Body(t, deploy.Loop, "Get-NdsTime"), `[DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [cultureinfo]::InvariantCulture)`)
	if n := strings.Count(powershelltest.Code(deploy.Loop), "$NdsOut."); n != 3 {
		t.Errorf("the writer is used in %d places", n)
	}
}

// rule 13.3.
func TestTheGreetingHasItsFields(t *testing.T) {
	var have []string
	for _, m := range regexp.MustCompile(`(?m)^        ([a-z_]+) +=`).FindAllStringSubmatch(powershelltest.Body(t, deploy.Loop, "Send-NdsHello"), -1) {
		have = append(have, m[1])
	}
	want := []string{"protocol", "script", "version", "bound", "rights", "edition", "powershell", "computer", "account", "zone", "offset_minutes", "utc"}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("fields (-rule +text):\n%s", diff)
	}
}

// rules 13.1 and 13.6: texts of a request stay as they were sent. ConvertFrom-Json would make
// a time of one that looks like it; the mark in front of each, put here, prevents it.
func TestTextsOfARequestAreMarked(t *testing.T) {
	body := powershelltest.Body(t, deploy.Loop, "Read-NdsRequest")
	parts := regexp.MustCompile(`\$marked = \[regex\]::Replace\(\$text, '([^']+)', '([^']+)'\)`).FindStringSubmatch(body)
	if parts == nil {
		t.Fatal("the texts of a request are not marked")
	}
	for _, sent := range []map[string]any{
		{"id": 1.0, "method": "GET", "path": "scopes", "query": map[string]any{"active_only": "true"}, "body": ""},
		{"id": 2.0, "method": "PUT", "path": "reservations", "query": map[string]any{}, "body": `[{"name":"2026-11-28T10:00:00Z \"x\" \\"}]`},
		{"id": 3.0, "method": "GET", "path": "2026-11-28T10:00:00Z", "query": map[string]any{"/Date(1764324000000)/": `\`}, "body": "{\"n\":\"K\u00fcche\n\"}"},
	} {
		line, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		var came any
		if err := json.Unmarshal(regexp.MustCompile(parts[1]).ReplaceAll(line, []byte(strings.Replace(parts[2], "$1", "${1}", 1))), &came); err != nil {
			t.Errorf("%s became no JSON: %v", line, err)
			continue
		}
		if diff := cmp.Diff(marked(sent), came); diff != "" {
			t.Errorf("%s (-want +have):\n%s", line, diff)
		}
	}
	powershelltest.Holds(t, "Read-NdsRequest", body, `$strict = New-Object System.Text.UTF8Encoding $false, $true`, `if (-not $text.StartsWith('{'`, `ConvertFrom-Json -InputObject $marked -ErrorAction Stop`,
		`if (($id -isnot [int] -and $id -isnot [long]) -or $id -lt 1) { throw`, `if ($fields._query -isnot [System.Management.Automation.PSCustomObject]) { throw`,
		`$query[(Get-NdsText $property.Name)] = Get-NdsText $property.Value`, `Method = Get-NdsText $fields._method`, `Path = Get-NdsText $fields._path`,
		`Body = Get-NdsText $fields._body`, `catch { return $null }`)
	powershelltest.Holds(t, "Get-NdsText", powershelltest.Body(t, deploy.Loop, "Get-NdsText"), `if ($Value -isnot [string] -or -not $Value.StartsWith('_', [System.StringComparison]::Ordinal)) { throw`, `return $Value.Substring(1)`)
}

// marked is JSON with a mark before each text.
func marked(value any) any {
	switch v := value.(type) {
	case string:
		return "_" + v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out["_"+key] = marked(inner)
		}
		return out
	}
	return value
}
