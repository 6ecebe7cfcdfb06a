package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// moment is when a run saw something first, by the world's clock and by the mirror's.
type moment struct{ world, mirror time.Time }

// ago reports whether that was so long ago by both clocks (rules 5.4 and 5.8).
func (m *moment) ago(s *story, wait time.Duration) bool {
	return m != nil && s.w.now.Sub(m.world) >= wait && s.mirror.Sub(m.mirror) >= wait
}

// see keeps when the run that is judged saw the record of a deletion first. A time of
// the mirror in the future was wrong, and waiting begins anew.
func (s *story) see(in *plan.Input) {
	s.mirror = in.Now
	for _, d := range in.NetBox.Log.Deleted {
		if s.sighted[d.Record] == nil {
			s.sighted[d.Record] = &moment{s.w.now, s.mirror}
		}
	}
	for _, m := range s.sighted {
		m.mirror = earlier(m.mirror, s.mirror)
	}
	for _, m := range s.idle {
		m.mirror = earlier(m.mirror, s.mirror)
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// seeIdle keeps since when scopes are inactive, as the run that is judged leaves them.
func (s *story) seeIdle() {
	for host, m := range s.w.servers {
		for id, scope := range m.scopes {
			if k := scopeText(host, id); !scope.Active() && s.idle[k] == nil {
				s.idle[k] = &moment{s.w.now, s.mirror}
			}
		}
	}
}

// beyondLimits finds a run that deleted more on servers than the operator allows, of
// reservations, exclusions or scopes, for a scope, a server or the run (rule 3.7 guard
// c). It goes by the world, against all that a server had.
func (s *story) beyondLimits(before map[string]*machine) string {
	if s.p.AllowDeletes {
		return ""
	}
	lost, of := make(map[string]int), make(map[string]int)
	count := func(what, host, scope string, gone, had int) {
		for _, g := range []string{what + " of scope " + scope + " on " + host, what + " of " + host, what + " of the run"} {
			lost[g], of[g] = lost[g]+gone, of[g]+had
		}
	}
	for host, m := range before {
		for id, was := range m.scopes {
			now := s.w.servers[host].scopes[id]
			if now == nil {
				count("reservations", host, id.String(), len(was.reservations), len(was.reservations))
				count("scopes", host, id.String(), 1, 1)
				continue
			}
			gone := 0
			for _, r := range was.reservations {
				if !slices.ContainsFunc(now.reservations, func(o windhcp.Reservation) bool { return o.Addr == r.Addr }) {
					gone++
				}
			}
			count("reservations", host, id.String(), gone, len(was.reservations))
			count("exclusions", host, id.String(), len(was.exclusions)-countOf(was.exclusions, now.exclusions), len(was.exclusions))
			count("scopes", host, id.String(), 0, 1)
		}
	}
	for g, n := range lost {
		if n > s.p.MaxDeleteCount && n*100 > of[g]*s.p.MaxDeletePercent {
			return fmt.Sprintf("%d of %d %s were deleted on servers", n, of[g], g)
		}
	}
	return ""
}
