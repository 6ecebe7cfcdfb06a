package plan

import (
	"encoding/json"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// After is NetBox as the steps leave it, if all of them are carried out. Objects
// that the steps make have no id yet. The lists of before are not changed; where
// no step touches a list it is shared. Steps on Windows servers do not count.
func After(before *state.State, steps []Step) *state.State {
	after := *before
	after.Addresses = apply(before.Addresses, of(steps, state.IPAddress), func(x *state.Address) int64 { return x.ID }, func(x *state.Address, s *Step) {
		carry(addressFields(), x, s.Changes)
		x.Tags = retagged(x.Tags, s)
	})
	after.Ranges = apply(before.Ranges, of(steps, state.IPRange), func(r *state.Range) int64 { return r.ID }, func(r *state.Range, s *Step) {
		carry(rangeFields(), r, s.Changes)
		r.Tags = retagged(r.Tags, s)
		if s.Action == state.Create {
			r.Role, r.Status, r.VRF = state.RoleScope, "active", s.VRF
		}
		if _, adopted := s.becomes("role"); adopted {
			r.Role = state.RoleScope
		}
	})
	after.Prefixes = apply(before.Prefixes, of(steps, state.IPPrefix), func(p *state.Prefix) int64 { return p.ID }, func(p *state.Prefix, s *Step) {
		for _, c := range s.Changes {
			if c.Field == CustomField(state.FieldScopes) {
				p.Scopes = textOf(c.New)
			}
		}
		if s.Action == state.Create {
			p.Prefix, p.VRF, p.Status = s.Scope, s.VRF, "active"
		}
	})
	after.Contexts = apply(before.Contexts, of(steps, state.ConfigContext), func(c *state.Context) int64 { return c.ID }, func(c *state.Context, s *Step) {
		if data, changes := s.becomes("data"); changes {
			c.Data, _ = data.(json.RawMessage)
		}
		if s.Action == state.Create {
			c.Name, c.Active = s.Name, true
		}
	})
	return &after
}

// of picks the steps on one kind of NetBox object.
func of(steps []Step, kind state.Kind) []*Step {
	var out []*Step
	for i := range steps {
		if steps[i].Target == NetBox && steps[i].Kind == kind {
			out = append(out, &steps[i])
		}
	}
	return out
}

// apply changes a copy of a list.
func apply[T any](list []T, steps []*Step, id func(*T) int64, change func(*T, *Step)) []T {
	if len(steps) == 0 {
		return list
	}
	list = append(make([]T, 0, len(list)+len(steps)), list...)
	index := make(map[int64]int, len(list))
	for i := range list {
		index[id(&list[i])] = i
	}
	deleted := make(map[int64]bool)
	for _, s := range steps {
		switch i, found := index[s.ID]; {
		case s.Action == state.Create:
			var made T
			change(&made, s)
			list = append(list, made)
		case s.Action == state.Delete:
			deleted[s.ID] = true
		case found:
			change(&list[i], s)
		}
	}
	if len(deleted) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(x T) bool { return deleted[id(&x)] })
}

func retagged(tags []string, s *Step) []string {
	if len(s.AddTags)+len(s.RemoveTags) == 0 {
		return tags
	}
	tags = slices.DeleteFunc(slices.Concat(tags, s.AddTags), func(t string) bool { return slices.Contains(s.RemoveTags, t) })
	slices.Sort(tags)
	return slices.Compact(tags)
}
