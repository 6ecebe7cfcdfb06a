package netboxio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// updateJob is the updates and deletes among the writes as conditional ones.
type updateJob struct{ *writer }

func (j updateJob) ID(i int) int64 { return j.writes[i].ID }

func (j updateJob) Look(i int, raw json.RawMessage) any {
	write := j.writes[i]
	if raw == nil {
		outcome := Gone
		if write.Action == state.Delete {
			outcome = Unchanged
		}
		j.results[i] = Result{Outcome: outcome, ID: write.ID}
		return nil
	}
	row, err := netbox.DecodeShown(raw)
	if err != nil {
		j.refused(i, "NetBox shows the object in a form that cannot be read")
		return nil
	}
	if write.Host.IsValid() && (row.Host("address") != write.Host || row.VRF() != write.VRF) {
		j.changed(i, write.ID, fmt.Sprintf("it is %s in VRF %d now", row.Host("address"), row.VRF()))
		return nil
	}
	if why := j.conflict(write, row); why != "" {
		j.changed(i, write.ID, why)
		return nil
	}
	if write.Action == state.Delete {
		return j.withID(i, nil)
	}
	body := j.difference(i, row)
	if body == nil && j.results[i].Outcome == "" {
		j.results[i] = Result{Outcome: Unchanged, ID: write.ID}
	}
	return body
}

// conflict names the first field that shows neither the value it had when the
// write was decided nor the wanted one; empty: none does. A row whose time stamp
// is the old one was not changed, so its fields are not compared. A row with a
// new time stamp is compared field by field; only where no other field was
// recorded is the new stamp itself the conflict.
func (updateJob) conflict(write Write, row *netbox.Shown) string {
	const stamp = "last_updated"
	old, stamped := write.Before[stamp]
	if stamped && row.Is(stamp, old) {
		return ""
	}
	if stamped && len(write.Before) == 1 {
		return "it was changed meanwhile"
	}
	for _, field := range slices.Sorted(maps.Keys(write.Before)) {
		if field == stamp || row.Is(field, write.Before[field]) {
			continue
		}
		if want, set := write.Set[field]; set && row.Is(field, want) {
			continue
		}
		return rest.Clean(fmt.Sprintf("%s is %s now", field, row.Raw(field)), rest.MaxWords)
	}
	return ""
}

// difference is the body that changes a row to what is wanted. It is nil if the
// row shows that already, and if the write is refused.
func (j updateJob) difference(i int, row *netbox.Shown) any {
	write := j.writes[i]
	set := make(map[string]any)
	for field, want := range write.Set {
		if !row.Is(field, want) {
			set[field] = want
		}
	}
	have := row.TagSlugs()
	missing := slices.DeleteFunc(slices.Clone(write.AddTags), func(slug string) bool { return slices.Contains(have, slug) })
	surplus := slices.DeleteFunc(slices.Clone(write.RemoveTags), func(slug string) bool { return !slices.Contains(have, slug) })
	if len(set) == 0 && len(missing) == 0 && len(surplus) == 0 {
		return nil
	}
	body := j.withID(i, set)
	if !j.setTags(i, body, row, missing, surplus) {
		return nil
	}
	return body
}

// setTags adds the change of tags to a body: only what is added and removed from
// 4.6 on, the whole new list before.
func (j updateJob) setTags(i int, body map[string]any, row *netbox.Shown, missing, surplus []string) (ok bool) {
	add, ok := j.tagIDs(i, missing)
	if !ok || len(missing) == 0 && len(surplus) == 0 {
		return ok
	}
	remove, ok := j.tagIDs(i, surplus)
	if !ok {
		return false
	}
	if j.version.AtLeast(4, 6) {
		if len(add) > 0 {
			body["add_tags"] = add
		}
		if len(remove) > 0 {
			body["remove_tags"] = remove
		}
		return true
	}
	var have []netbox.Ref
	if json.Unmarshal(row.Raw("tags"), &have) != nil {
		j.refused(i, "NetBox shows the object's tags in a form that cannot be read")
		return false
	}
	body["tags"] = append(slices.DeleteFunc(netbox.IDs(have), func(id int64) bool { return slices.Contains(remove, id) }), add...)
	return true
}

func (j updateJob) withID(i int, set map[string]any) map[string]any {
	body := j.body(i, set)
	body["id"] = j.writes[i].ID
	return body
}

func (j updateJob) Refuse(i int, err *netbox.Error) (again bool) {
	j.results[i] = Result{Outcome: Refused, ID: j.writes[i].ID, Err: fmt.Errorf("%s: %w", j.what(i), err)}
	return false
}

func (j updateJob) Confirm(i int, raw json.RawMessage) {
	if j.writes[i].Action == state.Update {
		row, err := netbox.DecodeShown(raw)
		if err != nil || !j.shows(i, row) {
			j.refused(i, notTakenOver)
			return
		}
	}
	j.results[i] = Result{Outcome: Done, ID: j.writes[i].ID}
}

// notTakenOver is the reason where an object does not show what was written:
// some versions of NetBox ignore custom fields they do not know.
const notTakenOver = "NetBox did not take the values over: check that the custom fields exist for this kind of object, and their types"

// shows reports whether a row is as a write wants it.
func (w *writer) shows(i int, row *netbox.Shown) bool {
	write := w.writes[i]
	for field, want := range write.Set {
		if !row.Is(field, want) {
			return false
		}
	}
	have := row.TagSlugs()
	for _, slug := range write.AddTags {
		if !slices.Contains(have, slug) {
			return false
		}
	}
	return !slices.ContainsFunc(write.RemoveTags, func(slug string) bool { return slices.Contains(have, slug) })
}

func (j updateJob) PassedOver(i int) {
	j.refused(i, netbox.NotWritable)
	j.passed = append(j.passed, i)
}

// lookForPassed tells rows that went since they were read from those that the token
// may not write: before 4.7 NetBox passes over both without a word.
func (w *writer) lookForPassed(ctx context.Context, table netbox.Table) {
	if len(w.passed) == 0 {
		return
	}
	ids, there := make([]int64, len(w.passed)), make(map[int64]bool)
	for n, i := range w.passed {
		ids[n] = w.writes[i].ID
	}
	err := w.client.ListByID(ctx, table, url.Values{"fields": {"id"}}, ids, func(raw json.RawMessage) (int64, error) {
		id := netbox.IDOf(raw)
		there[id] = true
		return id, nil
	})
	if err != nil {
		return // they stay refused
	}
	for n, i := range w.passed {
		if !there[ids[n]] {
			w.results[i] = Result{Outcome: Gone, ID: ids[n]}
		}
	}
}

func (j updateJob) Contested(i int, err *netbox.Error) {
	j.results[i] = Result{Outcome: Changed, ID: j.writes[i].ID, Err: fmt.Errorf("%s: %w", j.what(i), err)}
}
