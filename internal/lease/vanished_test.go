package lease

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// vanish makes rows of the world be lost, or ended.
func vanish(what string, loss ipam.Loss) part {
	return func(w *world) {
		for _, a := range w.o.Addresses {
			if what == a.Address.String() || what == "addresses" {
				a.Loss = loss
			}
		}
		for _, p := range w.o.Prefixes {
			if what == p.Prefix.String() {
				p.Loss = loss
			}
		}
		for _, m := range w.o.MACs {
			if what == "MAC" && ClientID(m.MAC.String()) == web {
				m.Loss = loss
			}
		}
		for _, i := range w.o.Interfaces {
			if what == "interface" && w.o.Machines[i.Machine].Name == "web1" {
				i.Loss = loss
			}
		}
		for _, m := range w.o.Machines {
			if what == "machine" && m.Name == "web1" {
				m.Loss = loss
			}
		}
		if what == "tag" {
			w.o.Tags[tagDynamic].Loss = loss
		}
	}
}

// many are rows enough that one lost row is no alarm.
func many() []part {
	var parts []part
	for n := range 8 {
		parts = append(parts, device("other"+string(rune('a'+n)), port("eth0", string(nth(40+n)))), prefix(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(n), 0}), 24).String()))
	}
	return parts
}

// T-1, T-3: what vanished serves its host and the leases that run, gives nothing
// new, and no client is refused because of it.
func TestWhatVanishedServesAndRefusesNobody(t *testing.T) {
	static, leased := "10.0.0.5/24", "10.0.0.12/24"
	for _, c := range []struct {
		name string
		lost part
		m    ClientMessage
		want string
	}{
		{"the host of a lost address discovers", vanish(static, ipam.Lost), discover(web), "OFFER D-1 10.0.0.5/24 static"},
		{"the host of a lost address renews", vanish(static, ipam.Lost), renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"},
		{"the host of a lost address comes back", vanish(static, ipam.Lost), request(web, wants("10.0.0.5")), "ACK D-8 10.0.0.5/24 static"},
		{"the host of a lost address asks for another", vanish(static, ipam.Lost), request(web, wants("10.0.0.15")), "silent D-9 wrong_address"},
		{"the host of a lost address renews another", vanish(static, ipam.Lost), renewing(web, "10.0.0.15"), "silent D-13 wrong_address"},
		{"the host of a lost address selects another", vanish(static, ipam.Lost), selecting(web, "10.0.0.15"), "silent D-5 wrong_address"},
		{"the host of a lost address was elsewhere", vanish(static, ipam.Lost), request(web, wants("10.9.0.5")), "silent D-7 wrong_network"},
		{"a lost MAC", vanish("MAC", ipam.Lost), discover(web), "OFFER D-1 10.0.0.5/24 static"},
		{"a lost MAC asks for another address", vanish("MAC", ipam.Lost), request(web, wants("10.0.0.15")), "silent D-9 wrong_address"},
		{"a lost interface asks for another address", vanish("interface", ipam.Lost), request(web, wants("10.0.0.15")), "silent D-9 wrong_address"},
		{"a lost machine asks for another address", vanish("machine", ipam.Lost), request(web, wants("10.0.0.15")), "silent D-9 wrong_address"},
		{"a lost machine renews", vanish("machine", ipam.Lost), renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"},

		{"a running lease of a lost address is extended", vanish(leased, ipam.Lost), renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound"},
		{"its client discovers", vanish(leased, ipam.Lost), discover(alice), "OFFER D-1 10.0.0.12/24 bound"},
		{"its client asks for another address", vanish(leased, ipam.Lost), request(alice, wants("10.0.0.14")), "silent D-9 wrong_address"},
		{"an ended lease of a lost address is not given again", vanish("10.0.0.13/24", ipam.Lost), request(bob, wants("10.0.0.13")), "silent D-10 vanished"},
		{"its client is offered another one", vanish("10.0.0.13/24", ipam.Lost), discover(bob), "OFFER D-1 10.0.0.10/24 new"},
		{"a lost address is not new for anybody", vanish("10.0.0.10/24", ipam.Lost), discover(nth(9), wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24 new"},
		{"a lost address is not selected", vanish("10.0.0.10/24", ipam.Lost), selecting(nth(9), "10.0.0.10"), "silent D-5 vanished"},
		{"another's binding at a lost address", vanish(leased, ipam.Lost), request(nth(9), wants("10.0.0.12")), "silent D-10 no_binding"},

		{"a lost prefix serves its host", vanish("10.0.0.0/24", ipam.Lost), renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"},
		{"a lost prefix serves its leases", vanish("10.0.0.0/24", ipam.Lost), renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound"},
		{"a lost prefix gives no new lease", vanish("10.0.0.0/24", ipam.Lost), discover(nth(9)), "silent D-2 pool_empty"},
		{"a lost prefix refuses no client", vanish("10.0.0.0/24", ipam.Lost), request(nth(9), wants("192.0.2.1")), "silent D-7 wrong_network"},
		{"an address in a lost prefix elsewhere", vanish("10.9.0.0/24", ipam.Lost), request(nth(9), wants("10.9.0.77")), "silent D-7 wrong_network"},

		{"without the tag a lease is extended", vanish("tag", ipam.Lost), renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound"},
		{"without the tag nothing new is given", vanish("tag", ipam.Lost), discover(nth(9)), "silent D-2 pool_empty"},
		{"without the tag no client is refused", vanish("tag", ipam.Lost), request(nth(9), wants("10.0.0.200")), "silent D-10 not_dynamic"},
		{"without the tag a static host is served", vanish("tag", ipam.Lost), discover(web), "OFFER D-1 10.0.0.5/24 static"},

		{"most addresses lost: no client is refused", vanish("addresses", ipam.Lost), request(nth(9), wants("192.0.2.1")), "silent D-7 wrong_network"},
		{"most addresses lost: hosts are served", vanish("addresses", ipam.Lost), renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"},
		{"most addresses lost: leases are extended", vanish("addresses", ipam.Lost), renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound"},

		// T-5
		{"an ended address is not offered to its host", vanish(static, ipam.Ended), discover(web), "OFFER D-1 10.0.0.10/24 new"},
		{"the host of an ended address is not refused", vanish(static, ipam.Ended), renewing(web, "10.0.0.5"), "silent D-13 not_dynamic"},
		{"a lease of an ended address is not extended", vanish(leased, ipam.Ended), renewing(alice, "10.0.0.12"), "silent D-13 vanished"},
		{"an ended address is given to no client", vanish(leased, ipam.Ended), selecting(nth(9), "10.0.0.12"), "silent D-5 vanished"},
		{"the host of an ended MAC is not refused", vanish("MAC", ipam.Ended), renewing(web, "10.0.0.5"), "silent D-13 not_dynamic"},
		{"an ended prefix serves no client", vanish("10.0.0.0/24", ipam.Ended), discover(web), "silent D-2 no_subnet"},
		{"an address in an ended prefix elsewhere", vanish("10.9.0.0/24", ipam.Ended), request(nth(9), wants("10.9.0.77")), "silent D-7 wrong_network"},

		// Neighbours: what is there is refused as ever.
		{"a row that has nothing to do with it", vanish("10.0.0.19/24", ipam.Lost), request(web, wants("10.0.0.15")), "NAK D-9 wrong_address"},
		{"another client, another address", vanish(leased, ipam.Lost), request(nth(9), wants("10.0.0.200")), "NAK D-10 not_dynamic"},
		{"another network", vanish("10.9.0.0/24", ipam.Lost), request(nth(9), wants("192.0.2.1")), "NAK D-7 wrong_network"},
		{"nothing lost", vanish("", ipam.Lost), request(web, wants("10.0.0.15")), "NAK D-9 wrong_address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore(bound("10.0.0.12", alice, time.Hour), bound("10.0.0.13", bob, -time.Minute))
			parts := append(append(office(), many()...), c.lost)
			r := newRig(t, store, snapshot(t, worldOptions, parts...))
			r.SetAuthority(Authoritative)
			r.expect(c.m, c.want)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// H-4: a refusal needs a snapshot that NetBox confirmed of late; leases do not.
func TestARefusalNeedsAConfirmedSnapshot(t *testing.T) {
	for age, want := range map[time.Duration]string{
		time.Minute: "NAK D-9 wrong_address", 2 * time.Minute: "silent D-9 wrong_address", 23 * time.Hour: "silent D-9 wrong_address",
	} {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), policy(func(p *Policy) { p.RefuseWithin = 90 * time.Second }))
		r.SetAuthority(Authoritative)
		r.Confirm(start.Add(-age), 0)
		r.expect(request(web, wants("10.0.0.15")), want)
		r.expect(renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static")
		r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), policy(func(p *Policy) { p.RefuseWithin = 90 * time.Second }))
	r.SetAuthority(Authoritative) // an inventory cannot go stale
	r.expect(request(web, wants("10.0.0.15")), "NAK D-9 wrong_address")
}

// S-5: an address object that was deleted and made again has no record, and its
// client still has its lease.
func TestAnAddressMadeAnewKeepsItsLease(t *testing.T) {
	written := start.Add(-time.Hour)
	made := func(at time.Time) edit { return func(a *ipam.Address) { a.Created, a.LastUpdated = at, start } }
	for name, c := range map[string]struct {
		made  time.Time
		renew string
		other string
	}{
		"made anew since":                     {start.Add(-time.Minute), "ACK D-12 10.0.0.30/24 bound", "OFFER D-1 10.0.0.10/24 new"},
		"the old row, emptied by an operator": {start.Add(-48 * time.Hour), "NAK D-13 no_binding", "OFFER D-1 10.0.0.30/24 new"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemStore(synced(bound("10.0.0.30", alice, time.Hour), written))
			r := newRig(t, store, snapshot(t, worldOptions, append(office(), dynamic("10.0.0.30/24", made(c.made)))...))
			r.SetAuthority(Authoritative)
			r.expect(discover(bob, wants("10.0.0.30")), c.other)
			r.now = r.now.Add(2 * time.Minute) // the offer has lapsed
			r.expect(renewing(alice, "10.0.0.30"), c.renew)
		})
	}
}
