package decide

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// comparison holds what a scope says in NetBox and on one server against what both
// said when they last agreed (rule 5.6).
type comparison struct {
	*view
	server int
	rec    *record // as NetBox has it
	scope  windhcp.Scope
	before plan.Agreement
	after  plan.Agreement // what will be remembered

	// exclusions of the server that NetBox lacks and that stay there, and of NetBox
	// that the server lacks and that are not pushed.
	stay, hold []windhcp.Exclusion
	removed    []windhcp.Exclusion // from the server
	router     bool                // NetBox's router goes to the server
	state      bool                // NetBox's state goes to the server, and to its partner
	options    []optionPush        // NetBox's that go to the server
	pushes     bool                // what goes to the server does so in this run
	over       bool                // the server or the run lacks more exclusions than guard c allows
	notes      []plan.Note
}

// change is which side has changed since both agreed.
type change int

const (
	neitherChanged change = iota
	netboxChanged
	serverChanged
	bothChanged // to different values
	neverAgreed // they differ, and it is not known since when
)

func changeOf(base *string, netbox, server string) change {
	switch {
	case netbox == server:
		return neitherChanged
	case base == nil:
		return neverAgreed
	case *base == server:
		return netboxChanged
	case *base == netbox:
		return serverChanged
	}
	return bothChanged
}

// compare begins with what is remembered. A memory of another NetBox says nothing.
func (v *view) compare(server int, rec *record, scope windhcp.Scope) *comparison {
	c := &comparison{view: v, server: server, rec: rec, scope: scope}
	if v.strange == "" {
		c.before = v.memory.Scopes[c.key()]
	}
	c.after = c.before
	c.after.Told = nil
	return c
}

func (c *comparison) key() plan.ScopeKey {
	return plan.ScopeKey{Server: c.host(c.server), Subnet: c.scope.Subnet}
}

// tell notes something. A warning or conflict that the last run told is information.
func (c *comparison) tell(level plan.Level, format string, args ...any) {
	n := plan.Note{Level: level, Server: c.host(c.server), Scope: c.scope.Subnet, Cause: plan.CauseDiffers, Text: fmt.Sprintf(format, args...)}
	if level == plan.Warning || level == plan.Conflict {
		if slices.Contains(c.before.Told, n.Text) {
			n.Level = plan.Info
		}
		c.after.Told = append(c.after.Told, n.Text)
	}
	n.Rule = n.Cause.Rule()
	c.notes = append(c.notes, n)
}

// since keeps the time from which on a server lacks something, and reports whether
// that is to be believed: it is when two reads an hour apart say so, by both clocks.
func (c *comparison) since(gone *plan.Absence, missing bool) (believed bool) {
	if !missing {
		*gone = plan.Absence{}
		return false
	}
	date := c.date([]int{c.server})
	c.beginAt(&gone.First, &gone.Dated, date)
	return c.p.AllowDeletes || gone.First != c.in.Now && c.confirmed(gone.First, gone.Dated, date)
}

// lacks lists the exclusions that NetBox would lose by a server's list.
func (c *comparison) lacks(listed []windhcp.Exclusion) (missing []windhcp.Exclusion) {
	push := c.pushesScopes(c.server)
	for _, x := range union(nil, c.rec.Exclusions) {
		if !slices.Contains(listed, x) && (!push || slices.Contains(c.before.Exclusions, x)) {
			missing = append(missing, x)
		}
	}
	return missing
}

// believes reports whether NetBox may lose what a server's list of exclusions lacks.
// A list that is empty, or lacks more than guard c allows, has to lack the same in
// two reads an hour apart. What was in doubt stays so until it is listed again.
func (c *comparison) believes(listed []windhcp.Exclusion) bool {
	missing, of := c.lacks(listed), len(c.rec.Exclusions)
	none := len(listed) == 0 && of > 0 && (!c.pushesScopes(c.server) || len(c.before.Exclusions) > 0)
	doubt := &c.after.FewExclusions
	few := none || len(missing) > 0 && (c.over || c.tooMany(len(missing), of) || !doubt.First.IsZero())
	if slices.ContainsFunc(missing, func(x windhcp.Exclusion) bool { return !slices.Contains(doubt.Exclusions, x) }) {
		*doubt = plan.Absence{}
	}
	believed := c.since(doubt, few)
	switch {
	case !few:
		return true
	case !believed && none:
		c.tell(plan.Info, "the server lists no exclusion: the %s stay until a read in an hour or later says so too", printable.Count(of, "recorded one", "recorded ones"))
	case !believed:
		c.tell(plan.Info, "the server lacks %d of %s: they stay until a read in an hour or later says so too, or a run with --allow-deletes",
			len(missing), printable.Count(of, "recorded exclusion", "recorded exclusions"))
	}
	doubt.Exclusions = missing
	return believed
}

// pullExclusions are the exclusions that NetBox is to have while it follows the
// server.
func (c *comparison) pullExclusions(list windhcp.List[windhcp.Exclusion]) []windhcp.Exclusion {
	if !list.Complete() {
		return c.rec.Exclusions
	}
	if !c.believes(list.Items) {
		return c.rec.Exclusions
	}
	c.agreeExclusions(list.Items, list.Items)
	return union(nil, list.Items)
}

// agreeExclusions remembers which exclusions both sides have, and those that both
// had and one still has: they are not settled yet. netbox and server are both sides
// as the run leaves them.
func (c *comparison) agreeExclusions(netbox, server []windhcp.Exclusion) {
	var agreed []windhcp.Exclusion
	pending := false
	for _, x := range union(netbox, server) {
		inNetBox, onServer := slices.Contains(netbox, x), slices.Contains(server, x)
		if inNetBox && onServer || slices.Contains(c.before.Exclusions, x) {
			agreed = append(agreed, x)
			pending = pending || !inNetBox
		}
	}
	c.after.Exclusions, c.after.Whole = agreed, true
	if !pending && c.rec != nil && c.rec.holder != nil {
		c.after.Edited = c.rec.holder.LastUpdated
	}
}

// pushExclusions compares the exclusions of both sides where NetBox is the truth,
// and returns those that NetBox is to have.
//
//	NetBox  server  both had it  outcome
//	yes     yes                  none
//	yes     no      no           made on the server, unless it overlaps one that stays, or the
//	                             list is not believed yet
//	yes     no      yes          NetBox follows, once the list is believed
//	no      yes     no           NetBox takes it over, unless it overlaps one made there
//	no      yes     yes          deleted on the server, if NetBox's record was edited since
//	                             and has any; else it stays, told
func (c *comparison) pushExclusions(list windhcp.List[windhcp.Exclusion], takeOver bool) []windhcp.Exclusion {
	if !list.Complete() {
		return c.rec.Exclusions
	}
	netbox, server := union(nil, c.rec.Exclusions), union(nil, list.Items)
	believed := c.believes(server)
	had := func(x windhcp.Exclusion) bool { return slices.Contains(c.before.Exclusions, x) }
	want := slices.DeleteFunc(slices.Clone(netbox), func(x windhcp.Exclusion) bool {
		return had(x) && !slices.Contains(server, x) && believed
	})
	fresh := func(x windhcp.Exclusion) bool { return !had(x) && !slices.Contains(server, x) }
	edited := c.rec.holder != nil && c.rec.holder.LastUpdated.After(c.before.Edited)
	var lost []windhcp.Exclusion
	for _, x := range server {
		over := slices.IndexFunc(netbox, func(y windhcp.Exclusion) bool { return fresh(y) && y.Overlaps(x) })
		switch {
		case slices.Contains(netbox, x):
		case had(x) && edited && len(netbox) > 0:
			c.removed = append(c.removed, x)
		case had(x):
			lost = append(lost, x)
			c.stay = append(c.stay, x)
		case over >= 0:
			c.stay = append(c.stay, x)
			c.tell(plan.Conflict, "exclusion %s-%s of the server and %s-%s of NetBox overlap, and both are new: nothing is done about either", x.Start, x.End, netbox[over].Start, netbox[over].End)
		case takeOver:
			want = append(want, x)
		default:
			c.stay = append(c.stay, x)
		}
	}
	if len(lost) > 0 {
		c.tell(plan.Warning, "%s gone from NetBox (the first is %s-%s), where the list is empty or was not edited: remove on Windows by hand what is not wanted there, or record it again",
			printable.Count(len(lost), "exclusion is", "exclusions are"), lost[0].Start, lost[0].End)
	}
	for _, y := range netbox {
		if !slices.Contains(server, y) && (had(y) || !believed || slices.ContainsFunc(c.stay, y.Overlaps)) {
			c.hold = append(c.hold, y)
		}
	}
	return union(nil, want)
}

// keepRemoved leaves exclusions on the server that would have been deleted there, but
// for some.
func (c *comparison) keepRemoved(but []windhcp.Exclusion) {
	removed := c.removed
	c.removed = nil
	for _, x := range removed {
		if slices.Contains(but, x) {
			c.removed = append(c.removed, x)
		} else {
			c.stay = append(c.stay, x)
		}
	}
	for _, y := range c.rec.Exclusions {
		if slices.ContainsFunc(c.stay, y.Overlaps) && !slices.Contains(c.stay, y) {
			c.hold = append(c.hold, y)
		}
	}
}

// settle remembers what both sides have once the steps of this run are done.
func (c *comparison) settle(want *record, list windhcp.List[windhcp.Exclusion]) {
	if c.router && c.pushes {
		c.after.Router = &c.rec.Router
	}
	if c.state && c.pushes {
		c.after.State = &c.rec.State
	}
	if c.pushes {
		c.settleOptions()
	}
	if !list.Complete() {
		return
	}
	server := union(nil, list.Items)
	if c.pushes {
		server = slices.DeleteFunc(server, func(x windhcp.Exclusion) bool { return slices.Contains(c.removed, x) })
		for _, y := range want.Exclusions {
			if !slices.Contains(c.hold, y) {
				server = append(server, y)
			}
		}
	}
	c.agreeExclusions(want.Exclusions, server)
}

// compareRouter gives the router that NetBox is to have.
func (c *comparison) compareRouter(push bool) string {
	netbox, server := c.rec.Router, routerText(c.scope)
	none := server == "" && netbox != ""
	believed := c.since(&c.after.RouterGone, none)
	which := changeOf(c.before.Router, netbox, server)
	if !push && which != neitherChanged {
		which = serverChanged
	}
	switch {
	case which == neitherChanged:
		c.after.Router = &server
	case which == netboxChanged && netbox == "":
		c.tell(plan.Warning, "NetBox has no router any more, and the server has %s: a router is taken away by hand only, on Windows", server)
	case which == netboxChanged:
		c.router = true
	case which == bothChanged:
		c.tell(plan.Conflict, "the router was changed on both sides, to %s in NetBox and to %s on the server: make them the same", orNone(netbox), orNone(server))
	case none && !believed:
		c.tell(plan.Info, "the server tells no router: the recorded one (%s) stays until a read in an hour or later says so too", netbox)
	default:
		if which == neverAgreed && netbox != "" {
			c.tell(plan.Warning, "router %s of NetBox gives way to %s of the server, since it is not known which is newer", netbox, orNone(server))
		}
		c.after.Router = &server
		return server
	}
	return netbox
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func clipped(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return "nothing"
	}
	return cutRunes(s, 100)
}

// agreeAll remembers the values of a record that was just made of the server's.
func (c *comparison) agreeAll(want *record, exclusions windhcp.List[windhcp.Exclusion], options bool) {
	router, text, state := want.Router, optionsText(want.Options), want.State
	c.after.Router, c.after.State = &router, &state
	if options {
		c.after.Options = &text
	}
	if exclusions.Complete() {
		c.agreeExclusions(want.Exclusions, exclusions.Items)
	}
}

// optionsText is a list of options as it is remembered and compared.
func optionsText(options []optionValue) string {
	if len(options) == 0 {
		return ""
	}
	return string(canonjson.Of(options))
}

// weighExclusions counts what NetBox would lose of exclusions, by server, and by -1
// for the run (rule 3.7 guard c).
func (sc *scoping) weighExclusions() {
	for _, x := range sc.all {
		if !x.read || x.fallback || x.rec == nil || !x.part.Exclusions.Complete() || sc.p.Mode == plan.Import {
			continue
		}
		lost := len(sc.compare(x.server, x.rec, x.scope).lacks(x.part.Exclusions.Items))
		for _, server := range []int{x.server, -1} {
			n := sc.exclusions[server]
			sc.exclusions[server] = tally{n.lost + lost, n.of + len(x.rec.Exclusions)}
		}
	}
}

// tally is how much of something would be lost.
type tally struct{ lost, of int }

// manyExclusions reports whether a server, or the run, lacks more exclusions than
// guard c allows.
func (sc *scoping) manyExclusions(server int) bool {
	one, run := sc.exclusions[server], sc.exclusions[-1]
	return sc.tooMany(one.lost, one.of) || sc.tooMany(run.lost, run.of)
}

// guardExclusions holds back the deletes of exclusions on servers where a scope, a
// server or the run would lose more than the operator allows, and what was held back
// before (rule 3.7 guard c). What goes from an acting primary goes from its partner
// too, and counts there.
func guardExclusions(in *recorded, t *toll) {
	var all []*unit
	for _, u := range in.units {
		if u.compared == nil {
			continue
		}
		all = append(all, u)
		t.lose(plan.ListExclusions, u.sighting, len(u.compared.removed))
		for _, twin := range in.writtenTwins(u) {
			t.lose(plan.ListExclusions, twin, countOf(twin.part.Exclusions.Items, u.compared.removed))
		}
	}
	for _, u := range all {
		c, over := u.compared, u.sighting
		if !u.part.Exclusions.Complete() {
			continue
		}
		held := !in.p.AllowDeletes && countOf(c.removed, c.before.Held) > 0
		if c.after.Held = nil; len(c.removed) == 0 {
			continue
		}
		tooMuch := t.tooMuch(plan.ListExclusions, over)
		for _, twin := range in.writtenTwins(u) {
			if !tooMuch && t.tooMuch(plan.ListExclusions, twin) {
				tooMuch, over = true, twin
			}
		}
		if tooMuch || held {
			c.tell(plan.Guard, "would delete %s: none is deleted here; if it is right, run once with --allow-deletes", t.text(plan.ListExclusions, over, "exclusion", "exclusions"))
			c.after.Held = c.removed
			c.keepRemoved(nil)
		}
	}
}

// writtenTwins are the twins of a scope on servers whose scopes are written to.
func (r *recorded) writtenTwins(u *unit) []*sighting {
	return slices.DeleteFunc(r.twins(u), func(x *sighting) bool { return !r.pushesScopes(x.server) })
}

// countOf counts the exclusions of a list that another one has too.
func countOf(list, other []windhcp.Exclusion) (n int) {
	for _, x := range list {
		if slices.Contains(other, x) {
			n++
		}
	}
	return n
}

// agree remembers what both sides of each scope agree on when the run is done.
func agree(in *recorded, scopes map[plan.ScopeKey]plan.Agreement) (w work) {
	for key, agreed := range in.born {
		scopes[key] = agreed
	}
	for _, u := range in.units {
		c := u.compared
		if c == nil {
			continue
		}
		if in.p.Mode == plan.Sync && in.pushesScopes(u.server) && u.rec != nil {
			c.settle(u.want, u.part.Exclusions)
			for _, twin := range in.twins(u) {
				if t := in.compared[twin]; t != nil {
					t.settle(u.want, twin.part.Exclusions)
					w.notes = append(w.notes, t.notes...)
					if in.strange == "" {
						scopes[t.key()] = t.after
					}
				}
			}
		}
		w.notes = append(w.notes, c.notes...)
		if in.strange == "" {
			scopes[c.key()] = c.after
		}
	}
	return w
}
