package psutest

import (
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
	fault *Fault
}

// endpoint is a row of the table of rule 1.2.
type endpoint struct {
	method, path string // a path with * ends in a parameter
	write        bool   // DHCPWriter only
	answer       func(*request) reply
}

func endpoints() []endpoint {
	return []endpoint{
		{"GET", "scopes", false, (*request).listScopes},
		{"GET", "scopes/*", false, (*request).getScope},
		{"POST", "scopes", true, (*request).createScope},
		{"PUT", "scopes/*", true, (*request).updateScope},
		{"GET", "leases", false, (*request).listLeases},
		{"GET", "reservations", false, (*request).listReservations},
		{"POST", "reservations", true, (*request).createReservation},
		{"PUT", "reservations/*", true, (*request).updateReservation},
		{"DELETE", "reservations/*", true, (*request).deleteReservation},
		{"GET", "failover", false, func(c *request) reply { return c.list(c.w.failovers()) }},
		{"POST", "failover", true, func(*request) reply {
			return failure(http.StatusInternalServerError, "A parameter cannot be found that matches parameter name 'MaxResponseDelay'.")
		}},
		{"GET", "options/server", false, (*request).serverOptions},
		{"GET", "options/scope/*", false, (*request).scopeOptions},
		{"GET", "exclusions", false, (*request).listExclusions},
		{"POST", "exclusions", true, (*request).createExclusion},
		{"DELETE", "exclusions", true, (*request).deleteExclusion},
		{"GET", "health", false, func(c *request) reply {
			return object(http.StatusOK, map[string]any{"status": "ok", "version": c.script()})
		}},
		{"POST", "health", true, func(*request) reply { return object(http.StatusOK, map[string]any{"status": "ok"}) }},
	}
}

// route finds the endpoint of a path, and its parameter; nil if there is none.
func route(path, method string) (*endpoint, string) {
	for _, e := range endpoints() {
		if e.method != method {
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

func (c *request) listScopes() reply {
	var out []entry
	for _, s := range c.w.Scopes {
		if s.Unreadable {
			return failure(http.StatusInternalServerError, `Cannot convert value "4294967295" to type "System.Int32". Error: "Value was either too large or too small for an Int32."`)
		}
		e := c.w.listed(s)
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

func (c *request) scopeNotFound() reply { return failure(http.StatusNotFound, "Scope not found.") }

// perScope lists something of the scope of the query, or of all.
func (c *request) perScope(of func(*Scope) []entry) reply {
	id := c.query.Get("scope_id")
	if id != "" && c.w.Scope(id) == nil {
		return failure(http.StatusInternalServerError, "Failed to get scope %s on DHCP server.", id)
	}
	var out []entry
	for _, s := range c.w.Scopes {
		if (id == "" || s.ID == id) && !s.Silent {
			out = append(out, of(s)...)
		}
	}
	return c.list(out)
}

func (c *request) listLeases() reply       { return c.perScope((*Scope).leases) }
func (c *request) listReservations() reply { return c.perScope((*Scope).reservations) }

func (c *request) listExclusions() reply {
	switch id := c.query.Get("scope_id"); {
	case id == "":
		return failure(http.StatusBadRequest, "scope_id is required.")
	case c.w.Scope(id) == nil:
		return c.scopeNotFound()
	}
	return c.perScope((*Scope).exclusions)
}

func (c *request) serverOptions() reply { return c.optionList(optionEntries(c.w.ServerOptions)) }

func (c *request) scopeOptions() reply {
	s := c.w.Scope(c.param)
	if s == nil {
		return c.scopeNotFound()
	}
	return c.optionList(s.options())
}

func (c *request) optionList(out []entry, ok bool) reply {
	if !ok {
		return failure(http.StatusInternalServerError, "You cannot call a method on a null-valued expression.")
	}
	return c.list(out)
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
			return failure(http.StatusBadRequest, "%s is required.", key), true
		}
	}
	return reply{}, false
}

func (c *request) createScope() reply {
	if out, ok := c.missing("scope_id", "start_ip", "end_ip", "subnet_mask"); ok {
		return out
	}
	s := &Scope{
		ID: c.text("scope_id"), Mask: c.text("subnet_mask"), Name: c.text("name"), Start: c.text("start_ip"), End: c.text("end_ip"),
		Description: c.text("description"), LeaseSeconds: 691200,
	}
	prefix, err := s.prefix()
	if err != nil || prefix.Addr().String() != s.ID || !s.span(s.Start, s.End) {
		return failure(http.StatusInternalServerError, "Failed to add scope %s: the parameter is incorrect.", s.ID)
	}
	if c.w.Scope(s.ID) != nil {
		return failure(http.StatusInternalServerError, "Failed to add scope %s: the specified scope already exists.", s.ID)
	}
	if secs, ok := c.in["lease_duration_seconds"].(float64); ok && secs > 0 {
		s.LeaseSeconds = int64(secs)
	}
	if _, err := netip.ParseAddr(c.text("router")); err == nil { // errors are swallowed
		s.Routers = []string{c.text("router")}
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
		return c.scopeNotFound()
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
