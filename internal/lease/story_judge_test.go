package lease

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// sent is a message on its way, and how things stood when it was decided.
type sent struct {
	by      speaker
	m       ClientMessage
	trace   *Trace
	written int
	probes  int
	promise *Promise // of a message in a crowd
	first   Decision // which that is a promise of
}

// send gives one message to the engine, perhaps while the store is in trouble,
// and judges the answer. In a crowd, one that rests on a change is judged with all.
func (s *story) send(t *rapid.T, m ClientMessage) Decision {
	c := speaker{m.Client, string(m.ClientIdentifier)}
	m = *s.config.Policy.identified(&m)
	if !s.crowded {
		defer s.trouble(t, "before", "after", "read")()
	}
	explained, trace := s.Explain(m)
	current, out := s.current(), sent{by: c, m: m, trace: trace, written: s.store.written(), probes: s.probes}
	var d Decision
	var err error
	if s.crowded {
		d, out.promise, err = startAt(s.Engine, &m, nil)
	}
	if !s.crowded || errors.Is(err, ErrWaits) {
		d, err = s.Handle(s.t.Context(), m, nil)
	}
	busy := s.crowded && d.Rule == "D-28"
	if err == nil && brief(d) != brief(explained) && current && s.probes == out.probes && !busy {
		t.Fatalf("%s from %s: explained as %s, handled as %s\n%s", m.Type, m.Client, brief(explained), brief(d), trace)
	}
	if out.first = d; out.promise != nil {
		s.flying = append(s.flying, out)
		return d
	}
	s.judge(t, out, d, err)
	return d
}

// trouble is what the store may be in until the returned function is called.
func (s *story) trouble(t *rapid.T, kinds ...string) (end func()) {
	fail := func(Lease) error { return errDisk }
	switch rapid.SampledFrom(append(kinds, "", "", "", "", "")).Draw(t, "trouble") {
	case "before":
		s.store.before = fail
	case "after":
		s.store.after = fail
	case "read":
		s.store.after, s.store.read = fail, errDisk
	case "one before":
		s.store.before = s.onlyAt(t, 99, errDisk)
	case "one after":
		s.store.after = s.onlyAt(t, 99, errDisk)
	case "conflicts":
		s.store.before = s.onlyAt(t, rapid.IntRange(1, attempts).Draw(t, "times"), ErrConflict)
	}
	return func() { s.store.before, s.store.after, s.store.read = nil, nil, nil }
}

// onlyAt is trouble with one address, a number of times.
func (s *story) onlyAt(t *rapid.T, times int, trouble error) func(Lease) error {
	host := s.host(t)
	return func(l Lease) error {
		if l.Addr.String() != host || times == 0 {
			return nil
		}
		times--
		return trouble
	}
}

// crowd sends messages that are all decided before the changes of any are stored;
// one write stores them (B-16). Now and then a message is lost in between.
func (s *story) crowd(t *rapid.T) {
	defer s.trouble(t, "before", "after", "read", "one before", "one after", "conflicts", "conflicts")()
	s.crowded = true
	for range rapid.IntRange(2, 6).Draw(t, "crowd") {
		rapid.SampledFrom([]func(*rapid.T){s.accept, s.accept, s.discover, s.reboot, s.renew, s.rebind, s.release, s.decline}).Draw(t, "message")(t)
	}
	s.crowded = false
	var group []*Promise
	var kept []sent
	for _, out := range s.flying {
		if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
			out.promise.Drop()
			continue
		}
		group, kept = append(group, out.promise), append(kept, out)
	}
	s.flying = nil
	Keep(group)
	for _, out := range kept {
		d, promise, err := out.first, out.promise, error(nil)
		for promise != nil && !promise.Kept() {
			if d, promise, err = againWith(promise, &out.m, nil); promise != nil {
				Keep([]*Promise{promise})
			}
		}
		out.written = s.store.written()
		s.judge(t, out, d, err)
	}
}

// judge compares an answer with what was promised.
func (s *story) judge(t *rapid.T, out sent, d Decision, err error) {
	c, m, trace, written, probes := out.by, out.m, out.trace, out.written, out.probes
	if p, ok := s.promises[m.Asked()]; ok && p.client == m.Hardware && s.store.get(m.Asked().String()).Client == m.Client {
		p.client, p.by = m.Client, c // taken over, answered or not (I-12)
		s.promises[m.Asked()] = p
	}
	marks := s.byID && d.Static && d.Verdict == Ack // (I-14)
	if (d.Static || d.Verdict == Nak || d.Verdict == Offer) && s.store.written() != written && !marks && s.probes == probes {
		t.Fatalf("%s from %s: something was written for %s", m.Type, m.Client, brief(d))
	}
	if d.Verdict == Nak && err != nil {
		t.Fatalf("trouble caused a NAK: %v", err)
	}
	if d.Verdict == Nak {
		s.refused(t, m, trace)
	}
	switch p := s.promises[d.Addr.Addr()]; {
	case d.Verdict != Ack:
	case !d.Static:
		s.acknowledged(t, c, m, d, trace)
	case p.until.After(s.runs) && !p.short && !s.takes(c, p):
		t.Fatalf("%s is the static address of %s, but %s has it until %s\n%s", d.Addr, m.Client, p.client, p.until, trace)
	case marks && s.store.get(d.Addr.Addr().String()).Client == m.Client:
		s.promises[d.Addr.Addr()] = promise{client: m.Client, by: c, until: s.runs.Add(d.Time)}
	}
}

// current reports whether memory agrees with the store; after a write of
// unknown outcome that could not be read it need not.
func (s *story) current() bool {
	for _, stored := range s.store.all() {
		if s.facts.Leases.stored.at(stored.Addr).revision != stored.revision {
			return false
		}
	}
	return true
}

// refused checks a NAK: it never takes from a client what is its own anywhere
// on the wire, unless the client got a static address meanwhile (D-27).
func (s *story) refused(t *rapid.T, m ClientMessage, trace *Trace) {
	asked := m.RequestedAddr
	if !asked.IsValid() {
		asked = m.ClientAddr
	}
	static := false
	for _, host := range s.hosts {
		a := s.seen.Address(0, host)
		_, waits := s.decider(m).leasedToOther(a, s.seen.Interface(s.port))
		waits = waits || m.Hardware != "" && s.facts.Leases.claims.at(host).After(s.facts.Steady)
		if m.shown() == web && a.Interface == s.port && !s.seen.IsDynamic(a) && !waits {
			static = true
			if host == asked {
				t.Fatalf("%s is refused its static address %s\n%s", m.Client, asked, trace)
			}
		}
	}
	p, ok := s.promises[asked]
	if a := s.seen.Address(0, asked); ok && p.short { // an empty store does not tell that it runs
		other := s.facts.Leases.binding(a, s.now).Client
		ok = s.seen.Leasable(a) && !reserved(a) && (other == "" || other == m.Client) // else another client is known there (H-6)
	}
	if ok && p.client == m.Client && p.until.After(s.runs) && !static {
		t.Fatalf("%s is refused %s, which it has until %s\n%s", m.Client, asked, p.until, trace)
	}
}

// decider is what the engine knows when it decides about m.
func (s *story) decider(m ClientMessage) *decider {
	return &decider{f: &s.facts, s: s.seen, l: s.facts.Leases, m: &m, now: s.now.Add(-s.facts.Jump)}
}

// acknowledged checks an ACK against store and model.
func (s *story) acknowledged(t *rapid.T, c speaker, m ClientMessage, d Decision, trace *Trace) {
	host, until := d.Addr.Addr(), s.now.Add(d.Time)
	p, ok := s.promises[host]
	if ok && !s.takes(c, p) {
		t.Fatalf("%s is acknowledged to %s, but %s has it until %s\n%s", host, m.Client, p.client, p.until, trace)
	}
	// H-4 and S-11 promise nothing new.
	old := d.Rule == "H-4" || d.Reason == ReasonTakenAway || d.Reason == ReasonForeign
	durable := s.store.get(host.String())
	client := s.facts.Leases.clientOf(durable)
	if !old {
		s.promises[host] = promise{client: m.Client, by: c, until: s.runs.Add(d.Time)}
	} else {
		until = until.Add(-s.facts.Jump) // the lease was stored before the step
	}
	if d.Rule == "H-4" && client == m.Hardware {
		client = m.Client // what a store that fails cannot say (I-12)
	}
	if client == m.Client && durable.State == Bound && !durable.Expires.Before(until) {
		return
	}
	record := s.seen.Address(0, host).Record // without the store: what NetBox showed
	if !old || record.Client != string(m.shown()) || record.Expires.Before(until) {
		t.Fatalf("%s is acknowledged to %s until %s, stored is %+v\n%s", host, m.Client, until, durable, trace)
	}
}

// check runs after every step. A promise ends by time that runs, however the
// clock is set.
func (s *story) check(t *rapid.T) {
	maps.DeleteFunc(s.promises, func(_ netip.Addr, p promise) bool { return !p.until.After(s.runs) })
	if err := s.facts.Leases.verify(); err != nil {
		t.Fatal(err)
	}
	if n := len(s.facts.Leases.inWork) + len(s.busy); n != 0 {
		t.Fatalf("%d marks are left", n)
	}
	defer func(started time.Time) { s.facts.Started = started }(s.facts.Started)
	queue := s.Unsynced(-1)
	if !s.current() {
		return
	}
	for _, stored := range s.store.all() {
		if listed := slices.ContainsFunc(queue, func(l Lease) bool { return l.Addr == stored.Addr }); listed != stored.Unsynced {
			t.Fatalf("%s: marked %v, queued %v", stored.Addr, stored.Unsynced, listed)
		}
	}
	for host, p := range s.promises {
		if !s.seen.Leasable(s.seen.Address(0, host)) || p.untold {
			continue
		}
		for _, c := range s.clients {
			s.facts.Started = s.now.AddDate(100, 0, 0) // as if it had been offered something (D-30)
			d, trace := s.Explain(c.selects(host))
			if d.Verdict == Ack && !d.Static && !s.takes(c, p) {
				t.Fatalf("%q would get %s, which %s has until %s\n%s", c, host, p.client, p.until, trace)
			}
		}
	}
}
