package replay

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
)

// Question is one message and the way it came.
type Question struct {
	At         time.Time // zero: not known
	Payload    []byte    // of UDP
	Ingress    dhcp4.Ingress
	Identifier netip.Addr // our option 54
}

// Clock is the time of day in a replay. It goes forward only.
type Clock struct{ now atomic.Pointer[time.Time] }

// NewClock returns a clock that begins at the given time.
func NewClock(at time.Time) *Clock {
	c := new(Clock)
	c.now.Store(&at)
	return c
}

// Now is the time of day.
func (c *Clock) Now() time.Time { return *c.now.Load() }

// Set makes the clock show at, unless it shows a later time.
func (c *Clock) Set(at time.Time) {
	if at.After(c.Now()) {
		c.now.Store(&at)
	}
}

// Said is what came of one message.
type Said struct {
	Verdict string       `json:"verdict"` // as explain says it
	Address string       `json:"address,omitempty"`
	Reason  lease.Reason `json:"reason"`
	Rule    string       `json:"rule,omitempty"`

	reply *dhcp4.Packet // nil: silence
	wire  []byte
}

// World is a chain that answers, with what it has answered so far.
type World struct {
	Chain *receive.Chain
	// Plays says that what comes of a message stays for later ones; else each is
	// answered by itself.
	Plays bool

	told map[[16]byte]told // by hardware address
}

// Answer answers a question.
func (w *World) Answer(q Question) Said {
	if !w.Plays {
		return answer(w.Chain, q, false)
	}
	client := [16]byte(q.Payload[28:44])
	before := w.told[client]
	before.follow(&q)
	said := answer(w.Chain, q, true)
	if said.Verdict == lease.Offer.String() {
		if p, err := netip.ParsePrefix(said.Address); err == nil {
			before.offered = p.Addr()
		}
	}
	if w.told == nil {
		w.told = make(map[[16]byte]told)
	}
	w.told[client] = before
	return said
}

// told is what a client heard in a replay.
type told struct {
	offered  netip.Addr // and not asked for since
	from, to netip.Addr // it has to where the recording has from
}

// follow makes the message of a client say what the client would have said here: one
// that was offered another address than in the recording asks for that, and names it
// from then on (C-22).
func (t *told) follow(q *Question) {
	requested := addrOption(q.Payload, dhcpv4.OptionRequestedIPAddress)
	if requested != nil && addrOption(q.Payload, dhcpv4.OptionServerIdentifier) != nil && t.offered.IsValid() {
		t.from, t.to, t.offered = netip.AddrFrom4([4]byte(requested)), t.offered, netip.Addr{}
	}
	if t.from == t.to {
		return
	}
	q.Payload = bytes.Clone(q.Payload)
	for _, field := range [][]byte{q.Payload[12:16], addrOption(q.Payload, dhcpv4.OptionRequestedIPAddress)} {
		if field != nil && netip.AddrFrom4([4]byte(field)) == t.from {
			copy(field, t.to.AsSlice())
		}
	}
	if q.Ingress.Source.Addr() == t.from {
		q.Ingress.Source = netip.AddrPortFrom(t.to, q.Ingress.Source.Port())
	}
}

// answer runs the chain on one message.
func answer(chain *receive.Chain, q Question, plays bool) Said {
	req, why := receive.Decode(q.Payload)
	if why != "" {
		return Said{Verdict: lease.Silent.String(), Reason: lease.Reason(why), Rule: "D-0"}
	}
	var out receive.Outcome
	if plays {
		out = chain.Play(req, q.Ingress, q.Identifier)
	} else {
		out = chain.Answer(req, q.Ingress, q.Identifier, nil)
	}
	said := Said{Verdict: lease.Silent.String(), Reason: lease.Reason(out.Drop)}
	switch x := out.Exchange; {
	case x != nil && x.Asked:
		d := x.Decision
		said.Verdict, said.Reason, said.Rule = d.Verdict.String(), d.Reason, d.Rule
		if d.Addr.IsValid() {
			said.Address = d.Addr.String()
		}
	case out.Reply != nil:
		said.Verdict, said.Reason = dhcp4.TypeOf(out.Reply).String(), "other_plugin"
		if out.Proxied {
			said.Reason, said.Rule = "boot_data", "X-17"
		}
	}
	if out.Reply != nil {
		said.reply, said.wire = out.Reply, out.Wire()
	} else if said.Verdict == lease.Nak.String() { // the chain does not speak it (K-5)
		said.Verdict = lease.Silent.String()
	}
	return said
}

// Difference is one thing that two answers do not say alike. Nothing is the empty text.
type Difference struct {
	What string `json:"what"` // verdict, address, a field of the header or an option
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Same reports whether a client gets the same from both: the same bytes, or nothing.
// Why is no part of that.
func Same(old, now Said) bool { return bytes.Equal(old.wire, now.wire) }

// Differences lists what differs between two answers to one message.
func Differences(old, now Said) (list []Difference) {
	add := func(what, was, is string) {
		if was != is {
			list = append(list, Difference{what, was, is})
		}
	}
	add("verdict", old.Verdict, now.Verdict)
	add("address", old.Address, now.Address)
	was, is := old.fields(), now.fields()
	names := slices.Collect(maps.Keys(was))
	for name := range is {
		if _, both := was[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		add(strings.Join(strings.Fields(name), " "), was[name], is[name])
	}
	return list
}

// fields are those of the reply, but for what verdict and address say.
func (s Said) fields() map[string]string {
	if s.reply == nil {
		return nil
	}
	fields := dhcp4.Describe(s.reply.Library())
	for name, text := range fields {
		fields[name] = dhcp4.Plain(text)
	}
	delete(fields, "yiaddr")
	delete(fields, "option  53")
	return fields
}

// SaidThere is what another server answered, by its reply.
func SaidThere(payload []byte) (Said, bool) {
	reply, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return Said{}, false
	}
	said := Said{Verdict: strings.ToUpper(strings.TrimPrefix(reply.MessageType().String(), "DHCP")), reply: dhcp4.Of(reply), wire: payload}
	if addr := dhcp4.HeaderAddr(reply.YourIPAddr); addr.IsValid() {
		said.Address = addr.String()
	}
	return said, true
}
