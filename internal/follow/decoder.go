package follow

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// row is one decoded row of any table.
type row struct {
	id     int64     // 0: unreadable
	stamp  time.Time // last_updated
	value  any       // *ipam.Address and so on; nil: not usable or not wanted
	reason error     // why a row cannot be used; nil otherwise
}

// shape is the JSON of one table's rows.
type shape interface {
	Head() *netbox.RowHead
	// value makes the ipam object. A nil value without error is a row that
	// does not concern us.
	value(d *decoder) (any, error)
}

// decoder turns rows into objects of package ipam.
type decoder struct {
	fields     Fields
	contextKey string
	gateFields []string
	// defined remembers for each custom field of Fields whether the last row
	// with custom fields had it: all of a model's fields are in every row (NB-1.9).
	defined map[string]bool
	// expiries are the texts of expiries that are no time, by address.
	expiries map[int64]string
	// contexts lets machines with equal contexts share one text, as most
	// machines of a site do.
	contexts map[string]json.RawMessage
	// same is for what many addresses and interfaces have. The lists of both are
	// decoded one row at a time.
	same ipam.Sharer
}

// head decodes only what every row has.
func (d *decoder) head(raw json.RawMessage) row {
	var into bareRow
	if err := json.Unmarshal(raw, &into); err != nil || into.ID <= 0 {
		return row{reason: fmt.Errorf("row %.60s: it has no id", raw)}
	}
	return row{id: into.ID, stamp: into.LastUpdated.Time}
}

// share gives one copy of equal contexts.
func (d *decoder) share(context json.RawMessage) json.RawMessage {
	if known, ok := d.contexts[string(context)]; ok || context == nil {
		return known
	}
	d.contexts[string(context)] = context
	return context
}

// row decodes one row of a table. It never fails: what is wrong is in the row.
func (d *decoder) row(table netbox.Table, raw json.RawMessage) row {
	into := newShape(table)
	err := json.Unmarshal(raw, into)
	head := into.Head()
	out := row{id: max(0, head.ID), stamp: head.LastUpdated.Time}
	if err == nil && head.ID <= 0 {
		err = fmt.Errorf("row %.60s: it has no id", raw)
	}
	if err == nil {
		out.value, err = into.value(d)
	}
	if err != nil {
		out.value, out.reason = nil, err
	}
	return out
}
