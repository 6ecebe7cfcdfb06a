package psutest

import "net/http"

// refused are the statuses of a refusal: which of them it is, clients must not
// rely on (rule 1.4 quirk 7).
func (c *contract) refused(a answered) {
	c.Helper()
	c.want(a, http.StatusBadRequest, http.StatusNotFound, http.StatusInternalServerError)
}

// scope is the scratch scope as the list has it.
func (c *contract) scope() map[string]any {
	c.Helper()
	for _, s := range c.list("scopes") {
		if s["scope_id"] == c.target.Scratch {
			return s
		}
	}
	c.Fatalf("no scope %s", c.target.Scratch)
	return nil
}

func (c *contract) put(in map[string]any) answered {
	return c.do("PUT", "scopes/"+c.target.Scratch, in)
}

// restore puts the scratch scope back after the fact.
func (c *contract) restore() {
	c.Helper()
	old := c.scope()
	in := map[string]any{"router": ""}
	for _, key := range []string{"name", "description", "start_ip", "end_ip", "router", "lease_duration_seconds"} {
		if old[key] != nil {
			in[key] = old[key]
		}
	}
	c.Cleanup(func() {
		if a := c.detached().put(in); a.status != http.StatusOK {
			c.Errorf("restore: status %d, %.300s", a.status, a.body)
		}
	})
}

func scopeFacts() group {
	return group{"scopes", "1.2, 1.3, 1.4 quirk 7 and 8", []fact{
		{name: "a scope that exists is refused", writes: true, check: func(c *contract) {
			s := c.scope()
			c.want(c.do("POST", "scopes", map[string]any{
				"scope_id": s["scope_id"], "start_ip": s["start_ip"], "end_ip": s["end_ip"], "subnet_mask": s["subnet_mask"], "name": "again",
			}), http.StatusInternalServerError)
		}},
		{name: "a scope without its mandatory fields is 400", check: func(c *contract) {
			c.want(c.do("POST", "scopes", map[string]any{"scope_id": nowhere}), http.StatusBadRequest)
		}},
		{name: "an unknown scope cannot be changed", check: func(c *contract) {
			c.want(c.do("PUT", "scopes/"+nowhere, map[string]any{"description": "x"}), http.StatusNotFound)
		}},
		{name: "only the keys sent are changed", writes: true, check: func(c *contract) {
			c.restore()
			before := c.scope()
			c.want(c.put(map[string]any{"description": "it's a contract"}), http.StatusOK)
			after := c.scope()
			if after["description"] != "it's a contract" {
				c.Errorf("description %v", after["description"])
			}
			after["description"] = before["description"]
			for key := range before {
				if before[key] != after[key] {
					c.Errorf("%s was %v and is %v", key, before[key], after[key])
				}
			}
		}},
		{name: "an empty description blanks it", writes: true, check: func(c *contract) {
			c.restore()
			c.want(c.put(map[string]any{"description": "x"}), http.StatusOK)
			c.want(c.put(map[string]any{"description": ""}), http.StatusOK)
			if have := c.scope()["description"]; have != "" {
				c.Errorf("description %v", have)
			}
		}},
		{name: "a router replaces the list and an empty one removes it", writes: true, check: func(c *contract) {
			c.restore()
			c.want(c.put(map[string]any{"router": c.scratch("1")}), http.StatusOK)
			if have := c.scope()["router"]; have != c.scratch("1") {
				c.Errorf("router %v", have)
			}
			c.want(c.put(map[string]any{"router": ""}), http.StatusOK)
			if have := c.scope()["router"]; have != nil {
				c.Errorf("router %v", have)
			}
		}},
		{name: "a range outside the subnet is refused", writes: true, check: func(c *contract) {
			c.restore()
			c.refused(c.put(map[string]any{"start_ip": "203.0.113.10", "end_ip": "203.0.113.20"}))
		}},
		{name: "the mask is ignored, and the state by scripts without lists", writes: true, check: func(c *contract) {
			c.restore()
			before := c.scope()
			in := map[string]any{"state": "Inactive", "subnet_mask": "255.0.0.0"}
			if c.speaks != single {
				delete(in, "state")
			}
			c.want(c.put(in), http.StatusOK)
			if after := c.scope(); after["state"] != before["state"] || after["subnet_mask"] != before["subnet_mask"] {
				c.Errorf("got %v", after)
			}
		}},
	}}
}

const client1, client2 = "02-00-5e-00-53-01", "02-00-5e-00-53-02" // of the documentation range, locally administered

// reserve reserves address 20, until the fact ends.
func (c *contract) reserve(client string) answered {
	c.Helper()
	a := c.do("POST", "reservations", map[string]any{
		"scope_id": c.target.Scratch, "ip_address": c.scratch("20"), "client_id": client, "name": "contract-20", "description": "d", "type": "Dhcp",
	})
	if a.status == http.StatusCreated {
		c.Cleanup(func() { c.detached().end("20", client) })
	}
	return a
}

// end deletes a reservation in the way the script knows.
func (c *contract) end(last, client string) answered {
	c.Helper()
	if c.speaks != single {
		return c.do("DELETE", "reservations", []any{c.item(last, nil)})
	}
	return c.do("DELETE", "reservations/"+normalise(client), nil)
}

// item is an entry of a list about an address of the scratch scope.
func (c *contract) item(last string, more map[string]any) map[string]any {
	out := map[string]any{"scope_id": c.target.Scratch, "ip_address": c.scratch(last)}
	for key, value := range more {
		out[key] = value
	}
	return out
}

func reservationFacts() group {
	return group{"reservations", "1.2, 1.3", []fact{
		{name: "one without its mandatory fields is 400", check: func(c *contract) {
			c.want(c.do("POST", "reservations", map[string]any{"scope_id": nowhere, "ip_address": "203.0.113.1"}), http.StatusBadRequest)
		}},
		{name: "the client id is normalised when it is made", writes: true, check: func(c *contract) {
			out := c.object(c.reserve("02005E.005301"), http.StatusCreated)
			if out["client_id"] != client1 || out["ip_address"] != c.scratch("20") || out["name"] != "contract-20" {
				c.Errorf("got %v", out)
			}
		}},
		{name: "an address is reserved once", writes: true, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			c.want(c.reserve(client2), http.StatusInternalServerError)
		}},
		{name: "a client has one reservation in a scope", writes: true, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			c.want(c.do("POST", "reservations", map[string]any{"scope_id": c.target.Scratch, "ip_address": c.scratch("21"), "client_id": client1}), http.StatusInternalServerError)
		}},
		{name: "an address outside the subnet is refused", writes: true, check: func(c *contract) {
			c.refused(c.do("POST", "reservations", map[string]any{"scope_id": c.target.Scratch, "ip_address": "203.0.113.1", "client_id": client1}))
		}},
		{name: "a change leaves alone what is not sent", writes: true, of: single | own, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			out := c.object(c.do("PUT", "reservations/"+client1, map[string]any{"name": "renamed"}), http.StatusOK)
			if out["name"] != "renamed" || out["description"] != "d" || out["type"] != "Dhcp" {
				c.Errorf("got %v", out)
			}
		}},
		{name: "an end is 204, and then it is not found", writes: true, of: single | own, check: func(c *contract) {
			c.want(c.reserve(client1), http.StatusCreated)
			if a := c.do("DELETE", "reservations/"+client1, nil); a.status != http.StatusNoContent || len(a.body) != 0 {
				c.Errorf("status %d, %q", a.status, a.body)
			}
			c.want(c.do("DELETE", "reservations/"+client1, nil), http.StatusNotFound)
			c.want(c.do("PUT", "reservations/"+client1, map[string]any{"name": "x"}), http.StatusNotFound)
		}},
	}}
}

// exclusion is a span of the scratch scope.
func (c *contract) exclusion(from, to string) map[string]any {
	return map[string]any{"scope_id": c.target.Scratch, "start_ip": c.scratch(from), "end_ip": c.scratch(to)}
}

func (c *contract) exclude(from, to string) {
	c.Helper()
	c.want(c.do("POST", "exclusions", c.exclusion(from, to)), http.StatusCreated)
	c.Cleanup(func() { c.detached().do("DELETE", "exclusions", c.exclusion(from, to)) })
}

func exclusionFacts() group {
	return group{"exclusions", "1.2, 5.3", []fact{
		{name: "one without its mandatory fields is 400", check: func(c *contract) {
			c.want(c.do("POST", "exclusions", map[string]any{"scope_id": nowhere}), http.StatusBadRequest)
			c.want(c.do("DELETE", "exclusions", map[string]any{"scope_id": nowhere}), http.StatusBadRequest)
		}},
		{name: "it is listed as it was made", writes: true, check: func(c *contract) {
			c.exclude("24", "26")
			for _, e := range c.list("exclusions?scope_id=" + c.target.Scratch) {
				if e["start_ip"] == c.scratch("24") && e["end_ip"] == c.scratch("26") {
					return
				}
			}
			c.Error("it is not in the list")
		}},
		{name: "one that overlaps is refused", writes: true, check: func(c *contract) {
			c.exclude("24", "26")
			c.refused(c.do("POST", "exclusions", c.exclusion("26", "28")))
		}},
		{name: "only the exact span is ended", writes: true, check: func(c *contract) {
			c.exclude("24", "26")
			c.refused(c.do("DELETE", "exclusions", c.exclusion("24", "25")))
			c.want(c.do("DELETE", "exclusions", c.exclusion("24", "26")), http.StatusNoContent)
			c.refused(c.do("DELETE", "exclusions", c.exclusion("24", "26")))
		}},
	}}
}
