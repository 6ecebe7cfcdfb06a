package receive

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// B-14, D-28: several readers answer side by side, and the messages of one client in
// the order in which they came.
func TestReadersAnswerOneClientInOrder(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true, Prompt: always}, Options{Readers: 4}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] == 1 && req.NumSeconds == 0 {
			close(begun)
			<-release
		}
		return grant(req, resp)
	})
	one, others := newRelay(t, s), newRelay(t, s)
	const messages = 3 // of which each keeps a reader
	numbered := func(n int) []byte {
		m := discover(t, 1)
		m.NumSeconds, m.TransactionID[0] = uint16(n), byte(n)
		return m.ToBytes()
	}
	one.send(numbered(0))
	<-begun
	for n := 1; n < messages; n++ {
		one.send(numbered(n))
	}
	for i := range byte(100) {
		if got := others.exchange(discover(t, 2+i)); got.ClientHWAddr[5] != 2+i {
			t.Fatalf("got %s", got.Summary())
		}
	}
	close(release)
	for n := range messages {
		if got := one.receive(); got.TransactionID[0] != byte(n) {
			t.Errorf("reply %d is to message %d", n, got.TransactionID[0])
		}
	}
	if n := valueOf(t, s.meter.dropped.WithLabelValues(string(dropBusy))); n != 0 {
		t.Errorf("%v messages are dropped", n)
	}
}

// D-28: messages of one client that are taken in at once are answered one after
// another.
func TestMessagesOfOneClientTakenInTogether(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true, Prompt: always}, Options{Readers: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] == 99 {
			close(begun)
			<-release
		}
		return grant(req, resp)
	})
	r := newRelay(t, s)
	r.send(discover(t, 99).ToBytes())
	<-begun
	var sent [3][3]*dhcpv4.DHCPv4 // of three clients
	for n := range sent {
		for c := range sent[n] {
			m := discover(t, byte(1+c))
			m.TransactionID[0] = byte(n)
			sent[n][c] = m
			r.send(m.ToBytes())
		}
	}
	close(release)
	r.receive()
	var next [4]byte
	for range 9 {
		got := r.receive()
		if client := got.ClientHWAddr[5]; got.TransactionID[0] != next[client] {
			t.Errorf("client %d: the reply to message %d comes where that to %d should", client, got.TransactionID[0], next[client])
		} else {
			next[client]++
		}
	}
}

// B-11: a reader that does not come back is noticed, although others read on.
func TestALoopWithAReaderThatHangsDoesNotTurn(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true, Prompt: always}, Options{Readers: 2}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if req.ClientHWAddr[5] == 1 {
			close(begun)
			<-release
		}
		return grant(req, resp)
	})
	r := newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a reader hangs: %v", err)
	}
	close(release)
	r.receive()
	if err := s.Turn(t.Context()); err != nil {
		t.Error(err)
	}
}

// B-14: there is a reader for each processor where readers answer, and one where
// workers do.
func TestHowManyReadersThereAre(t *testing.T) {
	want := min(runtime.NumCPU(), runtime.GOMAXPROCS(0), maxReaders)
	for _, c := range []struct {
		name   string
		prompt func(*dhcp4.Packet) bool
		asked  int
		want   int
	}{
		{"workers answer", nil, 0, 1},
		{"workers answer, and more are asked for", nil, 3, 1},
		{"readers answer", always, 0, want},
		{"as many as are asked for", always, 3, 3},
	} {
		if n := len(startServer(t, Chain{SupplyServerID: true, Prompt: c.prompt}, Options{Readers: c.asked}, grant).readers); n != c.want {
			t.Errorf("%s: %d readers, want %d", c.name, n, c.want)
		}
	}
}
