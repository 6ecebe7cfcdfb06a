package endpoint_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

var lab = netip.MustParseAddr("10.9.0.0")

func paths(srv *psutest.Server) []string {
	var out []string
	for _, r := range srv.Requests() {
		path := strings.TrimPrefix(r.Path, "/api/dhcp/")
		if id := r.Query.Get("scope_id"); id != "" {
			path += " " + id
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// rule 10: one call for the whole server.
func TestAllLeasesTakeOneRequest(t *testing.T) {
	srv := example(t)
	c := client(t, srv)
	scopes := []netip.Addr{office, guest, lab}
	leases, reservations := c.AllLeases(t.Context(), scopes), c.AllReservations(t.Context(), scopes)
	if have := paths(srv); !slices.Equal(have, []string{"leases", "reservations"}) {
		t.Errorf("requests: %q", have)
	}
	for _, id := range scopes {
		if diff := cmp.Diff(complete(t, c.Leases(t.Context(), id)), complete(t, leases.Of(id)), plain); diff != "" {
			t.Errorf("leases of %s (-alone +together):\n%s", id, diff)
		}
		if diff := cmp.Diff(complete(t, c.Reservations(t.Context(), id)), complete(t, reservations.Of(id)), plain); diff != "" {
			t.Errorf("reservations of %s (-alone +together):\n%s", id, diff)
		}
	}
	if have := leases.Scopes(); !slices.Equal(have, []netip.Addr{office, guest}) {
		t.Errorf("scopes with leases: %s", have)
	}
}

// rule 3.7 guard b.
func TestAMalformedEntryIsItsScopesOrEveryScopes(t *testing.T) {
	for kind, hit := range map[psutest.FaultKind][]netip.Addr{
		psutest.MalformedEntry: {guest},
		psutest.StrayEntry:     {office, guest, lab},
		psutest.NoObject:       {office, guest, lab},
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind, Path: "leases", Entry: "10.8.6.0"})
		leases := client(t, srv).AllLeases(t.Context(), nil)
		for _, id := range []netip.Addr{office, guest, lab} {
			list := leases.Of(id)
			if list.Err != nil || (len(list.Malformed) > 0) != slices.Contains(hit, id) {
				t.Errorf("fault %d, scope %s: %v, malformed %q", kind, id, list.Err, list.Malformed)
			}
		}
		if n := len(leases.Of(office).Items); n != 13 {
			t.Errorf("fault %d: %d leases in the office, want 13", kind, n)
		}
	}
}

// rule 10: what the server cannot tell at once is asked for
// scope by scope, and one scope it fails at does not cost the others.
func TestListsOfAllScopesFallBackToOneByOne(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]psutest.Fault{
		"a time-out":     {Kind: psutest.Slow, Until: make(chan struct{}), Times: 1},
		"an error":       {Kind: psutest.Error500, Times: 1},
		"a blank answer": {Kind: psutest.Blank200, Times: 1},
		"a gateway":      {Kind: psutest.Timeout504, Times: 3},
	} {
		srv := example(t)
		fault.Path = "leases"
		srv.Fail(fault)
		srv.Fail(psutest.Fault{Kind: psutest.Error500, Path: "leases", Scope: "10.8.6.0"})
		c := client(t, srv, impatient(fault.Kind))
		leases := c.AllLeases(t.Context(), []netip.Addr{office, guest, lab})
		if n := len(complete(t, leases.Of(office))); n != 13 {
			t.Errorf("%s: %d leases in the office, want 13", name, n)
		}
		if n := len(complete(t, leases.Of(lab))); n != 0 {
			t.Errorf("%s: %d leases in the lab, want 0", name, n)
		}
		wantKind(t, leases.Of(guest).Err, endpoint.ServerError)
		if err := leases.Of(netip.MustParseAddr("10.10.0.0")).Err; !errors.Is(err, windhcp.ErrNotRead) {
			t.Errorf("%s: a scope that was not asked for has %v", name, err)
		}
	}
}

// rule 1.5: a server that is gone is not asked again for each
// scope.
func TestNoFallBackWhenTheServerIsGone(t *testing.T) {
	for kind, want := range map[psutest.FaultKind]endpoint.Kind{
		psutest.Drop: endpoint.Unreachable, psutest.Unauthorized: endpoint.BadToken, psutest.HTML200: endpoint.NotInstalled,
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind})
		leases := client(t, srv).AllLeases(t.Context(), []netip.Addr{office, guest})
		wantKind(t, leases.Err(), want)
		wantKind(t, leases.Of(office).Err, want)
		for _, r := range srv.Requests() {
			if r.Query.Has("scope_id") {
				t.Errorf("fault %d: asked for %s", kind, r.Query)
			}
		}
	}
}

// rule 3.8 point 22: one call that is dropped or refused says nothing about the
// others.
func TestOneScopeThatTheServerBreaksAtCostsNoOther(t *testing.T) {
	t.Parallel()
	for kind, want := range map[psutest.FaultKind]endpoint.Kind{
		psutest.Drop: endpoint.Unreachable, psutest.Unauthorized: endpoint.BadToken, psutest.HTML200: endpoint.NotInstalled, psutest.Forbidden: endpoint.Forbidden,
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Path: "leases", Scope: "10.8.4.0", Kind: kind})
		srv.Fail(psutest.Fault{Path: "leases", Kind: psutest.Drop, Times: 3}) // the whole list, with its repeats
		leases := client(t, srv, func(c *config) { c.Parallel = 1 }).AllLeases(t.Context(), []netip.Addr{office, guest, lab})
		wantKind(t, leases.Of(office).Err, want)
		if n := len(complete(t, leases.Of(guest))); n == 0 {
			t.Errorf("fault %d: no leases of the guests", kind)
		}
		complete(t, leases.Of(lab))
	}
}

// rule 3.8 point 22: health that does not work is no server that does not work.
func TestHealthThatFailsAloneIsNotTheServer(t *testing.T) {
	for _, kind := range []psutest.FaultKind{psutest.Drop, psutest.Error500, psutest.HTML500, psutest.Unauthorized, psutest.Forbidden, psutest.OtherObject, psutest.Null200} {
		srv := example(t)
		srv.Fail(psutest.Fault{Path: "health", Kind: kind})
		if _, err := client(t, srv).Health(t.Context()); err != nil {
			t.Errorf("fault %d: %v", kind, err)
		}
	}
}

func TestABusyServerIsNotAskedForEveryScope(t *testing.T) {
	t.Parallel()
	srv := example(t)
	srv.Fail(psutest.Fault{Kind: psutest.Slow, Until: make(chan struct{})})
	c := client(t, srv, func(c *config) { c.Timeout, c.Parallel = 2*time.Second, 1 })
	var scopes []netip.Addr
	for i := range 50 {
		scopes = append(scopes, netip.AddrFrom4([4]byte{10, 8, byte(i), 0}))
	}
	leases := c.AllLeases(t.Context(), scopes)
	if n := len(srv.Requests()); n != 4 {
		t.Errorf("%d requests, want 1 and then 3", n)
	}
	for _, id := range scopes {
		if have := endpoint.KindOf(leases.Of(id).Err); have != endpoint.TimedOut {
			t.Errorf("scope %s: kind %q, want %q", id, have, endpoint.TimedOut)
		}
	}
}

// rule 1.4 quirk 3: nothing shows that the cmdlets failed.
func TestASilentFailureLooksLikeAnEmptyList(t *testing.T) {
	srv := example(t)
	srv.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Silent = true })
	c := client(t, srv)
	if n := len(complete(t, c.AllLeases(t.Context(), nil).Of(office))) + len(complete(t, c.Leases(t.Context(), office))); n != 0 {
		t.Errorf("%d leases", n)
	}
}
