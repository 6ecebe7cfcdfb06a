// Package stock is all that our plugins need besides in a CoreDHCP build whose
// server is CoreDHCP's own. That server bounds nothing, recovers from no panic,
// trims no reply, and tells plugins neither where a packet came from nor when
// its chain has ended. The package wraps handlers; it knows nothing of what a
// plugin does. Binaries with our receive loop do not use it.
package stock

import (
	"runtime/debug"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Plugin is what a handler is wrapped for.
type Plugin struct {
	Name string
	Log  *quiet.Logger
	// Limit is how many packets the plugin has in work at most; what comes on
	// top is dropped. 0: no limit.
	Limit int
	// Last says that no plugin of ours follows: the reply is trimmed.
	Last bool
}

// Handler returns h made safe for the stock server. While h runs, exchanges has
// an entry for its request; between the handlers of a chain packets keeps it.
// A panic costs the packet and not the process (B-3, L-7).
func (p Plugin) Handler(h handler.Handler4, exchanges *dhcp4.Exchanges, packets *Packets) handler.Handler4 {
	w := &wrapper{Plugin: p, handle: h, exchanges: exchanges, packets: packets}
	if p.Limit > 0 {
		w.working = make(chan struct{}, p.Limit)
	}
	return w.handle4
}

type wrapper struct {
	Plugin
	handle    handler.Handler4
	exchanges *dhcp4.Exchanges
	packets   *Packets
	working   chan struct{} // nil: no limit
}

func (w *wrapper) handle4(req, resp *dhcpv4.DHCPv4) (reply *dhcpv4.DHCPv4, stop bool) {
	if !w.begin() {
		w.Log.Warn("overload", "packet dropped: too many in work", nil)
		return nil, true
	}
	defer w.end()
	defer func() {
		if cause := recover(); cause != nil {
			w.Log.Error("panic "+w.Name, "packet dropped: bug in a plugin", logrus.Fields{
				"plugin": w.Name, "panic": cause, "stack": string(debug.Stack()),
			})
			reply, stop = nil, true
		}
	}()
	x := w.exchanges.Find(req)
	if x == nil {
		x = w.packets.find(req)
		w.exchanges.Put(req, x)
		defer w.exchanges.Close(req)
	}
	reply, stop = w.handle(req, resp)
	if reply == nil {
		return reply, stop
	}
	if x.Decided || x.Booted { // siaddr is what netbox or netbox_pxe wrote
		avoidRawFrame(req, reply, x.Ingress)
	}
	if w.Last && !stop {
		w.trim(req, reply, x.Options)
	}
	return reply, stop
}

// begin reports whether one more packet may be in work (B-1, L-8).
func (w *wrapper) begin() bool {
	if w.working == nil {
		return true
	}
	select {
	case w.working <- struct{}{}:
		return true
	default:
		return false
	}
}

func (w *wrapper) end() {
	if w.working != nil {
		<-w.working
	}
}

// trim keeps the reply as small as the client needs it (R-5, L-14).
func (w *wrapper) trim(req, resp *dhcpv4.DHCPv4, added []option.Chosen) {
	reply := dhcp4.Of(resp)
	left, fits := dhcp4.Trim(dhcp4.Of(req), reply, added)
	reply.Library()
	if len(left) > 0 {
		w.Log.Warn("trimmed", "reply too big for the client: options left out", logrus.Fields{
			"mac": req.ClientHWAddr, "options": left,
		})
	}
	if !fits {
		w.Log.Warn("oversized", "reply is bigger than the client says it can take", logrus.Fields{"mac": req.ClientHWAddr})
	}
}
