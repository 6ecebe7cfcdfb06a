package lease

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// onlyGuests are worldOptions with network.serve: tagged.
func onlyGuests(relays ...string) ipam.Options {
	opt := listed(relays...)
	opt.ServeTag = "guests"
	return opt
}

// N-20: only clients in a prefix with the tag are served; all other messages get
// silence, also those of hosts that NetBox knows, and change nothing.
func TestOnlyTaggedPrefixesAreServed(t *testing.T) {
	leases := []Lease{bound("10.9.0.12", alice, time.Hour)}
	parts := append(lounge(`{}`), device("web9", port("eth0", string(carol), on("10.9.0.5/24"))))
	elsewhere := via("10.9.0.1")
	for name, c := range map[string]struct {
		m    ClientMessage
		want string
	}{
		"DISCOVER with the tag":                 {discover(printer), "OFFER D-1 10.0.0.10/24 new"},
		"a static address with the tag":         {discover(web), "OFFER D-1 10.0.0.5/24 static"},
		"DISCOVER without the tag":              {discover(printer, elsewhere), "silent D-2 not_served"},
		"a static address without the tag":      {discover(carol, elsewhere), "silent D-2 not_served"},
		"SELECTING":                             {selecting(alice, "10.9.0.12", elsewhere), "silent D-11 not_served"},
		"INIT-REBOOT":                           {request(alice, wants("10.9.0.12"), elsewhere), "silent D-11 not_served"},
		"INIT-REBOOT of a foreign address":      {request(alice, wants("10.44.0.12"), elsewhere), "silent D-11 not_served"},
		"RENEWING":                              {renewing(alice, "10.9.0.12"), "silent D-11 not_served"},
		"REBINDING":                             {request(alice, has("10.9.0.12"), elsewhere), "silent D-11 not_served"},
		"INFORM":                                {message(Inform, alice, has("10.9.0.12"), unicast()), "silent D-22 not_served"},
		"BOOTP":                                 {message(BOOTP, carol, elsewhere), "silent D-24 not_served"},
		"RELEASE":                               {message(Release, alice, has("10.9.0.12"), unicast(), to(serverAddr)), "silent N-20 not_served"},
		"DECLINE":                               {message(Decline, alice, wants("10.9.0.12"), to(serverAddr), elsewhere), "silent N-20 not_served"},
		"a client that comes from such a place": {request(alice, wants("10.9.0.12")), "NAK D-7 wrong_network"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(leases...), snapshot(t, onlyGuests(), parts...))
			r.SetAuthority(Authoritative)
			r.invite(alice)
			r.expect(c.m, c.want)
			if got := r.Leases(); len(got) != 1 || got[0].State != Bound || !got[0].Expires.Equal(leases[0].Expires) {
				t.Errorf("leases %v", got)
			}
		})
	}
}

// N-20, T-6: the tag counts by its id, an inner prefix is asked itself, and without a
// tag of that name nothing is served.
func TestTheTagOfServedPrefixes(t *testing.T) {
	s := snapshot(t, onlyGuests(), prefix("10.0.0.0/24"), address("10.0.0.1/24", gateway()), dynamic("10.0.0.10/24"),
		guests("10.0.0.128/25"), address("10.0.0.129/25", gateway()), dynamic("10.0.0.130/25"))
	r := newRig(t, newMemStore(), s)
	r.expect(discover(alice, via("10.0.0.129")), "OFFER D-1 10.0.0.130/25 new")
	r.expect(discover(bob), "silent D-2 not_served")

	o := newWorld(append(lounge(`{}`), func(w *world) { w.o.Tags[tagGuests].Name, w.o.Tags[tagGuests].Slug = "Visitors", "visitors" })...)
	opt := onlyGuests()
	opt.Followed = map[string]ipam.Followed{"network.serve_tag guests": {ID: tagGuests}}
	renamed, problems := ipam.Build(o, opt)
	newRig(t, newMemStore(), renamed).expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	if len(problems) == 0 || !strings.Contains(problems[len(problems)-1].Text, `set netbox.network.serve_tag to that name`) {
		t.Errorf("problems %v", problems)
	}

	opt.ServeTag, opt.Followed = "Pilot", nil
	none, problems := ipam.Build(newWorld(lounge(`{}`)...), opt)
	newRig(t, newMemStore(), none).expect(discover(alice), "silent D-2 not_served")
	if !slices.ContainsFunc(problems, func(p ipam.Problem) bool { return p.Object == "tag Pilot" }) {
		t.Errorf("problems %v", problems)
	}
}

// N-20, N-8: prefixes of one wire that are not served give no addresses, and no address
// of theirs is refused. That they share a wire is a problem that is named.
func TestAWireIsServedAsFarAsItHasTheTag(t *testing.T) {
	onVLAN := func(w *world) {
		for _, p := range w.o.Prefixes {
			p.VLAN = 7
		}
	}
	s, problems := ipam.Build(newWorld(append(lounge(`{}`), onVLAN)...), onlyGuests())
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "prefix 10.9.0.0/24 (id 2): it is not served, and shares its VLAN with prefix 10.0.0.0/24 (id 1)") {
		t.Errorf("problems %v", problems)
	}
	r := newRig(t, newMemStore(bound("10.9.0.12", alice, time.Hour)), s)
	r.SetAuthority(Authoritative)
	r.expect(request(alice, wants("10.9.0.12")), "silent N-20 not_served")
	r.expect(request(bob, wants("10.9.0.12")), "silent N-20 not_served")
	r.expect(request(bob, wants("10.44.0.12")), "NAK D-7 wrong_network")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	r.expect(discover(bob, via("10.9.0.1")), "silent D-2 not_served")
	r.expect(message(Inform, bob, has("10.9.0.12"), via("10.0.0.1")), "silent D-22 not_served")
	r.expect(message(Inform, bob, has("10.0.0.12"), via("10.0.0.1")), "ACK (inform) D-21 inform")
}

// N-20, CTX-5, X-17: boot data beside another server are for no client of a network
// that is not served.
func TestLocateFindsNothingWhereNothingIsServed(t *testing.T) {
	s := snapshot(t, onlyGuests(), lounge(`{"serve_clients": false}`)...)
	for name, c := range map[string]struct {
		m       ClientMessage
		network netip.Prefix
		machine string
	}{
		"a machine with the tag":          {discover(web), netip.MustParsePrefix("10.0.0.0/24"), "web1"},
		"a machine without the tag":       {discover(web, via("10.9.0.1")), netip.Prefix{}, ""},
		"a machine in no prefix":          {discover(web, via("172.16.0.1")), netip.Prefix{}, ""},
		"a stranger where none is served": {discover(printer), netip.Prefix{}, ""},
	} {
		n, m := Locate(s, c.m)
		if (n == nil) != (c.network == netip.Prefix{}) || n != nil && n.Prefix.Prefix != c.network || (m == nil) != (c.machine == "") {
			t.Errorf("%s: network %v, machine %v", name, n, m)
		}
	}
}
