package prepare

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Field needs a custom field on a type of objects.
type Field struct {
	Name     string
	Types    []string // usable types of values; the first is made
	Table    netbox.Table
	Severity Severity // of a field that is missing
	// Setting is where another field can be named: "netbox.fields"; empty:
	// the name is fixed.
	Setting string
	// Made is how the field is made, besides its name and types.
	Made netbox.Field
	// Choices are the values of a selection, which are in the choice set that
	// Made names where the field has none yet.
	Choices        [][2]string // values and labels
	ChoicesExplain string      // description of the choice set
}

// fixedType says what to do about a field of another type.
const fixedType = "a field's type cannot be changed: delete the field, or rename it, and run bootstrap again"

func (n Field) check(ctx context.Context, r *run) {
	if r.hidden {
		return
	}
	object := "custom field " + n.Name
	info, err := fieldNamed(ctx, r.client, n.Name)
	if netbox.KindOf(err) == netbox.Forbidden {
		n.checkInUse(ctx, r)
		return
	}
	switch {
	case r.failed(object, err):
	case info == nil:
		r.add(n.Severity, object, "it does not exist", n.create())
	case !slices.Contains(n.Types, string(info.Type)):
		fix := "use a field of type " + strings.Join(n.Types, " or ")
		if n.Setting == "" {
			fix += ": " + fixedType
		}
		r.add(Failure, object, unusableType(string(info.Type)), fix)
	case !slices.Contains(info.ObjectTypes, n.Table.Model()):
		r.add(n.Severity, object, "it is not on "+n.Table.Model(), "add the object type to the field (the bootstrap command does)")
	}
}

func (n Field) create() string {
	if n.Setting == "" {
		return byBootstrap
	}
	return byBootstrap + " or set the name of another one in " + n.Setting
}

func unusableType(kind string) string {
	if kind == "date" {
		return "a date without time cannot hold the end of a lease"
	}
	return "its type " + kind + " cannot be used"
}

// checkInUse looks at an object instead of the definition, which the token need
// not be allowed to see: all custom fields of its type are in every object. It
// does so for fields that are named in settings, the others are told of once.
func (n Field) checkInUse(ctx context.Context, r *run) {
	object, see := "custom field "+n.Name, "allow view on "+netbox.CustomFields.Model()
	if n.Setting == "" {
		r.hidden = true
		r.add(Notice, "custom fields", "they cannot be checked: the token may not see their definitions", see+" to have them checked")
		return
	}
	rows, err := r.client.FirstPage(ctx, n.Table, url.Values{"fields": {"id,custom_fields"}, "limit": {"1"}})
	if err != nil || len(rows) == 0 {
		r.add(Notice, object, "it cannot be checked: the token may not see custom fields", see+" to have it checked")
		return
	}
	var row struct {
		CustomFields map[string]json.RawMessage `json:"custom_fields"`
	}
	if json.Unmarshal(rows[0], &row) != nil {
		return
	}
	if _, ok := row.CustomFields[n.Name]; !ok {
		r.add(Failure, object, n.Table.Nouns()+" have no such field", n.create())
	}
}

func (n Field) plan(ctx context.Context, p *planner) error {
	info, err := fieldNamed(ctx, p.client, n.Name)
	if err != nil {
		return err
	}
	if n.Choices != nil {
		if err := n.planChoices(ctx, p, info); err != nil {
			return err
		}
	}
	model := n.Table.Model()
	switch {
	case info == nil:
		made := n.Made
		made.Name, made.Type, made.ObjectType = n.Name, n.Types[0], model
		p.Steps = append(p.Steps, Step{
			Text:  fmt.Sprintf("create custom field %s (%s) on %s", n.Name, n.Types[0], model),
			table: netbox.CustomFields, body: made.Body(),
			exists: func(ctx context.Context, c *netbox.Client) (bool, error) {
				info, err := fieldNamed(ctx, c, n.Name)
				return info != nil, err
			},
		})
	case !slices.Contains(n.Types, string(info.Type)):
		fix := fixedType
		if n.Setting != "" {
			fix = "a field's type cannot be changed: delete the field, or set the name of another one in " + n.Setting
		}
		p.conflict("custom field "+n.Name, unusableType(string(info.Type)), fix)
	case !slices.Contains(info.ObjectTypes, model):
		p.change("put custom field "+n.Name+" on "+model, netbox.CustomFields, info.ID, netbox.FieldTypesBody(append(slices.Clone(info.ObjectTypes), model)))
	}
	return nil
}

// planChoices plans the choice set of a new selection, and looks whether that
// of an existing one has all the values.
func (n Field) planChoices(ctx context.Context, p *planner, info *fieldInfo) error {
	query := url.Values{"name": {n.Made.ChoiceSet}}
	if info != nil {
		if info.ChoiceSet == 0 {
			return nil // of another type
		}
		query = url.Values{"id": {fmt.Sprint(info.ChoiceSet)}}
	}
	query.Set("fields", "id,name,extra_choices")
	rows, err := p.client.FirstPage(ctx, netbox.ChoiceSets, query)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		p.create(netbox.ChoiceSets, "name", n.Made.ChoiceSet, netbox.ChoiceSetBody(n.Made.ChoiceSet, n.ChoicesExplain, n.Choices))
		return nil
	}
	var set struct {
		Name    string  `json:"name"`
		Choices [][]any `json:"extra_choices"`
	}
	if err := json.Unmarshal(rows[0], &set); err != nil {
		return fmt.Errorf("read choice set: %w", err)
	}
	for _, choice := range n.Choices {
		if !slices.ContainsFunc(set.Choices, func(c []any) bool { return len(c) > 0 && c[0] == choice[0] }) {
			p.conflict("choice set "+rest.Clean(set.Name, rest.MaxWords), "it has no value "+choice[0], "add "+choice[0]+" to its extra choices")
		}
	}
	return nil
}

// fieldInfo is the definition of a custom field.
type fieldInfo struct {
	netbox.RowHead
	Name        string        `json:"name"`
	Type        netbox.Choice `json:"type"`
	ObjectTypes []string      `json:"object_types"`
	ChoiceSet   netbox.Ref    `json:"choice_set"`
}

// fieldNamed reads a definition; nil for a field that does not exist.
func fieldNamed(ctx context.Context, c *netbox.Client, name string) (*fieldInfo, error) {
	rows, err := c.FirstPage(ctx, netbox.CustomFields, url.Values{"name": {name}, "fields": {"id,name,type,object_types,choice_set"}})
	if err != nil {
		return nil, err
	}
	for _, raw := range rows {
		var info fieldInfo
		if json.Unmarshal(raw, &info) == nil && info.Name == name {
			return &info, nil
		}
	}
	return nil, nil
}
