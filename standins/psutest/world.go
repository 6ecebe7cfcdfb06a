package psutest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// World is what a Windows DHCP server holds. All addresses are texts, as in
// the answers.
type World struct {
	// Name is the server's own name, which it gives as primary_server.
	Name          string
	Scopes        []*Scope
	Failovers     []*Failover
	ServerOptions []*Option
}

// Scope is a scope with everything in it.
type Scope struct {
	ID, Mask     string // 10.8.4.0, 255.255.255.0
	Name         string
	Start, End   string
	Description  string
	State        string // empty: Active
	LeaseSeconds int64
	Routers      []string // option 3

	Leases       []*Lease
	Reservations []*Reservation
	Exclusions   []Exclusion
	Options      []*Option // but 3 and 51, which follow from the scope

	// Silent makes the cmdlets behind leases, reservations and exclusions
	// fail, whose errors the script suppresses: the lists are empty.
	Silent bool
	// Unreadable makes the whole list of scopes fail, as a duration does that
	// does not fit 32 bits.
	Unreadable bool
}

// Lease is a running lease.
type Lease struct {
	IP, ClientID, Hostname string
	Expiry                 string // 2026-07-01T09:30:00Z; empty: null
	State                  string // empty: Active, or ActiveReservation if the address is reserved
}

// Reservation is an address kept for one client.
type Reservation struct {
	IP, ClientID, Name, Description string
	Type                            string // empty: Both
}

// Exclusion is a span that is not handed out.
type Exclusion struct{ Start, End string }

// Option is an option value.
type Option struct {
	Code        int
	Name        string
	Values      []string
	Type        string // empty: String
	VendorClass string
	UserClass   string // told by Own only, as Policy
	Policy      string
	// Null makes the value null, at which the whole call fails.
	Null bool
}

// Failover is a relationship with another server.
type Failover struct {
	Name, Partner     string
	Mode              string // LoadBalance or HotStandby
	Scopes            []string
	MaxClientLeadTime int64  // seconds
	StateSwitchover   *int64 // seconds; nil: off
	EnableAuth        bool
}

// Scope finds a scope by its id; nil if there is none.
func (w *World) Scope(id string) *Scope {
	for _, s := range w.Scopes {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// failoverOf is the name of the relationship a scope belongs to; "" if none.
func (w *World) failoverOf(id string) string {
	for _, f := range w.Failovers {
		if slices.Contains(f.Scopes, id) {
			return f.Name
		}
	}
	return ""
}

// reservation finds a reservation by the text of its client id: the first one
// over all scopes.
func (w *World) reservation(client string) (*Scope, int) {
	for _, s := range w.Scopes {
		for i, r := range s.Reservations {
			if strings.EqualFold(r.ClientID, client) {
				return s, i
			}
		}
	}
	return nil, 0
}

func (s *Scope) prefix() (netip.Prefix, error) {
	id, err := netip.ParseAddr(s.ID)
	if err != nil {
		return netip.Prefix{}, err
	}
	mask, err := netip.ParseAddr(s.Mask)
	if err != nil || !mask.Is4() {
		return netip.Prefix{}, fmt.Errorf("subnet mask %q is not valid", s.Mask)
	}
	bits := 0
	for _, b := range mask.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	return id.Prefix(bits)
}

// holds reports whether the scope's subnet contains an address.
func (s *Scope) holds(text string) bool {
	prefix, err := s.prefix()
	addr, bad := netip.ParseAddr(text)
	return err == nil && bad == nil && prefix.Contains(addr)
}

// span reports whether two texts are a span of the scope's subnet.
func (s *Scope) span(start, end string) bool {
	return s.holds(start) && s.holds(end) && !netip.MustParseAddr(end).Less(netip.MustParseAddr(start))
}

func (e Exclusion) overlaps(o Exclusion) bool {
	return !netip.MustParseAddr(e.End).Less(netip.MustParseAddr(o.Start)) &&
		!netip.MustParseAddr(o.End).Less(netip.MustParseAddr(e.Start))
}

func (s *Scope) reserved(ip string) *Reservation {
	for _, r := range s.Reservations {
		if r.IP == ip {
			return r
		}
	}
	return nil
}
