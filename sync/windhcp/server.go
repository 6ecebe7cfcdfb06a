package windhcp

import (
	"errors"
	"net/netip"
	"time"
)

// ErrNotRead marks a list that was not asked for.
var ErrNotRead = errors.New("not read")

// Server is what one run learnt from one server.
type Server struct {
	Host      string    // as configured
	Date      time.Time // by its own clock, of its last answer; zero: not told
	Version   string    // of the endpoint script; empty: not known
	Scopes    List[Scope]
	Failovers List[Failover]
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
