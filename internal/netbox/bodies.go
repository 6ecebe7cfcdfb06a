package netbox

import (
	"encoding/json"
	"net/netip"

	api "github.com/netbox-community/go-netbox/v4"
)

// AddressPatch is a change of an IP address: its custom fields, the interface it is
// assigned to, its status and its tags.
type AddressPatch struct {
	ID           int64
	CustomFields map[string]any // those to change, by name; nil clears one
	// Assign changes the assignment: to object ToID of list To, or to nothing
	// where To is empty.
	Assign  bool
	To      Table // Interfaces or VMInterfaces
	ToID    int64
	Status  string  // empty: it stays
	SetTags bool    // the tags become Tags, by id
	Tags    []int64 // may be none
	Message string  // for the change log, see Version.ChangelogMessage; empty: none
}

// Body is the patch in go-netbox's words. NetBox passes over the id where the
// request is about one object.
func (a AddressPatch) Body() any {
	r := api.NewPatchedWritableIPAddressRequest()
	if len(a.CustomFields) > 0 {
		r.SetCustomFields(a.CustomFields)
	}
	switch {
	case a.Assign && a.To == "":
		r.SetAssignedObjectTypeNil()
		r.SetAssignedObjectIdNil()
	case a.Assign:
		r.SetAssignedObjectType(a.To.Model())
		r.SetAssignedObjectId(a.ToID)
	}
	r.AdditionalProperties = map[string]any{"id": a.ID}
	if a.Status != "" {
		r.SetStatus(api.PatchedWritableIPAddressRequestStatus(a.Status))
	}
	if a.SetTags { // references by id, which go-netbox has no words for in lists
		r.AdditionalProperties["tags"] = append([]int64{}, a.Tags...)
	}
	if a.Message != "" {
		r.AdditionalProperties["changelog_message"] = a.Message
	}
	return r
}

// NewAddress is an IP address that is made.
type NewAddress struct {
	Address      netip.Prefix
	VRF          int64          // 0: global table
	Tag          int64          // 0: none
	CustomFields map[string]any // by name
	To           Table          // of the interface that it is assigned to; empty: to none
	ToID         int64
	Message      string // for the change log, see Version.ChangelogMessage; empty: none
}

// Body is the address in go-netbox's words.
func (a NewAddress) Body() any {
	r := api.NewWritableIPAddressRequest(a.Address.String())
	r.SetStatus(api.PATCHEDWRITABLEIPADDRESSREQUESTSTATUS_ACTIVE)
	r.SetCustomFields(a.CustomFields)
	if a.To != "" {
		r.SetAssignedObjectType(a.To.Model())
		r.SetAssignedObjectId(a.ToID)
	}
	// References by id, which go-netbox has no words for in lists.
	r.AdditionalProperties = map[string]any{}
	if a.Tag != 0 {
		r.AdditionalProperties["tags"] = []int64{a.Tag}
	}
	if a.VRF != 0 {
		r.AdditionalProperties["vrf"] = a.VRF
	}
	if a.Message != "" {
		r.AdditionalProperties["changelog_message"] = a.Message
	}
	return r
}

// TagBody makes a tag. The description may be empty.
func TagBody(name, slug, description string) any {
	r := api.NewTagRequest(name, slug)
	if description != "" {
		r.SetDescription(description)
	}
	return r
}

// RoleBody makes an IPAM role.
func RoleBody(name, slug, description string) any {
	r := api.NewRoleRequest(name, slug)
	r.SetDescription(description)
	return r
}

// ChoiceSetBody makes a choice set of values and their labels.
func ChoiceSetBody(name, description string, choices [][2]string) any {
	var list [][]any
	for _, c := range choices {
		list = append(list, []any{c[0], c[1]})
	}
	r := api.NewWritableCustomFieldChoiceSetRequest(name, list)
	r.SetDescription(description)
	return r
}

// ContextBody makes a config context that is limited to a tag, by its slug. data is
// a JSON object.
func ContextBody(name, description, tag string, active bool, data json.RawMessage) any {
	r := api.NewConfigContextRequest(name, data)
	r.SetDescription(description)
	r.SetIsActive(active)
	r.SetTags([]string{tag})
	return r
}

// SavedFilterBody makes a filter that all users see.
func SavedFilterBody(name, slug, objectType string, parameters map[string]any) any {
	r := api.NewSavedFilterRequest([]string{objectType}, name, slug, parameters)
	r.SetShared(true)
	r.SetEnabled(true)
	return r
}

// TableConfigBody makes a layout of columns that all users see.
func TableConfigBody(name, objectType, table string, columns []string) any {
	r := api.NewTableConfigRequest(objectType, table, name, columns)
	r.SetShared(true)
	r.SetEnabled(true)
	return r
}

// CustomLinkBody makes a link on the pages of a type of objects, which opens in
// a window of its own. target is a template of NetBox's.
func CustomLinkBody(name, objectType, text, target string) any {
	r := api.NewCustomLinkRequest([]string{objectType}, name, text, target)
	r.SetNewWindow(true)
	return r
}

// TagTypesBody sets the types of objects a tag may be put on.
func TagTypesBody(objectTypes []string) any {
	r := api.NewPatchedTagRequest()
	r.SetObjectTypes(objectTypes)
	return r
}

// FieldTypesBody sets the types of objects that have a custom field.
func FieldTypesBody(objectTypes []string) any {
	r := api.NewPatchedWritableCustomFieldRequest()
	r.SetObjectTypes(objectTypes)
	return r
}

// Field is the definition of a custom field.
type Field struct {
	Name, Type, ObjectType string
	Label, Description     string
	Group                  string // that the field is shown in; empty: none
	Weight                 int    // order within the group; 0: NetBox's own
	SearchWeight           *int   // 0: not searched; nil: NetBox's own
	Loose                  bool   // filters find parts of the value
	ChoiceSet              string // name of the choice set of a selection
}

// Body makes the field. It has no default, which would rewrite every object,
// and stays editable in the web pages: an operator ends a binding by emptying
// its record (S-5).
func (f Field) Body() any {
	r := api.NewWritableCustomFieldRequest([]string{f.ObjectType}, f.Name)
	r.SetType(api.PatchedWritableCustomFieldRequestType(f.Type))
	r.SetLabel(f.Label)
	r.SetDescription(f.Description)
	r.SetFilterLogic(api.PATCHEDWRITABLECUSTOMFIELDREQUESTFILTERLOGIC_EXACT)
	if f.Loose {
		r.SetFilterLogic(api.PATCHEDWRITABLECUSTOMFIELDREQUESTFILTERLOGIC_LOOSE)
	}
	if f.Group != "" {
		r.SetGroupName(f.Group)
	}
	if f.Weight != 0 {
		r.SetWeight(int32(f.Weight)) //nolint:gosec // a small constant
	}
	if f.SearchWeight != nil {
		r.SetSearchWeight(int32(*f.SearchWeight)) //nolint:gosec // a small constant
	}
	if f.ChoiceSet != "" {
		r.SetChoiceSet(api.BriefCustomFieldChoiceSetRequestAsCustomFieldRequestChoiceSet(api.NewBriefCustomFieldChoiceSetRequest(f.ChoiceSet)))
	}
	return r
}
