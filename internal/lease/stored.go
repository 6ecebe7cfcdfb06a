package lease

import (
	"iter"
	"math"
	"net/netip"
	"time"
)

// storedLease is a lease that the store holds.
type storedLease struct {
	Lease
	revision Revision
}

// storedLeases are the leases that the store holds, by IPv4 address. A site may have
// a million of them, so they lie packed side by side, under keys that the garbage
// collector need not look at. The zero value is empty.
type storedLeases struct {
	places map[uint32]int32 // of an address in rows
	rows   []*[rowsAtOnce]packedLease
	used   int32   // places that were given out, free ones included
	free   []int32 // places in rows that are not used
}

// rowsAtOnce is how many leases get memory together. They stay where they are when more
// come, so that no message waits for all of them to be copied.
const rowsAtOnce = 512

func (t *storedLeases) row(place int32) *packedLease {
	return &t.rows[place/rowsAtOnce][place%rowsAtOnce]
}

// packedLease is a storedLease in half of its memory.
type packedLease struct {
	client, hardware, toldClient ClientID
	hostname                     string
	expires, toldExpires         int64 // seconds since 1970; noTime: none
	syncedAt                     int64 // microseconds since 1970; noTime: none
	interfaceID                  int64
	revision                     Revision
	addr                         uint32
	interfaceKind                uint8
	state                        State
	unsynced, byPort             bool
}

const noTime = math.MinInt64

// len is the number of leases.
func (t *storedLeases) len() int { return len(t.places) }

// has reports whether there is a lease of an address.
func (t *storedLeases) has(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	_, ok := t.places[key(addr)]
	return ok
}

// find returns the lease of an address, if there is one.
func (t *storedLeases) find(addr netip.Addr) (storedLease, bool) {
	if !addr.Is4() {
		return storedLease{}, false
	}
	place, ok := t.places[key(addr)]
	if !ok {
		return storedLease{}, false
	}
	return t.row(place).unpacked(), true
}

// at is find for callers to whom none is as good as an empty one.
func (t *storedLeases) at(addr netip.Addr) storedLease {
	found, _ := t.find(addr)
	return found
}

// set keeps a lease in place of the one known for its address, which is IPv4.
func (t *storedLeases) set(l storedLease) {
	addr := key(l.Addr)
	place, ok := t.places[addr]
	switch n := len(t.free); {
	case ok:
	case n > 0:
		place, t.free = t.free[n-1], t.free[:n-1]
	default:
		if place = t.used; place%rowsAtOnce == 0 {
			t.rows = append(t.rows, new([rowsAtOnce]packedLease))
		}
		t.used++ // memory for 2^31 leases is 240 GB
	}
	if t.places == nil {
		t.places = make(map[uint32]int32)
	}
	t.places[addr] = place
	*t.row(place) = packed(l)
}

// remove forgets the lease of an address.
func (t *storedLeases) remove(addr netip.Addr) {
	if !addr.Is4() {
		return
	}
	if place, ok := t.places[key(addr)]; ok {
		delete(t.places, key(addr))
		*t.row(place) = packedLease{}
		t.free = append(t.free, place)
	}
}

// all are all leases, in no particular order. The one in hand may be removed meanwhile.
func (t *storedLeases) all() iter.Seq2[netip.Addr, storedLease] {
	return func(yield func(netip.Addr, storedLease) bool) {
		for _, place := range t.places {
			if l := t.row(place).unpacked(); !yield(l.Addr, l) {
				return
			}
		}
	}
}

func packed(l storedLease) packedLease {
	p := packedLease{
		client: l.Client, hardware: l.Hardware, toldClient: l.ToldClient, hostname: l.Hostname,
		expires: noTime, toldExpires: noTime, syncedAt: noTime,
		interfaceID: l.InterfaceID, revision: l.revision, addr: key(l.Addr), interfaceKind: l.InterfaceKind, state: l.State, unsynced: l.Unsynced,
		byPort: l.ByPort,
	}
	if p.toldClient == p.client {
		p.toldClient = p.client // the same memory
	}
	if !l.Expires.IsZero() {
		p.expires = l.Expires.Unix()
	}
	if !l.ToldExpires.IsZero() {
		p.toldExpires = l.ToldExpires.Unix()
	}
	if !l.SyncedAt.IsZero() {
		p.syncedAt = l.SyncedAt.UnixMicro()
	}
	return p
}

func (p *packedLease) unpacked() storedLease {
	l := storedLease{Lease: Lease{
		Addr: addrOf(p.addr), Client: p.client, Hardware: p.hardware, State: p.state, Hostname: p.hostname,
		InterfaceKind: p.interfaceKind, InterfaceID: p.interfaceID, ByPort: p.byPort, Unsynced: p.unsynced, ToldClient: p.toldClient,
	}, revision: p.revision}
	if p.expires != noTime {
		l.Expires = time.Unix(p.expires, 0).UTC()
	}
	if p.toldExpires != noTime {
		l.ToldExpires = time.Unix(p.toldExpires, 0).UTC()
	}
	if p.syncedAt != noTime {
		l.SyncedAt = time.UnixMicro(p.syncedAt).UTC()
	}
	return l
}
