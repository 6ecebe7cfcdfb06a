package lease

import (
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// lan is a network with one dynamic address, beside what a test adds.
func lan(parts ...part) []part {
	return append([]part{prefix("10.0.0.0/24"), dynamic("10.0.0.100/24")}, parts...)
}

const (
	static5 = "OFFER D-1 10.0.0.5/24 static"
	fromLAN = "OFFER D-1 10.0.0.100/24 new"
)

// I-4, P-11: which machine a MAC is.
func TestClientIsTheInterfaceWithItsMAC(t *testing.T) {
	for _, c := range []struct {
		name    string
		parts   []part
		want    string
		machine string // "" for an unknown client
		port    string
	}{
		{"no interface has the MAC", lan(device("web1", port("eth0", string(bob), on("10.0.0.5/24")))),
			fromLAN, "", ""},
		{"one interface with an address", lan(device("web1", port("eth0", string(web), on("10.0.0.5/24")))),
			static5, "web1", "eth0"},
		{"one interface without address", lan(device("web1", port("eth0", string(web)))),
			fromLAN, "web1", "eth0"},
		{"a MAC that is not the interface's first", lan(device("web1", port("eth0", string(bob)+" "+string(web), on("10.0.0.5/24")))),
			static5, "web1", "eth0"},
		{"the same MAC twice on one interface", lan(device("web1", port("eth0", string(web)+" "+string(web), on("10.0.0.5/24")))),
			static5, "web1", "eth0"},
		{"a virtual machine", lan(virtual("vm1", port("ens3", string(web), on("10.0.0.5/24")))),
			static5, "vm1", "ens3"},
		{"two ports of one device, one with an address here", lan(device("web1",
			port("eth0", string(web), on("10.9.0.5/24")), port("eth1", string(web), on("10.0.0.5/24")))),
			static5, "web1", "eth1"},
		{"two ports of one device, none with an address", lan(device("web1", port("eth0", string(web)), port("eth1", string(web)))),
			fromLAN, "web1", ""},
		{"two devices, one with an address here", lan(
			device("web1", port("eth0", string(web), on("10.9.0.5/24"))), device("web2", port("eth0", string(web), on("10.0.0.5/24")))),
			static5, "web2", "eth0"},
		{"two devices, none with an address", lan(device("web1", port("eth0", string(web))), device("web2", port("eth0", string(web)))),
			fromLAN, "", ""},
		{"a device and a virtual machine, none with an address", lan(device("web1", port("eth0", string(web))), virtual("vm1", port("eth0", string(web)))),
			fromLAN, "", ""},
		{"two devices with an address each", lan(
			device("web1", port("eth0", string(web), on("10.0.0.5/24"))), device("web2", port("eth0", string(web), on("10.0.0.6/24")))),
			"silent D-2 conflict", "", ""},
		{"two ports of one device with an address each", lan(device("web1",
			port("eth0", string(web), on("10.0.0.5/24")), port("eth1", string(web), on("10.0.0.6/24")))),
			"silent D-2 conflict", "web1", ""},
		{"the port's machine is not loaded yet", lan(device("web1", port("eth0", string(web), on("10.0.0.5/24"))), forgetMachines()),
			static5, "", "eth0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, c.parts...))
			d := r.expect(discover(web), c.want)
			var machine, name string
			if d.Machine != nil {
				machine = d.Machine.Name
			}
			if d.Interface != nil {
				name = d.Interface.Name
			}
			if machine != c.machine || name != c.port {
				t.Errorf("recognised as machine %q, port %q; want %q, %q", machine, name, c.machine, c.port)
			}
		})
	}
}

func forgetMachines() part { return func(w *world) { clear(w.o.Machines) } }

// I-4: a MAC on two machines is silent in every state, also when authoritative.
func TestConflictIsSilentEverywhere(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lan(
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))), device("web2", port("eth0", string(web), on("10.0.0.6/24"))))...))
	r.SetAuthority(Authoritative)
	for _, m := range []ClientMessage{
		discover(web), selecting(web, "10.0.0.5"), selecting(web, "10.0.0.100"), request(web, wants("10.0.0.5")),
		renewing(web, "10.0.0.5"), message(Inform, web, has("10.0.0.5"), unicast()), message(BOOTP, web),
	} {
		if d := r.handle(m); d.Verdict != Silent {
			t.Errorf("%s: %s", m.Type, brief(d))
		}
	}
	// Elsewhere, where neither has an address, there is no conflict.
	r.SetSnapshot(snapshot(t, worldOptions, lan(
		device("web1", port("eth0", string(web), on("10.9.0.5/24"))), device("web2", port("eth0", string(web), on("10.9.0.6/24"))))...))
	r.expect(discover(web), fromLAN)
}

// I-4: only Ethernet addresses are looked up.
func TestOtherHardwareIsUnknown(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, lan(device("web1", port("eth0", string(web), on("10.0.0.5/24"))))...))
	m := discover(web)
	m.HasMAC = false // hlen 6, but not Ethernet
	r.expect(m, fromLAN)
}

// P-19: interfaces of devices and of virtual machines are counted separately.
func TestInterfacesOfBothKindsWithTheSameID(t *testing.T) {
	o := newWorld(lan()...)
	for i, kind := range []ipam.Kind{ipam.Device, ipam.VirtualMachine} {
		machineID, portID := ipam.MachineID{Kind: kind, ID: 500}, ipam.InterfaceID{Kind: kind, ID: 500}
		o.Machines[machineID] = &ipam.Machine{ID: machineID, Name: kind.String()}
		o.Interfaces[portID] = &ipam.Interface{ID: portID, Name: "eth0", Machine: machineID}
		mac := discover([]ClientID{web, bob}[i]).MAC
		o.MACs[int64(500+i)] = &ipam.MACAddress{ID: int64(500 + i), MAC: mac, Interface: portID}
		a := &ipam.Address{ID: int64(500 + i), Address: netip.MustParsePrefix([]string{"10.0.0.5/24", "10.0.0.6/24"}[i]), Status: "active", Interface: portID}
		o.Addresses[a.ID] = a
	}
	s, _ := ipam.Build(o, worldOptions)
	r := newRig(t, newMemStore(), s)
	if d := r.expect(discover(web), static5); d.Machine == nil || d.Machine.Name != "device" {
		t.Errorf("machine %v", d.Machine)
	}
	if d := r.expect(discover(bob), "OFFER D-1 10.0.0.6/24 static"); d.Machine == nil || d.Machine.Name != "virtual machine" {
		t.Errorf("machine %v", d.Machine)
	}
}

// I-5: what is an eligible static address.
func TestEligibleStaticAddresses(t *testing.T) {
	for _, c := range []struct {
		name     string
		assigned assigned
		want     string
	}{
		{"active", on("10.0.0.5/24"), static5},
		{"reserved", on("10.0.0.5/24", status("reserved")), static5},
		{"secondary", on("10.0.0.5/24", role("secondary")), static5},
		{"carrying the gateway tag", on("10.0.0.5/24", gateway()), static5},
		{"deprecated", on("10.0.0.5/24", status("deprecated")), fromLAN},
		{"status dhcp: a reservation", on("10.0.0.5/24", status("dhcp")), static5},
		{"status dhcp, written by the mirror", on("10.0.0.5/24", status("dhcp"), managed()), fromLAN},
		{"active, managed by the mirror", on("10.0.0.5/24", managed()), static5},
		{"status dhcp, role vip", on("10.0.0.5/24", status("dhcp"), role("vip")), fromLAN},
		{"status slaac (V-6)", on("10.0.0.5/24", status("slaac")), fromLAN},
		{"loopback", on("10.0.0.5/24", role("loopback")), fromLAN},
		{"anycast", on("10.0.0.5/24", role("anycast")), fromLAN},
		{"vip", on("10.0.0.5/24", role("vip")), fromLAN},
		{"vrrp", on("10.0.0.5/24", role("vrrp")), fromLAN},
		{"hsrp", on("10.0.0.5/24", role("hsrp")), fromLAN},
		{"glbp", on("10.0.0.5/24", role("glbp")), fromLAN},
		{"carp", on("10.0.0.5/24", role("carp")), fromLAN},
		{"outside N", on("10.9.0.5/24"), fromLAN},
		{"in another VRF", on("10.0.0.5/24", inVRF("blue")), fromLAN},
		{"the network address", on("10.0.0.0/24"), fromLAN},
		{"the broadcast address", on("10.0.0.255/24"), fromLAN},
		{"IPv6", on("2001:db8::5/64"), fromLAN},
		{"dynamic, its record empty (N-6)", on("10.0.0.5/24", tagged()), "OFFER D-1 10.0.0.5/24 new"},
		{"dynamic, leased to another client", on("10.0.0.5/24", tagged(), record(bob, 1<<40)), fromLAN},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(device("web1", port("eth0", string(web), c.assigned)))...)
			r := newRig(t, newMemStore(), s)
			d := r.expect(discover(web), c.want)
			if d.Static != (c.want == static5) {
				t.Errorf("static: %v", d.Static)
			}
			if c.want != fromLAN {
				return
			}
			// What is not eligible is not acknowledged either.
			if got := newRig(t, newMemStore(), s).handle(selecting(web, "10.0.0.5")); got.Verdict != Silent {
				t.Errorf("REQUEST for it: %s", brief(got))
			}
		})
	}
	for _, edge := range []string{"10.0.0.4", "10.0.0.5"} {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.4/31"), device("web1", port("eth0", string(web), on(edge+"/31")))))
		r.expect(discover(web, via("10.0.0.4")), "OFFER D-1 "+edge+"/31 static")
	}
}

// A dynamic status makes an assigned address dynamic (I-5).
func TestDynamicStatusBeatsAssignment(t *testing.T) {
	options := worldOptions
	options.DynamicStatus = "dhcp"
	r := newRig(t, newMemStore(), snapshot(t, options, lan(device("web1", port("eth0", string(web), on("10.0.0.5/24", status("dhcp")))))...))
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 new")
}

// I-6: several eligible addresses.
func TestChoiceBetweenStaticAddresses(t *testing.T) {
	web1 := func(list ...assigned) *ipam.Snapshot {
		return snapshot(t, worldOptions, lan(device("web1", port("eth0", string(web), list...)))...)
	}
	for _, c := range []struct {
		name    string
		s       *ipam.Snapshot
		message ClientMessage
		want    string
	}{
		{"the lowest, by number (P-7)", web1(on("10.0.0.10/24"), on("10.0.0.9/24")), discover(web), "10.0.0.9"},
		{"a plain one before a secondary one", web1(on("10.0.0.5/24", role("secondary")), on("10.0.0.6/24")), discover(web), "10.0.0.6"},
		{"the primary one before a plain one", web1(on("10.0.0.5/24"), primary("10.0.0.6/24")), discover(web), "10.0.0.6"},
		{"the primary one although secondary", web1(on("10.0.0.5/24"), primary("10.0.0.6/24", role("secondary"))), discover(web), "10.0.0.6"},
		{"the one asked for before the primary one", web1(on("10.0.0.5/24", role("secondary")), primary("10.0.0.6/24")), discover(web, wants("10.0.0.5")), "10.0.0.5"},
		{"asking for another address changes nothing", web1(on("10.0.0.5/24"), primary("10.0.0.6/24")), discover(web, wants("10.0.0.7")), "10.0.0.6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			newRig(t, newMemStore(), c.s).expect(c.message, "OFFER D-1 "+c.want+"/24 static")
		})
	}
	// Each of them is the client's when it asks by REQUEST.
	r := newRig(t, newMemStore(), web1(on("10.0.0.5/24", role("secondary")), primary("10.0.0.6/24"), on("10.0.0.7/24")))
	for _, host := range []string{"10.0.0.5", "10.0.0.6", "10.0.0.7"} {
		r.expect(selecting(web, host), "ACK D-4 "+host+"/24 static")
		r.expect(request(web, wants(host)), "ACK D-8 "+host+"/24 static")
		r.expect(renewing(web, host), "ACK D-12 "+host+"/24 static")
	}
	if n := r.store.written(); n != 0 {
		t.Errorf("%d writes for static leases, want none (A-3)", n)
	}
}

// P-1: link aggregation.
func TestLinkAggregation(t *testing.T) {
	bond := func(macs string) component { return port("bond0", macs, on("10.0.0.5/24")) }
	const silent = "silent D-2 lag_member"
	const mac1, mac2, mac3 = "52:54:00:00:01:01", "52:54:00:00:01:02", "52:54:00:00:01:03"
	for _, c := range []struct {
		name       string
		device     part
		client     ClientID
		match, any string
	}{
		{"the aggregate itself", device("sw", bond(mac1), member("bond0", "eth0", mac2)), mac1, static5, static5},
		{"aggregate and member own the same MAC", device("sw", bond(mac1), member("bond0", "eth0", mac1)), mac1, static5, static5},
		{"aggregate and both members own the same MAC", device("sw", bond(mac1), member("bond0", "eth0", mac1), member("bond0", "eth1", mac1)), mac1, static5, static5},
		{"a member with another MAC", device("sw", bond(mac1), member("bond0", "eth0", mac2)), mac2, silent, static5},
		{"a member with two MACs, one of them the aggregate's", device("sw", bond(mac1), member("bond0", "eth0", mac2+" "+mac1)), mac2, silent, static5},
		{"the first member of an aggregate without MAC", device("sw", bond(""), member("bond0", "eth0", mac1), member("bond0", "eth1", mac2)), mac1, static5, static5},
		{"the second member of an aggregate without MAC", device("sw", bond(""), member("bond0", "eth0", mac1), member("bond0", "eth1", mac2)), mac2, silent, static5},
		{"both members of an aggregate without MAC own the same", device("sw", bond(""), member("bond0", "eth0", mac1), member("bond0", "eth1", mac1)), mac1, static5, static5},
		{"a member with an address of its own and another MAC", device("sw", bond(mac1), member("bond0", "eth0", mac2, on("10.0.0.6/24"))), mac2, silent, static5},
		{"an aggregate with several MACs", device("sw", bond(mac1+" "+mac3), member("bond0", "eth0", mac3)), mac3, static5, static5},
		{"a member of an aggregate that is not loaded", device("sw", member("bond9", "eth0", mac1, on("10.0.0.6/24"))), mac1, silent, silent},
		{"an aggregate without address", device("sw", port("bond0", mac1), member("bond0", "eth0", mac1)), mac1, fromLAN, fromLAN},
		{"a second device owns the MAC of a silent member", func(w *world) {
			device("sw", bond(mac1), member("bond0", "eth0", mac2))(w)
			device("web1", port("eth0", mac2, on("10.0.0.7/24")))(w)
		}, mac2, "OFFER D-1 10.0.0.7/24 static", "silent D-2 conflict"},
		{"two aggregates on two devices own the MAC", func(w *world) {
			device("sw1", bond(mac1), member("bond0", "eth0", mac1))(w)
			device("sw2", port("bond0", mac1, on("10.0.0.8/24")), member("bond0", "eth0", mac1))(w)
		}, mac1, "silent D-2 conflict", "silent D-2 conflict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(c.device)...)
			newRig(t, newMemStore(), s).expect(discover(c.client), c.match)
			newRig(t, newMemStore(), s, policy(func(p *Policy) { p.AnyLAGMember = true })).expect(discover(c.client), c.any)
			if c.match != silent {
				return
			}
			r := newRig(t, newMemStore(), s)
			r.SetAuthority(Authoritative)
			for _, m := range []ClientMessage{selecting(c.client, "10.0.0.5"), request(c.client, wants("10.0.0.5")), renewing(c.client, "10.0.0.5")} {
				r.expect(m, "silent D-16 lag_member")
			}
			r.expect(message(Inform, c.client, has("10.0.0.5"), unicast()), "silent D-22 lag_member")
			r.expect(message(BOOTP, c.client), "silent D-24")
		})
	}
}
