package netbox

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// fieldInfo is a custom field's definition.
type fieldInfo struct {
	rowHead
	Name        string   `json:"name"`
	Type        choice   `json:"type"`
	ObjectTypes []string `json:"object_types"`
	ChoiceSet   ref      `json:"choice_set"`
}

// fieldNamed reads a definition; nil for a field that does not exist.
func fieldNamed(ctx context.Context, c *Client, name string) (*fieldInfo, error) {
	page, err := c.FirstPage(ctx, customFields, url.Values{"name": {name}, "fields": {"id,name,type,object_types,choice_set"}})
	if err != nil {
		return nil, err
	}
	for _, raw := range page {
		var info fieldInfo
		if json.Unmarshal(raw, &info) == nil && info.Name == name {
			return &info, nil
		}
	}
	return nil, nil
}

func (k *checker) field(ctx context.Context, need FieldNeed) {
	object := "custom field " + need.Name
	info, err := fieldNamed(ctx, k.client, need.Name)
	if kindOf(err) == Forbidden {
		k.fieldInUse(ctx, need)
		return
	}
	switch {
	case k.failed(object, err):
	case info == nil:
		k.add(Failure, object, "it does not exist", "create it (the bootstrap command does) or set the name of another one in netbox.fields")
	case !slices.Contains(need.Types, string(info.Type)):
		k.add(Failure, object, unusableType(string(info.Type)), "use a field of type "+strings.Join(need.Types, " or "))
	case !slices.Contains(info.ObjectTypes, need.ObjectType):
		k.add(Failure, object, "it is not on "+need.ObjectType, "add the object type to the field (the bootstrap command does)")
	}
}

func unusableType(kind string) string {
	if kind == "date" {
		return "a date without time cannot hold the end of a lease"
	}
	return "its type " + kind + " cannot be used"
}

// fieldInUse looks at an address instead of the definition, which the token
// need not be allowed to see.
func (k *checker) fieldInUse(ctx context.Context, need FieldNeed) {
	object := "custom field " + need.Name
	page, err := k.client.FirstPage(ctx, addresses, url.Values{"fields": {"id,custom_fields"}, "limit": {"1"}})
	if err != nil || len(page) == 0 || need.ObjectType != addresses.model() {
		k.add(Notice, object, "it cannot be checked: the token may not see custom fields", "allow view on "+customFields.model()+" to have it checked")
		return
	}
	var row struct {
		CustomFields map[string]json.RawMessage `json:"custom_fields"`
	}
	if json.Unmarshal(page[0], &row) != nil {
		return
	}
	if _, ok := row.CustomFields[need.Name]; !ok {
		k.add(Failure, object, "IP addresses have no such field", "create it (the bootstrap command does) or set the name of another one in netbox.fields")
	}
}

// tagInfo is a tag with the models it may be put on; none: all.
type tagInfo struct {
	rowHead
	Name        string   `json:"name"`
	Slug        string   `json:"slug"`
	ObjectTypes []string `json:"object_types"`
}

func (t tagInfo) fits(name string) bool {
	return strings.EqualFold(t.Name, name) || strings.EqualFold(t.Slug, name)
}

func (t tagInfo) usable() bool {
	return len(t.ObjectTypes) == 0 || slices.Contains(t.ObjectTypes, addresses.model())
}

func tagList(ctx context.Context, c *Client) ([]tagInfo, error) {
	var list []tagInfo
	err := c.each(ctx, tags, url.Values{"fields": {"id,name,slug,object_types"}}, func(raw json.RawMessage) (int64, error) {
		var tag tagInfo
		if json.Unmarshal(raw, &tag) == nil {
			list = append(list, tag)
		}
		return tag.ID, nil
	})
	return list, err
}

func (k *checker) tags(ctx context.Context) {
	if len(k.need.Tags) == 0 || k.forbidden[tags] {
		return
	}
	list, err := tagList(ctx, k.client)
	if k.failed("tags", err) {
		return
	}
	for _, name := range k.need.Tags {
		i := slices.IndexFunc(list, func(t tagInfo) bool { return t.fits(name) })
		switch {
		case i < 0:
			k.add(Failure, "tag "+name, "it does not exist", "create it (the bootstrap command does) or set the name of another one")
		case !list[i].usable():
			k.add(Failure, "tag "+name, "it may not be put on IP addresses", "add ipam.ipaddress to the tag's object types (the bootstrap command does)")
		}
	}
}
