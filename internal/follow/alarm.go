package follow

import (
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// alarm notices lists of places, tenants and config contexts that shrank
// suspiciously. No refusal rests on them, so the old rows are kept only until a
// second read says the same.
type alarm struct {
	log     logrus.FieldLogger
	suspect map[netbox.Table]bool // tables that shrank once
}

// accept looks at tables that were read anew. It returns an error of kind
// Shrunk if any of them shrank suspiciously for the first time.
func (a *alarm) accept(before, next *tables, deleted deletedObjects) error {
	var shrunk netbox.Table
	for _, table := range unguardedTables() {
		if a.smallShrank(table, before, next, deleted) {
			shrunk = table
		}
	}
	if shrunk == "" {
		return nil
	}
	return &netbox.Error{Kind: netbox.Shrunk, Op: "read " + string(shrunk), Message: "far fewer objects than before"}
}

// smallShrank is shrank for a table that is read whole in every poll.
func (a *alarm) smallShrank(table netbox.Table, before, next *tables, deleted deletedObjects) bool {
	was, is := rowsOf(table).size(&before.objects), rowsOf(table).size(&next.objects)
	return a.shrank(table, was, was-is-deleted.count(table))
}

// shrank reports whether a table lost suspiciously many rows for the first
// time: more than ten, and more than a fifth. It logs both the first and the
// second time.
func (a *alarm) shrank(table netbox.Table, before, lost int) bool {
	if lost <= 10 || lost*5 <= before {
		delete(a.suspect, table)
		return false
	}
	first := !a.suspect[table]
	a.suspect[table] = true
	log := a.log.WithFields(logrus.Fields{"objects": table.Noun(), "before": before, "lost": lost})
	if first {
		log.Error("objects vanished from NetBox without being deleted; the old ones are kept until it says so again. Check the token's permissions and their constraints")
	} else {
		log.Error("objects vanished from NetBox without being deleted, and it says so again: they are gone")
		delete(a.suspect, table)
	}
	return first
}
