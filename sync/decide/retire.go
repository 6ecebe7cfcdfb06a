package decide

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// retire hands the records of a server that was replaced to the servers that list
// its scopes now, and drops those that the new server has a record of (rule 4
// step 5). Addresses stay as they are.
//
//	the scope is listed by              outcome
//	none                                the record stays
//	one server or relationship          the record becomes its
//	one that has a record of its own    the old record goes
//	several                             failure: --server says which one
func retire(in *surveyed) (*recorded, work) {
	sc := &scoping{surveyed: in, unplaced: make(map[*record]string), writes: make(map[*record]int), prefixes: make(map[subnetKey]int)}
	old := in.canonical(plan.Source{Server: in.p.Retired})
	out, found := &recorded{surveyed: in}, 0
	for _, rec := range in.records {
		if !strings.EqualFold(rec.Source.Server, old.Server) || in.switchedOff(rec.Subnet) {
			sc.wanted = append(sc.wanted, rec)
			continue
		}
		found++
		if want := sc.handOver(rec); want != nil {
			sc.wanted = append(sc.wanted, want)
		}
	}
	if found == 0 {
		sc.note(plan.Note{Level: plan.Failure, Cause: plan.CauseUnknownSource, Text: fmt.Sprintf("NetBox records no scope of a server %s", in.p.Retired)})
		out.wanted = sc.wanted
		return out, sc.work
	}
	sc.placeRecords()
	for i := range sc.steps {
		sc.steps[i].Rule, sc.steps[i].Why = "4 step 5", "server "+in.p.Retired+" is retired"
	}
	sc.noteContexts()
	out.wanted = sc.wanted
	return out, sc.work
}

// handOver is a record as it should be; nil: it goes.
func (sc *scoping) handOver(rec *record) *record {
	var heirs []plan.Source
	recorded := false
	for _, x := range sc.all {
		if x.scope.Subnet != rec.Subnet || x.vrf != rec.VRF || !x.read && !x.unrecorded {
			continue
		}
		if !slices.Contains(heirs, x.source) {
			heirs = append(heirs, x.source)
		}
		recorded = recorded || x.rec != nil
	}
	switch {
	case len(heirs) == 0:
		sc.note(plan.Note{Level: plan.Warning, Scope: rec.Subnet, Cause: plan.CauseUnknownSource,
			Text: "no server that was asked lists this scope: its record stays; delete its IP range if the scope is gone for good"})
		return rec
	case len(heirs) > 1:
		var names []string
		for _, s := range heirs {
			names = append(names, s.String())
		}
		sc.note(plan.Note{Level: plan.Failure, Scope: rec.Subnet, Cause: plan.CauseUnknownSource,
			Text: "several list this scope: " + strings.Join(names, ", ") + "; name the one that took it over with --server"})
		return rec
	case recorded:
		return nil
	}
	want := *rec
	want.Source = heirs[0]
	return &want
}

// noteContexts tells of relationships that still name the server: the mirror never
// changes their contexts.
func (sc *scoping) noteContexts() {
	var names []string
	for _, rel := range sc.relationships {
		if rel.context != nil && strings.Contains(strings.ToLower(string(rel.context.Data)), strings.ToLower(`"`+sc.p.Retired+`"`)) {
			names = append(names, fmt.Sprintf("%q", rel.context.Name))
		}
	}
	if len(names) > 0 {
		sc.note(plan.Note{Level: plan.Warning, Cause: plan.CauseContext,
			Text: printable.Count(len(names), "config context names", "config contexts name") + " this server: " + strings.Join(names, ", ") + "; put the new server there by hand"})
	}
}
