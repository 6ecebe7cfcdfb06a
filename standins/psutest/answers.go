package psutest

import (
	"cmp"
)

// entry is one object of a list, in the words of the current script.
type entry map[string]any

// single is a scope as GET, POST and PUT of one scope answer it.
func (s *Scope) single() entry {
	return entry{
		"scope_id": s.ID, "name": s.Name, "start_ip": s.Start, "end_ip": s.End, "subnet_mask": s.Mask,
		"description": s.Description, "state": cmp.Or(s.State, "Active"), "lease_duration_seconds": s.told(),
	}
}

// unlimited is how Windows counts a lease without end.
const unlimited = 4294967295

// told is the lease time as scripts tell it: 0 where it has no end.
func (s *Scope) told() int64 {
	if s.LeaseSeconds >= unlimited {
		return 0
	}
	return s.LeaseSeconds
}

// listed is a scope as the list has it: with the first router only.
func (w *World) listed(s *Scope) entry {
	e := s.single()
	e["router"], e["failover_name"] = nil, nil
	if len(s.Routers) > 0 {
		e["router"] = s.Routers[0]
	}
	if name := w.failoverOf(s.ID); name != "" {
		e["failover_name"] = name
	}
	return e
}

func (s *Scope) leases() []entry {
	var out []entry
	for _, l := range s.Leases {
		state := l.State
		if state == "" {
			state = "Active"
			if s.reserved(l.IP) != nil {
				state = "ActiveReservation"
			}
		}
		e := entry{"ip_address": l.IP, "client_id": l.ClientID, "hostname": l.Hostname, "scope_id": s.ID, "lease_expiry": nil, "address_state": state}
		if l.Expiry != "" {
			e["lease_expiry"] = l.Expiry
		}
		out = append(out, e)
	}
	return out
}

func (s *Scope) reservations() []entry {
	var out []entry
	for _, r := range s.Reservations {
		out = append(out, s.reservationEntry(r))
	}
	return out
}

func (s *Scope) reservationEntry(r *Reservation) entry {
	return entry{
		"ip_address": r.IP, "client_id": r.ClientID, "name": r.Name, "description": r.Description,
		"type": cmp.Or(r.Type, "Both"), "scope_id": s.ID,
	}
}

func (s *Scope) exclusions() []entry {
	var out []entry
	for _, e := range s.Exclusions {
		out = append(out, s.exclusionEntry(e))
	}
	return out
}

func (s *Scope) exclusionEntry(e Exclusion) entry {
	return entry{"scope_id": s.ID, "start_ip": e.Start, "end_ip": e.End}
}

// options are the option values of a scope; false if one has no value.
func (c *request) options(s *Scope) ([]entry, bool) {
	all := []*Option{}
	if len(s.Routers) > 0 {
		all = append(all, &Option{Code: 3, Name: "Router", Values: s.Routers, Type: "IPv4Address"})
	}
	all = append(all, &Option{Code: 51, Name: "Lease", Values: []string{text(s.LeaseSeconds)}, Type: "DWord"})
	return c.optionEntries(append(all, s.Options...))
}

// optionEntries are options as the script tells them. That of deploy/psu tells
// user class and policy, and of one without a value that it has none.
func (c *request) optionEntries(options []*Option) ([]entry, bool) {
	var out []entry
	for _, o := range options {
		if o.Null && !c.own() {
			return nil, false
		}
		values := make([]any, 0, len(o.Values))
		for _, v := range o.Values {
			values = append(values, v)
		}
		e := entry{"code": o.Code, "name": o.Name, "value": values, "type": cmp.Or(o.Type, "String"), "vendor_class": o.VendorClass}
		if c.own() {
			e["user_class"], e["policy"] = o.UserClass, o.Policy
		}
		out = append(out, e)
	}
	return out, true
}

// failovers names this server as primary in every relationship: so does each
// of the partners.
func (w *World) failovers() []entry {
	var out []entry
	for _, f := range w.Failovers {
		scopes := make([]any, 0, len(f.Scopes))
		for _, id := range f.Scopes {
			scopes = append(scopes, id)
		}
		e := entry{
			"name": f.Name, "primary_server": w.Name, "secondary_server": f.Partner, "mode": cmp.Or(f.Mode, "LoadBalance"),
			"scope_ids": scopes, "max_client_lead_time": f.MaxClientLeadTime, "max_response_delay": 0,
			"state_switchover_interval": nil, "enable_auth": f.EnableAuth,
		}
		if f.StateSwitchover != nil {
			e["state_switchover_interval"] = *f.StateSwitchover
		}
		out = append(out, e)
	}
	return out
}
