package receive

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// renewals is a server whose clients 1 to 200 have the leases of 127.0.7.1 to
// 127.0.7.200, and renew them.
type renewals struct {
	server *Server
	t      *testing.T
	engine *lease.Engine
	told   atomic.Int32 // promises that were kept
	// promised hears of each, behind of each message once it is decided; nil: nobody.
	promised, behind func(*dhcp4.Exchange)
	// before runs ahead of each write to the store; its errors, if any, are the outcome.
	before func(group []lease.Change) []error
	mu     sync.Mutex
	groups [][]lease.Change
	lease.Store
}

// CommitGroup implements lease.Store.
func (r *renewals) CommitGroup(ctx context.Context, group []lease.Change) []error {
	r.mu.Lock()
	r.groups = append(r.groups, slices.Clone(group))
	r.mu.Unlock()
	if r.before != nil {
		if errs := r.before(group); errs != nil {
			return errs
		}
	}
	return r.Store.CommitGroup(ctx, group)
}

// readersAndWorkers are the two who decide about messages that rest on a change.
var readersAndWorkers = map[string]func(*dhcpv4.DHCPv4) bool{
	"the reader":         always,
	"workers of a chain": func(req *dhcpv4.DHCPv4) bool { return req.MessageType() == dhcpv4.MessageTypeDiscover },
}

func leasedAddr(client byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 7, client}) }

func newRenewals(t *testing.T, prompt func(*dhcpv4.DHCPv4) bool, before func([]lease.Change) []error, changes ...func(*renewals)) *renewals {
	t.Helper()
	tag := []int64{1}
	o := &ipam.Objects{
		Prefixes:  map[int64]*ipam.Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("127.0.0.0/16"), Status: "active"}},
		Tags:      map[int64]*ipam.Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}},
		Addresses: make(map[int64]*ipam.Address),
	}
	var held []lease.Lease
	for n := range 200 {
		addr := leasedAddr(byte(1 + n))
		o.Addresses[int64(n)] = &ipam.Address{ID: int64(n), Address: netip.PrefixFrom(addr, 16), Status: "active", Tags: tag}
		client := lease.ClientID(strings.ToUpper(message(t, byte(1+n)).ClientHWAddr.String()))
		held = append(held, lease.Lease{Addr: addr, Client: client, State: lease.Bound, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)})
	}
	snapshot, problems := ipam.Build(o, ipam.Options{DynamicTag: "DHCP"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	log, _ := logtest.NewNullLogger()
	r := &renewals{t: t, Store: lease.NewMemoryStore(held...), before: before}
	for _, change := range changes {
		change(r)
	}
	policy := lease.Policy{LeaseTime: 2 * time.Hour, MinTime: time.Minute, MaxTime: 2 * time.Hour, OfferHold: time.Minute, StaleAfter: time.Hour, AllowUnknown: true}
	var err error
	if r.engine, err = lease.NewEngine(t.Context(), lease.Config{Policy: policy, Store: r, Log: log}); err != nil {
		t.Fatal(err)
	}
	r.engine.SetSnapshot(snapshot)
	r.groups = nil
	exchanges := new(dhcp4.Exchanges)
	handlers := []handler.Handler4{func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return r.renew(exchanges.Find(req), req, resp) }}
	if r.behind != nil {
		handlers = append(handlers, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			r.behind(exchanges.Find(req))
			return resp, true
		})
	}
	chain := Chain{SupplyServerID: true, OwnsDecline: true, Exchanges: exchanges, Prompt: prompt}
	r.server = startServer(t, chain, Options{}, handlers...)
	return r
}

// renew is what the netbox plugin does with a promise.
func (r *renewals) renew(x *dhcp4.Exchange, req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	x.Message = dhcp4.ParseRequest(req, resp, x.Ingress, false)
	var err error
	switch {
	case x.Promise != nil:
		x.Promise, err = x.Promise.Again(&x.Decision, &x.Message, nil)
	case x.Parks:
		x.Promise, err = r.engine.Start(&x.Decision, &x.Message, nil)
	default:
		err = lease.ErrWaits
	}
	if errors.Is(err, lease.ErrWaits) {
		if x.Prompt {
			x.Waits = true
			return nil, true
		}
		x.Decision, _ = r.engine.Handle(r.t.Context(), x.Message, nil)
	}
	x.Promised = func(x *dhcp4.Exchange) {
		if r.told.Add(1); r.promised != nil {
			r.promised(x)
		}
	}
	if x.Decision.Verdict == lease.Silent || x.Decision.Verdict == lease.Taken {
		return nil, true
	}
	if err := dhcp4.Fill(req, resp, &x.Decision, dhcp4.Extra{}); err != nil {
		r.t.Error(err)
	}
	return resp, false
}

// extend is the REQUEST of a client that extends its lease.
func extend(t testing.TB, client byte) *dhcpv4.DHCPv4 {
	t.Helper()
	return message(t, client, dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(leasedAddr(client).AsSlice()))
}

func (r *renewals) written() [][]lease.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.groups)
}

// S-1, B-16: no ACK leaves before its own group is on the disk; meanwhile the reader
// answers others, and a second message of a client that waits is dropped (D-28). The
// messages that come during one write share the next.
func TestNoACKLeavesBeforeItsGroupIsDurable(t *testing.T) {
	for name, prompt := range readersAndWorkers {
		t.Run(name, func(t *testing.T) {
			writing, write := make(chan int), make(chan struct{})
			r := newRenewals(t, prompt, func(group []lease.Change) []error { writing <- len(group); <-write; return nil })
			clients := newRelay(t, r.server)
			clients.send(extend(t, 1).ToBytes())
			if n := <-writing; n != 1 {
				t.Fatalf("%d leases are written first", n)
			}
			const more = 50
			for i := range byte(more) {
				clients.send(extend(t, 2+i).ToBytes())
			}
			waitFor(t, "the others to wait", func() bool { return r.engine.Disk.Waiting() == 1+more })
			clients.send(extend(t, 1).ToBytes())
			busy := r.server.meter.dropped.WithLabelValues(string(dropBusy))
			waitFor(t, "the second message of a client to be dropped", func() bool { return valueOf(t, busy) == 1 })
			if got := newRelay(t, r.server).exchange(discover(t, 150)); got.MessageType() != dhcpv4.MessageTypeOffer {
				t.Errorf("meanwhile a DISCOVER gets %s", got.Summary())
			}
			if n := r.told.Load(); n != 0 {
				t.Errorf("%d leases are told of that are not on the disk", n)
			}
			close(write)
			if n := <-writing; n != more {
				t.Errorf("%d leases are written with the second write, want %d", n, more)
			}
			for range 1 + more {
				got := clients.receive()
				if want := leasedAddr(got.ClientHWAddr[5]); got.MessageType() != dhcpv4.MessageTypeAck || addr4(got.YourIPAddr) != want {
					t.Errorf("got %s, want an ACK of %s", got.Summary(), want)
				}
			}
			if n := r.told.Load(); n != 1+more {
				t.Errorf("%d leases are told of", n)
			}
			if n := r.engine.Disk.Waiting(); n != 0 {
				t.Errorf("%d messages still wait", n)
			}
		})
	}
}

// S-2, D-16, B-16: a comparison that is lost costs its own message another turn, and no
// other anything.
func TestALostComparisonIsDecidedAnew(t *testing.T) {
	for name, prompt := range readersAndWorkers {
		t.Run(name, func(t *testing.T) { testLostComparisons(t, prompt) })
	}
}

func testLostComparisons(t *testing.T, prompt func(*dhcpv4.DHCPv4) bool) {
	var lost atomic.Int32
	r := newRenewals(t, prompt, func(group []lease.Change) []error {
		if group[0].Next.Addr != leasedAddr(1) || lost.Add(1) > 2 {
			return nil
		}
		return slices.Repeat([]error{lease.ErrConflict}, len(group))
	})
	clients := newRelay(t, r.server)
	for i := range byte(3) {
		if got := clients.exchange(extend(t, 1+i)); got.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("client %d: %s", 1+i, got.Summary())
		}
	}
	if n := len(r.written()); n != 5 {
		t.Errorf("%d writes, want two more than clients", n)
	}
}

// H-4, B-16: where the store fails, a client that renews keeps the time that is left.
func TestAWriteThatFailsLeavesWhatIsLeft(t *testing.T) {
	for name, prompt := range readersAndWorkers {
		t.Run(name, func(t *testing.T) { testAWriteThatFails(t, prompt) })
	}
}

func testAWriteThatFails(t *testing.T, prompt func(*dhcpv4.DHCPv4) bool) {
	r := newRenewals(t, prompt, func(group []lease.Change) []error {
		return slices.Repeat([]error{errors.New("the disk is gone")}, len(group))
	})
	got := newRelay(t, r.server).exchange(extend(t, 1))
	if left := got.IPAddressLeaseTime(0); got.MessageType() != dhcpv4.MessageTypeAck || left > time.Hour || left < 50*time.Minute {
		t.Errorf("got %s for %s, want what is left of an hour", got.Summary(), left)
	}
	if n := r.told.Load(); n != 0 {
		t.Errorf("%d leases are told of that were never stored", n)
	}
	if n := r.engine.Disk.Waiting(); n != 0 {
		t.Errorf("%d messages still wait", n)
	}
}

// B-3, B-16: a panic while a group is written costs that group, and one while a reply
// is sent costs that reply; their clients are free again.
func TestPanicsOfTheKeeper(t *testing.T) {
	var panics atomic.Int32
	r := newRenewals(t, always, func(group []lease.Change) []error {
		if group[0].Next.Addr == leasedAddr(1) && panics.Add(1) == 1 {
			panic("a fault of the store")
		}
		return nil
	})
	clients := newRelay(t, r.server)
	dropped := r.server.meter.dropped.WithLabelValues(string(dropPanic))
	clients.send(extend(t, 1).ToBytes())
	waitFor(t, "the panic", func() bool { return valueOf(t, dropped) == 1 })
	waitFor(t, "its end", func() bool { return r.engine.Disk.Waiting() == 0 })
	for i := range byte(3) {
		if got := clients.exchange(extend(t, 1+i)); got.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("client %d: %s", 1+i, got.Summary())
		}
	}
}

// REC-3, B-16: at the end replies that wait for the disk are sent before Serve returns.
func TestTheEndWaitsForParkedReplies(t *testing.T) {
	writing, write := make(chan int, 9), make(chan struct{})
	r := newRenewals(t, always, func(group []lease.Change) []error { writing <- len(group); <-write; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	log, _ := logtest.NewNullLogger()
	s, err := Listen(loopback0, r.server.chain, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	clients := newRelay(t, s)
	for i := range byte(3) {
		clients.send(extend(t, 1+i).ToBytes())
		if i == 0 {
			<-writing
		}
	}
	waitFor(t, "all to wait", func() bool { return r.engine.Disk.Waiting() == 3 })
	cancel()
	select {
	case err := <-served:
		t.Fatalf("Serve has returned: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(write)
	if err := <-served; err != nil {
		t.Error(err)
	}
	for range 3 {
		if got := clients.receive(); got.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("got %s", got.Summary())
		}
	}
}

// D-16, B-16: who decides does not matter to how often a message is decided.
func TestAMessageThatLosesEachComparisonIsGivenUp(t *testing.T) {
	for name, prompt := range readersAndWorkers {
		t.Run(name, func(t *testing.T) {
			r := newRenewals(t, prompt, func(group []lease.Change) []error {
				if group[0].Next.Addr != leasedAddr(1) {
					return nil
				}
				return slices.Repeat([]error{lease.ErrConflict}, len(group))
			})
			clients := newRelay(t, r.server)
			clients.send(extend(t, 1).ToBytes())
			silent := r.server.meter.dropped.WithLabelValues(string(dropNoReply))
			waitFor(t, "the message to be given up", func() bool { return valueOf(t, silent) == 1 })
			if got := clients.exchange(extend(t, 2)); got.MessageType() != dhcpv4.MessageTypeAck {
				t.Errorf("another client: %s", got.Summary())
			}
			if n := len(r.written()); n != 3+1 {
				t.Errorf("%d writes, want three and that of the other client", n)
			}
		})
	}
}

// D-19, B-16: a RELEASE is written although no reply waits for it, and its client is
// free afterwards.
func TestAPromiseWithoutAReplyIsKept(t *testing.T) {
	for name, prompt := range readersAndWorkers {
		t.Run(name, func(t *testing.T) {
			r := newRenewals(t, prompt, nil)
			conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: leasedAddr(1).AsSlice()}, net.UDPAddrFromAddrPort(r.server.Addrs()[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			release := message(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeRelease), dhcpv4.WithClientIP(leasedAddr(1).AsSlice()), dhcpv4.WithGatewayIP(net.IPv4zero))
			if _, err := conn.Write(release.ToBytes()); err != nil {
				t.Fatal(err)
			}
			silent := r.server.meter.dropped.WithLabelValues(string(dropNoReply))
			waitFor(t, "its end", func() bool { return valueOf(t, silent) == 1 })
			if stored, _, err := r.Lease(t.Context(), leasedAddr(1)); err != nil || stored.State != lease.Released {
				t.Errorf("stored: %+v, %v", stored, err)
			}
			if n := r.told.Load(); n != 1 {
				t.Errorf("%d promises are told of", n)
			}
			if got := newRelay(t, r.server).exchange(discover(t, 1)); got.MessageType() != dhcpv4.MessageTypeOffer {
				t.Errorf("the client asks again: %s", got.Summary())
			}
		})
	}
}

// B-3, B-16: what a handler behind the promise does ends it, and costs nothing but
// that message: a panic, a wish to wait, which a worker fulfils, and a panic of what
// hears that the lease is durable.
func TestAPromiseEndsWithItsMessage(t *testing.T) {
	broken := func(*dhcp4.Exchange) { panic("broken plugin") }
	for name, c := range map[string]struct {
		fault        func(x *dhcp4.Exchange) // of the first message
		durable      bool                    // it comes once the promise is kept
		lost, writes int                     // messages without a reply, changes that are stored
	}{
		"a handler panics":           {broken, false, 1, 3},
		"a handler waits":            {func(x *dhcp4.Exchange) { x.Waits = x.Prompt }, false, 0, 3},
		"a panic once it is durable": {broken, true, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			var messages atomic.Int32
			once := func(x *dhcp4.Exchange) {
				if messages.Add(1) == 1 {
					c.fault(x)
				}
			}
			r := newRenewals(t, always, nil, func(r *renewals) {
				if c.durable {
					r.promised = once
				} else {
					r.behind = once
				}
			})
			clients := newRelay(t, r.server)
			clients.send(extend(t, 1).ToBytes())
			if c.lost > 0 {
				panics := r.server.meter.dropped.WithLabelValues(string(dropPanic))
				waitFor(t, "the panic", func() bool { return valueOf(t, panics) == 1 })
				newRelay(t, r.server).exchange(extend(t, 2)) // by now the first one is over
				clients.send(extend(t, 1).ToBytes())
			}
			if got := clients.receive(); got.MessageType() != dhcpv4.MessageTypeAck || got.ClientHWAddr[5] != 1 {
				t.Errorf("got %s", got.Summary())
			}
			clients.exchange(extend(t, 3))
			if c.lost == 0 {
				clients.exchange(extend(t, 2))
			}
			if got := clients.exchange(discover(t, 1)); got.MessageType() != dhcpv4.MessageTypeOffer {
				t.Errorf("it asks again: %s", got.Summary())
			}
			var n int
			for _, group := range r.written() {
				n += len(group)
			}
			if n != c.writes {
				t.Errorf("%d changes are stored, want %d", n, c.writes)
			}
			waitFor(t, "all places", func() bool { return r.engine.Disk.Waiting() == 0 })
		})
	}
}

// watched is a socket that tells before it sends.
type watched struct {
	syscall.RawConn
	sends func()
}

func (w watched) Control(f func(fd uintptr)) error {
	w.sends()
	return w.RawConn.Control(f)
}

// idle is another server with the chain of r, which reads nothing.
func (r *renewals) idle() *Server {
	r.t.Helper()
	log, _ := logtest.NewNullLogger()
	s, err := Listen(loopback0, r.server.chain, Options{Log: log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	return s
}

// extends is a packet of a client that extends its lease, as if s had read it.
func (r *relay) extends(s *Server, client byte) *packet {
	r.t.Helper()
	p := new(packet)
	p.via, p.source, p.n = s.listeners[0], r.conn.LocalAddr().(*net.UDPAddr).AddrPort(), copy(p.buf[:], extend(r.t, client).ToBytes())
	p.arrival = arrival{ifindex: s.interfaces.table.Load().byName["lo"].index, to: netip.MustParseAddr("127.0.0.1"), unicast: true}
	return p
}

// B-1, B-16: a promise ends with a message that no worker has room for.
func TestAPromiseOfASurplusMessageIsDropped(t *testing.T) {
	r := newRenewals(t, readersAndWorkers["workers of a chain"], func(group []lease.Change) []error {
		return slices.Repeat([]error{lease.ErrConflict}, len(group))
	})
	s := r.idle()
	clients := newRelay(t, s)
	for range waitingRoom {
		s.jobs <- nil
	}
	for range 2 { // the client is free afterwards
		p := clients.extends(s, 1)
		if s.working.begin(p); p.turn.Load() != turnNow || s.handle(p, nil) != parks {
			t.Fatal("nothing is promised")
		}
		k := replyKeeper{s, map[*listener]*outbox{p.via: s.newOutbox(p.via)}}
		k.keepGroup(s.parked.take(nil))
	}
	if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropSurplus))); n != 2 {
		t.Errorf("%v messages are dropped", n)
	}
	s.open.Wait() // both are finished
}

// B-16, B-17: a packet is not used again while its reply waits for the others.
func TestAPacketIsFinishedOnceItsReplyHasLeft(t *testing.T) {
	s := newRenewals(t, always, nil).idle()
	clients := newRelay(t, s)
	var packets []*packet
	for i := range byte(3) {
		p := clients.extends(s, 1+i)
		if f := s.handle(p, s.newOutbox(p.via)); f != parks {
			t.Fatalf("message %d: %v", i, f)
		}
		packets = append(packets, p)
	}
	sent, l := 0, s.listeners[0]
	out := s.newOutbox(l)
	out.conn = watched{l.raw, func() {
		sent++
		for i, p := range packets {
			if !p.away || p.req == nil {
				t.Errorf("packet %d may be used again before its reply has left", i)
			}
		}
	}}
	k := replyKeeper{s, map[*listener]*outbox{l: out}}
	k.keepGroup(s.parked.take(nil))
	if sent != 1 {
		t.Errorf("the replies are sent with %d calls", sent)
	}
	for range packets {
		clients.receive()
	}
	s.open.Wait() // all are finished
}

// B-14, B-16, C-1: no promise is asked for where nothing waits for it: in a rehearsal,
// and in a chain whose handlers may wait.
func TestWhoMayMakeAPromise(t *testing.T) {
	var x dhcp4.Exchange
	exchanges := new(dhcp4.Exchanges)
	look := func(req, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		x = *exchanges.Find(req)
		return nil, true
	}
	for name, c := range map[string]struct {
		prompt          func(*dhcpv4.DHCPv4) bool
		out             Outcome
		waiting, parked bool // what the handlers may do
	}{
		"the reader":              {always, Outcome{prompt: true}, false, true},
		"a worker":                {always, Outcome{}, true, true},
		"a worker, foreign chain": {nil, Outcome{}, true, false},
		"a rehearsal":             {always, Outcome{rehearsal: true}, true, false},
	} {
		chain := Chain{Exchanges: exchanges, Prompt: c.prompt, Handlers: []handler.Handler4{look}}
		c.out.memory = new(memory)
		chain.answer(&c.out, discover(t, 1), dhcp4.Ingress{}, netip.Addr{}, nil)
		if x.Prompt == c.waiting || x.Parks != c.parked || x.Rehearsal != c.out.rehearsal {
			t.Errorf("%s: prompt %v, parks %v, rehearsal %v", name, x.Prompt, x.Parks, x.Rehearsal)
		}
	}
}
