package load

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// serve answers with the library until the test ends. It leaves out messages
// that silent asks it to leave out.
func serve(t *testing.T, silent func(client uint32) bool) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		b := make([]byte, mtu)
		for {
			n, from, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			if reply := served(b[:n], silent); reply != nil {
				_, _ = conn.WriteToUDP(reply, from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func served(message []byte, silent func(client uint32) bool) []byte {
	req, err := dhcpv4.FromBytes(message)
	if err != nil {
		return nil
	}
	client := uint32(req.ClientHWAddr[4])<<8 | uint32(req.ClientHWAddr[5])
	if silent(client) {
		return nil
	}
	kind := dhcpv4.MessageTypeOffer
	if req.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
	}
	resp, err := dhcpv4.NewReplyFromRequest(req, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(address(client).AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1))))
	if err != nil {
		return nil
	}
	return resp.ToBytes()
}

func dial(t *testing.T, silent func(client uint32) bool) *Relay {
	t.Helper()
	r, err := Dial(serve(t, silent), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.Patience = time.Minute // a busy machine is no loss
	return r
}

func nobody(uint32) bool { return false }

func TestClosedLoopServesEveryClientOnce(t *testing.T) {
	r := dial(t, nobody)
	clients := known(500)
	clients.Known = false
	for run := range 2 { // the second must not count answers to the first
		result, err := r.Closed(t.Context(), clients, 16, 10_000, time.Minute)
		if err != nil || result.Err() != nil {
			t.Fatal(err, result.Err())
		}
		if result.Started != 500 || result.Done() != 500 || result.Rate() <= 0 || result.Whole(0.5) < result.Offer(0.5) {
			t.Errorf("run %d: %+v, %d done", run, result, result.Done())
		}
	}
}

func TestClosedLoopEndsWithItsTime(t *testing.T) {
	result, err := dial(t, nobody).Closed(t.Context(), known(10), 4, manyMore, 50*time.Millisecond)
	if err != nil || result.Err() != nil || result.Done() != result.Started || result.Started >= manyMore {
		t.Errorf("%v: %+v", err, result)
	}
}

const manyMore = 1 << 20

func TestClosedLoopGoesOnPastThoseThatGetNoAnswer(t *testing.T) {
	r := dial(t, func(client uint32) bool { return client%10 == 0 })
	r.Patience = 200 * time.Millisecond
	result, err := r.Closed(t.Context(), known(100), 8, 100, time.Minute)
	if err != nil || result.Err() != nil || result.Started != 100 || result.Done() > 90 {
		t.Errorf("%v: %+v, %d done", err, result, result.Done())
	}
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	result, err := dial(t, nobody).Open(t.Context(), known(50), 400, 250*time.Millisecond)
	if err != nil || result.Err() != nil || result.Started != 100 || result.Done() != 100 {
		t.Fatalf("%v: %+v", err, result)
	}
	if result.Took < 240*time.Millisecond {
		t.Errorf("100 exchanges at 400 a second took %v", result.Took)
	}
}

func TestOpenLoopDoesNotWaitForAnswers(t *testing.T) {
	r := dial(t, func(client uint32) bool { return client > 10 })
	r.Patience = 200 * time.Millisecond
	result, err := r.Open(t.Context(), known(100), 1000, 100*time.Millisecond)
	if err != nil || result.Err() != nil || result.Started != 100 || result.Done() > 10 || result.Sustained(1000) {
		t.Errorf("%v: %+v, %d done", err, result, result.Done())
	}
}

func TestLoadEndsWhenItIsCancelled(t *testing.T) {
	r := dial(t, nobody)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Closed(ctx, known(10), 4, manyMore, time.Hour); err == nil {
		t.Error("the closed loop went on")
	}
	if _, err := r.Open(ctx, known(10), 10, time.Hour); err == nil {
		t.Error("the open loop went on")
	}
}
