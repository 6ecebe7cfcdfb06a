package decide

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Roster says which servers are asked and which of their scopes are read. It is
// made anew when more is known. The reader and Build go by the same rules.
type Roster struct {
	in            *plan.Input
	names         []windhcp.ServerName
	relationships []*relationship // by label
	records       []*record
	byKey         map[key]*record
	holders       map[*state.Range]bool // ranges that are a record
	notes         []plan.Note
}

// NewRoster looks at what is known so far. Addresses are not needed yet.
func NewRoster(in *plan.Input) *Roster {
	r := &Roster{in: in, byKey: make(map[key]*record), holders: make(map[*state.Range]bool)}
	for _, s := range in.Policy.Servers {
		r.names = append(r.names, s.ServerName)
	}
	r.readRecords()
	r.relationshipsOf()
	return r
}

// readRecords keeps each scope once. A second range for the same scope is left
// alone, with all scopes that it holds.
func (r *Roster) readRecords() {
	all, notes := recordsOf(r.in.NetBox.Ranges)
	for _, n := range notes {
		r.note(n)
	}
	repeated := make(map[*state.Range]bool)
	for _, rec := range all {
		rec.Source = r.canonical(rec.Source)
		other := r.byKey[rec.key()]
		switch {
		case repeated[rec.holder]:
		case other != nil:
			repeated[rec.holder] = !rec.entry
			r.note(plan.Note{Level: plan.Warning, Scope: rec.Subnet, Cause: plan.CauseTwoRecords,
				Text: fmt.Sprintf("IP ranges %d and %d hold the same scope of %s: that in %d is left alone", other.holder.ID, rec.holder.ID, rec.Source, rec.holder.ID)})
		default:
			r.byKey[rec.key()] = rec
			r.records = append(r.records, rec)
			if !rec.entry {
				r.holders[rec.holder] = true
			}
		}
	}
}

func (r *Roster) note(n plan.Note) {
	n.Rule = n.Cause.Rule()
	r.notes = append(r.notes, n)
}

// canonical names the server of a source as it is configured.
func (r *Roster) canonical(s plan.Source) plan.Source {
	if i := r.serverOf(s.Server); i >= 0 {
		return plan.Source{Server: r.host(i)}
	}
	return s
}

// serverOf finds the configured server a name means; -1: none.
func (r *Roster) serverOf(name string) int {
	if i, ok := windhcp.MatchServer(name, r.names); ok {
		return i
	}
	return -1
}

func (r *Roster) host(server int) string {
	if server < 0 {
		return ""
	}
	return r.names[server].Host
}

// asked returns what a server said in this run; nil if it was not asked.
func (r *Roster) asked(server int) *windhcp.Server {
	for i := range r.in.Windows {
		if server >= 0 && r.in.Windows[i].Host == r.host(server) {
			return &r.in.Windows[i]
		}
	}
	return nil
}

func (r *Roster) unreachable(server int) bool {
	s := r.asked(server)
	return s != nil && s.Scopes.Err != nil
}

func (r *Roster) everyServerSelected() bool {
	return !slices.ContainsFunc(r.in.Policy.Servers, func(s plan.Server) bool { return !s.Selected })
}

// complete reports whether every server was asked and answered.
func (r *Roster) complete() bool {
	for i := range r.in.Policy.Servers {
		if s := r.asked(i); s == nil || s.Scopes.Err != nil || !s.Failovers.Complete() {
			return false
		}
	}
	return true
}

// Ask lists the hosts that have to be asked and were not yet. It grows: the
// partner of a server that turns out to be down is asked next.
func (r *Roster) Ask() []string {
	var hosts []string
	for i := range r.in.Policy.Servers {
		if ok, _ := r.ask(i); ok && r.asked(i) == nil {
			hosts = append(hosts, r.host(i))
		}
	}
	return hosts
}

// ask decides before any connection is made whether a server is needed, and
// says why not (the pre-flight of rule 3.2).
func (r *Roster) ask(server int) (bool, string) {
	s := r.in.Policy.Servers[server]
	switch {
	case s.Disabled:
		return false, "disabled by an override"
	case s.Maintenance:
		return false, "in maintenance"
	case !s.Selected:
		return false, "not part of this run"
	case s.Standalone, r.in.Policy.Mode == plan.Import:
		return true, ""
	}
	for _, rel := range r.relationships {
		acting, _ := r.acting(rel)
		if rel.known && (acting == server || acting >= 0 && (r.partner(rel, server) || r.asksPartner(rel, server))) {
			return true, ""
		}
	}
	return false, "sync_standalone_scopes is off and it is not the acting primary of a relationship that is synced"
}

// partner reports whether a server is written to beside the acting primary of
// a relationship, and therefore read as well.
func (r *Roster) partner(rel *relationship, server int) bool {
	p := r.in.Policy
	acting, fallback := r.acting(rel)
	return p.PushToPartner && (p.PushReservations || p.PushScopeInfo) && acting >= 0 && !fallback && acting != server && rel.has(server)
}

// Lacks reports whether NetBox records a scope that a server has or shares with
// its partner, and that it did not list.
func (r *Roster) Lacks(s *windhcp.Server) bool {
	server := r.serverOf(s.Host)
	return slices.ContainsFunc(r.records, func(rec *record) bool {
		rel := r.relationshipOf(rec.Source.Failover)
		if rec.Source.Server != s.Host && (rel == nil || !rel.has(server)) {
			return false
		}
		_, listed := s.Scope(rec.Subnet.Addr())
		return !listed
	})
}

// Silent says of a server that was not asked why not; empty if it was.
func (r *Roster) Silent(host string) string {
	server := r.serverOf(host)
	if r.asked(server) != nil {
		return ""
	}
	_, why := r.ask(server)
	return why
}

// verdict is what becomes of one scope on one server.
type verdict struct {
	source   plan.Source
	read     bool // its leases and the rest are wanted
	fallback bool // read from the secondary in place of the primary
	partner  bool // not read, but written to beside the acting primary
	// elsewhere is set where the other server of the relationship speaks for it.
	elsewhere bool
	// unrecorded is set where NetBox has no record of it and this run makes none.
	unrecorded bool
	why        string
	level      plan.Level // of why, where it deserves a note
	cause      plan.Cause // of why
	vrf        int64      // where read, and where known
	rec        *record    // nil: NetBox has none
	prefix     *state.Prefix
}

// Reads reports whether the leases and the rest of a scope are to be read from
// a server, or only reservations and exclusions, since it is written to
// (push_to_partner).
func (r *Roster) Reads(host string, scope windhcp.Scope) (all, pushed bool) {
	v := r.decide(r.serverOf(host), scope)
	return v.read, v.read || v.partner
}

// decide says what becomes of one scope on one server: the first row that fits
// (rule 3.2). A failover relationship that is neither recorded nor named in the
// settings counts as none, unless this run records it.
//
//	scope          condition                                     outcome
//	standalone     sync_standalone_scopes off, not an import     left out
//	any            what it belongs to cannot be told (3.8)       failure
//	in failover    relationship disabled, in maintenance,        left out
//	               or not usable
//	in failover    another server acts as primary (a)            left out (b)
//	any            not in --scope                                left out
//	any            in maintenance                                left out
//	any            active_scopes_only, and not active            left out
//	any            its VRF cannot be told                        failure
//	any            no record in NetBox, and no import            left out, noted
//	any            else                                          read
//
// (a) In an import only if that server is asked. (b) With push_to_partner it is not
// read but written to, unless one of the next four rows fits as well.
func (r *Roster) decide(server int, scope windhcp.Scope) verdict {
	p := r.in.Policy
	if why := r.unsettled(server, scope); why != "" {
		return verdict{source: plan.Source{Server: r.host(server)}, level: plan.Failure, cause: plan.CauseUnsettled, why: why}
	}
	if rel := r.withoutContext(server, scope); rel != nil { // noteForeign tells it once for all its scopes
		return verdict{source: plan.Source{Failover: rel.label}, level: plan.Skip, cause: plan.CauseScope, why: "NetBox lacks the config context of failover " + rel.label}
	}
	source, fallback, refusal := r.sourceOf(server, scope)
	rel := r.relationshipOn(server, r.failoverOf(server, scope))
	v := verdict{source: source, fallback: fallback, level: plan.Skip, cause: plan.CauseScope, why: refusal}
	v.elsewhere = refusal != "" && rel != nil && source.Failover != "" && rel.enabled && !rel.maintenance && rel.problem == ""
	v.partner = refusal != "" && rel != nil && source.Failover != "" && r.partner(rel, server)
	switch {
	case refusal != "" && !v.partner:
		return v
	case len(p.OnlyScopes) > 0 && !slices.Contains(p.OnlyScopes, scope.Subnet):
		v.why, v.partner = "not part of this run", false
		return v
	case slices.Contains(p.MaintenanceScopes, scope.Subnet):
		v.why, v.partner = "in maintenance", false
		return v
	case p.ActiveScopesOnly && !scope.Active():
		v.why, v.partner = "not active on the server", false
		return v
	}
	if err := r.placeScope(server, scope.Subnet, &v); err != nil {
		v.why, v.level, v.partner = err.Error(), plan.Failure, false
		return v
	}
	if v.rec == nil && !p.Imports() {
		r.unknown(server, scope, &v)
		return v
	}
	if v.rec == nil && r.asked(server) != nil && !r.asked(server).Failovers.Complete() && r.mayBePartner(server) {
		v.why, v.level, v.cause, v.partner = "not recorded: which failover relationship it belongs to could not be read", plan.Failure, plan.CauseUnsettled, false
		return v
	}
	v.read = !v.partner
	return v
}

// unknown says why a scope without a record is left alone. What keeps it from being
// recorded, or hides its record, is an error that stays until it is solved
// (rule 3.2 point 1).
func (r *Roster) unknown(server int, scope windhcp.Scope, v *verdict) {
	v.partner, v.unrecorded = false, true
	if others := r.recordsFor(server, scope.Subnet, v.source); len(others) > 0 {
		v.level, v.cause = plan.Failure, plan.CauseStopped
		v.why = fmt.Sprintf("recorded in %s, but the settings of this server say %s: correct vrf or scope_vrf, or the VRF of its range and addresses",
			r.vrfName(others[0].VRF), r.vrfName(v.vrf))
		return
	}
	if x := r.inTheWay(v.vrf, scope); x != nil {
		v.level, v.cause = plan.Failure, plan.CauseNoRecord
		v.why = fmt.Sprintf("not known to NetBox, and cannot be recorded: IP range %s-%s (id %d) is in the way, since NetBox does not allow ranges of one VRF to overlap; "+
			"take it over with netbox-dhcp-sync import --adopt-ranges if it has the same span, else remove or shrink it and import; or name the scope in sync.maintenance_scopes", x.Start, x.End, x.ID)
		return
	}
	v.level = plan.Info
	v.why = fmt.Sprintf("not known to NetBox: netbox-dhcp-sync import --server %s adds it", r.host(server))
}

// inTheWay finds a range that the record of a scope would overlap; nil: none.
func (r *Roster) inTheWay(vrf int64, scope windhcp.Scope) *state.Range {
	span := &record{Start: scope.Start, End: scope.End}
	for i := range r.in.NetBox.Ranges {
		x := &r.in.NetBox.Ranges[i]
		scopes := x.Role == state.RoleScope && (!r.holders[x] || x.Subnet() == scope.Subnet) // one that cannot be read is told as such
		if x.VRF == vrf && !scopes && span.meets(x.Start, x.End) {
			return x
		}
	}
	return nil
}

// sourceOf says where the truth of a scope is, as the server reports it, or
// why it is not synced from here.
func (r *Roster) sourceOf(server int, scope windhcp.Scope) (source plan.Source, fallback bool, refusal string) {
	standalone := plan.Source{Server: r.host(server)}
	importing := r.in.Policy.Mode == plan.Import
	name := r.failoverOf(server, scope)
	rel := r.relationshipOn(server, name)
	usable := rel != nil && (rel.known || r.in.Policy.Imports() && rel.problem == "")
	if name == "" || !usable {
		if !r.in.Policy.Servers[server].Standalone && !importing {
			return standalone, false, "sync_standalone_scopes is off for this server"
		}
		return standalone, false, ""
	}
	source = plan.Source{Failover: rel.label}
	acting, fallback := r.acting(rel)
	switch {
	case !rel.enabled:
		return source, false, "the relationship is not sync enabled"
	case rel.maintenance:
		return source, false, "the relationship is in maintenance"
	case rel.problem != "":
		return source, false, fmt.Sprintf("failover %s: %s", rel.label, rel.problem)
	case acting != server && (!importing || r.asked(acting) != nil):
		return source, false, fmt.Sprintf("%s is the acting primary", r.host(acting))
	}
	return source, fallback, ""
}

// placeScope finds VRF, record and prefix of a scope (rule 3.6).
func (r *Roster) placeScope(server int, subnet netip.Prefix, v *verdict) error {
	vrf, mapped, err := r.mappedVRF(server, subnet)
	if err != nil {
		return err
	}
	var inVRFs []int64
	for _, p := range r.in.NetBox.Prefixes {
		if p.Prefix == subnet && !slices.Contains(inVRFs, p.VRF) {
			inVRFs = append(inVRFs, p.VRF)
		}
	}
	candidates := r.recordsFor(server, subnet, v.source)
	named := r.namedPrefix(server, subnet)
	switch {
	case mapped:
	case named != nil:
		vrf = named.VRF
	case len(candidates) == 1:
		vrf = candidates[0].VRF
	case len(inVRFs) == 1:
		vrf = inVRFs[0]
	case len(inVRFs) > 1:
		return fmt.Errorf("prefix %s is in several VRFs: name one in vrf or scope_vrf of server %s", subnet, r.host(server))
	}
	v.vrf = vrf
	for _, c := range candidates {
		if c.VRF == vrf && (v.rec == nil || c.Source == v.source) {
			v.rec = c
		}
	}
	v.prefix, err = r.prefixOf(server, subnet, vrf)
	return err
}

// namedPrefix is the prefix that the settings of a server name for a scope; nil:
// they name none, or one that is not of its network.
func (r *Roster) namedPrefix(server int, subnet netip.Prefix) *state.Prefix {
	id := r.in.Policy.Servers[server].ScopePrefix[subnet]
	for i := range r.in.NetBox.Prefixes {
		if p := &r.in.NetBox.Prefixes[i]; id != 0 && p.ID == id && p.Prefix == subnet {
			return p
		}
	}
	return nil
}

// prefixOf is the prefix of a scope; nil: there is none. Of several in one table
// the settings have to name one: their addresses are different people's
// (rule 3.6 point 1).
func (r *Roster) prefixOf(server int, subnet netip.Prefix, vrf int64) (*state.Prefix, error) {
	var same []*state.Prefix
	for i := range r.in.NetBox.Prefixes {
		if p := &r.in.NetBox.Prefixes[i]; p.Prefix == subnet && p.VRF == vrf {
			same = append(same, p)
		}
	}
	id, named, host := r.in.Policy.Servers[server].ScopePrefix[subnet], r.namedPrefix(server, subnet), r.host(server)
	switch {
	case id != 0 && (named == nil || named.VRF != vrf):
		return nil, fmt.Errorf("scope_prefix of server %s: NetBox has no prefix %s with id %d in %s", host, subnet, id, r.vrfName(vrf))
	case len(same) == 0:
		return nil, nil
	case len(same) == 1:
		return same[0], nil
	case named == nil:
		var ids []string
		for _, p := range same {
			ids = append(ids, strconv.FormatInt(p.ID, 10))
		}
		return nil, fmt.Errorf("NetBox has %d prefixes %s in %s (ids %s): name the one of this scope in scope_prefix of server %s", len(same), subnet, r.vrfName(vrf), strings.Join(ids, ", "), host)
	}
	for other := range r.in.Policy.Servers {
		if p := r.namedPrefix(other, subnet); p != nil && p.ID != id && p.VRF == vrf {
			return nil, fmt.Errorf("scope_prefix: servers %s and %s name different prefixes %s of one table, which cannot be kept apart: give each its VRF", host, r.host(other), subnet)
		}
	}
	return named, nil
}

// shared are the prefixes that the settings chose among several of one network and
// table.
func (r *Roster) shared() map[subnetKey]*state.Prefix {
	count, chosen := make(map[subnetKey]int), make(map[subnetKey]*state.Prefix)
	for i := range r.in.NetBox.Prefixes {
		p := &r.in.NetBox.Prefixes[i]
		id := subnetKey{p.VRF, p.Prefix}
		if count[id]++; count[id] == 2 {
			chosen[id] = nil
		}
	}
	for id := range chosen {
		for server := range r.in.Policy.Servers {
			if p, err := r.prefixOf(server, id.subnet, id.vrf); err == nil {
				chosen[id] = p
			}
		}
	}
	return chosen
}

// recordsFor finds the records that may be a scope of a server: that of its
// source, or one from before it joined or left a relationship
// (rule 4).
func (r *Roster) recordsFor(server int, subnet netip.Prefix, source plan.Source) []*record {
	var exact, linked []*record
	for _, rec := range r.records {
		if rec.Subnet != subnet {
			continue
		}
		rel := r.relationshipOf(rec.Source.Failover)
		switch {
		case rec.Source == source:
			exact = append(exact, rec)
		case rec.Source.Server == r.host(server), rec.Source.Failover != "" && rel != nil && rel.primary == server:
			linked = append(linked, rec)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return linked
}

var errNoVRF = errors.New("NetBox has no such VRF")

// mappedVRF is the VRF the settings give a scope of a server. A relationship's
// scopes go by the settings of either server, the one asked first.
func (r *Roster) mappedVRF(server int, subnet netip.Prefix) (vrf int64, mapped bool, err error) {
	s := r.in.Policy.Servers[server]
	name := s.ScopeVRF[subnet]
	if name == "" {
		name = s.VRF
	}
	if name == "" {
		return 0, false, nil
	}
	found := int64(0)
	for _, v := range r.in.NetBox.VRFs {
		if v.Name != name && v.RD != name {
			continue
		}
		if found != 0 {
			return 0, false, fmt.Errorf("VRF %q: NetBox has several: name its route distinguisher", name)
		}
		found = v.ID
	}
	if found == 0 {
		return 0, false, fmt.Errorf("VRF %q: %w", name, errNoVRF)
	}
	return found, true, nil
}

// Subnets lists what has to be known of NetBox's addresses: the subnets of all
// scopes, read or only recorded.
func (r *Roster) Subnets() []netip.Prefix {
	var subnets []netip.Prefix
	for _, rec := range r.records {
		subnets = append(subnets, rec.Subnet)
	}
	for i := range r.in.Windows {
		for _, scope := range r.in.Windows[i].Scopes.Items {
			if r.decide(r.serverOf(r.in.Windows[i].Host), scope).read {
				subnets = append(subnets, scope.Subnet)
			}
		}
	}
	slices.SortFunc(subnets, netip.Prefix.Compare)
	return slices.Compact(subnets)
}

// Unmatched lists the scopes of --scope that no server lists and NetBox does not
// record. It is empty where a server that was asked did not tell its scopes.
func (r *Roster) Unmatched() []netip.Prefix {
	known := make(map[netip.Prefix]bool)
	for _, rec := range r.records {
		known[rec.Subnet] = true
	}
	for _, x := range r.in.NetBox.Ranges { // a record that cannot be read is one all the same
		known[x.Subnet()] = known[x.Subnet()] || x.Role == state.RoleScope
	}
	for i := range r.in.Windows {
		if !r.in.Windows[i].Scopes.Complete() {
			return nil
		}
		for _, scope := range r.in.Windows[i].Scopes.Items {
			known[scope.Subnet] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(r.in.Policy.OnlyScopes), func(p netip.Prefix) bool { return known[p] })
}
