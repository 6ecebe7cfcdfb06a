package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// floors judges what the runs of a story take out of NetBox (rules 3.7 guard c,
// 3.7 guard g and 3.7 guard h). It goes by what it saw of both sides itself, run by
// run, and by nothing that the mirror remembers.
type floors struct {
	addresses map[int64]*watch
	scopes    map[string]*watch
	was       map[int64]state.Address        // adopted addresses as people had them
	last      map[plan.Place][]windhcp.Lease // the leases that the run before listed
}

// watch is one object of NetBox over the runs.
type watch struct {
	unlisted   time.Time // the first run whose lists had nothing for it
	unreserved time.Time // the first run whose lists had no reservation for it
	mirror     map[string]time.Time
	ends       time.Time // of the lease last listed
}

func newFloors() *floors {
	return &floors{addresses: make(map[int64]*watch), scopes: make(map[string]*watch), was: make(map[int64]state.Address), last: make(map[plan.Place][]windhcp.Lease)}
}

// reading is one run as the judge sees it.
type reading struct {
	*story
	in            plan.Input
	before, after *state.State
	truth
}

// part is what a server was read to say about one subnet.
type listed struct {
	host string
	vrf  int64
	windhcp.Scope
	windhcp.Part
}

func (r *reading) listed() (all []listed) {
	for i := range r.in.Windows {
		s := &r.in.Windows[i]
		for _, scope := range s.Scopes.Items {
			l := listed{s.Host, r.vrf(s.Host, scope.Subnet), scope, s.Parts[scope.ID()]}
			if _, read := s.Parts[scope.ID()]; read && l.Leases.Err == nil && (l.Reservations.Err == nil || l.alone()) {
				all = append(all, l)
			}
		}
	}
	return all
}

// around are the lists about an address.
func (r *reading) around(x *state.Address) []listed {
	return slices.DeleteFunc(r.listed(), func(l listed) bool { return l.vrf != x.VRF || !l.Subnet.Contains(x.Address.Addr()) })
}

// alone reports whether a list is of a server for whose scope its partner speaks: its
// leases keep an address, and nothing else of it counts (rule 3.7 guard n).
func (l *listed) alone() bool { return speaks(l.host, l.Failover) != l.host }

// says tells what a list has for an address.
func (l *listed) says(addr netip.Addr) (entry, reserved bool, leases []windhcp.Lease) {
	for _, lease := range l.Leases.Items {
		if lease.Addr == addr {
			entry = true
			if lease.Active() {
				leases = append(leases, lease)
			}
		}
	}
	reserved = !l.alone() && slices.ContainsFunc(l.Reservations.Items, func(x windhcp.Reservation) bool { return x.Addr == addr })
	return entry || reserved, reserved, leases
}

// observe keeps what this run saw.
func (f *floors) observe(r *reading) {
	for i := range r.after.Addresses {
		x := &r.after.Addresses[i]
		w := f.watchOf(x)
		f.addresses[x.ID] = w
		entry, reserved := false, false
		var leases, partners []windhcp.Lease
		for _, l := range r.around(x) {
			has, kept, running := l.says(x.Address.Addr())
			entry, reserved = entry || has, reserved || kept
			if l.alone() {
				partners = append(partners, running...)
			} else {
				leases = append(leases, running...)
			}
		}
		his := ofClient(x, leases)
		switch {
		case len(his) > 0:
			w.ends = endOf(his)
		case len(leases) == 0 && len(partners) > 0 && !w.ends.IsZero():
			w.ends = endOf(append(partners, windhcp.Lease{Expires: w.ends}))
		}
		w.note(r, "unlisted", &w.unlisted, entry, r.shaky[placeOf(x)])
		w.note(r, "unreserved", &w.unreserved, reserved, r.shaky[placeOf(x)])
	}
}

// watchOf is what was seen of an object. One that is new has the lease that the run
// before listed on its host, if it is that client's.
func (f *floors) watchOf(x *state.Address) *watch {
	if w := f.addresses[x.ID]; w != nil {
		return w
	}
	return &watch{mirror: make(map[string]time.Time), ends: endOf(ofClient(x, f.last[placeOf(x)]))}
}

// ofClient are the leases on the host of an object that are not another client's.
func ofClient(x *state.Address, leases []windhcp.Lease) []windhcp.Lease {
	return slices.DeleteFunc(slices.Clone(leases), func(l windhcp.Lease) bool { return l.ClientID != "" && string(l.ClientID) != x.ClientID })
}

// endOf is the end of the last of some leases; zero: there is none, or it does not end.
func endOf(leases []windhcp.Lease) (end time.Time) {
	for _, l := range leases {
		if l.Expires.IsZero() {
			return time.Time{}
		}
		if end.Before(l.Expires) {
			end = l.Expires
		}
	}
	return end
}

// observeLeases keeps the leases that this run saw for the next one.
func (f *floors) observeLeases(r *reading) {
	for place := range f.last {
		if !r.shaky[place] {
			delete(f.last, place)
		}
	}
	seen := make(map[plan.Place][]windhcp.Lease)
	for _, l := range r.listed() {
		for _, lease := range l.Leases.Items {
			if place := (plan.Place{VRF: l.vrf, Addr: lease.Addr}); lease.Active() && !l.alone() {
				seen[place] = append(seen[place], lease)
			}
		}
	}
	maps.Copy(f.last, seen)
}

// note begins a time without an entry, or ends it.
func (w *watch) note(r *reading, what string, since *time.Time, there, shaky bool) {
	switch {
	case there:
		*since = time.Time{}
		delete(w.mirror, what)
	case since.IsZero() && !shaky:
		*since, w.mirror[what] = r.w.now, r.in.Now
	case w.mirror[what].After(r.in.Now) && !shaky:
		w.mirror[what] = r.in.Now // the mirror's clock went back: by it the time begins with this run
	}
}

// twice reports whether an object was missing an hour ago too, by both clocks.
func (w *watch) twice(r *reading, what string, since time.Time) bool {
	return !since.IsZero() && r.w.now.Sub(since) >= r.p.ConfirmAfter && r.in.Now.Sub(w.mirror[what]) >= r.p.ConfirmAfter
}

func (w *watch) over(r *reading, later time.Duration) bool {
	return !w.ends.IsZero() && r.w.now.After(w.ends.Add(later)) && r.in.Now.After(w.ends.Add(later))
}

// judge says what is wrong with the losses of a run; empty: nothing.
func (f *floors) judge(r *reading) string {
	defer func() {
		f.observe(r)
		f.observeLeases(r)
	}()
	if r.p.Mode != plan.Sync {
		return ""
	}
	kept := make(map[int64]*state.Address)
	for i := range r.after.Addresses {
		kept[r.after.Addresses[i].ID] = &r.after.Addresses[i]
	}
	unproved, resting := make(map[string]int), make(map[string]int)
	for i := range r.before.Addresses {
		x := &r.before.Addresses[i]
		y, kind := kept[x.ID], meaning(x, &r.p)
		for _, g := range r.groups(x, kind) {
			resting[g]++
		}
		downgraded := y != nil && kind == "reservation" && meaning(y, &r.p) == "lease" && r.leased[placeOf(x)]
		if y != nil && y.Managed == state.Adopted && (x.Managed != state.Adopted || meaning(x, &r.p) == "") {
			f.was[x.ID] = *x
		}
		returned := y != nil && x.Managed == state.Adopted && !r.leased[placeOf(x)] && !r.reserved[placeOf(x)] && (y.Status != x.Status && y.Status != r.p.ReservationStatus || y.DNSName != x.DNSName)
		if was := f.was[x.ID]; returned && (was.Status != y.Status || was.DNSName != y.DNSName) {
			return fmt.Sprintf("%s was %s %q and becomes %s %q", x.Address, was.Status, was.DNSName, y.Status, y.DNSName)
		}
		if y != nil && !downgraded && !returned {
			continue
		}
		problem, proved := f.loss(r, x, kind)
		if problem != "" {
			return fmt.Sprintf("%s is lost: %s", x.Address, problem)
		}
		if !proved {
			for _, g := range r.groups(x, kind) {
				unproved[g]++
			}
		}
	}
	for g, n := range unproved {
		if n > r.p.MaxDeleteCount && n*100 > resting[g]*r.p.MaxDeletePercent && !r.p.AllowDeletes {
			return fmt.Sprintf("%s loses %d of %d without proof", g, n, resting[g])
		}
	}
	return f.records(r)
}

// groups are what an address is counted in.
func (r *reading) groups(x *state.Address, kind string) []string {
	groups := []string{kind + " of the run"}
	for _, l := range r.around(x) {
		for _, g := range []string{fmt.Sprintf("%s of %s in %d", kind, l.Subnet, l.vrf), kind + " of " + l.host} {
			if !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// loss judges one address by itself.
func (f *floors) loss(r *reading, x *state.Address, kind string) (problem string, proved bool) {
	w := f.watchOf(x)
	hand := x.Managed == state.Untouched || x.Managed == state.Prestaged
	inPool, named, others := false, false, false
	for _, l := range r.around(x) {
		inPool = inPool || l.Start.Compare(x.Address.Addr()) <= 0 && x.Address.Addr().Compare(l.End) <= 0
		named = named || !l.alone() && (kind == "lease" && running(l.Leases) > 0 || kind == "reservation" && len(l.Reservations.Items) > 0)
	}
	for _, l := range r.listed() {
		others = others || !l.alone() && running(l.Leases) > 0
	}
	day := time.Duration(0)
	if !named && !others {
		day = 24 * time.Hour
	}
	for i := range r.in.Windows {
		s := &r.in.Windows[i]
		for id, part := range s.Parts {
			scope, _ := s.Scope(id)
			has := func(l windhcp.Lease) bool { return l.Addr == x.Address.Addr() && l.Active() }
			if kind == "lease" && r.vrf(s.Host, scope.Subnet) == x.VRF && slices.ContainsFunc(part.Leases.Items, has) {
				return "some server still lists it", false
			}
		}
	}
	switch {
	case hand && !inPool:
		return "people made it outside of every pool", false
	case r.p.AllowDeletes:
		return "", false
	case kind == "reservation":
		proved = w.twice(r, "unreserved", w.unreserved)
		if !named || !proved {
			return "by one look, or by an empty list of reservations", false
		}
		return "", false // within the limits
	}
	proved = !hand && w.twice(r, "unlisted", w.unlisted) && w.over(r, day)
	switch {
	case !proved && !named:
		return "by an empty list of leases", false
	case (hand || w.ends.IsZero()) && !w.twice(r, "unlisted", w.unlisted):
		return "it has no end, and was looked for once", false
	}
	return "", proved
}

// records judges the scope records that are gone.
func (f *floors) records(r *reading) string {
	before, _ := recordsOf(r.before.Ranges)
	after, _ := recordsOf(r.after.Ranges)
	problem := ""
	lost, of := make(map[string]int), make(map[string]int)
	for _, rec := range before {
		name := rec.Source.String() + " " + rec.Subnet.String()
		w := f.scopes[name]
		if w == nil {
			w = &watch{mirror: make(map[string]time.Time)}
			f.scopes[name] = w
		}
		host := rec.Source.Server
		if rec.Source.Failover != "" {
			host = dh1
		}
		i := slices.IndexFunc(r.in.Windows, func(s windhcp.Server) bool { return s.Host == host })
		if i < 0 || r.in.Windows[i].Scopes.Err != nil {
			continue
		}
		lists := slices.ContainsFunc(r.in.Windows[i].Scopes.Items, func(s windhcp.Scope) bool {
			return s.Subnet == rec.Subnet && (s.Failover == "" || rec.Source.Failover != "")
		})
		same := func(o *record) bool { return o.Subnet == rec.Subnet && o.VRF == rec.VRF }
		count := func(all []*record) (n int) {
			for _, o := range all {
				if same(o) {
					n++
				}
			}
			return n
		}
		gone := !slices.ContainsFunc(after, func(o *record) bool { return same(o) && o.Source == rec.Source }) && count(after) < count(before)
		if gone && !r.p.AllowDeletes && (!w.twice(r, "unlisted", w.unlisted) || len(r.in.Windows[i].Scopes.Items) == 0) {
			problem = fmt.Sprintf("the record of %s is lost by one look, or by an empty list", name)
		}
		for _, g := range []string{"records of " + host, "records of the run"} {
			of[g]++
			if gone {
				lost[g]++
			}
		}
		w.note(r, "unlisted", &w.unlisted, lists, false)
	}
	for g, n := range lost {
		if n > r.p.MaxDeleteCount && n*100 > of[g]*r.p.MaxDeletePercent && !r.p.AllowDeletes {
			problem = fmt.Sprintf("%d of %d %s are lost", n, of[g], g)
		}
	}
	return problem
}
