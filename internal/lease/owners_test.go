package lease

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// machineWith is a device that may be assigned 10.0.0.5, by the id of its
// address object; 0: it is not.
func machineWith(name string, mac ClientID, id int64, more ...assigned) part {
	return device(name, port("eth0", string(mac), append([]assigned{func(w *world, _ *ipam.Machine, i *ipam.Interface) {
		a := w.address("10.0.0.5/24") // interfaces keep their ids with or without it
		delete(w.o.Addresses, a.ID)
		if a.ID, a.Interface = id, i.ID; id != 0 {
			w.o.Addresses[id] = a
		}
	}}, more...)...))
}

// I-9: of two owners of one address one is served, and the other is served as
// if it had none: never a NAK for it.
func TestOneOfTwoOwnersIsServed(t *testing.T) {
	s := snapshot(t, worldOptions, lan(machineWith("a", web, 900), machineWith("b", bob, 901))...)
	r := newRig(t, newMemStore(), s)
	r.SetAuthority(Authoritative)
	r.expect(discover(web), static5)
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static")
	r.expect(renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static")
	d := r.expect(discover(bob), fromLAN)
	if d.Passed.Why != PassedOwner || d.Passed.Port.Machine == d.Passed.Owner.Machine || s.Machine(d.Passed.Owner.Machine).Name != "a" {
		t.Errorf("passed over %+v", d.Passed)
	}
	r.expect(request(bob, wants("10.0.0.5")), "silent D-10 two_owners")
	r.expect(renewing(bob, "10.0.0.5"), "silent D-13 two_owners")
	r.expect(selecting(bob, "10.0.0.5"), "silent D-5 two_owners")
	r.expect(message(BOOTP, bob), "silent D-24")
	r.expect(selecting(bob, "10.0.0.100"), "ACK D-4 10.0.0.100/24 new")
	r.expect(request(bob, wants("10.0.0.77")), "NAK D-9") // another address is refused as ever
	r.expect(request(alice, wants("10.0.0.5")), "NAK D-10")
}

// I-9: which owners there are, and who of them is served.
func TestWhoIsAnOwner(t *testing.T) {
	second := func(mac ClientID, edits ...edit) part {
		return device("b", port("eth0", string(mac), on("10.0.0.5/24", edits...)))
	}
	first := device("a", port("eth0", string(web), on("10.0.0.5/24")))
	for _, c := range []struct {
		name     string
		parts    []part
		web, bob string
	}{
		{"the lower object id", []part{first, second(bob)}, static5, fromLAN},
		{"a device and a virtual machine", []part{first, virtual("b", port("eth0", string(bob), on("10.0.0.5/24")))}, static5, fromLAN},
		{"two ports of one machine", []part{device("a", port("eth0", string(web), on("10.0.0.5/24")), port("eth1", string(bob), on("10.0.0.5/24")))}, static5, fromLAN},
		{"by a bridge", []part{first, device("b", bridged("br0", "eth0", string(bob)), port("br0", "", on("10.0.0.5/24")))}, static5, fromLAN},
		{"the second has another address, too", []part{first, device("b", port("eth0", string(bob), on("10.0.0.5/24"), on("10.0.0.6/24")))}, static5, "OFFER D-1 10.0.0.6/24 static"},
		{"another mask", []part{first, device("b", port("eth0", string(bob), on("10.0.0.5/25")))}, static5, fromLAN},
		{"deprecated on the first", []part{device("a", port("eth0", string(web), on("10.0.0.5/24", status("deprecated")))), second(bob)}, fromLAN, static5},
		{"a shared role on both", []part{device("a", port("eth0", string(web), on("10.0.0.5/24", role("vip")))), second(bob, role("vip"))}, fromLAN, fromLAN},
		{"a shared role on one", []part{device("a", port("eth0", string(web), on("10.0.0.5/24", role("vip")))), second(bob)}, fromLAN, static5},
		{"in another VRF", []part{device("a", port("eth0", string(web), on("10.0.0.5/24", inVRF("blue")))), second(bob)}, fromLAN, static5},
		{"a port without MAC never asks", []part{device("a", port("eth0", "", on("10.0.0.5/24"))), second(bob)}, fromLAN, static5},
		{"a member and its aggregate are one", []part{device("a", port("bond0", "", on("10.0.0.5/24")), member("bond0", "eth0", string(web), on("10.0.0.5/24")))}, static5, fromLAN},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(c.parts...)...)
			newRig(t, newMemStore(), s).expect(discover(web), c.web)
			newRig(t, newMemStore(), s).expect(discover(bob), c.bob)
		})
	}
}

// I-9: who was served goes on being served, whatever the ids, over restarts, over
// a store that comes late, and without a store by the marks of a copy.
func TestTheMarkDecidesBetweenOwners(t *testing.T) {
	alone := snapshot(t, worldOptions, lan(machineWith("a", web, 0), machineWith("b", bob, 901))...)
	both := snapshot(t, worldOptions, lan(machineWith("a", web, 900), machineWith("b", bob, 901))...)
	served := func(r *rig, want ClientID, when string) {
		t.Helper()
		for _, c := range []ClientID{web, bob} {
			d, trace := r.Explain(discover(c))
			if d.Static != (c == want) {
				t.Errorf("%s: %s gets %s\n%s", when, c, brief(d), trace)
			}
		}
	}
	store := newMemStore()
	r := newRig(t, store, alone)
	served(r, bob, "alone")
	r.SetSnapshot(both)
	served(r, bob, "the other is new, with a lower id")
	r.SetSnapshot(both)
	served(r, bob, "again")
	marks := r.Marks()
	served(newRig(t, store, both), bob, "after a restart")

	late := newRig(t, store, nil, func(c *Config) { c.Store = nil })
	late.SetSnapshot(both)
	served(late, web, "without a store nothing is known: the lower id")
	if err := late.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	served(late, bob, "the store's mark")
	served(newRig(t, store, both), bob, "and it is still in the store")

	copied := newRig(t, newMemStore(), nil, func(c *Config) { c.Store = nil })
	copied.RestoreMarks(marks)
	copied.SetSnapshot(both)
	served(copied, bob, "the marks of a copy")

	r.SetSnapshot(snapshot(t, worldOptions, lan(machineWith("a", web, 900), machineWith("b", bob, 0))...))
	served(r, web, "the operator took it from the other")
	r.SetSnapshot(both)
	served(r, web, "the mark ended with the contest")
}

// I-9: without a store, and without a mark, a running record in NetBox says which of
// two owners goes on being served.
func TestARunningRecordDecidesBetweenOwnersWithoutAStore(t *testing.T) {
	for name, c := range map[string]struct {
		first, second []edit // of the address of web, and of that of bob
		store         bool
		want          ClientID
	}{
		"no record":                           {nil, nil, false, web},
		"of the second, at its own":           {nil, []edit{record(bob, time.Hour)}, false, bob},
		"of the second, at the first":         {[]edit{record(bob, time.Hour)}, nil, false, bob},
		"of the first":                        {nil, []edit{record(web, time.Hour)}, false, web},
		"of the second, ended":                {nil, []edit{record(bob, -time.Hour)}, false, web},
		"of the second, released":             {nil, []edit{record(bob)}, false, web},
		"of nobody of them":                   {nil, []edit{record(alice, time.Hour)}, false, web},
		"of both: the lower id":               {[]edit{record(web, time.Hour)}, []edit{record(bob, time.Hour)}, false, web},
		"of what is no MAC":                   {nil, []edit{record("someone", time.Hour)}, false, web},
		"of the second, but a store is there": {nil, []edit{record(bob, time.Hour)}, true, web},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(
				device("a", port("eth0", string(web), on("10.0.0.5/24", c.first...))), device("b", port("eth0", string(bob), on("10.0.0.5/24", c.second...))))...)
			r := newRig(t, newMemStore(), s, func(config *Config) {
				if !c.store {
					config.Store = nil
				}
			})
			marks := r.Marks()
			if len(marks) != 1 {
				t.Fatalf("marks %v", marks)
			}
			mac, err := ipam.ParseMAC(string(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.InterfacesWithMAC(mac)[0].ID; marks[0].port() != got {
				t.Errorf("%v is served, want %v", marks[0].port(), got)
			}
			if c.store {
				return
			}
			if err := r.Attach(t.Context(), newMemStore()); err != nil {
				t.Fatal(err)
			}
			if again := r.Marks(); again[0] != marks[0] {
				t.Errorf("with a store that comes and knows nothing: %v, then %v", marks[0], again[0])
			}
		})
	}
}

// I-9: leases are not touched by marks, and a mark not by a failing store.
func TestMarksOutliveAStoreThatFails(t *testing.T) {
	both := snapshot(t, worldOptions, lan(machineWith("a", web, 900), machineWith("b", bob, 901))...)
	store := newMemStore(bound("10.0.0.100", alice, time.Hour))
	r := newRig(t, store, nil)
	r.Detach()
	r.SetSnapshot(snapshot(t, worldOptions, lan(machineWith("a", web, 0), machineWith("b", bob, 901))...))
	r.SetSnapshot(both)
	r.expect(discover(bob), static5)
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	newRig(t, store, both).expect(discover(bob), static5)
	newRig(t, store, both).expect(renewing(alice, "10.0.0.100"), "ACK D-12 10.0.0.100/24 bound")
}
