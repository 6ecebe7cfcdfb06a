package apply

import (
	"fmt"
	"slices"
	"strconv"
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

// Alike are results of steps that met the same trouble.
type Alike struct {
	First *Result
	Count int
	Steps []string // names of the first three
}

// Troubles puts together what was not done as planned: the results that say the
// same but for the object each is about, in the order of the plan (rule 3.8
// point 23).
func (r *Report) Troubles() []Alike {
	type like struct {
		target, kind string
		action       state.Action
		outcome      netboxio.Outcome
		what         string
	}
	at := make(map[like]int)
	var list []Alike
	for i := range r.Results {
		result := &r.Results[i]
		if result.Error == "" {
			continue
		}
		s := &result.Step
		key := like{target: s.Target, kind: string(s.Kind), action: s.Action, outcome: result.Outcome, what: impersonal(result)}
		n, known := at[key]
		if !known {
			n = len(list)
			at[key] = n
			list = append(list, Alike{First: result})
		}
		list[n].Count++
		if list[n].Count <= 3 {
			list[n].Steps = append(list[n].Steps, s.Name)
		}
	}
	return list
}

// impersonal is an error without the names of the step's own object.
func impersonal(r *Result) string {
	s := &r.Step
	names := []string{s.Name}
	if s.Addr.IsValid() {
		names = append(names, s.Addr.String())
	}
	if s.Scope.IsValid() {
		names = append(names, s.Scope.String(), s.Scope.Addr().String())
	}
	for _, c := range slices.Concat(s.Changes, s.Observed) {
		for _, value := range []any{c.Old, c.New} {
			if text, ok := value.(string); ok && len(text) > 3 {
				names = append(names, text)
			}
		}
	}
	if s.ID != 0 {
		names = append(names, " "+strconv.FormatInt(s.ID, 10)+":")
	}
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	text := r.Error
	for _, name := range names {
		if name != "" {
			text = strings.ReplaceAll(text, name, "\x00")
		}
	}
	return text
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
