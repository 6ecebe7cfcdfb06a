package decide

import (
	"fmt"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// importing is the stage that tells the result of an import, at work.
type importing struct {
	*recorded
	contexts map[*relationship]int // which step of recordFailovers records one
	// The index in the plan of a step of recordFailovers, and of recordScopes.
	failoverStep, scopeStep func(i int) int
	items                   []plan.ImportItem
}

// noStep is the step of what no step makes.
const noStep = -1

func (im *importing) add(sort plan.ImportSort, outcome plan.ImportOutcome, step int, text string) {
	im.items = append(im.items, plan.ImportItem{Sort: sort, Outcome: outcome, Step: step, Text: text})
}

func (im *importing) fail(sort plan.ImportSort, format string, args ...any) {
	im.add(sort, plan.ImportFailed, noStep, fmt.Sprintf(format, args...))
}

// importResult lists what servers told by what becomes of it.
func importResult(in *recorded, contexts map[*relationship]int, failoverStep, scopeStep func(i int) int) []plan.ImportItem {
	im := &importing{recorded: in, contexts: contexts, failoverStep: failoverStep, scopeStep: scopeStep}
	return im.result()
}

// result lists failovers, then scopes in the order of servers, then what the
// scopes contain.
func (im *importing) result() []plan.ImportItem {
	im.failovers()
	for i := range im.in.Windows {
		s := &im.in.Windows[i]
		if s.Scopes.Err != nil {
			im.fail(plan.ImportedScopes, "those of %s: %v", s.Host, s.Scopes.Err)
		}
		for _, text := range s.Scopes.Malformed {
			im.fail(plan.ImportedScopes, "one of %s cannot be used: %s", s.Host, text)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(im.prefixes), subnetKey.compare) {
		step := im.prefixes[id]
		im.add(plan.ImportedScopes, plan.ImportImplied, im.scopeStep(step), "prefix "+id.subnet.String()+im.inVRF(id.vrf))
	}
	units := make(map[*sighting]*unit)
	for _, u := range im.units {
		units[u.sighting] = u
	}
	for _, x := range im.all {
		im.scope(x, units[x])
	}
	for _, u := range im.units {
		im.content(u)
	}
	return im.items
}

func (im *importing) failovers() {
	for i := range im.in.Windows {
		s := &im.in.Windows[i]
		if s.Scopes.Err == nil && s.Failovers.Err != nil {
			im.fail(plan.ImportedFailovers, "those of %s: %v", s.Host, s.Failovers.Err)
		}
		for _, text := range s.Failovers.Malformed {
			im.fail(plan.ImportedFailovers, "one of %s cannot be used: %s", s.Host, text)
		}
	}
	for _, rel := range im.relationships {
		title := "failover " + rel.label
		switch {
		case rel.reported == nil:
		case rel.context != nil:
			im.add(plan.ImportedFailovers, plan.ImportSkipped, noStep, title)
		case rel.problem != "":
			im.fail(plan.ImportedFailovers, "%s: %s", title, rel.problem)
		default:
			im.add(plan.ImportedFailovers, plan.ImportCreated, im.failoverStep(im.contexts[rel]), title)
		}
	}
}

// scope tells of one scope of a server; u is nil if it is not recorded.
func (im *importing) scope(x *sighting, u *unit) {
	title := im.title(x.scope.Name, x)
	switch {
	case !x.read && x.level == plan.Failure:
		im.fail(plan.ImportedScopes, "%s on %s: %s", title, im.host(x.server), x.why)
	case !x.read:
		im.add(plan.ImportedScopes, plan.ImportSkipped, noStep, title+" on "+im.host(x.server)+": "+x.why)
	case u == nil:
		im.fail(plan.ImportedScopes, "%s: %s", title, im.refused[x])
	case x.rec != nil:
		im.add(plan.ImportedScopes, plan.ImportSkipped, noStep, title)
	default:
		im.add(plan.ImportedScopes, plan.ImportCreated, im.stepOf(u.want), title)
	}
}

// stepOf is the step that writes a record.
func (im *importing) stepOf(rec *record) int {
	if i, written := im.writes[rec]; written {
		return im.scopeStep(i)
	}
	return noStep
}

func (im *importing) title(name string, x *sighting) string {
	return scopeName(name, x.scope.Subnet, x.source) + im.inVRF(x.vrf)
}

// inVRF tells two scopes of one subnet apart.
func (im *importing) inVRF(id int64) string {
	if id == 0 {
		return ""
	}
	return " in " + im.vrfName(id)
}

// content lists the options of a new scope, and the exclusions of any.
func (im *importing) content(u *unit) {
	title, step := im.title(u.want.Name, u.sighting), im.stepOf(u.want)
	if u.rec == nil {
		if err := u.part.Options.Err; err != nil {
			im.fail(plan.ImportedOptions, "those of %s: %v", title, err)
		}
		for _, text := range u.part.Options.Malformed {
			im.fail(plan.ImportedOptions, "one of %s: %s", title, text)
		}
		for _, o := range u.want.Options {
			im.add(plan.ImportedOptions, plan.ImportCreated, step, fmt.Sprintf("%s in %s", o, title))
		}
	}
	if err := u.part.Exclusions.Err; err != nil {
		im.fail(plan.ImportedExclusions, "those of %s: %v", title, err)
	}
	for _, text := range u.part.Exclusions.Malformed {
		im.fail(plan.ImportedExclusions, "one of %s, so none is recorded: %s", title, text)
	}
	if !u.part.Exclusions.Complete() {
		return
	}
	for _, x := range union(nil, u.part.Exclusions.Items) {
		text := fmt.Sprintf("%s-%s in %s", x.Start, x.End, title)
		if u.rec != nil && slices.Contains(u.rec.Exclusions, x) {
			im.add(plan.ImportedExclusions, plan.ImportSkipped, noStep, text)
		} else {
			im.add(plan.ImportedExclusions, plan.ImportCreated, step, text)
		}
	}
}

// String shows an option value as "6: 10.1.1.1".
func (o optionValue) String() string {
	if o.VendorClass != "" {
		return fmt.Sprintf("%d (%s): %s", o.Code, o.VendorClass, o.Value)
	}
	return fmt.Sprintf("%d: %s", o.Code, o.Value)
}
