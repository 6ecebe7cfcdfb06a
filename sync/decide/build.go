// Package decide turns what was read from Windows DHCP servers and from NetBox
// into a plan: what the mirror changes on both sides, each step with its reason.
// It is pure: no I/O, no clock, no log, and the same input gives the same bytes.
// It must not show plans to people or carry them out.
//
// Build names the stages in their order. A stage reads the view and the results
// of stages before it, and nothing else; it returns its own result, which no
// later stage changes.
package decide

import (
	"cmp"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Build decides what has to be done. It changes nothing in its input.
func Build(in plan.Input) *plan.Plan {
	v := newView(&in)
	d := &draft{plan: &plan.Plan{Made: in.Now, Memory: in.Memory.Clone()}, work: work{notes: v.notes}}
	found, w := survey(v)
	d.add(w)
	d.plan.Scopes = found.seen()
	if in.Policy.Mode == plan.Migrate {
		d.add(migrate(found))
		return d.finish(v)
	}
	if in.Policy.Mode == plan.Retire {
		scopes, w := retire(found)
		d.add(w)
		d.add(reflectScopes(scopes))
		return d.finish(v)
	}
	d.add(checkMemory(v, &d.plan.Memory))
	d.add(checkLog(v, &d.plan.Memory))
	d.add(checkServers(v, &d.plan.Memory))
	contexts, w := recordFailovers(v)
	contextsAt := d.add(w)
	scopes, w := recordScopes(found, &d.plan.Memory)
	scopesAt := d.add(w)
	limits := newToll(found)
	if in.Policy.Mode == plan.Sync {
		guardExclusions(scopes, limits)
	}
	var made []*unit
	if in.Policy.Mode == plan.Sync && in.Policy.PushScopeInfo {
		made, w = pushScopes(scopes)
		d.add(w)
	}
	d.add(agree(scopes, d.plan.Memory.Scopes))
	var leaving []leavingScope
	if in.Policy.Mode == plan.Sync && in.Policy.PushScopeInfo {
		leaving, w = withdrawScopes(scopes, limits, d.plan.Memory.Records)
		d.add(w)
	}
	if problem := statusSettingsProblem(&in.Policy, in.NetBox.Statuses); problem != "" {
		d.note(plan.Note{Level: plan.Failure, Cause: plan.CauseStatuses, Text: problem + "; no address is touched"})
	} else if in.Policy.Mode == plan.Sync {
		d.addresses(scopes, made, limits)
	}
	d.add(removeScopes(scopes, leaving, limits, d.plan.Memory.Records))
	d.add(reflectScopes(scopes))
	done := d.finish(v)
	if in.Policy.Mode == plan.Import {
		place := func(at int) func(int) int { return func(i int) int { return d.order[at+i] } }
		done.SetImported(importResult(scopes, contexts, place(contextsAt), place(scopesAt)))
	}
	return done
}

// draft is a plan in the making.
type draft struct {
	work
	plan  *plan.Plan
	order map[int]int // where finish put each step
}

// add takes the work of a stage over, and tells at which index its steps begin.
func (d *draft) add(w work) (at int) {
	at = len(d.steps)
	d.steps, d.notes = append(d.steps, w.steps...), append(d.notes, w.notes...)
	return at
}

// addresses runs the stages that are about addresses and reservations.
func (d *draft) addresses(scopes *recorded, made []*unit, limits *toll) {
	p, before := scopes.p, newBook(scopes.p, scopes.nb.Addresses)
	d.plan.Memory.Statuses[p.LeaseStatus], d.plan.Memory.Statuses[p.ReservationStatus] = plan.ListLeases, plan.ListReservations
	clients, targets := newClients(scopes.view), pushTargets(scopes, made)
	withdrawn, w := findWithdrawn(scopes, clients, targets, before, limits, d.plan.Memory.Pushed)
	d.add(w)
	after, book := scopes.nb, before
	if p.SyncIPs {
		known, w := mergeFacts(scopes, withdrawn)
		d.add(w)
		w = syncAddresses(scopes, known, before, &d.plan.Memory)
		d.add(w)
		if len(w.steps) > 0 {
			after = plan.After(scopes.nb, w.steps)
			book = newBook(p, after.Addresses)
		}
	}
	d.add(orphans(scopes))
	d.add(pushReservations(scopes, clients, targets, withdrawn, book, d.plan.Memory.Pushed))
	w, d.plan.Violations = checkStatuses(scopes, after, d.plan.Memory.Invalid)
	d.add(w)
}

// finish puts everything in its order: nothing may depend on the order in
// which servers answered. Steps on servers that read_only forbids are left out.
func (d *draft) finish(v *view) *plan.Plan {
	order := make([]int, len(d.steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		x, y := &d.steps[i], &d.steps[j]
		if x.Phase == plan.Push && y.Phase == plan.Push {
			return cmp.Compare(x.Target, y.Target)
		}
		return cmp.Compare(x.Phase, y.Phase)
	})
	d.order = make(map[int]int, len(order))
	heldBack, kept := make(map[string]int), make(map[string]int)
	for _, i := range order {
		step, values, left := d.settled(d.steps[i])
		if values > 0 {
			kept[step.Target] += values
		}
		if !left {
			continue
		}
		if step.Target != plan.NetBox && v.brake(v.serverOf(step.Target)) != "" {
			heldBack[step.Target]++
			continue
		}
		d.order[i] = len(d.plan.Steps)
		d.plan.Steps = append(d.plan.Steps, step)
	}
	d.tellSettled(kept)
	d.noteHeldBack(v, heldBack)
	d.plan.Notes = d.notes
	d.tellOnce(v)
	return d.plan
}

// noteHeldBack tells how many changes of servers a brake held back.
func (d *draft) noteHeldBack(v *view, heldBack map[string]int) {
	all := 0
	for i := range v.p.Servers {
		n := heldBack[v.host(i)]
		if all += n; n > 0 && !v.p.ReadOnly {
			d.note(plan.Note{Level: plan.Skip, Server: v.host(i), Cause: plan.CauseBrake, Text: "not made, since " + v.brake(i) + ": " + printable.Count(n, "change", "changes")})
		}
	}
	if all > 0 && v.p.ReadOnly {
		d.note(plan.Note{Level: plan.Skip, Cause: plan.CauseReadOnly, Text: "not made, since read_only is on: " + printable.Count(all, "change on servers", "changes on servers")})
	}
}

// tellOnce makes information of warnings that an earlier run showed, and marks what
// a run of the last day told: only what changed is news. A run over a part, and one
// that is no sync, knows nothing of the rest, and leaves what was said of it.
func (d *draft) tellOnce(v *view) {
	if v.p.Mode == plan.Sync && v.everyServerSelected() && len(v.p.OnlyScopes) == 0 {
		clear(d.plan.Memory.Said)
	}
	for i := range d.plan.Notes {
		n := &d.plan.Notes[i]
		if n.Once {
			told := plan.Told{Cause: n.Cause, Scope: n.Scope, Addr: n.Addr}
			if v.memory.Told[told] {
				n.Level = plan.Info
			}
			d.plan.Memory.Told[told] = true
		}
		if n.Level != plan.Info && n.Level != plan.Skip {
			n.Repeated = d.plan.Memory.Say(v.memory, n.Key(), v.in.Now)
		}
	}
}
