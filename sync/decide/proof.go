package decide

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// later is how long after its first sight a deletion in NetBox may be carried out on
// a server: a run in between can see an operator undo it (rule 5.4).
const later = time.Hour

// begin keeps the time, by the mirror's clock and by NetBox's, from which a delete on
// a server waits.
func (v *view) begin(first, dated *time.Time) {
	v.beginAt(first, dated, cmp.Or(v.nb.Date, *dated))
}

// beginAt keeps the time, by the mirror's clock and by that of another side, from which
// something waits. A time in the future was taken by a clock that was wrong: waiting
// begins anew.
func (v *view) beginAt(first, dated *time.Time, date time.Time) {
	if first.IsZero() || first.After(v.in.Now) {
		*first = v.in.Now
	}
	if dated.IsZero() || dated.After(date) {
		*dated = date
	}
}

// confirmed reports whether something was seen guards.confirm_after ago or earlier, by
// both clocks. One that is not known confirms nothing.
func (v *view) confirmed(first, dated, date time.Time) bool {
	return !dated.IsZero() && !date.IsZero() && v.in.Now.Sub(first) >= v.p.ConfirmAfter && date.Sub(dated) >= v.p.ConfirmAfter
}

// due is the time by the mirror's clock at which a wait is over by both clocks, as
// far as NetBox's tells.
func (v *view) due(first, dated time.Time, wait time.Duration) time.Time {
	left := wait
	if !dated.IsZero() && !v.nb.Date.IsZero() {
		left -= v.nb.Date.Sub(dated)
	}
	if byNetBox := v.in.Now.Add(left); byNetBox.After(first.Add(wait)) {
		return byNetBox
	}
	return first.Add(wait)
}

// waited reports whether a wait is over by both clocks, so that one wrong clock
// deletes nothing (rule 5.4).
func (v *view) waited(first, dated time.Time, wait time.Duration) bool {
	return !v.in.Now.Before(v.due(first, dated, wait))
}

// Gone lists what the mirror remembers, NetBox does not show any more, and a server
// still has: only for these a record of the deletion is looked for (rule 5.4).
func Gone(in *plan.Input) []state.Gone {
	var gone []state.Gone
	if in.Policy.Withdraws() {
		visible := make(map[int64]bool, len(in.NetBox.Addresses))
		for i := range in.NetBox.Addresses {
			visible[in.NetBox.Addresses[i].ID] = true
		}
		held := reservationsHeld(in.Windows)
		for k, known := range in.Memory.Pushed {
			if known.Object > 0 && !visible[known.Object] && known.Seen.Known() && held[k] == known.ClientID {
				gone = append(gone, lookFor(state.IPAddress, &known.Known))
			}
		}
	}
	if in.Policy.WithdrawsScopes() {
		visible := make(map[int64]bool, len(in.NetBox.Ranges))
		for i := range in.NetBox.Ranges {
			visible[in.NetBox.Ranges[i].ID] = true
		}
		for k, known := range in.Memory.Records {
			if known.Object > 0 && !visible[known.Object] && known.Seen.Known() && lists(in.Windows, k) {
				gone = append(gone, lookFor(state.IPRange, &known.Known))
			}
		}
	}
	slices.SortFunc(gone, func(a, b state.Gone) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Object, b.Object)) })
	return gone
}

func lookFor(kind state.Kind, known *plan.Known) state.Gone {
	g := state.Gone{Kind: kind, Object: known.Object, After: known.Seen, Record: known.Record}
	if known.Sought.Known() {
		g.After = known.Sought
	}
	return g
}

func lists(servers []windhcp.Server, k plan.ScopeKey) bool {
	return slices.ContainsFunc(servers, func(s windhcp.Server) bool {
		scope, found := s.Scope(k.Subnet.Addr())
		return s.Host == k.Server && found && scope.Subnet == k.Subnet
	})
}

func reservationsHeld(servers []windhcp.Server) map[plan.PushedKey]windhcp.ClientID {
	held := make(map[plan.PushedKey]windhcp.ClientID)
	for i := range servers {
		for _, part := range servers[i].Parts {
			for _, r := range part.Reservations.Items {
				held[plan.PushedKey{Server: servers[i].Host, Addr: r.Addr}] = r.ClientID
			}
		}
	}
	return held
}

// checkLog keeps up what the memory knows of NetBox's change log, and notes a log on
// which no delete can rest. A log whose newest record is gone is that of a NetBox
// that was restored: what is missing there was not deleted by people
// (rule 3.7 guard l). A run that is no sync did not read the log, and leaves what is
// remembered of it.
func checkLog(v *view, memory *plan.Memory) (w work) {
	if v.p.Mode != plan.Sync {
		return w
	}
	log, usable := &v.nb.Log, v.logUsable()
	wanted := map[state.Kind]bool{state.IPAddress: v.p.Withdraws(), state.IPRange: v.p.WithdrawsScopes()}
	for kind, on := range wanted {
		switch {
		case !on:
			delete(memory.Deleting, kind)
		case usable && !memory.Deleting[kind].Known():
			memory.Deleting[kind] = log.Newest
		}
	}
	switch {
	case !v.p.DeletesByRecord():
		memory.Newest = state.Mark{}
	case v.strange != "": // noted already
	case log.Err != nil:
		w.note(plan.Note{Level: plan.Warning, Cause: plan.CauseProof, Text: fmt.Sprintf("nothing that is gone from NetBox is deleted on servers, "+
			"since its change log cannot be read (permission core.view_objectchange): %v", log.Err)})
	case log.Broken:
		w.note(plan.Note{Level: plan.Guard, Cause: plan.CauseRestored, Text: "nothing that is gone from NetBox is deleted on servers: the change record that was its newest is gone " +
			"or another one, so NetBox was restored; if all is right, run netbox-dhcp-sync bootstrap --same-netbox"})
	default:
		memory.Newest = log.Newest
	}
	return w
}

// logUsable reports whether marks of the change log may be remembered.
func (v *view) logUsable() bool { return v.strange == "" && v.nb.Log.Err == nil && !v.nb.Log.Broken }

// deleted finds the record that an operator deleted an object after the mirror saw
// it last; nil, and why none counts, if there is none (rule 5.4).
func (v *view) deleted(kind state.Kind, known *plan.Known) (d *state.Deletion, why string) {
	if !v.logUsable() {
		return nil, "NetBox's change log proves nothing in this run"
	}
	since := v.memory.Deleting[kind]
	for i := range v.nb.Log.Deleted {
		if x := &v.nb.Log.Deleted[i]; x.Kind == kind && x.Object == known.Object {
			d = x
		}
	}
	switch {
	case d == nil:
		return nil, "NetBox's change log has no record of its deletion"
	case strings.HasPrefix(d.Message, plan.MessagePrefix):
		return nil, "it was a mirror that deleted it"
	case !known.Seen.Known() || d.Record <= known.Seen.Record:
		return nil, "it was deleted before the mirror saw it last"
	case !since.Known() || d.Record <= since.Record:
		return nil, "it was deleted before deleting on servers was switched on"
	}
	return d, ""
}

// found remembers since when the record of an object's deletion is known.
func (v *view) found(known *plan.Known, record int64) {
	if known.Record != record {
		known.Record, known.First, known.Dated = record, time.Time{}, time.Time{}
	}
	v.begin(&known.First, &known.Dated)
}

// knows is what is remembered of an object that NetBox shows now.
func (v *view) knows(id, vrf int64, before plan.Known) plan.Known {
	known := plan.Known{Object: id, VRF: vrf}
	switch {
	case v.p.DeletesByRecord() && v.logUsable():
		known.Seen = v.nb.Log.Newest
	case before.Object == id:
		known.Seen = before.Seen
	}
	return known
}

// sameReservation reports whether a deleted address is the one that a server
// reserves for a client.
func sameReservation(d *state.Deletion, vrf int64, addr netip.Addr, client windhcp.ClientID) bool {
	return d.Address.VRF == vrf && d.Address.Address.Addr() == addr && windhcp.ParseClientID(d.Address.ClientID) == client
}
