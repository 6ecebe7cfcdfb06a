package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

const (
	// SwitchPlaces is how many messages wait for redeploy switches at once (B-9).
	SwitchPlaces = 64
	// switchReads are under way at once, so that a storm of packets does not
	// become one of requests to NetBox, which has few workers.
	switchReads = 32
	// perMachine messages wait for the switch of one machine: as many ports of it
	// may boot at a time, and a flood in its name takes no more places.
	perMachine = 4
	// switchFresh is how long an answer is good. Installers clear the switch and
	// reboot, which takes longer.
	switchFresh = time.Second
)

// switches reads redeploy switches from NetBox for messages that wait: each
// machine's once at a time (B-10).
type switches struct {
	places *lease.Places
	read   func(ctx context.Context, id ipam.MachineID) (map[string]json.RawMessage, error)
	slots  chan struct{} // one for each read under way

	mu    sync.Mutex
	reads map[ipam.MachineID]*switchRead // under way, or with an answer that is good
}

// switchRead is one read; fields and err are set before done is closed.
type switchRead struct {
	waiting int
	done    chan struct{}
	fields  map[string]json.RawMessage
	err     error
}

func newSwitches(read func(context.Context, ipam.MachineID) (map[string]json.RawMessage, error)) *switches {
	return &switches{
		places: lease.NewPlaces(SwitchPlaces),
		read:   read,
		slots:  make(chan struct{}, switchReads),
		reads:  make(map[ipam.MachineID]*switchRead),
	}
}

// fields returns the custom fields of a machine as NetBox has them now, or had
// them up to a second ago. The error is lease.ErrCrowded if too many wait.
func (s *switches) fields(ctx context.Context, id ipam.MachineID) (map[string]json.RawMessage, error) {
	r, waits, err := s.join(id)
	if err != nil {
		return nil, err
	}
	if waits {
		defer s.leave(r)
	}
	select {
	case <-r.done:
		return r.fields, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join finds the read of a machine, and begins one where there is none. waits says
// that its answer is not there yet, and that a place was taken to wait for it.
func (s *switches) join(id ipam.MachineID) (r *switchRead, waits bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = s.reads[id]
	switch {
	case r != nil && r.ended():
		return r, false, nil
	case r != nil && r.waiting == perMachine:
		s.places.Refuse()
		return nil, false, fmt.Errorf("redeploy switch of one machine: %w", lease.ErrCrowded)
	case !s.places.Take():
		return nil, false, fmt.Errorf("redeploy switch: %w", lease.ErrCrowded)
	case r == nil:
		r = &switchRead{done: make(chan struct{})}
		s.reads[id] = r
		go s.answer(id, r)
	}
	r.waiting++
	return r, true, nil
}

func (r *switchRead) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (s *switches) leave(r *switchRead) {
	s.places.Leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	r.waiting--
}

// answer reads the fields for all who wait, and forgets them when they are old.
func (s *switches) answer(id ipam.MachineID, r *switchRead) {
	ctx, cancel := context.WithTimeout(context.Background(), redeployWait)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		r.fields, r.err = s.read(ctx, id)
		<-s.slots
	case <-ctx.Done():
		r.err = fmt.Errorf("too many reads are under way: %w", ctx.Err())
	}
	close(r.done)
	time.AfterFunc(switchFresh, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.reads, id)
	})
}
