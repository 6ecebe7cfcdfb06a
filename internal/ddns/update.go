package ddns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"
)

// Outcome is how an update ended.
type Outcome string

// The outcomes of an update.
const (
	Done     Outcome = "done"
	Taken    Outcome = "conflict" // the name is another's, and left alone
	Rejected Outcome = "refused"  // the server does not do this update
	Failed   Outcome = "failed"   // it is not known, or nothing can be done in this zone now
)

// Outcomes are all of them.
func Outcomes() []Outcome { return []Outcome{Done, Taken, Rejected, Failed} }

// Trouble is why an update failed, and what to do about it.
type Trouble struct {
	What, Fix string
	outcome   Outcome
	cause     error
}

func (t *Trouble) Error() string {
	text := t.What
	if t.cause != nil {
		text += ": " + t.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (t *Trouble) Unwrap() error { return t.cause }

const (
	// fudge is how far the clocks of signer and server may differ, in seconds (RFC 8945
	// section 10).
	fudge = 300
	// maxUDP is the longest message that goes by UDP without more ado.
	maxUDP = 512
)

// sender sends signed updates to the server of one zone.
type sender struct {
	zone     *zone
	udp, tcp time.Duration // how long an answer is waited for
	now      func() time.Time
}

// carryOut does one step. With an outcome other than Done and Taken the error is a
// Trouble.
func (s sender) carryOut(ctx context.Context, what step) (Outcome, error) {
	do := s.add
	if what.remove {
		do = s.remove
	}
	outcome, err := do(ctx, what.what)
	if trouble := (*Trouble)(nil); errors.As(err, &trouble) {
		return trouble.outcome, err
	}
	return outcome, err
}

// attempts is how often the prerequisites are gone through where the name changes
// meanwhile.
const attempts = 3

// add makes a record where the name is free or the client's own (RFC 4703 section 5.3;
// for names of addresses section 5.4, but that what people made stays, DNS-11).
func (s sender) add(ctx context.Context, r Record) (Outcome, error) {
	for range attempts {
		free := s.update()
		free.NameNotUsed([]dns.RR{r.id()})
		free.Insert([]dns.RR{r.data(), r.id()})
		rcode, err := s.send(ctx, free)
		if err != nil || rcode == dns.RcodeSuccess {
			return Done, err
		}
		own := s.update()
		own.NameUsed([]dns.RR{r.id()})
		if r.Target == "" {
			own.Used([]dns.RR{r.id()})
			own.RemoveRRset([]dns.RR{r.data()})
			own.Insert([]dns.RR{r.data()})
		} else {
			own.RRsetUsed([]dns.RR{r.id()})
			own.RemoveRRset([]dns.RR{r.data(), r.id()})
			own.Insert([]dns.RR{r.data(), r.id()})
		}
		switch rcode, err = s.send(ctx, own); {
		case err != nil || rcode == dns.RcodeSuccess:
			return Done, err
		case rcode != dns.RcodeNameError: // which says that the name has gone meanwhile
			return Taken, nil
		}
	}
	return Failed, &Trouble{What: "the name comes and goes", Fix: "see what else updates the zone", outcome: Failed}
}

// remove takes away the record if the DHCID is ours, and the DHCID once no address is
// left (RFC 4703 section 5.5).
func (s sender) remove(ctx context.Context, r Record) (Outcome, error) {
	data := s.update()
	data.Used([]dns.RR{r.id()})
	data.Remove([]dns.RR{r.data()})
	if r.Target != "" {
		data.Remove([]dns.RR{r.id()})
	}
	rcode, err := s.send(ctx, data)
	switch {
	case err != nil:
		return Failed, err
	case rcode != dns.RcodeSuccess:
		return Taken, nil
	case r.Target != "":
		return Done, nil
	}
	last := s.update()
	last.Used([]dns.RR{r.id()})
	last.RRsetNotUsed([]dns.RR{r.data(), &dns.AAAA{Hdr: r.header(dns.TypeAAAA)}})
	last.Remove([]dns.RR{r.id()})
	_, err = s.send(ctx, last)
	return Done, err
}

func (r Record) header(kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: r.Owner, Rrtype: kind, Class: dns.ClassINET, Ttl: r.TTL}
}

// data is the record as DNS has it. Each message needs one of its own.
func (r Record) data() dns.RR {
	if r.Target != "" {
		return &dns.PTR{Hdr: r.header(dns.TypePTR), Ptr: r.Target}
	}
	return &dns.A{Hdr: r.header(dns.TypeA), A: r.Addr.AsSlice()}
}

// id is the DHCID beside it.
func (r Record) id() dns.RR { return &dns.DHCID{Hdr: r.header(dns.TypeDHCID), Digest: r.DHCID} }

// update begins an update of the zone.
func (s sender) update() *dns.Msg { return new(dns.Msg).SetUpdate(s.zone.name) }

// send signs and sends an update. The answer is one that says whether prerequisites
// hold, and is signed; all others are an error, a Trouble.
func (s sender) send(ctx context.Context, m *dns.Msg) (rcode int, err error) {
	secret, err := s.zone.Key.Secret()
	if err != nil {
		return 0, &Trouble{What: "the secret of the key cannot be read", Fix: "correct netbox.ddns.keys", outcome: Failed, cause: err}
	}
	key := fqdn(s.zone.Key.Name)
	sign := func() { m.SetTsig(key, fqdn(s.zone.Key.Algorithm), fudge, s.now().Unix()) }
	answer, err := s.exchange(ctx, m, sign, map[string]string{key: secret})
	if answer == nil || err != nil && answer.IsTsig() == nil {
		return 0, s.unreachable(err)
	}
	if trouble := s.judge(answer, err); trouble != nil {
		return 0, trouble
	}
	return answer.Rcode, nil
}

// exchange asks by UDP, and by TCP where the message is long or nothing answers. sign is
// called before each try, since the library takes the signature off what it has sent.
func (s sender) exchange(ctx context.Context, m *dns.Msg, sign func(), secrets map[string]string) (*dns.Msg, error) {
	if m.Len()+maxUDP/4 <= maxUDP { // room for the signature
		sign()
		client := dns.Client{Net: "udp", Timeout: s.udp, TsigSecret: secrets}
		answer, _, err := client.ExchangeContext(ctx, m, s.zone.Server.String())
		if answer != nil && !answer.Truncated || ctx.Err() != nil {
			return answer, err
		}
		m.Extra = nil
	}
	sign()
	client := dns.Client{Net: "tcp", Timeout: s.tcp, TsigSecret: secrets}
	answer, _, err := client.ExchangeContext(ctx, m, s.zone.Server.String())
	return answer, err
}

func (s sender) unreachable(cause error) *Trouble {
	t := &Trouble{What: fmt.Sprintf("the server %s does not answer", s.zone.Server), outcome: Failed, cause: cause,
		Fix: "start it, or correct netbox.ddns.zones; UDP and TCP have to pass between the two"}
	if network := (net.Error)(nil); errors.As(cause, &network) && network.Timeout() || errors.Is(cause, os.ErrDeadlineExceeded) {
		t.cause = errors.New("it takes too long")
	}
	return t
}

// judge finds what is wrong with an answer; nil: it says whether prerequisites hold.
func (s sender) judge(answer *dns.Msg, verified error) *Trouble {
	zone, key := shown(s.zone.name), s.zone.Key.Name
	signature := answer.IsTsig()
	if signature != nil {
		if t := badSignature(signature, verified, key); t != nil {
			return t
		}
	}
	switch answer.Rcode {
	case dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeYXDomain, dns.RcodeNXRrset, dns.RcodeYXRrset:
		if signature == nil || verified != nil {
			return &Trouble{What: "the answer is not signed with the key, and may be anybody's", outcome: Failed, cause: verified,
				Fix: "see that the server knows the key " + key + ", and that nothing between the two changes messages"}
		}
		return nil
	case dns.RcodeRefused:
		return &Trouble{What: "REFUSED: the server does not let the key " + key + " do this", outcome: Rejected,
			Fix: "allow it: acl with action update of Knot, update-policy or allow-update of BIND; A, PTR and DHCID of all names in " + zone}
	case dns.RcodeNotAuth:
		return &Trouble{What: "NOTAUTH: the server is not the primary of " + zone, outcome: Failed,
			Fix: "name the primary in netbox.ddns.zones, and the zone as the server has it"}
	case dns.RcodeNotZone:
		return &Trouble{What: "NOTZONE: a name is not in " + zone, outcome: Rejected, Fix: "compare netbox.ddns.zones with the zones of the server"}
	case dns.RcodeServerFailure:
		return &Trouble{What: "SERVFAIL: the server cannot write the zone " + zone, outcome: Failed, Fix: "see its log: rights of the zone file or journal, a full disk"}
	case dns.RcodeNotImplemented:
		return &Trouble{What: "NOTIMP: the server knows no updates", outcome: Failed, Fix: "allow dynamic updates in the server, or name another one"}
	}
	return &Trouble{What: fmt.Sprintf("the server answers %s", dns.RcodeToString[answer.Rcode]), outcome: Rejected, Fix: "see the log of the server"}
}

// badSignature explains a signature that was not accepted, ours or the server's.
func badSignature(signature *dns.TSIG, verified error, key string) *Trouble {
	switch {
	case signature.Error == dns.RcodeBadKey:
		return &Trouble{What: "BADKEY: the server does not know the key " + key, outcome: Failed,
			Fix: "compare name and algorithm of netbox.ddns.keys with the key of the server"}
	case signature.Error == dns.RcodeBadSig:
		return &Trouble{What: "BADSIG: the secret of the key " + key + " is not that of the server", outcome: Failed,
			Fix: "write the server's secret to the file of the key"}
	case signature.Error == dns.RcodeBadTime, errors.Is(verified, dns.ErrTime):
		return &Trouble{What: "BADTIME: the clocks of this machine and of the server differ by more than 5 minutes", outcome: Failed,
			Fix: "start time synchronisation on both"}
	}
	return nil
}
