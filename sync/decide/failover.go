package decide

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// recordFailovers records the relationships that NetBox does not know yet, each as
// a config context. The context reaches no device, since it is limited to a tag
// that no device carries. Known ones are never changed (rule 4 step 1). It tells
// which step records which relationship, by its index in the work.
func recordFailovers(v *view) (contexts map[*relationship]int, w work) {
	contexts = make(map[*relationship]int)
	if !v.p.Imports() {
		return contexts, w
	}
	for _, rel := range v.relationships {
		if rel.reported == nil || rel.context != nil {
			continue
		}
		if rel.problem != "" {
			w.note(plan.Note{Level: plan.Failure, Server: v.host(rel.reporter), Cause: plan.CauseFailover, Text: fmt.Sprintf("failover %s is not recorded: %s", rel.label, rel.problem)})
			continue
		}
		data := v.data(rel)
		var doc contextData
		doc.WindowsDHCP.Failover = &data
		contexts[rel] = len(w.steps)
		w.step(createContext(plan.FailoverContext+rel.label, doc, "4 step 1", "reported by "+v.host(rel.reporter)))
	}
	return contexts, w
}

func createContext(name string, doc contextData, rule, why string) plan.Step {
	return plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Create, Kind: state.ConfigContext, Name: name, Rule: rule, Why: why,
		Changes: []plan.Change{
			{Field: "name", New: name},
			{Field: "is_active", New: true},
			{Field: "tags", New: canonjson.Of([]string{state.TagData})},
			{Field: "data", New: canonjson.Of(doc)},
		},
	}
}
