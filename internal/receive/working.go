package receive

import (
	"net/netip"
	"sync"
)

// Where a BOOTP header has the length of the hardware address, and the address.
const (
	offsetHlen   = 2
	offsetChaddr = 28
	lenChaddr    = 16
)

// working are the clients whose message is in work or waits for a worker. A
// client that sends again meanwhile must not take a second worker (D-28). The
// sender belongs to the client, so that a forged packet from elsewhere keeps
// no client's message out.
type working struct {
	shards [64]struct {
		sync.Mutex
		clients map[client]struct{}
	}
}

// client is what a datagram says of its client before it is decoded; the zero
// value: nothing.
type client struct {
	chaddr [lenChaddr]byte
	source netip.AddrPort
}

// clientOf reads the hardware address of a datagram. A message without one is
// known by option 61, if at all (I-1).
func clientOf(datagram []byte, source netip.AddrPort) client {
	if len(datagram) < offsetChaddr+lenChaddr || datagram[offsetHlen] == 0 || datagram[offsetHlen] > lenChaddr {
		return client{}
	}
	c := client{source: source}
	copy(c.chaddr[:], datagram[offsetChaddr:offsetChaddr+int(datagram[offsetHlen])])
	if c.chaddr == [lenChaddr]byte{} {
		return client{}
	}
	return c
}

func (w *working) shard(c client) int { return int(c.chaddr[5]^c.chaddr[4]) % len(w.shards) }

// begin reports whether no other message of the client is in work; then p is,
// until end.
func (w *working) begin(p *packet) bool {
	c := clientOf(p.bytes(), p.source)
	if c == (client{}) {
		return true
	}
	s := &w.shards[w.shard(c)]
	s.Lock()
	defer s.Unlock()
	if _, busy := s.clients[c]; busy {
		return false
	}
	if s.clients == nil {
		s.clients = make(map[client]struct{})
	}
	s.clients[c] = struct{}{}
	p.client = c
	return true
}

// end lets the next message of the client in; a second call does nothing.
func (w *working) end(p *packet) {
	c := p.client
	if c == (client{}) {
		return
	}
	p.client = client{}
	s := &w.shards[w.shard(c)]
	s.Lock()
	defer s.Unlock()
	delete(s.clients, c)
}
