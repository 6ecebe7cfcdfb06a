package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Stopped tells what a run would not mirror although NetBox records it and no
// switch says so (rule 3.2 point 1). What the scopes contain need not be read.
func Stopped(in *plan.Input) []plan.Note {
	v := newView(in)
	_, w := survey(v)
	return slices.DeleteFunc(slices.Concat(v.notes, w.notes), func(n plan.Note) bool {
		return n.Cause == plan.CauseUnread || n.Cause == plan.CauseMalformed || n.Level != plan.Failure && n.Cause != plan.CauseUnknownSource
	})
}

// switchedOff reports whether the operator took a scope out of this run.
func (v *view) switchedOff(subnet netip.Prefix) bool {
	return slices.Contains(v.p.MaintenanceScopes, subnet) || len(v.p.OnlyScopes) > 0 && !slices.Contains(v.p.OnlyScopes, subnet)
}

// noteForeign tells, once for each source, of scopes recorded for a server or
// relationship that is not known any more. It is an error where a server lists
// one of them, since that one was mirrored before.
func (sv *surveyor) noteForeign() {
	bySource := make(map[plan.Source][]*record)
	var sources []plan.Source
	for _, rec := range sv.records {
		if !sv.foreign(rec) || sv.switchedOff(rec.Subnet) {
			continue
		}
		if bySource[rec.Source] == nil {
			sources = append(sources, rec.Source)
		}
		bySource[rec.Source] = append(bySource[rec.Source], rec)
	}
	slices.SortFunc(sources, func(a, b plan.Source) int { return strings.Compare(a.String(), b.String()) })
	for _, source := range sources {
		recs, level := bySource[source], plan.Warning
		text := printable.Count(len(recs), "scope is", "scopes are") + " recorded as " + source.String() + "'s, which is not known here, and left alone"
		if hosts := sv.listers(recs); len(hosts) > 0 {
			level = plan.Failure
			text += "; listed now by " + strings.Join(hosts, ", ")
		}
		sv.note(plan.Note{Level: level, Scope: recs[0].Subnet, Cause: plan.CauseUnknownSource, Text: text + ". " + sv.reunite(source)})
	}
}

// reunite says what to do about the records of a source that is not known.
func (sv *surveyor) reunite(source plan.Source) string {
	if source.Failover != "" {
		return "Record the relationship again with netbox-dhcp-sync import"
	}
	return "If the server has another name now, add this one to its aliases in sync.servers; if another one took its place: netbox-dhcp-sync retire " + source.Server
}

// listers names the servers that list a scope of one of these subnets as their own
// without a record of it.
func (sv *surveyor) listers(recs []*record) []string {
	var hosts []string
	for _, x := range sv.all {
		same := func(rec *record) bool { return rec.Subnet == x.scope.Subnet }
		if host := sv.host(x.server); x.rec == nil && slices.ContainsFunc(recs, same) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// noteStopped tells of relationships that cannot be used, and of scopes that only
// the server which does not speak for their relationship lists.
func (sv *surveyor) noteStopped() {
	read := make(map[*record]bool)
	for _, x := range sv.all {
		read[x.rec] = read[x.rec] || x.read
	}
	recorded := make(map[*relationship]int)
	for _, rec := range sv.records {
		rel := sv.relationshipOf(rec.Source.Failover)
		if rec.Source.Failover == "" || rel == nil || !rel.known || !rel.enabled || rel.maintenance || sv.switchedOff(rec.Subnet) {
			continue
		}
		if rel.problem != "" {
			recorded[rel]++
			continue
		}
		acting, _ := sv.acting(rel)
		s := sv.asked(acting)
		if read[rec] || !sv.listed[rec] || s == nil || s.Scopes.Err != nil {
			continue
		}
		if _, lists := s.Scope(rec.Subnet.Addr()); !lists {
			sv.note(plan.Note{Level: plan.Failure, Server: s.Host, Scope: rec.Subnet, Cause: plan.CauseStopped,
				Text: fmt.Sprintf("not mirrored: this server speaks for failover %s and does not list the scope, but its partner does", rel.label)})
		}
	}
	for _, rel := range sv.relationships {
		if n := recorded[rel]; n > 0 {
			sv.note(plan.Note{Level: plan.Failure, Cause: plan.CauseStopped,
				Text: fmt.Sprintf("failover %s: %s; not mirrored: %s", rel.label, rel.problem, printable.Count(n, "scope", "scopes"))})
		}
	}
}
