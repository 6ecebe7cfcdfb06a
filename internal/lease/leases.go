package lease

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Leases is what is known of leases at one moment: all that the store holds,
// the holds made by OFFERs, and marks for work in progress. It is memory only
// and not safe for concurrent use; Engine guards it.
type Leases struct {
	policy   *Policy
	snapshot *ipam.Snapshot

	stored   storedLeases
	byClient map[ClientID][]netip.Addr

	holds      byAddr[hold]
	heldBy     map[ClientID]netip.Addr
	holdQueue  []lapse // in order of time; entries may be outdated
	ended      byAddr[endedOffer]
	endedQueue []lapse // about in order of time; entries may be outdated
	offers     map[poolID]*offers
	shares     map[share]offerList // without empty ones

	inWork         byAddr[ClientID]
	unread         byAddr[bool] // the store may hold something else: a write has an unknown outcome
	infrastructure byAddr[bool] // own addresses (N-5)

	answers      map[ClientID]*answer // the last one to each client (D-32)
	answerQueue  []clientLapse        // an entry for each, about in order of time
	resting      byAddr[bool]         // in quarantine by the store, or were until it ended
	declined     byAddr[declined]
	declines     map[ClientID]int // within an hour of the first
	declineQueue []clientLapse

	claims   byAddr[time.Time] // static addresses that the host itself uses or asks for, until when by time that runs (I-14)
	occupied byAddr[time.Time] // claimed addresses that a host uses, until when by time that runs (CL-8)
	heard    heard             // when owners of addresses were heard (CL-8)
	switches switchPorts       // of switches that circuits named (CL-14)

	marks  []Mark                          // who is served where an address has several owners
	losers map[*ipam.Address]*ipam.Address // of snapshot: to the address that is served instead

	blank   ipam.Address // room for an address of a range
	pools   poolSet
	pending poolSet        // of next; nil otherwise
	next    *ipam.Snapshot // is about to take over; nil: none is
}

type hold struct {
	client   ClientID
	until    time.Time
	stranger bool // to NetBox: gives way to others
	fresh    bool // the address was free for any client
	share    share
	// older and newer are the neighbours in its share.
	older, newer netip.Addr
}

// endedOffer is an offer of a free address that ended, and that its client may
// still accept. Times are those that run.
type endedOffer struct {
	at, until time.Time
	key       int64 // of the address, as long as it is as free as it was
}

type lapse struct {
	addr netip.Addr
	at   time.Time
}

// NewLeases returns no leases. The policy must not change afterwards.
func NewLeases(policy *Policy) *Leases {
	return &Leases{
		policy:         policy,
		byClient:       make(map[ClientID][]netip.Addr),
		holds:          make(byAddr[hold]),
		ended:          make(byAddr[endedOffer]),
		heldBy:         make(map[ClientID]netip.Addr),
		offers:         make(map[poolID]*offers),
		shares:         make(map[share]offerList),
		inWork:         make(byAddr[ClientID]),
		unread:         make(byAddr[bool]),
		infrastructure: make(byAddr[bool]),
		answers:        make(map[ClientID]*answer),
		resting:        make(byAddr[bool]),
		declined:       make(byAddr[declined]),
		declines:       make(map[ClientID]int),
		claims:         make(byAddr[time.Time]),
		occupied:       make(byAddr[time.Time]),
		heard:          heard{at: make(map[ipam.MAC]sighting)},
	}
}

// put notes what the store holds for one address. Changes may arrive out of
// order: an older revision than the one known is ignored. So is what is not IPv4.
func (l *Leases) put(next Lease, revision Revision) {
	if !next.Addr.Is4() {
		return
	}
	l.unread.drop(next.Addr)
	old, ok := l.stored.find(next.Addr)
	if ok && revision < old.revision {
		l.touch(next.Addr)
		return
	}
	client := l.clientOf(next)
	if was := l.clientOf(old.Lease); ok && was != client {
		l.unlink(was, next.Addr)
	}
	l.stored.set(storedLease{next, revision})
	l.ended.drop(next.Addr)
	if next.State == Quarantined {
		l.resting.set(next.Addr, true)
	} else {
		l.resting.drop(next.Addr)
		l.declined.drop(next.Addr)
	}
	if !slices.Contains(l.byClient[client], next.Addr) {
		l.byClient[client] = append(l.byClient[client], next.Addr)
	}
	l.touch(next.Addr)
}

// replace is put, but for a store that has lost what is known: the revision
// counts although it is older.
func (l *Leases) replace(next Lease, revision Revision) {
	if old, ok := l.stored.find(next.Addr); ok {
		old.revision = 0
		l.stored.set(old)
	}
	l.put(next, revision)
}

func (l *Leases) unlink(client ClientID, addr netip.Addr) {
	rest := slices.DeleteFunc(l.byClient[client], func(a netip.Addr) bool { return a == addr })
	if len(rest) == 0 {
		delete(l.byClient, client)
		return
	}
	l.byClient[client] = rest
}

// hold reserves addr; the client's earlier hold goes, and so does another client's
// hold of addr.
func (l *Leases) hold(addr netip.Addr, h hold) {
	if earlier, ok := l.heldBy[h.client]; ok && earlier != addr {
		l.dropHold(h.client)
	}
	if before, ok := l.holds.find(addr); ok {
		l.unlinkHold(before)
		delete(l.heldBy, before.client)
	}
	l.ended.drop(addr)
	l.holds.set(addr, l.link(addr, h))
	l.heldBy[h.client] = addr
	l.holdQueue = append(l.holdQueue, lapse{addr, h.until})
	l.touch(addr)
	if len(l.holdQueue) > 2*len(l.holds)+1024 {
		l.compactHolds()
	}
}

// compactHolds rids the queue of outdated entries, of which every accepted
// OFFER leaves one.
func (l *Leases) compactHolds() {
	l.holdQueue = l.holdQueue[:0]
	for addr, h := range l.holds.all() {
		l.holdQueue = append(l.holdQueue, lapse{addr, h.until})
	}
	sortLapses(l.holdQueue)
}

func (l *Leases) dropHold(client ClientID) {
	if addr := l.unhold(client); addr.IsValid() {
		l.touch(addr)
	}
}

// unhold is dropHold for a caller that touches the address, which it returns; the zero
// Addr: there was none.
func (l *Leases) unhold(client ClientID) netip.Addr {
	addr, ok := l.heldBy[client]
	if !ok {
		return netip.Addr{}
	}
	l.unlinkHold(l.holds.at(addr))
	delete(l.heldBy, client)
	l.holds.drop(addr)
	return addr
}

// sweep forgets the holds and answers that lapsed by steady time. All holds live
// equally long, so their queue is in order of time; a hold that was made anew has a
// later entry. judged is the same moment as leases are judged by.
func (l *Leases) sweep(steady, judged time.Time) {
	for len(l.holdQueue) > 0 && !l.holdQueue[0].at.After(steady) {
		addr := l.holdQueue[0].addr
		l.holdQueue = l.holdQueue[1:]
		if h, ok := l.holds.find(addr); ok && !h.until.After(steady) {
			l.endOffer(h.client, steady, judged)
		}
	}
	l.forgetAnswers(steady)
	for len(l.endedQueue) > 0 && !l.endedQueue[0].at.After(steady) {
		addr := l.endedQueue[0].addr
		l.endedQueue = l.endedQueue[1:]
		if e, ok := l.ended.find(addr); ok && !e.until.After(steady) {
			l.ended.drop(addr)
			l.touch(addr)
		}
	}
}

// endOffer ends an offer that was not answered. As long as its client may accept
// it all the same, the address is the last that another one is offered. steady
// is now by time that runs, judged the time that leases are judged by.
func (l *Leases) endOffer(client ClientID, steady, judged time.Time) {
	addr, held := l.heldBy[client]
	h, last := l.holds.at(addr), l.answerTo(client)
	l.dropHold(client)
	at, until := steady, last.at.Add(answerMemory)
	if h.until.Before(at) { // it lapsed, unnoticed
		at = h.until
	}
	if !held || !h.fresh || !last.offered || last.addr != addr || !until.After(steady) {
		return
	}
	for _, p := range l.pools {
		position, ok := p.Find(addr)
		if !ok {
			continue
		}
		// Another server may have leased it since it was offered.
		if key := p.free.at(position); key == neverUsed || key != unavailable && !time.Unix(key, 0).Add(l.policy.ReclaimGrace).After(judged) {
			l.ended.set(addr, endedOffer{at, until, key})
		}
	}
	l.touch(addr)
	l.endedQueue = append(l.endedQueue, lapse{addr, until})
	if len(l.endedQueue) > 2*len(l.ended)+1024 {
		l.endedQueue = l.endedQueue[:0]
		for addr, e := range l.ended.all() {
			l.endedQueue = append(l.endedQueue, lapse{addr, e.until})
		}
		sortLapses(l.endedQueue)
	}
}

func sortLapses(queue []lapse) {
	slices.SortFunc(queue, func(a, b lapse) int { return a.at.Compare(b.at) })
}

// heldByOther reports whether an OFFER to another client reserves addr.
func (l *Leases) heldByOther(addr netip.Addr, client ClientID) bool {
	h, ok := l.holds.find(addr)
	return ok && h.client != client
}

// Binding is what the store and the NetBox record together say of one address
// (S-5).
type Binding struct {
	// Client is the last client of the address; empty: never used.
	Client ClientID
	// Expires is when the binding ended or will end; zero with a Client:
	// released at an unknown time (P-5).
	Expires time.Time
	State   State
	// Rival is another client that NetBox shows as running beside the store's:
	// no new client gets the address.
	Rival ClientID
}

// forever stands for "never reclaim" (P-17).
func forever() time.Time { return time.Unix(1<<40, 0) }

// running reports whether the client may still use the address.
func (b Binding) running(now time.Time) bool {
	return b.Client != "" && b.State != Released && b.Expires.After(now)
}

// binding merges store and record (S-5).
func (l *Leases) binding(a *ipam.Address, now time.Time) Binding {
	record := recorded(a)
	stored, ok := l.stored.find(a.Address.Addr())
	if !ok {
		return record
	}
	own := Binding{Client: l.clientOf(stored.Lease), Expires: stored.Expires, State: stored.State}
	news := stored.SyncedAt.IsZero() || a.LastUpdated.After(stored.SyncedAt)
	switch {
	case !news, record.Client != "" && record.Client == stored.ToldClient && record.Expires.Equal(stored.ToldExpires):
		return own // the record is what we wrote
	case record.Client == "":
		// A row that was made anew since never had the record (S-5).
		anew := a.Created.After(stored.SyncedAt)
		if !stored.SyncedAt.IsZero() && !stored.Unsynced && !anew {
			return record // an operator emptied it
		}
		return own
	case record.Client == stored.Shown():
		if own.State == Bound { // else the record is known by its MAC alone (I-12)
			record.Client = own.Client
		}
		ended := own.State != Bound && (stored.Unsynced || stored.SyncedAt.IsZero()) // the record is not told yet
		if ended || !record.Expires.After(own.Expires) {
			return own
		}
		return record
	case own.running(now):
		if record.running(now) {
			own.Rival = record.Client
		}
		return own
	case record.running(now) || record.Expires.After(own.Expires):
		return record
	}
	return own
}

// foreignNews is a lease that another server has shown in NetBox since ours was
// told. By a clock that is not trusted it may run still, although it seems to have
// ended before ours (S-14).
func (l *Leases) foreignNews(a *ipam.Address) (Binding, bool) {
	stored, ok := l.stored.find(a.Address.Addr())
	record := recorded(a)
	if !ok || record.Client == "" || record.State != Bound || !stored.Foreign(record.Client, record.Expires, a.LastUpdated) {
		return Binding{}, false
	}
	return record, true
}

// superseding is l, which is given now, where NetBox shows a lease of another client
// that has ended: l follows that one, so its record is no news (S-12).
func (l Lease) superseding(a *ipam.Address, now time.Time) Lease {
	record := recorded(a)
	if record.State == Bound && !record.running(now) && l.Foreign(record.Client, record.Expires, a.LastUpdated) {
		l.ToldClient, l.ToldExpires = record.Client, record.Expires
	}
	return l
}

// recorded is the binding the NetBox record alone shows.
func recorded(a *ipam.Address) Binding {
	r := a.Record
	b := Binding{Client: ClientID(r.Client), Expires: r.Expires, State: Bound}
	switch {
	case b.Client == "":
		return Binding{}
	case r.Unreadable:
		b.Expires = forever()
	case r.Expires.IsZero():
		b.State = Released
	}
	if b.Client == Declined {
		b.State = Quarantined
	}
	return b
}

// ofClient returns the addresses whose last client may be the given one, from
// the store and from NetBox records.
func (l *Leases) ofClient(client ClientID) []netip.Addr {
	addrs := l.byClient[client]
	for _, a := range l.snapshot.Recorded(string(client)) {
		if host := a.Address.Addr(); !slices.Contains(addrs, host) {
			addrs = append(slices.Clip(addrs), host)
		}
	}
	return addrs
}

// exclude keeps an address of this server out of the pools (N-5).
func (l *Leases) exclude(own netip.Addr) {
	if own.IsValid() && !l.infrastructure.at(own) {
		l.infrastructure.set(own, true)
		l.touch(own)
	}
}
