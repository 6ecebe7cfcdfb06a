package windhcp

import (
	"errors"
	"net/netip"
	"strings"
	"time"
)

// ErrNotRead marks a list that was not asked for.
var ErrNotRead = errors.New("not read")

// Server is what one run learnt from one server.
type Server struct {
	Host        string    // as configured
	Computer    string    // name of the Windows computer; empty: not told
	Lists       bool      // the script has the calls with lists, and those about the state of scopes (rule 1.9)
	SetsOptions bool      // the script can set options of scopes (rule 1.9)
	ReadsOnly   bool      // the script says that it may only read
	Date        time.Time // by its own clock, of its last answer; zero: not told
	Version     string    // of the endpoint script; empty: not known
	Scopes      List[Scope]
	Failovers   List[Failover]
	// Options are those that were read with the scopes, by scope id; nil: not yet.
	Options map[netip.Addr]List[Option]
	Parts   map[netip.Addr]Part // by scope id; only scopes that were read
}

// Part is the content of one scope.
type Part struct {
	Leases       List[Lease]
	Reservations List[Reservation]
	Exclusions   List[Exclusion]
	Options      List[Option]
}

// Scope returns the scope with an id.
func (s *Server) Scope(id netip.Addr) (Scope, bool) {
	for _, scope := range s.Scopes.Items {
		if scope.ID() == id {
			return scope, true
		}
	}
	return Scope{}, false
}

// Unread returns a part of which nothing was read.
func Unread() Part {
	return Part{
		Leases:       List[Lease]{Err: ErrNotRead},
		Reservations: List[Reservation]{Err: ErrNotRead},
		Exclusions:   List[Exclusion]{Err: ErrNotRead},
		Options:      List[Option]{Err: ErrNotRead},
	}
}

// ComputerName is the name of the computer that answers: as health tells it, else as
// the server names itself in its relationships (rule 1.4 quirk 5); empty: it is not
// told.
func (s *Server) ComputerName() string {
	if s.Computer != "" {
		return s.Computer
	}
	for _, f := range s.Failovers.Items {
		if _, err := netip.ParseAddr(f.Primary); err != nil && f.Primary != "" {
			return f.Primary
		}
	}
	return ""
}

// SameComputer compares names of a computer: Windows keeps 15 characters of the first
// label, and case does not count.
func SameComputer(a, b string) bool {
	short := func(s string) string {
		s, _, _ = strings.Cut(s, ".")
		return strings.ToLower(s[:min(len(s), 15)])
	}
	return short(a) == short(b)
}
