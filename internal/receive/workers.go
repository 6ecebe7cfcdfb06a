package receive

import (
	"fmt"
	"sync"
	"time"
)

// work does all for one packet that may wait.
func (s *Server) work(p *packet) {
	if s.handle(p, nil) == answered {
		s.finish(p)
	} else {
		s.parked.wake()
	}
	s.finished.Add(1)
}

// relieve starts one more worker if more packets are in work or wait than there
// are workers. They are not kept: a worker that is seldom needed costs each packet
// time, since idle ones take turns.
func (s *Server) relieve() {
	helpers := s.helpers.Load()
	open := int64(s.begun.Load() - s.finished.Load()) //nolint:gosec // G115: bounded by workers and queue
	if open <= int64(s.opt.Workers)+helpers || helpers >= int64(s.opt.Waiting) {
		return
	}
	s.helpers.Add(1)
	s.workers.Go(s.help)
}

// help works until no packet waits. A packet that comes after the last look finds
// that there is a helper less.
func (s *Server) help() {
	for {
		select {
		case p, open := <-s.jobs:
			if !open {
				return
			}
			s.work(p)
			continue
		default:
		}
		s.helpers.Add(-1)
		if len(s.jobs) == 0 {
			return
		}
		s.helpers.Add(1)
	}
}

// awaitEnd waits for all of group, but not longer than patience.
func awaitEnd(group *sync.WaitGroup, patience time.Duration) error {
	ended := make(chan struct{})
	go func() {
		group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("packets still in work %s after the end", patience)
	}
}
