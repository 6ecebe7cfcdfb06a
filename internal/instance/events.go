package instance

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/events"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// ErrNoHistory says that none is kept.
var ErrNoHistory = errors.New("no history is kept: netbox.history.keep is 0")

const (
	// oddRoom is how many messages that are no leases wait to be told of.
	oddRoom = 512
	// strangerAgain, fullAgain and otherAgain are how long it takes until the same is told again.
	strangerAgain = 24 * time.Hour
	fullAgain     = time.Hour
	otherAgain    = time.Hour
	// mostTold bounds what is remembered to be told already.
	mostTold = 4096
)

// startEvents begins to tell of leases, if anybody wants to know.
func (i *Instance) startEvents(ctx context.Context) {
	if i.feed.Idle() {
		return
	}
	i.running.Go(func() { i.feed.Run(ctx) })
	odd := i.Watch(oddRoom, oddMessage) // before the first message
	i.running.Go(func() { i.tellOdd(ctx, odd) })
}

// eventFeed is where events of an instance go. A rehearsal tells nobody.
func eventFeed(i *Instance) *events.Feed {
	o := events.Options{Log: i.Log, Now: time.Now}
	if i.pool.Rehearse {
		return events.New(o)
	}
	o.File = EventFile(i.Settings)
	for _, w := range i.Settings.Events.Webhooks {
		o.Webhooks = append(o.Webhooks, events.Webhook{URL: w.URL, CAFile: w.CAFile, Timeout: w.Timeout, Secret: func() (string, error) {
			secret, err := w.Secret()
			return secret.Reveal(), err
		}})
	}
	return events.New(o)
}

// EventFile is where events are written to.
func EventFile(s settings.NetBox) events.File {
	return events.File{Path: s.Events.File, MaxBytes: s.Events.FileBytes, Files: s.Events.Files}
}

// oddMessage reports whether a message is worth an event although no lease changes by it.
func oddMessage(m *lease.ClientMessage, d *lease.Decision) bool {
	return d.Verdict == lease.Nak || d.Reason == lease.ReasonPoolEmpty || otherServer(m, d) || unknownDevice(d)
}

// otherServer reports whether the client accepts the offer of another DHCP server.
func otherServer(m *lease.ClientMessage, d *lease.Decision) bool {
	return d.Reason == lease.ReasonOtherServer && m.Type == lease.Request && m.ServerID.IsValid()
}

// unknownDevice reports whether NetBox does not know the client, where it knows the network.
func unknownDevice(d *lease.Decision) bool {
	return d.Machine == nil && d.Subnet != nil && (d.Verdict == lease.Ack && d.Reason == lease.ReasonNew ||
		d.Verdict == lease.Silent && (d.Reason == lease.ReasonUnknownClient || d.Reason == lease.ReasonClientsUnserved || d.Reason == lease.ReasonRandomMAC))
}

// told remembers what was told lately, so that the same is not told again. It is of one
// goroutine.
type told map[toldKey]time.Time

type toldKey struct {
	kind   events.Kind
	client lease.ClientID
	where  netip.Prefix
	server netip.Addr
}

// again reports whether the same was told less than pause ago, and notes that it is told now.
func (t told) again(what toldKey, now time.Time, pause time.Duration) bool {
	if last, ok := t[what]; ok && now.Sub(last).Abs() < pause {
		return true
	}
	if len(t) >= mostTold {
		clear(t) // a flood of clients: then some are told of twice
	}
	t[what] = now
	return false
}

// tellOdd tells of messages by which no lease changes, until ctx ends.
func (i *Instance) tellOdd(ctx context.Context, w *Watch) {
	defer w.Close()
	before := make(told)
	for {
		select {
		case <-ctx.Done():
			return
		case seen := <-w.C:
			i.tellOne(before, &seen)
		}
	}
}

func (i *Instance) tellOne(before told, seen *Seen) {
	s := spanOf(seen)
	e := eventOf(&s)
	e.Reason, e.Time, e.Until = string(seen.Reason), seen.At, time.Time{}
	switch {
	case seen.Verdict == lease.Nak:
		e.Kind = events.Refused
	case seen.Reason == lease.ReasonPoolEmpty:
		if before.again(toldKey{kind: events.PoolFull, where: seen.Network}, seen.At, fullAgain) {
			return
		}
		e.Kind = events.PoolFull
	case seen.Reason == lease.ReasonOtherServer:
		if before.again(toldKey{kind: events.OtherServer, where: seen.Network, server: seen.Server}, seen.At, otherAgain) {
			return
		}
		e.Kind, e.Server = events.OtherServer, seen.Server
	default:
		if before.again(toldKey{kind: events.UnknownDevice, client: seen.Client, where: seen.Network}, seen.At, strangerAgain) {
			return
		}
		e.Kind = events.UnknownDevice
	}
	i.feed.Send(e)
}

// eventOf is an event about a span.
func eventOf(s *history.Span) events.Event {
	return events.Event{
		Time: s.Heard, Address: s.Addr, Client: s.Client, Hardware: s.Hardware, Hostname: s.Hostname, Machine: s.Machine, Static: s.Static,
		Network: s.Network, Relay: s.Relay, Interface: s.Interface, Circuit: s.Circuit, Remote: s.Remote, Until: s.Until,
	}
}

// tellSeen tells of a lease that was given or renewed.
func (i *Instance) tellSeen(s *history.Span, began bool) {
	if i.feed.Idle() || !began && !i.Settings.Events.Renewals {
		return
	}
	e := eventOf(s)
	e.Kind = events.Renewed
	if began {
		e.Kind = events.Begun
	}
	i.feed.Send(e)
}

// tellEnded tells of spans that ended.
func (i *Instance) tellEnded(spans []history.Span) {
	if i.feed.Idle() {
		return
	}
	for k := range spans {
		e := eventOf(&spans[k])
		e.Time, e.Kind, e.Reason = spans[k].End, events.Expired, string(spans[k].How)
		switch spans[k].How {
		case history.Released:
			e.Kind = events.Released
		case history.Declined:
			e.Kind = events.Declined
		case history.Taken:
			e.Kind = events.Taken
		case history.Operator:
			e.Kind = events.Ended
		}
		i.feed.Send(e)
	}
}
