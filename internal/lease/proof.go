package lease

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	// declineWindow is how long after an answer its address may be declined (D-32).
	declineWindow = time.Minute
	// answerMemory is how long an answer is remembered.
	answerMemory = 2 * time.Minute
	// maxAnswers bounds the memory for answers, since strangers cause them.
	maxAnswers = 16384
	// declinesAnHour is how many DECLINEs of one client count.
	declinesAnHour = 3
)

// way is how a client and this server talk: by an interface of ours, or by a
// relay.
type way struct {
	device string
	relay  netip.Addr
}

// answer is the last OFFER or ACK that a client got.
type answer struct {
	addr netip.Addr
	at   time.Time
	by   way
	// declinable says that a DECLINE may follow: the address is not one that the
	// client was using before.
	declinable bool
	// offered says that it is an OFFER, which the client may accept once (D-30).
	offered bool
	// avoid is an address that the client declined in vain: it is offered another
	// one next (D-32).
	avoid netip.Addr
}

// declined is why an address is in quarantine: a client declined it, whose lease
// would have run until then.
type declined struct {
	client ClientID
	until  time.Time
}

// clientLapse is lapse for what belongs to a client.
type clientLapse struct {
	client ClientID
	at     time.Time
}

// answered remembers the last answer to a client. Of too many the oldest goes. A
// DECLINE in vain takes no offer away.
func (l *Leases) answered(client ClientID, a answer) {
	if last := l.answers[client]; last != nil {
		a.offered = a.offered || a.avoid.IsValid() && last.offered
		*last = a
		return
	}
	room := new(answer)
	if len(l.answers) >= maxAnswers {
		oldest := l.answerQueue[0].client
		room = l.answers[oldest]
		delete(l.answers, oldest)
		l.answerQueue = l.answerQueue[1:]
	}
	l.answerQueue = append(l.answerQueue, clientLapse{client, a.at.Add(answerMemory)})
	*room = a
	l.answers[client] = room
}

// answerTo is the last answer to a client; the zero answer: none is remembered.
func (l *Leases) answerTo(client ClientID) answer {
	if a := l.answers[client]; a != nil {
		return *a
	}
	return answer{}
}

// forgetAnswers drops answers, and counts of DECLINEs, that are too old.
func (l *Leases) forgetAnswers(now time.Time) {
	for len(l.answerQueue) > 0 && !l.answerQueue[0].at.After(now) {
		client := l.answerQueue[0].client
		l.answerQueue = l.answerQueue[1:]
		if until := l.answerTo(client).at.Add(answerMemory); until.After(now) { // answered again meanwhile
			l.answerQueue = append(l.answerQueue, clientLapse{client, until})
		} else {
			delete(l.answers, client)
		}
	}
	for len(l.declineQueue) > 0 && !l.declineQueue[0].at.After(now) {
		delete(l.declines, l.declineQueue[0].client)
		l.declineQueue = l.declineQueue[1:]
	}
}

// declinedBy counts a DECLINE and remembers whose address it was.
func (l *Leases) declinedBy(addr netip.Addr, why declined, now time.Time) {
	l.declined.set(addr, why)
	if l.declines[why.client] == 0 {
		l.declineQueue = append(l.declineQueue, clientLapse{why.client, now.Add(time.Hour)})
	}
	l.declines[why.client]++
}

// way is how the message came; proved says that it is no mere claim.
func (d *decider) way() (by way, proved bool) {
	if d.m.Relay.IsValid() {
		return way{relay: d.m.Relay}, d.relayed.Vouched
	}
	return way{device: d.m.Interface}, true
}

// answerOf is what has to be remembered of an answer.
func (d *decider) answerOf(decision *Decision) answer {
	addr := decision.Addr.Addr()
	by, proved := d.way()
	a := answer{addr: addr, at: d.steady, by: by, offered: decision.Verdict == Offer}
	switch {
	case !proved:
	case decision.Verdict == Ack:
		a.declinable = decision.State != Renewing
	default:
		a.declinable = decision.Static || !d.usesIn(decision.Subnet, addr)
	}
	return a
}

// sentLately reports whether the client got the address by the way that its
// DECLINE comes, not more than a minute ago, and may decline it (D-32).
func (d *decider) sentLately(addr netip.Addr) bool {
	a := d.l.answerTo(d.m.Client)
	by, proved := d.way()
	switch {
	case !proved:
		d.trace.addf("D-32", "nothing vouches for relay %s", d.m.Relay)
	case a.addr != addr || !a.declinable || a.by != by || d.steady.Sub(a.at) > declineWindow:
		d.trace.addf("D-32", "%s was not sent to the client on this way within the last minute, or the client used it before", addr)
	default:
		return true
	}
	return false
}

// mayAccept reports whether the client may accept an offer of addr: there was one,
// or the address was its own before. The first hold after a start passes without,
// since the offers of before are forgotten (D-30).
func (d *decider) mayAccept(addr netip.Addr) bool {
	if _, held := d.l.heldBy[d.m.Client]; held {
		return true
	}
	a := d.l.answerTo(d.m.Client)
	return a.offered && d.steady.Sub(a.at) < answerMemory ||
		d.steady.Before(d.f.Started.Add(d.f.Policy.OfferHold)) || d.had(addr)
}

// overdrawn reports whether a DECLINE is one too many: of this client in an hour,
// or in this pool, of which a quarter rests at most.
func (d *decider) overdrawn(n *ipam.Subnet) bool {
	if d.l.declines[d.m.Client] >= declinesAnHour {
		d.trace.addf("A-9", "the client declined %d addresses within an hour", declinesAnHour)
		return true
	}
	resting := 0
	for addr := range d.l.declined.all() {
		if stored := d.l.stored.at(addr); stored.State == Quarantined && stored.Expires.After(d.now) && n.Contains(addr) {
			resting++
		}
	}
	if most := max(d.l.size(n)/4, 1); resting >= most {
		d.trace.addf("A-9", "%d addresses of %s rest after a DECLINE, of at most %d", resting, n.Prefix.Prefix, most)
		return true
	}
	return false
}

// inVain is a DECLINE that takes nothing from any client; its own is offered
// another address next (D-32).
func (d *decider) inVain(rule string, reason Reason, addr netip.Addr) *Decision {
	decision := d.silent(rule, reason)
	decision.effect.answer = answer{at: d.steady, avoid: addr}
	return decision
}

// chooseAnother is chooseOnWire without the address that the client declined in
// vain, unless there is no other.
func (d *decider) chooseAnother(c *client, w wire) (choice, *ipam.Subnet) {
	if d.avoid = d.l.answerTo(c.id).avoid; d.avoid.IsValid() {
		if one, n := d.chooseOnWire(c, w); one.address != nil {
			return one, n
		}
		d.avoid = netip.Addr{}
	}
	return d.chooseOnWire(c, w)
}

// fromItsAddress reports whether the client itself sent the message, from ciaddr.
// The stock server does not know the sender.
func (d *decider) fromItsAddress() bool {
	return !d.m.Relay.IsValid() && (!d.m.Source.IsValid() || d.m.Source == d.m.ClientAddr)
}

// releasable reports whether a RELEASE comes from the client itself, or by a relay
// of its wire that something vouches for (D-31).
func (d *decider) releasable(addr netip.Addr) bool {
	if !d.m.Relay.IsValid() {
		return d.fromItsAddress()
	}
	if !d.relayed.Vouched {
		return false
	}
	w, reason := d.networks()
	return reason == "" && d.networkOf(addr, w.all) != nil
}

// resumed answers a client that renews, from its address, a lease that was
// declined in its name: it uses the address, so the DECLINE was not its own, or
// is over (D-33). It reports false where nothing of the kind is the case.
func (d *decider) resumed(granted string, a *ipam.Address, n *ipam.Subnet, c *client) (*Decision, bool) {
	addr := a.Address.Addr()
	b := d.l.binding(a, d.now)
	if d.state != Renewing || b.State != Quarantined || !b.running(d.now) || !d.fromItsAddress() {
		return nil, false
	}
	why, known := d.l.declined.find(addr)
	switch {
	case !known:
		d.trace.addf("D-33", "%s rests, and it is not known for whom: its client may be the one that renews", addr)
		return d.silent("D-33", ReasonTaken), true
	case why.client != c.id || !why.until.After(d.now) || !d.s.Leasable(a) || d.l.infrastructure.at(addr):
		return nil, false
	case d.l.inWork.at(addr) != "" && d.l.inWork.at(addr) != c.id:
		return d.silent("D-16", ReasonBusy), true
	}
	d.trace.addf("D-33", "%s was declined in the name of the client, which uses it: its quarantine ends", addr)
	if b := d.barred(n, c); b.shut() {
		if d.atMost = why.until.Sub(d.now).Truncate(time.Second); d.atMost < minRemaining {
			return d.unserved("D-33", b, n), true
		}
	}
	decision := d.acknowledge(granted, ReasonBound, a, n, c)
	if next := &decision.effect.change; next.Expires.Before(why.until) {
		next.Expires = why.until
	}
	return decision, true
}
