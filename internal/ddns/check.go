package ddns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// CheckZone asks the server of a zone whether it is its primary, and with a signed
// update that changes nothing whether the key may update it (DNS-17).
func CheckZone(ctx context.Context, z Zone) (problems []*Trouble) {
	s := sender{&zone{Zone: z, name: fqdn(z.Name)}, 2 * time.Second, 5 * time.Second, time.Now}
	if err := s.primary(ctx); err != nil {
		return []*Trouble{err}
	}
	nothing := s.update()
	nothing.RRsetUsed([]dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: s.zone.name, Rrtype: dns.TypeSOA}}})
	rcode, err := s.send(ctx, nothing)
	trouble := (*Trouble)(nil)
	switch {
	case errors.As(err, &trouble):
		return []*Trouble{trouble}
	case rcode != dns.RcodeSuccess:
		return []*Trouble{{What: fmt.Sprintf("the server answers %s to an update that changes nothing", dns.RcodeToString[rcode]), Fix: "see its log"}}
	}
	return nil
}

// primary asks for the SOA record of the zone.
func (s sender) primary(ctx context.Context) *Trouble {
	m := new(dns.Msg).SetQuestion(s.zone.name, dns.TypeSOA)
	m.RecursionDesired = false
	answer, err := s.exchange(ctx, m, func() {}, nil)
	if answer == nil {
		return s.unreachable(err)
	}
	for _, r := range answer.Answer {
		if soa, is := r.(*dns.SOA); is && answer.Authoritative && dns.CanonicalName(soa.Hdr.Name) == s.zone.name {
			return nil
		}
	}
	return &Trouble{What: fmt.Sprintf("the server %s is not the primary of %s: it answers %s without its SOA record", s.zone.Server, shown(s.zone.name), dns.RcodeToString[answer.Rcode]),
		Fix: "name the primary in netbox.ddns.zones, and the zone as the server has it"}
}
