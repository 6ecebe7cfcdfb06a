package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// options sets options of a scope (rule 5.6).
func (s *server) options(ctx context.Context, step *plan.Step) (netboxio.Outcome, error) {
	have := s.client.ScopeOptions(ctx, step.Scope.Addr())
	switch {
	case have.Err != nil:
		return outcome(have.Err)
	case !have.Complete():
		return netboxio.Failed, fmt.Errorf("options of the scope cannot be understood: %s", have.Malformed[0])
	}
	var wanted []windhcp.OptionValue
	for _, c := range step.Changes {
		code, ok := plan.OptionCode(c.Field)
		now, old := plan.OptionValues(c.New), plan.OptionValues(c.Old)
		if !ok || len(now) == 0 {
			return netboxio.Refused, fmt.Errorf("the step's options cannot be read")
		}
		is := ownOption(have.Items, code)
		switch {
		case is.shared:
			return outcome(fmt.Errorf("%w: option %d has a value for a user class or a policy, or that is not told", errMoved, code))
		case is.same(now):
		case !slices.Equal(is.values, old):
			return outcome(fmt.Errorf("%w: option %d is %s", errMoved, code, orNothing(is.values)))
		default:
			wanted = append(wanted, windhcp.OptionValue{Code: code, Values: now})
		}
	}
	if len(wanted) == 0 {
		return netboxio.Unchanged, nil
	}
	return outcome(s.twice(ctx, changeOptions, func() error {
		_, err := s.client.SetOptions(ctx, step.Scope.Addr(), wanted)
		return err
	}, func() (bool, error) {
		list := s.client.ScopeOptions(ctx, step.Scope.Addr())
		return !slices.ContainsFunc(wanted, func(o windhcp.OptionValue) bool { is := ownOption(list.Items, o.Code); return !is.same(o.Values) }), list.Err
	}))
}

// shown is what a server says of one option of a scope.
type shown struct {
	kind   string
	values []string // that every client gets
	shared bool     // a class or a policy has a value too, or may have
}

func ownOption(options []windhcp.Option, code int) (is shown) {
	for _, o := range options {
		if o.Code != code || o.VendorClass != "" {
			continue
		}
		is.kind, is.shared = o.Type, is.shared || !o.ClassesTold || !o.ForAll()
		if o.ForAll() {
			is.values = o.Values
		}
	}
	return is
}

// same compares values: Windows shows some numbers in hexadecimal.
func (is shown) same(values []string) bool {
	return slices.Equal(is.values, values) || windhcp.SameOption(is.kind, strings.Join(is.values, ", "), strings.Join(values, ", "))
}

func orNothing(values []string) string {
	if len(values) == 0 {
		return "not set"
	}
	return strings.Join(values, ", ")
}

// compareOptions looks whether the options are as a step set them.
func (r *Result) compareOptions(have []windhcp.Option) {
	for _, c := range r.Step.Changes {
		code, _ := plan.OptionCode(c.Field)
		is := ownOption(have, code)
		r.compare(c, plan.OptionList(is.values), is.same(plan.OptionValues(c.New)))
	}
}

// newOptions are the options that a step makes a scope with.
func newOptions(changes []plan.Change) ([]windhcp.OptionValue, error) {
	c := find(changes, "options")
	if c == nil {
		return nil, nil
	}
	raw, _ := c.New.(json.RawMessage)
	var list []windhcp.OptionValue
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("the step's options cannot be read: %w", err)
	}
	return list, nil
}

// unlikeOptions names an option of a new scope that is not as it was sent; empty: none.
func (s *server) unlikeOptions(ctx context.Context, step *plan.Step, sent []windhcp.OptionValue) (string, error) {
	if len(sent) == 0 {
		return "", nil
	}
	have := s.client.ScopeOptions(ctx, step.Scope.Addr())
	for _, o := range sent {
		if is := ownOption(have.Items, o.Code); have.Err == nil && !is.same(o.Values) {
			return fmt.Sprintf("option %d", o.Code), nil
		}
	}
	return "", have.Err
}
