package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

func asError(err error) (*endpoint.Error, bool) { return errors.AsType[*endpoint.Error](err) }

// reservation creates, changes or deletes a reservation (rule 5.2).
func (s *server) reservation(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	if err := s.readReservations(ctx); err != nil {
		return outcome(err)
	}
	have := s.at(step.Scope.Addr(), step.Addr)
	switch step.Action {
	case state.Create:
		return s.createReservation(ctx, step, have)
	case state.Delete:
		if have == nil {
			return netboxio.Unchanged, nil
		}
		return s.deleteReservation(ctx, step, have)
	}
	if have == nil {
		return outcome(fmt.Errorf("%w: there is no reservation", errMoved))
	}
	if id := find(step.Changes, "client_id"); id != nil {
		return s.replaceReservation(ctx, step, have, windhcp.ClientID(text(id.Old)), windhcp.ClientID(text(id.New)))
	}
	return s.updateReservation(ctx, step, have)
}

// readReservations reads the reservations of all scopes. After a failure the
// server is not asked again.
func (s *server) readReservations(ctx context.Context) error {
	if s.reservations == nil && s.unreadable == nil {
		s.reservations, s.unreadable = s.allReservations(ctx)
	}
	return s.unreadable
}

func (s *server) allReservations(ctx context.Context) (map[netip.Addr][]windhcp.Reservation, error) {
	scopes, err := s.listScopes(ctx)
	if err != nil {
		return nil, err
	}
	var ids []netip.Addr
	for _, scope := range scopes {
		ids = append(ids, scope.ID())
	}
	all := s.client.AllReservations(ctx, ids)
	read := make(map[netip.Addr][]windhcp.Reservation)
	for _, id := range ids {
		list := all.Of(id)
		if list.Err != nil {
			return nil, list.Err
		}
		if len(list.Malformed) > 0 {
			return nil, fmt.Errorf("reservations of scope %s cannot be told apart: %s", id, list.Malformed[0])
		}
		read[id] = list.Items
	}
	return read, nil
}

// at is the reservation of an address; nil: none.
func (s *server) at(scope, addr netip.Addr) *windhcp.Reservation {
	for i := range s.reservations[scope] {
		if s.reservations[scope][i].Addr == addr {
			return &s.reservations[scope][i]
		}
	}
	return nil
}

// only makes sure that a client id means one reservation of the server, the
// intended one: the server acts on the first it finds.
func (s *server) only(scope netip.Addr, have *windhcp.Reservation) error {
	for id, list := range s.reservations {
		for i := range list {
			if list[i].ClientID == have.ClientID && (id != scope || list[i].Addr != have.Addr) {
				return fmt.Errorf("client id %s is reserved for %s in scope %s too, and the server would act on either: change it on Windows",
					have.ClientID, list[i].Addr, id)
			}
		}
	}
	return nil
}

func (s *server) createReservation(ctx context.Context, step *plan.Step, have *windhcp.Reservation) (netboxio.Outcome, error) {
	scope, want := step.Scope.Addr(), wanted(step)
	if have != nil {
		if have.ClientID == want.ClientID {
			return netboxio.Unchanged, nil
		}
		return outcome(fmt.Errorf("%w: it is reserved for %s", errMoved, have.ClientID))
	}
	return outcome(s.post(ctx, scope, want))
}

// wanted is the reservation that a step makes.
func wanted(step *plan.Step) windhcp.Reservation {
	c := step.Changes
	return windhcp.Reservation{
		Addr: step.Addr, ClientID: windhcp.ClientID(newText(c, "client_id")), Name: newText(c, "name"),
		Description: newText(c, "description"), Type: newText(c, "type"),
	}
}

// post creates a reservation, and looks before it tries again.
func (s *server) post(ctx context.Context, scope netip.Addr, want windhcp.Reservation) error {
	err := s.twice(ctx, createReservation, func() error { return s.client.CreateReservation(ctx, scope, want) }, func() (bool, error) {
		r, err := s.again(ctx, scope, want.Addr)
		return r != nil && r.ClientID == want.ClientID, err
	})
	if err == nil && s.reservations != nil && s.at(scope, want.Addr) == nil {
		s.reservations[scope] = append(s.reservations[scope], want)
	}
	return err
}

// again reads the reservation of an address anew; nil: none.
func (s *server) again(ctx context.Context, scope, addr netip.Addr) (*windhcp.Reservation, error) {
	s.reservations = nil
	if err := s.readReservations(ctx); err != nil {
		return nil, err
	}
	return s.at(scope, addr), nil
}

func (s *server) updateReservation(ctx context.Context, step *plan.Step, have *windhcp.Reservation) (netboxio.Outcome, error) {
	if id := find(step.Observed, "client_id"); id != nil && text(id.Old) != string(have.ClientID) {
		return outcome(fmt.Errorf("%w: it is reserved for %s", errMoved, have.ClientID))
	}
	var change endpoint.ReservationChange
	done := true
	for _, c := range step.Changes {
		value, want := have.Name, text(c.New)
		switch c.Field {
		case "name":
			change.Name = &want
		case "description":
			change.Description, value = &want, have.Description
		}
		done = done && value == want
		if value != want && value != text(c.Old) {
			return outcome(fmt.Errorf("%w: %s is %q", errMoved, c.Field, value))
		}
	}
	if done {
		return netboxio.Unchanged, nil
	}
	if err := s.only(step.Scope.Addr(), have); err != nil {
		return netboxio.Refused, err
	}
	before, id := *have, have.ClientID
	return outcome(s.twice(ctx, changeReservation, func() error { return s.client.UpdateReservation(ctx, step.Scope.Addr(), before, change) }, func() (bool, error) {
		r, err := s.again(ctx, step.Scope.Addr(), step.Addr)
		if r == nil || r.ClientID != id {
			return false, cmp.Or(err, errMoved)
		}
		return (change.Name == nil || *change.Name == r.Name) && (change.Description == nil || *change.Description == r.Description), nil
	}))
}

func (s *server) deleteReservation(ctx context.Context, step *plan.Step, have *windhcp.Reservation) (netboxio.Outcome, error) {
	if id := find(step.Observed, "client_id"); id != nil && text(id.Old) != string(have.ClientID) {
		return outcome(fmt.Errorf("%w: it is reserved for %s", errMoved, have.ClientID))
	}
	if err := s.only(step.Scope.Addr(), have); err != nil {
		return netboxio.Refused, err
	}
	return outcome(s.remove(ctx, step.Scope.Addr(), *have))
}

func (s *server) remove(ctx context.Context, scope netip.Addr, r windhcp.Reservation) error {
	err := s.via(ctx, deleteReservation, func() error { return s.client.DeleteReservation(ctx, scope, r) })
	if e, ok := asError(err); ok && e.Unsure() {
		left, readErr := s.again(ctx, scope, r.Addr)
		switch {
		case readErr != nil:
			return fmt.Errorf("%w; it is unknown whether it was carried out: %w", readErr, err)
		case left == nil:
			return nil
		}
		return err
	}
	if err == nil {
		s.reservations[scope] = slices.DeleteFunc(s.reservations[scope], func(x windhcp.Reservation) bool { return x.Addr == r.Addr })
	}
	return err
}

// replaceReservation gives an address to another client. There is no call for
// it: the old reservation goes first, and comes back if the new one is refused.
func (s *server) replaceReservation(ctx context.Context, step *plan.Step, have *windhcp.Reservation, old, id windhcp.ClientID) (netboxio.Outcome, error) {
	switch have.ClientID {
	case id:
		return netboxio.Unchanged, nil
	case old:
	default:
		return outcome(fmt.Errorf("%w: it is reserved for %s", errMoved, have.ClientID))
	}
	scope, before := step.Scope.Addr(), *have
	after := before
	after.ClientID = id
	if name := find(step.Changes, "name"); name != nil {
		after.Name = text(name.New)
	}
	if description := find(step.Changes, "description"); description != nil {
		after.Description = text(description.New)
	}
	if err := cmp.Or(s.only(scope, have), s.fits(scope, before), s.fits(scope, after)); err != nil {
		return netboxio.Refused, err
	}
	if err := s.open(deleteReservation, createReservation); err != nil {
		return outcome(err)
	}
	if err := s.remove(ctx, scope, before); err != nil {
		return outcome(err)
	}
	err := s.post(ctx, scope, after)
	if err == nil {
		err = s.kept(ctx, scope, old, after)
	}
	if err == nil {
		return netboxio.Done, nil
	}
	s.undoing = true
	defer func() { s.undoing = false }()
	if undo := s.post(ctx, scope, before); undo != nil {
		return netboxio.Failed, fmt.Errorf("the reservation for %s is deleted, that for %s was refused, and the old one could not be put back (%w): create it on Windows; refused with: %w",
			old, id, undo, err)
	}
	return outcome(fmt.Errorf("refused, and the reservation for %s was put back: %w", old, err))
}

// fits makes sure, before anything is deleted for it, that a reservation can be
// made, as far as that can be told.
func (s *server) fits(scope netip.Addr, r windhcp.Reservation) error {
	for _, x := range s.reservations[scope] {
		if x.ClientID == r.ClientID && x.Addr != r.Addr {
			return fmt.Errorf("client id %s is reserved for %s in this scope already", r.ClientID, x.Addr)
		}
	}
	if !r.ClientID.Canonical() || !slices.Contains([]string{"", "Dhcp", "Bootp", "Both"}, r.Type) {
		return fmt.Errorf("a reservation of type %q for client id %q could not be made again", r.Type, r.ClientID)
	}
	return nil
}
