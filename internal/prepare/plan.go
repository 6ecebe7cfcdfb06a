package prepare

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Plan is what has to be made in a NetBox before it can be used. It prints as a
// list for people to read before they say yes.
type Plan struct {
	Steps []Step
	// Conflicts cannot be solved by a program: a custom field of the wrong
	// type, for example.
	Conflicts []Finding
}

// Step makes one object or extends one.
type Step struct {
	Text string // "create tag DHCP"

	table netbox.Table
	id    int64 // of the object to extend; 0: make one
	body  any
	// exists tells whether the object to make was made meanwhile.
	exists func(context.Context, *netbox.Client) (bool, error)
}

// Empty reports whether nothing has to be done.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Conflicts) == 0 }

// String lists the plan, a step a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, step := range p.Steps {
		fmt.Fprintln(&b, step.Text)
	}
	for _, conflict := range p.Conflicts {
		fmt.Fprintln(&b, conflict)
	}
	return b.String()
}

// create plans the making of an object that is known by the value of key.
func (p *planner) create(table netbox.Table, key, name string, body any) {
	p.Steps = append(p.Steps, Step{Text: "create " + table.Noun() + " " + name, table: table, body: body,
		exists: func(ctx context.Context, c *netbox.Client) (bool, error) {
			have, err := named(ctx, c, table, key, name)
			return have != nil, err
		}})
}

// change plans the change of an object that exists.
func (p *planner) change(text string, table netbox.Table, id int64, body any) {
	p.Steps = append(p.Steps, Step{Text: text, table: table, id: id, body: body})
}

func (p *planner) conflict(object, problem, fix string) {
	p.Conflicts = append(p.Conflicts, Finding{Failure, object, problem, fix})
}

// Apply carries the plan out, step by step, and logs each. An object that was
// made meanwhile is left as it is. After an error, plan again. A conflict is an
// error after all steps.
func (p Plan) Apply(ctx context.Context, client *netbox.Client, log logrus.FieldLogger) error {
	for _, step := range p.Steps {
		if err := step.apply(ctx, client); err != nil {
			return fmt.Errorf("bootstrap: %s: %w", step.Text, err)
		}
		log.WithField("step", step.Text).Info("prepared NetBox")
	}
	if len(p.Conflicts) > 0 {
		return errors.New("bootstrap: " + p.Conflicts[0].String())
	}
	return nil
}

func (s Step) apply(ctx context.Context, client *netbox.Client) error {
	if s.id != 0 {
		return client.Update(ctx, s.table, s.id, s.body)
	}
	err := client.CreateOne(ctx, s.table, s.body)
	if err == nil {
		return nil
	}
	// A name that is taken, and an answer that was lost, look alike from here.
	if done, lookErr := s.exists(ctx, client); lookErr == nil && done {
		return nil
	}
	return err
}
