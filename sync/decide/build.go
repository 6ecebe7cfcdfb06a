// Package decide turns what was read from Windows DHCP servers and from NetBox
// into a plan: what the mirror changes on both sides, each step with its reason.
// It is pure: no I/O, no clock, no log, and the same input gives the same bytes.
// It must not show plans to people or carry them out.
package decide

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// builder makes one plan. It keeps NetBox as it will be when the steps so far
// are done, so that what is pushed and checked rests on the same state as the
// next run will find.
type builder struct {
	*Roster
	p     *plan.Policy
	nb    *state.State
	plan  *plan.Plan
	units []*unit
	// partners are scopes that are only written to (push_to_partner).
	partners []*unit
	created  []*unit // scopes a server gets in this run
	heldBack int     // steps on servers that read_only forbids
	// listed are the scope records some server was asked about and whose list
	// has the scope, by record.
	listed map[*record]bool
	// removed are the scope records that go away.
	removed map[*record]bool
	// wanted are the scope records as they are after the steps so far.
	wanted []*record
	// unplaced are new records that NetBox takes no range for.
	unplaced map[*record]bool
	claimed  []*record // whose ranges are made or moved
	// newPrefixes are the steps that make a prefix.
	newPrefixes map[subnetKey]int
	shields     []state.Prefix // prefixes that carry the protecting tag
	full        []*state.Range // ranges NetBox takes no new address in
	// addresses are the objects of each place, the one that counts first, as
	// they are after the steps so far.
	addresses map[plan.Place][]*state.Address
	held      map[plan.Place]bool // places NetBox had an address object for
	// withdrawn are reservations that are deleted from servers.
	withdrawn map[plan.PushedKey]bool
	// reservedIn are the scopes in which a server has a reservation for a client.
	reservedIn map[int]map[windhcp.ClientID][]netip.Addr
	// pushed are the addresses of Memory.Pushed by server, in order.
	pushed map[string][]netip.Addr
}

// unit is a scope that takes part, with what its server said of it.
type unit struct {
	verdict
	server int
	scope  windhcp.Scope
	part   windhcp.Part
	want   *record // as it will be recorded; nil: not recorded
	// options tells that want has the server's options.
	options bool
}

// Build decides what has to be done. It changes nothing in its input.
func Build(in plan.Input) *plan.Plan {
	b := &builder{
		Roster: NewRoster(&in), p: &in.Policy, nb: in.NetBox,
		plan:   &plan.Plan{Made: in.Now, Memory: in.Memory.Clone()},
		listed: make(map[*record]bool), unplaced: make(map[*record]bool), newPrefixes: make(map[subnetKey]int),
		reservedIn: make(map[int]map[windhcp.ClientID][]netip.Addr),
	}
	b.indexAddresses()
	b.collect()
	if in.Policy.Mode == plan.Migrate {
		b.migrate()
		return b.finish()
	}
	b.recordFailovers()
	b.recordScopes()
	if problem := statusSettingsProblem(&in.Policy, in.NetBox.Statuses); problem != "" {
		b.note(plan.Note{Level: plan.Failure, Rule: "3.6", Text: problem + "; no address is touched"})
	} else if in.Policy.Mode == plan.Sync {
		targets := b.pushTargets()
		b.findWithdrawn(targets)
		if in.Policy.SyncIPs {
			b.syncAddresses()
		}
		b.pushReservations(targets)
		b.checkStatuses()
	}
	b.reflectScopes()
	if in.Policy.Mode == plan.Import {
		b.plan.Imported = b.importResult()
	}
	return b.finish()
}

// finish puts everything in its order: nothing may depend on the order in
// which servers answered.
func (b *builder) finish() *plan.Plan {
	slices.SortStableFunc(b.plan.Steps, func(x, y plan.Step) int {
		if x.Phase == plan.Push && y.Phase == plan.Push {
			return cmp.Compare(x.Target, y.Target)
		}
		return cmp.Compare(x.Phase, y.Phase)
	})
	if b.heldBack > 0 {
		b.note(plan.Note{Level: plan.Skip, Rule: "7", Text: fmt.Sprintf("%d changes on servers are not made: read_only", b.heldBack)})
	}
	b.plan.Notes = b.notes
	for i := range b.plan.Notes {
		n := &b.plan.Notes[i]
		if !n.Once {
			continue
		}
		told := fmt.Sprintf("%s %s %s", n.Rule, n.Scope, n.Addr)
		if b.in.Memory.Told[told] {
			n.Level = plan.Info
		}
		b.plan.Memory.Told[told] = true
	}
	return b.plan
}

// step adds a step.
func (b *builder) step(s plan.Step) {
	if s.Target != plan.NetBox && b.p.ReadOnly {
		b.heldBack++
		return
	}
	b.plan.Steps = append(b.plan.Steps, s)
}

// collect decides about each scope of each server and notes what is left out.
func (b *builder) collect() {
	for server := range b.p.Servers {
		s := b.asked(server)
		if s == nil {
			if _, why := b.ask(server); why != "" && b.p.Servers[server].Selected {
				b.note(plan.Note{Level: plan.Info, Server: b.host(server), Rule: "3.2", Text: "not asked: " + why})
			}
			continue
		}
		if s.Scopes.Err != nil {
			b.note(plan.Note{Level: plan.Failure, Server: s.Host, Rule: "3.8",
				Text: fmt.Sprintf("nothing of this server is changed: %v", s.Scopes.Err)})
			continue
		}
		b.noteMalformed(s.Host, netip.Prefix{}, "scope", s.Scopes.Malformed)
		if s.Failovers.Err != nil {
			b.note(plan.Note{Level: plan.Failure, Server: s.Host, Rule: "3.8", Text: fmt.Sprintf("failover relationships: %v", s.Failovers.Err)})
		}
		told := make(map[netip.Addr]bool)
		for _, scope := range s.Scopes.Items {
			if !told[scope.ID()] {
				b.collectScope(server, s, scope)
			}
			told[scope.ID()] = true
		}
	}
}

func (b *builder) collectScope(server int, s *windhcp.Server, scope windhcp.Scope) {
	v := b.decide(server, scope)
	for _, rec := range b.recordsFor(server, scope.Subnet, v.source) {
		if rec.Source == v.source || !b.superseded(server, scope) {
			b.listed[rec] = true
		}
	}
	seen := plan.ScopeSeen{
		Server: s.Host, Source: v.source, Scope: scope.Subnet, Name: scope.Name, VRF: v.vrf,
		Known: v.rec != nil, Synced: v.read, Why: v.why,
	}
	if v.why != "" {
		b.note(plan.Note{Level: v.level, Server: s.Host, Scope: scope.Subnet, Rule: "3.2", Text: v.why})
	}
	if v.partner {
		b.partners = append(b.partners, &unit{verdict: v, server: server, scope: scope, part: partOf(s, scope)})
	}
	if v.read {
		part := partOf(s, scope)
		seen.Leases, seen.Reservations = len(part.Leases.Items), len(part.Reservations.Items)
		b.units = append(b.units, &unit{verdict: v, server: server, scope: scope, part: part})
		b.noteFailedLists(s.Host, scope.Subnet, part)
		if rel := b.relationshipNamed(scope.Failover); scope.Failover != "" && v.source.Failover == "" {
			why := "netbox-dhcp-sync import records it"
			if rel != nil && rel.problem != "" {
				why = rel.problem
			}
			b.note(plan.Note{Level: plan.Warning, Server: s.Host, Scope: scope.Subnet, Rule: "4",
				Text: fmt.Sprintf("belongs to failover %s, which NetBox does not know, and is kept as a scope of this server alone: %s", scope.Failover, why)})
		}
	}
	b.plan.Scopes = append(b.plan.Scopes, seen)
}

// superseded reports whether the other server of a relationship speaks for a
// scope: what is recorded of it as this server's own is from before the two
// became partners.
func (b *builder) superseded(server int, scope windhcp.Scope) bool {
	rel := b.relationshipNamed(scope.Failover)
	if scope.Failover == "" || rel == nil {
		return false
	}
	acting, fallback := b.acting(rel)
	s := b.asked(acting)
	if s == nil || acting == server || fallback {
		return false
	}
	twin, ok := s.Scope(scope.ID())
	return ok && twin.Subnet == scope.Subnet && strings.EqualFold(twin.Failover, scope.Failover) && b.decide(acting, twin).read
}

func partOf(s *windhcp.Server, scope windhcp.Scope) windhcp.Part {
	if part, ok := s.Parts[scope.ID()]; ok {
		return part
	}
	return windhcp.Unread()
}

func (b *builder) noteFailedLists(host string, subnet netip.Prefix, part windhcp.Part) {
	tell := func(what string, err error, malformed []string) {
		if err != nil {
			b.note(plan.Note{Level: plan.Failure, Server: host, Scope: subnet, Rule: "3.8", Text: fmt.Sprintf("%s: %v", what, err)})
		}
		b.noteMalformed(host, subnet, what, malformed)
	}
	if b.p.ReadsLeases() {
		tell("leases", part.Leases.Err, part.Leases.Malformed)
		tell("reservations", part.Reservations.Err, part.Reservations.Malformed)
	}
	if b.p.Mode == plan.Migrate {
		return
	}
	tell("exclusions", part.Exclusions.Err, part.Exclusions.Malformed)
	if b.p.ReadsOptions() {
		tell("options", part.Options.Err, part.Options.Malformed)
	}
}

func (b *builder) noteMalformed(host string, subnet netip.Prefix, what string, malformed []string) {
	if len(malformed) == 0 {
		return
	}
	b.note(plan.Note{Level: plan.Warning, Server: host, Scope: subnet, Rule: "3.7 guard b",
		Text: fmt.Sprintf("%s: %d entries cannot be used, so nothing is removed here: %s", what, len(malformed), malformed[0])})
}
