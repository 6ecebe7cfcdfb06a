package decide

import (
	"cmp"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// metadata fills in what is known of the lease, where NetBox has the fields.
func (ad *addressing) metadata(want, x *state.Address, f *facts, n *network) {
	active := true
	switch {
	case f.lease != nil:
		want.LeaseHostname = cutRunes(f.lease.Hostname, 255)
		want.LeaseActive = &active
		if ad.p.ExpiryInNetBox && (x == nil || ad.expiryMoved(x, want, f)) {
			want.LeaseExpires = f.lease.Expires
		}
	case x != nil && x.LeaseActive != nil && *x.LeaseActive && n.unsure == "" && !f.doubtful && !f.elsewhere:
		active = false
		want.LeaseActive = &active
		want.LeaseExpires = time.Time{}
	}
}

// expiryMoved reports whether the expiry differs enough from the one in NetBox. Each
// renewal moves it a little, and each write costs a change record and a webhook
// (NB-4).
func (ad *addressing) expiryMoved(x, want *state.Address, f *facts) bool {
	if x.Status != want.Status || x.ClientID != want.ClientID || x.LeaseExpires.IsZero() != f.lease.Expires.IsZero() {
		return true
	}
	quarter := time.Duration(cmp.Or(f.unit.want.LeaseSeconds, windhcp.DefaultLifetime)) * time.Second / 4
	return f.lease.Expires.Sub(x.LeaseExpires).Abs() > quarter
}

// remember keeps what the next run and the status page want to know.
func (ad *addressing) remember(place plan.Place, f *facts) {
	if f.lease == nil {
		return
	}
	since, before := ad.in.Now, ad.leases[place]
	if before.Active && before.ClientID == f.lease.ClientID {
		since = before.Since
	}
	ad.leases[place] = plan.LeaseInfo{
		Since:    since,
		Hostname: cutRunes(f.lease.Hostname, 255), ClientID: f.lease.ClientID, Active: true, Expires: f.lease.Expires,
		Server: ad.host(f.unit.server), Scope: f.unit.scope.Subnet, Seen: ad.in.Now,
	}
}

// forget marks leases that are over in the memory, and drops those of addresses
// that NetBox does not have and this run does not make. What was not read for sure
// stays.
func (ad *addressing) forget(made map[plan.Place]bool) {
	for place, info := range ad.leases {
		n, f := ad.networkOf(place), ad.facts[place]
		if f != nil && f.lease == nil && f.heard != nil && info.Active && outlasts(f.heard.Expires, info.Expires) {
			info.Expires = f.heard.Expires // it ends when neither partner has it (rule 3.7 guard n)
			ad.leases[place] = info
		}
		if n == nil || n.unsure != "" || f != nil && (f.lease != nil || f.doubtful || f.elsewhere) {
			continue
		}
		if ad.addresses.at(place) == nil && !made[place] {
			delete(ad.leases, place)
			continue
		}
		if info.Active {
			info.Since = ad.in.Now
		}
		info.Active, info.Expires = false, time.Time{}
		ad.leases[place] = info
	}
}

// outlasts reports whether a lease that ends then ends later than another; zero: it
// does not end.
func outlasts(end, other time.Time) bool {
	return end.IsZero() || !other.IsZero() && end.After(other)
}
