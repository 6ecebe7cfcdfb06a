package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// scopeWithdrawal is the stage about scopes that were deleted in NetBox, at work.
type scopeWithdrawal struct {
	*recorded
	work
	records map[plan.ScopeKey]plan.Recorded // what is remembered
	leaving []leavingScope
}

// leavingScope is a scope that may be deleted on its server now.
type leavingScope struct {
	*sighting
	key    plan.ScopeKey
	record int64 // of the deletion in NetBox
}

// withdrawScopes finds scopes whose record was deleted in NetBox and that their server
// goes on serving (rule 5.8).
//
//	its deletion in the log       the scope on the server     outcome
//	not looked for, or not found  any                         kept, told
//	found                         of a relationship           kept, told
//	found                         with leases                 kept, told: nobody is cut off
//	for less than the grace       any                         kept, told
//	for longer                    active                      deactivated
//	deactivated for the grace     inactive                    deleted, unless guard c objects
//	its record is back            deactivated by the mirror   activated
//
// The scopes to delete are counted in t, with their reservations, and are left to
// removeScopes: other stages may count reservations of the same server.
func withdrawScopes(in *recorded, t *toll, records map[plan.ScopeKey]plan.Recorded) ([]leavingScope, work) {
	sw := &scopeWithdrawal{recorded: in, records: records}
	listed := make(map[plan.ScopeKey]bool)
	for _, x := range in.all {
		k := plan.ScopeKey{Server: in.host(x.server), Subnet: x.scope.Subnet}
		listed[k] = true
		known, found := in.memory.Records[k]
		switch {
		case in.strange != "" || !in.pushesScopes(x.server) || x.elsewhere:
		case x.rec != nil:
			sw.keep(x, k, known)
		case found && !sw.leftOut(x):
			sw.leave(x, k, known)
		}
	}
	for k := range in.memory.Records {
		if s := in.asked(in.serverOf(k.Server)); s != nil && s.Scopes.Complete() && !listed[k] {
			delete(records, k)
		}
	}
	for _, x := range sw.leaving {
		t.lose(plan.ListScopes, x.sighting, 1)
		t.lose(plan.ListReservations, x.sighting, len(x.part.Reservations.Items))
	}
	return sw.leaving, sw.work
}

// leftOut reports whether a scope is not part of this run, or in maintenance.
func (sw *scopeWithdrawal) leftOut(x *sighting) bool {
	return len(sw.p.OnlyScopes) > 0 && !slices.Contains(sw.p.OnlyScopes, x.scope.Subnet) || slices.Contains(sw.p.MaintenanceScopes, x.scope.Subnet)
}

// keep remembers the record of a scope. A scope that the mirror deactivated and whose
// record is back is activated again.
func (sw *scopeWithdrawal) keep(x *sighting, k plan.ScopeKey, known plan.Recorded) {
	if x.rec.entry || x.rec.holder == nil || !sw.logUsableOrUnasked() {
		return
	}
	now := plan.Recorded{Source: x.rec.Source, Start: x.rec.Start, End: x.rec.End, Known: sw.knows(x.rec.holder.ID, x.rec.VRF, known.Known)}
	if known.Off.IsZero() || x.scope.Active() {
		sw.records[k] = now
		return
	}
	if sw.p.DeleteScopes && known.Record > 0 && sw.brake(x.server) == "" {
		sw.step(sw.turn(x, known.Record, "Inactive", "Active", "its record is back in NetBox"))
		sw.records[k] = now
	}
}

// logUsableOrUnasked reports whether the change log is no reason against remembering.
func (sw *scopeWithdrawal) logUsableOrUnasked() bool {
	return !sw.p.DeletesByRecord() || sw.logUsable()
}

// leave takes a scope that NetBox does not have any more one step further.
func (sw *scopeWithdrawal) leave(x *sighting, k plan.ScopeKey, known plan.Recorded) {
	left := "NetBox does not have this scope any more, and the server goes on serving it: "
	if !sw.p.WithdrawsScopes() {
		sw.tell(x, plan.Warning, left+"delete it on Windows, or record it again (import); push.delete_scopes does it by itself")
		return
	}
	d, why := sw.deleted(state.IPRange, &known.Known)
	if d != nil && !sw.sameScope(d, &known, x.scope) {
		d, why = nil, "the range that was deleted had another span or source"
	}
	if d == nil {
		if sw.logUsable() {
			known.Sought, known.Record = sw.nb.Log.Newest, 0
			sw.records[k] = known
		}
		sw.tell(x, plan.Warning, left+"it is kept, since "+why)
		return
	}
	sw.found(&known.Known, d.Record)
	if x.scope.Active() {
		known.Idle, known.IdleDated = time.Time{}, time.Time{}
	}
	sw.records[k] = known
	if obstacle := sw.obstacle(x); obstacle != "" {
		sw.tell(x, plan.Warning, left+"it is kept, since "+obstacle)
		return
	}
	grace := sw.p.ScopeGrace
	switch {
	case x.scope.Active() && !known.Off.IsZero():
		sw.tell(x, plan.Warning, left+"it is kept, since it was activated again on Windows")
	case x.scope.Active() && !sw.waited(known.First, known.Dated, grace):
		sw.tell(x, plan.Warning, fmt.Sprintf("%sit was deleted in NetBox, and is to be deactivated after %s", left, minute(sw.due(known.First, known.Dated, grace))))
	case x.scope.Active():
		known.Off = sw.in.Now
		sw.begin(&known.Idle, &known.IdleDated)
		sw.records[k] = known
		sw.step(sw.turn(x, d.Record, "Active", "Inactive", "it was deleted in NetBox (push.delete_scopes)"))
	default:
		sw.begin(&known.Idle, &known.IdleDated)
		sw.records[k] = known
		if sw.waited(known.Idle, known.IdleDated, grace) {
			sw.leaving = append(sw.leaving, leavingScope{x, k, d.Record})
			return
		}
		sw.tell(x, plan.Warning, fmt.Sprintf("%sit is inactive, and is to be deleted after %s", left, minute(sw.due(known.Idle, known.IdleDated, grace))))
	}
}

func minute(t time.Time) string { return t.Format("2006-01-02 15:04") }

// obstacle says why a scope is not deactivated or deleted now; empty: nothing.
func (sw *scopeWithdrawal) obstacle(x *sighting) string {
	s := sw.asked(x.server)
	switch {
	case x.scope.Failover != "" || !s.Failovers.Complete():
		return "it belongs to a relationship, or that cannot be told: take it out of it on Windows"
	case !s.Lists:
		return "the server's script has no call for it: delete it on Windows"
	case sw.brake(x.server) != "":
		return sw.brake(x.server)
	case !x.part.Leases.Complete() || !x.part.Reservations.Complete():
		return "its leases and reservations could not be read"
	case len(x.part.Leases.Items) > 0:
		return printable.Count(len(x.part.Leases.Items), "client leases an address in it", "clients lease addresses in it")
	}
	return ""
}

// removeScopes deletes scopes on their servers. Their reservations are lost with them,
// so the limits hold for both, and what they held back once goes only by an operator's
// word (rule 3.7 guard c).
func removeScopes(in *recorded, leaving []leavingScope, t *toll, records map[plan.ScopeKey]plan.Recorded) work {
	sw := &scopeWithdrawal{recorded: in, records: records}
	for _, x := range leaving {
		known := records[x.key]
		if t.tooMuch(plan.ListScopes, x.sighting) || t.tooMuch(plan.ListReservations, x.sighting) || known.Held && !in.p.AllowDeletes {
			known.Held = true
			records[x.key] = known
			sw.tell(x.sighting, plan.Guard, fmt.Sprintf("would be deleted with its %s (scopes: %s; reservations: %s): if it is right, run once with --allow-deletes",
				printable.Count(len(x.part.Reservations.Items), "reservation", "reservations"),
				t.text(plan.ListScopes, x.sighting, "scope", "scopes"), t.text(plan.ListReservations, x.sighting, "reservation", "reservations")))
			continue
		}
		step := sw.turn(x.sighting, x.record, "", "", "it was deleted in NetBox (push.delete_scopes)")
		step.Action, step.Changes, step.Observed = state.Delete, nil, []plan.Change{{Field: "state", Old: "Inactive"}}
		sw.step(step)
	}
	return sw.work
}

// turn is a step that changes the state of a scope.
func (sw *scopeWithdrawal) turn(x *sighting, record int64, old, now, why string) plan.Step {
	return plan.Step{
		Phase: plan.Push, Target: sw.host(x.server), Action: state.Update, Kind: plan.WindowsScope, Scope: x.scope.Subnet, VRF: x.vrf,
		Name:    scopeName(x.scope.Name, x.scope.Subnet, plan.Source{Server: sw.host(x.server)}),
		Changes: []plan.Change{{Field: "state", Old: old, New: now}}, Record: record, Rule: "5.8", Why: why,
	}
}

func (sw *scopeWithdrawal) tell(x *sighting, level plan.Level, text string) {
	sw.note(plan.Note{Level: level, Server: sw.host(x.server), Scope: x.scope.Subnet, Cause: plan.CauseScopeDeleted, Text: text})
}

// sameScope reports whether a deleted range is the remembered record of a scope.
func (sw *scopeWithdrawal) sameScope(d *state.Deletion, known *plan.Recorded, scope windhcp.Scope) bool {
	source := sw.canonical(plan.Source{Server: d.Range.Server, Failover: d.Range.Failover})
	return d.Range.Start == known.Start && d.Range.End == known.End && d.Range.VRF == known.VRF && d.Range.Subnet() == scope.Subnet && source == known.Source
}
