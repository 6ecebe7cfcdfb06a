package apply

import (
	"context"
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// partnerReady makes sure that the partner answers and shows the scope as planned or
// as wanted, before the state of a scope is changed on one of both (rule 5.6).
func (s *server) partnerReady(ctx context.Context, step *plan.Step) error {
	if step.With == "" {
		return nil
	}
	client := s.others[step.With]
	if client == nil {
		return fmt.Errorf("no server %s is configured", step.With)
	}
	partner := &server{client: client}
	have, found, err := partner.findScope(ctx, step.Scope)
	if err != nil {
		return fmt.Errorf("%w, since its partner %s does not answer: %w", ErrNotTried, step.With, err)
	}
	turn := find(step.Changes, "state")
	if now := stateText(have); !found || turn == nil || now != turn.Old && now != turn.New {
		return fmt.Errorf("%w: its partner %s shows another state, or no such scope", errMoved, step.With)
	}
	return nil
}

// bothOrNeither takes back each change of a scope's state whose twin on the partner
// was not made (rule 5.6).
func (r *runner) bothOrNeither(ctx context.Context) {
	done := func(i int) bool {
		return r.report.Results[i].Outcome == netboxio.Done || r.report.Results[i].Outcome == netboxio.Unchanged
	}
	for i := range r.report.Results {
		one := &r.report.Results[i].Step
		if one.With == "" || done(i) {
			continue
		}
		for j := range r.report.Results {
			if other := &r.report.Results[j].Step; other.With == one.Target && other.Target == one.With && other.Scope == one.Scope && r.report.Results[j].Outcome == netboxio.Done {
				r.takeBack(context.WithoutCancel(ctx), j)
			}
		}
	}
}

// takeBack undoes the change of a scope's state.
func (r *runner) takeBack(ctx context.Context, i int) {
	step := &r.report.Results[i].Step
	turn := find(step.Changes, "state")
	active := turn != nil && turn.Old == "Active"
	err := r.targets.Servers[step.Target].UpdateScope(ctx, step.Scope.Addr(), endpoint.ScopeChange{Active: &active})
	said := fmt.Errorf("%s on %s: taken back, since its partner %s did not follow", step.Name, step.Target, step.With)
	if err != nil {
		said = fmt.Errorf("%s on %s: its partner %s did not follow, and it could not be taken back: make both the same on Windows: %w", step.Name, step.Target, step.With, err)
	}
	r.report.Results[i].Outcome, r.report.Results[i].err = netboxio.Failed, said
}
