package receive

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
)

const (
	offsetGiaddr = 24
	// senderShare is how many messages one sender that is not the relay it names
	// may have in work while the waiting room is half full (N-13).
	senderShare = 64
	// senderParts is how many shares there are. Senders whose addresses hash to one
	// have it together; which do so differs with each start.
	senderParts = 1024
)

// senders counts the messages in work of senders that are not the relay they name.
// Many relays send from their upstream interface, and so do forgers: they pay for
// what is too much among themselves. The zero value is of no use.
type senders struct {
	seed  maphash.Seed
	total atomic.Int32
	parts [senderParts]atomic.Int32
}

// partOf is the share that a datagram counts against, from 1; 0: none, since no
// relay is named, or it sent the datagram itself.
func (s *senders) partOf(datagram []byte, source netip.Addr) int {
	if len(datagram) < offsetGiaddr+4 {
		return 0
	}
	relay, sender := netip.AddrFrom4([4]byte(datagram[offsetGiaddr:])), source.Unmap()
	if relay.IsUnspecified() || relay == sender {
		return 0
	}
	return 1 + int(maphash.Comparable(s.seed, sender)%senderParts)
}

// begin reports whether p may be in work, and then is until end. crowded says that
// places are scarce, and most is how many all such senders have together then.
func (s *senders) begin(p *packet, crowded bool, most int) bool {
	part := s.partOf(p.bytes(), p.source.Addr())
	if part == 0 {
		return true
	}
	if crowded && (s.parts[part-1].Load() >= senderShare || int(s.total.Load()) >= most) {
		return false
	}
	s.parts[part-1].Add(1)
	s.total.Add(1)
	p.part = part
	return true
}

// end gives the share back; a second call does nothing.
func (s *senders) end(p *packet) {
	if p.part == 0 {
		return
	}
	s.parts[p.part-1].Add(-1)
	s.total.Add(-1)
	p.part = 0
}
