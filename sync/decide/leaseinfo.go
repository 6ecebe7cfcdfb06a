package decide

import (
	"cmp"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// metadata fills in what is known of the lease, where NetBox has the fields.
func (b *builder) metadata(want, x *state.Address, f *facts, n *network) {
	active := true
	switch {
	case f.lease != nil:
		want.LeaseHostname = cutRunes(f.lease.Hostname, 255)
		want.LeaseActive = &active
		if b.p.ExpiryInNetBox && (x == nil || b.expiryMoved(x, want, f)) {
			want.LeaseExpires = f.lease.Expires
		}
	case x != nil && x.LeaseActive != nil && *x.LeaseActive && n.unsure == "" && !f.doubtful:
		active = false
		want.LeaseActive = &active
		want.LeaseExpires = time.Time{}
	}
}

// expiryMoved reports whether the expiry NetBox shows is worth a write: each
// renewal moves it, and each write is a change record and a webhook
// (netbox-api.md 4).
func (b *builder) expiryMoved(x, want *state.Address, f *facts) bool {
	if x.Status != want.Status || x.ClientID != want.ClientID || x.LeaseExpires.IsZero() != f.lease.Expires.IsZero() {
		return true
	}
	quarter := time.Duration(cmp.Or(f.unit.want.LeaseSeconds, windhcp.DefaultLifetime)) * time.Second / 4
	return f.lease.Expires.Sub(x.LeaseExpires).Abs() > quarter
}

// remember keeps what the next run and the status page want to know.
func (b *builder) remember(place plan.Place, f *facts) {
	if f.lease == nil {
		return
	}
	b.plan.Memory.Leases[place] = plan.LeaseInfo{
		Hostname: cutRunes(f.lease.Hostname, 255), ClientID: f.lease.ClientID, Active: true, Expires: f.lease.Expires,
		Server: b.host(f.unit.server), Scope: f.unit.scope.Subnet, Seen: b.in.Now,
	}
}

// forget marks leases that are over in the memory, and drops those of addresses
// NetBox does not have. What was not read for sure stays.
func (b *builder) forget(all map[plan.Place]*facts, networks map[subnetKey]*network, bits []int) {
	for place, info := range b.plan.Memory.Leases {
		n := networkOf(networks, bits, place)
		if n == nil || n.unsure != "" || all[place] != nil && (all[place].lease != nil || all[place].doubtful) {
			continue
		}
		if b.addressAt(place) == nil {
			delete(b.plan.Memory.Leases, place)
			continue
		}
		info.Active, info.Expires = false, time.Time{}
		b.plan.Memory.Leases[place] = info
	}
}
