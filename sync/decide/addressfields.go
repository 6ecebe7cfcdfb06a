package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// addressFields are the fields of an address that the mirror writes, as far as
// this NetBox has them.
func (b *builder) addressFields(x *state.Address) map[string]any {
	fields := map[string]any{
		"status":                              x.Status,
		"dns_name":                            x.DNSName,
		plan.CustomField(state.FieldClientID): textOrNil(x.ClientID),
		plan.CustomField(state.FieldManaged):  textOrNil(string(x.Managed)),
	}
	if b.nb.HasField(state.IPAddress, state.FieldLeaseHostname) {
		fields[plan.CustomField(state.FieldLeaseHostname)] = textOrNil(x.LeaseHostname)
	}
	if b.nb.HasField(state.IPAddress, state.FieldLeaseActive) {
		fields[plan.CustomField(state.FieldLeaseActive)] = nil
		if x.LeaseActive != nil {
			fields[plan.CustomField(state.FieldLeaseActive)] = *x.LeaseActive
		}
	}
	if b.p.ExpiryInNetBox && b.nb.HasField(state.IPAddress, state.FieldLeaseExpires) {
		fields[plan.CustomField(state.FieldLeaseExpires)] = nil
		if !x.LeaseExpires.IsZero() {
			fields[plan.CustomField(state.FieldLeaseExpires)] = x.LeaseExpires.UTC().Format(time.RFC3339)
		}
	}
	return fields
}

func idOrNil(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func (b *builder) create(place plan.Place, o *outcome, n *network) {
	want := b.addressFields(&o.want)
	want["address"] = o.want.Address.String()
	want["vrf"], want["tenant"] = idOrNil(o.want.VRF), idOrNil(o.want.Tenant)
	none := map[string]any{"dns_name": ""}
	b.step(plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Create, Kind: state.IPAddress, Name: o.want.Address.String(),
		Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Changes: differences(plan.AddressFields(), none, want), Rule: o.row, Why: o.why,
	})
	x := o.want
	b.addresses[place] = append([]*state.Address{&x}, b.addresses[place]...)
}

func (b *builder) update(place plan.Place, x *state.Address, o *outcome, n *network) {
	if sameFields(x, &o.want) {
		return
	}
	changes := differences(plan.AddressFields(), b.addressFields(x), b.addressFields(&o.want))
	if len(changes) == 0 {
		return
	}
	b.step(plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
		Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Changes: changes, Rule: o.row, Why: o.why,
	})
	*x = o.want
}

// sameFields is the short way out for the many addresses that stay as they are.
func sameFields(x, y *state.Address) bool {
	active := x.LeaseActive == y.LeaseActive || x.LeaseActive != nil && y.LeaseActive != nil && *x.LeaseActive == *y.LeaseActive
	return active && x.Status == y.Status && x.DNSName == y.DNSName && x.ClientID == y.ClientID && x.Managed == y.Managed &&
		x.LeaseHostname == y.LeaseHostname && x.LeaseExpires.Equal(y.LeaseExpires)
}

// populatedRange finds a range that NetBox counts as full, in which it takes no
// new address (netbox-api.md 1.6).
func (b *builder) populatedRange(place plan.Place) *state.Range {
	for _, r := range b.full {
		if r.VRF == place.VRF && r.Start.Compare(place.Addr) <= 0 && place.Addr.Compare(r.End) <= 0 {
			return r
		}
	}
	return nil
}

func (b *builder) notePopulated(populated map[int64]int) {
	for i := range b.nb.Ranges {
		r := &b.nb.Ranges[i]
		if n := populated[r.ID]; n > 0 {
			b.note(plan.Note{Level: plan.Conflict, Scope: r.Subnet(), Addr: r.Start, Rule: "3.9",
				Text: fmt.Sprintf("IP range %s-%s is marked as populated, so NetBox refuses %d new addresses in it: clear \"mark populated\" there", r.Start, r.End, n)})
		}
	}
}

// noteOtherVRFs hints at addresses that are there, but in another VRF: most
// often a scope mapped to the wrong one (windows-dhcp.md 3.9).
func (b *builder) noteOtherVRFs(all map[plan.Place]*facts) {
	elsewhere := make(map[subnetKey]int)
	first := make(map[subnetKey]netip.Addr)
	for i := range b.nb.Addresses {
		x := &b.nb.Addresses[i]
		if !b.p.OwnStatus(x.Status) || all[plan.Place{VRF: x.VRF, Addr: x.Address.Addr()}] != nil {
			continue
		}
		for _, u := range b.units {
			addr := x.Address.Addr()
			if u.vrf != x.VRF && all[plan.Place{VRF: u.vrf, Addr: addr}] != nil && u.scope.Subnet.Contains(addr) {
				id := subnetKey{x.VRF, u.scope.Subnet}
				elsewhere[id]++
				if !first[id].IsValid() || addr.Less(first[id]) {
					first[id] = addr
				}
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(elsewhere), subnetKey.compare) {
		b.note(plan.Note{Level: plan.Info, Scope: id.subnet, Addr: first[id], Rule: "3.9",
			Text: fmt.Sprintf("%d of its addresses exist in %s too and are not looked at there", elsewhere[id], b.vrfName(id.vrf))})
	}
}

func (b *builder) vrfName(id int64) string {
	for _, v := range b.nb.VRFs {
		if v.ID == id {
			return "VRF " + v.Name
		}
	}
	return "the global table"
}
