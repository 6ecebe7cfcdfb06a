package netbox

import (
	"hash/maphash"
	"sync"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// sharers notices clients that share one hardware address and so one lease, such
// as containers on ipvlan: their identifiers (option 61) renew in turn. Firmware,
// boot loader and system of one machine have several, too, but one comes after
// another, and the earlier one does not renew again (I-3). Its memory is bounded:
// of two clients that meet in a slot the later one counts.
type sharers struct {
	seed maphash.Seed

	mu    sync.Mutex
	slots [1 << 14]struct{ client, last, before uint64 }
}

// alternate notes that the client renewed with an identifier, and reports whether
// it did so before another one renewed.
func (s *sharers) alternate(client lease.ClientID, identifier []byte) bool {
	key, id := maphash.String(s.seed, string(client)), maphash.Bytes(s.seed, identifier)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[key%uint64(len(s.slots))]
	switch {
	case slot.client != key:
		slot.client, slot.last, slot.before = key, id, 0
	case slot.last != id:
		again := slot.before == id
		slot.last, slot.before = id, slot.last
		return again
	}
	return false
}
