package receive

import (
	"net/netip"
	"runtime"
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
		clients map[client]hands
	}
}

// hands is who works on the message of a client.
type hands uint8

const (
	ofReader hands = iota // who will have answered in a moment
	ofOther               // a worker, or the keeper: it may wait for something
)

// turn is when a packet is to be handled.
type turn uint8

const (
	turnNow   turn = iota
	turnLater      // a reader is at an earlier message of the client
	turnNever      // an earlier message of the client waits for something (D-28)
)

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

// begin says when p is to be handled. If that is now, p is its client's message in
// work until end.
func (w *working) begin(p *packet) turn {
	c := clientOf(p.bytes(), p.source)
	if c == (client{}) {
		return turnNow
	}
	s := &w.shards[w.shard(c)]
	s.Lock()
	defer s.Unlock()
	switch of, busy := s.clients[c]; {
	case busy && of == ofReader:
		return turnLater
	case busy:
		return turnNever
	}
	if s.clients == nil {
		s.clients = make(map[client]hands)
	}
	s.clients[c] = ofReader
	p.client = c
	return turnNow
}

// await is begin for a packet whose turn is later. A reader that has no other packet
// in hand calls it, and the other reader is soon done.
func (w *working) await(p *packet) turn {
	for {
		if t := w.begin(p); t != turnLater {
			return t
		}
		runtime.Gosched()
	}
}

// handOn notes that p goes to who may wait.
func (w *working) handOn(p *packet) {
	if p.client == (client{}) {
		return
	}
	s := &w.shards[w.shard(p.client)]
	s.Lock()
	defer s.Unlock()
	s.clients[p.client] = ofOther
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
