package ddns

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// State is how far a record is.
type State string

// The states of a record.
const (
	Waiting    State = "waiting"    // was never sent
	Sent       State = "sent"       // may be in DNS
	Registered State = "registered" // is in DNS
	Conflict   State = "conflict"   // the name is another's, and left alone
	Refused    State = "refused"    // by the server
)

// Record is an address of a name, or with a Target the name of an address, and the
// DHCID beside it.
type Record struct {
	Zone   string     `json:"zone"`
	Owner  string     `json:"owner"`
	Target string     `json:"target,omitempty"` // of PTR; empty: the record is A
	Addr   netip.Addr `json:"address"`
	DHCID  string     `json:"dhcid"`
	TTL    uint32     `json:"ttl"` // seconds
	State  State      `json:"state"`

	after time.Time // it is not tried before; zero: at once
}

// same reports whether two records are the same in DNS, but for their time to live.
func (r *Record) same(other *Record) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Zone == other.Zone && r.Owner == other.Owner && r.Target == other.Target && r.Addr == other.Addr && r.DHCID == other.DHCID
}

// inDNS reports whether the record may be in DNS.
func (r *Record) inDNS() bool { return r.State == Sent || r.State == Registered }

// due reports whether the record is to be added now.
func (r *Record) due(now time.Time) bool {
	return r != nil && r.State != Registered && !now.Before(r.after)
}

// Binding is what is registered of an address.
type Binding struct {
	Addr     netip.Addr     `json:"address"`
	Client   lease.ClientID `json:"client,omitempty"` // empty: it has ended
	Static   bool           `json:"static,omitempty"`
	NoUpdate bool           `json:"no_update,omitempty"` // the client asked for none
	Until    time.Time      `json:"until,omitzero"`      // end of the lease, as far as known
	Seconds  int64          `json:"seconds,omitempty"`   // time of the lease
	Forward  *Record        `json:"forward,omitempty"`
	Reverse  *Record        `json:"reverse,omitempty"`
	Old      []*Record      `json:"old,omitempty"` // to be removed
}

// bindingOf is the binding of a client without its records.
func bindingOf(c Client, p Plan, now time.Time) Binding {
	until := c.Until
	if until.IsZero() {
		until = now.Add(c.Time)
	}
	return Binding{
		Addr: c.Addr, Client: c.Client, Static: c.Static, Until: until.UTC(), Seconds: int64(c.Time / time.Second),
		NoUpdate: c.Wish == lease.NameNoUpdate && p.Name == "",
	}
}

// maxOld is how many records of an address wait to be removed at most. A client whose
// names change faster keeps one until there is room.
const maxOld = 8

// replace makes the records those that are wanted; what may be in DNS is removed.
func (b *Binding) replace(forward, reverse *Record) {
	for _, side := range []struct{ has, wants **Record }{{&b.Forward, &forward}, {&b.Reverse, &reverse}} {
		if (*side.has).same(*side.wants) {
			continue
		}
		if had := *side.has; had != nil && had.inDNS() {
			had.after = time.Time{}
			b.Old = append(b.Old, had)
		}
		*side.has = *side.wants
		if *side.has != nil {
			(*side.has).State = Waiting
		}
	}
}

// next is what is to be done in a zone first: remove, or else add; nil: nothing now.
func (b *Binding) next(zone string, now time.Time) (r *Record, remove bool) {
	for _, old := range b.Old {
		if old.Zone == zone {
			if now.Before(old.after) {
				return nil, false
			}
			return old, true
		}
	}
	switch {
	case b.Forward.due(now):
		if b.Forward.Zone == zone {
			return b.Forward, false
		}
	case b.Reverse.due(now) && b.Reverse.Zone == zone && (b.Forward == nil || b.Forward.State == Registered):
		return b.Reverse, false // an address never leads to a name that is not its client's (DNS-11)
	}
	return nil, false
}

// each calls fn for all records.
func (b *Binding) each(fn func(r *Record, old bool)) {
	for _, r := range []*Record{b.Forward, b.Reverse} {
		if r != nil {
			fn(r, false)
		}
	}
	for _, r := range b.Old {
		fn(r, true)
	}
}

// empty reports whether nothing is left to know.
func (b *Binding) empty() bool {
	return b.Forward == nil && b.Reverse == nil && len(b.Old) == 0 && (b.Client == "" || !b.NoUpdate)
}

// line is one line of the file: a binding, or that an address has none any more.
type line struct {
	Binding
	Gone bool `json:"gone,omitempty"`
}

// parseLine reads a line of the file. What it returns can be sent to a DNS server.
func parseLine(text []byte) (line, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return line{}, err
	}
	if !l.Addr.Is4() || l.Seconds < 0 || l.Seconds > 1<<33 || len(l.Old) > maxOld+2 {
		return line{}, errors.New("no binding of an IPv4 address")
	}
	var wrong error
	for _, r := range l.Old {
		if r == nil {
			return line{}, errors.New("a record without content")
		}
	}
	l.each(func(r *Record, _ bool) { wrong = errors.Join(wrong, r.check()) })
	if wrong != nil {
		return line{}, wrong
	}
	return l, nil
}

// check refuses what is no record of ours.
func (r *Record) check() error {
	id, err := base64.StdEncoding.DecodeString(r.DHCID)
	switch {
	case err != nil || len(id) != 35:
		return fmt.Errorf("%q is no DHCID", r.DHCID)
	case !name(r.Zone) || !name(r.Owner) || !dns.IsSubDomain(r.Zone, r.Owner):
		return fmt.Errorf("%q is no name in the zone %q", r.Owner, r.Zone)
	case r.Target != "" && !name(r.Target):
		return fmt.Errorf("%q is no name", r.Target)
	case !r.Addr.Is4():
		return errors.New("a record without an IPv4 address")
	case r.TTL > 1<<31-1:
		return fmt.Errorf("%d is no time to live", r.TTL)
	}
	switch r.State {
	case Waiting, Sent, Registered, Conflict, Refused:
		return nil
	}
	return fmt.Errorf("%q is no state", r.State)
}

// name reports whether text is a full name in the form that this package writes.
func name(text string) bool {
	if text == "" || text != fqdn(text) {
		return false
	}
	wire := make([]byte, 256)
	_, err := dns.PackDomainName(text, wire, 0, nil, false)
	return err == nil
}
