package receive

import (
	"context"
	"fmt"
	"time"
)

// Turn returns when the loop has come round once, packets or not: each reader
// was woken and reads on, and workers finish what there is. An error says which
// of them did not before ctx ended. One caller at a time, while Serve runs.
func (s *Server) Turn(ctx context.Context) error {
	for _, l := range s.listeners {
		select {
		case <-l.turned: // of a call that gave up
		default:
		}
		if err := l.conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
			return fmt.Errorf("wake the reader of %s: %w", l.conn.LocalAddr(), err)
		}
	}
	for _, l := range s.listeners {
		select {
		case <-l.turned:
		case <-ctx.Done():
			return fmt.Errorf("the reader of %s does not come round: %w", l.conn.LocalAddr(), ctx.Err())
		}
	}
	if err := s.readersTurn(ctx); err != nil {
		return err
	}
	return s.workersTurn(ctx)
}

// readersTurn waits until each reader has finished what it is answering.
func (s *Server) readersTurn(ctx context.Context) error {
	for _, r := range s.readers {
		for begun := r.rounds.Load(); begun%2 == 1 && r.rounds.Load() == begun; {
			select {
			case <-time.After(often):
			case <-ctx.Done():
				return fmt.Errorf("a reader of %s does not finish what it answers: %w", r.l.conn.LocalAddr(), ctx.Err())
			}
		}
	}
	return nil
}

// often is how long it takes to notice that something is finished.
const often = 10 * time.Millisecond

// workersTurn waits until no packet waits for a worker, or one is finished.
func (s *Server) workersTurn(ctx context.Context) error {
	before := s.finished.Load()
	for len(s.jobs) > 0 && s.finished.Load() == before {
		select {
		case <-time.After(often):
		case <-ctx.Done():
			return fmt.Errorf("packets wait and no worker finishes one: %w", ctx.Err())
		}
	}
	return nil
}

// readsOn is where a reader goes when it was woken: it reports false at the end,
// and else tells Turn that it is alive.
func (l *listener) readsOn(ctx context.Context) bool {
	if ctx.Err() != nil || l.conn.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	if ctx.Err() != nil { // the deadline just taken away may be that of the end
		_ = l.conn.SetReadDeadline(time.Unix(1, 0)) // for the other readers; fails only if closed
		return false
	}
	select {
	case l.turned <- struct{}{}:
	default:
	}
	return true
}
