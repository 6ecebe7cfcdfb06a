package follow

import (
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// accept looks at a picture that was read anew. One with far fewer objects
// than before, which nobody deleted, is most likely what a token sees whose
// permissions were narrowed: the old one is kept until a second read says the
// same.
func (f *Follower) accept(next *tables) error {
	if f.tables == nil {
		return nil
	}
	var shrunk netbox.Table
	for _, e := range followedTables() {
		if f.shrankTo(e, len(f.tables.stamps[e]), next.lost(e, f.tables, f.buried)) {
			shrunk = e
		}
	}
	for _, e := range smallTables() {
		before, after := tableOf(e).size(&f.tables.objects), tableOf(e).size(&next.objects)
		if f.shrankTo(e, before, before-after-f.excused(e)) {
			shrunk = e
		}
	}
	if shrunk == "" {
		return nil
	}
	return &netbox.Error{Kind: netbox.Shrunk, Op: "read " + string(shrunk), Message: "far fewer objects than before"}
}

// shrankTo reports whether a table lost suspiciously many rows for the first
// time, and raises the alarm.
func (f *Follower) shrankTo(e netbox.Table, before, lost int) bool {
	if lost <= 10 || lost*5 <= before {
		delete(f.suspect, e)
		return false
	}
	first := !f.suspect[e]
	f.suspect[e] = true
	fields := logrus.Fields{"objects": e.Noun(), "before": before, "lost": lost}
	if first {
		f.log.WithFields(fields).Error("objects vanished from NetBox without being deleted; the old ones are kept until it says so again. Check the token's permissions and their constraints")
	} else {
		f.log.WithFields(fields).Error("objects vanished from NetBox without being deleted, and it says so again: they are gone")
		delete(f.suspect, e)
	}
	return first
}

// excused counts objects of a table that were properly deleted of late.
func (f *Follower) excused(e netbox.Table) int {
	n := 0
	for at := range f.buried {
		if at.table == e {
			n++
		}
	}
	return n
}
