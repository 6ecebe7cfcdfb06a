package prepare

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Object needs an object that is known by the value of one field: a role, a
// saved filter, a table config, a custom link.
type Object struct {
	Table     netbox.Table
	Key, Name string // the field and its value
	Body      any    // that makes it
	// Own are fields that must show these values; all others are left as
	// people changed them.
	Own map[string]any
	// Without says what fails without it; empty: it only helps people, so
	// that its absence is no finding.
	Without string
}

func (n Object) check(ctx context.Context, r *run) {
	if n.Without == "" || r.denied[n.Table] {
		return
	}
	row, err := named(ctx, r.client, n.Table, n.Key, n.Name)
	object := n.Table.Noun() + " " + n.Name
	if !r.failed(object, err) && row == nil {
		r.add(Failure, object, "it does not exist: "+n.Without, byBootstrap)
	}
}

func (n Object) plan(ctx context.Context, p *planner) error {
	have, err := named(ctx, p.client, n.Table, n.Key, n.Name)
	if err != nil {
		return err
	}
	if have == nil {
		p.create(n.Table, n.Key, n.Name, n.Body)
		return nil
	}
	differs := make(map[string]any)
	for field, want := range n.Own {
		if !have.Is(field, want) {
			differs[field] = want
		}
	}
	if len(differs) > 0 {
		fields := strings.Join(slices.Sorted(maps.Keys(differs)), ", ")
		p.change(fmt.Sprintf("set %s of %s %s", fields, n.Table.Noun(), n.Name), n.Table, have.ID(), differs)
	}
	return nil
}

// Contexts needs config contexts, and all whose name starts with Prefix to be
// limited to a tag that no device carries: else devices render them.
type Contexts struct {
	Prefix string
	Tag    string // slug
	List   []Context
}

// Context is a config context that must exist.
type Context struct {
	Name, Description string
	Data              json.RawMessage // a JSON object that is not empty
	Inactive          bool            // made so, for data that no machine ever has
	// Merge gives what the data of an existing context should be. nil leaves it
	// as it is.
	Merge func(have json.RawMessage) json.RawMessage
}

func (n Contexts) check(ctx context.Context, r *run) {
	if r.denied[netbox.Contexts] {
		return
	}
	found := make(map[string]bool)
	err := r.client.List(ctx, netbox.Contexts, url.Values{"name__isw": {n.Prefix}, "fields": {"id,name,tags"}}, func(raw json.RawMessage) (int64, error) {
		row, err := netbox.DecodeShown(raw)
		if err != nil {
			return 0, err
		}
		if name := row.Text("name"); strings.HasPrefix(name, n.Prefix) {
			found[name] = true
			if !slices.Contains(row.TagSlugs(), n.Tag) {
				r.add(Warning, "config context "+rest.Clean(name, rest.MaxWords), "it is not limited to the tag "+n.Tag+": devices have its data in their config context", "assign it to that tag")
			}
		}
		return row.ID(), nil
	})
	if r.failed("config contexts", err) {
		return
	}
	for _, need := range n.List {
		if !found[need.Name] {
			r.add(Warning, "config context "+need.Name, "it does not exist", byBootstrap)
		}
	}
}

func (n Contexts) plan(ctx context.Context, p *planner) error {
	for _, need := range n.List {
		have, err := named(ctx, p.client, netbox.Contexts, "name", need.Name)
		if err != nil {
			return err
		}
		if have == nil {
			p.create(netbox.Contexts, "name", need.Name, netbox.ContextBody(need.Name, need.Description, n.Tag, !need.Inactive, need.Data))
			continue
		}
		if need.Merge == nil {
			continue
		}
		if merged := need.Merge(have.Raw("data")); !have.Is("data", merged) {
			p.change("complete config context "+need.Name, netbox.Contexts, have.ID(), map[string]any{"data": merged})
		}
	}
	return nil
}

// named finds the object with a value; nil if there is none. Rows that show
// another value come of a filter that was ignored.
func named(ctx context.Context, c *netbox.Client, table netbox.Table, key, value string) (*netbox.Shown, error) {
	var found *netbox.Shown
	err := c.List(ctx, table, url.Values{key: {value}}, func(raw json.RawMessage) (int64, error) {
		row, err := netbox.DecodeShown(raw)
		if err != nil {
			return 0, err
		}
		if found == nil && row.Is(key, value) {
			found = row
		}
		return row.ID(), nil
	})
	return found, err
}
