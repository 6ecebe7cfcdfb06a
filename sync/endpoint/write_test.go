package endpoint_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

func span(start, end string) windhcp.Exclusion {
	return windhcp.Exclusion{Start: netip.MustParseAddr(start), End: netip.MustParseAddr(end)}
}

func newScope() windhcp.Scope {
	return windhcp.Scope{
		Subnet: netip.MustParsePrefix("10.8.7.0/25"), Name: "Guest 2", Start: netip.MustParseAddr("10.8.7.10"), End: netip.MustParseAddr("10.8.7.99"),
		Router: netip.MustParseAddr("10.8.7.1"), LeaseSeconds: 28800, Description: "Guest Wi-Fi",
	}
}

func newReservation() windhcp.Reservation {
	return windhcp.Reservation{Addr: netip.MustParseAddr("10.8.4.62"), ClientID: "3c-52-82-0a-1b-62", Name: "cam-2"}
}

// of is a reservation of a client in the office.
func of(client windhcp.ClientID) windhcp.Reservation {
	return windhcp.Reservation{Addr: netip.MustParseAddr("10.8.4.60"), ClientID: client}
}

func ptr[T any](v T) *T { return &v }

// rules 1.2 and 1.3: what goes over the wire.
func TestWritesSendTheContractsBodies(t *testing.T) {
	for name, c := range map[string]struct {
		do                 func(*testing.T, *endpoint.Client) error
		method, path, body string
	}{
		"create scope": {
			do:     func(t *testing.T, c *endpoint.Client) error { return c.CreateScope(t.Context(), newScope()) },
			method: "POST", path: "scopes",
			body: `{"description":"Guest Wi-Fi","end_ip":"10.8.7.99","lease_duration_seconds":28800,"name":"Guest 2","router":"10.8.7.1","scope_id":"10.8.7.0","start_ip":"10.8.7.10","subnet_mask":"255.255.255.128"}`,
		},
		"create scope without what is not known": {
			do: func(t *testing.T, c *endpoint.Client) error {
				s := newScope()
				s.Router, s.LeaseSeconds, s.Description = netip.Addr{}, 0, ""
				return c.CreateScope(t.Context(), s)
			},
			method: "POST", path: "scopes",
			body: `{"end_ip":"10.8.7.99","name":"Guest 2","scope_id":"10.8.7.0","start_ip":"10.8.7.10","subnet_mask":"255.255.255.128"}`,
		},
		"update one key": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.UpdateScope(t.Context(), office, endpoint.ScopeChange{LeaseSeconds: ptr(int64(3600))})
			},
			method: "PUT", path: "scopes/10.8.4.0", body: `{"lease_duration_seconds":3600}`,
		},
		"remove router, blank description": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.UpdateScope(t.Context(), office, endpoint.ScopeChange{Router: &netip.Addr{}, Description: ptr("")})
			},
			method: "PUT", path: "scopes/10.8.4.0", body: `{"description":"","router":""}`,
		},
		"update range": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.UpdateScope(t.Context(), office, endpoint.ScopeChange{Start: ptr(netip.MustParseAddr("10.8.4.30")), End: ptr(netip.MustParseAddr("10.8.4.200"))})
			},
			method: "PUT", path: "scopes/10.8.4.0", body: `{"end_ip":"10.8.4.200","start_ip":"10.8.4.30"}`,
		},
		"create reservation": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.CreateReservation(t.Context(), office, newReservation())
			},
			method: "POST", path: "reservations",
			body: `{"client_id":"3c-52-82-0a-1b-62","description":"","ip_address":"10.8.4.62","name":"cam-2","scope_id":"10.8.4.0","type":"Dhcp"}`,
		},
		"update reservation": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.UpdateReservation(t.Context(), office, of("3c-52-82-0a-1b-60"), endpoint.ReservationChange{Name: ptr("mfp-3")})
			},
			method: "PUT", path: "reservations/3c-52-82-0a-1b-60", body: `{"name":"mfp-3"}`,
		},
		"delete reservation": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60"))
			},
			method: "DELETE", path: "reservations/3c-52-82-0a-1b-60",
		},
		"create exclusion": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.CreateExclusion(t.Context(), office, span("10.8.4.50", "10.8.4.59"))
			},
			method: "POST", path: "exclusions", body: `{"end_ip":"10.8.4.59","scope_id":"10.8.4.0","start_ip":"10.8.4.50"}`,
		},
		"delete exclusion": {
			do: func(t *testing.T, c *endpoint.Client) error {
				return c.DeleteExclusion(t.Context(), office, span("10.8.4.20", "10.8.4.29"))
			},
			method: "DELETE", path: "exclusions", body: `{"end_ip":"10.8.4.29","scope_id":"10.8.4.0","start_ip":"10.8.4.20"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := example(t)
			if err := c.do(t, client(t, srv)); err != nil {
				t.Fatal(err)
			}
			writes := srv.Writes()
			if len(writes) != 1 {
				t.Fatalf("%d writes, want 1", len(writes))
			}
			have := []string{writes[0].Method, strings.TrimPrefix(writes[0].Path, "/api/dhcp/"), strings.TrimSpace(writes[0].Body)}
			if diff := cmp.Diff([]string{c.method, c.path, c.body}, have); diff != "" {
				t.Errorf("request (-want +have):\n%s", diff)
			}
		})
	}
}

// rules 1.4 quirk 7 and 3.9: what the server would mangle is not sent.
func TestNothingImpossibleIsSent(t *testing.T) {
	srv := example(t)
	c, ctx := client(t, srv), t.Context()
	scope := func(change func(*windhcp.Scope)) windhcp.Scope {
		s := newScope()
		change(&s)
		return s
	}
	reservation := func(change func(*windhcp.Reservation)) windhcp.Reservation {
		r := newReservation()
		change(&r)
		return r
	}
	six := netip.MustParseAddr("2001:db8::1")
	for name, err := range map[string]error{
		"no subnet":             c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Subnet = netip.Prefix{} })),
		"host bits":             c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Subnet = netip.MustParsePrefix("10.8.7.1/25") })),
		"IPv6 scope":            c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Subnet = netip.MustParsePrefix("2001:db8::/64") })),
		"start outside":         c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Start = office })),
		"no end":                c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.End = netip.Addr{} })),
		"end before start":      c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Start, s.End = s.End, s.Start })),
		"IPv6 router":           c.CreateScope(ctx, scope(func(s *windhcp.Scope) { s.Router = six })),
		"no change":             c.UpdateScope(ctx, office, endpoint.ScopeChange{}),
		"change of nothing":     c.UpdateScope(ctx, netip.Addr{}, endpoint.ScopeChange{Name: ptr("x")}),
		"start without address": c.UpdateScope(ctx, office, endpoint.ScopeChange{Start: &netip.Addr{}}),
		"range upside down":     c.UpdateScope(ctx, office, endpoint.ScopeChange{Start: ptr(netip.MustParseAddr("10.8.4.9")), End: ptr(netip.MustParseAddr("10.8.4.8"))}),
		"no lease time":         c.UpdateScope(ctx, office, endpoint.ScopeChange{LeaseSeconds: ptr(int64(0))}),
		"router is IPv6":        c.UpdateScope(ctx, office, endpoint.ScopeChange{Router: &six}),
		"no scope":              c.CreateReservation(ctx, netip.Addr{}, newReservation()),
		"no address":            c.CreateReservation(ctx, office, reservation(func(r *windhcp.Reservation) { r.Addr = netip.Addr{} })),
		"no client id":          c.CreateReservation(ctx, office, reservation(func(r *windhcp.Reservation) { r.ClientID = "" })),
		"odd client id":         c.CreateReservation(ctx, office, reservation(func(r *windhcp.Reservation) { r.ClientID = "3c-5" })),
		"text as client id":     c.CreateReservation(ctx, office, reservation(func(r *windhcp.Reservation) { r.ClientID = "printer" })),
		"unknown type":          c.CreateReservation(ctx, office, reservation(func(r *windhcp.Reservation) { r.Type = "dhcp" })),
		"upper-case client id":  c.UpdateReservation(ctx, office, of("3C-52"), endpoint.ReservationChange{Name: ptr("x")}),
		"client id is a path":   c.DeleteReservation(ctx, office, of("../scopes")),
		"no reservation change": c.UpdateReservation(ctx, office, of("3c-52"), endpoint.ReservationChange{}),
		"type of another world": c.UpdateReservation(ctx, office, of("3c-52"), endpoint.ReservationChange{Type: ptr("")}),
		"exclusion upside down": c.CreateExclusion(ctx, office, span("10.8.4.9", "10.8.4.8")),
		"exclusion of IPv6":     c.CreateExclusion(ctx, office, windhcp.Exclusion{Start: six, End: six}),
		"exclusion of nothing":  c.DeleteExclusion(ctx, office, windhcp.Exclusion{}),
	} {
		if have := endpoint.KindOf(err); have != endpoint.Invalid {
			t.Errorf("%s: %v (kind %q), want kind %q", name, err, have, endpoint.Invalid)
		}
	}
	if n := srv.Connections(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// rules 1.2, 1.4 quirk 7 and 1.4 quirk 8: the codes mean less than they say.
func TestRefusedWritesAreRejected(t *testing.T) {
	srv := example(t)
	c, ctx := client(t, srv), t.Context()
	for name, w := range map[string]struct {
		err    error
		status int
		said   string
	}{
		"existing scope": {c.CreateScope(ctx, windhcp.Scope{
			Subnet: netip.MustParsePrefix("10.8.4.0/24"), Start: netip.MustParseAddr("10.8.4.1"), End: netip.MustParseAddr("10.8.4.2"),
		}), 500, "already exists"},
		"range outside":      {c.UpdateScope(ctx, office, endpoint.ScopeChange{Start: ptr(guest)}), 404, "the scope may exist all the same"},
		"unknown scope":      {c.UpdateScope(ctx, netip.MustParseAddr("10.1.0.0"), endpoint.ScopeChange{Name: ptr("x")}), 404, "Scope not found"},
		"address taken":      {c.CreateReservation(ctx, office, windhcp.Reservation{Addr: netip.MustParseAddr("10.8.4.60"), ClientID: "00-01"}), 500, "already reserved"},
		"unknown client":     {c.DeleteReservation(ctx, office, of("00-00")), 404, "Reservation not found"},
		"overlap":            {c.CreateExclusion(ctx, office, span("10.8.4.25", "10.8.4.35")), 500, "overlaps"},
		"unknown exclusion":  {c.DeleteExclusion(ctx, office, span("10.8.4.20", "10.8.4.28")), 500, "not found"},
		"unsupported client": {c.UpdateReservation(ctx, office, of("00-00"), endpoint.ReservationChange{Name: ptr("x")}), 404, "Reservation not found"},
	} {
		e := wantKind(t, w.err, endpoint.Rejected)
		if e.Status != w.status || !strings.Contains(e.Error(), w.said) {
			t.Errorf("%s: %v, want status %d and %q", name, e, w.status, w.said)
		}
	}
}

// impatient waits for the server only as long as a request surely takes to
// arrive, where the server is not going to answer.
func impatient(kind psutest.FaultKind) func(*config) {
	return func(c *config) {
		if kind == psutest.Slow {
			c.Timeout = 2 * time.Second
		}
	}
}

// rules 1.1 and 5.2: a write is sent once, and the caller is told
// whether it may have been carried out.
func TestWritesAreNeverRepeated(t *testing.T) {
	t.Parallel()
	for kind, w := range map[psutest.FaultKind]struct {
		kind   endpoint.Kind
		unsure bool
	}{
		psutest.Drop:            {endpoint.Unreachable, true},
		psutest.DropAfter:       {endpoint.Unreachable, true},
		psutest.BadGateway:      {endpoint.ServerError, true},
		psutest.Unavailable:     {endpoint.ServerError, true},
		psutest.Timeout504After: {endpoint.ServerError, true},
		psutest.Blank200After:   {endpoint.Blank, true},
		psutest.HTML200:         {endpoint.NotInstalled, true},
		psutest.Error500:        {endpoint.Rejected, true},
		psutest.Slow:            {endpoint.TimedOut, true},
		psutest.Unauthorized:    {endpoint.BadToken, false},
		psutest.Forbidden:       {endpoint.Forbidden, false},
		psutest.Redirect:        {endpoint.Redirected, false},
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind, Until: make(chan struct{})})
		c := client(t, srv, impatient(kind))
		e := wantKind(t, c.CreateReservation(t.Context(), office, newReservation()), w.kind)
		if e.Unsure() != w.unsure {
			t.Errorf("fault %d: unsure %v, want %v (%v)", kind, e.Unsure(), w.unsure, e)
		}
		if n := len(srv.Writes()); n != 1 {
			t.Errorf("fault %d: sent %d times", kind, n)
		}
	}
}

func TestAWriteThatFoundNoServerWasNotCarriedOut(t *testing.T) {
	srv := example(t)
	c := client(t, srv)
	srv.Close()
	e := wantKind(t, c.DeleteReservation(t.Context(), office, of("00-00")), endpoint.Unreachable)
	if e.Unsure() || !strings.Contains(e.Fix(), "PowerShellUniversal") {
		t.Errorf("unsure %v, %v", e.Unsure(), e)
	}
}

// rule 1.1: two retries for what may heal, none for the rest.
func TestReadsAreRepeatedWhereItMayHelp(t *testing.T) {
	t.Parallel()
	for kind, tries := range map[psutest.FaultKind]int{
		psutest.BadGateway: 3, psutest.Unavailable: 3, psutest.Timeout504: 3, psutest.Drop: 3,
		psutest.Error500: 1, psutest.Unauthorized: 1, psutest.Blank200: 1, psutest.Redirect: 1, psutest.Slow: 1,
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: kind, Until: make(chan struct{})})
		c := client(t, srv, impatient(kind))
		if c.Scopes(t.Context(), false).Err == nil {
			t.Errorf("fault %d: no error", kind)
		}
		if n := len(srv.Requests()); n != tries {
			t.Errorf("fault %d: asked %d times, want %d", kind, n, tries)
		}
		srv.ClearFaults()
		srv.Fail(psutest.Fault{Kind: kind, Until: make(chan struct{}), Times: tries - 1})
		if tries > 1 {
			complete(t, c.Scopes(t.Context(), false))
		}
	}
}

// rule 1.4 quirk 10.
func TestErrorsQuoteLittleAndCleanly(t *testing.T) {
	srv := example(t)
	srv.Fail(psutest.Fault{Kind: psutest.Text200})
	e := wantKind(t, client(t, srv).Scopes(t.Context(), false).Err, endpoint.NotInstalled)
	if n := len([]rune(e.Message)); n > 303 || strings.ContainsAny(e.Message, "\x1b\n\r") || !strings.Contains(e.Message, "WARNING: no module") {
		t.Errorf("quoted %d characters: %q", n, e.Message)
	}
}
