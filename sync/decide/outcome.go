package decide

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// situation is one address: what NetBox has there and what the servers say.
type situation struct {
	place plan.Place
	x     *state.Address // nil: NetBox has none
	facts *facts
	stays bool // a reservation that its server lacks: by a guard, or since NetBox is the truth
	crowd bool // too many statuses of people would be overwritten in this run
}

// outcome is what the table says about one address.
type outcome struct {
	cause plan.Cause
	why   string
	want  state.Address
	skip  bool // nothing but the note
	// observed is what else has to hold when it is carried out.
	observed []plan.Change
	level    plan.Level
}

// outcomeOf finds the first row of the table that fits (rule 3.5). R is a reservation
// on a server, L an active lease; an address with both goes by its reservation,
// and its lease fields by its lease. "res." is the reservation status, present
// or former. Columns say what becomes of status, name, client id, provenance.
//
//	row  record            address in NetBox           status   name      client id  provenance
//	 1   R or L            protected                   keep     keep      keep (a)   keep
//	 2   R or L            none, in a protected net    nothing is made
//	 3   R                 none                        res.     R's       R's        created
//	 4   L                 none                        lease    L's       L's        created
//	 5   R                 res., no client id          keep     or R's    R's        prestaged
//	 6   R                 res., prestaged             keep     keep      keep       keep
//	 7   R, push on        res.                        keep     keep      keep       keep
//	 8   R                 any other (b)               res.     R's (c)   R's        adopted (d)
//	 9   L                 res., no client id          keep     keep      L's        prestaged
//	 -   L, push off       res., created or adopted,   lease    L's (c)   L's        keep (d)
//	                       all servers read
//	10   L                 res.                        keep     keep      keep       keep
//	11   L                 any other (b)               lease    L's (c)   L's        adopted (d)
//
// (a) Follows the lease's client with protect.update_client_id. (b) A status that
// is not the mirror's goes by the adopt setting. (c) An empty name changes nothing,
// but the name of another client's lease is cleared. (d) Created stays created.
// Provenance is written only together with another change.
func (v *view) outcomeOf(s *situation) outcome {
	if v.protected(s.place, s.x) {
		return v.protectedOutcome(s)
	}
	if s.x == nil {
		return v.newOutcome(s)
	}
	if v.p.LeftAlone(s.x) {
		return outcome{want: *s.x, skip: true, level: plan.Warning, cause: plan.CauseFormerStatus,
			why: fmt.Sprintf("has status %q of former settings and is not the mirror's: left alone; name it in statuses.previous_lease or previous_reservation to let it move", s.x.Status)}
	}
	x, r, l := s.x, s.facts.reservation, s.facts.lease
	c, former := v.p.ClassOf(x)
	o := outcome{want: *x}
	if c == plan.ClassReservation && former && plan.Managed(x) {
		o.want.Status = v.p.ReservationStatus
	}
	switch {
	case r != nil && c == plan.ClassReservation && x.ClientID == "":
		o.cause, o.why = plan.CauseCompleted, "the reservation on the server completes a record made ahead of it"
		o.want.ClientID, o.want.Managed = string(r.ClientID), state.Prestaged
		o.want.DNSName = cmp.Or(x.DNSName, DNSName(r.Name))
	case r != nil && c == plan.ClassReservation && x.Managed == state.Prestaged:
		o.cause, o.why = plan.CausePrestaged, "made ahead of the reservation: status and name stay as they are"
	case r != nil && v.pushesReservations(s.facts.unit.server) && c == plan.ClassReservation:
		o.cause, o.why = plan.CauseNetBoxRules, "NetBox is the truth for reservations"
	case r != nil:
		o.cause, o.why = plan.CauseReserved, "reserved on the server"
		o = v.overwrite(s, o, claim{v.p.ReservationStatus, r.Name, r.ClientID})
	case c == plan.ClassReservation && x.ClientID == "":
		o.cause, o.why = plan.CauseLeaseFills, "the lease tells the client id of a record made ahead of it"
		o.want.ClientID, o.want.Managed = string(l.ClientID), state.Prestaged
	case c == plan.ClassReservation && plan.Managed(x) && !s.stays:
		o.cause, o.why = plan.CauseDowngrade, "no reservation on the server any more, but a lease"
		o = v.overwrite(s, o, claim{v.p.LeaseStatus, l.Hostname, l.ClientID})
	case c == plan.ClassReservation:
		o.cause, o.why = plan.CauseKept, "kept as a reservation in NetBox"
	default:
		o.cause, o.why = plan.CauseLeased, "leased on the server"
		o = v.overwrite(s, o, claim{v.p.LeaseStatus, l.Hostname, l.ClientID})
	}
	if o.want.ClientID == "" {
		o.want.ClientID = x.ClientID
	}
	if o.want.Status == x.Status && o.want.DNSName == x.DNSName && o.want.ClientID == x.ClientID {
		o.want.Managed = x.Managed // an address that agrees already stays its maker's
	}
	return o
}

// protectedOutcome leaves everything but the lease fields alone, and the client
// id where the operator wants it kept up with the lease.
func (v *view) protectedOutcome(s *situation) outcome {
	o := outcome{cause: plan.CauseProtected, why: "protected by tag " + v.p.ProtectTag}
	if s.x == nil {
		o.cause, o.skip, o.level = plan.CauseProtectedNet, true, plan.Skip
		return o
	}
	o.want = *s.x
	if l := s.facts.lease; v.p.UpdateClientID && l != nil && l.ClientID != "" && string(l.ClientID) != s.x.ClientID {
		o.want.ClientID = string(l.ClientID)
		o.why = "protected; protect.update_client_id follows the lease's client"
	}
	return o
}

// newOutcome makes an address for a record that NetBox has none for.
func (v *view) newOutcome(s *situation) outcome {
	u := s.facts.unit
	o := outcome{want: state.Address{
		Address: netip.PrefixFrom(s.place.Addr, u.scope.Subnet.Bits()), VRF: s.place.VRF, Managed: state.Created,
	}}
	if u.prefix != nil && v.p.InheritTenant {
		o.want.Tenant = u.prefix.Tenant
	}
	if r := s.facts.reservation; r != nil {
		o.cause, o.why = plan.CauseNewReserved, "reserved on "+v.host(u.server)
		o.want.Status, o.want.DNSName, o.want.ClientID = v.p.ReservationStatus, DNSName(r.Name), string(r.ClientID)
		return o
	}
	l := s.facts.lease
	o.cause, o.why = plan.CauseNewLeased, "leased on "+v.host(u.server)
	o.want.Status, o.want.DNSName, o.want.ClientID = v.p.LeaseStatus, DNSName(l.Hostname), string(l.ClientID)
	return o
}

// claim is what a server says an address is.
type claim struct {
	status   string
	hostname string
	clientID windhcp.ClientID
}

// overwrite makes an address what the server says it is. A status that is not
// the mirror's own goes by the adopt setting.
func (v *view) overwrite(s *situation, o outcome, by claim) outcome {
	x := s.x
	if !v.p.OwnStatus(x.Status) {
		o.why = fmt.Sprintf("%s, but NetBox has it as %q", o.why, x.Status)
		switch v.p.Adopt {
		case plan.LeaveAlone:
			o.skip, o.level, o.why = true, plan.Skip, o.why+": left alone (adopt: skip)"
			return o
		case plan.Report:
			o.skip, o.level, o.why = true, plan.Conflict, o.why+": left alone (adopt: report)"
			return o
		}
		switch {
		case x.Shared || x.Assigned:
			o.cause, o.why, o.level = plan.CauseShielded, o.why+": it is assigned or shared, so only its lease is recorded", plan.Warning
			return o
		case s.crowd:
			o.skip = true
			return o
		}
		o.level = plan.Warning
	}
	o.want.Status = by.status
	if by.clientID != "" {
		o.want.ClientID = string(by.clientID)
	}
	if name := DNSName(by.hostname); name != "" {
		o.want.DNSName = name
	} else if o.want.ClientID != x.ClientID && v.leaseNamed(s.place, x) {
		o.want.DNSName = "" // the name of another client (rule 3.6)
	}
	if x.Managed != state.Created && (!x.Assigned || x.Managed != state.Untouched) {
		o.want.Managed = state.Adopted
	}
	return o
}

// leaseNamed reports whether the name of an address came from the lease last
// seen on it.
func (v *view) leaseNamed(place plan.Place, x *state.Address) bool {
	last := cmp.Or(x.LeaseHostname, v.memory.Leases[place].Hostname)
	return x.DNSName != "" && x.DNSName == DNSName(last)
}
