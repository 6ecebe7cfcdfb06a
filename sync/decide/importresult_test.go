package decide

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// importWorld is a server with a scope NetBox has, one it lacks, one it cannot
// take, and two relationships.
func importWorld(t *testing.T) *lab {
	l := newLab(t)
	m := l.w.server(dh1)
	l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.20", "10.8.4.29")}
	l.importAll()
	l.scope.exclusions = append(l.scope.exclusions, span("10.8.4.240", "10.8.4.250"))
	guest := m.addScope("10.8.6.0/25", "10.8.6.10", "10.8.6.99")
	guest.exclusions = []windhcp.Exclusion{span("10.8.6.10", "10.8.6.19")}
	guest.options = []windhcp.Option{{Code: 6, Name: "DNS Servers", Values: []string{"10.1.1.1", "10.1.1.2"}}, {Code: 3, Values: []string{"10.8.6.1"}}}
	bad := m.addScope("10.9.0.0/24", "10.9.0.10", "10.9.0.99")
	bad.exclusionsFail, bad.optionsFail = true, true
	full := m.addScope("10.9.1.0/24", "10.9.1.10", "10.9.1.99")
	l.w.nb.Ranges = append(l.w.nb.Ranges, state.Range{ID: 900, Start: full.Start, End: full.Start, Bits: 24, Status: "active"})
	m.failovers = []windhcp.Failover{{Name: "lonely", Primary: dh1, Secondary: "dh9.corp.example", Mode: "HotStandby"}}
	return l
}

// rule 4, result.
func TestTheResultOfAnImportListsEverythingOnce(t *testing.T) {
	l := importWorld(t)
	p := l.p
	p.Mode = plan.Import
	made := Build(l.w.read(p))
	guest := "scope 10.8.6.0/25 of " + dh1 + " (net 10.8.6.0/25)"
	known := "scope 10.8.4.0/24 of " + dh1 + " (net 10.8.4.0/24)"
	bad := "scope 10.9.0.0/24 of " + dh1 + " (net 10.9.0.0/24)"
	full := "scope 10.9.1.0/24 of " + dh1 + " (net 10.9.1.0/24)"
	want := []plan.Category{
		{Name: "failover relationships", Created: []string{}, Skipped: []string{},
			Errors: []string{"failover lonely: its other server dh9.corp.example is not among the configured servers: add it, or an alias, to sync.servers"}},
		{Name: "scopes", Created: []string{guest, bad}, Skipped: []string{known},
			Errors: []string{full + ": the scope's range 10.9.1.10-10.9.1.99 overlaps IP range 10.9.1.10-10.9.1.10 (id 900), which NetBox does not allow in one VRF: shrink or remove that one; the scope is not recorded"}},
		{Name: "option values", Created: []string{"6: 10.1.1.1, 10.1.1.2 in " + guest}, Skipped: []string{}, Errors: []string{"those of " + bad + ": 500: internal server error"}},
		{Name: "exclusions", Created: []string{"10.8.4.240-10.8.4.250 in " + known, "10.8.6.10-10.8.6.19 in " + guest}, Skipped: []string{"10.8.4.20-10.8.4.29 in " + known},
			Errors: []string{"those of " + bad + ": 500: internal server error"}},
	}
	if diff := cmp.Diff(want, made.Imported); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var out bytes.Buffer
	if err := report.ImportText(&out, made, false); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"scopes: 2 created, 1 skipped, 1 error\n  + " + guest, "exclusions: 2 created, 1 skipped, 1 error", "  = " + known, "  ! failover lonely"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
	raw, err := made.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := plan.Parse(raw); err != nil || cmp.Diff(want, saved.Imported) != "" {
		t.Errorf("saved and read again: %v %+v", err, saved.Imported)
	}
}

// rule 4: every entry that an import cannot use is an error of its own.
func TestAnImportNamesEveryEntryItCannotUse(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*windhcp.Server)
		sort   plan.ImportSort
		want   []string
	}{
		{"scopes", func(s *windhcp.Server) { s.Scopes.Malformed = []string{"no id", "no mask"} }, plan.ImportedScopes,
			[]string{"one of " + dh1 + " cannot be used: no id", "one of " + dh1 + " cannot be used: no mask"}},
		{"relationships", func(s *windhcp.Server) { s.Failovers.Malformed = []string{"no name", "no pair"} }, plan.ImportedFailovers,
			[]string{"one of " + dh1 + " cannot be used: no name", "one of " + dh1 + " cannot be used: no pair"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			p := l.p
			p.Mode = plan.Import
			in := l.w.read(p)
			c.change(&in.Windows[0])
			made := Build(in)
			if got := made.Imported[c.sort].Errors; !slices.Equal(got, c.want) || !made.Failed() {
				t.Errorf("failed: %v, errors %q", made.Failed(), got)
			}
		})
	}
	t.Run("a range in the way", func(t *testing.T) {
		l := newLab(t)
		l.w.nb.Ranges[0].Role, l.w.nb.Ranges[0].Server = "", ""
		p := l.p
		p.Mode = plan.Import
		if made := Build(l.w.read(p)); len(made.Imported[plan.ImportedScopes].Errors) != 1 || !made.Failed() {
			t.Errorf("failed: %v, %+v", made.Failed(), made.Imported)
		}
	})
}

func TestWhatNetBoxRefusesIsNoSuccessOfAnImport(t *testing.T) {
	l := importWorld(t)
	p := l.p
	p.Mode = plan.Import
	made := Build(l.w.read(p))
	for i := range made.Steps {
		if s := &made.Steps[i]; s.Kind == state.IPRange && s.Action == state.Create && s.Scope.String() == "10.8.6.0/25" {
			made.StepFailed(i, "no permission")
		}
	}
	for i, errors := range map[plan.ImportSort]int{plan.ImportedScopes: 2, plan.ImportedOptions: 2, plan.ImportedExclusions: 2} {
		c := made.Imported[i]
		if len(c.Errors) != errors || strings.Contains(strings.Join(c.Created, " "), "10.8.6.0/25") || !strings.HasSuffix(c.Errors[errors-1], ": no permission") {
			t.Errorf("%+v", c)
		}
	}
}

// rule 9 row 9: an entry in the journal of each new range.
func TestAnImportedRangeSaysWhereItIsFrom(t *testing.T) {
	l := importWorld(t)
	p := l.p
	p.Mode = plan.Import
	for _, s := range Build(l.w.read(p)).Steps {
		want := ""
		if s.Kind == state.IPRange && s.Action == state.Create {
			want = "recorded from " + dh1
		}
		if s.Journal != want {
			t.Errorf("%s %s: journal %q, want %q", s.Action, s.Name, s.Journal, want)
		}
	}
	if made := Build(l.w.read(l.p)); made.Imported != nil {
		t.Errorf("a sync has the result of an import: %+v", made.Imported)
	}
}

// What NetBox does not take is an error of that thing, and of nothing else.
func TestAnImportTellsWhichOneWasRefused(t *testing.T) {
	const net = "10.8.6.0/24"
	subnet := netip.MustParsePrefix(net)
	one := func(l *lab, host, first, last string) {
		l.w.server(host).addScope(net, first, last)
		if l.p.Servers[len(l.p.Servers)-1].Host != host && host != dh1 {
			l.p.Servers = append(l.p.Servers, defaults(host).Servers...)
		}
	}
	ofServer := func(host string) func(plan.Step) bool {
		return func(s plan.Step) bool {
			return s.Kind == state.IPRange && slices.ContainsFunc(s.Changes, func(c plan.Change) bool {
				return c.Field == plan.CustomField(state.FieldServer) && c.New == host
			})
		}
	}
	title := func(host string) string { return "scope " + net + " of " + host + " (net " + net + ")" }
	for _, c := range []struct {
		name            string
		world           func(*lab)
		refused         func(plan.Step) bool
		created, errors []string
	}{
		{"one subnet in two VRFs", func(l *lab) {
			one(l, dh1, "10.8.6.10", "10.8.6.99")
			one(l, dh2, "10.8.6.10", "10.8.6.99")
			l.p.Servers[1].VRF = "red"
		}, ofServer(dh2), []string{title(dh1)}, []string{title(dh2) + " in VRF red: no permission"}},
		{"one subnet split between two servers", func(l *lab) {
			one(l, dh1, "10.8.6.10", "10.8.6.99")
			one(l, dh2, "10.8.6.100", "10.8.6.199")
		}, ofServer(dh1), []string{title(dh2)}, []string{title(dh1) + ": no permission"}},
		{"two servers with the same span share a range, and its fate", func(l *lab) {
			one(l, dh1, "10.8.6.10", "10.8.6.99")
			one(l, dh2, "10.8.6.10", "10.8.6.99")
		}, ofServer(dh1), nil, []string{title(dh1) + ": no permission", title(dh2) + ": no permission"}},
		{"the prefix", func(l *lab) { one(l, dh1, "10.8.6.10", "10.8.6.99") },
			func(s plan.Step) bool { return s.Kind == state.IPPrefix && s.Action == state.Create },
			[]string{title(dh1)}, []string{"prefix " + net + ": no permission"}},
		{"the option library", func(l *lab) {
			one(l, dh1, "10.8.6.10", "10.8.6.99")
			l.w.server(dh1).scopes[subnet.Addr()].options = []windhcp.Option{{Code: 200, Values: []string{"x"}}}
		}, func(s plan.Step) bool { return s.Name == plan.CodesContext }, []string{title(dh1)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			c.world(l)
			p := l.p
			p.Mode = plan.Import
			made := Build(l.w.read(p))
			refused := 0
			for i := range made.Steps {
				if s := &made.Steps[i]; c.refused(*s) {
					made.StepFailed(i, "no permission")
					refused++
				}
			}
			if refused != 1 {
				t.Fatalf("%d steps are refused; the plan is\n%s", refused, describe(made))
			}
			got := made.Imported[plan.ImportedScopes]
			if !slices.Equal(got.Created, c.created) || !slices.Equal(got.Errors, c.errors) {
				t.Errorf("created %q, errors %q of %s; want %q and %q", got.Created, got.Errors, subnet, c.created, c.errors)
			}
		})
	}
}
