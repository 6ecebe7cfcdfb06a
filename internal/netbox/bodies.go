package netbox

import (
	api "github.com/netbox-community/go-netbox/v4"
)

// AddressPatch is a change of an IP address: its custom fields and the
// interface it is assigned to.
type AddressPatch struct {
	ID           int64
	CustomFields map[string]any // those to change, by name; nil clears one
	// Assign changes the assignment: to object ToID of list To, or to nothing
	// where To is empty.
	Assign  bool
	To      Table // Interfaces or VMInterfaces
	ToID    int64
	Message string // for the change log, see Version.ChangelogMessage; empty: none
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
		r.SetAssignedObjectType(a.To.model())
		r.SetAssignedObjectId(a.ToID)
	}
	r.AdditionalProperties = map[string]any{"id": a.ID}
	if a.Message != "" {
		r.AdditionalProperties["changelog_message"] = a.Message
	}
	return r
}

// TagBody makes a tag.
func TagBody(name, slug string) any { return api.NewTagRequest(name, slug) }

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
