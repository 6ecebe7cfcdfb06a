package follow

import (
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// skewError is how far off the known skew of NetBox's clock may be: its answers
// tell whole seconds.
const skewError = 2 * time.Second

// adopt makes next the tables, and publishes a snapshot of them if they, or
// what is kept beside them, say anything new.
func (f *Follower) adopt(next *tables) {
	f.deleted.forgetAll(next)
	at := moment{now: f.config.Now(), seen: f.confirmed.Add(f.client.Skew() - skewError), blind: f.sweeping}
	kept := f.guard.look(f.tables, next, f.deleted, at)
	changed := next.changed || kept || !maps.Equal(f.defined, f.reader.decode.defined)
	f.defined = maps.Clone(f.reader.decode.defined)
	next.changed = false
	f.tables = next
	if changed {
		f.publish()
	}
	f.edits.answered(f, next)
}

// publish builds a snapshot of the tables and of what is kept beside them.
func (f *Follower) publish() {
	f.disk.changed = true
	options := f.config.Options
	options.Expiries = f.reader.decode.expiries
	snapshot, problems := f.guard.build(&f.tables.objects, options, f.config.Now())
	problems = slices.Concat(f.tables.problems(), f.undefinedFields(), problems)
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
		if f.defined[name] {
			continue
		}
		lacks := "leases cannot be shown in NetBox"
		if fields := f.config.Fields; name == fields.ReservationMAC || name == fields.ReservationID {
			lacks = "no address can name the client that it is for"
		}
		missing = append(missing, ipam.Problem{Object: "custom field " + name,
			Text: "not defined for IP addresses: " + lacks + "; create it (the bootstrap command does) or set netbox.fields"})
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
