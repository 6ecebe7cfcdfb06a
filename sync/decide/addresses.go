package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// addressing is the fourth stage at work: the address objects of NetBox.
type addressing struct {
	*recorded
	*merged
	work
	addresses  book
	full       []*state.Range // ranges NetBox takes no new address in
	populated  map[int64]int  // addresses that are not made, by such a range
	losses     *losses
	heldBack   map[subnetKey]*heldBack
	leases     map[plan.Place]plan.LeaseInfo // what is remembered
	before     map[int64]plan.Before
	described  map[plan.Place]string // what is remembered
	overwrites int                   // statuses of people that this run would overwrite
	hidden     map[subnetKey]bool    // where nothing is created
	exempted   map[netip.Prefix]int  // leases on addresses that are never written
	shielded   map[netip.Prefix]int  // addresses that were told to be assigned or shared
}

// syncAddresses goes through every address that the servers or NetBox know in
// the scopes that were read (rule 3.5, 3.7). It keeps the leases and what is
// missing in the memory up to date.
func syncAddresses(in *recorded, known *merged, addresses book, memory *plan.Memory) work {
	ad := &addressing{
		recorded: in, merged: known, addresses: addresses, populated: make(map[int64]int), losses: newLosses(in.view),
		heldBack: make(map[subnetKey]*heldBack), leases: memory.Leases, before: memory.Before, described: memory.Described,
		shielded: make(map[netip.Prefix]int), exempted: make(map[netip.Prefix]int), hidden: make(map[subnetKey]bool),
	}
	for id := range known.networks {
		ad.heldBack[id] = &heldBack{losses: make(map[plan.List]*held)}
	}
	for i := range in.nb.Ranges {
		if in.nb.Ranges[i].Populated {
			ad.full = append(ad.full, &in.nb.Ranges[i])
		}
	}
	made, places := make(map[plan.Place]bool), ad.places()
	ad.noteHidden()
	ad.weigh(places, memory.Missing)
	for _, place := range places {
		n, f, list := ad.networkOf(place), ad.facts[place], addresses[place]
		if slices.ContainsFunc(list, ad.untouchable) {
			if f.served() {
				ad.exempted[n.subnet]++
			}
			continue
		}
		if len(list) > 1 {
			ad.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseSameHost,
				Text: fmt.Sprintf("%d address objects for this host in one VRF: only %d is kept up to date", len(list), list[0].ID)})
		}
		if f.served() {
			x := addresses.at(place)
			made[place] = ad.serve(place, x, f, n)
			continue
		}
		for _, x := range list {
			ad.clean(place, x, f, n)
		}
	}
	ad.forget(made)
	ad.forgetDescriptions(made)
	ad.notePopulated()
	ad.noteOtherVRFs()
	ad.noteHeldBack()
	ad.noteOverwrites()
	ad.noteExempt()
	ad.rememberObjects(memory.Objects)
	return ad.work
}

// places are those to go through, in order.
func (ad *addressing) places() []plan.Place {
	places := slices.Collect(maps.Keys(ad.facts))
	for place := range ad.addresses {
		if ad.facts[place] == nil && ad.networkOf(place) != nil {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, plan.Place.Compare)
	return places
}

// serve brings one address up to what a server says of it, and reports whether
// it makes one.
func (ad *addressing) serve(place plan.Place, x *state.Address, f *facts, n *network) (made bool) {
	lost := ad.lossOf(x)
	stays := n.unsure != "" || ad.pushesTo(n) || lost != nil && lost.fate != goes
	o := ad.outcomeOf(&situation{place: place, x: x, facts: f, stays: stays, crowd: ad.crowded()})
	ad.held(n, lost)
	ad.tell(place, &o, f, n)
	ad.remember(place, f)
	if o.skip {
		return false
	}
	ad.metadata(&o.want, x, f, n)
	ad.describe(x, &o, f)
	if x == nil && f.waits {
		return false
	}
	if x != nil {
		ad.keepBefore(place, x, &o)
		ad.update(place, x, &o, n)
		ad.rememberDescription(place, x, &o.want)
		return false
	}
	if ad.hidden[n.subnetKey] {
		return false
	}
	if r := ad.populatedRange(place); r != nil {
		ad.populated[r.ID]++
		return false
	}
	ad.create(place, &o, n)
	ad.rememberDescription(place, nil, &o.want)
	return true
}

// tell notes what is odd about an outcome: as a warning the first time.
func (ad *addressing) tell(place plan.Place, o *outcome, f *facts, n *network) {
	if o.level == "" {
		return
	}
	if o.cause == plan.CauseShielded && ad.memory.Told[plan.Told{Cause: o.cause, Scope: n.subnet, Addr: place.Addr}] {
		ad.shielded[n.subnet]++
		return
	}
	ad.note(plan.Note{Level: o.level, Server: ad.host(f.unit.server), Scope: n.subnet, Addr: place.Addr, Cause: o.cause, Text: o.why, Once: o.level == plan.Warning})
}

// written reports whether this NetBox has a field of addresses, and the operator
// wants it kept.
func (v *view) written(field string) bool {
	switch field {
	case plan.CustomField(state.FieldLeaseHostname):
		return v.nb.HasField(state.IPAddress, state.FieldLeaseHostname)
	case plan.CustomField(state.FieldLeaseActive):
		return v.nb.HasField(state.IPAddress, state.FieldLeaseActive)
	case plan.CustomField(state.FieldLeaseExpires):
		return v.p.ExpiryInNetBox && v.nb.HasField(state.IPAddress, state.FieldLeaseExpires)
	}
	return true
}

// writtenOn is written of one address: on a protected one the fields of its lease
// stay too where the operator wants it.
func (v *view) writtenOn(place plan.Place, x *state.Address) func(field string) bool {
	if !v.p.HidesLease || !v.protected(place, x) {
		return v.written
	}
	return func(field string) bool {
		switch field {
		case plan.CustomField(state.FieldLeaseHostname), plan.CustomField(state.FieldLeaseActive), plan.CustomField(state.FieldLeaseExpires):
			return false
		}
		return true
	}
}

func (ad *addressing) create(place plan.Place, o *outcome, n *network) {
	ad.step(plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Create, Kind: state.IPAddress, Name: o.want.Address.String(),
		Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Changes: plan.AddressChanges(new(state.Address), &o.want, ad.written), Rule: o.cause.Rule(), Why: o.why,
	})
}

func (ad *addressing) update(place plan.Place, x *state.Address, o *outcome, n *network) {
	if sameFields(x, &o.want) {
		return
	}
	changes := plan.AddressChanges(x, &o.want, ad.writtenOn(place, x))
	if len(changes) == 0 {
		return
	}
	ad.step(plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
		Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Changes: changes, Observed: o.observed, Rule: o.cause.Rule(), Why: o.why,
	})
}

// sameFields is the short way out for the many addresses that stay as they are.
func sameFields(x, y *state.Address) bool {
	active := x.LeaseActive == y.LeaseActive || x.LeaseActive != nil && y.LeaseActive != nil && *x.LeaseActive == *y.LeaseActive
	return active && x.Status == y.Status && x.DNSName == y.DNSName && x.Description == y.Description && x.ClientID == y.ClientID && x.Managed == y.Managed &&
		x.LeaseHostname == y.LeaseHostname && x.LeaseExpires.Equal(y.LeaseExpires)
}

// populatedRange finds a range that NetBox counts as full, in which it takes no
// new address (NB-1.6).
func (ad *addressing) populatedRange(place plan.Place) *state.Range {
	for _, r := range ad.full {
		if r.VRF == place.VRF && r.Start.Compare(place.Addr) <= 0 && place.Addr.Compare(r.End) <= 0 {
			return r
		}
	}
	return nil
}

func (ad *addressing) notePopulated() {
	for i := range ad.nb.Ranges {
		r := &ad.nb.Ranges[i]
		if n := ad.populated[r.ID]; n > 0 {
			ad.note(plan.Note{Level: plan.Conflict, Scope: r.Subnet(), Addr: r.Start, Cause: plan.CausePopulated,
				Text: fmt.Sprintf("IP range %s-%s is marked as populated, so NetBox refuses %s in it: clear \"mark populated\" there", r.Start, r.End, printable.Count(n, "new address", "new addresses"))})
		}
	}
}

// noteOtherVRFs hints at addresses that are there, but in another VRF: most
// often a scope is mapped to the wrong one (rule 3.9).
func (ad *addressing) noteOtherVRFs() {
	elsewhere := make(map[subnetKey]int)
	first := make(map[subnetKey]netip.Addr)
	for i := range ad.nb.Addresses {
		x := &ad.nb.Addresses[i]
		addr := x.Address.Addr()
		if !ad.p.OwnStatus(x.Status) || ad.facts[plan.Place{VRF: x.VRF, Addr: addr}] != nil {
			continue
		}
		for _, u := range ad.units {
			if u.vrf != x.VRF && ad.facts[plan.Place{VRF: u.vrf, Addr: addr}] != nil && u.scope.Subnet.Contains(addr) {
				id := subnetKey{x.VRF, u.scope.Subnet}
				elsewhere[id]++
				if !first[id].IsValid() || addr.Less(first[id]) {
					first[id] = addr
				}
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(elsewhere), subnetKey.compare) {
		ad.note(plan.Note{Level: plan.Info, Scope: id.subnet, Addr: first[id], Cause: plan.CauseOtherVRF,
			Text: fmt.Sprintf("NetBox has %s of it in %s too, which the mirror does not look at", printable.Count(elsewhere[id], "address", "addresses"), ad.vrfName(id.vrf))})
	}
}
