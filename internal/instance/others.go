package instance

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// OtherServer is a DHCP server that clients chose instead of this one: they named it in
// option 54 (WEB-9). A client can name anything, so it is a hint and no proof.
type OtherServer struct {
	Server   netip.Addr     `json:"server"`
	Client   lease.ClientID `json:"client"`           // that named it last
	Network  netip.Prefix   `json:"network,omitzero"` // of that client, where it is known
	Relay    netip.Addr     `json:"relay,omitzero"`   // giaddr
	Messages int            `json:"messages"`
	First    time.Time      `json:"first"`
	Last     time.Time      `json:"last"`
}

// othersFor is for how long another server counts after it was named last.
const othersFor = 24 * time.Hour

// choseAnother notes that a client chose another server.
func (i *Instance) choseAnother(m *lease.ClientMessage, d *lease.Decision, now time.Time) {
	if d.Reason != lease.ReasonOtherServer || !m.ServerID.IsValid() {
		return
	}
	i.others.note(m.ServerID, func(o *OtherServer) {
		o.Server, o.Client, o.Relay, o.Last, o.Messages = m.ServerID, m.Client, m.Relay, now.UTC(), o.Messages+1
		if o.First.IsZero() {
			o.First = o.Last
		}
		if o.Network = (netip.Prefix{}); d.Subnet != nil {
			o.Network = d.Subnet.Prefix.Prefix
		}
	})
}

// OtherServers returns the servers that clients chose within the last day, the one named
// last first; at most 1024 (WEB-9).
func (i *Instance) OtherServers(now time.Time) []OtherServer {
	return i.others.those(func(o *OtherServer) bool { return o.Last.After(now.Add(-othersFor)) })
}
