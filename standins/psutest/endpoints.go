package psutest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// request is one request in work, with the lock of the server held.
type request struct {
	*Server
	w     *World
	query url.Values
	param string // :scope_id or :client_id
	in    map[string]any
	items []map[string]any // of a body that is a list
	fault *Fault
}

// dialect is which calls a script has; several can be or'ed.
type dialect int

const (
	single dialect = 1 << iota // rule 1.2
	lists                      // rule 1.9, as the plugin's script has it
	own                        // both
)

// endpoint is a row of the tables of rules 1.2 and 1.9.
type endpoint struct {
	method, path string // a path with * ends in a parameter
	write        bool   // DHCPWriter only
	answer       func(*request) reply
	in           dialect // 0: in all of them
}

func endpoints() []endpoint {
	return []endpoint{
		{"GET", "scopes", false, (*request).listScopes, 0},
		{"GET", "scopes/*", false, (*request).getScope, 0},
		{"POST", "scopes", true, (*request).createScope, 0},
		{"PUT", "scopes/*", true, (*request).updateScope, 0},
		{"DELETE", "scopes/*", true, (*request).deleteScope, lists | own},
		{"GET", "leases", false, (*request).listLeases, 0},
		{"GET", "reservations", false, (*request).listReservations, 0},
		{"POST", "reservations", true, (*request).createReservation, 0},
		{"PUT", "reservations/*", true, (*request).updateReservation, single | own},
		{"DELETE", "reservations/*", true, (*request).deleteReservation, single | own},
		{"PUT", "reservations", true, func(c *request) reply { return c.results((*request).updateItem, "scope_id", "ip_address") }, lists | own},
		{"DELETE", "reservations", true, func(c *request) reply { return c.results((*request).deleteItem, "scope_id", "ip_address") }, lists | own},
		{"GET", "failover", false, func(c *request) reply { return c.list(c.w.failovers()) }, 0},
		{"POST", "failover", true, func(*request) reply {
			return failure(http.StatusInternalServerError, "A parameter cannot be found that matches parameter name 'MaxResponseDelay'.")
		}, single | lists},
		{"GET", "options", false, (*request).allOptions, lists | own},
		{"GET", "options/server", false, (*request).serverOptions, 0},
		{"GET", "options/scope/*", false, (*request).scopeOptions, 0},
		{"PUT", "options/scope/*", true, (*request).setOptions, own},
		{"GET", "exclusions", false, (*request).listExclusions, 0},
		{"POST", "exclusions", true, (*request).createExclusion, 0},
		{"DELETE", "exclusions", true, (*request).deleteExclusion, 0},
		{"GET", "health", false, (*request).health, 0},
		{"POST", "health", true, func(*request) reply { return object(http.StatusOK, map[string]any{"status": "ok"}) }, 0},
	}
}

// route finds the endpoint of a path, and its parameter; nil if there is none.
func (s *Server) route(path, method string) (*endpoint, string) {
	for _, e := range endpoints() {
		if e.method != method || e.in != 0 && e.in&s.dialect() == 0 || e.write && s.own() && s.config.Rights == "read" || e.method == http.MethodPut && e.path == "options/scope/*" && !s.setsOptions() {
			continue
		}
		if front, ok := strings.CutSuffix(e.path, "*"); ok {
			if param, ok := strings.CutPrefix(path, front); ok && param != "" && !strings.Contains(param, "/") {
				return &e, param
			}
		} else if e.path == path {
			return &e, ""
		}
	}
	return nil, ""
}

func (c *request) health() reply {
	out := map[string]any{"status": "ok", "version": c.script()}
	if c.own() {
		out["script"], out["computer"], out["rights"] = "netbox-dhcp-sync", cmp.Or(c.config.Computer, "DH1"), cmp.Or(c.config.Rights, "write")
		if c.setsOptions() {
			out["calls"] = []any{"options"}
		}
		if c.config.Rights == "none" {
			out["status"], out["error"], out["error_id"], out["reason"] = "denied", "Failed to enumerate on DHCP server.", "WIN32 5", "Access is denied."
		}
	}
	return object(http.StatusOK, out)
}

// refuse is an error of the script: that of deploy/psu tells a number or word
// that no language changes, and what it is about.
func (c *request) refuse(status int, id, about, format string, args ...any) reply {
	if !c.own() {
		return failure(status, format, args...)
	}
	return object(status, map[string]any{"error": fmt.Sprintf(format, args...), "error_id": id, "reason": about})
}

func (c *request) listScopes() reply {
	var out []entry
	for _, s := range c.w.Scopes {
		if (s.Unreadable || s.LeaseSeconds >= unlimited) && c.dialect() == single {
			return failure(http.StatusInternalServerError, `Cannot convert value "4294967295" to type "System.Int32". Error: "Value was either too large or too small for an Int32."`)
		}
		e := c.w.listed(s)
		if s.Unreadable {
			e["lease_duration_seconds"] = 0
		}
		if c.query.Get("include_router") == "false" && c.dialect() != single {
			delete(e, "router")
		}
		if c.query.Get("active_only") == "true" && knowsActiveOnly(c.script()) && e["state"] != "Active" {
			continue
		}
		out = append(out, e)
	}
	return c.list(out)
}

// knowsActiveOnly: the parameter came with 1.0.2.
func knowsActiveOnly(script string) bool {
	return !slices.Contains([]string{NoVersion, "1.0.0", "1.0.1"}, script)
}

func (c *request) getScope() reply {
	s := c.w.Scope(c.param)
	if s == nil {
		return c.scopeNotFound()
	}
	return returned(s.single())
}

func (c *request) scopeNotFound() reply {
	return c.refuse(http.StatusNotFound, "DHCP 20005", "scope_id", "Scope not found.")
}

// unreadable is what a script says of a list that Windows does not give; those
// before 2.0.0 of the plugin leave it empty.
func (c *request) unreadable() reply {
	return c.refuse(http.StatusInternalServerError, "DHCP 20010", "The parameter is incorrect.", "Failed to enumerate on DHCP server.")
}

// perScope lists something of the scope of the query, or of all.
func (c *request) perScope(of func(*Scope) []entry) reply {
	id := c.query.Get("scope_id")
	if id != "" && c.w.Scope(id) == nil {
		return c.refuse(http.StatusInternalServerError, "DHCP 20005", "scope_id", "Failed to get scope %s on DHCP server.", id)
	}
	var out []entry
	for _, s := range c.w.Scopes {
		switch {
		case id != "" && s.ID != id:
		case !s.Silent:
			out = append(out, of(s)...)
		case c.dialect() != single:
			return c.unreadable()
		}
	}
	return c.list(out)
}

func (c *request) listLeases() reply       { return c.perScope((*Scope).leases) }
func (c *request) listReservations() reply { return c.perScope((*Scope).reservations) }

func (c *request) listExclusions() reply {
	switch id := c.query.Get("scope_id"); {
	case id == "" && c.dialect() != single:
		return c.allExclusions()
	case id == "":
		return failure(http.StatusBadRequest, "scope_id is required.")
	case c.w.Scope(id) == nil:
		return c.scopeNotFound()
	}
	return c.perScope((*Scope).exclusions)
}

func (c *request) serverOptions() reply { return c.optionList(c.optionEntries(c.w.ServerOptions)) }

func (c *request) scopeOptions() reply {
	s := c.w.Scope(c.param)
	if s == nil {
		return c.scopeNotFound()
	}
	return c.optionList(c.options(s))
}

func (c *request) optionList(out []entry, ok bool) reply {
	if !ok {
		return noValue()
	}
	return c.list(out)
}

// noValue is what scripts say of an option without a value.
func noValue() reply {
	return failure(http.StatusInternalServerError, "You cannot call a method on a null-valued expression.")
}

// text reads a field of the request; "" if it is missing, null or no text.
func (c *request) text(key string) string {
	s, _ := c.in[key].(string)
	return s
}

// missing names the first mandatory field that is empty.
func (c *request) missing(keys ...string) (reply, bool) {
	for _, key := range keys {
		if c.text(key) == "" {
			return c.refuse(http.StatusBadRequest, "input", key, "%s is required.", key), true
		}
	}
	return reply{}, false
}

func (c *request) createScope() reply {
	if out, ok := c.missing("scope_id", "start_ip", "end_ip", "subnet_mask"); ok {
		return out
	}
	if out, ok := c.inexact(); ok {
		return out
	}
	s := &Scope{
		ID: c.text("scope_id"), Mask: c.text("subnet_mask"), Name: c.text("name"), Start: c.text("start_ip"), End: c.text("end_ip"),
		Description: c.text("description"), LeaseSeconds: 691200,
	}
	prefix, err := s.prefix()
	if err != nil || prefix.Addr().String() != s.ID || !s.span(s.Start, s.End) {
		if c.own() {
			return c.refuse(http.StatusBadRequest, "input", "start_ip", "start_ip is not in the subnet")
		}
		return failure(http.StatusInternalServerError, "Failed to add scope %s: the parameter is incorrect.", s.ID)
	}
	if c.w.Scope(s.ID) != nil {
		return c.refuse(http.StatusInternalServerError, "DHCP 20052", "The specified scope already exists.", "Failed to add scope %s: the specified scope already exists.", s.ID)
	}
	if secs, ok := c.in["lease_duration_seconds"].(float64); ok && secs > 0 {
		s.LeaseSeconds = int64(secs)
	}
	if _, err := netip.ParseAddr(c.text("router")); err == nil { // errors are swallowed
		s.Routers = []string{c.text("router")}
	}
	if s.Name == "" && c.own() {
		s.Name = s.ID
	}
	s.State = "Active"
	if c.dialect() != single {
		s.State = state(c.text("state"))
	}
	if out, ok := c.newOptions(s); !ok {
		return out
	}
	c.w.Scopes = append(c.w.Scopes, s)
	slices.SortStableFunc(c.w.Scopes, func(a, b *Scope) int {
		return netip.MustParseAddr(a.ID).Compare(netip.MustParseAddr(b.ID))
	})
	return object(http.StatusCreated, s.single())
}

// updateScope touches only the keys that are there. Every refusal is a 404.
func (c *request) updateScope() reply {
	s := c.w.Scope(c.param)
	if s == nil {
		return c.scopeNotFound()
	}
	if out, ok := c.inexact(); ok {
		return out
	}
	changed := *s
	for key, field := range map[string]*string{"name": &changed.Name, "start_ip": &changed.Start, "end_ip": &changed.End, "description": &changed.Description} {
		if _, ok := c.in[key]; ok {
			*field = c.text(key)
		}
	}
	if secs, ok := c.in["lease_duration_seconds"].(float64); ok {
		changed.LeaseSeconds = int64(secs)
	}
	if !changed.span(changed.Start, changed.End) {
		if c.own() {
			return c.refuse(http.StatusBadRequest, "input", "start_ip", "start_ip is not in the subnet")
		}
		return c.scopeNotFound()
	}
	if c.dialect() != single && c.text("state") != "" {
		changed.State = state(c.text("state"))
	}
	if _, ok := c.in["router"]; ok {
		changed.Routers = nil
		if router := c.text("router"); router != "" {
			if _, err := netip.ParseAddr(router); err != nil {
				return c.scopeNotFound()
			}
			changed.Routers = []string{router}
		}
	}
	*s = changed
	return returned(s.single())
}
