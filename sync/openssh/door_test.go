package openssh_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// rule 13.1: one connection and one PowerShell, however much is asked one by one.
func TestARunTakesOneSession(t *testing.T) {
	l := newLab(t)
	c := l.client()
	health, err := c.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (endpoint.Health{Version: endpoint.ScriptVersion, Script: endpoint.ScriptName, Computer: "DH1", Rights: endpoint.RightsWrite, Calls: []string{"options"}}); !cmp.Equal(health, want) {
		t.Error(cmp.Diff(want, health))
	}
	for range 20 {
		if list := c.Scopes(t.Context(), false); !list.Complete() || len(list.Items) == 0 {
			t.Fatalf("%+v", list)
		}
	}
	if err := c.CreateReservation(t.Context(), office, windhcp.Reservation{Addr: netip.MustParseAddr("10.9.9.9"), ClientID: "aa-bb-cc-dd-ee-01", Name: "Büro €"}); err == nil {
		t.Error("an address outside the subnet was reserved")
	}
	if l.ssh.Connections() != 2 || l.ssh.Sessions() != 1 { // the first fetched the key
		t.Errorf("%d connections, %d sessions", l.ssh.Connections(), l.ssh.Sessions())
	}
	if date := c.Date(); time.Since(date).Abs() > time.Minute {
		t.Errorf("the server's clock says %s", date)
	}
	c.Close()
	l.ssh.AwaitIdle()
	if _, err := c.Health(t.Context()); err != nil || l.ssh.Sessions() != 2 {
		t.Errorf("after Close: %v, %d sessions", err, l.ssh.Sessions())
	}
	if got := c.URL(); !strings.HasPrefix(got, "ssh://netbox-dhcp@127.0.0.1:") {
		t.Errorf("URL %s", got)
	}
	if len(l.ssh.Strange()) > 0 || l.ssh.Passwords() > 0 {
		t.Errorf("asked for %q, %d passwords", l.ssh.Strange(), l.ssh.Passwords())
	}
}

// rule 13.1: as many sessions as requests at once, and as many as the server opens.
func TestSessionsAreAsManyAsAreUsedAndAllowed(t *testing.T) {
	for _, c := range []struct{ parallel, allowed, want int }{{2, 10, 2}, {4, 2, 2}, {4, 1, 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			l := newLab(t, func(s *sshtest.Config) { s.MaxSessions = c.allowed })
			client := l.through(l.config(), endpoint.Config{Parallel: c.parallel}, quiet())
			if _, err := client.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			release := make(chan struct{})
			l.windows.Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Until: release, Times: c.want})
			l.windows.ForgetRequests()
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if list := client.Leases(t.Context(), office); !list.Complete() {
						t.Errorf("%+v", list)
					}
				})
			}
			l.windows.AwaitRequests(c.want)
			close(release)
			group.Wait()
			if n := l.ssh.Sessions(); n != c.want {
				t.Errorf("%d sessions, want %d", n, c.want)
			}
		})
	}
}

// rule 13.2: a session that ended while nothing was asked is opened again, for writes too.
func TestASessionThatEndedBetweenRequestsIsOpenedAgain(t *testing.T) {
	l := newLab(t)
	door, err := openssh.New(l.config(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	c, err := endpoint.New(door, endpoint.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.ssh.Cut()
	door.AwaitEnd()
	name := "mfp-3"
	if err := c.UpdateReservation(t.Context(), office, reserved(), endpoint.ReservationChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if n := len(l.windows.Writes()); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func reserved() windhcp.Reservation {
	return windhcp.Reservation{Addr: netip.MustParseAddr("10.8.4.60"), ClientID: "3c-52-82-0a-1b-60"}
}

// rule 13.2: what happens to a read and to a write at each fault of a session.
func TestFaultsOfASession(t *testing.T) {
	huge := strings.Repeat("WARNING\n", 10_000)
	for name, c := range map[string]struct {
		fault       sshtest.Fault
		read, write endpoint.Kind // "": it works
		reads       int           // that arrived at Windows, with the fault once
		carried     int           // writes that Windows carried out
		unsure      bool          // about the write
	}{
		"cut before it is carried out":     {sshtest.Fault{Kind: sshtest.CutBefore}, "", endpoint.Unreachable, 1, 0, true},
		"cut after it was carried out":     {sshtest.Fault{Kind: sshtest.CutAfter}, "", endpoint.Unreachable, 2, 1, true},
		"cut in the middle of the reply":   {sshtest.Fault{Kind: sshtest.CutReply}, "", endpoint.Unreachable, 2, 1, true},
		"the connection cut":               {sshtest.Fault{Kind: sshtest.CutAfter, Connection: true}, "", endpoint.Unreachable, 2, 1, true},
		"another id":                       {sshtest.Fault{Kind: sshtest.WrongID}, endpoint.Garbled, endpoint.Garbled, 1, 1, true},
		"a little noise before the reply":  {sshtest.Fault{Kind: sshtest.Noise}, "", "", 1, 1, false},
		"noise in the line of the reply":   {sshtest.Fault{Kind: sshtest.Noise, Text: "Loading..."}, "", "", 1, 1, false},
		"noise after the reply":            {sshtest.Fault{Kind: sshtest.NoiseAfter}, "", "", 1, 1, false},
		"much noise before the reply":      {sshtest.Fault{Kind: sshtest.Noise, Text: huge}, endpoint.Garbled, endpoint.Garbled, 1, 1, true},
		"a line of 64 MB":                  {sshtest.Fault{Kind: sshtest.TooLong}, endpoint.TooLarge, endpoint.TooLarge, 1, 1, true},
		"a body that is no base64":         {sshtest.Fault{Kind: sshtest.NotBase64}, endpoint.Garbled, endpoint.Garbled, 1, 1, true},
		"a reply that cannot be read":      {sshtest.Fault{Kind: sshtest.Garbled}, endpoint.Garbled, endpoint.Garbled, 1, 1, true},
		"silence":                          {sshtest.Fault{Kind: sshtest.Silent}, endpoint.TimedOut, endpoint.TimedOut, 0, 0, true},
		"silence after it was carried out": {sshtest.Fault{Kind: sshtest.SilentAfter}, endpoint.TimedOut, endpoint.TimedOut, 1, 1, true},
		"a reply that never ends":          {sshtest.Fault{Kind: sshtest.Trickle, Delay: time.Millisecond}, endpoint.TimedOut, endpoint.TimedOut, 1, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			client := l.client(func(o *openssh.Config) {
				if c.read == endpoint.TimedOut {
					o.Timeout = 2 * time.Second // as long as a request surely takes to arrive
				}
			})
			if _, err := client.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			fail := func(method string) {
				c.fault.Method, c.fault.Times = method, 1
				l.ssh.Fail(c.fault)
				l.windows.ForgetRequests()
			}
			fail("GET")
			list := client.ScopeOptions(t.Context(), office)
			if endpoint.KindOf(list.Err) != c.read || c.read == "" && len(list.Items) == 0 {
				t.Errorf("the read gives %d items, %v; want kind %q", len(list.Items), list.Err, c.read)
			}
			if n := len(l.windows.Requests()); n != c.reads {
				t.Errorf("%d reads arrived, want %d", n, c.reads)
			}
			fail("PUT")
			name := "mfp-3"
			err := client.UpdateReservation(t.Context(), office, reserved(), endpoint.ReservationChange{Name: &name})
			if endpoint.KindOf(err) != c.write {
				t.Errorf("the write gives %v; want kind %q", err, c.write)
			}
			if e, ok := errors.AsType[*endpoint.Error](err); ok && e.Unsure() != c.unsure {
				t.Errorf("unsure %t, want %t: %v", e.Unsure(), c.unsure, err)
			}
			if n := len(l.windows.Writes()); n != c.carried {
				t.Errorf("%d writes were carried out, want %d", n, c.carried)
			}
			if list := client.Scopes(t.Context(), false); !list.Complete() {
				t.Errorf("afterwards: %v", list.Err)
			}
		})
	}
}

// rule 13.2: a session is opened once more for a read, and not for ever.
func TestAServerThatCutsEachSessionIsAskedTwice(t *testing.T) {
	l := newLab(t)
	c := l.client()
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.ssh.Fail(sshtest.Fault{Kind: sshtest.CutBefore})
	before := l.ssh.Sessions()
	wantKind(t, c.ScopeOptions(t.Context(), office).Err, endpoint.Unreachable)
	if n := l.ssh.Sessions() - before; n != 1 {
		t.Errorf("%d more sessions", n)
	}
}

// rule 13.2: a connection that does not answer is closed, long before a request would
// be given up.
func TestAConnectionThatIsForgottenIsClosed(t *testing.T) {
	l := newLab(t)
	tried := make(chan endpoint.Attempt, 10)
	c := l.through(l.config(func(c *openssh.Config) { c.KeepAlive, c.Timeout = 100*time.Millisecond, 10*time.Minute }),
		endpoint.Config{RetryPause: time.Millisecond, Observe: func(a endpoint.Attempt) { tried <- a }}, quiet())
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-tried
	l.ssh.Freeze()
	ended := make(chan error)
	go func() { ended <- c.ScopeOptions(t.Context(), office).Err }()
	if a := <-tried; a.Status != 0 {
		t.Errorf("an answer: %+v", a)
	}
	l.ssh.Thaw()
	if err := <-ended; err != nil {
		t.Errorf("the read that was repeated: %v", err)
	}
}

// A caller who gives up ends the session, and the next request gets another one.
func TestACallerWhoGivesUpIsNotHeldUp(t *testing.T) {
	l := newLab(t)
	c := l.client()
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	l.windows.ForgetRequests()
	l.windows.Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Until: release, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		l.windows.AwaitRequests(1)
		cancel()
	}()
	wantKind(t, c.Leases(ctx, office).Err, endpoint.Canceled)
	if list := c.Leases(t.Context(), office); !list.Complete() {
		t.Error(list.Err)
	}
}

// rule 13.2: nothing of the opening of a session waits longer than the time limit, also where
// the server stops answering just then, or closes the connection.
func TestAnOpeningThatHangsIsGivenUp(t *testing.T) {
	l := newLab(t)
	c := l.through(l.config(func(c *openssh.Config) { c.Timeout, c.KeepAlive = time.Second, time.Hour }), endpoint.Config{Parallel: 2, RetryPause: time.Millisecond}, quiet())
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	l.windows.ForgetRequests()
	l.windows.Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Until: release, Times: 1})
	first := make(chan error)
	go func() { first <- c.Leases(t.Context(), office).Err }()
	l.windows.AwaitRequests(1) // the one session is in use, so the next request opens another
	l.ssh.Freeze()
	wantKind(t, c.Reservations(t.Context(), office).Err, endpoint.TimedOut)
	l.ssh.Thaw()
	close(release)
	<-first
	for range 20 { // the connection ends while sessions are opened
		done := make(chan error)
		for range 2 {
			go func() { done <- c.Scopes(t.Context(), false).Err }()
		}
		l.ssh.Cut()
		<-done
		<-done
	}
}

// A caller who gives up while another one connects is not held up by that.
func TestACallerWhoGivesUpWhileAnotherConnects(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.ssh.Freeze()
	came := l.ssh.Connections()
	first := make(chan error)
	go func() { first <- c.Scopes(t.Context(), false).Err }()
	for l.ssh.Connections() == came {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, c.Leases(ctx, office).Err, endpoint.Canceled)
	l.ssh.Thaw()
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// rule 13.1: where the server opens one session, a request waits for it also while it is
// being opened.
func TestARequestWaitsForASessionThatIsBeingOpened(t *testing.T) {
	l := newLab(t, func(c *sshtest.Config) { c.MaxSessions = 1 })
	c := l.client()
	release := make(chan struct{})
	l.ssh.Fail(sshtest.Fault{Method: sshtest.Opening, Path: "hello", Kind: sshtest.Slow, Until: release, Times: 1})
	done := make(chan error)
	for range 2 {
		go func() { done <- c.Leases(t.Context(), office).Err }()
	}
	for l.ssh.Sessions() == 0 {
		runtime.Gosched()
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range 200 {
		for range 2 {
			go func() { done <- c.Leases(t.Context(), office).Err }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := l.ssh.Sessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
