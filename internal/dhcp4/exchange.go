package dhcp4

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// Exchange is what the plugins of one chain share about one packet, beyond what
// the reply carries (L-15). It must not refer to the packet.
type Exchange struct {
	Ingress Ingress
	// Message and Decision are set once the netbox plugin was asked.
	Message  lease.ClientMessage
	Decision lease.Decision
	Asked    bool
	// Decided says that the reply follows Decision. It is false after Asked
	// where the message is left to the next lease plugin.
	Decided bool
	// Config is the context of the machine decided about, once a plugin asked for it.
	Config *ipam.Config
	// Options are those of config contexts that the reply was given (OPT-7).
	Options []option.Chosen
	// Sources say where other options come from, for explain; nil unless Rehearsal.
	Sources []Source
	// Booted says that the reply has boot data of ours.
	Booted bool
	// Trace takes the reasons of the decision; nil where the server needs none.
	Trace *lease.Trace
	// Rehearsal says that nothing may come of this message but its answer: it was
	// made up for explain (C-1).
	Rehearsal bool
	// Prompt says that handlers must not wait: one that would have to sets Waits
	// and stops the chain without a reply. The message then runs through the chain once
	// more, where handlers may wait; a Promise was dropped.
	Prompt, Waits bool
	// Parks says that the reply can wait outside of the chain: a handler that makes a
	// Promise leaves it here, and the reply leaves once it is kept (B-16). Promised then
	// hears of it, in place of what the handler would have told.
	Parks    bool
	Promise  *lease.Promise
	Promised func(x *Exchange)
	// Note is why boot data were kept back, for explain.
	Note string
}

// Source says where an option of a reply comes from.
type Source struct {
	Code uint8
	Text string
}

// Exchanges finds the Exchange of a request by the request's identity, since a
// handler gets a request and a reply and nothing else. There is an entry as
// long as a handler of ours runs: the receive loop opens and closes it, or
// package stock does. Safe for concurrent use; the zero value is ready.
type Exchanges struct {
	// Poison is for tests: memory that the next packet would take over (B-17) is made
	// useless instead, so that a handler which kept it is noticed.
	Poison bool

	parts [exchangeParts]struct {
		one  atomic.Pointer[exchangeOf]
		mu   sync.Mutex
		more map[*dhcpv4.DHCPv4]*Exchange // where there are several at once
	}
}

// exchangeParts is far above the readers and the other processors at work, so that a
// part nearly always has one entry at most, which is found without a lock.
const exchangeParts = 64

// exchangeOf is an entry. It does not change.
type exchangeOf struct {
	req *dhcpv4.DHCPv4
	x   *Exchange
}

// Open makes the entry of req. The caller closes it after the chain has run.
func (t *Exchanges) Open(req *dhcpv4.DHCPv4, in Ingress) *Exchange {
	x := &Exchange{Ingress: in}
	t.Put(req, x)
	return x
}

// Put makes x the entry of req. The caller closes it.
func (t *Exchanges) Put(req *dhcpv4.DHCPv4, x *Exchange) {
	p := &t.parts[part(req)]
	before := p.one.Load()
	if (before == nil || before.req == req) && p.one.CompareAndSwap(before, &exchangeOf{req, x}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.more == nil {
		p.more = make(map[*dhcpv4.DHCPv4]*Exchange)
	}
	p.more[req] = x
}

// Close forgets the entry of req.
func (t *Exchanges) Close(req *dhcpv4.DHCPv4) {
	p := &t.parts[part(req)]
	if e := p.one.Load(); e != nil && e.req == req {
		p.one.Store(nil)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.more, req)
}

// Find returns the entry of req, or nil. Handlers of ours always find one.
func (t *Exchanges) Find(req *dhcpv4.DHCPv4) *Exchange {
	p := &t.parts[part(req)]
	if e := p.one.Load(); e != nil && e.req == req {
		return e.x
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.more[req]
}

// part goes by where the request lies, which Go does not change. Requests lie at
// distances that many numbers divide, so its bits are mixed.
func part(req *dhcpv4.DHCPv4) uint64 {
	const mix = 0x9e3779b97f4a7c15                                          // 2^64 by the golden ratio
	return uint64(uintptr(unsafe.Pointer(req))) * mix >> 58 % exchangeParts //nolint:gosec // G103: only the number counts
}
