package decide

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// describe gives an address the description of its reservation, where NetBox has none
// or the one that the mirror wrote last. What people wrote stays, and so does that of
// an address which keeps what people made of it (rule 3.6).
//
//	reservation  NetBox has              outcome
//	any          people's                stays
//	text         nothing, or the last    the text
//	blank        the last                blank
//	none, and the address is a lease's   blank, if it is the last
func (ad *addressing) describe(x *state.Address, o *outcome, f *facts) {
	if o.cause == plan.CauseProtected || o.cause == plan.CauseShielded {
		return
	}
	text, ours := "", x == nil || ad.wrote(x)
	switch {
	case f.reservation != nil:
		text = keptDescription(f.reservation.Description)
		ours = ours || x.Description == ""
	case x == nil || o.want.Status != ad.p.LeaseStatus:
		return
	}
	if ours {
		o.want.Description = text
	}
}

// wrote reports whether the description of an address is the one that the mirror wrote
// last.
func (v *view) wrote(x *state.Address) bool {
	text, known := v.memory.Described[placeOf(x)]
	return known && text == x.Description
}

// rememberDescription keeps the description that a run leaves an address with, if it is
// the mirror's.
func (ad *addressing) rememberDescription(place plan.Place, x *state.Address, want *state.Address) {
	ours := x == nil || ad.wrote(x) || x.Description != want.Description
	if ours && want.Description != "" {
		ad.described[place] = want.Description
		return
	}
	delete(ad.described, place)
}

// forgetDescriptions drops what people changed since, and what is gone from NetBox.
func (ad *addressing) forgetDescriptions(made map[plan.Place]bool) {
	for place := range ad.memory.Described {
		if x := ad.addresses.at(place); ad.networkOf(place) != nil && !made[place] && (x == nil || !ad.wrote(x) && ad.facts[place] == nil) {
			delete(ad.described, place)
		}
	}
}
