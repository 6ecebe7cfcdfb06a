package ddns

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"
)

// batch is how many names share a write of the file.
const batch = 64

// troubles are why zones cannot be updated now.
type troubles struct {
	mu    sync.Mutex
	zones map[string]zoneTrouble
}

// zoneTrouble is why a zone cannot be updated.
type zoneTrouble struct {
	text, fix string
	since     time.Time
}

// set notes a trouble; nil: there is none any more. first: it is news.
func (t *troubles) set(zone string, trouble *Trouble, now time.Time) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	had, known := t.zones[zone]
	if trouble == nil {
		delete(t.zones, zone)
		return known
	}
	if t.zones == nil {
		t.zones = make(map[string]zoneTrouble)
	}
	if known {
		now = had.since
	}
	t.zones[zone] = zoneTrouble{trouble.Error(), trouble.Fix, now}
	return !known
}

func (t *troubles) of(zone string) (zoneTrouble, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	trouble, known := t.zones[zone]
	return trouble, known
}

// work sends updates until ctx ends, those of each zone one after another.
func (s *Service) work(ctx context.Context) {
	var all sync.WaitGroup
	for _, z := range s.config.Policy.zones {
		all.Go(func() { s.workIn(ctx, z) })
	}
	all.Wait()
}

// workIn serves one zone. While it is in trouble one update is tried after each pause.
func (s *Service) workIn(ctx context.Context, z *zone) {
	pauses := backoff.NewExponentialBackOff() // with jitter
	pauses.InitialInterval, pauses.MaxInterval = s.pauses.first, s.pauses.last
	send, limit := sender{z, s.udp, s.tcp, s.now}, batch
	for ctx.Err() == nil {
		steps := s.registry.take(z.name, limit, s.now())
		if len(steps) == 0 {
			select {
			case <-ctx.Done():
			case <-s.registry.queues[z.name].wake:
			}
			continue
		}
		if s.sendAll(ctx, send, steps) {
			limit = batch
			pauses.Reset()
			continue
		}
		limit = 1
		select {
		case <-ctx.Done():
		case <-time.After(pauses.NextBackOff()):
		}
	}
}

// sendAll carries out steps, once it is on disk that they may be in DNS. It stops, and
// returns false, where nothing can be done in the zone now.
func (s *Service) sendAll(ctx context.Context, send sender, steps []step) bool {
	failed := s.flush() != nil
	for _, what := range steps {
		if failed || ctx.Err() != nil {
			s.registry.settle(what, Failed, s.now())
			continue
		}
		outcome, err := send.carryOut(ctx, what)
		if ctx.Err() == nil { // else it was broken off
			s.config.Updated(outcome)
			s.tell(send.zone, what, outcome, err)
			failed = outcome == Failed
		}
		s.registry.settle(what, outcome, s.now())
	}
	_ = s.flush() // it is logged, and tried again with what comes next
	return !failed
}

// tell logs how a step ended, where it is worth a line.
func (s *Service) tell(z *zone, what step, outcome Outcome, err error) {
	trouble := (*Trouble)(nil)
	errors.As(err, &trouble)
	fields := logrus.Fields{"zone": shown(z.name), "server": z.Server.String()}
	if outcome != Failed && s.troubles.set(z.name, nil, s.now()) {
		s.config.Log.WithFields(fields).Info("names in DNS: the zone is updated again")
	}
	switch outcome {
	case Failed:
		s.troubles.set(z.name, trouble, s.now())
		fields[logrus.ErrorKey], fields["fix"] = trouble, trouble.Fix
		s.config.Quiet.Warn("ddns_zone "+z.name, "names in DNS: the zone cannot be updated; it is tried again, and nothing is lost", fields)
	case Rejected:
		fields[logrus.ErrorKey], fields["fix"], fields["name"] = trouble, trouble.Fix, shown(what.what.Owner)
		s.config.Quiet.Warn("ddns_refused "+z.name, "names in DNS: an update was refused; it is tried again later", fields)
	case Taken:
		if !what.remove {
			fields["name"], fields["addr"] = shown(what.what.Owner), what.what.Addr
			fields["fix"] = "another client or a person made it: remove it there, or give the machine another name"
			s.config.Quiet.Warn("ddns_conflict "+what.what.Owner, "names in DNS: the name is another's, and left alone", fields)
		}
	case Done:
	}
}
