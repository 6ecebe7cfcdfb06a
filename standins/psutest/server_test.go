package psutest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at is a contract under test on a stand-in of its own.
func at(t *testing.T, c Config) (*Server, *contract) {
	t.Helper()
	s := New(t, c)
	return s, &contract{T: t, ctx: t.Context(), target: Target{URL: s.URL(), Writer: s.Writer(), Client: client(t, true)}}
}

// rule 1.4 quirk 5.
func TestPartnersEachNameThemselvesAsPrimary(t *testing.T) {
	a, callA := at(t, Config{World: Example("dh1.corp.example")})
	b, callB := at(t, Config{World: Example("dh2.corp.example")})
	Pair(a, b, Failover{Name: "east-pair", Scopes: []string{"10.8.4.0"}})
	for _, side := range []struct {
		c              *contract
		self, opposite string
	}{{callA, "dh1.corp.example", "dh2.corp.example"}, {callB, "dh2.corp.example", "dh1.corp.example"}} {
		list := side.c.list("failover")
		if len(list) != 1 || list[0]["primary_server"] != side.self || list[0]["secondary_server"] != side.opposite {
			t.Errorf("%s: %v", side.self, list)
		}
	}
	for _, s := range callA.list("scopes") {
		if want := map[bool]any{true: "east-pair"}[s["scope_id"] == "10.8.4.0"]; s["failover_name"] != want {
			t.Errorf("scope %v has failover_name %v", s["scope_id"], s["failover_name"])
		}
	}
}

func TestServersOfOneWorldShareNothing(t *testing.T) {
	world := Example("dh1")
	a, _ := at(t, Config{World: world})
	_, c := at(t, Config{World: world})
	a.Edit(func(w *World) { w.Scopes[0].Name = "changed"; w.Scopes[0].Leases = nil })
	if name := c.list("scopes")[0]["name"]; name != "Office" || world.Scopes[0].Name != "Office" || len(c.list("leases")) == 0 {
		t.Errorf("the other server's scope is %v", name)
	}
}

// rule 1.3: PUT and DELETE compare the text and take the first
// match over all scopes.
func TestChangesByClientTakeTheFirstMatch(t *testing.T) {
	s, c := at(t, Config{World: Example("dh1")})
	s.Edit(func(w *World) {
		w.Scopes[1].Reservations = []*Reservation{{IP: "10.8.6.20", ClientID: "3c-52-82-0a-1b-60"}}
	})
	c.want(c.do("DELETE", "reservations/3c5282-0a1b60", nil), http.StatusNotFound)
	c.want(c.do("DELETE", "reservations/3C-52-82-0A-1B-60", nil), http.StatusNoContent)
	var left []any
	for _, r := range c.list("reservations") {
		left = append(left, r["ip_address"])
	}
	if diff := cmp.Diff([]any{"10.8.4.61", "10.8.6.20"}, left); diff != "" {
		t.Errorf("left (-want +have):\n%s", diff)
	}
}

// rule 1.3: a new scope is active, even if another state was asked for.
func TestANewScopeIsActiveAndInOrder(t *testing.T) {
	_, c := at(t, Config{World: Example("dh1")})
	c.want(c.do("POST", "scopes", map[string]any{
		"scope_id": "10.8.5.0", "start_ip": "10.8.5.10", "end_ip": "10.8.5.20", "subnet_mask": "255.255.255.0", "state": "Inactive", "router": "10.8.5.1",
	}), http.StatusCreated)
	list := c.list("scopes")
	if s := list[1]; s["scope_id"] != "10.8.5.0" || s["state"] != "Active" || s["router"] != "10.8.5.1" || s["failover_name"] != nil {
		t.Errorf("got %v", s)
	}
}

// rule 1.4 quirk 4.
func TestARelationshipCannotBeMade(t *testing.T) {
	_, c := at(t, Config{})
	c.want(c.do("POST", "failover", map[string]any{"name": "x", "secondary_server": "dh2", "scope_ids": []string{"10.8.4.0"}}), http.StatusInternalServerError)
}

func TestRequestsAndConnectionsAreCounted(t *testing.T) {
	s, c := at(t, Config{HTTPS: true, World: Example("dh1")})
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections before the first", n)
	}
	c.list("leases?scope_id=10.8.4.0")
	c.do("POST", "health", map[string]any{"a": 1})
	requests, writes := s.Requests(), s.Writes()
	if len(requests) != 2 || len(writes) != 1 || s.Connections() == 0 || !strings.HasPrefix(s.URL(), "https://") {
		t.Fatalf("%d requests, %d writes, %d connections at %s", len(requests), len(writes), s.Connections(), s.URL())
	}
	if requests[0].Query.Get("scope_id") != "10.8.4.0" || writes[0].Body != `{"a":1}` || writes[0].Status != http.StatusOK {
		t.Errorf("recorded %+v", requests)
	}
	s.ForgetRequests()
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests after ForgetRequests", n)
	}
}

func TestFaultsHitWhatTheyNameAndNothingElse(t *testing.T) {
	s, c := at(t, Config{World: Example("dh1")})
	s.Fail(Fault{Method: "GET", Path: "leases", Scope: "10.8.6.0", After: 1, Times: 1, Kind: Error500})
	get := func(path string) int { return c.do("GET", path, nil).status }
	have := []int{
		get("leases?scope_id=10.8.6.0"), get("leases?scope_id=10.8.4.0"), get("reservations?scope_id=10.8.6.0"),
		get("leases?scope_id=10.8.6.0"), get("leases?scope_id=10.8.6.0"),
	}
	if diff := cmp.Diff([]int{200, 200, 200, 500, 200}, have); diff != "" {
		t.Errorf("statuses (-want +have):\n%s", diff)
	}
}
