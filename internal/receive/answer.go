package receive

import (
	"net/netip"
	"slices"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Link is one handler of a chain.
type Link struct {
	Plugin string // whose handler it is
	// Ours is called if it is not nil, and Theirs, which does the same, if it is.
	Ours   dhcp4.Handler
	Theirs handler.Handler4
}

// Chain is what answers a message: the handlers of the settings file, and what
// the receive loop does before and after them.
type Chain struct {
	// Handlers run in order as CoreDHCP's do (F-17).
	Handlers []Link
	// Exchanges is where handlers find what is known of a packet; required.
	Exchanges *dhcp4.Exchanges
	// OwnsDecline says that netbox is in the chain: only then DECLINE and BOOTP
	// reach the handlers, since other lease plugins would allocate (REC-3).
	OwnsDecline bool
	// SupplyServerID puts an address of this machine into option 54 of the reply
	// before the chain runs; for chains without a server_id line.
	SupplyServerID bool
	// Proxy names interfaces without leases; the zero value: none.
	Proxy Proxy
	// Prompt reports whether no handler waits for anything while it works on req,
	// other than one that says so by the Exchange. nil: any handler may wait, so
	// workers run the chain (B-14).
	Prompt func(req *dhcp4.Packet) bool
	// Reuse says that no handler keeps a message, a reply or an Exchange, or anything
	// that they refer to, once the chain has run, so that the next packet takes over
	// their memory (B-17).
	Reuse bool
	// FromMemory makes Answer ask nobody for what is not known already (WEB-7).
	FromMemory bool
	// Tally counts what the handlers do; nil: nothing does.
	Tally *Tally
	// Own hears which addresses this machine has, before the first message and after
	// each change; it must not change them, and return soon. nil: nothing asks.
	Own func(addrs map[netip.Addr]bool)
}

// Outcome is what came of one message.
type Outcome struct {
	// Reply is what may be sent; nil for the reason in Drop.
	Reply *dhcp4.Packet
	Drop  Drop
	// Proxied says that the message arrived where another server gives addresses.
	Proxied bool
	// Exchange is what the handlers found out; nil where no handler was asked.
	Exchange *dhcp4.Exchange

	wire      []byte              // Reply as it is sent
	memory    *memory             // of reply and Exchange
	rehearsal bool                // nothing may come of it but the answer
	prompt    bool                // the handlers must not wait
	promise   *lease.Promise      // of the run before, which was not kept
	leftOut   []dhcpv4.OptionCode // of a reply that was too big for the client
	fits      bool
	running   int // index of the handler at work, for a panic
}

// Answer says what one message would be answered. It runs the chain as the
// receive loop does, but nothing is sent and nothing comes of it: no lease, no hold,
// no count (C-1). identifier is the address of ours that the client knows this
// server by; the zero Addr if there is none. trace takes the reasons of the lease
// decision and may be nil.
func (c *Chain) Answer(req *dhcpv4.DHCPv4, in dhcp4.Ingress, identifier netip.Addr, trace *lease.Trace) Outcome {
	out := Outcome{memory: new(memory), rehearsal: true}
	c.answer(&out, dhcp4.Of(req), in, identifier, trace)
	return out
}

// Play answers one message as Answer does, and what comes of it stays: its lease, its
// hold. It is for a replay, where the chain's instance serves nobody (C-22). Nothing is
// sent; handlers may wait.
func (c *Chain) Play(req *dhcpv4.DHCPv4, in dhcp4.Ingress, identifier netip.Addr) Outcome {
	alone := *c
	alone.Prompt = nil // so that no reply waits outside of the chain
	out := Outcome{memory: new(memory)}
	alone.answer(&out, dhcp4.Of(req), in, identifier, nil)
	return out
}

// Wire is the reply as it would be sent; nil if there is none.
func (o *Outcome) Wire() []byte { return o.wire }

// LeftOut lists the options that a reply too big for the client lost.
func (o *Outcome) LeftOut() []dhcpv4.OptionCode { return o.leftOut }

// waits reports whether a handler would have had to wait.
func (o *Outcome) waits() bool { return o.Exchange != nil && o.Exchange.Waits }

// promises reports whether the reply rests on a change that is still to be stored.
func (o *Outcome) promises() bool {
	return o.Exchange != nil && o.Exchange.Promise != nil && o.Exchange.Promise != o.promise
}

// dropPromise ends the promise of a message that comes to nothing, or begins anew.
func (o *Outcome) dropPromise() {
	if o.promise != nil {
		o.promise.Drop()
	}
	if o.promises() {
		o.Exchange.Promise.Drop()
	}
}

// prompt reports whether the chain can be run where nothing may wait.
func (c *Chain) prompt(req *dhcp4.Packet, in dhcp4.Ingress) bool {
	return c.Prompt != nil && !c.proxied(in) && c.Prompt(req)
}

// proxied says that another server gives addresses where the message arrived.
func (c *Chain) proxied(in dhcp4.Ingress) bool {
	return in.BootPort || slices.Contains(c.Proxy.Interfaces, in.Interface)
}

// vouched reports whether the relay in giaddr itself sent the message: from that
// address, or as far as NetBox and the settings prove it (N-11).
func (o *Outcome) vouched(req *dhcp4.Packet, source netip.AddrPort) bool {
	return source.Addr().Unmap() == addr4(req.GatewayIPAddr) || o.Exchange != nil && o.Exchange.Decision.Relayed.Vouched
}

// answer is what the receive loop and Answer share. out has the outcome so far
// when a handler panics.
func (c *Chain) answer(out *Outcome, req *dhcp4.Packet, in dhcp4.Ingress, identifier netip.Addr, trace *lease.Trace) {
	out.Proxied = c.proxied(in)
	resp, why := c.prepared(out.memory, req, in, identifier, out.Proxied)
	if why != "" {
		out.Drop = why
		return
	}
	out.Exchange = out.memory.share(in, out.promise)
	out.Exchange.Trace, out.Exchange.Rehearsal, out.Exchange.Prompt = trace, out.rehearsal, out.prompt
	out.Exchange.FromMemory = out.rehearsal && c.FromMemory
	out.Exchange.Parks = c.Prompt != nil && !out.rehearsal
	if out.Proxied {
		out.running = proxyHandler
		if resp, _ = c.Proxy.Handler(out.Exchange, req, resp); resp == nil || leases(resp) {
			out.Drop = dropNoReply
		}
	} else {
		resp = c.run(out, req, resp)
		out.Drop = withheld(req, resp)
	}
	out.running = noHandler
	if out.Drop != "" {
		return
	}
	out.Reply, out.wire, out.fits = resp, out.memory.encode(resp), true
	if len(out.wire) > dhcp4.SizeLimit(req) {
		out.leftOut, out.fits = dhcp4.Trim(req, resp, out.Exchange.Options)
		out.wire = out.memory.encode(resp)
	}
}

// prepared makes the reply that the handlers start from.
func (c *Chain) prepared(m *memory, req *dhcp4.Packet, in dhcp4.Ingress, identifier netip.Addr, proxied bool) (*dhcp4.Packet, Drop) {
	if proxied {
		resp := prepareProxy(m, req, in, identifier)
		switch {
		case resp == nil:
			return nil, DropUnhandled
		case !identifier.IsValid():
			return nil, dropNoServerID
		}
		return resp, ""
	}
	resp := prepare(m, req, c.OwnsDecline)
	if resp == nil {
		return nil, DropUnhandled
	}
	if c.SupplyServerID && identifier.Is4() {
		dhcp4.SetAddrs(resp, dhcpv4.OptionServerIdentifier, identifier)
	}
	return resp, ""
}

// run calls the handlers in order until one of them stops. Those of others see the
// message and the reply as the library has them.
func (c *Chain) run(out *Outcome, req, resp *dhcp4.Packet) *dhcp4.Packet {
	theirs := theirView{exchanges: c.Exchanges}
	defer theirs.close()
	for i, h := range c.Handlers {
		var stop bool
		out.running = i
		counts := c.Tally.of(i, out.rehearsal)
		counts.called()
		if h.Ours != nil {
			if resp = theirs.leave(req, resp); resp == nil {
				return nil // an earlier handler took it away (B-5)
			}
			resp, stop = h.Ours(out.Exchange, req, resp)
		} else {
			theirs.enter(out.Exchange, req, resp)
			theirs.said, stop = h.Theirs(theirs.sent, theirs.said)
		}
		if stop {
			counts.ended()
			break
		}
	}
	return theirs.leave(req, resp)
}

// theirView is a message and its reply while handlers of others work on them.
type theirView struct {
	exchanges  *dhcp4.Exchanges
	sent, said *dhcpv4.DHCPv4 // sent is nil while they do not
}

// enter writes the options into those of the library, unless they are there.
func (v *theirView) enter(x *dhcp4.Exchange, req, resp *dhcp4.Packet) {
	if v.sent != nil {
		return
	}
	v.sent, v.said = req.Library(), nil
	if resp != nil {
		v.said = resp.Library()
	}
	v.exchanges.Put(v.sent, x) // for handlers of ours that are called as theirs
}

// leave reads what they made of message and reply, and returns the reply.
func (v *theirView) leave(req, resp *dhcp4.Packet) *dhcp4.Packet {
	if v.sent == nil {
		return resp
	}
	req.Load(v.sent)
	said := v.said
	v.close()
	switch {
	case said == nil:
		return nil
	case resp == nil:
		return dhcp4.Of(said)
	}
	resp.Load(said)
	return resp
}

func (v *theirView) close() {
	if v.sent != nil {
		v.exchanges.Close(v.sent)
		v.sent = nil
	}
}
