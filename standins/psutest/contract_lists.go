package psutest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// byScope reads an object that has a list for each scope.
func (c *contract) byScope(path, key string) map[string][]map[string]any {
	c.Helper()
	a := c.do("GET", path, nil)
	c.want(a, http.StatusOK)
	var out map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &out); err != nil {
		c.Fatalf("GET %s is no object: %v, %.300s", path, err, a.body)
	}
	body := a.body
	if key != "" {
		body = out[key]
	}
	var lists map[string][]map[string]any
	if err := json.Unmarshal(body, &lists); err != nil || lists == nil {
		c.Fatalf("GET %s has no lists by scope: %v, %.300s", path, err, a.body)
	}
	return lists
}

// same compares what two calls say about one scope.
func (c *contract) same(scope any, together, alone []map[string]any) {
	c.Helper()
	if len(together) != len(alone) || len(alone) > 0 && string(marshal(together)) != string(marshal(alone)) {
		c.Errorf("scope %v: together %v, alone %v", scope, together, alone)
	}
}

func wholeFacts() group {
	return group{"whole server", "1.9", []fact{
		{name: "options of all scopes are those of each", of: lists | own, check: func(c *contract) {
			all := c.byScope("options", "scope_options")
			for _, s := range c.list("scopes") {
				id := s["scope_id"].(string)
				c.same(id, all[id], c.list("options/scope/"+id))
				for _, o := range all[id] {
					c.option(o)
				}
			}
		}},
		{name: "exclusions of all scopes are those of each", of: lists | own, check: func(c *contract) {
			all := c.byScope("exclusions", "")
			for _, s := range c.list("scopes") {
				id := s["scope_id"].(string)
				c.same(id, all[id], c.list("exclusions?scope_id="+id))
				if _, named := all[id]; !named && c.speaks == own {
					c.Errorf("scope %s is not named", id)
				}
			}
		}},
		{name: "a list of scopes without routers is the same but for them", of: lists | own, check: func(c *contract) {
			with, without := c.list("scopes"), c.list("scopes?include_router=false")
			for _, s := range with {
				delete(s, "router")
			}
			c.same("any", without, with)
		}},
		{name: "a state is set in any case", writes: true, of: lists | own, check: func(c *contract) {
			c.restore()
			c.Cleanup(func() { c.detached().put(map[string]any{"state": "Active"}) })
			for _, state := range []string{"inactive", "Active", "INACTIVE", "active"} {
				c.want(c.put(map[string]any{"state": state}), http.StatusOK)
				if have, _ := c.scope()["state"].(string); !strings.EqualFold(have, state) {
					c.Errorf("state %q after %q", have, state)
				}
			}
		}},
		{name: "an unknown scope cannot be deleted", of: lists | own, check: func(c *contract) {
			c.refused(c.do("DELETE", "scopes/"+nowhere, nil))
		}},
		{name: "values of options are set together, and the others stay", writes: true, of: own, check: func(c *contract) {
			c.passing(option(6, "10.1.1.1"), option(15, "contract.example"))
			before := c.list("options/scope/" + passing)
			a := c.do("PUT", "options/scope/"+passing, []any{option(6, "10.1.1.1", "10.1.1.2"), option(46, "8")})
			c.want(a, http.StatusOK)
			var out []map[string]any
			if err := json.Unmarshal(a.body, &out); err != nil {
				c.Fatalf("no list of options: %v, %.300s", err, a.body)
			}
			after := c.list("options/scope/" + passing)
			c.same(passing, out, after)
			if len(after) != len(before)+1 {
				c.Errorf("%d options, before %d", len(after), len(before))
			}
			for code, want := range map[float64]string{6: `["10.1.1.1","10.1.1.2"]`, 15: `["contract.example"]`} {
				if have := values(after, code); have != want {
					c.Errorf("option %v is %s, want %s", code, have, want)
				}
			}
			if have := values(after, 46); have != `["8"]` && have != `["0x8"]` {
				c.Errorf("option 46 is %s", have)
			}
		}},
		{name: "one option that is refused sets none, and makes no scope", writes: true, of: own, check: func(c *contract) {
			bad := map[string]any{
				"an address that is none": option(42, "ntp.corp.example"), "the router": option(3, "10.1.1.1"), "the lease time": option(51, "3600"), "no value": option(42),
				"a number as value": map[string]any{"code": 46, "value": []any{8}}, "no code": map[string]any{"value": []any{"x"}}, "the same again": option(15, "other.example"),
				"binary": option(43, "0x01"), "too large": option(46, "256"), "no object": "x",
			}
			for what, one := range bad {
				c.want(c.do("POST", "scopes", newPassing(option(15, "contract.example"), one)), http.StatusBadRequest)
				if a := c.do("GET", "scopes/"+passing, nil); a.status != http.StatusNotFound {
					c.Fatalf("%s: the scope is there: %d, %.300s", what, a.status, a.body)
				}
			}
			c.passing(option(15, "contract.example"))
			before := c.list("options/scope/" + passing)
			for what, one := range bad {
				if a := c.do("PUT", "options/scope/"+passing, []any{option(15, "changed.example"), one}); a.status != http.StatusBadRequest {
					c.Errorf("%s: status %d, %.300s", what, a.status, a.body)
				}
			}
			c.refused(c.do("PUT", "options/scope/"+passing, []any{}))
			c.refused(c.do("PUT", "options/scope/"+nowhere, []any{option(15, "changed.example")}))
			c.same(passing, c.list("options/scope/"+passing), before)
		}},
		{name: "scripts without lists know none of these", of: single, check: func(c *contract) {
			unknown := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed}
			c.want(c.do("GET", "options", nil), unknown...)
			c.want(c.do("PUT", "reservations", []any{}), unknown...)
			c.want(c.do("DELETE", "reservations", []any{}), unknown...)
			c.want(c.do("DELETE", "scopes/"+nowhere, nil), unknown...)
		}},
	}}
}

func option(code int, value ...any) map[string]any {
	if value == nil {
		value = []any{}
	}
	return map[string]any{"code": code, "value": value}
}

// values are those of an option that every client gets, as JSON.
func values(options []map[string]any, code float64) string {
	for _, o := range options {
		if o["code"] == code && o["vendor_class"] == "" && o["user_class"] == "" && o["policy"] == "" {
			return string(marshal(o["value"]))
		}
	}
	return ""
}

// passing is the id of a scope that a fact makes, inactive, and that goes with it:
// there is no call that takes an option away again.
const passing = "198.51.100.0"

func newPassing(options ...any) map[string]any {
	return map[string]any{
		"scope_id": passing, "subnet_mask": "255.255.255.0", "start_ip": "198.51.100.10", "end_ip": "198.51.100.20", "name": "contract", "state": "InActive", "options": options,
	}
}

// passing makes that scope, until the fact ends.
func (c *contract) passing(options ...any) {
	c.Helper()
	c.want(c.do("POST", "scopes", newPassing(options...)), http.StatusCreated)
	c.Cleanup(func() { c.detached().do("DELETE", "scopes/"+passing, nil) })
}

// results sends a list and gives the statuses of its results.
func (c *contract) results(method string, items ...any) (statuses []string, all []map[string]any) {
	c.Helper()
	a := c.do(method, "reservations", items)
	c.want(a, http.StatusOK)
	var out struct {
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(a.body, &out); err != nil || len(out.Results) != len(items) {
		c.Fatalf("%d results for %d entries: %v, %.300s", len(out.Results), len(items), err, a.body)
	}
	for _, one := range out.Results {
		status, _ := one["status"].(string)
		statuses = append(statuses, status)
		if _, told := one["error"].(string); told == (status == "ok") {
			c.Errorf("result %v", one)
		}
	}
	return statuses, out.Results
}

func (c *contract) wantResults(have []string, want ...string) {
	c.Helper()
	if !slices.Equal(have, want) {
		c.Errorf("results %q, want %q", have, want)
	}
}

func itemFacts() group {
	of := lists | own
	return group{"lists of reservations", "1.9", []fact{
		{name: "each entry has a result, and one that fails stops no other", writes: true, of: of, check: func(c *contract) {
			c.Cleanup(func() {
				c.detached().do("DELETE", "reservations", []any{c.item("20", nil), c.item("21", nil)})
			})
			got, all := c.results("POST", c.item("20", map[string]any{"client_id": client1, "name": "a"}),
				c.item("22", nil), c.item("21", map[string]any{"client_id": client2, "description": "d"}), c.item("20", map[string]any{"client_id": client2}))
			c.wantResults(got, "ok", "error", "ok", "error")
			made, _ := all[0]["reservation"].(map[string]any)
			if made["client_id"] != client1 || made["name"] != "a" || made["scope_id"] != c.target.Scratch || all[2]["ip_address"] != c.scratch("21") {
				c.Errorf("results %v", all)
			}
		}},
		{name: "a change leaves alone what is not sent and blanks a description", writes: true, of: of, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			got, all := c.results("PUT", c.item("20", map[string]any{"name": "renamed"}), c.item("21", map[string]any{"name": "x"}))
			c.wantResults(got, "ok", "not_found")
			made, _ := all[0]["reservation"].(map[string]any)
			if made["name"] != "renamed" || made["description"] != "d" || made["type"] != "Dhcp" || made["client_id"] != client1 {
				c.Errorf("got %v", made)
			}
			got, all = c.results("PUT", c.item("20", map[string]any{"description": ""}))
			c.wantResults(got, "ok")
			if made, _ := all[0]["reservation"].(map[string]any); made["description"] != "" || made["name"] != "renamed" {
				c.Errorf("got %v", made)
			}
		}},
		{name: "a client id moves to one that is free", writes: true, of: of, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			c.Cleanup(func() { c.detached().do("DELETE", "reservations", []any{c.item("21", nil)}) })
			got, _ := c.results("POST", c.item("21", map[string]any{"client_id": client2}))
			c.wantResults(got, "ok")
			got, _ = c.results("PUT", c.item("20", map[string]any{"client_id": client2}))
			c.wantResults(got, "error")
			got, all := c.results("PUT", c.item("20", map[string]any{"client_id": "02-00-5e-00-53-03"}))
			c.wantResults(got, "ok")
			if made, _ := all[0]["reservation"].(map[string]any); made["client_id"] != "02-00-5e-00-53-03" || made["name"] != "contract-20" {
				c.Errorf("got %v", made)
			}
		}},
		{name: "the scope has to be that of the reservation", writes: true, of: of, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			for _, s := range c.list("scopes") {
				if s["scope_id"] == c.target.Scratch {
					continue
				}
				got, _ := c.results("DELETE", map[string]any{"scope_id": s["scope_id"], "ip_address": c.scratch("20")})
				c.wantResults(got, "not_found")
			}
			got, _ := c.results("DELETE", c.item("20", nil))
			c.wantResults(got, "ok")
			got, _ = c.results("DELETE", c.item("20", nil))
			c.wantResults(got, "not_found")
		}},
		{name: "a body that is no list is 400", of: of, check: func(c *contract) {
			c.want(c.do("PUT", "reservations", map[string]any{"scope_id": nowhere}), http.StatusBadRequest)
			c.want(c.do("DELETE", "reservations", map[string]any{"scope_id": nowhere}), http.StatusBadRequest)
		}},
	}}
}

// exactFacts hold for the script of deploy/psu.
func exactFacts() group {
	return group{"exact", "1.6 to 1.8", []fact{
		{name: "health tells whose script it is, on which computer, with which rights", of: own, check: func(c *contract) {
			out := c.object(c.do("GET", "health", nil), http.StatusOK)
			c.keys(out, "status", "script", "version", "computer", "rights", "calls")
			if out["computer"] == "" || out["rights"] == "" {
				c.Errorf("got %v", out)
			}
		}},
		{name: "an error has the number of Windows", of: own, check: func(c *contract) {
			out := c.object(c.do("GET", "scopes/"+nowhere, nil), http.StatusNotFound)
			c.keys(out, "error", "error_id", "reason")
			if out["error_id"] != "DHCP 20005" {
				c.Errorf("got %v", out)
			}
		}},
		{name: "a client id that is not exact is refused and changes nothing", writes: true, of: own, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			for _, id := range []string{"zz-" + client1, "zz", "0", client1 + "-", "-" + client1, "02--00-5e-00-53-01", "02:00-5e:00-53:01", "02 00 5e 00 53 01", "0x02005e005301", strings.Repeat("ab", 256)} {
				path := strings.ReplaceAll(id, " ", "%20")
				c.want(c.do("DELETE", "reservations/"+path, nil), http.StatusBadRequest)
				c.want(c.do("PUT", "reservations/"+path, map[string]any{"name": "x"}), http.StatusBadRequest)
				c.want(c.do("POST", "reservations", c.item("21", map[string]any{"client_id": id})), http.StatusBadRequest)
			}
			if list := c.list("reservations?scope_id=" + c.target.Scratch); len(list) != 1 || list[0]["name"] != "contract-20" {
				c.Errorf("left %v", list)
			}
		}},
		{name: "a client id is read in each exact spelling", writes: true, of: own, check: func(c *contract) {
			for _, id := range []string{"02005e005301", "0200.5e00.5301", "02:00:5E:00:53:01", "02-00-5E-00-53-01"} {
				if out := c.object(c.reserve(id), http.StatusCreated); out["client_id"] != client1 {
					c.Errorf("%s: %v", id, out)
				}
				c.want(c.do("DELETE", "reservations/"+id, nil), http.StatusNoContent)
			}
		}},
		{name: "texts stay as they were sent", writes: true, of: own, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			for _, text := range []string{"2026-11-28T10:00:00Z", "2026-11-28T10:00:00+02:00", "/Date(1)/", "true", "1.0", "_x", `a "b" \ c`, "it's", "B\u00fcro"} {
				out := c.object(c.do("PUT", "reservations/"+client1, map[string]any{"name": text, "description": text}), http.StatusOK)
				if out["name"] != text || out["description"] != text {
					c.Errorf("%q: %v", text, out)
				}
			}
		}},
		{name: "anything but a text in its place is 400 and changes nothing", writes: true, of: own, check: func(c *contract) {
			c.restore()
			c.want(c.reserve(client1), http.StatusCreated)
			before := c.scope()
			for _, value := range []any{true, 1.0, nil, []string{"a", "b"}, []string{"a"}, map[string]any{"a": "b"}} {
				c.want(c.do("PUT", "reservations/"+client1, map[string]any{"name": value}), http.StatusBadRequest)
				c.want(c.put(map[string]any{"name": "changed", "description": value}), http.StatusBadRequest)
				c.want(c.put(map[string]any{"name": "changed", "start_ip": value}), http.StatusBadRequest)
			}
			c.want(c.do("PUT", "reservations/"+client1, map[string]any{"type": "Nope"}), http.StatusBadRequest)
			c.want(c.put(map[string]any{"name": "changed", "state": "Nope"}), http.StatusBadRequest)
			if after := c.scope(); after["name"] != before["name"] {
				c.Errorf("name %v", after["name"])
			}
		}},
		{name: "a lease time is whole, from 1 to 4294967295 seconds", writes: true, of: own, check: func(c *contract) {
			c.restore()
			for _, value := range []any{0, -1, 1.5, "3600", 4294967296, 1e20, true, nil} {
				c.want(c.put(map[string]any{"lease_duration_seconds": value}), http.StatusBadRequest)
			}
			c.want(c.put(map[string]any{"lease_duration_seconds": 7200}), http.StatusOK)
			if have := c.scope()["lease_duration_seconds"]; have != 7200.0 {
				c.Errorf("lease time %v", have)
			}
		}},
		{name: "a change is whole or not at all", writes: true, of: own, check: func(c *contract) {
			c.restore()
			before := c.scope()
			c.refused(c.put(map[string]any{"name": "changed", "description": "changed", "end_ip": "203.0.113.20"}))
			if after := c.scope(); after["name"] != before["name"] || after["description"] != before["description"] || after["end_ip"] != before["end_ip"] {
				c.Errorf("got %v", after)
			}
		}},
		{name: "a relationship cannot be made", of: own, check: func(c *contract) {
			c.want(c.do("POST", "failover", map[string]any{"name": "x", "secondary_server": "dh2", "scope_ids": []string{nowhere}}), http.StatusUnauthorized, http.StatusNotFound)
		}},
	}}
}
