package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
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
	var problems []string
	for g, n := range lost {
		if n > s.p.MaxDeleteCount && n*100 > of[g]*s.p.MaxDeletePercent {
			problems = append(problems, fmt.Sprintf("%d of %d %s were deleted on servers", n, of[g], g))
		}
	}
	slices.Sort(problems)
	return firstOf(problems...)
}

// rule 3.7 guard c: the judge of the stories finds what is beyond the limits, of each
// kind of thing that goes from servers, and of scope records.
func TestTheJudgeOfStoriesKnowsTheLimits(t *testing.T) {
	four := func() *story {
		s := &story{w: newWorld(), p: defaults(dh1), floors: newFloors()}
		for i := range byte(4) {
			at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, i, last}) }
			scope := s.w.server(dh1).addScope(at(0).String()+"/24", at(20).String(), at(250).String())
			scope.reserve(at(30).String(), fmt.Sprintf("00-00-5e-00-53-%02x", i), "x")
			scope.exclusions = []windhcp.Exclusion{{Start: at(40), End: at(41)}}
		}
		return s
	}
	for what, take := range map[string]func(*wscope){
		"reservations": func(x *wscope) { x.reservations = nil },
		"exclusions":   func(x *wscope) { x.exclusions = nil },
		"scopes":       nil,
	} {
		s := four()
		before, n := s.w.copyServers(), 0
		for id, scope := range s.w.server(dh1).scopes {
			if take != nil {
				take(scope)
			} else {
				delete(s.w.server(dh1).scopes, id)
			}
			problem := s.beyondLimits(before)
			if n++; (n > s.p.MaxDeleteCount) != strings.Contains(problem, what) {
				t.Errorf("%d of 4 %s: %q", n, what, problem)
			}
		}
	}
	s := four()
	l := &lab{T: t, w: s.w, p: s.p}
	l.importAll()
	before := s.w.copyNetBox()
	list := l.w.read(s.p).Windows
	list[0].Scopes.Items = []windhcp.Scope{{Subnet: netip.MustParsePrefix("10.10.0.0/24")}}
	judge := func() string {
		return s.records(&reading{story: s, in: plan.Input{Policy: s.p, Windows: list, Now: s.w.now}, before: before, after: s.w.nb})
	}
	if problem := judge(); problem != "" { // all missing, none lost
		t.Errorf("nothing is lost: %q", problem)
	}
	s.w.hoursLater(2)
	for n := 1; len(s.w.nb.Ranges) > 0; n++ {
		s.w.nb.Ranges = s.w.nb.Ranges[1:]
		if problem := judge(); (n > s.p.MaxDeleteCount) != strings.Contains(problem, "4 of 4 records") {
			t.Errorf("%d of 4 records: %q", n, problem)
		}
	}
}
