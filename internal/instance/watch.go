package instance

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Seen is a message of a client and what was decided about it. It is a copy: it refers to
// nothing of the packet (B-17).
type Seen struct {
	At     time.Time // of the decision, UTC
	Type   lease.MessageType
	Client lease.ClientID
	// Hardware is the hardware address of a client whose key is its identifier, in the
	// form of a key; empty: the key is the hardware address, if the client has one.
	Hardware lease.ClientID
	Verdict  lease.Verdict
	State    lease.ClientState
	Reason   lease.Reason
	Rule     string // for people only
	// Addr is the address that was given, confirmed, refused or given up; invalid: none
	// was named.
	Addr      netip.Addr
	Static    bool          // it is the client's in NetBox
	Time      time.Duration // of the lease, for an OFFER or an ACK with an address
	Network   netip.Prefix  // invalid where it is unknown
	Machine   string        // name in NetBox; empty: NetBox does not know the client
	MachineID ipam.MachineID
	Hostname  string // the client's own word; untrusted text
	Naming    lease.NameWish
	Relay     netip.Addr // giaddr; invalid: none
	Link      netip.Addr // link selection that the relay sent (option 82 sub-option 5), whether it counted or not; invalid: none
	Server    netip.Addr // option 54, which the client chose or speaks to; invalid: none
	Interface string     // that the message came in by; empty where the server does not tell
	Circuit   string     // option 82 sub-option 1; untrusted bytes
	Remote    string     // option 82 sub-option 2; untrusted bytes
}

// Watch receives what becomes of messages, for those that show or keep it. Packets never
// wait for it: what finds no room is lost, and counted (B-18).
type Watch struct {
	// C is closed by nobody: whoever reads it ends by a context of its own.
	C <-chan Seen

	instance *Instance
	room     chan Seen
	wants    func(*lease.ClientMessage, *lease.Decision) bool
	lost     atomic.Uint64
}

// Watch begins to watch. Of what wants returns true for, up to room messages wait in C.
// wants is called for each message that is decided about, by many goroutines; it must
// return at once and keep nothing.
func (i *Instance) Watch(room int, wants func(*lease.ClientMessage, *lease.Decision) bool) *Watch {
	c := make(chan Seen, room)
	w := &Watch{C: c, room: c, instance: i, wants: wants}
	i.changeWatches(func(all []*Watch) []*Watch { return append(all, w) })
	return w
}

// Close ends the watch. Its channel stays open.
func (w *Watch) Close() {
	w.instance.changeWatches(func(all []*Watch) []*Watch {
		return slices.DeleteFunc(all, func(other *Watch) bool { return other == w })
	})
}

// Lost is how many messages found no room so far.
func (w *Watch) Lost() uint64 { return w.lost.Load() }

// changeWatches replaces the list, which packets read without a lock.
func (i *Instance) changeWatches(change func([]*Watch) []*Watch) {
	i.watching.Lock()
	defer i.watching.Unlock()
	var now []*Watch
	if before := i.watches.Load(); before != nil {
		now = slices.Clone(*before)
	}
	now = change(now)
	i.watches.Store(&now)
}

// tellWatches hands what was decided to those who want it.
func (i *Instance) tellWatches(m *lease.ClientMessage, d *lease.Decision, now time.Time) {
	watches := i.watches.Load()
	if watches == nil || len(*watches) == 0 {
		return
	}
	var seen Seen
	made := false
	for _, w := range *watches {
		if !w.wants(m, d) {
			continue
		}
		if !made {
			seen, made = newSeen(i.Engine.Identified(m), d, now), true
		}
		select {
		case w.room <- seen:
		default:
			w.lost.Add(1)
		}
	}
}

func newSeen(m *lease.ClientMessage, d *lease.Decision, now time.Time) Seen {
	s := Seen{
		At: now.UTC(), Type: m.Type, Client: m.Client, Hardware: m.Hardware, Verdict: d.Verdict, State: d.State, Reason: d.Reason, Rule: d.Rule,
		Addr: m.Asked(), Static: d.Static, Time: d.Time, Hostname: strings.Clone(m.Hostname), Naming: m.Naming, Relay: m.Relay, Link: m.LinkSelection, Server: m.ServerID, Interface: m.Interface,
		Circuit: string(m.Circuit), Remote: string(m.Remote),
	}
	if d.Addr.IsValid() {
		s.Addr = d.Addr.Addr()
	}
	if d.Subnet != nil {
		s.Network = d.Subnet.Prefix.Prefix
	}
	if d.Machine != nil {
		s.Machine, s.MachineID = d.Machine.Name, d.Machine.ID
	}
	return s
}
