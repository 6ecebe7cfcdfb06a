package decide

import (
	"encoding/json"
	"net/netip"
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
		{"5.1 the exclusions", edit(func(r *state.Range) { r.Exclusions = json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.39"}]`) }), ""}, // kept until seen twice
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
