package receive

import (
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// sentFrom is a relay of 127.0.0.1 that sends from another address.
func sentFrom(t *testing.T, s *Server, address string) *relay {
	t.Helper()
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address)}, net.UDPAddrFromAddrPort(s.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &relay{t: t, conn: conn}
}

// flood sends the DISCOVERs of n clients, from client on, each once.
func flood(t *testing.T, client, n int, by ...*relay) {
	t.Helper()
	for i := range n {
		m := discover(t, 0)
		m.ClientHWAddr = net.HardwareAddr{2, 0, 1, 0, byte((client + i) >> 8), byte(client + i)}
		by[i%len(by)].send(m.ToBytes())
	}
}

// N-13: while places are scarce, one sender that is not the relay it names has a
// share of them, and all such senders have half; relays and clients that send
// themselves find the rest.
func TestSendersThatAreNoRelayHaveAShare(t *testing.T) {
	for name, c := range map[string]struct {
		senders int
		sent    int
		most    int // in work then
	}{
		"one that floods":         {senders: 1, sent: 600, most: waitingRoom/2 + 4},
		"many that flood":         {senders: 30, sent: 900, most: (4+waitingRoom)/2 + 64},
		"one that sends a little": {senders: 1, sent: 100, most: 100},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			var begun atomic.Int32
			s := startServer(t, Chain{SupplyServerID: true}, Options{Workers: 4}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
				if req.ClientHWAddr[2] == 1 {
					begun.Add(1)
					<-release
				}
				return grant(req, resp)
			})
			var by []*relay
			for i := range c.senders {
				by = append(by, sentFrom(t, s, fmt.Sprintf("127.0.1.%d", i+1)))
			}
			relay := newRelay(t, s)
			flood(t, 0, c.sent, by...)
			refused := func() int { return int(valueOf(t, s.meter.dropped.WithLabelValues(string(dropSender)))) }
			inWork := func() int { return int(s.senders.total.Load()) }
			waitFor(t, "the flood to be read", func() bool { return refused()+inWork() == c.sent })
			if n := inWork(); n > c.most {
				t.Errorf("%d are in work, want at most %d", n, c.most)
			}
			if n := refused(); (n == 0) != (c.sent == c.most) {
				t.Errorf("%d were refused", n)
			}
			relay.send(discover(t, 7).ToBytes())
			close(release)
			if got := relay.receive(); got.ClientHWAddr[5] != 7 {
				t.Errorf("got %s", got.Summary())
			}
			if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropSurplus))); n != 0 {
				t.Errorf("%v packets found no place", n)
			}
			waitFor(t, "all shares to be given back", func() bool { return inWork() == 0 })
			for i := range s.senders.parts {
				if n := s.senders.parts[i].Load(); n != 0 {
					t.Errorf("part %d has %d left", i, n)
				}
			}
		})
	}
}

// N-13: the flood of one sender takes nothing from another one.
func TestAnotherSenderKeepsItsShare(t *testing.T) {
	s := &senders{seed: maphash.MakeSeed()}
	from := func(source string) *packet {
		p := newPacket(t, discover(t, 1).ToBytes())
		p.source = netip.AddrPortFrom(netip.MustParseAddr(source), 67)
		return p
	}
	for range senderShare {
		if !s.begin(from("192.0.2.1"), true, 100) {
			t.Fatal("within its share it is refused")
		}
	}
	if s.begin(from("192.0.2.1"), true, 100) {
		t.Error("what is too much is taken")
	}
	if !s.begin(from("192.0.2.1"), false, 100) {
		t.Error("it is refused while there is room")
	}
	if s.partOf(from("192.0.2.1").bytes(), netip.MustParseAddr("192.0.2.2")) != s.partOf(from("192.0.2.1").bytes(), netip.MustParseAddr("192.0.2.1")) {
		if !s.begin(from("192.0.2.2"), true, 100) {
			t.Error("another sender is refused")
		}
	}
	for range 100 {
		if !s.begin(from("127.0.0.1"), true, 100) {
			t.Fatal("the relay itself is refused")
		}
	}
	direct := newPacket(t, discover(t, 1).ToBytes())
	clear(direct.buf[offsetGiaddr : offsetGiaddr+4])
	if s.partOf(direct.bytes(), direct.source.Addr()) != 0 || s.partOf(direct.buf[:offsetGiaddr+3], direct.source.Addr()) != 0 {
		t.Error("a client, or a datagram that is too short, counts as a relay's")
	}
}
