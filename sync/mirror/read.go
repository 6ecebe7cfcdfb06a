package mirror

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// NotPreparedError says that a NetBox cannot be mirrored into as it is.
type NotPreparedError struct {
	Problem, Fix string
}

// Error gives problem and cure.
func (e *NotPreparedError) Error() string { return e.Problem + ": " + e.Fix }

// NoSuchScopeError says that a run is about scopes that neither side knows.
type NoSuchScopeError struct {
	Scopes []netip.Prefix
}

// Error names the scopes.
func (e *NoSuchScopeError) Error() string {
	var names []string
	for _, p := range e.Scopes {
		names = append(names, p.String())
	}
	return "--scope " + strings.Join(names, ", ") + ": no server lists such a scope, and NetBox records none"
}

// read reads both sides for a plan: NetBox without its addresses, then the
// servers that are needed, then the addresses of the scopes that take part. The
// roster is that of the servers as they were read. A server that cannot be read is
// part of the answer; a NetBox that cannot is an error.
func (m *Mirror) read(ctx context.Context, o Options) (*plan.Input, *decide.Roster, error) {
	policy, err := m.policy(o)
	if err != nil {
		return nil, nil, err
	}
	memory, err := m.state.memory()
	if err != nil {
		return nil, nil, err
	}
	policy.Recall(memory)
	o.progress("reading NetBox", 0, 0)
	log := state.ChangeLog{Err: state.ErrNotAsked}
	if policy.DeletesByRecord() { // before the objects: a deletion after it is one of what was seen
		log = netboxio.ReadMark(ctx, m.NetBox, memory.Newest, m.now())
	}
	held, err := netboxio.Read(ctx, m.NetBox)
	if err != nil {
		return nil, nil, err
	}
	policy.ExemptTag = m.exemptTag(held)
	held.Log = log
	if err := m.prepared(held, &policy, o); err != nil {
		return nil, nil, err
	}
	in := &plan.Input{NetBox: held, Policy: policy, Memory: memory, Here: m.here, Now: m.now().UTC().Truncate(1e9)}
	roster, err := m.readServers(ctx, in, o)
	if err == nil {
		if unmatched := roster.Unmatched(); len(unmatched) > 0 {
			return nil, nil, &NoSuchScopeError{unmatched}
		}
		err = m.readContent(ctx, in, roster, o)
	}
	if err != nil {
		return nil, nil, err
	}
	held.Addresses, err = netboxio.ReadAddresses(ctx, m.NetBox, roster.Subnets(), func(done, total int) { o.progress("reading addresses", done, total) })
	if err != nil || policy.Mode != plan.Sync {
		return in, roster, err
	}
	m.readHidden(ctx, in, roster)
	if gone := decide.Gone(in); len(gone) > 0 && held.Log.Err == nil {
		held.Log.Deleted, held.Log.Err = netboxio.ReadDeletions(ctx, m.NetBox, gone)
	}
	return in, roster, m.readSuspects(ctx, in)
}

// readHidden looks for the deletions of addresses that NetBox does not show any more
// (rule 3.7 guard m).
func (m *Mirror) readHidden(ctx context.Context, in *plan.Input, roster *decide.Roster) {
	hidden := roster.Hidden()
	if len(hidden) == 0 {
		return
	}
	var err error
	if in.Deleted, err = netboxio.ReadDeletions(ctx, m.NetBox, hidden); err != nil {
		m.log.WithError(err).Warn("deletions of addresses in NetBox are not known")
	}
}

// exemptTag is the tag of addresses that are never written: as the settings have it,
// else that of a DHCP server that answers from this NetBox, which shows by the field
// of its leases (rule 3.7 guard j).
func (m *Mirror) exemptTag(held *state.State) string {
	tag := m.File.NetBox.Dynamic.Tag
	switch set := m.File.Sync.ExemptTag; {
	case set != nil:
		tag = *set
	case !held.HasField(state.IPAddress, m.File.NetBox.Fields.Expire):
		return ""
	}
	return strings.ToLower(tag)
}

// readSuspects adds the addresses outside of all scopes whose status has to be
// checked: people's with the lease status, and the mirror's own whose scope is gone
// (rules 8 and 3.7 scope cleanup).
func (m *Mirror) readSuspects(ctx context.Context, in *plan.Input) error {
	held := in.NetBox
	if held.Tags[state.TagInvalid] == 0 || held.Statuses != nil && !slices.Contains(held.Statuses, in.Policy.LeaseStatus) {
		return nil
	}
	own := []string{in.Policy.LeaseStatus}
	if slices.Contains(held.Statuses, in.Policy.ReservationStatus) { // NetBox refuses to filter by one it lacks
		own = append(own, in.Policy.ReservationStatus)
	}
	known, managed, tagged, inSight := make(map[int64]bool, len(held.Addresses)), make(map[state.Managed]int), 0, int64(0)
	for i := range held.Addresses {
		x := &held.Addresses[i]
		known[x.ID] = true
		managed[x.Managed]++
		if slices.Contains(own, x.Status) {
			inSight++
		}
		if slices.Contains(x.Tags, state.TagInvalid) {
			tagged++
		}
	}
	count, err := netboxio.CountAddresses(ctx, m.NetBox, own)
	if err != nil || count <= inSight && held.Tagged <= tagged {
		return err
	}
	suspects, err := netboxio.ReadManaged(ctx, m.NetBox, managed)
	if err == nil && len(held.Ranges) > 0 {
		var others []state.Address
		others, err = netboxio.ReadSuspects(ctx, m.NetBox, in.Policy.LeaseStatus, held.Tagged > tagged)
		suspects = append(suspects, others...)
	}
	if err != nil {
		return err
	}
	for _, a := range suspects {
		if !known[a.ID] {
			known[a.ID] = true
			held.Addresses = append(held.Addresses, a)
		}
	}
	slices.SortFunc(held.Addresses, func(a, b state.Address) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// prepared checks what a run cannot do without (rules 3.1 and 9 row 22).
func (m *Mirror) prepared(held *state.State, policy *plan.Policy, o Options) error {
	var missing []string
	need := map[state.Kind][]string{
		state.IPAddress: {state.FieldClientID, state.FieldManaged},
		state.IPRange: {state.FieldScopeName, state.FieldServer, state.FieldFailover, state.FieldRouter, state.FieldLeaseSeconds,
			state.FieldExclusions, state.FieldOptions, state.FieldOtherSources},
	}
	for _, kind := range []state.Kind{state.IPAddress, state.IPRange} {
		for _, name := range need[kind] {
			if !held.HasField(kind, name) {
				missing = append(missing, "custom field "+name)
			}
		}
	}
	if held.Roles[state.RoleScope] == 0 {
		missing = append(missing, "IPAM role "+state.RoleScope)
	}
	for _, tag := range []string{state.TagScope, state.TagData, policy.ProtectTag} {
		if tag != "" && held.Tags[tag] == 0 {
			missing = append(missing, "tag "+tag)
		}
	}
	switch {
	case slices.Contains(held.Plugins, state.Plugin) && !o.AlongsidePlugin && policy.Mode != plan.Migrate:
		return &NotPreparedError{"the plugin netbox-windows-dhcp is installed in this NetBox, and both would undo each other's work",
			"remove the plugin (docs/sync/from-the-plugin.md), or take the risk with --alongside-plugin"}
	case len(missing) > 0:
		return &NotPreparedError{"NetBox lacks " + strings.Join(missing, ", "), "run netbox-dhcp-sync bootstrap"}
	}
	return nil
}

// readServers asks every server the plan needs for its lists, not for what its
// scopes contain. One whose partner turns out to be
// down may be needed only then, so it goes on until none is left to ask. The
// roster returned knows all answers.
func (m *Mirror) readServers(ctx context.Context, in *plan.Input, o Options) (*decide.Roster, error) {
	for {
		roster := decide.NewRoster(in)
		hosts := roster.Ask()
		if len(hosts) == 0 {
			return roster, nil
		}
		answers := make([]windhcp.Server, len(hosts))
		var group sync.WaitGroup
		for i, host := range hosts {
			group.Go(func() {
				o.progress("reading "+host, 0, 0)
				answers[i] = m.readLists(ctx, in, roster, host)
			})
		}
		group.Wait()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		in.Windows = append(in.Windows, answers...)
		slices.SortFunc(in.Windows, func(a, b windhcp.Server) int { return m.position(a.Host) - m.position(b.Host) })
	}
}

// readContent reads the content of the scopes that take part, on all servers at
// once.
func (m *Mirror) readContent(ctx context.Context, in *plan.Input, roster *decide.Roster, o Options) error {
	var group sync.WaitGroup
	for i := range in.Windows {
		group.Go(func() { m.readParts(ctx, in, roster, &in.Windows[i], o) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (m *Mirror) position(host string) int { return slices.Index(m.hosts(), host) }

// readLists reads what has to be known of a server before its scopes are.
func (m *Mirror) readLists(ctx context.Context, in *plan.Input, roster *decide.Roster, host string) windhcp.Server {
	client := m.servers[host]
	s := windhcp.Server{Host: host}
	health, err := client.Health(ctx)
	if err != nil {
		s.Scopes.Err = err
		return s
	}
	s.Version, s.Computer = health.Version, health.Computer
	s.Lists, s.SetsOptions = health.Lists(), health.SetsOptions()
	s.ReadsOnly = health.Rights != "" && health.Rights != endpoint.RightsWrite
	scopes := func(activeOnly bool) {
		if in.Policy.ReadsOptions() {
			s.Scopes, s.Options = client.ScopesWithOptions(ctx, activeOnly)
			return
		}
		s.Scopes = client.Scopes(ctx, activeOnly)
	}
	scopes(in.Policy.ActiveScopesOnly)
	if in.Policy.ActiveScopesOnly && s.Scopes.Err == nil && roster.Lacks(&s) {
		scopes(false) // only the whole list tells a scope that is inactive from one that is gone
	}
	if s.Scopes.Err == nil {
		s.Failovers = client.Failovers(ctx)
	}
	s.Date = client.Date()
	return s
}

// readParts reads the content of the scopes of one server that take part.
func (m *Mirror) readParts(ctx context.Context, in *plan.Input, roster *decide.Roster, s *windhcp.Server, o Options) {
	r := partsReader{client: m.servers[s.Host], policy: &in.Policy, known: s.Options, parts: make(map[netip.Addr]*windhcp.Part)}
	for _, scope := range s.Scopes.Items {
		whole, some := roster.Reads(s.Host, scope)
		if whole || roster.Witnesses(s.Host, scope) {
			r.leases = append(r.leases, scope.ID())
		}
		if whole {
			r.options = append(r.options, scope.ID())
		}
		if some && r.parts[scope.ID()] == nil { // a list may have a scope twice
			r.part(scope.ID())
			r.others = append(r.others, scope.ID())
		}
	}
	r.read(ctx, func(done int) { o.progress("reading scopes of "+s.Host, done, len(r.others)) })
	s.Parts = make(map[netip.Addr]windhcp.Part, len(r.parts))
	for id, part := range r.parts {
		s.Parts[id] = *part
	}
	s.Date = r.client.Date()
}

// partsReader reads the content of scopes of one server. Scopes go by their network
// address.
type partsReader struct {
	client *endpoint.Client
	policy *plan.Policy
	known  map[netip.Addr]windhcp.List[windhcp.Option] // options that came with the scopes (rule 1.9); nil: none did

	leases  []netip.Addr // scopes whose leases are read
	options []netip.Addr // those whose options are
	others  []netip.Addr // those whose exclusions and reservations are

	parts map[netip.Addr]*windhcp.Part
}

// part is what is known of a scope.
func (r *partsReader) part(id netip.Addr) *windhcp.Part {
	if r.parts[id] == nil {
		part := windhcp.Unread()
		r.parts[id] = &part
	}
	return r.parts[id]
}

// read reads all of it. Reservations come last: one that is made meanwhile keeps an
// address, one that is missed does not cost it (rule 10).
func (r *partsReader) read(ctx context.Context, progress func(done int)) {
	if len(r.leases) > 0 && r.policy.ReadsLeases() {
		leases := r.client.AllLeases(ctx, r.leases)
		for _, id := range r.leases {
			r.part(id).Leases = leases.Of(id)
		}
	}
	if len(r.others) == 0 {
		return
	}
	if r.policy.Mode != plan.Migrate && r.policy.Mode != plan.Retire {
		r.readSettings(ctx, progress)
	}
	if r.policy.ReadsLeases() {
		reservations := r.client.AllReservations(ctx, r.others)
		for _, id := range r.others {
			r.part(id).Reservations = reservations.Of(id)
		}
	}
}

// readSettings reads exclusions and options: in a request for each kind of list, or
// scope by scope where the script is an older one.
func (r *partsReader) readSettings(ctx context.Context, progress func(done int)) {
	if r.client.Lists() {
		r.readSettingsAtOnce(ctx)
		progress(len(r.others))
		return
	}
	var group errgroup.Group
	group.SetLimit(8) // the client itself limits what is in flight
	var done atomic.Int64
	for _, id := range r.others {
		part := r.part(id)
		group.Go(func() error {
			part.Exclusions = r.client.Exclusions(ctx, id)
			if r.readsOptions(id) {
				part.Options = r.client.ScopeOptions(ctx, id)
			}
			progress(int(done.Add(1)))
			return nil
		})
	}
	_ = group.Wait()
}

func (r *partsReader) readSettingsAtOnce(ctx context.Context) {
	exclusions := r.client.AllExclusions(ctx, r.others)
	var options endpoint.ByScope[windhcp.Option]
	if r.policy.ReadsOptions() && len(r.options) > 0 && r.known == nil {
		options = r.client.AllOptions(ctx, r.options)
	}
	for _, id := range r.others {
		part := r.part(id)
		part.Exclusions = exclusions.Of(id)
		switch {
		case !r.readsOptions(id):
		case r.known != nil:
			part.Options = r.known[id]
		default:
			part.Options = options.Of(id)
		}
	}
}

func (r *partsReader) readsOptions(id netip.Addr) bool {
	return r.policy.ReadsOptions() && slices.Contains(r.options, id)
}

// checkServer reads one server and says in words whether it can be used, for doctor.
func (m *Mirror) checkServer(ctx context.Context, host string) (endpoint.Health, int, error) {
	client := m.servers[host]
	health, err := client.Health(ctx)
	if err != nil {
		return health, 0, err
	}
	scopes := client.Scopes(ctx, false)
	if scopes.Err != nil {
		return health, 0, scopes.Err
	}
	if len(scopes.Malformed) > 0 {
		return health, len(scopes.Items), fmt.Errorf("%s cannot be understood: %s", printable.Count(len(scopes.Malformed), "scope", "scopes"), scopes.Malformed[0])
	}
	return health, len(scopes.Items), nil
}
