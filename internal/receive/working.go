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
		clients map[client]inWork
	}
}

// inWork is the message of a client that is in work, and those behind it.
type inWork struct {
	of   hands
	line []*packet // that readers took in meanwhile, in the order in which they came
}

// hands is who works on the message of a client.
type hands uint8

const (
	ofReader hands = iota // who will have answered in a moment
	ofOther               // a worker, or the keeper: it may wait for something
)

// When a packet is to be handled.
const (
	turnNow   uint32 = iota
	turnLater        // a reader is at an earlier message of the client
	turnNever        // an earlier message of the client waits for something (D-28)
)

// client is what a datagram says of its client before it is decoded; the zero
// value: nothing.
type client struct {
	chaddr [lenChaddr]byte
	source [4]byte
	port   uint16
}

// clientOf reads the hardware address of a datagram. A message without one is
// known by option 61, if at all (I-1).
func clientOf(datagram []byte, source netip.AddrPort) client {
	if len(datagram) < offsetChaddr+lenChaddr || datagram[offsetHlen] == 0 || datagram[offsetHlen] > lenChaddr {
		return client{}
	}
	c := client{port: source.Port()}
	if from := source.Addr().Unmap(); from.Is4() {
		c.source = from.As4()
	}
	copy(c.chaddr[:], datagram[offsetChaddr:offsetChaddr+int(datagram[offsetHlen])])
	if c.chaddr == [lenChaddr]byte{} {
		return client{}
	}
	return c
}

func (w *working) shard(c client) int { return int(c.chaddr[5]^c.chaddr[4]) % len(w.shards) }

// begin notes in the turn of p when p is to be handled. If that is now, p is its client's message in
// work until end. If it is later, p stands in line.
func (w *working) begin(p *packet) {
	c := clientOf(p.bytes(), p.source)
	p.turn.Store(turnNow)
	if c == (client{}) {
		return
	}
	s := &w.shards[w.shard(c)]
	s.Lock()
	defer s.Unlock()
	switch before, busy := s.clients[c]; {
	case !busy:
		if s.clients == nil {
			s.clients = make(map[client]inWork)
		}
		s.clients[c] = inWork{}
		p.client = c
	case before.of == ofReader:
		p.turn.Store(turnLater)
		before.line = append(before.line, p)
		s.clients[c] = before
	default:
		p.turn.Store(turnNever)
	}
}

// await waits until the turn of p is not later. The messages before it were taken in
// by readers who wait for none that came after it, and are soon done.
func (w *working) await(p *packet) {
	for p.turn.Load() == turnLater {
		runtime.Gosched()
	}
}

// handOn notes that p goes to who may wait, and sends away who stands in line.
func (w *working) handOn(p *packet) { w.change(p, ofOther) }

// comeBack notes that p will have been answered in a moment.
func (w *working) comeBack(p *packet) { w.change(p, ofReader) }

// change notes who works on p, if it is its client's message in work.
func (w *working) change(p *packet, of hands) {
	if p.client == (client{}) {
		return
	}
	s := &w.shards[w.shard(p.client)]
	s.Lock()
	defer s.Unlock()
	m := s.clients[p.client]
	if m.of = of; of == ofOther {
		for _, next := range m.line {
			next.turn.Store(turnNever)
		}
		m.line = nil
	}
	s.clients[p.client] = m
}

// end lets the next message of the client in; a second call does nothing.
func (w *working) end(p *packet) {
	c := p.client
	p.client = client{}
	w.endOf(c)
}

// endOf is end for a packet that has given its client away.
func (w *working) endOf(c client) {
	if c == (client{}) {
		return
	}
	s := &w.shards[w.shard(c)]
	s.Lock()
	defer s.Unlock()
	m := s.clients[c]
	if len(m.line) == 0 {
		delete(s.clients, c)
		return
	}
	next := m.line[0]
	s.clients[c] = inWork{line: m.line[1:]}
	next.client = c
	next.turn.Store(turnNow)
}
