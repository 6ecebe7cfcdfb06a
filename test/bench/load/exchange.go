package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Clients are the machines that the relay speaks for.
type Clients struct {
	First uint32 // number of the first; see MAC
	Count int
	Known bool // they come again and again; else each comes once
	// Right tells whether the server may give the address to the client.
	Right func(client uint32, address netip.Addr) bool
}

// exchange is one DISCOVER, OFFER, REQUEST, ACK. Times count from the begin of
// the run; 0 is not yet, lost is too late.
type exchange struct {
	started, offered, acked time.Duration
	address                 [4]byte // of the OFFER
}

const lost = -1

// run is the state of one load. The sender appends exchanges and publishes
// their number; the receiver writes the rest.
type run struct {
	clients  Clients
	giaddr   uint32
	first    uint32        // transaction id of the first exchange
	patience time.Duration // of the relay
	begin    time.Time
	began    atomic.Int64
	lastSent atomic.Int64 // when the last exchange was started

	exchanges []exchange
	owners    map[[4]byte]uint32
	naks      int
	repeated  int
	wrong     int
	complaint string
}

func newRun(clients Clients, giaddr netip.Addr, first uint32, most int) *run {
	if !clients.Known {
		most = min(most, clients.Count)
	}
	raw := giaddr.As4()
	return &run{
		clients: clients, giaddr: binary.BigEndian.Uint32(raw[:]), first: first, begin: time.Now(),
		exchanges: make([]exchange, most), owners: make(map[[4]byte]uint32, min(most, clients.Count)),
	}
}

func (r *run) now() time.Duration { return time.Since(r.begin) + 1 }

func (r *run) client(i int) uint32 { return r.clients.First + uint32(i%r.clients.Count) }

// full tells that no further exchange may start.
func (r *run) full() bool { return int(r.began.Load()) == len(r.exchanges) }

// discover begins the next exchange, which was due at a time, in b. The
// exchange counts once it is published.
func (r *run) discover(b []byte, i int, due time.Duration) int {
	r.exchanges[i].started = due
	return writeMessage(b, discover, r.first+uint32(i), r.giaddr, r.client(i), nil, nil)
}

// take handles one reply. It returns the length of the message in next that
// goes on with the exchange, or whether the exchange has ended.
func (r *run) take(reply, next []byte) (n int, ended bool) {
	if len(reply) < atOptions || reply[0] != 2 || binary.BigEndian.Uint32(reply[atCookie:]) != cookie {
		return r.complain("no DHCP reply: % x", reply)
	}
	xid := binary.BigEndian.Uint32(reply[atXID:])
	i := int(int32(xid - r.first))
	if i < 0 {
		return 0, false // a late answer to an earlier run
	}
	if i >= int(r.began.Load()) {
		return r.complain("transaction %d was not begun", i)
	}
	client := r.client(i)
	if mac := MAC(client); !bytes.Equal(reply[atChaddr:atChaddr+6], mac[:]) {
		return r.complain("transaction %d of client %d is answered to % x", i, client, reply[atChaddr:atChaddr+6])
	}
	kind, server := option(reply, optionKind), option(reply, optionServer)
	if len(kind) != 1 || len(server) != 4 {
		return r.complain("client %d: no message type or server identifier", client)
	}
	e, address := &r.exchanges[i], [4]byte(reply[atYiaddr:])
	switch {
	case e.acked == lost:
		return 0, false // the client has given up
	case kind[0] == offer && e.offered == 0:
		return r.offered(e, client, address, next, xid, server)
	case kind[0] == ack && e.offered != 0 && e.acked == 0:
		return r.acked(e, client, address)
	case kind[0] == nak && e.acked == 0:
		r.naks++
		e.acked = lost
		return 0, true
	}
	r.repeated++
	return 0, false
}

func (r *run) offered(e *exchange, client uint32, address [4]byte, next []byte, xid uint32, server []byte) (n int, ended bool) {
	if !r.clients.Right(client, netip.AddrFrom4(address)) {
		return r.complain("client %d is offered %v", client, netip.AddrFrom4(address))
	}
	e.offered, e.address = r.now(), address
	return writeMessage(next, request, xid, r.giaddr, client, address[:], server), false
}

func (r *run) acked(e *exchange, client uint32, address [4]byte) (n int, ended bool) {
	e.acked = r.now()
	if address != e.address {
		r.complain("client %d is offered %v and given %v", client, netip.AddrFrom4(e.address), netip.AddrFrom4(address))
	}
	if owner, taken := r.owners[address]; taken && owner != client {
		r.complain("%v is given to clients %d and %d", netip.AddrFrom4(address), owner, client)
	}
	r.owners[address] = client
	return 0, true
}

func (r *run) complain(format string, args ...any) (n int, ended bool) {
	if r.wrong++; r.wrong == 1 {
		r.complaint = fmt.Sprintf(format, args...)
	}
	return 0, false
}

// expire gives up exchanges from the oldest on that have lasted too long. It
// returns where the next call goes on, and how many were given up.
func (r *run) expire(oldest int) (next, given int) {
	began, now := int(r.began.Load()), r.now()
	for ; oldest < began; oldest++ {
		e := &r.exchanges[oldest]
		if e.acked != 0 {
			continue
		}
		if now-e.started < r.patience {
			break
		}
		e.acked = lost
		given++
	}
	return oldest, given
}

// result sums up.
func (r *run) result() *Result {
	began := r.exchanges[:r.began.Load()]
	s := &Result{
		Started: len(began), Naks: r.naks, Repeated: r.repeated, Wrong: r.wrong, Complaint: r.complaint,
		Took: time.Duration(r.lastSent.Load()), Given: make(map[netip.Addr]uint32, len(r.owners)),
	}
	for address, client := range r.owners {
		s.Given[netip.AddrFrom4(address)] = client
	}
	for _, e := range began {
		if e.acked <= 0 || e.acked-e.started > r.patience {
			continue
		}
		s.Took = max(s.Took, e.acked)
		s.offers = append(s.offers, e.offered-e.started)
		s.whole = append(s.whole, e.acked-e.started)
	}
	slices.Sort(s.offers)
	slices.Sort(s.whole)
	return s
}
