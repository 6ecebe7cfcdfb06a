package apply

import (
	"fmt"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Report says what became of each step of a plan, in the plan's order.
type Report struct {
	Results []Result `json:"results"`
}

// Count is how many steps on a target ended in an outcome; an empty target
// means all.
func (r *Report) Count(target string, outcome netboxio.Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == outcome && (target == "" || r.Results[i].Step.Target == target) {
			n++
		}
	}
	return n
}

// Failed is how many steps were refused or met trouble: a run with any ends
// with exit code 1. Steps whose object was changed meanwhile are not failed:
// the next run looks at them anew.
func (r *Report) Failed() int {
	return r.Count("", netboxio.Refused) + r.Count("", netboxio.Failed)
}

// Summary says in one line what was done.
func (r *Report) Summary() string {
	done := make(map[state.Action]int)
	onServers := 0
	for i := range r.Results {
		switch s := &r.Results[i].Step; {
		case r.Results[i].Outcome != netboxio.Done:
		case s.Target != plan.NetBox:
			onServers++
		default:
			done[s.Action]++
		}
	}
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(done[state.Create], "created")
	add(done[state.Update], "changed")
	add(done[state.Delete], "deleted")
	add(onServers, "written to servers")
	if len(parts) == 0 {
		parts = append(parts, "no change")
	}
	add(r.Count("", netboxio.Changed), "changed by others meanwhile")
	add(r.Count("", netboxio.Gone), "gone meanwhile")
	add(r.Failed(), "failed")
	return strings.Join(parts, ", ")
}
