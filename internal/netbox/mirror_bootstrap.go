package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// PlanMirrorBootstrap compares a NetBox with need and lists what is missing:
// custom fields, tags, the role of scopes, config contexts, saved filters,
// table configs and the custom link. What exists already is used as it is. It
// changes nothing; ApplyBootstrap does. The token must be allowed to view all
// of these.
func PlanMirrorBootstrap(ctx context.Context, c *Client, need MirrorRequirements) (BootstrapPlan, error) {
	var plan BootstrapPlan
	for _, step := range []func(context.Context, *Client, MirrorRequirements) error{
		plan.mirrorFields, plan.mirrorTags, plan.mirrorContexts, plan.mirrorObjects,
	} {
		if err := step(ctx, c, need); err != nil {
			return plan, fmt.Errorf("plan bootstrap: %w", err)
		}
	}
	return plan, nil
}

func (p *BootstrapPlan) mirrorFields(ctx context.Context, c *Client, need MirrorRequirements) error {
	for _, field := range need.fields() {
		info, err := fieldNamed(ctx, c, field.Name)
		if err != nil {
			return err
		}
		if field.choices != nil {
			if err := p.choices(ctx, c, info, field); err != nil {
				return err
			}
		}
		p.needField(info, field)
	}
	return nil
}

// choices plans the choice set of a new selection field, and looks whether an
// existing one has all the values.
func (p *BootstrapPlan) choices(ctx context.Context, c *Client, info *fieldInfo, field FieldNeed) error {
	name := provenanceSet
	query := url.Values{"name": {name}}
	if info != nil {
		if info.ChoiceSet == 0 {
			return nil // of another type
		}
		query = url.Values{"id": {number(int64(info.ChoiceSet))}}
	}
	page, err := c.FirstPage(ctx, choiceSets, with(query, "fields", "id,name,extra_choices"))
	if err != nil {
		return err
	}
	if len(page) == 0 {
		p.create(choiceSets, "name", map[string]any{"name": name, "extra_choices": field.choices, "description": "How IP addresses came under the mirror's management"})
		return nil
	}
	var set struct {
		Name    string  `json:"name"`
		Choices [][]any `json:"extra_choices"`
	}
	if err := json.Unmarshal(page[0], &set); err != nil {
		return fmt.Errorf("read choice set: %w", err)
	}
	for _, choice := range field.choices {
		if !slices.ContainsFunc(set.Choices, func(c []any) bool { return len(c) > 0 && c[0] == choice[0] }) {
			p.Conflicts = append(p.Conflicts, Finding{Failure, "choice set " + clean(set.Name), "it has no value " + choice[0], "add " + choice[0] + " to its extra choices"})
		}
	}
	return nil
}

func (p *BootstrapPlan) mirrorTags(ctx context.Context, c *Client, need MirrorRequirements) error {
	list, err := tagList(ctx, c)
	if err != nil {
		return err
	}
	for _, tag := range need.tags() {
		i := slices.IndexFunc(list, func(t tagInfo) bool { return t.Slug == tag.slug })
		if i < 0 {
			p.create(tags, "slug", map[string]any{"name": tag.slug, "slug": tag.slug, "description": tag.description})
			continue
		}
		types := list[i].ObjectTypes
		missing := list[i].missing(tag.kinds)
		if len(missing) > 0 {
			p.Steps = append(p.Steps, BootstrapStep{Text: fmt.Sprintf("allow tag %s on %s", tag.slug, strings.Join(missing, ", ")), table: tags,
				id: list[i].ID, body: map[string]any{"object_types": append(slices.Clone(types), missing...)}})
		}
	}
	return nil
}

// missing lists the kinds a tag may not be put on.
func (t tagInfo) missing(kinds []state.Kind) (missing []string) {
	for _, kind := range kinds {
		if len(t.ObjectTypes) > 0 && !slices.Contains(t.ObjectTypes, string(kind)) {
			missing = append(missing, string(kind))
		}
	}
	return missing
}

func (p *BootstrapPlan) mirrorContexts(ctx context.Context, c *Client, need MirrorRequirements) error {
	for _, wanted := range need.Contexts {
		have, err := namedRow(ctx, c, contexts, "name", wanted.Name)
		if err != nil {
			return err
		}
		if have == nil {
			p.create(contexts, "name", map[string]any{"name": wanted.Name, "description": wanted.Description, "is_active": true,
				"tags": []string{state.TagData}, "data": wanted.Data})
			continue
		}
		if wanted.Merge == nil {
			continue
		}
		merged := wanted.Merge(have.fields["data"])
		if !reflect.DeepEqual(plain(decodeAny(merged)), plain(decodeAny(have.fields["data"]))) {
			p.Steps = append(p.Steps, BootstrapStep{Text: "complete config context " + wanted.Name, table: contexts, id: have.id(), body: map[string]any{"data": merged}})
		}
	}
	return nil
}

func (p *BootstrapPlan) mirrorObjects(ctx context.Context, c *Client, need MirrorRequirements) error {
	for _, wanted := range need.named() {
		have, err := namedRow(ctx, c, wanted.table, wanted.key, wanted.name())
		if err != nil {
			return err
		}
		if have == nil {
			p.create(wanted.table, wanted.key, wanted.body)
			continue
		}
		differs := make(map[string]any)
		for _, field := range wanted.own {
			if !have.is(field, wanted.body[field]) {
				differs[field] = wanted.body[field]
			}
		}
		if len(differs) > 0 {
			p.Steps = append(p.Steps, BootstrapStep{Text: fmt.Sprintf("set %s of %s %s", strings.Join(slices.Sorted(maps.Keys(differs)), ", "), wanted.table.noun(), wanted.name()),
				table: wanted.table, id: have.id(), body: differs})
		}
	}
	return nil
}

// create plans the making of an object that is known by the value of key.
func (p *BootstrapPlan) create(table endpoint, key string, body map[string]any) {
	name := fmt.Sprint(body[key])
	p.Steps = append(p.Steps, BootstrapStep{Text: "create " + table.noun() + " " + name, table: table, body: body,
		exists: func(ctx context.Context, c *Client) (bool, error) {
			have, err := namedRow(ctx, c, table, key, name)
			return have != nil, err
		}})
}

// namedRow finds the object with a value; nil if there is none. Rows that
// show another value come of a filter that was ignored.
func namedRow(ctx context.Context, c *Client, table endpoint, key, value string) (*showing, error) {
	var found *showing
	err := c.counted(ctx, table, url.Values{key: {value}}, func(raw json.RawMessage) (int64, error) {
		row, err := decodeShowing(raw)
		if err != nil {
			return 0, err
		}
		if found == nil && row.is(key, value) {
			found = row
		}
		return row.id(), nil
	})
	return found, err
}
