package status

import (
	"net/netip"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// cached is how old leases and use of pools may be that a page shows: many who look at
// once cost no more than one (WEB-6).
const cached = 5 * time.Second

// cache keeps what takes a while to collect. The zero value is empty.
type cache struct {
	mu     sync.Mutex
	leases []lease.Lease
	leased time.Time // when leases were copied
	usage  []lease.Usage
	used   time.Time // when usage was counted

	snapshot *ipam.Snapshot // that the rest is of
	statics  map[prefixKey]int
	doubles  []finding
}

type prefixKey struct {
	vrf    int64
	prefix netip.Prefix
}

// leaseList is all leases by address. The caller must not change it.
func (s *site) leaseList() []lease.Lease {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if now := s.Now(); s.cache.leases == nil || now.Sub(s.cache.leased) > cached || now.Before(s.cache.leased) {
		s.cache.leases, s.cache.leased = s.Instance.Engine.LeasesInTurns(), now
	}
	return s.cache.leases
}

// usageList is the use of each prefix that has dynamic addresses. The caller must not
// change it.
func (s *site) usageList() []lease.Usage {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if now := s.Now(); s.cache.used.IsZero() || now.Sub(s.cache.used) > cached || now.Before(s.cache.used) {
		s.cache.usage, s.cache.used = s.Instance.Engine.Usage(), now
	}
	return s.cache.usage
}

// ofSnapshot counts the static addresses of each prefix of the current snapshot, and
// lists what stands twice in it. It is done once for each snapshot.
func (s *site) ofSnapshot() (snapshot *ipam.Snapshot, statics map[prefixKey]int, doubles []finding) {
	snapshot = s.Instance.Snapshot()
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if snapshot == nil || snapshot == s.cache.snapshot {
		return snapshot, s.cache.statics, s.cache.doubles
	}
	statics = make(map[prefixKey]int)
	turn := turns{}
	for _, a := range snapshot.Objects().Addresses {
		turn.next()
		if !snapshot.IsStatic(a) {
			continue
		}
		if n := snapshot.SubnetOf(a); n != nil {
			statics[prefixKey{n.VRF, n.Prefix.Prefix}]++
		}
	}
	s.cache.snapshot, s.cache.statics, s.cache.doubles = snapshot, statics, s.double(snapshot)
	return snapshot, s.cache.statics, s.cache.doubles
}

// turns lets packets have the processor, where there is only one, between parts of a long
// pass that holds no lock (WEB-6). To yield would not do: the runtime looks for packets
// only where nothing else can run. A rest takes a millisecond however short it is, since
// the runtime waits for the system in whole ones; so what decides when the next one is due
// is the time that was worked, not the number of rows.
type turns struct {
	n     int
	began time.Time // of the work since the last rest
}

const (
	// atWork is how long a packet waits for a pass at most, about.
	atWork = 500 * time.Microsecond
	// betweenLooks is how many rows are passed between two looks at the clock.
	betweenLooks = 256
)

func (t *turns) next() {
	if t.n++; t.n%betweenLooks != 1 {
		return
	}
	if !t.began.IsZero() {
		if time.Since(t.began) < atWork {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
	t.began = time.Now()
}
