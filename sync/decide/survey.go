package decide

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// sighting is a scope that a server listed, with what was decided about it and
// what the server said of it.
type sighting struct {
	verdict
	server int
	scope  windhcp.Scope
	part   windhcp.Part
}

// surveyed is the first result: which scopes of which servers take part.
type surveyed struct {
	*view
	all      []*sighting // in the order of servers and their lists
	partners []*sighting // those that are only written to (push_to_partner)
	// listed are the scope records that a server was asked about and whose list
	// has the scope.
	listed map[*record]bool
}

type surveyor struct {
	*surveyed
	work
}

// survey decides about each scope of each server and notes what is left out.
func survey(v *view) (*surveyed, work) {
	sv := &surveyor{surveyed: &surveyed{view: v, listed: make(map[*record]bool)}}
	for server := range v.p.Servers {
		s := v.asked(server)
		if s == nil {
			if _, why := v.ask(server); why != "" && v.p.Servers[server].Selected {
				sv.note(plan.Note{Level: plan.Info, Server: v.host(server), Cause: plan.CauseNotAsked, Text: "not asked: " + why})
			}
			continue
		}
		if s.Scopes.Err != nil {
			sv.note(plan.Note{Level: plan.Failure, Server: s.Host, Cause: plan.CauseUnread,
				Text: fmt.Sprintf("nothing of this server is changed: %v", s.Scopes.Err)})
			continue
		}
		sv.noteMalformed(s.Host, netip.Prefix{}, "scope", s.Scopes.Malformed)
		sv.noteMalformed(s.Host, netip.Prefix{}, "failover relationship", s.Failovers.Malformed)
		if s.Failovers.Err != nil {
			sv.note(plan.Note{Level: plan.Failure, Server: s.Host, Cause: plan.CauseUnread, Text: fmt.Sprintf("failover relationships: %v", s.Failovers.Err)})
		}
		told := make(map[netip.Addr]bool)
		for _, scope := range s.Scopes.Items {
			if !told[scope.ID()] {
				sv.scope(server, s, scope)
			}
			told[scope.ID()] = true
		}
	}
	if v.p.Mode == plan.Sync {
		sv.noteForeign()
		sv.noteStopped()
	}
	return sv.surveyed, sv.work
}

func (sv *surveyor) scope(server int, s *windhcp.Server, scope windhcp.Scope) {
	x := &sighting{verdict: sv.decide(server, scope), server: server, scope: scope, part: partOf(s, scope)}
	sv.all = append(sv.all, x)
	if x.partner {
		sv.partners = append(sv.partners, x)
	}
	for _, rec := range sv.recordsFor(server, scope.Subnet, x.source) {
		if rec.Source == x.source || !sv.superseded(server, scope) {
			sv.listed[rec] = true
		}
	}
	if x.why != "" {
		sv.note(plan.Note{Level: x.level, Server: s.Host, Scope: scope.Subnet, Cause: x.cause, Text: x.why})
	}
	if !x.read {
		return
	}
	sv.noteFailedLists(s.Host, scope.Subnet, x.part)
	name := sv.failoverOf(server, scope)
	if rel := sv.relationshipOn(server, name); name != "" && x.source.Failover == "" {
		why := "netbox-dhcp-sync import records it"
		if rel != nil && rel.problem != "" {
			why = rel.problem
		}
		sv.note(plan.Note{Level: plan.Warning, Server: s.Host, Scope: scope.Subnet, Cause: plan.CauseNoFailover,
			Text: fmt.Sprintf("belongs to failover %s, which NetBox does not know, and is kept as a scope of this server alone: %s", name, why)})
	}
}

// seen lists all scopes for the report.
func (sv *surveyed) seen() []plan.ScopeSeen {
	var out []plan.ScopeSeen
	for _, x := range sv.all {
		seen := plan.ScopeSeen{
			Server: sv.host(x.server), Source: x.source, Scope: x.scope.Subnet, Name: x.scope.Name, VRF: x.vrf,
			Known: x.rec != nil, Synced: x.read, Why: x.why,
		}
		if x.read {
			seen.Leases, seen.Reservations = len(x.part.Leases.Items), len(x.part.Reservations.Items)
		}
		out = append(out, seen)
	}
	return out
}

// superseded reports whether the other server of a relationship speaks for a
// scope: what is recorded of it as this server's own is from before the two
// became partners.
func (sv *surveyor) superseded(server int, scope windhcp.Scope) bool {
	name := sv.failoverOf(server, scope)
	rel := sv.relationshipOn(server, name)
	if name == "" || rel == nil {
		return false
	}
	acting, fallback := sv.acting(rel)
	s := sv.asked(acting)
	if s == nil || acting == server || fallback {
		return false
	}
	twin, ok := s.Scope(scope.ID())
	return ok && twin.Subnet == scope.Subnet && strings.EqualFold(sv.failoverOf(acting, twin), name) && sv.decide(acting, twin).read
}

func partOf(s *windhcp.Server, scope windhcp.Scope) windhcp.Part {
	if part, ok := s.Parts[scope.ID()]; ok {
		return part
	}
	return windhcp.Unread()
}

func (sv *surveyor) noteFailedLists(host string, subnet netip.Prefix, part windhcp.Part) {
	tell := func(what string, err error, malformed []string) {
		if err != nil {
			sv.note(plan.Note{Level: plan.Failure, Server: host, Scope: subnet, Cause: plan.CauseUnread, Text: fmt.Sprintf("%s: %v", what, err)})
		}
		sv.noteMalformed(host, subnet, what, malformed)
	}
	if sv.p.ReadsLeases() {
		tell("leases", part.Leases.Err, part.Leases.Malformed)
		tell("reservations", part.Reservations.Err, part.Reservations.Malformed)
	}
	if sv.p.Mode == plan.Migrate || sv.p.Mode == plan.Retire {
		return
	}
	tell("exclusions", part.Exclusions.Err, part.Exclusions.Malformed)
	if sv.p.ReadsOptions() {
		tell("options", part.Options.Err, part.Options.Malformed)
	}
}

func (sv *surveyor) noteMalformed(host string, subnet netip.Prefix, what string, malformed []string) {
	if len(malformed) == 0 {
		return
	}
	sv.note(plan.Note{Level: plan.Failure, Server: host, Scope: subnet, Cause: plan.CauseMalformed,
		Text: fmt.Sprintf("%s: %s cannot be used, so nothing is removed here: %s", what, printable.Count(len(malformed), "entry", "entries"), malformed[0])})
}

// gone reports whether a record's scope is not on its server any more: the
// list was read and understood, and does not have it. Without the relationships
// of the server it cannot be told whose the scope was (rule 3.8 point 1).
func (sv *surveyed) gone(rec *record) bool {
	s := sv.asked(sv.speaker(rec))
	return !sv.listed[rec] && s != nil && s.Scopes.Complete() && s.Failovers.Complete()
}

// missing reports whether a record's scope is one the server gets from NetBox
// (push_scope_info). A server that lists no scope at all is not believed.
func (sv *surveyed) missing(rec *record) bool {
	return sv.pushesScopes(sv.speaker(rec)) && sv.gone(rec) && len(sv.asked(sv.speaker(rec)).Scopes.Items) > 0
}
