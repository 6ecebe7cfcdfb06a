package decide

import (
	"fmt"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// settled takes out of a step for a server what was sent before and came back
// otherwise, as long as both are as they were: it would come back otherwise again
// (rule 3.8 point 25). A step that goes together with one on the partner stays whole.
// It returns how many values that are, and whether anything is left.
func (d *draft) settled(step plan.Step) (rest plan.Step, values int, left bool) {
	if step.Target == plan.NetBox || step.Action != state.Update || step.With != "" {
		return step, 0, true
	}
	known := func(c plan.Change) bool {
		answer, known := d.plan.Memory.Answers[step.Answer(c.Field)]
		return known && answer == plan.AnswerOf(c.New, c.Old)
	}
	rest = step
	rest.Changes = slices.DeleteFunc(slices.Clone(step.Changes), known)
	values = len(step.Changes) - len(rest.Changes)
	return rest, values, len(rest.Changes) > 0
}

// tellSettled says in one note what the servers keep otherwise.
func (d *draft) tellSettled(values map[string]int) {
	for _, server := range slices.Sorted(maps.Keys(values)) {
		d.note(plan.Note{Level: plan.Info, Server: server, Cause: plan.CausePush, Text: fmt.Sprintf("the server keeps %s otherwise than it was sent: "+
			"not sent again until NetBox or the server shows something else", printable.Count(values[server], "value", "values"))})
	}
}
