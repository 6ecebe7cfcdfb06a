package plan

import (
	"fmt"
	"strings"
	"time"
)

// List is a kind of list of a server. What NetBox has because of it is lost when
// the list lacks it.
type List string

// The lists.
const (
	ListLeases       List = "leases"
	ListReservations List = "reservations"
	ListScopes       List = "scopes"
	ListExclusions   List = "exclusions"
)

// MissingKey is one thing that a list lacks.
type MissingKey struct {
	List  List
	Place Place  // the address, or the network address of the scope
	Name  string // tells things of one place apart: an object id, a source
}

// Sight is since when a thing is missing (rule 3.7 guard g).
type Sight struct {
	First time.Time `json:"first"`          // the first complete read without it, by the mirror's clock
	Dated time.Time `json:"dated,omitzero"` // the same by the clock of the other side; zero: not told yet
	Ends  time.Time `json:"ends,omitzero"`  // end of the lease as last seen; zero: none is known
	Held  bool      `json:"held,omitempty"` // was part of a loss that was held back
}

// MarshalText writes "list VRF/address name", for keys of the memory.
func (k MissingKey) MarshalText() ([]byte, error) {
	place, err := k.Place.MarshalText()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s %s", k.List, place, k.Name), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *MissingKey) UnmarshalText(text []byte) error {
	list, rest, two := strings.Cut(string(text), " ")
	place, name, three := strings.Cut(rest, " ")
	if !two || !three {
		return fmt.Errorf("%q is no list, place and name", text)
	}
	k.List, k.Name = List(list), name
	return k.Place.UnmarshalText([]byte(place))
}
