package follow

import (
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// adopt makes next the picture, and publishes it if it says anything new.
func (f *Follower) adopt(next *tables) {
	for at := range f.buried {
		if next.has(at.table, at.id) {
			delete(f.buried, at) // it exists after all
		}
	}
	changed := next.changed || !maps.Equal(f.defined, f.reader.decode.defined)
	f.defined = maps.Clone(f.reader.decode.defined)
	next.changed = false
	f.tables = next
	if !changed {
		return
	}
	f.unsaved = true
	objects := next.objects
	snapshot, problems := ipam.Build(&objects, f.config.Options)
	problems = slices.Concat(next.problems(), f.undefinedFields(), problems)
	f.logProblems(problems)
	f.config.OnSnapshot(snapshot, problems)
}

func (f *Follower) confirm(at time.Time) {
	f.confirmed = at
	f.config.OnConfirm(at, f.client.Skew())
}

// undefinedFields reports configured custom fields that addresses do not have
// (H-1).
func (f *Follower) undefinedFields() []ipam.Problem {
	var missing []ipam.Problem
	for _, name := range slices.Sorted(maps.Keys(f.defined)) {
		if !f.defined[name] {
			missing = append(missing, ipam.Problem{Object: "custom field " + name,
				Text: "not defined for IP addresses: leases cannot be shown in NetBox; create it (the bootstrap command does) or set netbox.fields"})
		}
	}
	return missing
}

// maxProblems is how many new problems are logged one by one.
const maxProblems = 20

// logProblems logs what was not wrong before.
func (f *Follower) logProblems(problems []ipam.Problem) {
	now := make(map[ipam.Problem]bool, len(problems))
	fresh := 0
	for _, p := range problems {
		now[p] = true
		if f.known[p] {
			continue
		}
		if fresh++; fresh <= maxProblems {
			f.log.WithFields(logrus.Fields{"object": p.Object, "reason": p.Text}).Warn("problem in NetBox's data")
		}
	}
	if fresh > maxProblems {
		f.log.WithField("count", fresh-maxProblems).Warn("more problems in NetBox's data")
	}
	f.known = now
}

// report logs that NetBox was lost or is back: one line each.
func (f *Follower) report(err error) {
	if err == nil {
		if f.lost != "" {
			f.log.WithField("outage", f.config.Now().Sub(f.lostAt).Round(time.Second).String()).Info("NetBox can be read again")
		}
		f.lost = ""
		f.waits.Reset()
		return
	}
	kind := netbox.KindOf(err)
	if kind == "" {
		kind = "other"
	}
	if f.lost == "" {
		f.lostAt = f.config.Now()
	}
	if f.lost != kind {
		message := "NetBox cannot be read; its last picture stays in use"
		if f.tables == nil {
			message = "NetBox cannot be read; no client is served until it can"
		}
		f.quiet.Error(string(kind), message, logrus.Fields{logrus.ErrorKey: err})
	}
	f.lost = kind
}
