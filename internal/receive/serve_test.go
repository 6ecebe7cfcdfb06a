package receive

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// RFC 8357: the demo and these tests depend on it.
func TestARelayIsAnsweredAtThePortItSentFrom(t *testing.T) {
	s := startServer(t, Chain{SupplyServerID: true}, Options{}, grant)
	got := newRelay(t, s).exchange(discover(t, 1))
	if got.MessageType() != dhcpv4.MessageTypeOffer || !got.YourIPAddr.Equal(offered) || got.TransactionID != discover(t, 1).TransactionID {
		t.Errorf("got %s", got.Summary())
	}
	if got.RelayAgentInfo() == nil {
		t.Error("option 82 is not echoed") // F-16
	}
}

func TestHandlersLearnWhereAPacketCameFrom(t *testing.T) {
	var exchanges dhcp4.Exchanges
	type visit struct {
		req *dhcpv4.DHCPv4
		x   *dhcp4.Exchange
	}
	visits := make(chan visit, 2)
	s := startServer(t, Chain{SupplyServerID: true, Exchanges: &exchanges}, Options{Workers: 1},
		func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			visits <- visit{req, exchanges.Find(req)}
			return grant(req, resp)
		})
	r := newRelay(t, s)
	r.exchange(discover(t, 1))
	first := <-visits
	want := dhcp4.Ingress{
		Interface: "lo",
		Addrs:     s.interfaces.table.Load().byName["lo"].addrs,
		Bits:      s.interfaces.table.Load().byName["lo"].bits,
		Source:    r.conn.LocalAddr().(*net.UDPAddr).AddrPort(),
		Delivery:  lease.DeliveryUnicast,
	}
	if diff := cmp.Diff(want, first.x.Ingress, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("ingress (-want +got):\n%s", diff)
	}
	if at := slices.Index(want.Addrs, netip.MustParseAddr("127.0.0.1")); at < 0 || len(want.Bits) != len(want.Addrs) || want.Bits[at] != 8 {
		t.Errorf("addresses %v have the masks %v", want.Addrs, want.Bits)
	}
	r.exchange(discover(t, 2)) // with one worker the first packet is finished now
	if exchanges.Find(first.req) != nil {
		t.Error("the entry of a finished packet is still there")
	}
}

// F-15, F-17, REC-2, REC-3, R-13
func TestWhatIsAnswered(t *testing.T) {
	typed := func(mt dhcpv4.MessageType) []dhcpv4.Modifier {
		return []dhcpv4.Modifier{dhcpv4.WithMessageType(mt)}
	}
	pass := func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return resp, false }
	refuse := func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
		return resp, true
	}
	for _, tt := range []struct {
		name    string
		mods    []dhcpv4.Modifier
		chain   []handler.Handler4
		owns    bool
		noID    bool
		answer  bool
		reaches bool
		dropped Drop
	}{
		{name: "DISCOVER", mods: typed(dhcpv4.MessageTypeDiscover), chain: []handler.Handler4{grant}, reaches: true, answer: true},
		{name: "REQUEST", mods: typed(dhcpv4.MessageTypeRequest), chain: []handler.Handler4{grant}, reaches: true, answer: true},
		{name: "REQUEST refused", mods: typed(dhcpv4.MessageTypeRequest), chain: []handler.Handler4{refuse}, reaches: true, answer: true},
		{name: "INFORM without yiaddr", mods: typed(dhcpv4.MessageTypeInform), chain: []handler.Handler4{pass}, reaches: true, answer: true},
		{name: "no handler set yiaddr", mods: typed(dhcpv4.MessageTypeRequest), chain: []handler.Handler4{pass}, reaches: true, dropped: dropNoAddress},
		{name: "no handler set option 54", mods: typed(dhcpv4.MessageTypeRequest), chain: []handler.Handler4{grant}, noID: true, reaches: true, dropped: dropNoServerID},
		{name: "RELEASE that no handler stopped", mods: typed(dhcpv4.MessageTypeRelease), chain: []handler.Handler4{grant}, reaches: true, dropped: dropNeverAnswered},
		{name: "DECLINE with netbox in the chain", mods: typed(dhcpv4.MessageTypeDecline), chain: []handler.Handler4{grant}, owns: true, reaches: true, dropped: dropNeverAnswered},
		{name: "DECLINE without", mods: typed(dhcpv4.MessageTypeDecline), chain: []handler.Handler4{grant}, dropped: DropUnhandled},
		{name: "BOOTP with netbox in the chain", chain: []handler.Handler4{grant}, owns: true, noID: true, reaches: true, answer: true},
		{name: "BOOTP without", chain: []handler.Handler4{grant}, dropped: DropUnhandled},
		{name: "option 53 twice", mods: []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.OptionDHCPMessageType, []byte{1, 1})}, chain: []handler.Handler4{grant}, owns: true, reaches: true, answer: true}, // D-0
		{name: "malformed option 53", mods: []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.OptionDHCPMessageType, nil)}, chain: []handler.Handler4{grant}, owns: true, dropped: DropUnhandled},
		{name: "OFFER from another server", mods: typed(dhcpv4.MessageTypeOffer), chain: []handler.Handler4{grant}, owns: true, dropped: DropUnhandled},
		{name: "LEASEQUERY", mods: typed(dhcpv4.MessageType(10)), chain: []handler.Handler4{grant}, owns: true, dropped: DropUnhandled},
		{name: "giaddr is a group", mods: append(typed(dhcpv4.MessageTypeDiscover), dhcpv4.WithGatewayIP(net.IPv4(224, 0, 0, 1))), chain: []handler.Handler4{grant}, dropped: dropAddress},
		{name: "ciaddr is the broadcast address", mods: append(typed(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(net.IPv4bcast)), chain: []handler.Handler4{grant}, dropped: dropAddress},
		{name: "a handler panics", mods: typed(dhcpv4.MessageTypeDiscover), chain: []handler.Handler4{func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { panic("of no consequence") }}, reaches: true, dropped: dropPanic},
		{name: "a handler drops it", mods: typed(dhcpv4.MessageTypeDiscover), chain: []handler.Handler4{func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return nil, true }}, reaches: true, dropped: dropNoReply},
		{name: "nil goes on to the next handler", mods: typed(dhcpv4.MessageTypeDiscover), chain: []handler.Handler4{
			func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return nil, false },
			func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
				if resp != nil {
					panic("a reply out of nothing")
				}
				return nil, false
			},
		}, reaches: true, dropped: dropNoReply},
		{name: "a handler that stops keeps the next from running", mods: typed(dhcpv4.MessageTypeDiscover), chain: []handler.Handler4{grant, func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return nil, true }}, reaches: true, answer: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reached atomic.Bool
			watch := func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
				if req.ClientHWAddr[5] == 1 {
					reached.Store(true)
				}
				if !tt.noID {
					resp.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1)))
				}
				return resp, false
			}
			marker := func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
				if req.ClientHWAddr[5] == 2 {
					resp.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1)))
					return grant(req, resp)
				}
				return resp, false
			}
			reg := prometheus.NewRegistry()
			// One worker: the second message is only begun when the first is done.
			s := startServer(t, Chain{OwnsDecline: tt.owns}, Options{Workers: 1, Registerer: reg}, append([]handler.Handler4{watch, marker}, tt.chain...)...)
			r := newRelay(t, s)
			r.send(message(t, 1, tt.mods...).ToBytes())
			got := r.exchange(discover(t, 2))
			if answered := got.ClientHWAddr[5] == 1; answered != tt.answer {
				t.Errorf("answered: %v, want %v", answered, tt.answer)
			}
			if tt.answer {
				r.receive() // the second one's
			}
			if reached.Load() != tt.reaches {
				t.Errorf("reached the chain: %v, want %v", reached.Load(), tt.reaches)
			}
			if tt.dropped != "" {
				if n := valueOf(t, s.meter.dropped.WithLabelValues(string(tt.dropped))); n != 1 {
					t.Errorf("dropped as %s: %v, want 1", tt.dropped, n)
				}
			}
		})
	}
}

// L-7
func TestAPanicIsLoggedOnceAndThePacketOnlyForDebugging(t *testing.T) {
	log, hook := debugLogger()
	s := startServer(t, Chain{SupplyServerID: true}, Options{Log: log, Workers: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] != 9 {
			panic("broken plugin")
		}
		return grant(req, resp)
	})
	r := newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	r.send(discover(t, 2).ToBytes())
	r.exchange(discover(t, 9))
	var errors, dumps []*logrus.Entry
	for _, e := range hook.AllEntries() {
		if e.Level == logrus.ErrorLevel {
			errors = append(errors, e)
		}
		if _, ok := e.Data["packet"]; ok {
			dumps = append(dumps, e)
		}
	}
	if len(errors) != 1 || errors[0].Data["panic"] != "broken plugin" || errors[0].Data["handler"] != 0 { // B-2
		t.Errorf("errors logged: %v", errors)
	}
	if len(dumps) != 2 || dumps[0].Level != logrus.DebugLevel || !strings.HasPrefix(dumps[0].Data["packet"].(string), "0101") {
		t.Errorf("packets dumped: %v", dumps)
	}
}

// REC-3
func TestTheIdentifierIsTheAddressTheRelayReached(t *testing.T) {
	s := startServer(t, Chain{SupplyServerID: true}, Options{}, grant)
	got := newRelay(t, s).exchange(discover(t, 1))
	if !got.ServerIdentifier().Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("option 54 is %v", got.ServerIdentifier())
	}
}

// B-1
func TestSurplusIsDroppedAndCounted(t *testing.T) {
	const workers, surplus = 2, 6
	begun, release := make(chan struct{}, workers+waitingRoom), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true}, Options{Workers: workers}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		begun <- struct{}{}
		<-release
		return grant(req, resp)
	})
	r := newRelay(t, s)
	for i := range byte(workers) {
		r.send(discover(t, i).ToBytes())
		<-begun
	}
	// All workers are busy: the room fills, then six are too many.
	for i := range waitingRoom + surplus {
		r.send(message(t, 10, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover), dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 1, byte(i >> 8), byte(i)})).ToBytes())
	}
	dropped := s.meter.dropped.WithLabelValues(string(dropSurplus))
	waitFor(t, "the surplus to be dropped", func() bool { return valueOf(t, dropped) >= surplus })
	if n := valueOf(t, s.meter.inWork); n != workers {
		t.Errorf("%v packets in work, want %d", n, workers)
	}
	close(release)
	for range workers + waitingRoom {
		r.receive()
	}
	if n := valueOf(t, dropped); n != surplus {
		t.Errorf("%v packets dropped, want %d", n, surplus)
	}
}

func TestPacketsInWorkAreFinishedBeforeServeReturns(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	log, _ := debugLogger()
	s, err := Listen(loopback0, Chain{Exchanges: new(dhcp4.Exchanges), Handlers: linked(func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		close(begun)
		<-release
		return grant(req, resp)
	}), SupplyServerID: true}, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	stop := keepServing(t, s)
	r := newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	<-begun
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	// Reading has stopped once the deadline of the socket has passed.
	waitFor(t, "the server to stop reading", func() bool {
		_, _, err := s.listeners[0].conn.ReadFromUDPAddrPort(nil)
		return err != nil
	})
	select {
	case <-stopped:
		t.Fatal("Serve returned while a packet was in work")
	default:
	}
	close(release)
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	r.receive()
}

func TestTheEndIsNotPutOffForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck sync.WaitGroup
		stuck.Add(1)
		start := time.Now()
		if err := awaitEnd(&stuck, drainTime); err == nil || time.Since(start) != drainTime {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		stuck.Done()
	})
}

func TestPacketsLostInTheKernelAreCounted(t *testing.T) {
	log, _ := debugLogger()
	s, err := Listen(loopback0, Chain{Exchanges: new(dhcp4.Exchanges), Handlers: linked(grant), SupplyServerID: true}, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(t, s)
	junk := make([]byte, 60000)
	for range 4 * receiveBuffer / len(junk) { // the kernel doubles what it is asked for
		r.send(junk)
	}
	keepServing(t, s)
	// The kernel tells with the first packet it has room for again.
	lost := s.meter.dropped.WithLabelValues(string(dropKernel))
	waitFor(t, "the count of the kernel", func() bool {
		r.send(discover(t, 1).ToBytes())
		return valueOf(t, lost) > 0
	})
}

func TestServeEndsWhenTheServerIsClosed(t *testing.T) {
	log, _ := debugLogger()
	s, err := Listen(loopback0, Chain{}, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(context.Background()) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestTwoServersInOneProcessAreIndependent(t *testing.T) {
	reg := prometheus.NewRegistry()
	s1 := startServer(t, Chain{SupplyServerID: true}, Options{Registerer: reg}, grant)
	other := net.IPv4(198, 51, 100, 7).To4()
	s2 := startServer(t, Chain{SupplyServerID: true}, Options{Registerer: prometheus.NewRegistry()}, func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		resp.YourIPAddr = other
		return resp, true
	})
	if got := newRelay(t, s1).exchange(discover(t, 1)); !got.YourIPAddr.Equal(offered) {
		t.Errorf("the first gave %v", got.YourIPAddr)
	}
	if got := newRelay(t, s2).exchange(discover(t, 1)); !got.YourIPAddr.Equal(other) {
		t.Errorf("the second gave %v", got.YourIPAddr)
	}
	if _, err := Listen(loopback0, Chain{}, Options{Log: s1.opt.Log, Registerer: reg}); err == nil {
		t.Error("two servers count into the same metrics")
	}
}

func TestARegistryCanBeUsedAgainAfterClose(t *testing.T) {
	log, _ := debugLogger()
	reg := prometheus.NewRegistry()
	for range 2 {
		s, err := Listen(loopback0, Chain{}, Options{Log: log, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// B-6, for the loop itself: run with -race.
func TestAHundredClientsAtOnceGetTheirOwnAnswers(t *testing.T) {
	const clients, rounds = 100, 20
	var exchanges dhcp4.Exchanges
	s := startServer(t, Chain{SupplyServerID: true, Exchanges: &exchanges}, Options{}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		x := exchanges.Find(req)
		x.Decided = true
		resp.YourIPAddr = net.IPv4(192, 0, 2, req.ClientHWAddr[5]).To4()
		return resp, true
	})
	var all sync.WaitGroup
	for c := range byte(clients) {
		r := newRelay(t, s)
		all.Go(func() {
			for range rounds {
				got, err := r.tryExchange(discover(t, c))
				if err != nil {
					t.Errorf("client %d: %v", c, err)
					return
				}
				if got.ClientHWAddr[5] != c || got.YourIPAddr[3] != c {
					t.Errorf("client %d got %s", c, got.Summary())
				}
			}
		})
	}
	all.Wait()
}

// L-15: what is known of a packet goes with it, also where a handler panics.
func TestAnExchangeEndsWithItsPacket(t *testing.T) {
	var exchanges dhcp4.Exchanges
	requests := make(chan *dhcpv4.DHCPv4, 4)
	s := startServer(t, Chain{SupplyServerID: true, Exchanges: &exchanges}, Options{Workers: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if requests <- req; exchanges.Find(req) == nil {
			t.Error("a handler finds no exchange")
		}
		switch req.ClientHWAddr[5] {
		case 1:
			panic("broken plugin")
		case 2:
			return nil, true
		}
		return grant(req, resp)
	})
	r := newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	r.send(discover(t, 2).ToBytes())
	r.exchange(discover(t, 3))
	r.exchange(discover(t, 4)) // the only worker has finished the others by now
	for range 3 {
		if req := <-requests; exchanges.Find(req) != nil {
			t.Errorf("the exchange of %s is still open", req.ClientHWAddr)
		}
	}
}

// waitFor polls cond; it fails the test if it does not hold in time.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// valueOf reads a counter or gauge.
func valueOf(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
