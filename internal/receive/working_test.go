package receive

import (
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// D-28, B-9: messages of a client whose earlier one is in work take no worker and
// no place in the queue, however many they are; other clients are answered, and a
// forged packet from elsewhere keeps no client's message out.
func TestASecondMessageOfAClientInWorkTakesNoWorker(t *testing.T) {
	const flood = 300 // more than wait for a worker
	begun, release := make(chan struct{}, 3), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true}, Options{Workers: 2, Waiting: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] == 1 {
			begun <- struct{}{}
			<-release
		}
		return grant(req, resp)
	})
	r, elsewhere := newRelay(t, s), newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	<-begun
	for range flood {
		r.send(discover(t, 1).ToBytes())
	}
	busy := s.meter.dropped.WithLabelValues(string(dropBusy))
	waitFor(t, "the flood to be dropped", func() bool { return valueOf(t, busy) == flood })
	if got := r.exchange(discover(t, 2)); got.ClientHWAddr[5] != 2 {
		t.Errorf("got %s", got.Summary())
	}
	elsewhere.send(discover(t, 1).ToBytes())
	<-begun
	if n := valueOf(t, busy); n != flood {
		t.Errorf("%v dropped, want %d", n, flood)
	}
	close(release)
	r.receive()
	elsewhere.receive()
	r.exchange(discover(t, 1)) // the client is free again
}

// A client that sends again as soon as it has its reply is never taken for one
// whose message is in work.
func TestTheNextMessageMayComeWithTheReply(t *testing.T) {
	s := startServer(t, Chain{SupplyServerID: true}, Options{}, grant)
	r := newRelay(t, s)
	for range 500 {
		r.exchange(discover(t, 1))
	}
	if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropBusy))); n != 0 {
		t.Errorf("%v messages dropped", n)
	}
}

func TestWhoAClientIsBeforeItsMessageIsDecoded(t *testing.T) {
	from := newPacket(t, discover(t, 1).ToBytes())
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
		same   bool
		none   bool
	}{
		{"the same", func(b []byte) []byte { return b }, true, false},
		{"another transaction", func(b []byte) []byte { b[4]++; return b }, true, false},
		{"behind another relay", func(b []byte) []byte { b[27]++; return b }, true, false},
		{"what lies behind the address does not count", func(b []byte) []byte { b[28+6] = 9; return b }, true, false},
		{"another hardware address", func(b []byte) []byte { b[33]++; return b }, false, false},
		{"more bytes of it", func(b []byte) []byte { b[2], b[28+6] = 7, 9; return b }, false, false},
		{"no hardware address", func(b []byte) []byte { b[2] = 0; return b }, false, true},
		{"one of zeros", func(b []byte) []byte { clear(b[28:44]); return b }, false, true},
		{"one that is too long", func(b []byte) []byte { b[2] = 17; return b }, false, true},
		{"a datagram that is too short", func(b []byte) []byte { return b[:43] }, false, true},
		{"nothing", func([]byte) []byte { return nil }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := newPacket(t, c.change(discover(t, 1).ToBytes()))
			first, second := clientOf(from.bytes(), from.source), clientOf(other.bytes(), other.source)
			if (first == second) != c.same || (second == client{}) != c.none {
				t.Errorf("same %v, none %v", first == second, second == client{})
			}
			var w working
			begin := func(p *packet) uint32 { w.begin(p); return p.turn.Load() }
			if begin(from) != turnNow || (begin(other) == turnNow) == c.same {
				t.Error("begin does not go by the client")
			}
			w.end(from)
			if other.turn.Load() != turnNow {
				t.Error("its turn has not come")
			}
			w.end(other)
			if begin(other) != turnNow {
				t.Error("the client is still in work")
			}
			w.end(from) // a second time: the other one's mark stays
			w.handOn(from)
			if again := begin(newPacket(t, other.bytes())); (again == turnNow) != c.none || again == turnNever {
				t.Error("the mark of another packet was taken away")
			}
			w.handOn(other)
			if again := begin(newPacket(t, other.bytes())); (again == turnNow) != c.none || again == turnLater {
				t.Error("a worker has it, and it is taken for a reader's")
			}
			w.end(other)
		})
	}
}

// newPacket is a datagram as it is read.
func newPacket(t *testing.T, datagram []byte) *packet {
	t.Helper()
	p := &packet{source: (&net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 67}).AddrPort()}
	p.n = copy(p.buf[:], datagram)
	return p
}
