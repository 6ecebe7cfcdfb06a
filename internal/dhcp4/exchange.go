package dhcp4

import (
	"sync"
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
	// FromMemory says that nobody may be asked for what is not known already: pages may
	// not make this server ask NetBox (WEB-7).
	FromMemory bool
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

// Handler is what a plugin of ours does with a message, as a handler of CoreDHCP does
// (F-17). Without a reply the client gets no answer.
type Handler func(x *Exchange, req, resp *Packet) (reply *Packet, stop bool)

// Handler returns h as others call it. A reply that an earlier handler took away ends the
// chain (B-5).
func (t *Exchanges) Handler(h Handler) func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	return func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if resp == nil {
			return nil, true
		}
		reply, stop := h(t.Find(req), Of(req), Of(resp))
		if reply == nil {
			return nil, stop
		}
		return reply.Library(), stop
	}
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
		sync.Mutex
		open map[*dhcpv4.DHCPv4]*Exchange
	}
}

// Each part of the table has its own lock, so that processors seldom wait for one
// another.
const exchangeParts = 16

// Open makes the entry of req. The caller closes it after the chain has run.
func (t *Exchanges) Open(req *dhcpv4.DHCPv4, in Ingress) *Exchange {
	x := &Exchange{Ingress: in}
	t.Put(req, x)
	return x
}

// Put makes x the entry of req. The caller closes it.
func (t *Exchanges) Put(req *dhcpv4.DHCPv4, x *Exchange) {
	p := &t.parts[part(req)]
	p.Lock()
	defer p.Unlock()
	if p.open == nil {
		p.open = make(map[*dhcpv4.DHCPv4]*Exchange)
	}
	p.open[req] = x
}

// Close forgets the entry of req.
func (t *Exchanges) Close(req *dhcpv4.DHCPv4) {
	p := &t.parts[part(req)]
	p.Lock()
	defer p.Unlock()
	delete(p.open, req)
}

// Find returns the entry of req, or nil. Handlers of ours always find one.
func (t *Exchanges) Find(req *dhcpv4.DHCPv4) *Exchange {
	p := &t.parts[part(req)]
	p.Lock()
	defer p.Unlock()
	return p.open[req]
}

// part goes by where the request lies, which Go does not change; bits that all
// requests have alike are left out.
func part(req *dhcpv4.DHCPv4) uintptr {
	return uintptr(unsafe.Pointer(req)) / unsafe.Sizeof(*req) % exchangeParts //nolint:gosec // G103: only the number counts
}
