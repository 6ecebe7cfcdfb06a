package decide

import (
	"encoding/json"
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Home is what a NetBox says of the mirror's memory of it: its own id, and where
// the memory is kept (rule 5.5).
type Home struct {
	ID string `json:"id"`
	plan.Keeper
}

// HomeOf reads what a NetBox says; false: it does not say it, or not readably.
func HomeOf(contexts []state.Context) (Home, bool) {
	for i := range contexts {
		var data contextData
		if contexts[i].Name != plan.MemoryContext {
			continue
		}
		if json.Unmarshal(contexts[i].Data, &data) != nil || data.WindowsDHCP.Memory == nil || data.WindowsDHCP.Memory.ID == "" {
			return Home{}, false
		}
		return *data.WindowsDHCP.Memory, true
	}
	return Home{}, false
}

// Data is what the config context MemoryContext holds.
func (h Home) Data() json.RawMessage {
	var doc contextData
	doc.WindowsDHCP.Memory = &h
	return canonjson.Of(doc)
}

// belongs says why nothing may be deleted on a server, since memory and NetBox do
// not belong together; empty: they do. Only an operator can tell which of the two
// is the wrong one, so an id is never replaced by a run.
func belongs(v *view) string {
	const cure = "if all is right, run netbox-dhcp-sync bootstrap --same-netbox"
	home, ok := HomeOf(v.nb.Contexts)
	now, memory := plan.Identity{ID: home.ID, URL: v.in.Here.URL}, v.memory.NetBox
	switch {
	case !ok:
		return "NetBox has no id of its own yet, by which it could be told from another: run netbox-dhcp-sync bootstrap"
	case memory != plan.Identity{} && memory.ID != now.ID:
		return "this is not the NetBox that the state folder remembers: its id is another one; " + cure
	case memory != plan.Identity{} && memory.URL != now.URL:
		return fmt.Sprintf("the state folder remembers this NetBox at %s, and it is at %s now, where it may be a copy; %s", memory.URL, now.URL, cure)
	case home.Keeper != v.in.Here.Keeper:
		return fmt.Sprintf("the memory of this NetBox is kept in %s, and this is %s; %s", home.Keeper, v.in.Here.Keeper, cure)
	}
	return ""
}

// checkMemory notes a memory that is about another NetBox: until that is settled
// nothing is deleted on a server. A memory that is about none yet is about this one
// from now on (rule 5.5).
func checkMemory(v *view, memory *plan.Memory) (w work) {
	if home, ok := HomeOf(v.nb.Contexts); ok && memory.NetBox == (plan.Identity{}) {
		memory.NetBox = plan.Identity{ID: home.ID, URL: v.in.Here.URL}
	}
	if v.strange != "" && v.p.DeletesOnServers() {
		w.note(plan.Note{Level: plan.Guard, Cause: plan.CauseMemory, Text: "nothing is deleted on servers: " + v.strange})
	}
	return w
}
