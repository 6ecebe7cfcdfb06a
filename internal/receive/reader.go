package receive

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// maxReaders is how many readers one socket has at most. They take in and decide in
// turn, so that more of them would mostly wait for each other.
const maxReaders = 4

// reader answers what one socket receives, or hands it on. Several readers of a socket
// take in packets in turn, and answer them side by side; the messages of one client
// are answered one after another, in the order in which they came (D-28).
type reader struct {
	*Server
	l *listener
	// rounds counts the beginnings and ends of what is answered: it is odd meanwhile.
	rounds atomic.Uint64
}

// newReaders has several for each socket where readers answer themselves (B-14).
func (s *Server) newReaders() []*reader {
	n := s.opt.Readers
	if n == 0 {
		n = min(runtime.NumCPU(), runtime.GOMAXPROCS(0), maxReaders)
	}
	if s.chain.Prompt == nil {
		n = 1
	}
	var readers []*reader
	for _, l := range s.listeners {
		for range n {
			readers = append(readers, &reader{Server: s, l: l})
		}
	}
	return readers
}

// read works until the socket is closed, or its read deadline passes at the end.
func (r *reader) read(ctx context.Context) {
	in, out := newInbox(r.l.raw), r.newOutbox(r.l)
	for {
		n, err := r.takeIn(in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && r.l.readsOn(ctx):
			continue
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			r.meter.receiveFailed(err)
			select {
			case <-ctx.Done():
			case <-time.After(readPause):
			}
			continue
		}
		r.rounds.Add(1)
		r.answer(in, n, out)
		out.flush()
		r.parked.wake()
		r.rounds.Add(1)
	}
}

// takeIn waits for its turn and for packets, and notes for each whether its client
// has an earlier message in work.
func (r *reader) takeIn(in *inbox) (n int, err error) {
	l := r.l
	l.intake.Lock()
	defer l.intake.Unlock()
	if n, err = in.receive(r.packet); err != nil {
		return 0, err
	}
	at := time.Now()
	for _, p := range in.packets[:n] {
		p.via, p.at, p.req = l, at, nil
		if p.lost != 0 && p.lost != l.lost {
			r.meter.lostInKernel(p.lost - l.lost)
			l.lost = p.lost
		}
		r.working.begin(p)
	}
	return n, nil
}

// answer handles n packets, and last those that have to come after others.
func (r *reader) answer(in *inbox, n int, out *outbox) {
	in.later = in.later[:0]
	for i, p := range in.packets[:n] {
		if p.turn.Load() == turnLater {
			in.later = append(in.later, i)
		} else if !r.take(p, out) {
			in.packets[i] = nil
		}
	}
	for _, i := range in.later {
		p := in.packets[i]
		out.flush() // another reader, or this one, may wait for these replies
		r.working.await(p)
		if !r.take(p, out) {
			in.packets[i] = nil
		}
	}
}
