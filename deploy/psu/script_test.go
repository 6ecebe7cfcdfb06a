// Package psu_test holds the tests of the PowerShell scripts of this folder: their
// routes, roles and fields against the contract. It has no code of its own.
package psu_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy/powershelltest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

const script = "dhcp_endpoints.ps1"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// contract is the table of rule 1.2 with that of rule 1.9.
func contract() []string {
	return []string{
		"GET scopes Read", "GET scopes/:scope_id Read", "POST scopes Write", "PUT scopes/:scope_id Write", "DELETE scopes/:scope_id Write",
		"GET leases Read",
		"GET reservations Read", "POST reservations Write", "PUT reservations/:client_id Write", "DELETE reservations/:client_id Write",
		"PUT reservations Write", "DELETE reservations Write",
		"GET failover Read", "POST failover Write",
		"GET options Read", "GET options/server Read", "GET options/scope/:scope_id Read", "PUT options/scope/:scope_id Write",
		"GET exclusions Read", "POST exclusions Write", "DELETE exclusions Write",
		"GET health Read", "POST health Write",
	}
}

// rules 1.2 and 9 row 48.
func TestTheScriptHasTheRoutesAndRolesOfTheContract(t *testing.T) {
	var have []string
	for _, e := range endpoints(t) {
		have = append(have, e.method+" "+e.path+" "+e.access)
	}
	want := contract()
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("routes (-contract +script):\n%s", diff)
	}
	for _, line := range []string{
		`$roles = @('DHCPWriter')`,
		`if ($Access -eq 'Read') { $roles = @('DHCPReader', 'DHCPWriter') }`,
		`New-PSUEndpoint -Url "/api/dhcp/$Path" -Method $Method -Authentication -Role $roles -Endpoint`,
	} {
		if !strings.Contains(read(t, script), line) {
			t.Errorf("the script lacks %s", line)
		}
	}
	if n := strings.Count(read(t, script), "New-PSUEndpoint"); n != 1 {
		t.Errorf("New-PSUEndpoint is called in %d places: one may lack roles", n)
	}
}

// The guide lists the same endpoints.
func TestTheGuideListsTheRoutes(t *testing.T) {
	var have []string
	for _, m := range regexp.MustCompile("(?m)^\\| (GET|POST|PUT|DELETE) \\| `([^`]+)` \\| (Read|Write) \\|").FindAllStringSubmatch(read(t, "README.md"), -1) {
		have = append(have, strings.Join(m[1:], " "))
	}
	want := contract()
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("routes (-contract +README.md):\n%s", diff)
	}
}

// rule 1.3.
func TestTheShapesHaveTheFieldsOfTheContract(t *testing.T) {
	scope := []string{"scope_id", "name", "start_ip", "end_ip", "subnet_mask", "description", "state", "lease_duration_seconds"}
	for function, want := range map[string][]string{
		"ConvertTo-Scope":       scope,
		"ConvertTo-ListedScope": {"router", "failover_name"},
		"ConvertTo-Lease":       {"ip_address", "client_id", "hostname", "scope_id", "lease_expiry", "address_state"},
		"ConvertTo-Reservation": {"ip_address", "client_id", "name", "description", "type", "scope_id"},
		"ConvertTo-Failover": {
			"name", "primary_server", "secondary_server", "mode", "scope_ids", "max_client_lead_time", "max_response_delay",
			"state_switchover_interval", "enable_auth",
		},
		"ConvertTo-Option":    {"code", "name", "value", "type", "vendor_class", "user_class", "policy"},
		"ConvertTo-Exclusion": {"scope_id", "start_ip", "end_ip"},
	} {
		have := fields(bodyOf(t, function))
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-contract +script):\n%s", function, diff)
		}
	}
}

// bodyOf cuts one function out of the script.
func bodyOf(t *testing.T, name string) string {
	t.Helper()
	return powershelltest.Body(t, read(t, script), name)
}

// fields are the keys a function writes, each once.
func fields(text string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^            ([a-z_]+) +=|\$out\['([a-z_]+)'\] =`).FindAllStringSubmatch(text, -1) {
		if name := m[1] + m[2]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// rules 1.2 and 1.9: the mandatory input of each endpoint that writes.
func TestTheMandatoryInputsAreThoseOfTheContract(t *testing.T) {
	text := read(t, script)
	for route, want := range map[string]string{
		"POST 'scopes'":                 "$in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip', 'subnet_mask'\n",
		"PUT 'scopes/:scope_id'":        "$in = Read-Input $Body @()\n",
		"POST 'reservations'":           "$needs = 'scope_id', 'ip_address', 'client_id'\n",
		"PUT 'reservations'":            "Send-Results (Read-Json $Body) @('scope_id', 'ip_address') {",
		"DELETE 'reservations'":         "Send-Results (Read-Json $Body) @('scope_id', 'ip_address') {",
		"PUT 'reservations/:client_id'": "$in = Read-Input $Body @()\n",
		"POST 'exclusions'":             "$in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'\n",
		"DELETE 'exclusions'":           "$in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'\n",
		"PUT 'options/scope/:scope_id'": "@(Read-OptionList (Read-Json $Body))\n",
		"POST 'failover'":               "$in = Read-Input $Body 'name', 'secondary_server'\n",
	} {
		_, body, ok := strings.Cut(text, fmt.Sprintf("Add-DhcpEndpoint %s Write @(", route))
		body, _, _ = strings.Cut(body, "\n}\n")
		if !ok || !strings.Contains(body, want) {
			t.Errorf("%s does not demand %s", route, want)
		}
	}
}

// A writer's token must not make the server sign in at a host of the request's
// choice (rule 1.8).
func TestRelationshipsAreMadeOnlyWhereTheOwnerSaysSo(t *testing.T) {
	text := read(t, script)
	for _, want := range []string{"\n$AllowFailover = $false\n", "\nif ($AllowFailover) {\n    Add-DhcpEndpoint POST 'failover' Write @() {\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the script lacks %q", want)
		}
	}
	if n := len(powershelltest.Calls(text, `Add-DhcpServerv4Failover`)); n != 1 {
		t.Errorf("relationships are made in %d places", n)
	}
}

// rule 1.6: its version looks like no other script's, also to clients that
// compare it with those.
func TestTheVersionIsOfAKindOfItsOwn(t *testing.T) {
	m := regexp.MustCompile(`\$ScriptVersion = '(20\d\d\.(?:[1-9]|1[0-2])\.\d+)'`).FindStringSubmatch(read(t, script))
	if m == nil || !strings.Contains(read(t, script), "$ScriptName = '"+endpoint.ScriptName+"'") || m[1] != endpoint.ScriptVersion {
		t.Fatalf("version %q, and the program was made for %s of %s", m, endpoint.ScriptVersion, endpoint.ScriptName)
	}
	if !strings.Contains(read(t, "README.md"), `"version":"`+m[1]+`"`) {
		t.Error("README.md shows another version")
	}
}

// The files are read by Windows PowerShell 5.1, which takes text without byte
// order mark for the system's code page.
func TestTheScriptsAreASCII(t *testing.T) {
	for _, name := range []string{script, "setup_roles.ps1"} {
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' }) {
				t.Errorf("%s:%d: %q", name, i+1, line)
			}
		}
	}
}

// Secrets are asked for, never parameters: those end in histories and logs.
func TestNoScriptTakesASecretAsParameter(t *testing.T) {
	params := regexp.MustCompile(`(?s)\nparam\((.*?)\n\)`).FindStringSubmatch(read(t, "setup_roles.ps1"))
	if params == nil {
		t.Fatal("setup_roles.ps1 has no parameters")
	}
	if word := regexp.MustCompile(`(?i)token|secret|password|credential`).FindString(params[1]); word != "" {
		t.Errorf("setup_roles.ps1 has a parameter with %q", word)
	}
}

// A token that was granted may not work all the same: it is tried before it is
// shown (rule 1.8).
func TestATokenIsTriedBeforeItIsShown(t *testing.T) {
	text := read(t, "setup_roles.ps1")
	at := -1
	for _, step := range []string{"$before = Get-Answer 'GET' ''", "Grant-PSUAppToken", "$answer = Get-Answer $method $granted.Token", "if ($answer -ne 200) {", "continue", "Write-Output $granted.Token"} {
		next := strings.LastIndex(text, step)
		if next <= at {
			t.Errorf("%q does not come after what has to be before it", step)
		}
		at = next
	}
	if n := strings.Count(text, "$granted.Token"); n != 2 {
		t.Errorf("the token is used in %d places", n)
	}
}
