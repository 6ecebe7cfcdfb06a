package mirror

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// remembered is the memory after a run: what the plan would have remembered. For
// steps that were not done it is what was known before. Otherwise a reservation
// could be deleted that was never pushed, and one whose delete failed would come
// back to NetBox as new (rule 5.2).
func remembered(before plan.Memory, p *plan.Plan, report *apply.Report) plan.Memory {
	after := p.Memory
	for i := range report.Results {
		r := &report.Results[i]
		for field, answer := range r.Answers {
			after.Answers[r.Step.Answer(field)] = answer
		}
		s := &r.Step
		if key := (plan.ScopeKey{Server: s.Target, Subnet: s.Scope}); r.Outcome == netboxio.Done && r.Error != "" && s.Kind == plan.WindowsScope && s.Action == state.Create {
			none := "" // it was made, and not as it was sent
			after.Scopes[key] = plan.Agreement{Options: &none}
		}
		if r.Outcome == netboxio.Done || r.Outcome == netboxio.Unchanged {
			continue
		}
		if s.Kind == state.IPAddress && len(s.AddTags)+len(s.RemoveTags) == 0 {
			restore(after.Described, before.Described, plan.Place{VRF: s.VRF, Addr: s.Addr})
		}
		switch {
		case s.Kind == plan.WindowsReservation && s.Action != state.Update:
			restore(after.Pushed, before.Pushed, plan.PushedKey{Server: s.Target, Addr: s.Addr})
		case s.Kind == plan.WindowsExclusion || s.Kind == plan.WindowsOption:
			for key, agreed := range after.Scopes {
				if key.Subnet == s.Scope {
					after.Scopes[key] = agreed.Without(s.Kind, before.Scopes[key])
				}
			}
		case s.Kind == plan.WindowsScope || s.Kind == state.IPRange:
			// What a scope would have agreed on is not known then.
			if s.Kind == plan.WindowsScope {
				restore(after.Records, before.Records, plan.ScopeKey{Server: s.Target, Subnet: s.Scope})
			}
			for key := range after.Scopes {
				if key.Subnet == s.Scope {
					restore(after.Scopes, before.Scopes, key)
				}
			}
		case s.Kind == state.IPAddress && len(s.AddTags)+len(s.RemoveTags) > 0:
			restore(after.Invalid, before.Invalid, s.ID)
		case s.Kind == state.IPAddress && s.Action != state.Create:
			restore(after.Leases, before.Leases, plan.Place{VRF: s.VRF, Addr: s.Addr})
			restore(after.Before, before.Before, s.ID)
		}
	}
	return after
}

func restore[K comparable, V any](after, before map[K]V, key K) {
	if v, known := before[key]; known {
		after[key] = v
	} else {
		delete(after, key)
	}
}
