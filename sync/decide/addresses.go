package decide

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// indexAddresses sorts the address objects by place. Where one host has
// several objects in a VRF, the mirror's own comes first, then one with a
// status of its own, then the oldest; only that one is ever changed
// (windows-dhcp.md 3.6).
func (b *builder) indexAddresses() {
	for _, p := range b.nb.Prefixes {
		if b.p.ProtectTag != "" && slices.Contains(p.Tags, b.p.ProtectTag) {
			b.shields = append(b.shields, p)
		}
	}
	for i := range b.nb.Ranges {
		if b.nb.Ranges[i].Populated {
			b.full = append(b.full, &b.nb.Ranges[i])
		}
	}
	b.addresses, b.held = make(map[plan.Place][]*state.Address), make(map[plan.Place]bool)
	for i := range b.nb.Addresses {
		x := b.nb.Addresses[i]
		place := plan.Place{VRF: x.VRF, Addr: x.Address.Addr()}
		b.addresses[place] = append(b.addresses[place], &x)
		b.held[place] = true
	}
	rank := func(x *state.Address) int {
		switch {
		case plan.Managed(x):
			return 0
		case b.p.OwnStatus(x.Status):
			return 1
		}
		return 2
	}
	for _, list := range b.addresses {
		slices.SortFunc(list, func(x, y *state.Address) int {
			return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.ID, y.ID))
		})
	}
}

// addressAt is the address object of a place that counts; nil: none.
func (b *builder) addressAt(place plan.Place) *state.Address {
	if list := b.addresses[place]; len(list) > 0 {
		return list[0]
	}
	return nil
}

// syncAddresses goes through every address the servers or NetBox know in the
// scopes that were read (windows-dhcp.md 3.5 and 3.7).
func (b *builder) syncAddresses() {
	all, networks := b.gather()
	b.cover(networks)
	bits := maskLengths(networks)
	places := slices.Collect(maps.Keys(all))
	for place := range b.addresses {
		if all[place] == nil && networkOf(networks, bits, place) != nil {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, plan.Place.Compare)
	populated := make(map[int64]int)
	for _, place := range places {
		n := networkOf(networks, bits, place)
		x, f := b.addressAt(place), all[place]
		if list := b.addresses[place]; len(list) > 1 {
			b.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Addr: place.Addr, Rule: "3.6",
				Text: fmt.Sprintf("%d address objects for this host in one VRF: only %d is kept up to date", len(list), x.ID)})
		}
		switch {
		case f != nil && (f.reservation != nil || f.lease != nil):
			b.count(n, x)
			b.serve(place, x, f, n, populated)
		default:
			for _, x := range b.addresses[place] {
				b.count(n, x)
				b.clean(place, x, f, n)
			}
		}
	}
	b.forget(all, networks, bits)
	b.notePopulated(populated)
	b.noteOtherVRFs(all)
	b.holdBack(networks)
}

// count counts what guard c measures losses by.
func (b *builder) count(n *network, x *state.Address) {
	if x == nil {
		return
	}
	if c, _ := b.p.ClassOf(x); c != plan.ClassForeign || x.Managed != state.Untouched {
		n.members++
	}
}

// protected reports whether an address carries the tag that shields it, or
// lies in a prefix of its VRF that does (windows-dhcp.md 3.4).
func (b *builder) protected(place plan.Place, x *state.Address) bool {
	if b.p.ProtectTag == "" {
		return false
	}
	return x != nil && slices.Contains(x.Tags, b.p.ProtectTag) ||
		slices.ContainsFunc(b.shields, func(p state.Prefix) bool {
			return p.VRF == place.VRF && p.Prefix.Contains(place.Addr)
		})
}

// outcome is what the table says about one address.
type outcome struct {
	row   string // "3.5 row 4"
	why   string
	want  state.Address
	skip  bool // nothing but the note
	level plan.Level
}

// serve brings one address up to what a server says of it.
func (b *builder) serve(place plan.Place, x *state.Address, f *facts, n *network, populated map[int64]int) {
	o := b.row(place, x, f, n)
	if o.level != "" {
		b.note(plan.Note{Level: o.level, Server: b.host(f.unit.server), Scope: n.subnet, Addr: place.Addr, Rule: o.row, Text: o.why, Once: o.level == plan.Warning})
	}
	b.remember(place, f)
	if o.skip {
		return
	}
	b.metadata(&o.want, x, f, n)
	if x == nil {
		if r := b.populatedRange(place); r != nil {
			populated[r.ID]++
			return
		}
		b.create(place, &o, n)
	} else {
		b.update(place, x, &o, n)
	}
}

// row finds the first row of table 3.5 that fits.
func (b *builder) row(place plan.Place, x *state.Address, f *facts, n *network) outcome {
	if b.protected(place, x) {
		return b.protectedRow(x, f)
	}
	if x == nil {
		return b.newRow(place, f)
	}
	c, former := b.p.ClassOf(x)
	o := outcome{want: *x}
	if c == plan.ClassReservation && former && plan.Managed(x) {
		o.want.Status = b.p.ReservationStatus
	}
	r, l := f.reservation, f.lease
	switch {
	case r != nil && c == plan.ClassReservation && x.ClientID == "":
		o.row, o.why = "3.5 row 5", "the reservation on the server completes a record made ahead of it"
		o.want.ClientID, o.want.Managed = string(r.ClientID), state.Prestaged
		o.want.DNSName = cmp.Or(x.DNSName, DNSName(r.Name))
	case r != nil && c == plan.ClassReservation && x.Managed == state.Prestaged:
		o.row, o.why = "3.5 row 6", "made ahead of the reservation: status and name stay as they are"
	case r != nil && b.p.PushReservations && c == plan.ClassReservation:
		o.row, o.why = "3.5 row 7", "NetBox is the truth for reservations"
	case r != nil:
		o = b.overwrite(x, o, "3.5 row 8", "reserved on the server", b.p.ReservationStatus, r.Name, r.ClientID, place)
	case c == plan.ClassReservation && x.ClientID == "":
		o.row, o.why = "3.5 row 9", "the lease tells the client id of a record made ahead of it"
		o.want.ClientID, o.want.Managed = string(l.ClientID), state.Prestaged
	case c == plan.ClassReservation && plan.Managed(x) && !b.p.PushReservations && n.unsure == "":
		o = b.overwrite(x, o, "3.7 downgrade", "no reservation on the server any more, but a lease", b.p.LeaseStatus, l.Hostname, l.ClientID, place)
	case c == plan.ClassReservation:
		o.row, o.why = "3.5 row 10", "kept as a reservation in NetBox"
	default:
		o = b.overwrite(x, o, "3.5 row 11", "leased on the server", b.p.LeaseStatus, l.Hostname, l.ClientID, place)
	}
	if o.want.ClientID == "" {
		o.want.ClientID = x.ClientID
	}
	return b.provenance(x, o)
}

// provenance is written together with a real change only, so that a record
// which agrees with the server already stays its maker's (windows-dhcp.md 3.5).
func (b *builder) provenance(x *state.Address, o outcome) outcome {
	if o.want.Status == x.Status && o.want.DNSName == x.DNSName && o.want.ClientID == x.ClientID {
		o.want.Managed = x.Managed
	}
	return o
}

// protectedRow leaves everything but the lease's metadata alone, and the
// client id where the operator wants it kept up with the lease.
func (b *builder) protectedRow(x *state.Address, f *facts) outcome {
	o := outcome{row: "3.5 row 1", why: "protected by tag " + b.p.ProtectTag}
	if x == nil {
		o.row, o.skip, o.level = "3.5 row 2", true, plan.Skip
		return o
	}
	o.want = *x
	if b.p.UpdateClientID && f.lease != nil && f.lease.ClientID != "" && string(f.lease.ClientID) != x.ClientID {
		o.want.ClientID = string(f.lease.ClientID)
		o.why = "protected; protect.update_client_id follows the lease's client"
	}
	return o
}

// newRow makes an address for a record that NetBox has none for.
func (b *builder) newRow(place plan.Place, f *facts) outcome {
	o := outcome{want: state.Address{
		Address: netip.PrefixFrom(place.Addr, f.unit.scope.Subnet.Bits()), VRF: place.VRF, Managed: state.Created,
	}}
	if f.unit.prefix != nil && b.p.InheritTenant {
		o.want.Tenant = f.unit.prefix.Tenant
	}
	if r := f.reservation; r != nil {
		o.row, o.why = "3.5 row 3", "reserved on "+b.host(f.unit.server)
		o.want.Status, o.want.DNSName, o.want.ClientID = b.p.ReservationStatus, DNSName(r.Name), string(r.ClientID)
		return o
	}
	o.row, o.why = "3.5 row 4", "leased on "+b.host(f.unit.server)
	o.want.Status, o.want.DNSName, o.want.ClientID = b.p.LeaseStatus, DNSName(f.lease.Hostname), string(f.lease.ClientID)
	return o
}

// overwrite makes an address what the server says it is. A status that is not
// the mirror's own goes by the adopt setting.
func (b *builder) overwrite(x *state.Address, o outcome, row, why, status, hostname string, id windhcp.ClientID, place plan.Place) outcome {
	o.row, o.why = row, why
	if !b.p.OwnStatus(x.Status) {
		o.why = fmt.Sprintf("%s, but NetBox has it as %q", why, x.Status)
		switch b.p.Adopt {
		case plan.LeaveAlone:
			o.skip, o.level, o.why = true, plan.Skip, o.why+": left alone (adopt: skip)"
			return o
		case plan.Report:
			o.skip, o.level, o.why = true, plan.Conflict, o.why+": left alone (adopt: report)"
			return o
		}
		o.level = plan.Warning
	}
	o.want.Status = status
	if id != "" {
		o.want.ClientID = string(id)
	}
	if name := DNSName(hostname); name != "" {
		o.want.DNSName = name
	} else if o.want.ClientID != x.ClientID && b.leaseNamed(place, x) {
		o.want.DNSName = "" // a stranger's name (windows-dhcp.md 3.6)
	}
	if x.Managed != state.Created {
		o.want.Managed = state.Adopted
	}
	return o
}

// leaseNamed reports whether the name of an address came from the lease last
// seen on it.
func (b *builder) leaseNamed(place plan.Place, x *state.Address) bool {
	last := cmp.Or(x.LeaseHostname, b.in.Memory.Leases[place].Hostname)
	return x.DNSName != "" && x.DNSName == DNSName(last)
}
