package receive

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

func leasedAddr(client byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 7, client}) }

func newRenewals(t *testing.T, prompt func(*dhcpv4.DHCPv4) bool, before func([]lease.Change) []error) *renewals {
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
	policy := lease.Policy{LeaseTime: 2 * time.Hour, MinTime: time.Minute, MaxTime: 2 * time.Hour, OfferHold: time.Minute, StaleAfter: time.Hour, AllowUnknown: true}
	var err error
	if r.engine, err = lease.NewEngine(t.Context(), lease.Config{Policy: policy, Store: r, Log: log}); err != nil {
		t.Fatal(err)
	}
	r.engine.SetSnapshot(snapshot)
	r.groups = nil
	exchanges := new(dhcp4.Exchanges)
	chain := Chain{SupplyServerID: true, Exchanges: exchanges, Prompt: prompt}
	r.server = startServer(t, chain, Options{}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return r.renew(exchanges.Find(req), req, resp) })
	return r
}

// renew is what the netbox plugin does with a promise.
func (r *renewals) renew(x *dhcp4.Exchange, req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	x.Message = dhcp4.ParseRequest(req, resp, x.Ingress, false)
	var err error
	switch {
	case x.Promise != nil:
		x.Decision, x.Promise, err = x.Promise.Again(&x.Message, nil)
	case x.Parks:
		x.Decision, x.Promise, err = r.engine.Start(&x.Message, nil)
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
	x.Promised = func(*dhcp4.Exchange) { r.told.Add(1) }
	if x.Decision.Verdict == lease.Silent {
		return nil, true
	}
	if err := dhcp4.Fill(req, resp, x.Decision, dhcp4.Extra{}); err != nil {
		r.t.Error(err)
	}
	return resp, true
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
	for name, prompt := range map[string]func(*dhcpv4.DHCPv4) bool{
		"the reader":         always,
		"workers of a chain": func(req *dhcpv4.DHCPv4) bool { return req.MessageType() == dhcpv4.MessageTypeDiscover },
	} {
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
				got, want := clients.receive(), leasedAddr(0)
				if want = leasedAddr(got.ClientHWAddr[5]); got.MessageType() != dhcpv4.MessageTypeAck || addr4(got.YourIPAddr) != want {
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
	var lost atomic.Int32
	r := newRenewals(t, always, func(group []lease.Change) []error {
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
	r := newRenewals(t, always, func(group []lease.Change) []error {
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
