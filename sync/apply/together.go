package apply

import (
	"context"
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// together makes the reservations of steps that follow each other with one request,
// where the server takes lists (rule 1.9), and says how many steps it decided. It
// decides none, for them to be carried out one by one, where there is only one, and
// after a list whose outcome is not known.
func (r *runner) together(ctx context.Context, s *server, from, to int) int {
	if s.apart || !s.client.Lists() || s.open(createReservation) != nil || !isNew(&r.plan.Steps[from]) || s.readReservations(ctx) != nil {
		return 0
	}
	var list []endpoint.NewReservation
	for i := from; i < to && len(list) < endpoint.MostEntries; i++ {
		step := &r.plan.Steps[i]
		// What is there already, and what may not be done, is told of by itself.
		if !isNew(step) || r.options.Policy.Allowed(step) != nil || s.at(step.Scope.Addr(), step.Addr) != nil {
			break
		}
		list = append(list, endpoint.NewReservation{Scope: step.Scope.Addr(), Reservation: wanted(step)})
	}
	if len(list) < 2 {
		return 0
	}
	errs, err := s.client.CreateReservations(ctx, list)
	if err != nil {
		s.apart, s.reservations = true, nil
		return 0
	}
	for i, one := range list {
		if errs[i] == nil {
			s.reservations[one.Scope] = append(s.reservations[one.Scope], one.Reservation)
		}
	}
	for i := range list {
		step, err := &r.plan.Steps[from+i], errs[i]
		result, err := outcome(err)
		if result == netboxio.Failed { // no answer to this entry
			s.reservations = nil
			result, err = s.do(ctx, step)
		}
		if err != nil {
			err = fmt.Errorf("%s on %s: %w", step.Name, step.Target, err)
		}
		r.decide(from+i, result, err)
	}
	return len(list)
}

func isNew(step *plan.Step) bool {
	return step.Kind == plan.WindowsReservation && step.Action == state.Create
}
