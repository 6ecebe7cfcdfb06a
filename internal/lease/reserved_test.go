package lease

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// reservedTo is an address without a device whose field names a MAC.
func reservedTo(c ClientID) edit {
	return func(a *ipam.Address) {
		a.Reserved = ipam.ParseReservation(ipam.ReservationField{Name: "res_mac", Text: string(c)}, ipam.ReservationField{})
	}
}

// CL-1: an address that names a MAC is that client's as one of its interface is.
func TestAnAddressThatNamesAMACIsItsStaticAddress(t *testing.T) {
	with := func(parts ...part) []part { return append(office(), parts...) }
	reserved := address("10.0.0.60/24", reservedTo(alice))
	for _, c := range []struct {
		name  string
		parts []part
		m     ClientMessage
		want  string
	}{
		{"DISCOVER", with(reserved), message(Discover, alice), "OFFER D-1 10.0.0.60/24 static"},
		{"DISCOVER of another", with(reserved), message(Discover, bob), "OFFER D-1 10.0.0.10/24 new"},
		{"SELECTING", with(reserved), selecting(alice, "10.0.0.60"), "ACK D-4 10.0.0.60/24 static"},
		{"SELECTING of another", with(reserved), selecting(bob, "10.0.0.60"), "NAK D-5"},
		{"INIT-REBOOT", with(reserved), request(alice, wants("10.0.0.60")), "ACK D-8 10.0.0.60/24 static"},
		{"BOOTP", with(reserved), message(BOOTP, alice), "BOOTREPLY D-23 10.0.0.60/24 static"},
		{"with the dynamic tag (CL-2)", with(dynamic("10.0.0.60/24", reservedTo(alice))), message(Discover, alice), "OFFER D-1 10.0.0.60/24 static"},
		{"with the dynamic tag, asked for by another", with(dynamic("10.0.0.60/24", reservedTo(alice))), message(Discover, bob, wants("10.0.0.60")), "OFFER D-1 10.0.0.10/24 new"},
		{"in another network", with(address("10.9.0.60/24", reservedTo(alice))), message(Discover, alice), "OFFER D-1 10.0.0.10/24 new"},
		{"in another VRF", with(address("10.0.0.60/24", reservedTo(alice), inVRF("blue"))), message(Discover, alice), "OFFER D-1 10.0.0.10/24 new"},
		{"of the mirror (CL-3)", with(address("10.0.0.60/24", reservedTo(alice), managed())), message(Discover, alice), "OFFER D-1 10.0.0.10/24 new"},
		{"the interface comes first", with(address("10.0.0.4/24", reservedTo(web))), message(Discover, web), "OFFER D-1 10.0.0.5/24 static"},
		{"of a machine without an address here", with(reserved, device("d", port("eth0", string(alice)))), message(Discover, alice), "OFFER D-1 10.0.0.60/24 static"},
		{"the one asked for", with(reserved, address("10.0.0.61/24", reservedTo(alice))), message(Discover, alice, wants("10.0.0.61")), "OFFER D-1 10.0.0.61/24 static"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, c.parts...))
			r.SetAuthority(Authoritative)
			r.invite(alice, bob, web)
			r.expect(c.m, c.want)
		})
	}
}

// S-11, CL-1: an address that is leased to another client waits for the end of that lease.
func TestAReservedAddressWaitsForTheLeaseOfAnother(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.60", bob, time.Hour)), snapshot(t, worldOptions, append(office(), address("10.0.0.60/24", reservedTo(alice)))...))
	d := r.expect(message(Discover, alice), "OFFER D-1 10.0.0.10/24 new")
	if d.Passed.Why != PassedLeased || d.Passed.Port != nil || d.Passed.Holder != bob {
		t.Errorf("passed over: %+v", d.Passed)
	}
	r.now = r.now.Add(2 * time.Hour)
	r.expect(message(Discover, alice), "OFFER D-1 10.0.0.60/24 static")
}

// CL-1, P-12: NetBox knows a MAC that an address names, wherever that lies.
func TestAMACThatAnAddressNamesIsKnown(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, append(office(), address("10.9.0.60/24", reservedTo(alice)))...),
		policy(func(p *Policy) { p.AllowUnknown = false }))
	r.expect(message(Discover, alice), "OFFER D-1 10.0.0.10/24 new")
	r.expect(message(Discover, bob), "silent D-2")
}

// CL-1, A-10: what such a client was offered elsewhere gives way to no stranger.
func TestAnOfferToAMACThatAnAddressNamesDoesNotGiveWay(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), prefix("10.9.0.0/24"), address("10.0.0.1/24", gateway()),
		dynamic("10.0.0.10/24"), address("10.9.0.60/24", reservedTo(alice))))
	r.expect(message(Discover, alice), "OFFER D-1 10.0.0.10/24 new")
	r.expect(message(Discover, bob), "silent D-2 pool_empty")
}
