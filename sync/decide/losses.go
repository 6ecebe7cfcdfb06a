package decide

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// fate is what becomes of a loss in this run.
type fate int

const (
	goes  fate = iota // nothing speaks against it
	waits             // it goes in a later run by itself, if nothing changes
	stuck             // a person has to say so: --allow-deletes
)

// loss is one thing that NetBox would lose since a list of a server lacks it: it
// would be deleted, or a reservation would become a lease.
type loss struct {
	key     plan.MissingKey
	scope   subnetKey
	servers []int     // whose lists it rests on
	ends    time.Time // of its lease, as remembered; zero: it has no end
	endless bool      // it has no end, whatever is remembered
	empty   bool      // the list has no entry at all
	alone   bool      // and no other scope of these servers had a lease in this run

	fate   fate
	over   *group // the first limit it is part of breaking; nil: none
	looked bool   // for the first time in this run
}

// losses weighs the losses of a run against what rests on the same lists. A stage
// tells what rests on a list and what it would lose, asks once for the judgement,
// and then carries out the losses that go (rules 3.7 guard c and 3.7 guard g).
type losses struct {
	*view
	resting map[group]int
	lost    map[group]int
	all     map[plan.MissingKey]*loss
	order   []*loss
}

// group is what is counted together: one list kind of a scope, a server or the run.
type group struct {
	list   plan.List
	scope  subnetKey // of a scope
	server int       // of a server; -1: of a scope or the run
}

func newLosses(v *view) *losses {
	return &losses{view: v, resting: make(map[group]int), lost: make(map[group]int), all: make(map[plan.MissingKey]*loss)}
}

func groupsOf(list plan.List, scope subnetKey, servers []int) []group {
	groups := []group{{list, scope, -1}}
	for _, server := range servers {
		groups = append(groups, group{list, subnetKey{}, server})
	}
	return append(groups, group{list, subnetKey{}, -1})
}

// rests counts a thing that NetBox has because of a list, lost or not.
func (ls *losses) rests(list plan.List, scope subnetKey, servers []int) {
	for _, g := range groupsOf(list, scope, servers) {
		ls.resting[g]++
	}
}

// lose adds a loss, which also has to be counted by rests.
func (ls *losses) lose(x *loss) {
	ls.all[x.key] = x
	ls.order = append(ls.order, x)
	for _, g := range groupsOf(x.key.List, x.scope, x.servers) {
		ls.lost[g]++
	}
}

// of is the loss of a thing; nil: it is not lost.
func (ls *losses) of(key plan.MissingKey) *loss { return ls.all[key] }

// judge decides about all losses, and remembers since when each is missing.
func (ls *losses) judge(missing map[plan.MissingKey]plan.Sight) {
	for _, x := range ls.order {
		for _, g := range groupsOf(x.key.List, x.scope, x.servers) {
			if lost := ls.lost[g]; x.over == nil && lost > ls.p.MaxDeleteCount && lost*100 > ls.resting[g]*ls.p.MaxDeletePercent {
				x.over = &g
			}
		}
		before, known := ls.memory.Missing[x.key]
		sight := ls.sighted(before, known, x)
		sight.Held = !ls.p.AllowDeletes && (sight.Held || x.over != nil || x.empty)
		missing[x.key], x.looked = sight, !known
		x.fate = ls.fateOf(x, sight, known)
	}
}

// sighted is a sight after this run has missed the thing too.
func (ls *losses) sighted(s plan.Sight, known bool, x *loss) plan.Sight {
	if !known {
		s.Ends = x.ends
	}
	if x.endless {
		s.Ends = time.Time{}
	}
	ls.beginAt(&s.First, &s.Dated, ls.date(x.servers))
	return s
}

// fateOf is what becomes of a loss.
//
//	--allow-deletes              goes
//	held back, has an end        goes after two reads and its end, by both clocks; a day later if alone
//	held back, has no end        a person decides
//	within the limits, an end    goes
//	within the limits, none      goes after two reads
func (ls *losses) fateOf(x *loss, s plan.Sight, known bool) fate {
	date := ls.date(x.servers)
	twice := known && ls.confirmed(s.First, s.Dated, date)
	end := s.Ends
	if x.alone {
		end = end.Add(24 * time.Hour)
	}
	ended := !s.Ends.IsZero() && ls.in.Now.After(end) && date.After(end)
	switch {
	case ls.p.AllowDeletes, !s.Held && !s.Ends.IsZero(), !s.Held && twice, s.Held && twice && ended:
		return goes
	case s.Held && s.Ends.IsZero():
		return stuck
	}
	return waits
}

// date is the time by the clocks of the other side: the slowest of the servers that
// told it, else NetBox's; zero: nothing told it.
func (v *view) date(servers []int) (date time.Time) {
	for _, server := range servers {
		if s := v.asked(server); s != nil && !s.Date.IsZero() && (date.IsZero() || s.Date.Before(date)) {
			date = s.Date
		}
	}
	if date.IsZero() {
		date = v.nb.Date
	}
	return date
}

// settle forgets things that are not missing any more, of lists that this run read.
func (ls *losses) settle(missing map[plan.MissingKey]plan.Sight, read func(plan.MissingKey) bool) {
	for key := range missing {
		if ls.all[key] == nil && read(key) {
			delete(missing, key)
		}
	}
}

// held counts losses that do not go.
type held struct {
	of     *group // the limit; nil: none was broken
	list   plan.List
	waits  int
	stuck  int
	empty  bool // a list without an entry
	silent bool // a server lists nothing at all
	looked bool // one of them was seen for the first time
}

// add takes one loss in.
func (h *held) add(ls *losses, x *loss) {
	switch x.fate {
	case goes:
		return
	case stuck:
		h.stuck++
	case waits:
		h.waits++
	}
	h.of, h.list = cmp.Or(h.of, x.over), x.key.List
	h.empty, h.looked = h.empty || x.empty, h.looked || x.looked
	for _, server := range x.servers {
		h.silent = h.silent || ofAddress(h.list) && ls.silent(server)
	}
}

// level is how loud it is: a guard's, and exit code 4, where a person has to act or
// a whole server fell silent; else good to know.
func (h *held) level() plan.Level {
	switch {
	case h.stuck > 0 || h.silent:
		return plan.Guard
	case h.of != nil || h.empty:
		return plan.Warning
	}
	return plan.Info
}

// text says what is held back, why, and until when.
func (h *held) text(ls *losses, one, many string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s not deleted yet: ", printable.Count(h.waits+h.stuck, one+" is", many+" are"))
	switch {
	case h.silent:
		fmt.Fprintf(&b, "the server lists no lease and no reservation at all")
	case h.empty:
		fmt.Fprintf(&b, "the list of %s is empty", h.list)
	case h.of != nil:
		fmt.Fprintf(&b, "%s would lose %d of %d by the list of %s, more than guards.max_delete_percent (%d) and guards.max_delete_count (%d) allow",
			ls.name(*h.of), ls.lost[*h.of], ls.resting[*h.of], h.list, ls.p.MaxDeletePercent, ls.p.MaxDeleteCount)
	default:
		fmt.Fprintf(&b, "the list of %s lacks it for less than guards.confirm_after (%s), or did in a larger loss", h.list, ls.p.ConfirmAfter)
	}
	if h.waits > 0 {
		fmt.Fprintf(&b, "; %d by itself, once missing for %s and past the end of any lease on it", h.waits, ls.p.ConfirmAfter)
	}
	if h.stuck > 0 {
		fmt.Fprintf(&b, "; %d without an end only by a run with --allow-deletes, which --server and --scope narrow", h.stuck)
	}
	return b.String()
}

// name says which group would lose too much.
func (ls *losses) name(g group) string {
	switch {
	case g.server >= 0:
		return ls.host(g.server)
	case g.scope != subnetKey{}:
		return "the scope"
	}
	return "the run"
}

// silent reports whether a server listed neither a lease nor a reservation in any
// scope that was read.
func (ls *losses) silent(server int) bool {
	s := ls.asked(server)
	if s == nil {
		return false
	}
	for _, part := range s.Parts {
		if part.Leases.Err != nil || part.Reservations.Err != nil || len(part.Leases.Items)+len(part.Reservations.Items) > 0 {
			return false
		}
	}
	return len(s.Parts) > 0
}

// running counts the leases of a list that run.
func running(leases windhcp.List[windhcp.Lease]) (n int) {
	for i := range leases.Items {
		if leases.Items[i].Active() {
			n++
		}
	}
	return n
}
