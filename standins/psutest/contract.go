package psutest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Target is a server to run the contract on.
type Target struct {
	URL    string // without a slash at the end
	Writer string // a token with the role DHCPWriter
	Reader string // a token with the role DHCPReader; empty: facts about it are left out
	// Scratch is the id of a scope with nothing in it whose content may be
	// changed, of at least 32 addresses; empty: facts that write are left out.
	Scratch string
	Client  *http.Client // nil: http.DefaultTransport's behaviour
	// Ask sends a request in another way than HTTP, which needs no URL, tokens and Client:
	// path is below /api/dhcp/, escaped, with its query. Facts about tokens are left out, since there are none.
	Ask func(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error)
}

// fact is one thing a server does.
type fact struct {
	name   string
	reader bool    // it needs Target.Reader
	token  bool    // it is about tokens, which a Target with Ask has none of
	writes bool    // it needs Target.Scratch
	of     dialect // the scripts it holds for; 0: all
	check  func(*contract)
}

type group struct {
	name, sections string // sections of docs/spec/mirror.md
	facts          []fact
}

// Contract checks that a server does what clients of the endpoint script rely
// on. On a real server it changes nothing but the scratch scope, and leaves
// that as it was; for options it makes an inactive scope 198.51.100.0, and removes
// it.
func Contract(t *testing.T, target Target) {
	t.Helper()
	speaks := (&contract{T: t, ctx: t.Context(), target: target}).dialect()
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, f := range g.facts {
				if f.token && target.Ask != nil || f.reader && target.Reader == "" || f.writes && target.Scratch == "" || f.of != 0 && f.of&speaks == 0 {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					f.check(&contract{T: t, ctx: t.Context(), target: target, speaks: speaks})
				})
			}
		})
	}
}

func groups() []group {
	return []group{accessFacts(), listFacts(), scopeFacts(), reservationFacts(), exclusionFacts(), wholeFacts(), itemFacts(), exactFacts()}
}

// contract is one fact under test.
type contract struct {
	*testing.T
	ctx    context.Context
	target Target
	speaks dialect
}

// dialect asks health whose script this is.
func (c *contract) dialect() dialect {
	c.Helper()
	out := c.object(c.do("GET", "health", nil), http.StatusOK)
	version, _ := out["version"].(string)
	switch {
	case out["script"] == "netbox-dhcp-sync":
		return own
	case strings.HasPrefix(version, "2."):
		return lists
	}
	return single
}

// detached is for cleaning up, when the test's own context has ended.
func (c *contract) detached() *contract {
	return &contract{T: c.T, ctx: context.WithoutCancel(c.ctx), target: c.target, speaks: c.speaks}
}

// answered is what came back.
type answered struct {
	status int
	body   []byte
}

func (c *contract) call(method, path, token string, in any) answered {
	c.Helper()
	if c.target.Ask != nil {
		return c.ask(method, path, in)
	}
	var body io.Reader
	if in != nil {
		body = bytes.NewReader(marshal(in))
	}
	request, err := http.NewRequestWithContext(c.ctx, method, c.target.URL+"/api/dhcp/"+path, body)
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := c.target.Client
	if client == nil {
		client = &http.Client{}
	}
	response, err := client.Do(request)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	return answered{response.StatusCode, bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))}
}

// ask is call for a target that is asked in another way than HTTP.
func (c *contract) ask(method, path string, in any) answered {
	c.Helper()
	var body []byte
	if in != nil {
		body = marshal(in)
	}
	status, text, err := c.target.Ask(c.ctx, method, path, body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	return answered{status, text}
}

func (c *contract) do(method, path string, in any) answered {
	c.Helper()
	return c.call(method, path, c.target.Writer, in)
}

func (c *contract) want(a answered, statuses ...int) {
	c.Helper()
	if !slices.Contains(statuses, a.status) {
		c.Fatalf("status %d (%.300s), want one of %d", a.status, a.body, statuses)
	}
}

// list reads a list, which must be an array.
func (c *contract) list(path string) []map[string]any {
	c.Helper()
	a := c.do("GET", path, nil)
	c.want(a, http.StatusOK)
	var out []map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || out == nil {
		c.Fatalf("GET %s is no array: %v, %.300s", path, err, a.body)
	}
	return out
}

func (c *contract) object(a answered, statuses ...int) map[string]any {
	c.Helper()
	c.want(a, statuses...)
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || out == nil {
		c.Fatalf("no object: %v, %.300s", err, a.body)
	}
	return out
}

func (c *contract) keys(of map[string]any, want ...string) {
	c.Helper()
	var have []string
	for key := range of {
		have = append(have, key)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		c.Errorf("keys %q, want %q", have, want)
	}
}

// scratch is an address of the scratch scope.
func (c *contract) scratch(last string) string {
	return c.target.Scratch[:strings.LastIndex(c.target.Scratch, ".")+1] + last
}

const nowhere = "203.0.113.0" // no server has a scope of this network

func accessFacts() group {
	return group{"access", "1.1, 1.5", []fact{
		{name: "a request without token is 401", token: true, check: func(c *contract) {
			c.want(c.call("GET", "scopes", "", nil), http.StatusUnauthorized)
		}},
		{name: "an unknown token is 401", token: true, check: func(c *contract) {
			c.want(c.call("GET", "scopes", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", nil), http.StatusUnauthorized)
		}},
		{name: "a token for reading reads", reader: true, token: true, check: func(c *contract) {
			c.want(c.call("GET", "scopes", c.target.Reader, nil), http.StatusOK)
		}},
		{name: "a token for reading is 403 where something is written", reader: true, token: true, check: func(c *contract) {
			c.want(c.call("POST", "health", c.target.Reader, map[string]any{}), http.StatusForbidden)
		}},
		{name: "an unknown path is 401 or 404", check: func(c *contract) {
			c.want(c.do("GET", "nothing-of-the-kind", nil), http.StatusUnauthorized, http.StatusNotFound)
		}},
		{name: "health tells the version", check: func(c *contract) {
			out := c.object(c.do("GET", "health", nil), http.StatusOK)
			if version, ok := out["version"].(string); out["status"] != "ok" || !ok || version == "" {
				c.Errorf("got %v", out)
			}
		}},
		{name: "health can be posted to", check: func(c *contract) {
			if out := c.object(c.do("POST", "health", map[string]any{}), http.StatusOK); out["status"] != "ok" {
				c.Errorf("got %v", out)
			}
		}},
	}}
}

func listFacts() group {
	return group{"lists", "1.2, 1.3", []fact{
		{name: "scopes have a router and a failover name", check: func(c *contract) {
			for _, s := range c.list("scopes") {
				c.keys(s, "scope_id", "name", "start_ip", "end_ip", "subnet_mask", "description", "state", "lease_duration_seconds", "router", "failover_name")
			}
		}},
		{name: "a single scope has neither", check: func(c *contract) {
			for _, s := range c.list("scopes") {
				c.keys(c.object(c.do("GET", "scopes/"+s["scope_id"].(string), nil), http.StatusOK),
					"scope_id", "name", "start_ip", "end_ip", "subnet_mask", "description", "state", "lease_duration_seconds")
			}
		}},
		{name: "active_only leaves out the others", check: func(c *contract) {
			for _, s := range c.list("scopes?active_only=true") {
				if s["state"] != "Active" {
					c.Errorf("got %v", s)
				}
			}
		}},
		{name: "leases of all scopes are those of each", check: func(c *contract) {
			c.sameTogether("leases", "ip_address", "client_id", "hostname", "scope_id", "lease_expiry", "address_state")
		}},
		{name: "reservations of all scopes are those of each", check: func(c *contract) {
			c.sameTogether("reservations", "ip_address", "client_id", "name", "description", "type", "scope_id")
		}},
		{name: "exclusions need a scope", of: single, check: func(c *contract) {
			c.want(c.do("GET", "exclusions", nil), http.StatusBadRequest)
		}},
		{name: "exclusions have both ends", check: func(c *contract) {
			for _, s := range c.list("scopes") {
				for _, e := range c.list("exclusions?scope_id=" + s["scope_id"].(string)) {
					c.keys(e, "scope_id", "start_ip", "end_ip")
				}
			}
		}},
		{name: "options have arrays of texts as values", check: func(c *contract) {
			paths := []string{"options/server"}
			for _, s := range c.list("scopes") {
				paths = append(paths, "options/scope/"+s["scope_id"].(string))
			}
			for _, path := range paths {
				for _, o := range c.list(path) {
					c.option(o)
					if _, ok := o["value"].([]any); !ok {
						c.Errorf("%s: value %v", path, o["value"])
					}
				}
			}
		}},
		{name: "relationships name the answering server as primary", check: func(c *contract) {
			primary := map[any]bool{}
			for _, f := range c.list("failover") {
				c.keys(f, "name", "primary_server", "secondary_server", "mode", "scope_ids", "max_client_lead_time", "max_response_delay", "state_switchover_interval", "enable_auth")
				primary[f["primary_server"]] = true
			}
			if len(primary) > 1 {
				c.Errorf("several primaries: %v", primary)
			}
		}},
		{name: "an unknown scope is an error everywhere", check: func(c *contract) {
			c.want(c.do("GET", "scopes/"+nowhere, nil), http.StatusNotFound)
			c.want(c.do("GET", "leases?scope_id="+nowhere, nil), http.StatusInternalServerError)
			c.want(c.do("GET", "reservations?scope_id="+nowhere, nil), http.StatusInternalServerError)
			c.want(c.do("GET", "exclusions?scope_id="+nowhere, nil), http.StatusNotFound)
			c.want(c.do("GET", "options/scope/"+nowhere, nil), http.StatusNotFound)
		}},
	}}
}

func (c *contract) option(o map[string]any) {
	c.Helper()
	keys := []string{"code", "name", "value", "type", "vendor_class"}
	if c.speaks == own {
		keys = append(keys, "user_class", "policy")
	}
	c.keys(o, keys...)
}

// sameTogether compares the list of the server with those of its scopes.
func (c *contract) sameTogether(what string, keys ...string) {
	c.Helper()
	var alone []string
	for _, s := range c.list("scopes") {
		for _, e := range c.list(what + "?scope_id=" + s["scope_id"].(string)) {
			c.keys(e, keys...)
			if e["scope_id"] != s["scope_id"] {
				c.Errorf("entry %v is in the list of scope %v", e, s["scope_id"])
			}
			alone = append(alone, e["scope_id"].(string)+" "+e["ip_address"].(string))
		}
	}
	var together []string
	for _, e := range c.list(what) {
		together = append(together, e["scope_id"].(string)+" "+e["ip_address"].(string))
	}
	slices.Sort(alone)
	slices.Sort(together)
	if !slices.Equal(alone, together) {
		c.Errorf("together %q, alone %q", together, alone)
	}
}
