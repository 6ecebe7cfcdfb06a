package prepare

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// NoRequiredFields needs custom fields of these kinds of objects to be optional
// or to have a default. The operator's own fields count too: NetBox refuses each
// write of an object that lacks a required value, whatever the write is about.
type NoRequiredFields []netbox.Table

func (n NoRequiredFields) check(ctx context.Context, r *run) {
	if r.hidden {
		return
	}
	var fields []requiredField
	err := r.client.List(ctx, netbox.CustomFields, url.Values{"fields": {"id,name,required,default,object_types"}}, func(raw json.RawMessage) (int64, error) {
		var f requiredField
		if err := json.Unmarshal(raw, &f); err != nil {
			return 0, err
		}
		fields = append(fields, f)
		return f.ID, nil
	})
	if netbox.KindOf(err) == netbox.Forbidden || r.failed("custom fields", err) {
		return // what may not be seen was said of the fields that are needed
	}
	for _, f := range fields {
		for _, table := range n {
			if f.Required && f.Default == nil && slices.Contains(f.ObjectTypes, table.Model()) {
				r.add(Failure, "custom field "+f.Name, "it is required on "+table.Model()+" and has no default, so NetBox refuses each "+table.Noun()+" that lacks it",
					"make it optional, or give it a default")
			}
		}
	}
}

func (NoRequiredFields) plan(context.Context, *planner) error { return nil }

type requiredField struct {
	netbox.RowHead
	Name        string   `json:"name"`
	Required    bool     `json:"required"`
	Default     any      `json:"default"`
	ObjectTypes []string `json:"object_types"`
}
