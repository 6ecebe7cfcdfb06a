package apply

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// verify reads back what the steps from to to (excluded) wrote. The status of an
// answer proves little, since scripts hide errors and Windows rewrites texts: a step
// that left something else than it sent is refused, and what came back is told
// (rule 3.8 point 25). What cannot be read back is taken to be done.
func (r *runner) verify(ctx context.Context, s *server, from, to int) {
	done := func(kind state.Kind) (list []*Result) {
		for i := from; i < to; i++ {
			if result := &r.report.Results[i]; result.Outcome == netboxio.Done && result.Step.Kind == kind {
				list = append(list, result)
			}
		}
		return list
	}
	if list := done(plan.WindowsReservation); len(list) > 0 {
		s.reservations, s.unreadable = nil, nil
		if s.readReservations(ctx) == nil {
			for _, result := range list {
				result.compareReservation(s.at(result.Step.Scope.Addr(), result.Step.Addr))
			}
		}
	}
	s.scopes = nil
	for _, result := range done(plan.WindowsScope) {
		if result.Step.Action != state.Update { // one that was made was looked at then
			continue
		}
		if have, found, err := s.findScope(ctx, result.Step.Scope); err == nil && found {
			result.compareScope(have)
		}
	}
	s.readBackOptions(ctx, done(plan.WindowsOption))
	exclusions := make(map[netip.Addr]windhcp.List[windhcp.Exclusion])
	for _, result := range done(plan.WindowsExclusion) {
		scope := result.Step.Scope.Addr()
		if _, read := exclusions[scope]; !read {
			exclusions[scope] = s.client.Exclusions(ctx, scope)
		}
		if list := exclusions[scope]; list.Complete() {
			result.compareExclusions(list.Items)
		}
	}
}

// readBackOptions looks at the options that steps set.
func (s *server) readBackOptions(ctx context.Context, results []*Result) {
	for _, result := range results {
		if list := s.client.ScopeOptions(ctx, result.Step.Scope.Addr()); list.Complete() {
			result.compareOptions(list.Items)
		}
	}
}

// compareExclusions looks whether what a step adds is there, and what it takes away
// is not.
func (r *Result) compareExclusions(have []windhcp.Exclusion) {
	change := find(r.Step.Changes, "exclusions")
	old, errOld := exclusions(change.Old)
	add, errNew := exclusions(change.New)
	if errOld != nil || errNew != nil {
		return
	}
	there := func(x windhcp.Exclusion) bool { return slices.Contains(have, x) }
	switch {
	case slices.ContainsFunc(add, func(x windhcp.Exclusion) bool { return !there(x) }):
		r.refuse("the server said that it was done, and does not show the exclusion")
	case slices.ContainsFunc(old, func(x windhcp.Exclusion) bool { return there(x) && !slices.Contains(add, x) }):
		r.refuse("the server said that it was done, and still shows the exclusion")
	}
}

func (r *Result) compareReservation(have *windhcp.Reservation) {
	id := cmp.Or(newText(r.Step.Changes, "client_id"), oldText(r.Step.Observed, "client_id"))
	switch {
	case r.Step.Action == state.Delete && have == nil:
		return
	case r.Step.Action == state.Delete:
		if old := oldText(r.Step.Observed, "client_id"); old == "" || windhcp.ParseClientID(old) == have.ClientID {
			r.refuse("the server said that it was done, and still shows the reservation")
		}
		return
	case have == nil:
		r.refuse("the server said that it was done, and shows no reservation")
		return
	case newText(r.Step.Changes, "client_id") == "" && id != "" && windhcp.ParseClientID(id) != have.ClientID:
		r.refuse(fmt.Sprintf("the server said that it was done, and shows a reservation for client id %s", have.ClientID))
		return
	}
	for _, c := range r.Step.Changes {
		switch sent := text(c.New); c.Field {
		case "client_id":
			r.compare(c, string(have.ClientID), windhcp.ParseClientID(sent) == have.ClientID)
		case "name":
			r.compare(c, have.Name, sent == "" || windhcp.SameName(sent, have.Name))
		case "description":
			r.compare(c, have.Description, sent == "" || strings.TrimSpace(sent) == strings.TrimSpace(have.Description))
		}
	}
}

func (r *Result) compareScope(have windhcp.Scope) {
	for _, c := range r.Step.Changes {
		came := scopeValue(have, c.Field)
		same := came == c.New
		switch c.Field {
		case "description":
			same = strings.TrimSpace(text(c.New)) == strings.TrimSpace(have.Description)
		case "lease_duration_seconds":
			same = same || have.LeaseSeconds == 0 // unlimited, or not told
		}
		r.compare(c, came, same)
	}
}

// compare notes a value that came back otherwise.
func (r *Result) compare(c plan.Change, came any, same bool) {
	if same {
		return
	}
	if r.Answers == nil {
		r.Answers = make(map[string]plan.Answer)
	}
	answer := plan.AnswerOf(c.New, came)
	r.Answers[c.Field] = answer
	r.refuse(fmt.Sprintf("the server keeps %s %q instead of %q: it is not sent again until one side changes", c.Field, answer.Came, answer.Sent))
}

func (r *Result) refuse(why string) {
	r.Outcome, r.err = netboxio.Refused, fmt.Errorf("%s on %s: %s", r.Step.Name, r.Step.Target, why)
}

func oldText(changes []plan.Change, field string) string {
	if c := find(changes, field); c != nil {
		return text(c.Old)
	}
	return ""
}

// kept makes sure that a reservation is there which took the place of a deleted one.
// verify tells of one whose client id the server keeps otherwise: to make it anew
// would give the same.
func (s *server) kept(ctx context.Context, scope netip.Addr, before windhcp.ClientID, want windhcp.Reservation) error {
	have, err := s.again(ctx, scope, want.Addr)
	if err == nil && (have == nil || have.ClientID == before) {
		return fmt.Errorf("the server said that it reserved the address for %s, and does not show that", want.ClientID)
	}
	return nil // what cannot be read is not undone
}
