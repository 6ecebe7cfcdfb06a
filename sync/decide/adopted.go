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

// maxOverwrites is how many statuses that people gave one run overwrites by itself.
const maxOverwrites = 25

// keepBefore remembers what an address was when the mirror adopts it.
func (ad *addressing) keepBefore(place plan.Place, x *state.Address, o *outcome) {
	c, _ := ad.p.ClassOf(x)
	adopts := o.want.Managed == state.Adopted && (o.want.Status != x.Status || o.want.DNSName != x.DNSName || o.want.ClientID != x.ClientID)
	if adopts && (x.Managed != state.Adopted || c == plan.ClassForeign) {
		ad.before[x.ID] = plan.Before{Place: place, Status: x.Status, DNSName: x.DNSName}
	}
}

// forgetBefore drops what is remembered of addresses that are gone from NetBox.
func (ad *addressing) forgetBefore() {
	for id, before := range ad.before {
		is := func(x *state.Address) bool { return x.ID == id }
		if ad.networkOf(before.Place) != nil && !slices.ContainsFunc(ad.addresses[before.Place], is) {
			delete(ad.before, id)
		}
	}
}

// givenBack is an adopted address as it was; false if nothing of that is known, or it
// is as it was.
func (ad *addressing) givenBack(place plan.Place, x *state.Address) (was state.Address, ok bool) {
	before, known := ad.memory.Before[x.ID]
	was = *x
	if x.Managed != state.Adopted || !known || before.Place != place || !slices.Contains(ad.nb.Statuses, before.Status) && ad.nb.Statuses != nil {
		return was, false
	}
	was.Status, was.DNSName = before.Status, before.DNSName
	if ad.wrote(x) {
		was.Description = ""
	}
	return was, was.Status != x.Status || was.DNSName != x.DNSName
}

// giveBack gives an adopted address back what it was.
func (ad *addressing) giveBack(place plan.Place, x *state.Address, n *network) {
	was, _ := ad.givenBack(place, x)
	o := outcome{cause: plan.CauseGivenBack, want: was,
		why: "no lease and no reservation on the server any more: it gets back the status and name it had before"}
	ad.over(x, &o)
	o.observed = ad.observed(x)
	ad.update(place, x, &o, n)
}

// keepAdopted leaves an adopted address of which nothing is known before, and names
// it once.
func (ad *addressing) keepAdopted(place plan.Place, x *state.Address, n *network) {
	if _, known := ad.memory.Before[x.ID]; known {
		return
	}
	ad.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseAdoptedStays, Once: true,
		Text: "no server has a lease or a reservation on it any more; it existed before the mirror adopted it, and what it was is not known here: it stays"})
}

// crowded reports whether this run would overwrite too many statuses of people.
func (ad *addressing) crowded() bool { return ad.overwrites > maxOverwrites && !ad.p.AllowOverwrites }

// weighOverwrite counts a status of people that this run would overwrite.
func (ad *addressing) weighOverwrite(place plan.Place, x *state.Address) {
	if ad.p.Adopt == plan.Overwrite && !ad.p.OwnStatus(x.Status) && !x.Shared && !x.Assigned && !ad.protected(place, x) && !ad.p.LeftAlone(x) {
		ad.overwrites++
	}
}

// noteOverwrites tells what was not overwritten.
func (ad *addressing) noteOverwrites() {
	if ad.crowded() {
		ad.note(plan.Note{Level: plan.Guard, Cause: plan.CauseOverwrites,
			Text: fmt.Sprintf("the servers have leases or reservations on %s with a status that is not the mirror's, more than %d: nothing is done to them; "+
				"if it is right, run once with --allow-overwrites, else set adopt: skip", printable.Count(ad.overwrites, "address", "addresses"), maxOverwrites)})
	}
	for _, scope := range slices.SortedFunc(maps.Keys(ad.shielded), netip.Prefix.Compare) {
		ad.note(plan.Note{Level: plan.Info, Scope: scope, Cause: plan.CauseShielded,
			Text: printable.Count(ad.shielded[scope], "address", "addresses") + " with a lease or a reservation are assigned or shared, and keep status, name and client"})
	}
}

// noteExempt counts the leases on addresses of another DHCP server.
func (ad *addressing) noteExempt() {
	for _, scope := range slices.SortedFunc(maps.Keys(ad.exempted), netip.Prefix.Compare) {
		ad.note(plan.Note{Level: plan.Warning, Scope: scope, Cause: plan.CauseExempt, Once: true,
			Text: fmt.Sprintf("the servers have leases or reservations on %s with tag %s, which another DHCP server gives out: nothing is written to them",
				printable.Count(ad.exempted[scope], "address", "addresses"), ad.p.ExemptTag)})
	}
}
