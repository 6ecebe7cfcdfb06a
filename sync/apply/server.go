package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// errMoved says that a server does not show any more what the plan saw.
var errMoved = errors.New("the server shows something else than when the plan was made")

// server carries out the steps from to to (excluded) on one server. Its
// reservations are read once before, and each write is noted from then on: the
// calls for reservations take the first one of a client in any scope, so all of
// them have to be known (rule 5.2).
func (r *runner) server(ctx context.Context, from, to int) {
	host := r.plan.Steps[from].Target
	client := r.targets.Servers[host]
	if client == nil {
		r.giveUp(from, to, fmt.Errorf("no server %s is configured", host))
		return
	}
	s := &server{client: client, others: r.targets.Servers, barred: make(map[way]error), strikes: make(map[way]int)}
	r.push(ctx, s, from, to)
	if ctx.Err() == nil {
		r.verify(ctx, s, from, to)
	}
}

// push writes the steps from to to (excluded) to their server.
func (r *runner) push(ctx context.Context, s *server, from, to int) {
	host := r.plan.Steps[from].Target
	slow := 0                              // writes in a row that the server took too long for
	unmade := make(map[netip.Prefix]error) // scopes that could not be made, and why
	for i := from; i < to; i++ {
		if ctx.Err() != nil { // between requests, never in one
			r.giveUp(i, to, context.Cause(ctx))
			return
		}
		if n := r.together(context.WithoutCancel(ctx), s, i, to); n > 0 {
			i += n - 1
			continue
		}
		if !r.allowed(i) {
			continue
		}
		step := &r.plan.Steps[i]
		if why := unmade[step.Scope]; why != nil { // it has nowhere to go (rule 5.3)
			r.decide(i, netboxio.Failed, fmt.Errorf("%w, since %w", ErrNotTried, why))
			continue
		}
		outcome, err := s.do(context.WithoutCancel(ctx), step)
		if err != nil {
			err = fmt.Errorf("%s on %s: %w", step.Name, host, err)
		}
		r.decide(i, outcome, err)
		if step.Kind == plan.WindowsScope && step.Action == state.Create && outcome != netboxio.Done && outcome != netboxio.Unchanged {
			unmade[step.Scope] = err
		}
		if slow++; !tookTooLong(err) {
			slow = 0
		}
		if slow == slowAtMost || s.gone(context.WithoutCancel(ctx), err) {
			r.giveUp(i+1, to, fmt.Errorf("%w, since %w", ErrNotTried, err))
			return
		}
	}
}

// slowAtMost is how many writes in a row may time out before a server gets no
// more: each takes a minute, with the lock held.
const slowAtMost = 3

func tookTooLong(err error) bool {
	e, ok := asError(err)
	return ok && (e.Kind == endpoint.TimedOut || e.Status == http.StatusGatewayTimeout)
}

func (r *runner) giveUp(from, to int, err error) {
	for i := from; i < to; i++ {
		r.decide(i, netboxio.Failed, err)
	}
}

// gone reports whether the next write to the same server would fail the same way,
// whatever it is. One call says nothing about the others: a path that the script
// does not have is answered with 401, and a firewall may dislike one body. So the
// server is asked whether it works otherwise (rule 3.8 point 22).
func (s *server) gone(ctx context.Context, err error) bool {
	kind := endpoint.KindOf(err)
	if endpoint.Shut(kind) || kind == endpoint.ReadOnly {
		return true
	}
	switch kind {
	case endpoint.BadToken, endpoint.Forbidden, endpoint.Unreachable, endpoint.NotInstalled, endpoint.Redirected:
		return !errors.Is(err, ErrNotTried) && !s.works(ctx)
	}
	return false
}

// works reports whether the server answers on another path.
func (s *server) works(ctx context.Context) bool {
	_, err := s.client.Health(ctx)
	return err == nil
}

// way is a kind of call that changes a server.
type way string

const (
	createScope       way = "create a scope"
	changeScope       way = "change a scope"
	createReservation way = "create a reservation"
	changeReservation way = "change a reservation"
	deleteReservation way = "delete a reservation"
	createExclusion   way = "create an exclusion"
	deleteExclusion   way = "delete an exclusion"
	changeOptions     way = "change options"
)

// strikesAtMost is how many calls of one kind may be dropped, or answered with a
// page, in a row before no more of them are made.
const strikesAtMost = 3

// via makes a call of a kind, unless the server does not take that kind: after a
// 401 or 403 while the server works otherwise, or after several that were dropped
// or got a page. What puts back what a step took away is always tried.
func (s *server) via(ctx context.Context, w way, call func() error) error {
	if err := s.open(w); err != nil && !s.undoing {
		return err
	}
	err := call()
	switch endpoint.KindOf(err) {
	case endpoint.BadToken, endpoint.Forbidden:
		s.strikes[w] = strikesAtMost
	case endpoint.Unreachable, endpoint.NotInstalled, endpoint.Redirected:
		s.strikes[w]++
	default:
		s.strikes[w] = 0
	}
	if s.strikes[w] >= strikesAtMost && s.works(ctx) {
		s.barred[w] = err
	}
	return err
}

// open is why calls of these kinds are not made; nil: they are.
func (s *server) open(ways ...way) error {
	for _, w := range ways {
		if err := s.barred[w]; err != nil {
			return fmt.Errorf("%w, since the server does not let the mirror %s, though other calls work: %w", ErrNotTried, w, err)
		}
	}
	return nil
}

// server is one server while it is written to.
type server struct {
	client       *endpoint.Client
	others       map[string]*endpoint.Client // all servers, by host
	scopes       *windhcp.List[windhcp.Scope]
	reservations map[netip.Addr][]windhcp.Reservation // by scope id; nil: not read
	unreadable   error                                // why reservations could not be read

	barred  map[way]error // kinds of calls that the server does not take
	strikes map[way]int   // calls of a kind in a row that did not get through
	undoing bool          // something is being put back
	apart   bool          // a list of reservations failed: they are made one by one
}

func (s *server) do(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	switch step.Kind {
	case plan.WindowsScope:
		return s.scope(ctx, step)
	case plan.WindowsReservation:
		return s.reservation(ctx, step)
	case plan.WindowsExclusion:
		return s.exclusion(ctx, step)
	case plan.WindowsOption:
		return s.options(ctx, step)
	}
	return netboxio.Refused, fmt.Errorf("no such kind of step: %s", step.Kind)
}

// outcome sorts an error of a write: what the server refused is refused, the
// rest may be tried in another run.
func outcome(err error) (netboxio.Outcome, error) {
	switch {
	case err == nil:
		return netboxio.Done, nil
	case errors.Is(err, errMoved):
		return netboxio.Changed, err
	case endpoint.KindOf(err) == endpoint.Rejected, endpoint.KindOf(err) == endpoint.Invalid:
		return netboxio.Refused, err
	}
	return netboxio.Failed, err
}

func (s *server) listScopes(ctx context.Context) ([]windhcp.Scope, error) {
	if s.scopes == nil {
		list := s.client.Scopes(ctx, false)
		if list.Err != nil {
			return nil, list.Err
		}
		s.scopes = &list
	}
	return s.scopes.Items, nil
}

// twice does a write. If it is unknown whether the write was carried out, it asks
// done, which looks at the server again, and repeats the write if it was not. What
// was wanted may be there although the server refused it in its own words; such a
// write is not repeated.
func (s *server) twice(ctx context.Context, w way, call func() error, done func() (bool, error)) error {
	write := func() error { return s.via(ctx, w, call) }
	err := write()
	e, ok := asError(err)
	if !ok || !e.Unsure() {
		return err
	}
	yes, readErr := done()
	switch {
	case readErr != nil:
		return fmt.Errorf("%w; it is unknown whether it was carried out: %w", readErr, err)
	case yes:
		return nil
	case e.Kind == endpoint.Rejected:
		return err
	}
	return write()
}

// text, number and addr are values of a step's changes.
func text(v any) string {
	s, _ := v.(string)
	return s
}

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}

func address(v any) netip.Addr {
	a, err := netip.ParseAddr(text(v))
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// find returns the change of a field; nil: there is none.
func find(changes []plan.Change, field string) *plan.Change {
	if i := slices.IndexFunc(changes, func(c plan.Change) bool { return c.Field == field }); i >= 0 {
		return &changes[i]
	}
	return nil
}

func newText(changes []plan.Change, field string) string {
	if c := find(changes, field); c != nil {
		return text(c.New)
	}
	return ""
}
