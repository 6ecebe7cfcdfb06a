package netboxio

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// lateCommit is how much older a record may be than others that were visible
// before it: NetBox gives it its time when a write begins.
const lateCommit = time.Hour

// ReadMark asks NetBox's change log for its newest record, and whether the record
// last is still there and unchanged. A log that cannot be read is part of the
// answer, since only deletes on servers rest on it. now is the mark of a log without
// records.
func ReadMark(ctx context.Context, c *netbox.Client, last state.Mark, now time.Time) state.ChangeLog {
	log := state.ChangeLog{Newest: state.Mark{Time: now}, Broken: last.Record > 0}
	page, err := c.FirstPage(ctx, netbox.ObjectChanges, url.Values{"fields": {"id,time,request_id"}, "ordering": {"-id"}, "limit": {"1"}})
	if err != nil {
		return state.ChangeLog{Err: err}
	}
	for _, raw := range page {
		var newest changeRow
		if err := json.Unmarshal(raw, &newest); err != nil {
			return state.ChangeLog{Err: fmt.Errorf("read change record: %w", err)}
		}
		log.Newest = newest.mark()
	}
	if last.Record > 0 {
		err = changes(ctx, c, "id,time,request_id", []int64{last.Record}, func(row *changeRow) {
			log.Broken = !row.Time.Equal(last.Time) || row.Request != last.Request
		})
	}
	if err != nil {
		return state.ChangeLog{Err: err}
	}
	return log
}

// ReadDeletions finds the records of deletions, in order.
func ReadDeletions(ctx context.Context, c *netbox.Client, gone []state.Gone) ([]state.Deletion, error) {
	records, err := deletionsOf(ctx, c, gone)
	if err != nil {
		return nil, err
	}
	slices.Sort(records)
	var found []state.Deletion
	err = changes(ctx, c, "id,time,request_id,action,changed_object_type,changed_object_id,message,prechange_data", slices.Compact(records), func(row *changeRow) {
		if d, ok := row.deletion(); ok {
			found = append(found, d)
		}
	})
	slices.SortFunc(found, func(a, b state.Deletion) int { return cmp.Compare(a.Record, b.Record) })
	return found, err
}

// changes reads records by id.
func changes(ctx context.Context, c *netbox.Client, columns string, records []int64, fn func(*changeRow)) error {
	return c.ListByID(ctx, netbox.ObjectChanges, url.Values{"fields": {columns}}, records, func(raw json.RawMessage) (int64, error) {
		var row changeRow
		if err := json.Unmarshal(raw, &row); err != nil {
			return 0, fmt.Errorf("read change record: %w", err)
		}
		fn(&row)
		return row.ID, nil
	})
}

// deletionsOf finds the ids of records of deletions. They are looked for in the
// part of the log that no run has seen yet; those found before are asked for again.
func deletionsOf(ctx context.Context, c *netbox.Client, gone []state.Gone) (records []int64, err error) {
	since := make(map[state.Kind]time.Time)
	wanted := make(map[state.Kind]map[int64]bool)
	for _, g := range gone {
		if g.Record > 0 {
			records = append(records, g.Record)
			continue
		}
		if at, asked := since[g.Kind]; !asked || g.After.Time.Before(at) {
			since[g.Kind] = g.After.Time
		}
		if wanted[g.Kind] == nil {
			wanted[g.Kind] = make(map[int64]bool)
		}
		wanted[g.Kind][g.Object] = true
	}
	for kind, at := range since {
		query := url.Values{"action": {"delete"}, "changed_object_type": {string(kind)}, "time_after": {netbox.FilterTime(at.Add(-lateCommit))},
			"fields": {"id,action,changed_object_type,changed_object_id"}}
		err := c.List(ctx, netbox.ObjectChanges, query, func(raw json.RawMessage) (int64, error) {
			var row changeRow
			if err := json.Unmarshal(raw, &row); err != nil {
				return 0, err
			}
			// A filter that was ignored must not prove anything (NB-1.5).
			if row.Action == "delete" && row.Type == string(kind) && wanted[kind][row.Object] {
				records = append(records, row.ID)
			}
			return row.ID, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

// changeRow is a row of the change log.
type changeRow struct {
	netbox.RowHead
	Time    netbox.Moment   `json:"time"`
	Request string          `json:"request_id"`
	Action  netbox.Choice   `json:"action"`
	Type    string          `json:"changed_object_type"`
	Object  int64           `json:"changed_object_id"`
	Message string          `json:"message"`
	Before  json.RawMessage `json:"prechange_data"`
}

func (r *changeRow) mark() state.Mark {
	return state.Mark{Record: r.ID, Time: r.Time.UTC(), Request: r.Request}
}

// snapshot is an object as the change log keeps it: the columns of the database.
type snapshot struct {
	Address string            `json:"address"`
	Start   string            `json:"start_address"`
	End     string            `json:"end_address"`
	VRF     int64             `json:"vrf"`
	Fields  customFieldValues `json:"custom_fields"`
}

// deletion reads a record of a deletion; false: it is none, or cannot be read.
func (r *changeRow) deletion() (state.Deletion, bool) {
	d := state.Deletion{Mark: r.mark(), Kind: state.Kind(r.Type), Object: r.Object, Message: r.Message}
	var was snapshot
	if r.Action != "delete" || json.Unmarshal(r.Before, &was) != nil {
		return d, false
	}
	var err, errEnd error
	switch d.Kind {
	case state.IPAddress:
		d.Address = state.Address{ID: r.Object, VRF: was.VRF, ClientID: was.Fields.text(state.FieldClientID)}
		d.Address.Address, err = netbox.ParseAddress(was.Address)
	case state.IPRange:
		d.Range = state.Range{ID: r.Object, VRF: was.VRF, Server: was.Fields.text(state.FieldServer), Failover: was.Fields.text(state.FieldFailover),
			OtherSources: was.Fields.document(state.FieldOtherSources)}
		start, startErr := netbox.ParseAddress(was.Start)
		end, endErr := netbox.ParseAddress(was.End)
		d.Range.Start, d.Range.Bits, d.Range.End, err, errEnd = start.Addr(), start.Bits(), end.Addr(), startErr, endErr
	default:
		return d, false
	}
	return d, err == nil && errEnd == nil
}
