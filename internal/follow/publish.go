package follow

import (
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// adopt makes next the tables, and publishes a snapshot of them if they say
// anything new.
func (f *Follower) adopt(next *tables) {
	f.deleted.forgetAll(next)
	changed := next.changed || !maps.Equal(f.defined, f.reader.decode.defined)
	f.defined = maps.Clone(f.reader.decode.defined)
	next.changed = false
	f.tables = next
	if !changed {
		return
	}
	f.disk.changed = true
	objects := next.objects
	options := f.config.Options
	options.Expiries = f.reader.decode.expiries
	snapshot, problems := ipam.Build(&objects, options)
	problems = slices.Concat(next.problems(), f.undefinedFields(), problems)
	f.problems.report(problems)
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

// problemLog logs each problem in NetBox's data once, as long as it lasts.
type problemLog struct {
	log   logrus.FieldLogger
	known map[ipam.Problem]bool
}

func (l *problemLog) report(problems []ipam.Problem) {
	now := make(map[ipam.Problem]bool, len(problems))
	fresh := 0
	for _, p := range problems {
		now[p] = true
		if l.known[p] {
			continue
		}
		if fresh++; fresh <= maxProblems {
			l.log.WithFields(logrus.Fields{"object": p.Object, "reason": p.Text}).Warn("problem in NetBox's data")
		}
	}
	if fresh > maxProblems {
		l.log.WithField("count", fresh-maxProblems).Warn("more problems in NetBox's data")
	}
	l.known = now
}
