package writeback

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Why a lease has no place in NetBox.
var (
	errNoAddress  = errors.New("NetBox has no IP address for it any more")
	errNotDynamic = errors.New("its IP address in NetBox is not dynamic any more")
	errRange      = errors.New("it is an address of a range, which needs no IP address in NetBox")
	errVanished   = errors.New("its IP address vanished from NetBox, or a change of it is doubted")
	errSuperseded = errors.New("it has ended, and NetBox shows a running lease there that another program wrote")
)

// change is what has to be in NetBox for l: key and expiry are the
// lease's own in every state, since the engine keeps the key on release
// and puts the well-known one on decline.
func (w *Writer) change(s *ipam.Snapshot, l lease.Lease) (RecordChange, error) {
	a, err := address(s, l.Addr)
	if err != nil {
		return RecordChange{}, err
	}
	if !w.config.Running(l.Expires) && w.foreign(l, a.Record, a.LastUpdated) {
		return RecordChange{}, errSuperseded
	}
	id, object, err := w.home(s, a, l)
	if err != nil {
		return RecordChange{}, err
	}
	c := RecordChange{
		ID:      id,
		Make:    object,
		Addr:    l.Addr,
		Record:  ipam.Record{Client: string(l.Shown()), Expires: l.Expires, Hostname: l.Hostname},
		Keep:    func(have ipam.Record, updated time.Time) bool { return w.foreign(l, have, updated) },
		Message: fmt.Sprintf("DHCP: %s, %s until %s", l.State, l.Shown(), l.Expires.UTC().Format(time.RFC3339)),
	}
	if w.config.BindInterface {
		c.Bind, c.Unbind = assignment(s, a, l, w.config.Running(l.Expires))
	}
	return c, nil
}

// foreign reports whether a record, found in a row of the time given, shows a
// running lease that another program wrote, of another client (S-12), or of the same
// one until later (S-5). A clock that is not trusted does not tell that it has ended
// (S-14).
func (w *Writer) foreign(l lease.Lease, r ipam.Record, updated time.Time) bool {
	client := lease.ClientID(r.Client)
	if client == "" || !l.Foreign(client, r.Expires, updated) && !l.Outlived(client, r.Expires, updated) {
		return false
	}
	return r.Unreadable || w.config.Running(r.Expires) || !r.Expires.IsZero() && w.config.ReclaimPause != nil && w.config.ReclaimPause() > 0
}

// address finds the object of a leased address: in the VRF of its network, or,
// where the network is gone, in the first VRF that still has the address. An
// object that is no longer dynamic is left alone: nothing is written to static
// addresses. Neither is one that vanished: what it is now is not known (T-1).
func address(s *ipam.Snapshot, host netip.Addr) (*ipam.Address, error) {
	vrfs := s.DynamicVRFs()
	if n, err := s.Subnet(host); err == nil {
		vrfs = []int64{n.VRF}
	}
	err := errNoAddress
	for _, vrf := range vrfs {
		a := s.Address(vrf, host)
		switch {
		case a == nil:
		case a.Loss != ipam.Present:
			err = errVanished
		case s.IsDynamic(a):
			return a, nil
		default:
			err = errNotDynamic
		}
	}
	return nil, err
}

// assignment says to which interface the address is to be bound, or from which
// it is to be taken, for clients.bind_interface. An assignment that is not of
// this program's making is left alone. A lease that the clock alone has ended by a
// step goes on, and so does its assignment (S-16).
func assignment(s *ipam.Snapshot, a *ipam.Address, l lease.Lease, runs bool) (bind, unbind ipam.InterfaceID) {
	none := ipam.InterfaceID{}
	port := ipam.InterfaceID{Kind: ipam.Kind(l.InterfaceKind), ID: l.InterfaceID}
	running := l.State == lease.Bound && runs
	switch {
	case running && port != none:
		free := a.Interface == none || a.Interface == port || ofLastClient(s, a)
		if free && s.Interface(port) != nil {
			return port, none
		}
	case port != none:
		return none, port
	case a.Record.Client != string(l.Shown()) && ofLastClient(s, a):
		return none, a.Interface
	}
	return none, none
}

// ofLastClient reports whether the address is assigned to the interface of the
// client in its record, as clients.bind_interface does it.
func ofLastClient(s *ipam.Snapshot, a *ipam.Address) bool {
	mac, err := ipam.ParseMAC(a.Record.Client)
	return err == nil && slices.Contains(s.MACs(a.Interface), mac)
}
