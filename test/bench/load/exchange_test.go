package load

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func address(client uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], 10<<24+client)
	return netip.AddrFrom4(raw)
}

// known are clients that must each get the address of their number.
func known(count int) Clients {
	return Clients{First: 1, Count: count, Known: true, Right: func(client uint32, a netip.Addr) bool { return a == address(client) }}
}

var giaddr = netip.MustParseAddr("10.0.0.1")

const patience = time.Second

// begun is a run of which so many exchanges were started.
func begun(clients Clients, count int) *run {
	r := newRun(clients, giaddr, 100, count)
	r.patience = patience
	for i := range count {
		r.discover(make([]byte, mtu), i, 1)
		r.began.Add(1)
	}
	return r
}

// answer is what a server says to the message of exchange i.
func answer(t *testing.T, r *run, i int, kind dhcpv4.MessageType, yiaddr netip.Addr, more ...dhcpv4.Modifier) []byte {
	t.Helper()
	b := make([]byte, mtu)
	req, err := dhcpv4.FromBytes(b[:writeMessage(b, discover, r.first+uint32(i), r.giaddr, r.client(i), nil, nil)])
	if err != nil {
		t.Fatal(err)
	}
	resp, err := dhcpv4.NewReplyFromRequest(req, append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(yiaddr.AsSlice()), dhcpv4.WithServerIP(yiaddr.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier([]byte{192, 0, 2, 1}))}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return resp.ToBytes()
}

func TestMessagesAreThoseOfARelayedClient(t *testing.T) {
	b := make([]byte, mtu)
	for i := range b {
		b[i] = 0xEE // of the message before
	}
	n := writeMessage(b, request, 7, 0x0A000001, 0x01020304, []byte{10, 1, 2, 3}, []byte{192, 0, 2, 1})
	m, err := dhcpv4.FromBytes(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	if m.MessageType() != dhcpv4.MessageTypeRequest || m.HopCount != 1 || m.ClientHWAddr.String() != "02:00:01:02:03:04" ||
		m.GatewayIPAddr.String() != "10.0.0.1" || m.RequestedIPAddress().String() != "10.1.2.3" || m.ServerIdentifier().String() != "192.0.2.1" ||
		m.TransactionID != [4]byte{0, 0, 0, 7} || n != shortest {
		t.Errorf("%d bytes: %s", n, m.Summary())
	}
}

func TestExchangeGoesFromOfferToAck(t *testing.T) {
	r := begun(known(3), 3)
	next := make([]byte, mtu)
	n, ended := r.take(answer(t, r, 1, dhcpv4.MessageTypeOffer, address(2)), next)
	if n == 0 || ended {
		t.Fatalf("after the OFFER: %d bytes to send, ended %v: %s", n, ended, r.complaint)
	}
	req, err := dhcpv4.FromBytes(next[:n])
	if err != nil || req.MessageType() != dhcpv4.MessageTypeRequest || !req.RequestedIPAddress().Equal(address(2).AsSlice()) {
		t.Fatalf("%v: %v", err, req)
	}
	if n, ended := r.take(answer(t, r, 1, dhcpv4.MessageTypeAck, address(2)), next); n != 0 || !ended {
		t.Errorf("after the ACK: %d bytes to send, ended %v", n, ended)
	}
	if s := r.result(); s.Done() != 1 || s.Started != 3 || s.Err() != nil || s.Repeated != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWrongRepliesAreToldApart(t *testing.T) {
	give := func(client, to uint32) func(*testing.T, *run) []byte {
		return func(t *testing.T, r *run) []byte {
			r.exchanges[client-1].offered, r.exchanges[client-1].address = 1, address(to).As4()
			return answer(t, r, int(client-1), dhcpv4.MessageTypeAck, address(to))
		}
	}
	any := known(9)
	any.Right = func(uint32, netip.Addr) bool { return true }
	for name, c := range map[string]struct {
		clients Clients
		first   func(*testing.T, *run) []byte // a reply before, all right
		reply   func(*testing.T, *run) []byte
		want    string
	}{
		"no reply": {known(9), nil, func(t *testing.T, r *run) []byte { return make([]byte, 300) }, "no DHCP reply"},
		"short":    {known(9), nil, func(t *testing.T, r *run) []byte { return []byte{2} }, "no DHCP reply"},
		"not begun": {known(9), nil, func(t *testing.T, r *run) []byte {
			return answer(t, r, 8, dhcpv4.MessageTypeOffer, address(9))
		}, "transaction 8 was not begun"},
		"another client": {known(9), nil, func(t *testing.T, r *run) []byte {
			return answer(t, r, 0, dhcpv4.MessageTypeOffer, address(1), dhcpv4.WithHwAddr([]byte{2, 0, 0, 0, 0, 9}))
		}, "is answered to 02 00 00 00 00 09"},
		"no server": {known(9), nil, func(t *testing.T, r *run) []byte {
			return answer(t, r, 0, dhcpv4.MessageTypeOffer, address(1), dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier))
		}, "no message type or server identifier"},
		"another's address": {known(9), nil, func(t *testing.T, r *run) []byte {
			return answer(t, r, 0, dhcpv4.MessageTypeOffer, address(2))
		}, "client 1 is offered 10.0.0.2"},
		"not what was offered": {known(9), nil, func(t *testing.T, r *run) []byte {
			r.exchanges[0].offered, r.exchanges[0].address = 1, address(1).As4()
			return answer(t, r, 0, dhcpv4.MessageTypeAck, address(2))
		}, "client 1 is offered 10.0.0.1 and given 10.0.0.2"},
		"given twice": {any, give(1, 7), give(2, 7), "10.0.0.7 is given to clients 1 and 2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := begun(c.clients, 5)
			if c.first != nil {
				r.take(c.first(t, r), make([]byte, mtu))
			}
			if r.wrong != 0 {
				t.Fatal(r.complaint)
			}
			r.take(c.reply(t, r), make([]byte, mtu))
			if err := r.result().Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestRepliesThatMeanNothingAnyMore(t *testing.T) {
	r := begun(known(3), 3)
	next := make([]byte, mtu)
	offered := answer(t, r, 0, dhcpv4.MessageTypeOffer, address(1))
	r.take(offered, next)
	if n, ended := r.take(offered, next); n != 0 || ended || r.repeated != 1 {
		t.Errorf("a second OFFER: %d bytes to send, ended %v, repeated %d", n, ended, r.repeated)
	}
	if _, ended := r.take(answer(t, r, 1, dhcpv4.MessageTypeNak, netip.IPv4Unspecified()), next); !ended || r.naks != 1 {
		t.Errorf("a NAK: ended %v, counted %d", ended, r.naks)
	}
	old := begun(known(3), 3)
	old.first -= 3
	if n, ended := r.take(answer(t, old, 0, dhcpv4.MessageTypeOffer, address(1)), next); n != 0 || ended {
		t.Errorf("an OFFER of the run before: %d bytes to send, ended %v", n, ended)
	}
	r.exchanges[2].started = -2 * patience
	if oldest, given := r.expire(2); oldest != 3 || given != 1 {
		t.Fatalf("given up to %d: %d", oldest, given)
	}
	if n, ended := r.take(answer(t, r, 2, dhcpv4.MessageTypeOffer, address(3)), next); n != 0 || ended {
		t.Errorf("an OFFER that comes too late: %d bytes to send, ended %v", n, ended)
	}
	if s := r.result(); s.Done() != 0 || s.Err() != nil || s.Loss() != 1 {
		t.Errorf("%+v", s)
	}
}

func TestExpireStopsAtTheFirstThatMayStillEnd(t *testing.T) {
	r := begun(known(4), 4)
	for i, started := range []time.Duration{-2 * patience, -2 * patience, time.Hour, -2 * patience} {
		r.exchanges[i].started = started
	}
	r.exchanges[0].acked = 1
	if oldest, given := r.expire(0); oldest != 2 || given != 1 {
		t.Errorf("went to %d and gave up %d", oldest, given)
	}
}

func TestLateAckIsALoss(t *testing.T) {
	r := begun(known(2), 2)
	r.exchanges[0].acked, r.exchanges[1].acked = 1+patience, 2+patience
	if s := r.result(); s.Done() != 1 || s.Loss() != 0.5 {
		t.Errorf("%d of %d done", s.Done(), s.Started)
	}
}

func TestOptionIsFound(t *testing.T) {
	m := make([]byte, atOptions)
	m = append(m, 0, 0, 53, 1, 2, 54, 4, 1, 2, 3, 4, 255, 12, 1, 'x')
	for code, want := range map[byte][]byte{53: {2}, 54: {1, 2, 3, 4}, 12: nil, 1: nil} {
		if got := option(m, code); !slices.Equal(got, want) {
			t.Errorf("option %d: %v, want %v", code, got, want)
		}
	}
	for cut := range m {
		option(m[:cut], 12)
	}
}

// Nothing that a server sends stops the load.
func FuzzTake(f *testing.F) {
	f.Add(make([]byte, 300))
	b := make([]byte, mtu)
	n := writeMessage(b, request, 100, 0x0A000001, 1, []byte{10, 0, 0, 1}, []byte{192, 0, 2, 1})
	b[0] = 2
	f.Add(b[:n])
	f.Fuzz(func(t *testing.T, reply []byte) {
		r := begun(known(2), 2)
		next := make([]byte, mtu)
		if n, ended := r.take(reply, next); n > 0 && ended {
			t.Error("an exchange that has ended goes on")
		} else if n > 0 {
			if _, err := dhcpv4.FromBytes(next[:n]); err != nil {
				t.Errorf("the load sends what is no message: %v", err)
			}
		}
	})
}
