package netbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
)

// BootstrapPlan is what has to be made in a NetBox before it can be used. It
// prints as a list for people to read before they say yes.
type BootstrapPlan struct {
	Steps []BootstrapStep
	// Conflicts cannot be solved by a program: a custom field of the wrong
	// type, for example.
	Conflicts []Finding
}

// BootstrapStep creates one object or extends one.
type BootstrapStep struct {
	Text string // "create tag DHCP"

	table endpoint
	id    int64 // of the object to extend; 0: create
	body  any
	// exists tells whether somebody else did the step meanwhile.
	exists func(context.Context, *Client) (bool, error)
}

// Empty reports whether nothing has to be done.
func (p BootstrapPlan) Empty() bool { return len(p.Steps) == 0 && len(p.Conflicts) == 0 }

// String lists the plan, a step a line.
func (p BootstrapPlan) String() string {
	var b strings.Builder
	for _, step := range p.Steps {
		fmt.Fprintln(&b, step.Text)
	}
	for _, conflict := range p.Conflicts {
		fmt.Fprintln(&b, conflict)
	}
	return b.String()
}

// PlanBootstrap compares a NetBox with need and lists what is missing of tags
// and custom fields. It changes nothing. The token must be allowed to view
// both.
func PlanBootstrap(ctx context.Context, c *Client, need Requirements) (BootstrapPlan, error) {
	var plan BootstrapPlan
	list, err := tagList(ctx, c)
	if err != nil {
		return plan, fmt.Errorf("plan bootstrap: %w", err)
	}
	for _, name := range need.Tags {
		plan.needTag(list, name)
	}
	for _, field := range need.Fields {
		info, err := fieldNamed(ctx, c, field.Name)
		if err != nil {
			return plan, fmt.Errorf("plan bootstrap: %w", err)
		}
		plan.needField(info, field)
	}
	return plan, nil
}

func (p *BootstrapPlan) needTag(list []tagInfo, name string) {
	i := slices.IndexFunc(list, func(t tagInfo) bool { return t.fits(name) })
	if i < 0 {
		p.Steps = append(p.Steps, BootstrapStep{
			Text: "create tag " + name, table: tags, body: TagBody(name, slug(name)),
			exists: func(ctx context.Context, c *Client) (bool, error) {
				list, err := tagList(ctx, c)
				return slices.ContainsFunc(list, func(t tagInfo) bool { return t.fits(name) }), err
			},
		})
		return
	}
	if tag := list[i]; !tag.usable() {
		body := TagTypesBody(append(slices.Clone(tag.ObjectTypes), addresses.model()))
		p.Steps = append(p.Steps, BootstrapStep{Text: "allow tag " + tag.Name + " on IP addresses", table: tags, id: tag.ID, body: body})
	}
}

func (p *BootstrapPlan) needField(info *fieldInfo, need FieldNeed) {
	switch {
	case info == nil:
		p.Steps = append(p.Steps, BootstrapStep{
			Text:  fmt.Sprintf("create custom field %s (%s) on %s", need.Name, need.Types[0], need.ObjectType),
			table: customFields, body: fieldBody(need),
			exists: func(ctx context.Context, c *Client) (bool, error) {
				info, err := fieldNamed(ctx, c, need.Name)
				return info != nil, err
			},
		})
	case !slices.Contains(need.Types, string(info.Type)):
		fix := cmp.Or(need.conflict, "a field's type cannot be changed: delete the field, or set the name of another one in netbox.fields")
		p.Conflicts = append(p.Conflicts, Finding{Failure, "custom field " + need.Name, unusableType(string(info.Type)), fix})
	case !slices.Contains(info.ObjectTypes, need.ObjectType):
		body := FieldTypesBody(append(slices.Clone(info.ObjectTypes), need.ObjectType))
		p.Steps = append(p.Steps, BootstrapStep{Text: "put custom field " + need.Name + " on " + need.ObjectType, table: customFields, id: info.ID, body: body})
	}
}

// fieldBody defines a custom field.
func fieldBody(need FieldNeed) any {
	f := Field{Name: need.Name, Type: need.Types[0], ObjectType: need.ObjectType, Label: need.Label, Description: need.Description,
		Group: need.group, Weight: need.weight, SearchWeight: need.search, Loose: need.loose}
	if need.choices != nil {
		f.ChoiceSet = provenanceSet
	}
	return f.Body()
}

// slug makes a tag's slug as NetBox's web pages do.
func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// ApplyBootstrap carries plan out, step by step. Steps that somebody else did
// meanwhile are passed over. After an error, plan again.
func ApplyBootstrap(ctx context.Context, c *Client, plan BootstrapPlan, log logrus.FieldLogger) error {
	for _, step := range plan.Steps {
		if err := applyStep(ctx, c, step); err != nil {
			return fmt.Errorf("bootstrap: %s: %w", step.Text, err)
		}
		log.WithField("step", step.Text).Info("prepared NetBox")
	}
	if len(plan.Conflicts) > 0 {
		return errors.New("bootstrap: " + plan.Conflicts[0].String())
	}
	return nil
}

func applyStep(ctx context.Context, c *Client, step BootstrapStep) error {
	if step.id != 0 {
		return c.Update(ctx, step.table, step.id, step.body)
	}
	err := c.CreateOne(ctx, step.table, step.body)
	if err == nil {
		return nil
	}
	// A name that is taken, and a lost answer, look alike from here.
	if done, lookErr := step.exists(ctx, c); lookErr == nil && done {
		return nil
	}
	return err
}
