package dhcp4

import (
	"runtime"
	"sync"
	"weak"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Exchange is what the plugins of one chain share about one packet and the
// reply cannot carry (L-15).
type Exchange struct {
	Ingress Ingress
	// Message and Decision are set once the netbox plugin was asked.
	Message  lease.ClientMessage
	Decision lease.Decision
	Asked    bool
	// Decided says that the reply follows Decision. It is false after Asked
	// where the message is left to the next lease plugin.
	Decided bool
	// Trace takes the reasons of the decision; nil where the server needs none.
	Trace *lease.Trace
	// Note is why boot data were kept back, for people who ask.
	Note string
}

// Exchanges finds the Exchange of a request by the request's identity. Our
// receive loop opens and closes entries; on the stock server, which has no hook
// for that, an entry goes when its request is collected. Safe for concurrent
// use; the zero value is ready.
type Exchanges struct {
	open sync.Map // weak.Pointer[dhcpv4.DHCPv4] -> *Exchange
}

// Open makes the entry of req. The caller closes it after the chain has run.
func (t *Exchanges) Open(req *dhcpv4.DHCPv4, in Ingress) *Exchange {
	x := &Exchange{Ingress: in}
	t.open.Store(weak.Make(req), x)
	return x
}

// Close forgets the entry of req.
func (t *Exchanges) Close(req *dhcpv4.DHCPv4) { t.open.Delete(weak.Make(req)) }

// Find returns the entry of req, or nil.
func (t *Exchanges) Find(req *dhcpv4.DHCPv4) *Exchange {
	if x, ok := t.open.Load(weak.Make(req)); ok {
		return x.(*Exchange)
	}
	return nil
}

// FindOrOpen returns the entry of req and makes one without Ingress where the
// server did not; such an entry lives as long as req.
func (t *Exchanges) FindOrOpen(req *dhcpv4.DHCPv4) *Exchange {
	if x := t.Find(req); x != nil {
		return x
	}
	x := t.Open(req, Ingress{})
	runtime.AddCleanup(req, func(key weak.Pointer[dhcpv4.DHCPv4]) { t.open.Delete(key) }, weak.Make(req))
	return x
}
