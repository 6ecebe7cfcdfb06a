package decide

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// facts are what the servers say about one address.
type facts struct {
	reservation *windhcp.Reservation
	lease       *windhcp.Lease
	unit        *unit // of the reservation, else of the lease
	doubtful    bool  // not a lease, but a reason not to delete (rule 3.9)
	// elsewhere is set where only a server that does not speak for the scope has a
	// record: its partner, or a secondary that stands in (rules 3.7 guard n and 3.3).
	elsewhere bool
	heard     *windhcp.Lease // what the partner alone has, if that is a lease that runs
	waits     bool           // its deletion in NetBox waits to be carried out: it is not made anew (rule 5.4)
}

// served reports whether a server has a record of the address.
func (f *facts) served() bool { return f != nil && (f.reservation != nil || f.lease != nil) }

// subnetKey is a subnet of a VRF.
type subnetKey struct {
	vrf    int64
	subnet netip.Prefix
}

func (k subnetKey) compare(o subnetKey) int {
	return cmp.Or(cmp.Compare(k.vrf, o.vrf), k.subnet.Compare(o.subnet))
}

// network is all that is known of a subnet: its scopes on one or, where it is
// split, several servers.
type network struct {
	subnetKey
	units []*unit
	read  bool // leases and reservations of one of them at least
	// unsure says why nothing may be removed; empty: every source was read and
	// understood (rule 3.7 guard a, rule 3.7 guard b).
	unsure string
}

// merged is the third result: what the servers say about each address.
type merged struct {
	facts    map[plan.Place]*facts
	networks map[subnetKey]*network
	lengths  []int // mask lengths in use, longest first
}

// merging is the third stage at work.
type merging struct {
	*recorded
	work
	*merged
	withdrawn *withdrawal
}

// mergeFacts merges the lists of all scopes that were read, by place.
// Reservations that are about to be deleted from their server do not count.
func mergeFacts(in *recorded, withdrawn *withdrawal) (*merged, work) {
	m := &merging{recorded: in, withdrawn: withdrawn, merged: &merged{facts: make(map[plan.Place]*facts), networks: make(map[subnetKey]*network)}}
	for _, u := range in.units {
		id := subnetKey{u.vrf, u.scope.Subnet}
		n := m.networks[id]
		if n == nil {
			n = &network{subnetKey: id}
			m.networks[id] = n
		}
		n.units = append(n.units, u)
		if why := m.stranger(u.server); why != "" {
			n.unsure = why
		}
		if u.part.Leases.Err != nil || u.part.Reservations.Err != nil {
			n.unsure = "its leases and reservations could not both be read"
			continue
		}
		if !u.part.Leases.Complete() || !u.part.Reservations.Complete() {
			n.unsure = "some of its entries could not be understood"
		}
		if u.fallback {
			n.unsure = "it was read from the secondary server"
		}
		if !m.asked(u.server).Failovers.Complete() {
			n.unsure = "the failover relationships of its server could not be read"
		}
		n.read = true
		m.gather(u, n)
	}
	m.cover()
	m.lengths = maskLengths(m.networks)
	return m.merged, m.work
}

func (m *merging) gather(u *unit, n *network) {
	get := func(addr netip.Addr) *facts {
		place := plan.Place{VRF: u.vrf, Addr: addr}
		if m.facts[place] == nil {
			m.facts[place] = &facts{unit: u}
		}
		return m.facts[place]
	}
	var outside []netip.Addr
	var unknown []*windhcp.Lease
	bad := 0
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		switch {
		case !u.scope.Subnet.Contains(r.Addr):
			outside = append(outside, r.Addr)
		case u.fallback:
			get(r.Addr).elsewhere = true // failover does not copy reservations: these may be old (rule 3.3)
		default:
			k := plan.PushedKey{Server: m.host(u.server), Addr: r.Addr}
			switch _, deleted := m.withdrawn.deletes[k]; {
			case deleted: // it is about to go there
			case m.withdrawn.waits[k]:
				get(r.Addr).waits = true
			default:
				m.mergeReservation(get(r.Addr), u, r)
			}
		}
	}
	for i := range u.part.Leases.Items {
		l := &u.part.Leases.Items[i]
		switch {
		case !u.scope.Subnet.Contains(l.Addr):
			outside = append(outside, l.Addr)
		case l.Unknown():
			get(l.Addr).doubtful = true
			unknown = append(unknown, l)
		case l.InactiveReservation():
			f := get(l.Addr)
			f.doubtful = f.doubtful || f.reservation == nil // the two lists contradict each other
		case m.p.SkipRAS && l.ClientID.RAS(), l.Doubtful():
			get(l.Addr).doubtful = true
			bad++
		case l.Active():
			m.mergeLease(get(l.Addr), u, l)
		}
	}
	m.hear(u, n, func(l *windhcp.Lease) *facts { return get(l.Addr) })
	if len(outside) > 0 {
		n.unsure = "the server lists addresses outside of it"
		m.note(plan.Note{Level: plan.Failure, Server: m.host(u.server), Scope: u.scope.Subnet, Addr: outside[0], Cause: plan.CauseOutside,
			Text: printable.Count(len(outside), "entry", "entries") + " outside the subnet: ignored, and nothing is removed here"})
	}
	if len(unknown) > 0 {
		m.note(plan.Note{Level: plan.Warning, Server: m.host(u.server), Scope: u.scope.Subnet, Addr: unknown[0].Addr, Cause: plan.CauseNoLease,
			Text: fmt.Sprintf("%s that this program does not know (the first is %q): nothing is created or deleted for it",
				printable.Count(len(unknown), "lease has a state", "leases have a state"), cutRunes(unknown[0].State, 40))})
	}
	if bad > 0 {
		m.note(plan.Note{Level: plan.Info, Server: m.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseNoLease,
			Text: printable.Count(bad, "entry", "entries") + " that no lease belongs to (bad address, declined, or a remote access server's): left alone"})
	}
}

func (m *merging) mergeReservation(f *facts, u *unit, r *windhcp.Reservation) {
	if f.reservation == nil {
		f.reservation, f.unit = r, u
		return
	}
	if f.reservation.ClientID != r.ClientID {
		m.note(plan.Note{Level: plan.Warning, Server: m.host(u.server), Scope: u.scope.Subnet, Addr: r.Addr, Cause: plan.CauseTwice,
			Text: fmt.Sprintf("reserved twice: for %s on %s and for %s on %s; the first counts",
				f.reservation.ClientID, m.host(f.unit.server), r.ClientID, m.host(u.server))})
	}
}

// mergeLease keeps the lease that ends later; one without an end is last.
func (m *merging) mergeLease(f *facts, u *unit, l *windhcp.Lease) {
	if f.lease == nil {
		f.lease = l
		if f.reservation == nil {
			f.unit = u
		}
		return
	}
	if *f.lease == *l {
		return
	}
	m.note(plan.Note{Level: plan.Warning, Server: m.host(u.server), Scope: u.scope.Subnet, Addr: l.Addr, Cause: plan.CauseTwice,
		Text: fmt.Sprintf("leased twice: to %s and to %s; the lease that ends later counts", f.lease.ClientID, l.ClientID)})
	if outlasts(l.Expires, f.lease.Expires) {
		f.lease = l
		if f.reservation == nil {
			f.unit = u
		}
	}
}

// cover marks networks that overlap a scope which was not read in this run. What
// that scope would say about an address is not known, so nothing may be removed
// there (rule 3.7 guard a). A scope that its server does not have any more says
// nothing, unless the list of the server is itself in doubt.
func (m *merging) cover() {
	read := make(map[*record]bool)
	for _, u := range m.units {
		read[u.rec] = true
	}
	var unsure []network
	for _, id := range slices.SortedFunc(maps.Keys(m.networks), subnetKey.compare) {
		if m.networks[id].unsure != "" {
			unsure = append(unsure, *m.networks[id])
		}
	}
	for _, n := range unsure {
		m.doubt(n.vrf, n.subnet, n.unsure)
	}
	for _, rec := range m.records {
		if read[rec] || m.removed[rec] || m.missing(rec) || rec.Source.Failover == "" && m.foreign(rec) {
			continue
		}
		m.doubt(rec.VRF, rec.Subnet, fmt.Sprintf("a scope of %s that covers it was not read in this run", rec.Source))
	}
}

// doubt passes a reason on to the networks that overlap a subnet.
func (m *merging) doubt(vrf int64, subnet netip.Prefix, why string) {
	for id, n := range m.networks {
		if id.vrf == vrf && id.subnet.Overlaps(subnet) && n.unsure == "" {
			n.unsure = why
		}
	}
}

// networkOf finds the smallest network around a place; nil: none.
func (m *merged) networkOf(place plan.Place) *network {
	for _, length := range m.lengths {
		subnet, err := place.Addr.Prefix(length)
		if err != nil {
			continue
		}
		if n := m.networks[subnetKey{place.VRF, subnet}]; n != nil {
			return n
		}
	}
	return nil
}

// maskLengths lists the mask lengths in use, longest first.
func maskLengths(networks map[subnetKey]*network) []int {
	var bits []int
	for id := range networks {
		bits = append(bits, id.subnet.Bits())
	}
	slices.Sort(bits)
	bits = slices.Compact(bits)
	slices.Reverse(bits)
	return bits
}
