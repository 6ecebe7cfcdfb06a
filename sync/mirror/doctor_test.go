package mirror_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rules 3.8 point 23 and 9 row 22: what would refuse each write is found before.
func TestTheDoctorFindsCustomFieldsThatMustBeFilledIn(t *testing.T) {
	for _, c := range []struct {
		name  string
		field map[string]any
		want  bool
	}{
		{"required on addresses", map[string]any{"object_types": []string{"dcim.device", "ipam.ipaddress"}, "required": true}, true},
		{"required on ranges", map[string]any{"object_types": []string{"ipam.iprange"}, "required": true}, true},
		{"required with a default", map[string]any{"object_types": []string{"ipam.ipaddress"}, "required": true, "default": "nobody"}, false},
		{"required on what the mirror does not write", map[string]any{"object_types": []string{"dcim.device"}, "required": true}, false},
		{"optional", map[string]any{"object_types": []string{"ipam.ipaddress"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
			l.Add(psutest.Example("dh1.corp.example"))
			m := l.Open("sync_ips_from_dhcp: true\n", nil)
			c.field["name"], c.field["type"] = "owner", "text"
			l.Create("extras/custom-fields", c.field)
			found := false
			for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
				found = found || f.Object == "custom field owner" && f.Severity == prepare.Failure && strings.Contains(f.Fix, "default")
			}
			if found != c.want {
				t.Errorf("found: %t", found)
			}
		})
	}
}

// rule 9 row 22: each failure text.
func TestTheDoctorSaysWhatIsWrongWithAServer(t *testing.T) {
	fault := func(f psutest.Fault) func(*mirrortest.Lab) {
		return func(l *mirrortest.Lab) { l.Servers[0].Fail(f) }
	}
	config := func(change func(*psutest.Config)) func(*mirrortest.Lab) {
		return func(l *mirrortest.Lab) { l.Servers[0].Configure(change) }
	}
	part := base64.RawURLEncoding.EncodeToString
	ended := part([]byte(`{"alg":"HS256"}`)) + "." + part(fmt.Appendf(nil, `{"exp":%d}`, time.Date(2020, 2, 3, 0, 0, 0, 0, time.UTC).Unix())) + ".AAAA"
	for _, c := range []struct {
		name          string
		settings, own string
		spoil         func(*mirrortest.Lab)
		severity      prepare.Severity
		say           []string
	}{
		{name: "all is well but for plain HTTP", severity: prepare.Warning, say: []string{"plain HTTP"}},
		{name: "in maintenance", own: "maintenance: true\n", severity: prepare.Notice, say: []string{"not asked"}},
		{name: "no answer", spoil: fault(psutest.Fault{Kind: psutest.Drop}), severity: prepare.Failure, say: []string{"check the network and the Windows Firewall rule"}},
		{name: "no listener", spoil: func(l *mirrortest.Lab) { l.Servers[0].Close() }, severity: prepare.Failure, say: []string{"PowerShellUniversal runs", "port"}},
		{name: "401", spoil: fault(psutest.Fault{Kind: psutest.Unauthorized}), severity: prepare.Failure, say: []string{"401", "valid app token"}},
		{name: "403", spoil: fault(psutest.Fault{Kind: psutest.Forbidden}), severity: prepare.Failure, say: []string{"403", "DHCPReader"}},
		{name: "a page of PowerShell Universal", spoil: fault(psutest.Fault{Kind: psutest.HTML200}), severity: prepare.Failure, say: []string{"endpoint script is installed"}},
		{name: "a redirect", spoil: fault(psutest.Fault{Kind: psutest.Redirect}), severity: prepare.Failure, say: []string{"scheme, host and port"}},
		{name: "a scope that fails the list", spoil: fault(psutest.Fault{Path: "scopes", Kind: psutest.Error500}), severity: prepare.Failure, say: []string{"one scope that the script cannot describe"}},
		{name: "a scope that cannot be understood", spoil: fault(psutest.Fault{Path: "scopes", Kind: psutest.MalformedEntry, Entry: "x"}), severity: prepare.Failure, say: []string{"1 scope cannot be understood"}},
		{name: "an empty answer", spoil: fault(psutest.Fault{Path: "scopes", Kind: psutest.Blank200}), severity: prepare.Failure, say: []string{"log of PowerShell Universal"}},
		{name: "no scopes", spoil: func(l *mirrortest.Lab) { l.Servers[0].Edit(func(w *psutest.World) { w.Scopes = nil }) }, severity: prepare.Warning, say: []string{"lists no scope", "account of PowerShell Universal"}},
		{name: "no relationships", spoil: fault(psutest.Fault{Path: "failover", Kind: psutest.Error500}), severity: prepare.Failure, say: []string{"failover"}},
		{name: "an old script", spoil: config(func(c *psutest.Config) { c.Script = psutest.NoVersion }), severity: prepare.Notice, say: []string{"older than 1.0.0", "dhcp_endpoints.ps1"}},
		{name: "another script", spoil: config(func(c *psutest.Config) { c.Script = "1.0.1" }), severity: prepare.Notice, say: []string{"endpoint script 1.0.1", "dhcp_endpoints.ps1"}},
		{name: "a reader's token with a push on", settings: "push_reservations: true\n", spoil: func(l *mirrortest.Lab) { l.File("dh1.token", l.Servers[0].Reader()) }, severity: prepare.Failure, say: []string{"pushing is on", "DHCPWriter"}},
		{name: "a script that only reads with a push on", settings: "push_reservations: true\n", spoil: config(func(c *psutest.Config) { c.Script, c.Rights = psutest.Own, "read" }), severity: prepare.Notice, say: []string{"no routes that write", "$ReadOnly"}},
		{name: "a token that ended", spoil: func(l *mirrortest.Lab) { l.File("dh1.token", ended) }, severity: prepare.Failure, say: []string{"ended on 2020-02-03", "make a new one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
			s := l.Add(psutest.Example("dh1.corp.example"))
			m := l.Open(c.settings, map[string]string{s.Host(): c.own})
			if c.spoil != nil {
				c.spoil(l)
			}
			l.Front.Forget()
			found := false
			findings := m.Doctor(t.Context(), mirror.Options{})
			for _, f := range findings {
				said := f.Severity == c.severity && f.Object == "server "+s.Host()
				for _, text := range c.say {
					said = said && strings.Contains(f.String(), text)
				}
				found = found || said
				if strings.Contains(f.String(), s.Writer()) || strings.Contains(f.String(), ended) {
					t.Errorf("a token is shown: %s", f)
				}
			}
			if !found {
				t.Errorf("no %s with %q: %v", c.severity, c.say, findings)
			}
			for _, w := range l.Front.Writes() {
				if w.Path != "ipam/ip-ranges/0/" { // whether the token might, of an object that cannot be
					t.Errorf("written to NetBox: %v", w)
				}
			}
		})
	}
}

// rule 1.6: what is said about a script goes by whose it is, and ours is never
// advised without what the plugin would lose.
func TestTheDoctorKnowsWhoseScriptItIs(t *testing.T) {
	const plugin, ours = "from there to 2.0 or newer", "install deploy/psu/dhcp_endpoints.ps1"
	for script, say := range map[string][]string{
		psutest.NoVersion: {"older than 1.0.0", plugin, ours, "lacks"},
		"1.0.2":           {"endpoint script 1.0.2", "empty list", plugin, ours, "lacks"},
		"1.1.0":           {"endpoint script 1.1.0", "empty list", plugin, ours, "lacks"},
		"1.1.1":           {"endpoint script 1.1.1", "empty list", plugin, ours, "lacks"},
		"2.0.0":           nil,
		psutest.Lists:     nil,
		"2.7.0":           nil,
		psutest.Own:       nil,
		"2026.1.0":        {"our endpoint script 2026.1.0", "came with this program"},
	} {
		t.Run(script, func(t *testing.T) {
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
			s := l.Add(psutest.Example("dh1.corp.example"))
			m := l.Open("", nil)
			s.Configure(func(c *psutest.Config) { c.Script = script })
			var about []string
			for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
				if f.Object == "server "+s.Host() && strings.Contains(f.String(), "script") {
					about = append(about, f.String())
				}
			}
			text := strings.Join(about, "\n")
			if (len(say) == 0) != (text == "") || len(about) > 1 {
				t.Errorf("said %q", text)
			}
			for _, want := range say {
				if !strings.Contains(text, want) {
					t.Errorf("%q lacks %q", text, want)
				}
			}
		})
	}
}

// rule 1.4 quirk 6: what one unlimited scope does, and what is to be done; and a
// number of Windows comes with the next step.
func TestTheDoctorSaysWhatAFailedListMeans(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*psutest.Config)
		world  func(*psutest.World)
		say    []string
	}{
		{"an unlimited scope", func(c *psutest.Config) { c.Script = "1.1.1" }, func(w *psutest.World) { w.Scopes[1].Unreadable = true },
			[]string{"unlimited lease", "nothing of this server is mirrored", "give it a lease time", "2.0 or newer of the plugin", "deploy/psu/dhcp_endpoints.ps1"}},
		{"denied", func(c *psutest.Config) { c.Script, c.Rights = psutest.Own, "none" }, func(*psutest.World) {},
			[]string{"WIN32 5", "DHCP Users", "local administrator"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
			s := l.Add(psutest.Example("dh1.corp.example"))
			m := l.Open("", nil)
			s.Configure(c.config)
			s.Edit(c.world)
			var failures []string
			for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
				if f.Object == "server "+s.Host() && f.Severity == prepare.Failure {
					failures = append(failures, f.String())
				}
			}
			if len(failures) != 1 {
				t.Fatalf("failures %q", failures)
			}
			for _, want := range c.say {
				if !strings.Contains(failures[0], want) {
					t.Errorf("%q lacks %q", failures[0], want)
				}
			}
		})
	}
}

// A reader's token is all that is needed with both pushes off, and nothing but
// reads is sent.
func TestTheDoctorDoesNotAskForRightsNobodyNeeds(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	s := l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	l.File("dh1.token", s.Reader())
	for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
		if f.Severity == prepare.Failure {
			t.Error(f)
		}
	}
	if w := s.Writes(); len(w) > 0 {
		t.Errorf("sent: %v", w)
	}
}

// rules 3.1 and 9 row 22: what a run cannot do without is named,
// with what to do, before a server is asked.
func TestARunSaysWhatNetBoxLacks(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	s := l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("protect: {tag: dhcp-protect}\n", nil)
	for _, c := range []struct{ path, query, say string }{
		{"extras/custom-fields", "name=dhcp_managed", "custom field dhcp_managed"},
		{"extras/custom-fields", "name=dhcp_client_id", "custom field dhcp_client_id"},
		{"extras/custom-fields", "name=dhcp_scope_name", "custom field dhcp_scope_name"},
		{"extras/custom-fields", "name=dhcp_server", "custom field dhcp_server"},
		{"extras/custom-fields", "name=dhcp_failover", "custom field dhcp_failover"},
		{"extras/custom-fields", "name=dhcp_router", "custom field dhcp_router"},
		{"extras/custom-fields", "name=dhcp_lease_seconds", "custom field dhcp_lease_seconds"},
		{"extras/custom-fields", "name=dhcp_exclusions", "custom field dhcp_exclusions"},
		{"extras/custom-fields", "name=dhcp_options", "custom field dhcp_options"},
		{"extras/custom-fields", "name=dhcp_other_sources", "custom field dhcp_other_sources"},
		{"ipam/roles", "slug=dhcp-scope", "IPAM role dhcp-scope"},
		{"extras/tags", "slug=windows-dhcp", "tag windows-dhcp"},
		{"extras/tags", "slug=windows-dhcp-data", "tag windows-dhcp-data"},
		{"extras/tags", "slug=dhcp-protect", "tag dhcp-protect"},
	} {
		rows := l.Get(c.path, c.query)
		if len(rows) != 1 {
			t.Fatalf("%s?%s: %v", c.path, c.query, rows)
		}
		if c.path == "extras/tags" && c.query == "slug=windows-dhcp-data" {
			for _, row := range l.Get("extras/config-contexts", "") {
				l.Remove("extras/config-contexts", row["id"])
			}
		}
		l.Remove(c.path, rows[0]["id"])
		r, err := m.Sync(t.Context(), mirror.Options{})
		if err == nil || r.Outcome != mirror.NotPrepared || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), "run netbox-dhcp-sync bootstrap") {
			t.Errorf("without %s: code %d, %v", c.say, r.Outcome.ExitCode(), err)
		}
	}
	if n := len(s.Requests()); n > 0 {
		t.Errorf("%d requests to the server", n)
	}
}

// rule 3.2 point 1: what stopped being mirrored is among the findings.
func TestTheDoctorNamesScopesThatStoppedBeingMirrored(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	told := func() (texts []string) {
		for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
			if f.Severity == prepare.Failure {
				texts = append(texts, f.String())
			}
		}
		return texts
	}
	if texts := told(); len(texts) > 0 {
		t.Errorf("all is mirrored, but: %v", texts)
	}
	for _, row := range l.Get("ipam/ip-ranges", "") {
		l.Patch("ipam/ip-ranges", row["id"], map[string]any{"custom_fields": map[string]any{"dhcp_server": "dh9.corp.example", "dhcp_failover": nil}})
	}
	if texts := told(); len(texts) != 1 || !strings.Contains(texts[0], "dh9.corp.example") || !strings.Contains(texts[0], l.Host(0)) {
		t.Errorf("findings: %v", texts)
	}
}

// rule 3.4 point 1: what the plugin left in the global table is counted before a run
// makes it anew in the VRF.
func TestTheDoctorCountsWhatThePluginLeftInTheGlobalTable(t *testing.T) {
	address := func(l *mirrortest.Lab, host, status, client string, more map[string]any) {
		body := map[string]any{"address": host + "/24", "status": status, "custom_fields": map[string]any{"dhcp_client_id": client}}
		for key, value := range more {
			body[key] = value
		}
		l.Create("ipam/ip-addresses", body)
	}
	left := func(m *mirror.Mirror) string {
		var out []string
		for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
			if strings.Contains(f.Fix, "migrate") {
				out = append(out, fmt.Sprintf("%s %s: %.40s", f.Severity, f.Object, f.Problem))
			}
		}
		return strings.Join(out, "; ")
	}
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	red := l.Create("ipam/vrfs", map[string]any{"name": "red"})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.4.0/24", "vrf": red})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.6.0/25"})
	m := l.Open("sync_ips_from_dhcp: true\nexempt_tag: pool\n", nil)
	if got := left(m); got != "" {
		t.Errorf("nothing is left: %s", got)
	}
	address(l, "10.8.4.60", "reserved", "3c-52-82-0a-1b-60", nil)
	address(l, "10.8.4.105", "dhcp", "3c-52-82-0a-1c-05", nil)
	address(l, "10.8.4.222", "dhcp", "3c-52-82-0a-1c-99", nil)
	address(l, "10.8.4.5", "active", "3c-52-82-0a-1c-06", nil) // people's own
	address(l, "10.8.4.7", "dhcp", "", nil)                    // without a client
	address(l, "10.8.4.8", "dhcp", "3c-52-82-0a-1c-08", map[string]any{"vrf": red})
	address(l, "10.8.6.10", "dhcp", "02-00-5e-10-00-01", nil) // of a scope in the global table
	pool := l.Create("extras/tags", map[string]any{"name": "pool", "slug": "pool"})
	address(l, "10.8.4.9", "dhcp", "3c-52-82-0a-1c-07", map[string]any{"tags": []any{pool}}) // another DHCP server's (rule 3.7 guard j)
	const want = "warning 10.8.4.0/24: 3 addresses of it in the global table wi"
	if got := left(m); got != want {
		t.Errorf("before import: %q, want %q", got, want)
	}
	run(t, m, mirror.Options{Mode: plan.Import})
	if got := left(m); got != want {
		t.Errorf("after import: %q, want %q", got, want)
	}
	run(t, m, mirror.Options{Mode: plan.Migrate})
	if got := left(m); got != "warning 10.8.4.0/24: 1 address of it in the global table with" {
		t.Errorf("after migrate: %q", got) // no server knows .222
	}
}

// rule 3.7 guard m
func TestTheDoctorTellsWhereNetBoxHidesAddresses(t *testing.T) {
	hidden := func(m *mirror.Mirror) (n int) {
		for _, f := range m.Doctor(t.Context(), mirror.Options{}) {
			if f.Severity == prepare.Warning && strings.Contains(f.Problem, "NetBox shows 0 of ") {
				n++
			}
		}
		return n
	}
	box := netboxtest.New(t, netboxtest.Config{})
	l, m := imported(t, mirrortest.Target{URL: box.URL(), Token: box.TokenV1()}, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	editOffice(l, func(s *psutest.Scope) {
		for i := range 8 {
			s.Leases = append(s.Leases, &psutest.Lease{IP: fmt.Sprintf("10.8.4.%d", 130+i), ClientID: fmt.Sprintf("02-00-5e-10-00-%02x", i)})
		}
	})
	for range 2 { // the second sees what the first made
		run(t, m, mirror.Options{})
	}
	if n := hidden(m); n != 0 {
		t.Errorf("%d scopes hide addresses, and all show", n)
	}
	for _, row := range l.Get("ipam/ip-addresses", "parent=10.8.4.0/24") {
		l.Remove("ipam/ip-addresses", row["id"])
	}
	if n := hidden(m); n != 0 {
		t.Errorf("%d scopes hide addresses, and the change log has their deletion", n)
	}
	box.ForgetChanges(time.Now().Add(time.Hour))
	if n := hidden(m); n != 1 {
		t.Errorf("%d scopes hide addresses, want 1", n)
	}
	if n := hidden(l.Open("sync_ips_from_dhcp: false\n", nil)); n != 0 {
		t.Errorf("%d scopes hide addresses, and none are synced", n)
	}
}
