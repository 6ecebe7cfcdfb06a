// Package guard keeps the trouble one packet makes in one plugin from the other
// packets and plugins. It knows nothing of what a plugin does.
package guard

import (
	"runtime/debug"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Handler4 returns h made safe for CoreDHCP's chain: a reply that an earlier
// plugin took away ends the chain (B-5), and a panic costs the packet and not
// the process (B-3, L-7).
func Handler4(log *quiet.Logger, plugin string, h handler.Handler4) handler.Handler4 {
	return func(req, resp *dhcpv4.DHCPv4) (reply *dhcpv4.DHCPv4, stop bool) {
		if resp == nil {
			return nil, true
		}
		defer func() {
			if cause := recover(); cause != nil {
				log.Error("panic "+plugin, "packet dropped: bug in a plugin", logrus.Fields{
					"plugin": plugin, "panic": cause, "stack": string(debug.Stack()),
				})
				reply, stop = nil, true
			}
		}()
		return h(req, resp)
	}
}
