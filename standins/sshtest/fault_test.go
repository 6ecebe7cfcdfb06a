package sshtest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

// write is a request that changes something.
func (a *asker) write() (reply, error) {
	return a.do("POST", "exclusions", []byte(`{"scope_id":"192.0.2.0","start_ip":"192.0.2.20","end_ip":"192.0.2.21"}`))
}

func TestAFaultHappensAtItsPoint(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		for name, c := range map[string]struct {
			fault Fault
			ends  bool // the session does, so that the client reads to the end
			bad   bool // the client gets something that is no reply
			done  bool // it was carried out
		}{
			"cut before":        {fault: Fault{Kind: CutBefore}, ends: true},
			"cut after":         {fault: Fault{Kind: CutAfter}, ends: true, done: true},
			"cut in the middle": {fault: Fault{Kind: CutReply}, ends: true, done: true},
			"another id":        {fault: Fault{Kind: WrongID}, bad: true, done: true},
			"no base64":         {fault: Fault{Kind: NotBase64}, bad: true, done: true},
			"garbled":           {fault: Fault{Kind: Garbled}, bad: true, done: true},
			"slow":              {fault: Fault{Kind: Slow, Delay: time.Millisecond}, done: true},
		} {
			for _, connection := range []bool{false, true} {
				t.Run(name+map[bool]string{true: " with the connection"}[connection], func(t *testing.T) {
					w := windows(t, psutest.Config{})
					s := k.made(t, w, nil)
					client := login(t, s)
					a, err := open(t, client, encoded("powershell"), whole)
					if err != nil {
						t.Fatal(err)
					}
					c.fault.Connection, c.fault.Method, c.fault.Times = connection, "POST", 1
					s.Fail(c.fault)
					out, err := a.write()
					if (err != nil) != (c.ends || c.bad) || errors.Is(err, io.EOF) != c.ends && !connection {
						t.Errorf("%d, %v", out.status, err)
					}
					if done := len(w.Writes()) == 1; done != c.done {
						t.Errorf("carried out: %v", done)
					}
					if connection && c.ends {
						_ = client.Wait() // it returns when the connection has ended
					} else if _, err := open(t, client, encoded("powershell"), whole); err != nil {
						t.Errorf("the connection has ended: %v", err)
					}
				})
			}
		}
	})
}

func TestACutReplyLeavesItsBeginning(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		a := ready(t, s)
		s.Fail(Fault{Path: "scopes", Kind: CutReply})
		a.send([]byte(`{"id":1,"method":"GET","path":"scopes","query":{},"body":""}`))
		left, err := io.ReadAll(a.out)
		if err != nil || !strings.HasPrefix(string(left), "#nds reply 1 200 ") || strings.Contains(string(left), "\n") {
			t.Errorf("%q, %v", left, err)
		}
		if status := a.end(); status != 1 {
			t.Errorf("exit status %d", status)
		}
	})
}

// Those end when the client has had enough.
func TestEndlessFaultsLastUntilTheClientEndsThem(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		for name, c := range map[string]struct {
			fault Fault
			reads int // bytes that come first
			done  bool
		}{
			"silence":              {fault: Fault{Kind: Silent}},
			"silence after":        {fault: Fault{Kind: SilentAfter}, done: true},
			"a line without end":   {fault: Fault{Kind: TooLong, Length: 1 << 20}, reads: 1 << 20, done: true},
			"a reply that drips":   {fault: Fault{Kind: Trickle}, reads: 100, done: true},
			"waiting for a drop":   {fault: Fault{Kind: Trickle, Delay: time.Hour}, reads: 20, done: true},
			"a line of any length": {fault: Fault{Kind: TooLong, Length: 100}, reads: 100, done: true},
		} {
			t.Run(name, func(t *testing.T) {
				w := windows(t, psutest.Config{})
				s := k.made(t, w, nil)
				a := ready(t, s)
				s.Fail(c.fault)
				a.send([]byte(`{"id":1,"method":"POST","path":"health","query":{},"body":"{}"}`))
				got := make([]byte, c.reads)
				if _, err := io.ReadFull(a.out, got); err != nil || strings.ContainsAny(string(got), "\r\n") {
					t.Errorf("%.100q, %v", got, err)
				}
				if status := a.end(); status != 1 {
					t.Errorf("exit status %d", status)
				}
				if done := len(w.Writes()) == 1; done != c.done {
					t.Errorf("carried out: %v", done)
				}
			})
		}
		if n := (&Fault{Kind: TooLong}).length(); n != 64<<20+1 {
			t.Errorf("a line that is too long has %d bytes", n)
		}
	})
}

func TestTheOpeningFailsAtItsPoint(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		for name, f := range map[string]Fault{
			"cut before the first line": {Path: "boot", Kind: CutBefore},
			"cut in the first line":     {Path: "boot", Kind: CutReply},
			"cut before the greeting":   {Path: "hello", Kind: CutBefore},
			"a greeting that is none":   {Path: "hello", Kind: NotBase64},
		} {
			t.Run(name, func(t *testing.T) {
				s := k.made(t, windows(t, psutest.Config{}), nil)
				client := login(t, s)
				f.Method, f.Times = Opening, 1
				s.Fail(f)
				if a, err := open(t, client, encoded("powershell"), whole); err == nil {
					t.Errorf("it greeted: %v", a.hello)
				}
				a, err := open(t, client, encoded("powershell"), whole)
				if err != nil {
					t.Fatalf("the next session: %v", err)
				}
				if _, err := a.do("GET", "health", nil); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// A fault without a method is about requests, never about the opening.
func TestFaultsHitWhatTheyName(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		s := k.made(t, windows(t, psutest.Config{}), nil)
		s.Fail(Fault{Times: 1, Kind: CutBefore})
		if _, err := ready(t, s).do("GET", "health", nil); err == nil {
			t.Error("the first request was let through")
		}
		s.Fail(Fault{Path: "leases", Scope: "10.8.6.0", After: 1, Times: 1, Kind: WrongID})
		s.Fail(Fault{Path: "options/*", Scope: "10.8.4.0", Times: 1, Kind: WrongID})
		a := ready(t, s)
		have := ""
		for _, path := range []string{"leases?scope_id=10.8.6.0", "leases?scope_id=10.8.4.0", "leases?scope_id=10.8.6.0", "leases?scope_id=10.8.6.0", "options/scope/10.8.6.0", "options/scope/10.8.4.0"} {
			_, err := a.do("GET", path, nil)
			have += map[bool]string{true: ".", false: "x"}[err == nil]
		}
		if have != "..x..x" {
			t.Errorf("requests that failed: %s", have)
		}
		s.Fail(Fault{Kind: WrongID})
		s.ClearFaults()
		if _, err := a.do("GET", "health", nil); err != nil {
			t.Error(err)
		}
	})
}

// The faults of the other stand-in are seen through this one.
func TestFaultsOfTheEndpointComeThrough(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		for name, c := range map[string]struct {
			kind   psutest.FaultKind
			status int // 0: the session ends
		}{
			"dropped":         {kind: psutest.Drop},
			"dropped after":   {kind: psutest.DropAfter},
			"cut in its body": {kind: psutest.Truncated},
			"502":             {kind: psutest.BadGateway, status: 502},
			"302":             {kind: psutest.Redirect, status: 302},
			"403":             {kind: psutest.Forbidden, status: 403},
			"blank":           {kind: psutest.Blank200, status: 200},
		} {
			t.Run(name, func(t *testing.T) {
				w := windows(t, psutest.Config{})
				w.Edit(func(to *psutest.World) { *to = psutest.Campus("dh1", 1, 200, time.Now()) })
				a := ready(t, k.made(t, w, nil))
				if _, err := a.do("GET", "health", nil); err != nil {
					t.Fatal(err)
				}
				w.Fail(psutest.Fault{Path: "leases", Times: 1, Kind: c.kind})
				out, err := a.do("GET", "leases", nil)
				if out.status != c.status || (err == nil) != (c.status != 0) {
					t.Errorf("%d, %v", out.status, err)
				}
				if n := len(w.Requests()); n != 2 {
					t.Errorf("%d requests, want 2: a fault was hidden by a repeat", n)
				}
			})
		}
	})
}

// What PowerShell works on goes on when the client has gone.
func TestARequestIsCarriedOutThoughTheClientHasGone(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		w := windows(t, psutest.Config{})
		s := k.made(t, w, nil)
		a := ready(t, s)
		until := make(chan struct{})
		w.Fail(psutest.Fault{Path: "exclusions", Times: 1, Kind: psutest.Slow, Until: until})
		a.send([]byte(`{"id":1,"method":"POST","path":"exclusions","query":{},"body":"{\"scope_id\":\"192.0.2.0\",\"start_ip\":\"192.0.2.20\",\"end_ip\":\"192.0.2.21\"}"}`))
		w.AwaitRequests(1)
		s.Cut()
		if s.Running() != 1 {
			t.Error("PowerShell has ended with the connection")
		}
		close(until)
		s.AwaitIdle()
		if done := w.Writes(); len(done) != 1 || done[0].Status != 201 {
			t.Errorf("writes %+v", done)
		}
	})
}

// The end of a test waits for no request.
func TestAServerEndsThoughPowerShellWorks(t *testing.T) {
	both(t, func(t *testing.T, k kind) {
		w := windows(t, psutest.Config{})
		a := ready(t, k.made(t, w, nil))
		w.Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Until: make(chan struct{})})
		a.send([]byte(`{"id":1,"method":"GET","path":"leases","query":{},"body":""}`))
		w.AwaitRequests(1)
	})
}
