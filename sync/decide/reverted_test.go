package decide

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 5.1: an edit in NetBox that goes back to the server's value is told once.
func TestAnEditOfAScopeThatIsRevertedIsTold(t *testing.T) {
	edit := func(change func(*state.Range)) func(*lab) {
		return func(l *lab) { change(&l.w.nb.Ranges[0]) }
	}
	for _, c := range []struct {
		name   string
		change func(*lab)
		say    string // empty: nothing
	}{
		{"5.1 the name", edit(func(r *state.Range) { r.ScopeName = "mine" }), `name "mine" becomes "net 10.8.4.0/24" again`},
		{"5.1 the description", edit(func(r *state.Range) { r.Description = "mine" }), `description "mine" becomes "" again`},
		{"5.1 the end", edit(func(r *state.Range) { r.End = netip.MustParseAddr("10.8.4.200") }), `range "10.8.4.20-10.8.4.200" becomes "10.8.4.20-10.8.4.250" again`},
		{"5.1 the readable lease time", edit(func(r *state.Range) { r.LeaseDisplay = "2 Days" }), `lease time "2 Days (691200 s)" becomes "8 Days (691200 s)" again`},
		{"5.1 the state", edit(func(r *state.Range) { r.ScopeState = "Inactive" }), `state "Inactive" becomes "Active" again`},
		{"5.1 the options", edit(func(r *state.Range) { r.Options = json.RawMessage(`[{"code":6,"value":"10.8.4.9"}]`) }), `options "6=10.8.4.9" becomes "" again`},
		{"5.1 what the server changed is no edit", func(l *lab) { l.scope.Name = "renamed" }, ""},
		{"5.1 nor is what both changed", func(l *lab) { l.scope.Name = "renamed"; l.w.nb.Ranges[0].ScopeName = "mine" }, ""},
		{"5.1 nothing changed", func(*lab) {}, ""},
		{"5.1 without a memory it is not known", func(l *lab) { l.w.memory = plan.Memory{}; l.w.nb.Ranges[0].ScopeName = "mine" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.run()
			c.change(l)
			told := l.run()
			if c.say == "" && hasNote(told, plan.Warning, "5.1", "edited in NetBox") || c.say != "" && !hasNote(told, plan.Warning, "5.1", c.say) {
				t.Errorf("want %q:\n%s", c.say, describe(told))
			}
			if again := l.run(); hasNote(again, plan.Warning, "5.1", "edited in NetBox") {
				t.Errorf("told again:\n%s", describe(again))
			}
		})
	}
}

// Rules 5.1 and 5.6: an exclusion or a router that the server never had stays until
// its list is believed, and is told in the run that takes it back.
func TestAnEditThatIsKeptForAnHourIsToldWhenItGoes(t *testing.T) {
	exclusion := func(r *state.Range) { r.Exclusions = json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.39"}]`) }
	for _, c := range []struct {
		name   string
		edit   func(*state.Range)
		during func(*lab) // what happens an hour long
		say    string     // empty: nothing
	}{
		{"5.1 an exclusion", exclusion, nil, `exclusions "10.8.4.30-10.8.4.39" becomes "" again`},
		{"5.1 a router", func(r *state.Range) { r.Router = "10.8.4.9" }, nil, `router "10.8.4.9" becomes "" again`},
		{"5.1 while the list cannot be read", exclusion, func(l *lab) { l.scope.exclusionsFail = true }, `exclusions "10.8.4.30-10.8.4.39" becomes "" again`},
		{"5.1 options while the list cannot be read", func(r *state.Range) { r.Options = json.RawMessage(`[{"code":6,"value":"10.8.4.9"}]`) },
			func(l *lab) { l.scope.optionsFail = true }, `options "6=10.8.4.9" becomes "" again`},
		{"5.1 nor is what the server lost an edit", nil, func(l *lab) { l.scope.Router = netip.Addr{} }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.edit == nil {
				l.scope.Router = netip.MustParseAddr("10.8.4.1")
			}
			l.run()
			l.run()
			if c.edit != nil {
				c.edit(&l.w.nb.Ranges[0])
			}
			if c.during != nil {
				c.during(l)
			}
			told := func(p *plan.Plan) (n int) {
				for _, note := range p.Notes {
					if note.Level == plan.Warning && note.Rule == "5.1" {
						n++
						if c.say == "" || !strings.Contains(note.Text, c.say) {
							t.Errorf("told: %s", note.Text)
						}
					}
				}
				return n
			}
			n := told(l.run())
			if n != 0 {
				t.Errorf("told although it stays")
			}
			l.scope.exclusionsFail, l.scope.optionsFail = false, false
			for range 4 {
				n += told(l.run())
				l.w.hoursLater(1)
			}
			if want := min(1, len(c.say)); n != want {
				t.Errorf("told %d times, want %d", n, want)
			}
			if r := l.w.nb.Ranges[0]; r.Router != "" || l.recordedSpans() != "" {
				t.Errorf("kept: %s, %s", r.Router, l.recordedSpans())
			}
		})
	}
}
