package decide

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// pushesReservations reports whether NetBox is the truth for the reservations of a
// server (rules 5.1 and 5.7).
func (v *view) pushesReservations(server int) bool {
	return v.p.PushReservations && (server < 0 || !v.p.Servers[server].NoPush)
}

// pushesScopes reports whether NetBox is the truth for the scopes of a server.
func (v *view) pushesScopes(server int) bool {
	return v.p.PushScopeInfo && (server < 0 || !v.p.Servers[server].NoPush)
}

// brake says why steps on a server are held back in this run; empty: they are not.
// NetBox stays the truth meanwhile, so that nothing there gives way (rule 5.7).
func (v *view) brake(server int) string {
	if server < 0 {
		return ""
	}
	s := v.asked(server)
	switch {
	case v.p.ReadOnly:
		return "read_only is on"
	case v.p.Servers[server].ReadOnly:
		return "read_only is on for this server"
	case s != nil && s.ReadsOnly:
		return "its endpoint script says that it may only read"
	}
	return v.stranger(server)
}

// stranger says that another computer answers under the name of a server; empty: none
// does, or it cannot be told (rule 3.7 guard o).
func (v *view) stranger(server int) string {
	s := v.asked(server)
	if s == nil {
		return ""
	}
	known, told := v.p.Servers[server].Computer, s.ComputerName()
	if known == "" {
		known = v.memory.Computers[s.Host]
	}
	if known == "" || told == "" || windhcp.SameComputer(known, told) {
		return ""
	}
	return fmt.Sprintf("computer %s answers under its name, and it was %s before", told, known)
}

// checkServers notes other computers under the names of servers, and remembers the
// names of those that are right.
func checkServers(v *view, memory *plan.Memory) (w work) {
	for i := range v.p.Servers {
		s := v.asked(i)
		if s == nil {
			continue
		}
		if why := v.stranger(i); why != "" {
			w.note(plan.Note{Level: plan.Guard, Server: s.Host, Cause: plan.CauseComputer,
				Text: why + ": nothing is deleted or pushed because of it; if it is right, name it in computer: of this server, or trust its certificate or host key again (cert trust)"})
			continue
		}
		if told := s.ComputerName(); told != "" {
			memory.Computers[s.Host] = told
		}
	}
	return w
}
