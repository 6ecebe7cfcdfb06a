package netbox

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/sirupsen/logrus"
)

// changeRow is a row of NetBox's change log.
type changeRow struct {
	ID       int64  `json:"id"`
	Time     moment `json:"time"`
	Action   choice `json:"action"`
	Type     string `json:"changed_object_type"`
	ObjectID int64  `json:"changed_object_id"`
}

// changesMark asks how far the change log reaches. Without the permission to
// read it, deletions are found by sweeping.
func (f *Follower) changesMark(ctx context.Context) (time.Time, error) {
	page, err := f.client.page(ctx, objectChanges, url.Values{"fields": {"id,time"}, "ordering": {"-time"}, "limit": {"1"}})
	if f.mustSweep(err) {
		return time.Time{}, nil
	}
	if err != nil || len(page.Results) == 0 {
		return time.Time{}, err
	}
	var newest changeRow
	if err := json.Unmarshal(page.Results[0], &newest); err != nil {
		return time.Time{}, &Error{Kind: NotNetBox, Op: "read " + string(objectChanges), Err: err}
	}
	return f.client.notAhead(newest.Time.Time), nil
}

// mustSweep notes whether the change log may be read.
func (f *Follower) mustSweep(err error) bool {
	sweeping := kindOf(err) == Forbidden
	if sweeping && !f.sweeping {
		f.log.WithError(err).WithField("every", sweepEvery.String()).Warn("deletions in NetBox are found by comparing lists only")
	}
	if err == nil || sweeping {
		f.sweeping = sweeping
	}
	return sweeping
}

// deletions lists what was deleted since the mark, with overlap. All types are
// asked for at once, since old servers take only one as a filter.
func (f *Follower) deletions(ctx context.Context) ([]thing, time.Time, error) {
	old := f.picture.marks[objectChanges]
	if f.sweeping {
		return nil, old, nil
	}
	q := url.Values{"action": {"delete"}, "fields": {"id,time,action,changed_object_type,changed_object_id"}}
	if !old.IsZero() {
		q.Set("time_after", filterTime(old.Add(-overlap)))
	}
	tables := make(map[string]endpoint)
	for _, e := range append(smallTables(), followedTables()...) {
		tables[e.model()] = e
	}
	mark := old
	var gone []thing
	err := f.client.each(ctx, objectChanges, q, func(raw json.RawMessage) (int64, error) {
		var change changeRow
		if err := json.Unmarshal(raw, &change); err != nil {
			return 0, nil
		}
		// A filter that was ignored must not delete anything (1.5).
		if e, ok := tables[change.Type]; ok && change.Action == "delete" && change.ObjectID > 0 {
			gone = append(gone, thing{e, change.ObjectID})
		}
		if change.Time.After(mark) {
			mark = change.Time.Time
		}
		return change.ID, nil
	})
	if f.mustSweep(err) {
		return nil, old, nil
	}
	return gone, f.client.notAhead(mark), err
}

// bury remembers deleted objects for longer than rows are looked back for, so
// that a row read late does not bring one back.
func (f *Follower) bury(gone []thing) {
	now := f.config.Now()
	for at, when := range f.buried {
		if now.Sub(when) > 2*overlap {
			delete(f.buried, at)
		}
	}
	for _, at := range gone {
		if _, known := f.buried[at]; !known {
			f.buried[at] = now
		}
	}
}

// excused counts objects of a table that were properly deleted of late.
func (f *Follower) excused(e endpoint) int {
	n := 0
	for at := range f.buried {
		if at.table == e {
			n++
		}
	}
	return n
}

// accept looks at a picture that was read anew. One with far fewer objects
// than before, which nobody deleted, is most likely what a token sees whose
// permissions were narrowed: the old one is kept until a second read says the
// same.
func (f *Follower) accept(next *picture) error {
	if f.picture == nil {
		return nil
	}
	var shrunk endpoint
	for _, e := range followedTables() {
		if f.shrankTo(e, len(f.picture.stamps[e]), next.lost(e, f.picture, f.buried)) {
			shrunk = e
		}
	}
	for _, e := range smallTables() {
		before, after := tableOf(e).size(&f.picture.objects), tableOf(e).size(&next.objects)
		if f.shrankTo(e, before, before-after-f.excused(e)) {
			shrunk = e
		}
	}
	if shrunk == "" {
		return nil
	}
	return &Error{Kind: Shrunk, Op: "read " + string(shrunk), Message: "far fewer objects than before"}
}

// shrankTo reports whether a table lost suspiciously many rows for the first
// time, and raises the alarm.
func (f *Follower) shrankTo(e endpoint, before, lost int) bool {
	if lost <= 10 || lost*5 <= before {
		delete(f.suspect, e)
		return false
	}
	first := !f.suspect[e]
	f.suspect[e] = true
	fields := logrus.Fields{"objects": e.noun(), "before": before, "lost": lost}
	if first {
		f.log.WithFields(fields).Error("objects vanished from NetBox without being deleted; the old ones are kept until it says so again. Check the token's permissions and their constraints")
	} else {
		f.log.WithFields(fields).Error("objects vanished from NetBox without being deleted, and it says so again: they are gone")
		delete(f.suspect, e)
	}
	return first
}
