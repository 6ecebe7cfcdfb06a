// Package windhcp describes what a Windows DHCP server says about itself:
// scopes, leases, reservations, exclusions, options and failover
// relationships. Plain values; it must not do any I/O and must not know NetBox.
package windhcp

import (
	"net/netip"
	"strings"
	"time"
)

// Scope is an IPv4 scope. Its identity on a server is its network address.
type Scope struct {
	Subnet       netip.Prefix // scope_id and subnet_mask
	Name         string
	Start, End   netip.Addr
	Description  string
	State        string     // "Active", "Inactive"; see Active
	LeaseSeconds int64      // 0: unknown; at most Unlimited (rule 1.3)
	Router       netip.Addr // first value of option 3; invalid: none
	Failover     string     // name of the relationship; empty: standalone
}

// ID is the scope id, the network address.
func (s Scope) ID() netip.Addr { return s.Subnet.Addr() }

// Active reports whether the scope hands out addresses. Text that is not
// known counts as not active (rule 1.3).
func (s Scope) Active() bool { return strings.EqualFold(s.State, "Active") }

// Lease is an entry of the lease list.
type Lease struct {
	Addr     netip.Addr
	ClientID ClientID
	Hostname string    // as the client said it: untrusted, any text
	Expires  time.Time // zero: never, or not known
	State    string    // address_state; see Active and Doubtful
}

// Active reports whether the entry is a running lease: a missing state counts
// as active, for scripts that do not tell it (rule 3.9). The expiry
// does not matter: the server's list does.
func (l Lease) Active() bool {
	return !l.Doubtful() && (l.State == "" || strings.EqualFold(l.State, "Active") || strings.EqualFold(l.State, "ActiveReservation"))
}

// Doubtful reports whether the entry keeps an address from being deleted
// without being a lease: BAD_ADDRESS, Declined, Offered, Expired
// (rule 3.9).
func (l Lease) Doubtful() bool {
	switch strings.ToLower(l.State) {
	case "declined", "offered", "expired":
		return true
	}
	return strings.EqualFold(l.Hostname, "BAD_ADDRESS")
}

// Unknown reports whether the state is none that Windows is known to tell (rule 3.9).
func (l Lease) Unknown() bool {
	return !l.Active() && !l.Doubtful() && !l.InactiveReservation()
}

// InactiveReservation reports whether the entry tells of a reservation whose client
// is not there. The list of reservations should have it.
func (l Lease) InactiveReservation() bool { return strings.EqualFold(l.State, "InactiveReservation") }

// Reservation is an address kept for one client.
type Reservation struct {
	Addr        netip.Addr
	ClientID    ClientID
	Name        string
	Description string
	Type        string // Dhcp, Bootp or Both
}

// Exclusion is a span of addresses of a scope that are not handed out, bounds
// included.
type Exclusion struct {
	Start, End netip.Addr
}

// Contains reports whether addr is in the span.
func (e Exclusion) Contains(addr netip.Addr) bool {
	return e.Start.Compare(addr) <= 0 && addr.Compare(e.End) <= 0
}

// Overlaps reports whether the two spans share an address.
func (e Exclusion) Overlaps(o Exclusion) bool {
	return e.Start.Compare(o.End) <= 0 && o.Start.Compare(e.End) <= 0
}

// Compare orders exclusions by start, then end.
func (e Exclusion) Compare(o Exclusion) int {
	if c := e.Start.Compare(o.Start); c != 0 {
		return c
	}
	return e.End.Compare(o.End)
}

// Option is a DHCP option value of a scope or server. One code may occur more
// than once: for clients of a vendor class, a user class or a policy. Some
// scripts do not tell the last two (rule 1.3).
type Option struct {
	Code        int
	Name        string
	Values      []string
	Type        string // Byte, Word, DWord, DWordDWord, IPv4Address, String, BinaryData, EncapsulatedData, IPv6Address
	VendorClass string
	UserClass   string
	Policy      string
	// ClassesTold says that the server tells user class and policy: without it
	// empty ones mean nothing.
	ClassesTold bool
}

// ForAll reports whether every client gets the value, as far as the server
// tells.
func (o Option) ForAll() bool { return o.VendorClass == "" && o.UserClass == "" && o.Policy == "" }

// Failover is a relationship as one of its servers tells it: that server
// always names itself as primary (rule 1.4 quirk 5).
type Failover struct {
	Name              string
	Primary           string
	Secondary         string
	Mode              string // LoadBalance or HotStandby
	Scopes            []netip.Addr
	MaxClientLeadTime int64  // seconds
	MaxResponseDelay  int64  // seconds
	StateSwitchover   *int64 // seconds; nil: no automatic switchover
	Auth              bool
}

// List is a list that was read, or not: an empty list is no proof of anything
// unless Err is nil and Malformed is empty.
type List[T any] struct {
	Items     []T
	Err       error    // why there is no list; ErrNotRead where it was not asked for
	Malformed []string // entries that could not be used, for people
}

// Complete reports whether the list was read and every entry understood.
func (l List[T]) Complete() bool { return l.Err == nil && len(l.Malformed) == 0 }

// SameName compares names of reservations as Windows keeps them: case and a final
// dot do not count, and Windows makes full names out of first labels.
func SameName(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	firstA, _, fullA := strings.Cut(a, ".")
	firstB, _, fullB := strings.Cut(b, ".")
	return a == b || fullA != fullB && firstA == firstB
}
