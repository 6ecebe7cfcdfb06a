package psutest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

func (c *request) createReservation() reply {
	needs := []string{"scope_id", "ip_address", "client_id"}
	if c.items != nil && c.dialect() != single {
		return c.results((*request).createReservation, needs...)
	}
	if out, ok := c.missing(needs...); ok {
		return out
	}
	if out, ok := c.inexact(); ok {
		return out
	}
	r := &Reservation{
		IP: c.text("ip_address"), ClientID: normalise(c.text("client_id")), Name: c.text("name"),
		Description: c.text("description"), Type: c.text("type"),
	}
	s := c.w.Scope(c.text("scope_id"))
	var why string
	switch {
	case s == nil:
		why = "the specified subnet does not exist"
	case !s.holds(r.IP):
		why = "the address is not in the subnet"
	case r.Type != "" && !slices.Contains([]string{"Dhcp", "Bootp", "Both"}, r.Type):
		why = "the type is not valid"
	case s.reserved(r.IP) != nil:
		why = "the specified IP address is already reserved"
	case slices.ContainsFunc(s.Reservations, func(o *Reservation) bool { return strings.EqualFold(o.ClientID, r.ClientID) }):
		why = "the specified client is already reserved"
	case slices.ContainsFunc(s.Leases, func(l *Lease) bool { return l.IP == r.IP && !strings.EqualFold(l.ClientID, r.ClientID) }):
		why = "the specified IP address is in use by another client"
	}
	if why != "" {
		return c.refuse(http.StatusInternalServerError, "DHCP 20022", why, "Failed to add reservation: %s.", why)
	}
	s.Reservations = append(s.Reservations, r)
	return object(http.StatusCreated, s.reservationEntry(r))
}

// inexactClient refuses a client id in a path that is not exact, and reads one
// that is in any spelling.
func (c *request) inexactClient() (reply, bool) {
	if !c.own() {
		return reply{}, false
	}
	if !exact(c.param) {
		return c.refuse(http.StatusBadRequest, "input", "client_id", "client_id is not 1 to 255 hex pairs"), true
	}
	c.param = normalise(c.param)
	return reply{}, false
}

// normalise is what POST does to a client id: lower case, hex digits only,
// hyphens after each pair.
func normalise(id string) string {
	bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return r
		}
		return -1
	}, strings.ToLower(id))
	var pairs []string
	for pair := range slices.Chunk([]byte(bare), 2) {
		pairs = append(pairs, string(pair))
	}
	return strings.Join(pairs, "-")
}

func (c *request) updateReservation() reply {
	if out, ok := c.inexactClient(); ok {
		return out
	}
	s, i := c.w.reservation(c.param)
	if s == nil {
		return c.refuse(http.StatusNotFound, "not_found", "client_id", "Reservation not found.")
	}
	if out, ok := c.inexact(); ok {
		return out
	}
	changed := *s.Reservations[i]
	for key, field := range map[string]*string{"name": &changed.Name, "description": &changed.Description, "type": &changed.Type} {
		if _, ok := c.in[key]; ok {
			*field = c.text(key)
		}
	}
	if !slices.Contains([]string{"", "Dhcp", "Bootp", "Both"}, changed.Type) {
		return failure(http.StatusInternalServerError, "Failed to set reservation: the type is not valid.")
	}
	*s.Reservations[i] = changed
	return returned(s.reservationEntry(&changed))
}

func (c *request) deleteReservation() reply {
	if out, ok := c.inexactClient(); ok {
		return out
	}
	s, i := c.w.reservation(c.param)
	if s == nil {
		return c.refuse(http.StatusNotFound, "not_found", "client_id", "Reservation not found.")
	}
	s.Reservations = slices.Delete(s.Reservations, i, i+1)
	return empty(http.StatusNoContent)
}

func (c *request) createExclusion() reply {
	if out, ok := c.missing("scope_id", "start_ip", "end_ip"); ok {
		return out
	}
	s, e := c.w.Scope(c.text("scope_id")), Exclusion{c.text("start_ip"), c.text("end_ip")}
	if s == nil || !s.span(e.Start, e.End) || slices.ContainsFunc(s.Exclusions, e.overlaps) {
		return c.refuse(http.StatusInternalServerError, "DHCP 20023", "overlap", "Failed to add exclusion range: the specified range either overlaps an existing range or is not valid.")
	}
	s.Exclusions = append(s.Exclusions, e)
	slices.SortFunc(s.Exclusions, func(a, b Exclusion) int {
		return netip.MustParseAddr(a.Start).Compare(netip.MustParseAddr(b.Start))
	})
	return object(http.StatusCreated, s.exclusionEntry(e))
}

func (c *request) deleteExclusion() reply {
	if out, ok := c.missing("scope_id", "start_ip", "end_ip"); ok {
		return out
	}
	s, e := c.w.Scope(c.text("scope_id")), Exclusion{c.text("start_ip"), c.text("end_ip")}
	if s == nil || !slices.Contains(s.Exclusions, e) {
		return c.refuse(http.StatusInternalServerError, "DHCP 20024", "not found", "Failed to remove exclusion range: the specified range was not found.")
	}
	s.Exclusions = slices.DeleteFunc(s.Exclusions, func(o Exclusion) bool { return o == e })
	return empty(http.StatusNoContent)
}
