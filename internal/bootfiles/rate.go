package bootfiles

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// maxRate is how many TFTP requests of one address are looked at in a
	// second. GRUB asks for some hundred small files as fast as it gets them.
	maxRate = 300
	// maxSources is how many counters there are. Addresses share them by a hash
	// that senders cannot know, so that forged addresses use up the counter of
	// no real one unless there are some ten million a second.
	maxSources = 1 << 16
)

// rate counts requests by source address, anew each second.
type rate struct {
	second int64
	seed   maphash.Seed
	counts []uint16
}

// allow counts one request. It is for one goroutine.
func (r *rate) allow(source netip.Addr, now time.Time) bool {
	if r.counts == nil {
		r.seed, r.counts = maphash.MakeSeed(), make([]uint16, maxSources)
	}
	if second := now.Unix(); second != r.second {
		r.second = second
		clear(r.counts)
	}
	n := &r.counts[maphash.Comparable(r.seed, source)%maxSources]
	if *n >= maxRate {
		return false
	}
	*n++
	return true
}
