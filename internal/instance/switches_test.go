package instance

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func machine(n int) ipam.MachineID { return ipam.MachineID{ID: int64(n)} }

// slowSwitches takes 1.8 seconds for each answer and counts the reads.
func slowSwitches() (s *switches, reads *atomic.Int64) {
	reads = new(atomic.Int64)
	return newSwitches(func(ctx context.Context, _ ipam.MachineID) (map[string]json.RawMessage, error) {
		reads.Add(1)
		select {
		case <-time.After(1800 * time.Millisecond):
			return map[string]json.RawMessage{"redeploy": json.RawMessage("true")}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}), reads
}

// flood asks at a rate for two seconds, each time for the next of so many
// machines, and returns how many were answered and turned away.
func flood(s *switches, perSecond, machines int) (answered, crowded int64) {
	var all sync.WaitGroup
	var yes, no atomic.Int64
	for i := range 2 * perSecond {
		all.Go(func() {
			switch _, err := s.fields(context.Background(), machine(i%machines)); {
			case err == nil:
				yes.Add(1)
			case errors.Is(err, lease.ErrCrowded):
				no.Add(1)
			}
		})
		time.Sleep(time.Second / time.Duration(perSecond))
	}
	all.Wait()
	return yes.Load(), no.Load()
}

// B-9, B-10: while NetBox is slow, the messages of one machine take few places,
// those of many take no more than there are, and each machine is read once.
func TestASlowSwitchHoldsABoundedNumberOfMessages(t *testing.T) {
	for _, c := range []struct {
		name                string
		perSecond, machines int
		reads, waiting      int64
	}{
		{"one machine, 200 a second", 200, 1, 1, perMachine},
		{"one machine, 400 a second", 400, 1, 1, perMachine},
		{"four machines, 400 a second", 400, 4, 4, 4 * perMachine},
		{"as many as places, 400 a second", 400, SwitchPlaces, SwitchPlaces, SwitchPlaces},
		{"900 machines, 400 a second", 400, 900, SwitchPlaces, SwitchPlaces},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, reads := slowSwitches()
				var most atomic.Int64
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for range 1700 {
						time.Sleep(time.Millisecond)
						most.Store(max(most.Load(), int64(s.places.Waiting())))
					}
				}()
				_, crowded := flood(s, c.perSecond, c.machines)
				<-ended
				if n := most.Load(); n != c.waiting {
					t.Errorf("%d messages waited at a time, want %d", n, c.waiting)
				}
				if n := reads.Load(); n > 2*c.reads {
					t.Errorf("NetBox was read %d times for %d machines", n, c.machines)
				}
				if n := s.places.Refused(); int64(n) != crowded || n == 0 {
					t.Errorf("%d were turned away, %d counted", crowded, n)
				}
				if n := s.places.Waiting(); n != 0 {
					t.Errorf("%d places are still taken", n)
				}
				time.Sleep(2 * switchFresh)
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(s.reads) != 0 {
					t.Errorf("%d answers are remembered for ever", len(s.reads))
				}
			})
		})
	}
}

// B-10: an answer is good for a second and no longer, a failure as well, and what
// one machine is told says nothing of another.
func TestTheAnswerOfASwitchIsGoodForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := make(map[int64]int)
		trouble := errors.New("NetBox is away")
		var fails error
		s := newSwitches(func(_ context.Context, id ipam.MachineID) (map[string]json.RawMessage, error) {
			reads[id.ID]++
			return nil, fails
		})
		ask := func(n int, want error) {
			t.Helper()
			if _, err := s.fields(t.Context(), machine(n)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			synctest.Wait()
		}
		ask(1, nil)
		fails = trouble
		time.Sleep(switchFresh - time.Millisecond)
		ask(1, nil) // of before
		ask(2, trouble)
		time.Sleep(2 * time.Millisecond)
		ask(1, trouble)
		fails = nil
		time.Sleep(switchFresh - 3*time.Millisecond)
		ask(2, trouble)
		time.Sleep(4 * time.Millisecond)
		ask(2, nil)
		ask(1, nil)
		if reads[1] != 3 || reads[2] != 2 {
			t.Errorf("reads %v", reads)
		}
		time.Sleep(2 * switchFresh)
	})
}

// A message that gives up leaves its place; the read goes on for the others.
func TestAReadOutlivesTheMessageThatBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reads := slowSwitches()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.fields(ctx, machine(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if n := s.places.Waiting(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
		if _, err := s.fields(t.Context(), machine(1)); err != nil || reads.Load() != 1 {
			t.Errorf("%v after %d reads", err, reads.Load())
		}
		time.Sleep(2 * switchFresh)
	})
}
