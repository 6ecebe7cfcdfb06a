package apply

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// scope creates or changes a scope (rule 5.3).
func (s *server) scope(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	have, found, err := s.findScope(ctx, step.Scope)
	if err != nil {
		return outcome(err)
	}
	if step.Action == state.Create {
		if found {
			if unlike := unlikeStep(have, step); unlike != "" {
				return outcome(fmt.Errorf("%w: there is a scope of this network address, with another %s", errMoved, unlike))
			}
			return netboxio.Unchanged, nil
		}
		return s.createScope(ctx, step)
	}
	if step.Action == state.Delete {
		return s.deleteScope(ctx, step, have, found)
	}
	if !found {
		return outcome(fmt.Errorf("%w: there is no such scope", errMoved))
	}
	if off := find(step.Changes, "state"); off != nil && off.New == "Inactive" && step.Record > 0 {
		if err := s.unused(ctx, step.Scope.Addr()); err != nil {
			return outcome(err)
		}
	}
	done := true
	for _, c := range step.Changes {
		value := scopeValue(have, c.Field)
		done = done && value == c.New
		if value != c.New && value != c.Old {
			return outcome(fmt.Errorf("%w: %s is %v", errMoved, c.Field, value))
		}
	}
	if done {
		return netboxio.Unchanged, nil
	}
	if err := s.partnerReady(ctx, step); err != nil {
		return outcome(err)
	}
	change := scopeChange(step.Changes)
	s.scopes = nil
	err = s.twice(ctx, changeScope, func() error { return s.client.UpdateScope(ctx, step.Scope.Addr(), change) }, func() (bool, error) {
		now, found, err := s.findScope(ctx, step.Scope)
		return found && unlikeStep(now, step) == "", err
	})
	if e, ok := asError(err); ok && e.Status == http.StatusNotFound {
		// Every refusal looks like a missing scope (rule 1.4 quirk 8).
		s.scopes = nil
		if _, found, readErr := s.findScope(ctx, step.Scope); readErr == nil && found {
			err = fmt.Errorf("the server has the scope but rejects the change (a range that leaves the subnet, or that cuts off leases?): %w", err)
		}
	}
	return outcome(err)
}

// deleteScope deletes a scope that hands nothing out and has no lease.
func (s *server) deleteScope(ctx context.Context, step *plan.Step, have windhcp.Scope, found bool) (netboxio.Outcome, error) {
	switch {
	case !found:
		return netboxio.Unchanged, nil
	case have.Active():
		return outcome(fmt.Errorf("%w: the scope is active", errMoved))
	}
	if err := s.unused(ctx, step.Scope.Addr()); err != nil {
		return outcome(err)
	}
	s.scopes, s.reservations = nil, nil
	return outcome(s.twice(ctx, changeScope, func() error { return s.client.DeleteScope(ctx, step.Scope.Addr()) }, func() (bool, error) {
		_, found, err := s.findScope(ctx, step.Scope)
		return !found, err
	}))
}

// unused makes sure that no client leases an address of a scope.
func (s *server) unused(ctx context.Context, scope netip.Addr) error {
	leases := s.client.Leases(ctx, scope)
	switch {
	case leases.Err != nil:
		return leases.Err
	case !leases.Complete():
		return fmt.Errorf("leases of scope %s cannot be understood: %s", scope, leases.Malformed[0])
	case len(leases.Items) > 0:
		return fmt.Errorf("%w: %s is leased", errMoved, leases.Items[0].Addr)
	}
	return nil
}

// unlikeStep names a field in which a scope is not as a step wants it; empty:
// there is none. A lease time that the server does not tell is not compared.
func unlikeStep(have windhcp.Scope, step *plan.Step) string {
	for _, c := range step.Changes {
		switch value := scopeValue(have, c.Field); {
		case c.Field == "lease_duration_seconds" && have.LeaseSeconds == 0, c.Field == "options": // those are asked for apart
		case value != c.New:
			return c.Field
		}
	}
	return ""
}

func (s *server) findScope(ctx context.Context, subnet netip.Prefix) (windhcp.Scope, bool, error) {
	scopes, err := s.listScopes(ctx)
	if err != nil {
		return windhcp.Scope{}, false, err
	}
	for _, scope := range scopes {
		if scope.ID() == subnet.Addr() {
			return scope, true, nil
		}
	}
	return windhcp.Scope{}, false, nil
}

// createScope makes a scope and looks at it afterwards: errors of the lease
// time and the router are hidden by the server (rule 1.3).
func (s *server) createScope(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	c := step.Changes
	want := windhcp.Scope{
		Subnet: step.Scope, State: newText(c, "state"), Name: newText(c, "name"), Description: newText(c, "description"),
		Start: address(newText(c, "start_ip")), End: address(newText(c, "end_ip")), Router: address(newText(c, "router")),
	}
	if lease := find(c, "lease_duration_seconds"); lease != nil {
		want.LeaseSeconds = number(lease.New)
	}
	options, err := newOptions(c)
	if err != nil {
		return netboxio.Refused, err
	}
	s.scopes = nil
	err = s.twice(ctx, createScope, func() error { return s.client.CreateScope(ctx, want, options...) }, func() (bool, error) {
		_, found, err := s.findScope(ctx, step.Scope)
		return found, err
	})
	if err != nil {
		return outcome(err)
	}
	s.scopes = nil
	made, found, err := s.findScope(ctx, step.Scope)
	switch {
	case err != nil:
		return netboxio.Done, fmt.Errorf("created, but it could not be read afterwards: %w", err)
	case !found:
		return netboxio.Failed, fmt.Errorf("the server said it created the scope, but does not list it")
	}
	if unlike := unlikeStep(made, step); unlike != "" {
		return netboxio.Done, fmt.Errorf("created with %s %v instead of %v: the next run tries to set it",
			unlike, scopeValue(made, unlike), find(c, unlike).New)
	}
	switch unlike, err := s.unlikeOptions(ctx, step, options); {
	case err != nil:
		return netboxio.Done, fmt.Errorf("created, but its options could not be read afterwards: %w", err)
	case unlike != "":
		return netboxio.Done, fmt.Errorf("created with another %s than was sent", unlike)
	}
	return netboxio.Done, nil
}

// scopeValue is a field of a scope as a plan writes it.
func scopeValue(s windhcp.Scope, field string) any {
	switch field {
	case "scope_id":
		return s.ID().String()
	case "subnet_mask":
		return net.IP(net.CIDRMask(s.Subnet.Bits(), 32)).String()
	case "name":
		return s.Name
	case "start_ip":
		return s.Start.String()
	case "end_ip":
		return s.End.String()
	case "description":
		return s.Description
	case "router":
		if !s.Router.IsValid() || s.Router.IsUnspecified() {
			return ""
		}
		return s.Router.String()
	case "lease_duration_seconds":
		return s.LeaseSeconds
	case "state":
		return stateText(s)
	}
	return nil
}

// stateText is the state of a scope as a plan writes it.
func stateText(s windhcp.Scope) string {
	if s.Active() {
		return "Active"
	}
	return "Inactive"
}

func scopeChange(changes []plan.Change) endpoint.ScopeChange {
	var out endpoint.ScopeChange
	for _, c := range changes {
		value := text(c.New)
		addr := address(c.New)
		switch c.Field {
		case "name":
			out.Name = &value
		case "start_ip":
			out.Start = &addr
		case "end_ip":
			out.End = &addr
		case "description":
			out.Description = &value
		case "router":
			out.Router = &addr
		case "state":
			active := value == "Active"
			out.Active = &active
		case "lease_duration_seconds":
			seconds := number(c.New)
			out.LeaseSeconds = &seconds
		}
	}
	return out
}
