package report

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// namedAlike is how many places of equal notes are named.
const namedAlike = 3

// Alike are notes that say the same of several places; at least one.
type Alike []plan.Note

// Together puts equal notes together, in the order of the first of each (rule 3.8
// point 23).
func Together(notes []plan.Note) []Alike {
	type words struct {
		level      plan.Level
		rule, text string
	}
	at := make(map[words]int)
	var list []Alike
	for _, n := range notes {
		key := words{n.Level, n.Rule, n.Text}
		i, known := at[key]
		if !known {
			i = len(list)
			at[key] = i
			list = append(list, nil)
		}
		list[i] = append(list[i], n)
	}
	return list
}

// Common is the note with the places that all of them share.
func (a Alike) Common() plan.Note {
	common := a[0]
	for _, n := range a[1:] {
		if n.Server != common.Server {
			common.Server = ""
		}
		if n.Scope != common.Scope {
			common.Scope = netip.Prefix{}
		}
		if n.Addr != common.Addr {
			common.Addr = netip.Addr{}
		}
	}
	return common
}

// Examples are the places of the first few, without what all share.
func (a Alike) Examples() []string {
	common := a.Common()
	var places []string
	for _, n := range a[:min(len(a), namedAlike)] {
		if n.Server == common.Server {
			n.Server = ""
		}
		if n.Scope == common.Scope {
			n.Scope = netip.Prefix{}
		}
		if n.Addr == common.Addr {
			n.Addr = netip.Addr{}
		}
		if place := Where(n); place != "" {
			places = append(places, place)
		}
	}
	return places
}

// where tells what notes are about and how many they are.
func (a Alike) where() string {
	common, places := Where(a.Common()), strings.Join(a.Examples(), ", ")
	switch more := len(a) - namedAlike; {
	case len(a) == 1:
		return common
	case places == "":
		places = fmt.Sprintf("(%d times)", len(a))
	case more > 0:
		places += fmt.Sprintf(" and %d more", more)
	}
	return strings.TrimSpace(common + " " + places)
}
