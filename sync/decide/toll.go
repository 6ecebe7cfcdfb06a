package decide

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// toll counts what a run would delete on servers against what rests on the same list
// there: for a scope of a server, a server and the run (rule 3.7 guard c). Stages
// count all that they would delete before they ask whether it is too much.
type toll struct {
	*view
	of, lost map[group]int
}

// newToll counts what servers have of scopes that NetBox has, or had when a run saw
// them last.
func newToll(in *surveyed) *toll {
	t := &toll{view: in.view, of: make(map[group]int), lost: make(map[group]int)}
	for _, x := range in.all {
		_, remembered := in.memory.Records[plan.ScopeKey{Server: in.host(x.server), Subnet: x.scope.Subnet}]
		if x.fallback || x.rec == nil && !remembered {
			continue
		}
		if in.pushesScopes(x.server) {
			t.count(t.of, plan.ListScopes, x, 1)
			t.count(t.of, plan.ListExclusions, x, len(x.part.Exclusions.Items))
		}
		if in.pushesReservations(x.server) || in.pushesScopes(x.server) {
			t.count(t.of, plan.ListReservations, x, len(x.part.Reservations.Items))
		}
	}
	return t
}

func (t *toll) count(counts map[group]int, list plan.List, x *sighting, n int) {
	for _, g := range tollGroups(list, x) {
		counts[g] += n
	}
}

func tollGroups(list plan.List, x *sighting) [3]group {
	return [3]group{{list, subnetKey{subnet: x.scope.Subnet}, x.server}, {list, subnetKey{}, x.server}, {list, subnetKey{}, -1}}
}

// lose counts things that would be deleted on the server of a scope.
func (t *toll) lose(list plan.List, x *sighting, n int) { t.count(t.lost, list, x, n) }

// tooMuch reports whether the scope, its server or the run would lose more than the
// operator allows.
func (t *toll) tooMuch(list plan.List, x *sighting) bool {
	for _, g := range tollGroups(list, x) {
		if t.tooMany(t.lost[g], t.of[g]) {
			return true
		}
	}
	return false
}

// text says what would be deleted: "5 of 6 exclusions here, ...".
func (t *toll) text(list plan.List, x *sighting, one, many string) string {
	g := tollGroups(list, x)
	return fmt.Sprintf("%d of %s here, %d of %d on %s and %d of %d in this run",
		t.lost[g[0]], printable.Count(t.of[g[0]], one, many), t.lost[g[1]], t.of[g[1]], t.host(x.server), t.lost[g[2]], t.of[g[2]])
}
