package ipam

import (
	"cmp"
	"maps"
	"slices"
)

// Linked returns the addresses that a port is given by links: those of its
// bridge and of its sub-interfaces, of their bridges and sub-interfaces, and so
// on (I-7). An address that several ports lead to is listed for one of them.
func (s *Snapshot) Linked(port InterfaceID) []*Address { return s.linked[port] }

// linker finds out which ports lead to which interfaces.
type linker struct {
	s        *Snapshot
	children map[InterfaceID][]*Interface // sub-interfaces, by id
	claims   map[InterfaceID][]claim      // on an interface with addresses
}

// claim says that a port leads to an interface.
type claim struct {
	port *Interface
	same bool // an interface on the way has a MAC of the port
}

// link gives addresses of bridges and sub-interfaces to the ports with the MACs.
// Where several ports lead to one, the port whose MAC the bridge has gets it,
// else the one with the lowest id: clients with other MACs must not share an
// address.
func (b *builder) link() {
	s := b.s
	s.linked = make(map[InterfaceID][]*Address)
	l := linker{s: s, children: make(map[InterfaceID][]*Interface), claims: make(map[InterfaceID][]claim)}
	linked := false
	for _, port := range s.objects.Interfaces {
		linked = linked || port.Bridge != 0 || port.Parent != 0
		if port.Parent != 0 {
			parent := InterfaceID{Kind: port.ID.Kind, ID: port.Parent}
			l.children[parent] = append(l.children[parent], port)
		}
	}
	if !linked {
		return
	}
	for _, ports := range l.children {
		slices.SortFunc(ports, compareInterfaces)
	}
	for _, port := range l.starts() {
		l.follow(port)
	}
	for _, id := range slices.SortedFunc(maps.Keys(l.claims), compareIDs) {
		claims := l.claims[id] // the lowest id first
		winner := claims[max(0, slices.IndexFunc(claims, func(c claim) bool { return c.same }))].port.ID
		s.linked[winner] = append(s.linked[winner], s.assigned[id]...)
	}
	for _, list := range s.linked {
		slices.SortFunc(list, compareHosts)
	}
}

// starts lists the ports that clients are known by, by id: those with MACs, and
// the aggregates in place of their members.
func (l *linker) starts() []*Interface {
	found := make(map[InterfaceID]bool)
	for id := range l.s.macsOf {
		port := l.s.Interface(id)
		if port.LAG != 0 {
			id.ID = port.LAG
		}
		found[id] = true
	}
	var list []*Interface
	for _, id := range slices.SortedFunc(maps.Keys(found), compareIDs) {
		if port := l.s.Interface(id); port != nil {
			list = append(list, port)
		}
	}
	return list
}

// follow notes what port leads to. Each interface is visited once, so that a
// circle of links has an end.
func (l *linker) follow(port *Interface) {
	type visit struct {
		at   *Interface
		same bool
	}
	seen := map[InterfaceID]bool{port.ID: true}
	next := []visit{{at: port}}
	for len(next) > 0 {
		from := next[0]
		next = next[1:]
		to := l.children[from.at.ID]
		if bridge := l.s.Interface(InterfaceID{Kind: from.at.ID.Kind, ID: from.at.Bridge}); bridge != nil {
			to = append([]*Interface{bridge}, to...)
		}
		for _, at := range to {
			if seen[at.ID] {
				continue
			}
			seen[at.ID] = true
			same := from.same || l.sharesMAC(port.ID, at.ID)
			next = append(next, visit{at, same})
			if len(l.s.assigned[at.ID]) > 0 {
				l.claims[at.ID] = append(l.claims[at.ID], claim{port, same})
			}
		}
	}
}

// sharesMAC reports whether at has a MAC of port, or of a member of it.
func (l *linker) sharesMAC(port, at InterfaceID) bool {
	has := func(m MAC) bool { return slices.Contains(l.s.macsOf[at], m) }
	return slices.ContainsFunc(l.s.macsOf[port], has) ||
		slices.ContainsFunc(l.s.members[port], func(member *Interface) bool { return slices.ContainsFunc(l.s.macsOf[member.ID], has) })
}

func compareIDs(a, b InterfaceID) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}
