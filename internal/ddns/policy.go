package ddns

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Source is where a name comes from.
type Source string

// The sources, by the words of the settings.
const (
	FromNetBox   Source = "netbox"
	FromClient   Source = "client"
	FromTemplate Source = "template"
)

// Policy says which clients get which names.
type Policy struct {
	Sources         []Source // the first that gives a name counts
	Template        string   // of names; {address} becomes 10-0-0-7
	Forbidden       []string // labels that no client gets, in small letters
	Static, Dynamic bool     // clients of which kind of address
	// ByIdentifier says that a client is told by its identifier in DHCID, where it is
	// the client's key (RFC 4701 section 3.3, types 1 and 2); else by its hardware
	// address (type 0).
	ByIdentifier bool
	TTL          time.Duration // of records; 0: a third of the lease, at least minTTL
	// OverrideNoUpdate names also clients that ask for no update, OverrideClientUpdate
	// those that want to update their address themselves (RFC 4702 section 4).
	OverrideNoUpdate, OverrideClientUpdate bool

	zones            []*zone
	forward, reverse []*zone
}

// minTTL is the shortest time to live that follows from a lease (RFC 4702 section 5).
const minTTL = 10 * time.Minute

// maxName leaves room for a name in option 81 and in a message.
const maxName = 250

// zone is a Zone that is ready for use.
type zone struct {
	Zone
	name string // with a dot at its end
}

// SetZones takes the zones of the settings.
func (p *Policy) SetZones(zones []Zone) {
	p.zones, p.forward, p.reverse = nil, nil, nil
	for _, z := range zones {
		ready := &zone{Zone: z, name: fqdn(z.Name)}
		p.zones = append(p.zones, ready)
		if z.Reverse {
			p.reverse = append(p.reverse, ready)
		} else {
			p.forward = append(p.forward, ready)
		}
	}
}

// owner is the name of an address in a reverse zone.
func (z *zone) owner(addr netip.Addr) string {
	o := addr.As4()
	if z.Classless {
		return fmt.Sprintf("%d.%s", o[3], z.name)
	}
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", o[3], o[2], o[1], o[0])
}

// longest is the zone whose prefix of the address is the longest; nil: none has it.
func longest(zones []*zone, addr netip.Addr) (found *zone) {
	bits := -1
	for _, z := range zones {
		for _, p := range z.Prefixes {
			if p.Contains(addr) && p.Bits() > bits {
				found, bits = z, p.Bits()
			}
		}
	}
	return found
}

// Client is a client with an address, as far as its name depends on it.
type Client struct {
	Addr             netip.Addr
	Client, Hardware lease.ClientID
	Machine          ipam.MachineID // zero: NetBox does not know it
	MachineName      string
	Hostname         string // its own word; untrusted text
	Wish             lease.NameWish
	Static           bool
	Until            time.Time     // end of its lease
	Time             time.Duration // of its lease
}

// Plan is what is to be in DNS of a client. The zero value is nothing.
type Plan struct {
	Name             string // full, with a dot at its end
	Forward, Reverse *zone  // nil: no such record
}

// Addressed reports whether this server keeps the address of the name.
func (p Plan) Addressed() bool { return p.Forward != nil }

// Plan decides what is to be in DNS of a client (DNS-1 to DNS-8).
func (p *Policy) Plan(names Names, c Client) (plan Plan) {
	within := longest(p.forward, c.Addr)
	switch {
	case within == nil, !c.Addr.Is4(), c.Static && !p.Static, !c.Static && !p.Dynamic:
		return plan
	case c.Wish == lease.NameNoUpdate && !p.OverrideNoUpdate:
		return plan
	}
	label := p.choose(names, c)
	if label == "" || len(label)+1+len(within.name) > maxName {
		return plan
	}
	plan = Plan{Name: label + "." + within.name, Forward: within, Reverse: longest(p.reverse, c.Addr)}
	if c.Wish == lease.NameClientUpdates && !p.OverrideClientUpdate {
		plan.Forward = nil
		if plan.Reverse == nil {
			return Plan{}
		}
	}
	return plan
}

// ttl is the time to live of a record for a lease, in seconds (DNS-9).
func (p *Policy) ttl(lease time.Duration) uint32 {
	if p.TTL > 0 {
		return uint32(p.TTL / time.Second) //nolint:gosec // G115: the settings bound it
	}
	const day = 24 * time.Hour
	return uint32(min(max(lease/3, minTTL), day) / time.Second)
}
