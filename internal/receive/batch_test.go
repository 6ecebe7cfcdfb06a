package receive

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

func always(*dhcp4.Packet) bool { return true }

// B-14: what waits for nothing is answered while every worker waits, and each place
// for a packet that waits is taken.
func TestWhatWaitsForNothingNeedsNoWorker(t *testing.T) {
	release := make(chan struct{})
	slow := func(req *dhcpv4.DHCPv4) bool { return req.ClientHWAddr[5] < 100 }
	s := startServer(t, Chain{SupplyServerID: true, Prompt: func(req *dhcp4.Packet) bool { return !slow(req.Library()) }}, Options{Workers: 1, Waiting: 1},
		func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			if slow(req) {
				<-release
			}
			return grant(req, resp)
		})
	stuck, r := newRelay(t, s), newRelay(t, s)
	for i := range byte(3) { // two have a worker, one waits
		stuck.send(discover(t, 1+i).ToBytes())
	}
	waitFor(t, "the workers to be stuck", func() bool { return s.begun.Load() == 3 && len(s.jobs) == 1 })
	for i := range byte(100) {
		if got := r.exchange(discover(t, 100+i)); got.ClientHWAddr[5] != 100+i {
			t.Fatalf("got %s", got.Summary())
		}
	}
	close(release)
	for range 3 {
		stuck.receive()
	}
}

// B-14: a handler that would have to wait gets the message once more, where it may,
// and the message counts once.
func TestAMessageThatHasToWaitRunsAgainInAWorker(t *testing.T) {
	exchanges := new(dhcp4.Exchanges)
	var prompt, patient atomic.Int32
	s := startServer(t, Chain{SupplyServerID: true, Exchanges: exchanges, Prompt: always}, Options{}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		x := exchanges.Find(req)
		if x.Prompt {
			prompt.Add(1)
			x.Waits = true
			return nil, true
		}
		patient.Add(1)
		return grant(req, resp)
	})
	r := newRelay(t, s)
	for range 3 { // of one client, which is free again each time
		r.exchange(discover(t, 1))
	}
	if prompt.Load() != 3 || patient.Load() != 3 {
		t.Errorf("%d runs that must not wait, %d that may", prompt.Load(), patient.Load())
	}
	if n := valueOf(t, s.meter.received.WithLabelValues("DISCOVER")); n != 3 {
		t.Errorf("%v messages are counted", n)
	}
	if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropNoReply))); n != 0 {
		t.Errorf("%v are counted as dropped", n)
	}
}

// B-14, B-1: without a place to wait the message is dropped, and its client is free.
func TestAMessageThatHasToWaitMayFindNoPlace(t *testing.T) {
	release := make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true, Prompt: func(*dhcp4.Packet) bool { return false }}, Options{Workers: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		<-release
		return grant(req, resp)
	})
	r := newRelay(t, s)
	surplus := s.meter.dropped.WithLabelValues(string(dropSurplus))
	const more = 20
	numbered := func(i int) *dhcpv4.DHCPv4 {
		m := discover(t, byte(i))
		m.ClientHWAddr[4] = byte(i >> 8)
		return m
	}
	for i := range 1 + waitingRoom + more {
		r.send(numbered(i).ToBytes())
	}
	waitFor(t, "what is too much to be dropped", func() bool { return valueOf(t, surplus) == more })
	close(release)
	for range 1 + waitingRoom {
		r.receive()
	}
	for i := range more { // which were dropped before
		last := numbered(1 + waitingRoom + i)
		if got := r.exchange(last); got.ClientHWAddr.String() != last.ClientHWAddr.String() || got.TransactionID != last.TransactionID {
			t.Errorf("the answer to %s is %s", last.Summary(), got.Summary())
		}
	}
}

// B-3: a panic costs one packet, in the reader, too.
func TestAPanicInTheReaderCostsOnePacket(t *testing.T) {
	s := startServer(t, Chain{SupplyServerID: true, Prompt: always}, Options{}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] == 1 {
			panic("a fault of the handler")
		}
		return grant(req, resp)
	})
	r := newRelay(t, s)
	for range 2 { // its client is free again
		r.send(discover(t, 1).ToBytes())
		r.exchange(discover(t, 2))
	}
	if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropPanic))); n != 2 {
		t.Errorf("%v panics are counted", n)
	}
}

// B-14: many replies leave together, and the way of each is its own. One that cannot
// leave costs none of the others theirs.
func TestOneReplyThatCannotLeaveCostsNoOther(t *testing.T) {
	log, _ := debugLogger()
	m, err := newMeter(nil, log)
	if err != nil {
		t.Fatal(err)
	}
	from, err := net.ListenUDP("udp4", &loopback0[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	raw, err := from.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const replies = 3 * maxSend
	var receivers [3]*net.UDPConn
	for i := range receivers {
		if receivers[i], err = net.ListenUDP("udp4", &loopback0[0]); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = receivers[i].Close() }()
	}
	nowhere := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	out := &outbox{conn: raw, meter: m}
	want := [len(receivers)]int{}
	bad := 0
	for i := range replies {
		to := receivers[i%len(receivers)].LocalAddr().(*net.UDPAddr).AddrPort()
		if i == 0 || i == 1 || i == maxSend-1 || i == replies/2 || i == replies-1 {
			to = nowhere
			bad++
		} else {
			want[i%len(receivers)]++
		}
		reply := discover(t, byte(i))
		out.add(outgoing{reply: dhcp4.Of(reply), row: "relay", wire: reply.ToBytes(), control: sendControl(nil, netip.Addr{}, 0), to: to})
	}
	out.flush()
	out.flush() // with nothing left
	if n := valueOf(t, m.dropped.WithLabelValues(string(dropSend))); n != float64(bad) {
		t.Errorf("%v replies could not leave, want %d", n, bad)
	}
	if n := valueOf(t, m.replies.WithLabelValues("DISCOVER", "relay")); n != float64(replies-bad) {
		t.Errorf("%v replies left, want %d", n, replies-bad)
	}
	for i, conn := range receivers {
		r := &relay{t: t, conn: conn}
		for range want[i] {
			if got := r.receive(); int(got.ClientHWAddr[5])%len(receivers) != i {
				t.Errorf("receiver %d got the reply of client %d", i, got.ClientHWAddr[5])
			}
		}
	}
}
