package endpoint_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

var plain = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// state is everything a client reads from the example.
type state struct {
	Scopes       []windhcp.Scope
	Leases       map[netip.Addr][]windhcp.Lease
	Reservations map[netip.Addr][]windhcp.Reservation
	Exclusions   map[netip.Addr][]windhcp.Exclusion
	Options      map[netip.Addr][]windhcp.Option
	Server       []windhcp.Option
	Failovers    []windhcp.Failover
}

func readAll(t *testing.T, c *endpoint.Client) state {
	t.Helper()
	s := state{
		Leases: map[netip.Addr][]windhcp.Lease{}, Reservations: map[netip.Addr][]windhcp.Reservation{},
		Exclusions: map[netip.Addr][]windhcp.Exclusion{}, Options: map[netip.Addr][]windhcp.Option{},
	}
	s.Scopes = complete(t, c.Scopes(t.Context(), false))
	for _, scope := range s.Scopes {
		id := scope.ID()
		s.Leases[id] = complete(t, c.Leases(t.Context(), id))
		s.Reservations[id] = complete(t, c.Reservations(t.Context(), id))
		s.Exclusions[id] = complete(t, c.Exclusions(t.Context(), id))
		s.Options[id] = complete(t, c.ScopeOptions(t.Context(), id))
	}
	s.Server = complete(t, c.ServerOptions(t.Context()))
	s.Failovers = complete(t, c.Failovers(t.Context()))
	return s
}

func complete[T any](t *testing.T, list windhcp.List[T]) []T {
	t.Helper()
	if !list.Complete() {
		t.Fatalf("list is not complete: %v %q", list.Err, list.Malformed)
	}
	return list.Items
}

// withFailover is the example with a relationship.
func withFailover(c *psutest.Config) {
	switchover := int64(3600)
	c.World.Failovers = []*psutest.Failover{{
		Name: "east-pair", Partner: "dh2.corp.example", Mode: "HotStandby", Scopes: []string{"10.8.4.0"},
		MaxClientLeadTime: 3600, StateSwitchover: &switchover, EnableAuth: true,
	}}
}

// rule 1.3.
func TestListsAreReadAsTheScriptWritesThem(t *testing.T) {
	s := readAll(t, client(t, example(t, withFailover)))
	wantScope := windhcp.Scope{
		Subnet: netip.MustParsePrefix("10.8.4.0/24"), Name: "Office", Start: netip.MustParseAddr("10.8.4.20"), End: netip.MustParseAddr("10.8.4.250"),
		State: "Active", LeaseSeconds: 691200, Router: netip.MustParseAddr("10.8.4.1"), Failover: "east-pair",
	}
	if diff := cmp.Diff(wantScope, s.Scopes[0], plain); diff != "" {
		t.Errorf("scope (-want +have):\n%s", diff)
	}
	wantLease := windhcp.Lease{
		Addr: netip.MustParseAddr("10.8.6.10"), ClientID: "02-00-5e-10-00-01", Hostname: "Anna's phone",
		Expires: time.Date(2026, 6, 23, 16, 0, 0, 0, time.UTC), State: "Active",
	}
	if diff := cmp.Diff([]windhcp.Lease{wantLease}, s.Leases[guest], plain); diff != "" {
		t.Errorf("leases (-want +have):\n%s", diff)
	}
	wantReservation := windhcp.Reservation{
		Addr: netip.MustParseAddr("10.8.4.60"), ClientID: "3c-52-82-0a-1b-60", Name: "mfp-2", Description: "printer's room", Type: "Both",
	}
	if diff := cmp.Diff(wantReservation, s.Reservations[office][0], plain); diff != "" {
		t.Errorf("reservation (-want +have):\n%s", diff)
	}
	if have := s.Leases[office][0]; have.State != "ActiveReservation" || !have.Expires.IsZero() {
		t.Errorf("lease of a reservation: %+v", have)
	}
	if diff := cmp.Diff([]windhcp.Exclusion{span("10.8.4.20", "10.8.4.29"), span("10.8.4.240", "10.8.4.250")}, s.Exclusions[office], plain); diff != "" {
		t.Errorf("exclusions (-want +have):\n%s", diff)
	}
	wantOptions := []windhcp.Option{
		{Code: 3, Name: "Router", Values: []string{"10.8.4.1", "10.8.4.2"}, Type: "IPv4Address"},
		{Code: 51, Name: "Lease", Values: []string{"691200"}, Type: "DWord"},
		{Code: 6, Name: "DNS Servers", Values: []string{"10.1.1.1", "10.1.1.2"}, Type: "IPv4Address"},
		{Code: 15, Name: "DNS Domain Name", Values: []string{"corp.example"}, Type: "String"},
		{Code: 1, Name: "Microsoft Disable Netbios Option", Values: []string{"2"}, Type: "DWord", VendorClass: "Microsoft Windows 2000 Options"},
	}
	if diff := cmp.Diff(wantOptions, s.Options[office], plain); diff != "" {
		t.Errorf("options (-want +have):\n%s", diff)
	}
	switchover := int64(3600)
	wantFailover := []windhcp.Failover{{
		Name: "east-pair", Primary: "dh1.corp.example", Secondary: "dh2.corp.example", Mode: "HotStandby",
		Scopes: []netip.Addr{office}, MaxClientLeadTime: 3600, StateSwitchover: &switchover, Auth: true,
	}}
	if diff := cmp.Diff(wantFailover, s.Failovers, plain); diff != "" {
		t.Errorf("failover (-want +have):\n%s", diff)
	}
}

// rule 1.4 quirk 1.
func TestEveryShapeOfListSaysTheSame(t *testing.T) {
	want := readAll(t, client(t, example(t, withFailover)))
	for name, shape := range map[string]psutest.Shape{
		"bare object":     {Bare: true},
		"value and Count": {Counted: true},
		"PascalCase":      {Pascal: true},
		"byte order mark": {BOM: true},
		"all of them":     {Bare: true, Pascal: true, BOM: true},
		"counted Pascal":  {Counted: true, Pascal: true, BOM: true},
	} {
		srv := example(t, withFailover, func(c *psutest.Config) { c.Shape = shape })
		if diff := cmp.Diff(want, readAll(t, client(t, srv)), plain); diff != "" {
			t.Errorf("%s (-plain +shaped):\n%s", name, diff)
		}
	}
}

// rules 1.4 quirk 2 and 1.5: what is no list is an error and never an
// empty list.
func TestAnAnswerThatIsNoListIsAnError(t *testing.T) {
	for kind, want := range map[psutest.FaultKind]endpoint.Kind{
		psutest.Blank200:     endpoint.Blank,
		psutest.Null200:      endpoint.Blank,
		psutest.HTML200:      endpoint.NotInstalled,
		psutest.Text200:      endpoint.NotInstalled,
		psutest.OtherObject:  endpoint.Garbled,
		psutest.Unauthorized: endpoint.BadToken,
		psutest.Forbidden:    endpoint.Forbidden,
		psutest.HTML500:      endpoint.ServerError,
		psutest.Error500:     endpoint.ServerError,
		psutest.BadGateway:   endpoint.ServerError,
		psutest.Unavailable:  endpoint.ServerError,
		psutest.Timeout504:   endpoint.ServerError,
		psutest.Redirect:     endpoint.Redirected,
		psutest.Drop:         endpoint.Unreachable,
		psutest.Truncated:    endpoint.Unreachable,
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind})
		c := client(t, srv)
		for name, err := range map[string]error{
			"scopes": c.Scopes(t.Context(), false).Err, "active scopes": c.Scopes(t.Context(), true).Err,
			"leases": c.Leases(t.Context(), office).Err, "reservations": c.Reservations(t.Context(), office).Err,
			"exclusions": c.Exclusions(t.Context(), office).Err, "options": c.ScopeOptions(t.Context(), office).Err,
			"server options": c.ServerOptions(t.Context()).Err, "failover": c.Failovers(t.Context()).Err,
			"all leases":       c.AllLeases(t.Context(), []netip.Addr{office}).Of(office).Err,
			"all reservations": c.AllReservations(t.Context(), []netip.Addr{office}).Of(office).Err,
		} {
			if have := endpoint.KindOf(err); have != want {
				t.Errorf("fault %d, %s: %v (kind %q), want kind %q", kind, name, err, have, want)
			}
		}
	}
}

// rule 1.4 quirk 6.
func TestOneBadScopeIsExplained(t *testing.T) {
	srv := example(t)
	srv.Edit(func(w *psutest.World) { w.Scope("10.8.6.0").Unreadable = true })
	list := client(t, srv).Scopes(t.Context(), false)
	e := wantKind(t, list.Err, endpoint.ServerError)
	if !strings.Contains(e.Error(), "unlimited lease") || !strings.Contains(e.Error(), "Int32") {
		t.Errorf("the error does not explain itself: %v", e)
	}
}

// rule 1.4 quirk 9.
func TestAnOptionWithoutValueIsExplained(t *testing.T) {
	srv := example(t)
	srv.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Options[0].Null = true })
	list := client(t, srv).ScopeOptions(t.Context(), office)
	if e := wantKind(t, list.Err, endpoint.ServerError); !strings.Contains(e.Fix(), "option without a value") {
		t.Errorf("the error does not explain itself: %v", e)
	}
}

// rule 3.7 guard b: the rest of the list is still there.
func TestAMalformedEntryIsToldAndSpoilsOnlyItself(t *testing.T) {
	for kind, said := range map[psutest.FaultKind]string{
		psutest.MalformedEntry: "entry 14: no ip_address", psutest.StrayEntry: "entry 14: no ip_address", psutest.NoObject: "entry 14: no object",
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind, Scope: "10.8.4.0", Path: "leases"})
		list := client(t, srv).Leases(t.Context(), office)
		if list.Err != nil || len(list.Items) != 13 || len(list.Malformed) != 1 || !strings.Contains(list.Malformed[0], said) {
			t.Errorf("fault %d: %v, %d leases, malformed %q", kind, list.Err, len(list.Items), list.Malformed)
		}
		if list.Complete() {
			t.Errorf("fault %d: the list is called complete", kind)
		}
	}
}

func TestAnEntryOfAnotherScopeIsMalformed(t *testing.T) {
	srv := example(t)
	srv.Fail(psutest.Fault{Kind: psutest.OtherScope, Path: "leases"})
	list := client(t, srv).Leases(t.Context(), guest)
	if len(list.Items) != 0 || len(list.Malformed) != 1 || !strings.Contains(list.Malformed[0], "belongs to scope 192.0.2.0") {
		t.Errorf("%v, malformed %q", list.Items, list.Malformed)
	}
}

// rule 3.2: scripts before 1.0.2 ignore the parameter.
func TestOnlyActiveScopesAreListedByEveryVersionOfTheScript(t *testing.T) {
	for _, script := range []string{"1.0.2", "1.0.1", psutest.NoVersion} {
		srv := example(t, func(c *psutest.Config) { c.Script = script })
		var names []string
		for _, s := range complete(t, client(t, srv).Scopes(t.Context(), true)) {
			names = append(names, s.Name)
		}
		if !slices.Equal(names, []string{"Office", "Guest"}) {
			t.Errorf("script %s: %q", script, names)
		}
		if have := srv.Requests()[0].Query.Get("active_only"); have != "true" {
			t.Errorf("script %s: active_only=%q was asked", script, have)
		}
	}
}

// rules 1.5 and 1.6: an old script cannot tell, but works.
func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		config  psutest.Config
		fault   psutest.FaultKind
		version string
		kind    endpoint.Kind
	}{
		"the script tells its version":       {config: psutest.Config{}, fault: -1, version: "1.0.2"},
		"an old script, unknown path is 401": {config: psutest.Config{Script: psutest.NoVersion}, fault: -1},
		"an old script, unknown path is 404": {config: psutest.Config{Script: psutest.NoVersion, UnknownPath: 404}, fault: -1},
		"a bad token":                        {fault: psutest.Unauthorized, kind: endpoint.BadToken},
		"no script":                          {fault: psutest.HTML200, kind: endpoint.NotInstalled},
		"no role":                            {fault: psutest.Forbidden, kind: endpoint.Forbidden},
		"no server":                          {fault: psutest.Drop, kind: endpoint.Unreachable},
	} {
		srv := psutest.New(t, c.config)
		if c.fault >= 0 {
			srv.Fail(psutest.Fault{Kind: c.fault})
		}
		health, err := client(t, srv).Health(t.Context())
		if endpoint.KindOf(err) != c.kind || (err != nil) != (c.kind != "") || health.Version != c.version {
			t.Errorf("%s: %+v, %v; want version %q, kind %q", name, health, err, c.version, c.kind)
		}
	}
}

// rule 1.2, POST health.
func TestTheRightToWriteIsCheckedWithoutWriting(t *testing.T) {
	srv := example(t)
	if err := client(t, srv).CheckWriter(t.Context()); err != nil {
		t.Error(err)
	}
	reader := client(t, srv, func(c *config) { c.Token = func() (string, error) { return srv.Reader(), nil } })
	wantKind(t, reader.CheckWriter(t.Context()), endpoint.Forbidden)
	noRole := client(t, srv, func(c *config) { c.Token = func() (string, error) { return srv.NoRole(), nil } })
	wantKind(t, noRole.CheckWriter(t.Context()), endpoint.BadToken)
}
