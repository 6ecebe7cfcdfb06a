package netboxio

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Write is one change of one object. It is conditional: an update or delete is
// carried out only if the object still shows Before, and a create only if
// nothing was made in its place meanwhile, so that any write may be tried again
// after trouble.
type Write struct {
	Kind   state.Kind
	Action state.Action
	ID     int64 // of the object; 0 for a create
	// Set holds what to send, by NetBox's name of the field; custom fields are
	// named "custom_fields.dhcp_client_id". Values are what JSON knows: string,
	// bool, int64, float64, nil, []any, map[string]any, json.RawMessage.
	Set map[string]any
	// Before holds what the same fields (and, for a delete, all that the
	// decision rested on) showed when the decision was taken.
	Before map[string]any
	// AddTags and RemoveTags are slugs. Other tags stay. The tags that
	// limit a config context are no tags of it: they are the field "tags" in Set.
	AddTags, RemoveTags []string
	// Host and VRF are the place of an address to create, or to check that an
	// address to change was not renumbered; zero for other kinds.
	Host netip.Addr
	VRF  int64
	// Message goes to NetBox's change log: at most 200 characters are kept.
	Message string
}

// Outcome is what became of a Write, or of a push to a Windows DHCP server.
type Outcome = netbox.Outcome

// The outcomes: see package netbox.
const (
	Done      = netbox.Done
	Unchanged = netbox.Unchanged
	Changed   = netbox.Changed
	Gone      = netbox.Gone
	Refused   = netbox.Refused
	Failed    = netbox.Failed
)

// Result belongs to the Write of the same index.
type Result struct {
	Outcome Outcome
	ID      int64 // of the object, also of one just made
	Err     error // for Refused, Failed and Changed
}
