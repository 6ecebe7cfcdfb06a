package instance

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/events"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// noted is an instance that keeps a history and writes events to a file.
type noted struct {
	*Instance
	t    *testing.T
	pool *Pool
	dir  string
}

func newNoted(t *testing.T) *noted {
	t.Helper()
	n := &noted{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{
		"config.yml":    "server4:\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox: config.yml\nnetbox:\n  inventory: inventory.yml\n  store: {path: state}\n  events: {file: events.jsonl, renewals: true}\n",
		"inventory.yml": "prefixes: [{prefix: 10.0.0.0/24}]\n",
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.open()
	t.Cleanup(n.close)
	return n
}

func (n *noted) open() {
	n.t.Helper()
	log, _ := test.NewNullLogger()
	n.pool = new(Pool)
	i, err := n.pool.Join(filepath.Join(n.dir, "config.yml"), log)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Instance = i
	n.until("the history is read", func() bool { return i.record.log.Load() != nil })
}

func (n *noted) close() {
	n.t.Helper()
	if err := n.pool.Close(); err != nil {
		n.t.Error(err)
	}
}

func (n *noted) until(what string, is func() bool) {
	n.t.Helper()
	for began := time.Now(); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			n.t.Fatal("not within 20 s: " + what)
		}
	}
}

// hear tells the instance what was decided about a message of a client.
func (n *noted) hear(client lease.ClientID, verdict lease.Verdict, reason lease.Reason, change ...func(*lease.ClientMessage, *lease.Decision)) {
	m := &lease.ClientMessage{Type: lease.Request, Client: client, Hostname: "pc\x1b", Relay: netip.MustParseAddr("10.0.0.1"), Interface: "eth0", Circuit: []byte("Gi1/0/5"), Remote: []byte{0, 255}}
	d := &lease.Decision{Verdict: verdict, Reason: reason, Addr: netip.MustParsePrefix("10.0.0.7/24"), Time: time.Hour, Subnet: &ipam.Subnet{Prefix: &ipam.Prefix{Prefix: netip.MustParsePrefix("10.0.0.0/24")}}}
	for _, fn := range change {
		fn(m, d)
	}
	n.Answered(m, d, time.Now())
}

func known(_ *lease.ClientMessage, d *lease.Decision) {
	d.Machine, d.Static = &ipam.Machine{Name: "web1"}, true
}

func (n *noted) spans() []history.Span {
	n.t.Helper()
	a, err := n.Who(n.t.Context(), history.Query{})
	if err != nil {
		n.t.Fatal(err)
	}
	return a.Spans
}

// kinds are the events of the file so far.
func (n *noted) kinds() (list []events.Kind) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "events.jsonl"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		var e events.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			n.t.Fatal(err)
		}
		list = append(list, e.Kind)
	}
	return list
}

// HI-1, HI-2, HI-9: what was given and given up is in the history, and is told; static
// hosts too.
func TestTheHistoryKnowsWhatWasGivenAndGivenUp(t *testing.T) {
	n := newNoted(t)
	n.hear("52:54:00:00:00:01", lease.Ack, lease.ReasonStatic, known)
	n.hear("52:54:00:00:00:01", lease.Ack, lease.ReasonStatic, known, func(m *lease.ClientMessage, _ *lease.Decision) { m.Circuit, m.Remote = nil, nil })
	n.until("the lease", func() bool { return len(n.spans()) == 1 })
	if s := n.spans()[0]; s.Machine != "web1" || !s.Static || s.Hostname != "pc\x1b" || s.Circuit != "Gi1/0/5" || s.Remote != "hex:00ff" || s.Network.String() != "10.0.0.0/24" || s.Relay.String() != "10.0.0.1" || s.Until.IsZero() {
		t.Errorf("%+v", s)
	}
	n.hear("52:54:00:00:00:01", lease.Taken, lease.ReasonReleased, known)
	n.hear("52:54:00:00:00:02", lease.Ack, lease.ReasonNew)
	n.hear("52:54:00:00:00:03", lease.Ack, lease.ReasonNew) // the same address
	n.hear("52:54:00:00:00:03", lease.Taken, lease.ReasonDeclined)
	n.hear("52:54:00:00:00:04", lease.BootReply, lease.ReasonStatic, known, func(_ *lease.ClientMessage, d *lease.Decision) { d.Time = 0 })
	n.hear("52:54:00:00:00:05", lease.Offer, lease.ReasonNew)
	var ends []history.How
	n.until("four spans", func() bool { return len(n.spans()) == 4 })
	for _, s := range n.spans() {
		ends = append(ends, s.How)
	}
	slices.Sort(ends)
	if want := []history.How{"", history.Declined, history.Released, history.Taken}; !slices.Equal(ends, want) {
		t.Errorf("%q, want %q", ends, want)
	}
	n.EndedByOperator(netip.MustParseAddr("10.0.0.7"))
	want := []events.Kind{events.Begun, events.Renewed, events.Released, events.Begun, events.Taken, events.Begun, events.Declined, events.Begun, events.Ended}
	leases := func() []events.Kind {
		return slices.DeleteFunc(n.kinds(), func(k events.Kind) bool { return k == events.UnknownDevice })
	}
	n.until("nine events", func() bool { return len(leases()) == len(want) })
	if got := leases(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// HI-9: refusals, strangers, full pools and other servers are told, the latter once.
func TestOddMessagesAreTold(t *testing.T) {
	n := newNoted(t)
	for range 3 {
		n.hear("52:54:00:00:00:01", lease.Silent, lease.ReasonUnknownClient)
		n.hear("52:54:00:00:00:02", lease.Silent, lease.ReasonPoolEmpty)
		n.hear("52:54:00:00:00:03", lease.Silent, lease.ReasonOtherServer, func(m *lease.ClientMessage, _ *lease.Decision) { m.ServerID = netip.MustParseAddr("10.0.0.99") })
		n.hear("52:54:00:00:00:04", lease.Nak, lease.ReasonWrongNetwork)
		n.hear("52:54:00:00:00:05", lease.Silent, lease.ReasonUnknownClient, known)
	}
	n.until("six events", func() bool { return len(n.kinds()) == 6 })
	got := n.kinds()
	slices.Sort(got)
	if want := []events.Kind{events.UnknownDevice, events.OtherServer, events.PoolFull, events.Refused, events.Refused, events.Refused}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// HI-2: a lease that runs goes on after a restart.
func TestTheHistoryOutlivesARestart(t *testing.T) {
	n := newNoted(t)
	n.hear("52:54:00:00:00:01", lease.Ack, lease.ReasonStatic, known)
	n.until("the lease", func() bool { return len(n.spans()) == 1 })
	before := n.spans()[0]
	n.close()
	if a, err := history.Read(t.Context(), HistoryFolder(n.Settings), history.Query{}); err != nil || len(a.Spans) != 1 || a.Spans[0] != before {
		t.Errorf("without a server: %+v, %v", a, err)
	}
	n.open()
	n.hear("52:54:00:00:00:01", lease.Ack, lease.ReasonStatic, known)
	n.until("the renewal", func() bool { s := n.spans(); return len(s) == 1 && !s[0].Heard.Before(before.Heard) })
	if s := n.spans()[0]; !s.Begin.Equal(before.Begin) || !s.End.IsZero() {
		t.Errorf("%+v, was %+v", s, before)
	}
}

// HI-8: erasure covers history, events and records of ended leases.
func TestErasureCoversAllThatIsKept(t *testing.T) {
	n := newNoted(t)
	n.hear("52:54:00:00:00:01", lease.Ack, lease.ReasonNew)
	n.hear("52:54:00:00:00:01", lease.Taken, lease.ReasonReleased)
	n.until("events", func() bool { return slices.Contains(n.kinds(), events.Released) })
	n.until("the end", func() bool { s := n.spans(); return len(s) == 1 && s[0].How != "" })
	q := history.Query{Client: "52:54:00:00:00:01"}
	shown, err := n.Erase(t.Context(), q, false)
	if err != nil || shown.History.Spans != 1 || shown.Events < 2 || len(n.spans()) != 1 {
		t.Fatalf("%+v, %v", shown, err)
	}
	if done, err := n.Erase(t.Context(), q, true); err != nil || done != shown {
		t.Errorf("%+v, %v, was to be %+v", done, err, shown)
	}
	text, err := os.ReadFile(filepath.Join(n.dir, "events.jsonl"))
	if err != nil || strings.Contains(string(text), q.Client) || len(n.spans()) != 0 {
		t.Errorf("%s %v, %+v", text, err, n.spans())
	}
}

// HI-4: the lease store tells until when a lease runs, and that it ended without a message.
func TestTheStoreTellsHowALeaseIs(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	addr := netip.MustParseAddr("10.0.0.7")
	span := history.Span{Addr: addr, Client: "A", Until: now}
	for name, c := range map[string]struct {
		stored lease.Lease
		static bool
		until  time.Time
		how    history.How
	}{
		"renewed unseen":     {lease.Lease{Client: "A", State: lease.Bound, Expires: now.Add(time.Hour)}, false, now.Add(time.Hour), ""},
		"ended by a command": {lease.Lease{Client: "A", State: lease.Released, Expires: now}, false, time.Time{}, history.Operator},
		"in quarantine":      {lease.Lease{Client: lease.Declined, State: lease.Quarantined, Expires: now.Add(time.Hour)}, false, time.Time{}, history.Declined},
		"another client's":   {lease.Lease{Client: "B", State: lease.Bound, Expires: now.Add(time.Hour)}, false, time.Time{}, history.Taken},
		"of before":          {lease.Lease{Client: "B", State: lease.Bound, Expires: now.Add(-time.Hour)}, false, time.Time{}, ""},
		"static, not in it":  {lease.Lease{Client: "B", State: lease.Bound, Expires: now.Add(time.Hour)}, true, time.Time{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.stored.Addr = addr
			store := lease.NewMemoryStore(c.stored)
			engine, err := lease.NewEngine(t.Context(), lease.Config{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			i := &Instance{Engine: engine, store: store}
			s := span
			s.Static = c.static
			if until, how := i.storeSays(s); !until.Equal(c.until) || how != c.how {
				t.Errorf("%s, %q, want %s, %q", until, how, c.until, c.how)
			}
		})
	}
}
