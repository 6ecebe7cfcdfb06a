package decide

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// scopePush is the stage that writes scopes and exclusions to servers at work.
type scopePush struct {
	*recorded
	work
	made []*unit // scopes a server gets in this run
}

// pushScopes makes servers have what NetBox records: attributes and exclusions
// of scopes they have, and scopes they lack. It returns the scopes that it makes
// (rule 5.3).
func pushScopes(in *recorded) ([]*unit, work) {
	sp := &scopePush{recorded: in}
	for _, u := range in.units {
		if u.fallback || !in.pushesScopes(u.server) || !sp.pushable(u.want) {
			continue
		}
		if u.compared != nil {
			u.compared.pushes = in.brake(u.server) == ""
		}
		early := u.wakes() && (u.want.Start != u.scope.Start || u.want.End != u.scope.End)
		if early { // Windows takes another range for an active scope only
			sp.pushState(u)
		}
		sp.pushScope(u)
		sp.pushExclusions(u.compared, u.server, u.want, u.part.Exclusions)
		for _, twin := range in.writtenTwins(u) {
			sp.pushExclusions(in.compareTwin(u, twin), twin.server, u.want, twin.part.Exclusions)
		}
		sp.pushOptions(u)
		if !early {
			sp.pushState(u)
		}
	}
	for _, rec := range in.records {
		if in.pushesScopes(in.speaker(rec)) && in.gone(rec) && sp.pushable(rec) {
			sp.createScope(in.speaker(rec), rec)
		}
	}
	return sp.made, sp.work
}

// twins are the same scope on the partner, where that is written to as well.
func (r *surveyed) twins(u *unit) []*sighting {
	var out []*sighting
	for _, x := range r.partners {
		if x.scope.Subnet == u.scope.Subnet && x.source == u.source {
			out = append(out, x)
		}
	}
	return out
}

// compareTwin compares the exclusions of a scope with those of the partner. What only
// the partner has stays there, since NetBox follows the acting primary, and only what
// goes from that one goes from the partner too.
func (r *recorded) compareTwin(u *unit, twin *sighting) *comparison {
	if r.compared[twin] == nil {
		c := r.compare(twin.server, u.want, twin.scope)
		c.pushExclusions(twin.part.Exclusions, false)
		if u.compared != nil {
			c.keepRemoved(u.compared.removed)
		}
		c.pushes = r.brake(twin.server) == ""
		r.compared[twin] = c
	}
	return r.compared[twin]
}

// pushable checks a record before it goes to a server.
func (sp *scopePush) pushable(rec *record) bool {
	problem := ""
	duplicate := func(i int) bool {
		return slices.ContainsFunc(rec.Options[:i], func(o optionValue) bool {
			return o.Code == rec.Options[i].Code && o.VendorClass == rec.Options[i].VendorClass
		})
	}
	switch {
	case rec.End.Less(rec.Start):
		problem = fmt.Sprintf("its range starts at %s, after its end %s", rec.Start, rec.End)
	case !rec.Subnet.Contains(rec.Start) || !rec.Subnet.Contains(rec.End):
		problem = fmt.Sprintf("its range %s-%s leaves the subnet", rec.Start, rec.End)
	}
	if rec.Router != "" {
		if addr, err := netip.ParseAddr(rec.Router); err != nil || !addr.Is4() {
			problem = fmt.Sprintf("%s %q is no IPv4 address", state.FieldRouter, rec.Router)
		}
	}
	for i, x := range rec.Exclusions {
		if !rec.Subnet.Contains(x.Start) || !rec.Subnet.Contains(x.End) {
			problem = fmt.Sprintf("exclusion %s-%s leaves the subnet", x.Start, x.End)
		}
		if i > 0 && rec.Exclusions[i-1].Overlaps(x) && rec.Exclusions[i-1] != x {
			problem = fmt.Sprintf("exclusions %s-%s and %s-%s overlap, which Windows does not take",
				rec.Exclusions[i-1].Start, rec.Exclusions[i-1].End, x.Start, x.End)
		}
	}
	for i := range rec.Options {
		if duplicate(i) {
			problem = fmt.Sprintf("option %d has two values", rec.Options[i].Code)
		}
	}
	if problem != "" {
		sp.note(plan.Note{Level: plan.Conflict, Scope: rec.Subnet, Cause: plan.CauseScopePush, Text: problem + ": the scope is not pushed"})
	}
	return problem == ""
}

// pushScope sends the attributes that differ, and only those: a key that is
// not sent stays as it is, one that is sent replaces all (rule 1.3).
func (sp *scopePush) pushScope(u *unit) {
	have, rec := u.scope, u.want
	var changes []plan.Change
	differ := func(field string, old, want any) {
		if old != want {
			changes = append(changes, plan.Change{Field: field, Old: old, New: want})
		}
	}
	differ("name", have.Name, cmp.Or(rec.Name, have.Name))
	differ("start_ip", have.Start.String(), rec.Start.String())
	differ("end_ip", have.End.String(), rec.End.String())
	if rec.Description != "" && rec.Description != keptDescription(have.Description) {
		differ("description", have.Description, rec.Description)
	}
	if u.compared == nil || u.compared.router {
		differ("router", routerText(have), rec.Router)
	}
	switch {
	case have.LeaseSeconds >= windhcp.Unlimited && rec.LeaseSeconds >= windhcp.Unlimited:
	case rec.LeaseSeconds > 0 && have.LeaseSeconds > 0 && have.LeaseSeconds < windhcp.Unlimited:
		differ("lease_duration_seconds", have.LeaseSeconds, rec.LeaseSeconds)
	case rec.LeaseSeconds > 0:
		sp.note(plan.Note{Level: plan.Info, Server: sp.host(u.server), Scope: rec.Subnet, Cause: plan.CauseLeaseTime,
			Text: "the server's lease time is unlimited, or not told, so NetBox's is not pushed"})
	}
	if len(changes) == 0 {
		return
	}
	sp.step(plan.Step{
		Phase: plan.Push, Target: sp.host(u.server), Action: state.Update, Kind: plan.WindowsScope, Name: scopeName(rec.Name, rec.Subnet, rec.Source),
		Scope: rec.Subnet, VRF: rec.VRF, Changes: changes, Rule: "5.3", Why: "NetBox is the truth for scopes",
	})
}

// lifetime is the lease time a record asks for, in seconds; 0: none. An operator
// who edits only the readable field means that one (rule 9 row 5).
func lifetime(rec *record, onServer int64) int64 {
	shown, err := windhcp.ParseLifetime(rec.LeaseDisplay)
	if err == nil && shown > 0 && rec.LeaseSeconds == onServer {
		return shown
	}
	return rec.LeaseSeconds
}

// createScope makes a scope that NetBox has and its server lacks. It is handed
// out from at once, and belongs to no relationship.
func (sp *scopePush) createScope(server int, rec *record) {
	s := sp.asked(server)
	if _, taken := s.Scope(rec.Subnet.Addr()); taken {
		sp.note(plan.Note{Level: plan.Conflict, Server: s.Host, Scope: rec.Subnet, Cause: plan.CauseScopePush, Text: "the server has a scope of the same network address: not created"})
		return
	}
	inactive := strings.EqualFold(rec.State, "Inactive")
	if inactive && !s.Lists {
		sp.note(plan.Note{Level: plan.Conflict, Server: s.Host, Scope: rec.Subnet, Cause: plan.CauseScopePush,
			Text: "is inactive in NetBox, and the server's script can make active scopes only: not created"})
		return
	}
	mask := net.IP(net.CIDRMask(rec.Subnet.Bits(), 32)).String()
	changes := []plan.Change{
		{Field: "scope_id", New: rec.Subnet.Addr().String()},
		{Field: "name", New: cmp.Or(rec.Name, rec.Subnet.Addr().String())},
		{Field: "start_ip", New: rec.Start.String()},
		{Field: "end_ip", New: rec.End.String()},
		{Field: "subnet_mask", New: mask},
		{Field: "lease_duration_seconds", New: cmp.Or(rec.LeaseSeconds, windhcp.DefaultLifetime)},
	}
	if rec.Description != "" {
		changes = append(changes, plan.Change{Field: "description", New: rec.Description})
	}
	if rec.Router != "" {
		changes = append(changes, plan.Change{Field: "router", New: rec.Router})
	}
	options, agreed := sp.newOptions(server, rec)
	if len(options) > 0 {
		changes = append(changes, plan.Change{Field: "options", New: canonjson.Of(options)})
	}
	told := "created active: the server answers in it at once; it belongs to no failover relationship"
	if inactive {
		changes = append(changes, plan.Change{Field: "state", New: "Inactive"})
		told = "created inactive, as NetBox has it; it belongs to no failover relationship"
	}
	sp.step(plan.Step{
		Phase: plan.Push, Target: s.Host, Action: state.Create, Kind: plan.WindowsScope, Name: scopeName(rec.Name, rec.Subnet, rec.Source),
		Scope: rec.Subnet, VRF: rec.VRF, Changes: changes, Rule: "5.3", Why: "NetBox has it and the server does not",
	})
	sp.note(plan.Note{Level: plan.Warning, Server: s.Host, Scope: rec.Subnet, Cause: plan.CauseScopePush, Text: told})
	sp.pushExclusions(nil, server, rec, windhcp.List[windhcp.Exclusion]{})
	sp.agreeNew(server, rec, agreed)
	sp.made = append(sp.made, &unit{
		sighting: &sighting{
			verdict: verdict{source: rec.Source, vrf: rec.VRF, rec: rec}, server: server,
			scope: windhcp.Scope{Subnet: rec.Subnet, Start: rec.Start, End: rec.End},
		},
		want: rec,
	})
}

// agreeNew takes what a scope is made with for agreed (rule 5.6).
func (sp *scopePush) agreeNew(server int, rec *record, options []optionValue) {
	if sp.brake(server) != "" || sp.strange != "" {
		return
	}
	router, text, now := rec.Router, optionsText(options), stateActive
	if stateWord(rec.State) == stateInactive {
		now = stateInactive
	}
	agreed := plan.Agreement{Exclusions: union(nil, rec.Exclusions), Whole: true, Router: &router, Options: &text, State: &now}
	if rec.holder != nil {
		agreed.Edited = rec.holder.LastUpdated
	}
	sp.born[plan.ScopeKey{Server: sp.host(server), Subnet: rec.Subnet}] = agreed
}

// exclusionValue is an exclusion as the server's API has it.
type exclusionValue struct {
	Start netip.Addr `json:"start_ip"`
	End   netip.Addr `json:"end_ip"`
}

// pushExclusions makes a server's exclusions equal to NetBox's, but for those that
// stay or are held back. New ones that touch nothing come first. One that overlaps an
// old one replaces it in one step, since Windows refuses overlaps; what is left over
// goes last, so that no address is handed out in between without need (rule 5.3).
func (sp *scopePush) pushExclusions(c *comparison, server int, rec *record, have windhcp.List[windhcp.Exclusion]) {
	if !have.Complete() {
		return
	}
	var surplus, missing []windhcp.Exclusion
	for _, x := range union(nil, have.Items) {
		if c != nil && slices.Contains(c.removed, x) {
			surplus = append(surplus, x)
		}
	}
	for _, x := range union(nil, rec.Exclusions) {
		if !slices.Contains(have.Items, x) && (c == nil || !slices.Contains(c.hold, x)) {
			missing = append(missing, x)
		}
	}
	var apart, replacing []plan.Step
	for _, x := range missing {
		if !slices.ContainsFunc(surplus, x.Overlaps) {
			apart = append(apart, sp.exclusionStep(server, rec, nil, &x))
		}
	}
	left := surplus
	for _, x := range missing {
		if !slices.ContainsFunc(surplus, x.Overlaps) {
			continue
		}
		var old []windhcp.Exclusion
		var rest []windhcp.Exclusion
		for _, y := range left {
			if y.Overlaps(x) {
				old = append(old, y)
			} else {
				rest = append(rest, y)
			}
		}
		left = rest
		replacing = append(replacing, sp.exclusionStep(server, rec, old, &x))
	}
	for _, s := range append(apart, replacing...) {
		sp.step(s)
	}
	for _, x := range left {
		sp.step(sp.exclusionStep(server, rec, []windhcp.Exclusion{x}, nil))
	}
}

func (sp *scopePush) exclusionStep(server int, rec *record, old []windhcp.Exclusion, add *windhcp.Exclusion) plan.Step {
	s := plan.Step{
		Phase: plan.Push, Target: sp.host(server), Action: state.Update, Kind: plan.WindowsExclusion, Scope: rec.Subnet, VRF: rec.VRF, Rule: "5.3",
	}
	c := plan.Change{Field: "exclusions"}
	if len(old) > 0 {
		var values []exclusionValue
		for _, x := range old {
			values = append(values, exclusionValue(x))
		}
		c.Old = canonjson.Of(values)
		s.Addr, s.Name = old[0].Start, fmt.Sprintf("exclusion %s-%s", old[0].Start, old[0].End)
		s.Action, s.Why = state.Delete, "NetBox does not have it"
	}
	if add != nil {
		c.New = canonjson.Of([]exclusionValue{exclusionValue(*add)})
		s.Addr, s.Name = add.Start, fmt.Sprintf("exclusion %s-%s", add.Start, add.End)
		s.Action, s.Why = state.Create, "NetBox has it"
		if len(old) > 0 {
			s.Action, s.Why = state.Update, "NetBox has another one in its place"
		}
	}
	s.Changes = []plan.Change{c}
	return s
}
