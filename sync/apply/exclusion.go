package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/object"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// exclusion adds an exclusion, deletes one, or puts one in the place of those
// it overlaps, which Windows would refuse (windows-dhcp.md 5.3).
func (s *server) exclusion(ctx context.Context, step *plan.Step) (object.Outcome, error) {
	change := find(step.Changes, "exclusions")
	if change == nil {
		return object.Refused, fmt.Errorf("the step names no exclusion")
	}
	old, errOld := exclusions(change.Old)
	add, errNew := exclusions(change.New)
	if errOld != nil || errNew != nil || len(add) > 1 {
		return object.Refused, fmt.Errorf("the step's exclusions cannot be read")
	}
	scope := step.Scope.Addr()
	have := s.client.Exclusions(ctx, scope)
	if have.Err != nil {
		return outcome(have.Err)
	}
	left := slices.DeleteFunc(slices.Clone(old), func(x windhcp.Exclusion) bool { return !slices.Contains(have.Items, x) })
	there := len(add) == 1 && slices.Contains(have.Items, add[0])
	if len(left) == 0 && (len(add) == 0 || there) {
		return object.Unchanged, nil
	}
	var deleted []windhcp.Exclusion
	for _, x := range left {
		if err := s.client.DeleteExclusion(ctx, scope, x); err != nil {
			return outcome(s.putBack(ctx, scope, deleted, err))
		}
		deleted = append(deleted, x)
	}
	if len(add) == 0 || there {
		return object.Done, nil
	}
	err := twice(func() error { return s.client.CreateExclusion(ctx, scope, add[0]) }, func() (bool, error) {
		list := s.client.Exclusions(ctx, scope)
		return slices.Contains(list.Items, add[0]), list.Err
	})
	if err != nil {
		return outcome(s.putBack(ctx, scope, deleted, err))
	}
	return object.Done, nil
}

// putBack makes good a replacement that went half way: addresses must not be
// handed out because of us.
func (s *server) putBack(ctx context.Context, scope netip.Addr, deleted []windhcp.Exclusion, cause error) error {
	for _, x := range deleted {
		if err := s.client.CreateExclusion(ctx, scope, x); err != nil {
			return fmt.Errorf("exclusion %s-%s is deleted and could not be put back (%w): create it on Windows; the new one was refused with: %w",
				x.Start, x.End, err, cause)
		}
	}
	return cause
}

func exclusions(v any) ([]windhcp.Exclusion, error) {
	raw, ok := v.(json.RawMessage)
	if !ok {
		return nil, nil
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
