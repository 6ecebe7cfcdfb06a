package endpoint_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var office, guest = netip.MustParseAddr("10.8.4.0"), netip.MustParseAddr("10.8.6.0")

func quiet() logrus.FieldLogger {
	log, _ := logtest.NewNullLogger()
	return log
}

// example starts a stand-in with the example world.
func example(t *testing.T, change ...func(*psutest.Config)) *psutest.Server {
	t.Helper()
	c := psutest.Config{World: psutest.Example("dh1.corp.example")}
	for _, f := range change {
		f(&c)
	}
	return psutest.New(t, c)
}

type (
	door   = psu.Config
	asking = endpoint.Config
	// config is that of a client and of its door.
	config struct {
		door
		asking
	}
)

// client connects to a stand-in with the token for writing.
func client(t *testing.T, srv *psutest.Server, change ...func(*config)) *endpoint.Client {
	t.Helper()
	c := config{
		door{
			Host: srv.Host(), Port: srv.Port(), HTTPS: strings.HasPrefix(srv.URL(), "https:"), Verify: true,
			Token: func() (string, error) { return srv.Writer() + "\r\n", nil },
		},
		asking{RetryPause: time.Millisecond},
	}
	for _, f := range change {
		f(&c)
	}
	return open(t, c, quiet())
}

// open makes a client and closes it with the test.
func open(t *testing.T, c config, log logrus.FieldLogger) *endpoint.Client {
	t.Helper()
	d, err := psu.New(c.door)
	if err != nil {
		t.Fatal(err)
	}
	out, err := endpoint.New(d, c.asking, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out
}

func wantKind(t *testing.T, err error, want endpoint.Kind) *endpoint.Error {
	t.Helper()
	if endpoint.KindOf(err) != want {
		t.Fatalf("got %v (kind %q), want kind %q", err, endpoint.KindOf(err), want)
	}
	e, _ := errors.AsType[*endpoint.Error](err)
	return e
}

// rule 1.1.
func TestRequestsCarryTheTokenAndTheHeaders(t *testing.T) {
	srv := example(t)
	c := client(t, srv)
	if list := c.Scopes(t.Context(), false); list.Err != nil {
		t.Fatal(list.Err)
	}
	if err := c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-61")); err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.Requests() {
		for key, want := range map[string]string{
			"Authorization": "Bearer " + srv.Writer(), "Accept": "application/json", "Content-Type": "application/json",
		} {
			if have := r.Header.Get(key); have != want {
				t.Errorf("%s %s: header %s is %q, want %q", r.Method, r.Path, key, have, want)
			}
		}
		if !strings.HasPrefix(r.Path, "/api/dhcp/") {
			t.Errorf("path %s is not below /api/dhcp/", r.Path)
		}
	}
	if want := "http://" + srv.Host(); !strings.HasPrefix(c.URL(), want) {
		t.Errorf("URL %s does not begin with %s", c.URL(), want)
	}
}

// rule 1.1: the header is left out, not sent empty.
func TestWithoutTokenNoHeaderIsSent(t *testing.T) {
	srv := example(t)
	c := client(t, srv, func(c *config) { c.Token = nil })
	wantKind(t, c.Scopes(t.Context(), false).Err, endpoint.BadToken)
	if values, ok := srv.Requests()[0].Header["Authorization"]; ok {
		t.Errorf("Authorization %q was sent", values)
	}
}

func TestATokenThatCannotBeSentSendsNothing(t *testing.T) {
	srv := example(t)
	for _, token := range []string{"", " \n", "two words", "new\nline"} {
		c := client(t, srv, func(c *config) { c.Token = func() (string, error) { return token, nil } })
		err := wantKind(t, c.Scopes(t.Context(), false).Err, endpoint.BadToken)
		if strings.TrimSpace(token) != "" && strings.Contains(err.Error(), token) {
			t.Errorf("the error tells the token: %v", err)
		}
	}
	if n := srv.Connections(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// rules 7 and 1.4 quirk 10: the token is in no error, even if
// the server repeats it.
func TestTheTokenIsInNoErrorAndNoLog(t *testing.T) {
	const token = "secret-token-of-the-test"
	for _, fault := range []psutest.FaultKind{
		psutest.Unauthorized, psutest.HTML500, psutest.Error500, psutest.BadGateway, psutest.Drop, psutest.Redirect,
		psutest.HTML200, psutest.Text200, psutest.EchoToken, psutest.EchoToken500,
	} {
		srv := example(t)
		srv.Fail(psutest.Fault{Kind: fault})
		log, hook := logtest.NewNullLogger()
		log.SetLevel(logrus.DebugLevel)
		c := open(t, config{door{Host: srv.Host(), Port: srv.Port(), Token: func() (string, error) { return token, nil }}, asking{RetryPause: time.Millisecond}}, log)
		for _, err := range []error{c.Scopes(t.Context(), false).Err, c.AllLeases(t.Context(), nil).Err(), c.DeleteReservation(t.Context(), office, of("00"))} {
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("fault %d: %v", fault, err)
			}
		}
		for _, entry := range hook.AllEntries() {
			if line, err := entry.String(); err != nil || strings.Contains(line, token) {
				t.Errorf("fault %d: logged %q, %v", fault, line, err)
			}
		}
	}
}

// rules 5 and 9 row 28: with both push modes off
// nothing but GET leaves, POST health included.
func TestAReadOnlyClientWritesNothing(t *testing.T) {
	srv := example(t)
	c := client(t, srv, func(c *config) { c.ReadOnly = true })
	for name, err := range allWrites(t.Context(), c) {
		e := wantKind(t, err, endpoint.ReadOnly)
		if e.Unsure() {
			t.Errorf("%s: said to be carried out perhaps", name)
		}
	}
	if n := srv.Connections(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if err := c.Scopes(t.Context(), false).Err; err != nil {
		t.Errorf("reading is refused: %v", err)
	}
}

// allWrites tries every call that writes.
func allWrites(ctx context.Context, c *endpoint.Client) map[string]error {
	name := "new"
	return map[string]error{
		"CheckWriter":       c.CheckWriter(ctx),
		"CreateScope":       c.CreateScope(ctx, newScope()),
		"UpdateScope":       c.UpdateScope(ctx, office, endpoint.ScopeChange{Name: &name}),
		"CreateReservation": c.CreateReservation(ctx, office, newReservation()),
		"UpdateReservation": c.UpdateReservation(ctx, office, of("3c-52-82-0a-1b-60"), endpoint.ReservationChange{Name: &name}),
		"DeleteReservation": c.DeleteReservation(ctx, office, of("3c-52-82-0a-1b-60")),
		"CreateExclusion":   c.CreateExclusion(ctx, office, span("10.8.4.50", "10.8.4.59")),
		"DeleteExclusion":   c.DeleteExclusion(ctx, office, span("10.8.4.20", "10.8.4.29")),
	}
}

// rule 1.1, Concurrency.
func TestNoMoreRequestsAreInFlightThanAllowed(t *testing.T) {
	srv := example(t)
	let := make(chan struct{})
	srv.Fail(psutest.Fault{Kind: psutest.Slow, Until: let})
	c := client(t, srv, func(c *config) { c.Parallel = 2 })
	done := make(chan error)
	for range 6 {
		go func() { done <- c.Scopes(t.Context(), false).Err }()
	}
	srv.AwaitRequests(2)
	if err := c.Scopes(canceled(t), false).Err; endpoint.KindOf(err) != endpoint.Canceled {
		t.Errorf("a request without a slot got %v", err)
	}
	if n := len(srv.Requests()); n != 2 {
		t.Errorf("%d requests in flight, want 2", n)
	}
	close(let)
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestEveryAttemptIsObservedUnderItsClass(t *testing.T) {
	srv := example(t)
	srv.Fail(psutest.Fault{Kind: psutest.BadGateway, Path: "scopes", Times: 1})
	var seen []endpoint.Attempt
	c := client(t, srv, func(c *config) { c.Observe = func(a endpoint.Attempt) { seen = append(seen, a) } })
	_ = c.Scopes(t.Context(), false)
	_ = c.ScopeOptions(t.Context(), office)
	_ = c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60"))
	want := []endpoint.Attempt{
		{Method: "GET", Path: "scopes", Status: 502},
		{Method: "GET", Path: "scopes", Status: 200},
		{Method: "GET", Path: "options/scope/:scope_id", Status: 200},
		{Method: "DELETE", Path: "reservations/:client_id", Status: 204},
	}
	if len(seen) != len(want) {
		t.Fatalf("observed %v, want %v", seen, want)
	}
	for i := range want {
		took := seen[i].Took
		seen[i].Took = 0
		if seen[i] != want[i] || took <= 0 {
			t.Errorf("attempt %d: %+v in %s, want %+v", i, seen[i], took, want[i])
		}
	}
}

// Rule 3.7 guard g: the server's own clock, as of its last answer.
func TestTheClientKnowsTheServersClock(t *testing.T) {
	told := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	dates := []string{told.Format(http.TimeFormat), "yesterday", ""}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		if dates[0] != "" {
			w.Header().Set("Date", dates[0])
		}
		dates = dates[1:]
		_, _ = w.Write([]byte("[]"))
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, config{door: door{Host: host, Port: number}}, quiet())
	if !c.Date().IsZero() {
		t.Error("a time before the first answer")
	}
	for i, want := range []time.Time{told, {}, {}} {
		if list := c.Scopes(t.Context(), false); list.Err != nil {
			t.Fatal(list.Err)
		}
		if !c.Date().Equal(want) {
			t.Errorf("answer %d: %s, want %s", i, c.Date(), want)
		}
	}
}
