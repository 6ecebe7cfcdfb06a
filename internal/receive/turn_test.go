package receive

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// B-11: the loop comes round without packets, and between them without losing one.
func TestTheLoopTurnsPacketsOrNot(t *testing.T) {
	s := startServer(t, Chain{SupplyServerID: true}, Options{}, grant)
	for range 50 {
		if err := s.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r := newRelay(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	turning := make(chan error)
	go func() {
		var err error
		for err == nil {
			err = s.Turn(ctx)
		}
		turning <- err
	}()
	for range 300 {
		r.exchange(discover(t, 1))
	}
	cancel()
	if err := <-turning; !errors.Is(err, context.Canceled) {
		t.Errorf("turned until %v", err)
	}
}

// B-11: a worker that never comes back is noticed as soon as packets wait for it.
func TestALoopWhoseWorkersHangDoesNotTurn(t *testing.T) {
	begun, release := make(chan struct{}, 2), make(chan struct{})
	s := startServer(t, Chain{SupplyServerID: true}, Options{Workers: 1}, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		begun <- struct{}{}
		<-release
		return grant(req, resp)
	})
	r := newRelay(t, s)
	r.send(discover(t, 1).ToBytes())
	<-begun
	if err := s.Turn(t.Context()); err != nil {
		t.Errorf("one packet in work, none waits: %v", err)
	}
	r.send(discover(t, 2).ToBytes())
	waitFor(t, "a packet to wait", func() bool { return len(s.jobs) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a packet waits for a worker that hangs: %v", err)
	}
	close(release)
	if err := s.Turn(t.Context()); err != nil {
		t.Errorf("the worker came back: %v", err)
	}
	r.receive()
	r.receive()
}

// B-11: a reader that is gone is noticed.
func TestALoopThatDoesNotReadDoesNotTurn(t *testing.T) {
	log, _ := debugLogger()
	s, err := Listen(loopback0, Chain{}, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no reader: %v", err)
	}
}

// The end of Serve is not lost between two turns.
func TestServeEndsWhileItTurns(t *testing.T) {
	log, _ := debugLogger()
	for range 50 {
		s, err := Listen(loopback0, Chain{}, Options{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		stop := keepServing(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		first, turning := make(chan struct{}, 1), make(chan struct{})
		go func() {
			defer close(turning)
			for s.Turn(ctx) == nil {
				select {
				case first <- struct{}{}:
				default:
				}
			}
		}()
		<-first
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-turning
	}
}
