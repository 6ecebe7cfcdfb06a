package psutest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// The calls of rule 1.9.

// allExclusions is an object by scope. The plugin's script leaves out scopes
// that have none, that of deploy/psu names every scope it read.
func (c *request) allExclusions() reply {
	out := map[string]any{}
	for _, s := range c.w.Scopes {
		if s.Silent {
			return c.unreadable()
		}
		if list := c.damaged(s.exclusions()); len(list) > 0 || c.own() {
			out[s.ID] = list
		}
	}
	return c.keyed(out)
}

func (c *request) allOptions() reply {
	out := map[string]any{}
	for _, s := range c.w.Scopes {
		list, ok := c.options(s)
		if !ok {
			return noValue()
		}
		out[s.ID] = c.damaged(list)
	}
	return object(http.StatusOK, map[string]any{"scope_options": out})
}

func (c *request) damaged(list []entry) []entry {
	if list == nil {
		list = []entry{}
	}
	if c.fault != nil {
		list = c.fault.damage(list)
	}
	return list
}

// keyed is an object by scope; the fault of an empty list empties it.
func (c *request) keyed(out map[string]any) reply {
	if c.fault != nil && c.fault.Kind == EmptyList {
		out = map[string]any{}
	}
	return object(http.StatusOK, out)
}

// results does something for each entry of a list. One that fails stops no
// other.
func (c *request) results(each func(*request) reply, mandatory ...string) reply {
	if c.items == nil {
		return c.refuse(http.StatusBadRequest, "input", "body", "The request body must be a list.")
	}
	out := []any{}
	for _, item := range c.items {
		one := *c
		one.in, one.items = item, nil
		answer, missing := one.missing(mandatory...)
		if !missing {
			answer = each(&one)
		}
		out = append(out, one.result(answer))
	}
	return object(http.StatusOK, map[string]any{"results": out})
}

// result puts the answer to one entry into the list of results.
func (c *request) result(answer reply) map[string]any {
	out := map[string]any{"scope_id": c.in["scope_id"], "ip_address": c.in["ip_address"], "status": "ok"}
	fields := answer.fields()
	switch {
	case answer.status == http.StatusNoContent:
	case answer.status < 300:
		out["reservation"] = fields
	default:
		out["status"] = "error"
		if answer.status == http.StatusNotFound {
			out["status"] = "not_found"
		}
		for key, value := range fields {
			out[key] = value
		}
	}
	return out
}

// item finds the reservation an entry names: it must be in the scope that the
// entry names.
func (c *request) item() (*Scope, int) {
	s := c.w.Scope(c.text("scope_id"))
	if s == nil {
		return nil, 0
	}
	i := slices.IndexFunc(s.Reservations, func(r *Reservation) bool { return r.IP == c.text("ip_address") })
	if i < 0 {
		return nil, 0
	}
	return s, i
}

func (c *request) noItem() reply {
	return c.refuse(http.StatusNotFound, "not_found", "ip_address", "No reservation at %s in scope %s.", c.text("ip_address"), c.text("scope_id"))
}

// updateItem changes a reservation; a client id must be free in its scope.
func (c *request) updateItem() reply {
	s, i := c.item()
	if s == nil {
		return c.noItem()
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
	if id := c.text("client_id"); id != "" {
		changed.ClientID = normalise(id)
		if slices.ContainsFunc(s.Reservations, func(o *Reservation) bool {
			return o.IP != changed.IP && strings.EqualFold(o.ClientID, changed.ClientID)
		}) {
			return c.refuse(http.StatusInternalServerError, "DHCP 20013", "The client is reserved already.", "The specified client is already reserved.")
		}
	}
	*s.Reservations[i] = changed
	return returned(s.reservationEntry(&changed))
}

func (c *request) deleteItem() reply {
	s, i := c.item()
	if s == nil {
		return c.noItem()
	}
	s.Reservations = slices.Delete(s.Reservations, i, i+1)
	return empty(http.StatusNoContent)
}

// deleteScope removes a scope; Windows refuses one with leases.
func (c *request) deleteScope() reply {
	s := c.w.Scope(c.param)
	switch {
	case s == nil:
		return c.scopeNotFound()
	case len(s.Leases) > 0:
		return c.refuse(http.StatusInternalServerError, "DHCP 20014", "The element is in use.", "Failed to remove scope %s: it is in use.", s.ID)
	case c.w.failoverOf(s.ID) != "":
		return c.refuse(http.StatusInternalServerError, "in_failover", "scope_id", "scope %s is part of the relationship %s", s.ID, c.w.failoverOf(s.ID))
	}
	c.w.Scopes = slices.DeleteFunc(c.w.Scopes, func(o *Scope) bool { return o == s })
	return empty(http.StatusNoContent)
}

// state is a state as Windows spells it.
func state(text string) string {
	if strings.EqualFold(text, "InActive") {
		return "InActive"
	}
	return "Active"
}

var exactID = regexp.MustCompile(`^[0-9A-Fa-f]{2}(?:[-:.]?[0-9A-Fa-f]{2})*$`)

// inexact refuses what the script of deploy/psu does not take: it guesses
// nothing (rule 1.8).
func (c *request) inexact() (reply, bool) {
	if !c.own() {
		return reply{}, false
	}
	refuse := func(key string) (reply, bool) {
		return c.refuse(http.StatusBadRequest, "input", key, "%s is not what it has to be", key), true
	}
	for _, key := range []string{"scope_id", "ip_address", "start_ip", "end_ip", "subnet_mask", "router", "name", "description", "type", "state", "client_id"} {
		value, sent := c.in[key]
		if _, ok := value.(string); sent && !ok {
			return refuse(key)
		}
	}
	if id := c.text("client_id"); id != "" && !exact(id) {
		return refuse("client_id")
	}
	for key, words := range map[string][]string{"type": {"", "dhcp", "bootp", "both"}, "state": {"", "active", "inactive"}} {
		if !slices.Contains(words, strings.ToLower(c.text(key))) {
			return refuse(key)
		}
	}
	if value, sent := c.in["lease_duration_seconds"]; sent {
		if secs, ok := value.(float64); !ok || secs != float64(int64(secs)) || secs < 1 || secs > 4294967295 {
			return refuse("lease_duration_seconds")
		}
	}
	return reply{}, false
}

// exact reports whether a text is 1 to 255 hex pairs with one kind of separator
// between them or none.
func exact(id string) bool {
	kinds := 0
	for _, kind := range "-:." {
		if strings.ContainsRune(id, kind) {
			kinds++
		}
	}
	return exactID.MatchString(id) && kinds < 2 && len(normalise(id)) <= 255*3-1
}

// fields are those of an answer that is an object.
func (r reply) fields() map[string]any {
	var out map[string]any
	if err := json.Unmarshal(r.body, &out); err != nil && len(r.body) > 0 {
		panic(fmt.Sprintf("an answer is no object: %v", err))
	}
	return out
}
