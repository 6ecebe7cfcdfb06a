package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// exclusion adds an exclusion, deletes one, or puts one in the place of those
// it overlaps, which Windows would refuse (rule 5.3).
func (s *server) exclusion(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	change := find(step.Changes, "exclusions")
	if change == nil {
		return netboxio.Refused, fmt.Errorf("the step names no exclusion")
	}
	old, errOld := exclusions(change.Old)
	add, errNew := exclusions(change.New)
	if errOld != nil || errNew != nil || len(add) > 1 {
		return netboxio.Refused, fmt.Errorf("the step's exclusions cannot be read")
	}
	scope := step.Scope.Addr()
	have := s.client.Exclusions(ctx, scope)
	if have.Err != nil {
		return outcome(have.Err)
	}
	left := slices.DeleteFunc(slices.Clone(old), func(x windhcp.Exclusion) bool { return !slices.Contains(have.Items, x) })
	there := len(add) == 1 && slices.Contains(have.Items, add[0])
	if len(left) == 0 && (len(add) == 0 || there) {
		return netboxio.Unchanged, nil
	}
	if len(left) > 0 && len(add) > 0 {
		if err := s.open(deleteExclusion, createExclusion); err != nil {
			return outcome(err)
		}
	}
	var deleted []windhcp.Exclusion
	for _, x := range left {
		if err := s.deleteExclusion(ctx, scope, x); err != nil {
			return s.putBack(ctx, scope, deleted, err)
		}
		deleted = append(deleted, x)
	}
	if len(add) == 0 || there {
		return netboxio.Done, nil
	}
	if err := s.createExclusion(ctx, scope, add[0]); err != nil {
		return s.putBack(ctx, scope, deleted, err)
	}
	return netboxio.Done, nil
}

func (s *server) createExclusion(ctx context.Context, scope netip.Addr, x windhcp.Exclusion) error {
	return s.twice(ctx, createExclusion, func() error { return s.client.CreateExclusion(ctx, scope, x) }, func() (bool, error) {
		list := s.client.Exclusions(ctx, scope)
		return slices.Contains(list.Items, x), list.Err
	})
}

func (s *server) deleteExclusion(ctx context.Context, scope netip.Addr, x windhcp.Exclusion) error {
	return s.twice(ctx, deleteExclusion, func() error { return s.client.DeleteExclusion(ctx, scope, x) }, func() (bool, error) {
		list := s.client.Exclusions(ctx, scope)
		return !slices.Contains(list.Items, x), list.Err
	})
}

// putBack restores the old exclusions after a replacement that failed half way:
// the mirror must not be the reason why their addresses are handed out.
func (s *server) putBack(ctx context.Context, scope netip.Addr, deleted []windhcp.Exclusion, cause error) (netboxio.Outcome, error) {
	s.undoing = true
	defer func() { s.undoing = false }()
	var lost []string
	var first error
	for _, x := range deleted {
		if err := s.createExclusion(ctx, scope, x); err != nil {
			lost = append(lost, fmt.Sprintf("%s-%s", x.Start, x.End))
			first = cmp.Or(first, err)
		}
	}
	if first != nil {
		return netboxio.Failed, fmt.Errorf("deleted and could not be put back: exclusion %s (%w): create it on Windows; the new one was refused with: %w",
			strings.Join(lost, ", "), first, cause)
	}
	return outcome(cause)
}

// exclusions reads one side of a step's change; nil: none.
func exclusions(v any) ([]windhcp.Exclusion, error) {
	if v == nil {
		return nil, nil
	}
	raw, ok := v.(json.RawMessage)
	if !ok {
		return nil, fmt.Errorf("%v is no list of exclusions", v)
	}
	var list []struct {
		Start netip.Addr `json:"start_ip"`
		End   netip.Addr `json:"end_ip"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var out []windhcp.Exclusion
	for _, x := range list {
		out = append(out, windhcp.Exclusion{Start: x.Start, End: x.End})
	}
	return out, nil
}
