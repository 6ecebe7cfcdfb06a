package state

import "net/netip"

// Action is what a write does to an object.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Write is one change of one object. It is conditional: an update or delete is
// carried out only if the object still shows Before, and a create only if
// nothing was made in its place meanwhile, so that any write may be tried again
// after trouble.
type Write struct {
	Kind   Kind
	Action Action
	ID     int64 // of the object; 0 for a create
	// Set holds what to send, by NetBox's name of the field; custom fields are
	// named "custom_fields.dhcp_client_id". Values are what JSON knows: string,
	// bool, int64, float64, nil, []any, map[string]any, json.RawMessage.
	Set map[string]any
	// Before holds what the same fields (and, for a delete, whatever the
	// decision rested on) showed when the decision was taken.
	Before map[string]any
	// AddTags and RemoveTags are slugs. Tags of other people stay. The tags that
	// limit a config context are no tags of it: they are the field "tags" in Set.
	AddTags, RemoveTags []string
	// Host and VRF are the place of an address to create, or to check that an
	// address to change was not renumbered; zero for other kinds.
	Host netip.Addr
	VRF  int64
	// Message goes to NetBox's change log: at most 200 characters are kept.
	Message string
}

// Outcome is what became of a Write.
type Outcome string

// The outcomes. Done and Unchanged both mean that NetBox shows what was wanted.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged" // it did already (or the object to delete is gone); nothing was written
	Changed   Outcome = "changed"   // somebody changed the object since the decision; nothing was written
	Gone      Outcome = "gone"      // the object to update is not there any more
	Refused   Outcome = "refused"   // NetBox does not take it; trying again does not help
	Failed    Outcome = "failed"    // trouble; the same write may be tried again
)

// Result belongs to the Write of the same index.
type Result struct {
	Outcome Outcome
	ID      int64 // of the object, also of one just made
	Err     error // for Refused, Failed and Changed
}
