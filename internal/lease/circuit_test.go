package lease

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// accessRelay is the address of access1, the relay and switch of these tests.
const accessRelay = "10.0.0.254"

// cable connects two ports, each named by its machine and its name.
func cable(machineA, portA, machineB, portB string) part {
	return func(w *world) {
		w.late = append(w.late, func() {
			a, b := w.find(machineA, portA), w.find(machineB, portB)
			a.FarEnd, b.FarEnd = b.ID, a.ID
		})
	}
}

func (w *world) find(machine, port string) *ipam.Interface {
	for _, i := range w.o.Interfaces {
		if m := w.o.Machines[i.Machine]; m.Name == machine && i.Name == port {
			return i
		}
	}
	panic("no " + machine + " " + port)
}

// plugged is the office with a switch, which is the relay, and what is plugged in.
func plugged(more ...part) []part {
	return append(claimOffice(
		device("access1", port("Vlan10", "02:00:00:00:00:01", on(accessRelay+"/24")), port("GigabitEthernet1/0/1", ""), port("GigabitEthernet1/0/2", ""),
			port("GigabitEthernet1/0/3", ""), port("GigabitEthernet1/0/4", ""), port("GigabitEthernet1/0/5", ""), port("TenGigabitEthernet1/0/6", ""), port("FortyGigabitEthernet1/0/6", "")),
		device("edge1", port("mgmt", "02:00:00:00:00:02", on("10.0.0.253/24")), port("ge-0/0/1", "")),
		device("printer", port("eth0", "", on("10.0.0.80/24"))),
		device("camera", port("eth0", string(bob), on("10.0.0.81/24"))),
		device("two", port("eth0", "", on("10.0.0.82/24"), on("10.0.0.83/24"))),
		device("bonded", port("bond0", "", on("10.0.0.84/24")), member("bond0", "eth0", "")),
		device("phone", port("eth0", "", on("10.0.0.86/24"))),
		cable("access1", "GigabitEthernet1/0/1", "printer", "eth0"),
		cable("access1", "GigabitEthernet1/0/2", "camera", "eth0"),
		cable("access1", "GigabitEthernet1/0/3", "two", "eth0"),
		cable("access1", "GigabitEthernet1/0/4", "bonded", "eth0"),
		cable("edge1", "ge-0/0/1", "phone", "eth0"),
	), more...)
}

// newPortRig is a server that reads the circuits of access1, with claims by port.
func newPortRig(t *testing.T, store *memStore, s *ipam.Snapshot, setups ...setup) *claimRig {
	count := func(c *Config) {
		c.Policy.Claims.Port = true
		c.Policy.Circuits.Relays = []netip.Prefix{netip.MustParsePrefix(accessRelay + "/32")}
	}
	return newClaimRig(t, store, s, append([]setup{count}, setups...)...)
}

func portSnapshot(t *testing.T, more ...part) *ipam.Snapshot {
	opt := worldOptions
	opt.Serials, opt.Circuits = true, true
	return snapshot(t, opt, plugged(more...)...)
}

// byCircuit is what relay access1 adds: circuit-id, and remote-id unless it is empty.
func byCircuit(id string, remote ...string) field {
	return func(m *ClientMessage) {
		m.Relay, m.Circuit = netip.MustParseAddr(accessRelay), []byte(id)
		for _, r := range remote {
			m.Remote = []byte(r)
		}
	}
}

// CL-13, CL-14, CL-15: what a circuit leads to, and what does not.
func TestWhatACircuitLeadsTo(t *testing.T) {
	const pool, printer, phone = "OFFER D-1 10.0.0.10/24 new", "OFFER CL-6 10.0.0.80/24 claimed", "OFFER CL-6 10.0.0.86/24 claimed"
	for _, c := range []struct {
		name   string
		m      ClientMessage
		more   []part
		want   string
		result CircuitResult // empty: it does not count
	}{
		{"none", discover(alice, byCircuit("")), nil, pool, CircuitAbsent},
		{"a port", discover(alice, byCircuit("Gi1/0/1")), nil, printer, CircuitLeads},
		{"a port in binary", discover(alice, byCircuit("\x00\x04\x00\x0a\x01\x01")), nil, printer, CircuitLeads},
		{"a longer port", discover(alice, byCircuit("Gi1/0/11")), nil, pool, CircuitNoPort},
		{"a port without cable", discover(alice, byCircuit("Gi1/0/5")), nil, pool, CircuitNoCable},
		{"two ports in binary", discover(alice, byCircuit("\x00\x04\x00\x0a\x01\x06")), nil, pool, CircuitNoPort},
		{"no format", discover(alice, byCircuit("\xff\xff\xff")), nil, pool, CircuitUnread},
		{"a far end with two addresses here (CL-7)", discover(alice, byCircuit("Gi1/0/3")), nil, pool, CircuitLeads},
		{"a far end that is in an aggregate", discover(alice, byCircuit("Gi1/0/4")), nil, "OFFER CL-6 10.0.0.84/24 claimed", CircuitLeads},
		{"a place whose owner may be there (CL-8)", discover(alice, byCircuit("Gi1/0/2")), nil, pool, CircuitLeads},
		{"a known machine", discover(web, byCircuit("Gi1/0/1")), nil, "OFFER D-1 10.0.0.5/24 static", CircuitLeads},
		{"port and serial number of one place", discover(alice, byCircuit("Gi1/0/1"), says("PRN00001")),
			[]part{func(w *world) {
				w.late = append(w.late, func() { w.o.Machines[w.find("printer", "eth0").Machine].Serial = "PRN00001" })
			}}, printer, CircuitLeads},
		{"port and serial number of two places (CL-7)", discover(alice, byCircuit("Gi1/0/1"), says("JPE12221671")), nil, pool, CircuitLeads},
		{"port and identifier of two places (CL-7)", discover(alice, byCircuit("Gi1/0/1"), sends(spare)), nil, pool, CircuitLeads},
		{"an identifier, and a port that leads nowhere", discover(alice, byCircuit("Gi1/0/5"), sends(spare)), nil, "OFFER CL-6 10.0.0.60/24 claimed", CircuitNoCable},
		{"the relay's own MAC as remote-id", discover(alice, byCircuit("Gi1/0/1", "\x00\x06\x02\x00\x00\x00\x00\x01")), nil, printer, CircuitLeads},
		{"its address", discover(alice, byCircuit("Gi1/0/1", accessRelay)), nil, printer, CircuitLeads},
		{"its name", discover(alice, byCircuit("Gi1/0/1", "access1.example.org")), nil, printer, CircuitLeads},
		{"another switch by MAC", discover(alice, byCircuit("ge-0/0/1.0", "\x02\x00\x00\x00\x00\x02")), nil, phone, CircuitLeads},
		{"another switch by name", discover(alice, byCircuit("ge-0/0/1.0:default", "edge1")), nil, phone, CircuitLeads},
		{"a port of the relay, and the remote-id of another switch", discover(alice, byCircuit("Gi1/0/1", "edge1")), nil, pool, CircuitNoPort},
		{"a remote-id that is no device", discover(alice, byCircuit("Gi1/0/1", "\x00\x06\x02\x00\x00\x00\x00\x09")), nil, pool, CircuitNoSwitch},
		{"a remote-id of two devices", discover(alice, byCircuit("Gi1/0/1", "edge1")), []part{device("Edge1")}, pool, CircuitNoSwitch},
		{"a circuit that names its switch", discover(alice, byCircuit("edge1:ge-0/0/1.0:default", "edge1")), nil, phone, CircuitLeads},
		{"a circuit that names another switch", discover(alice, byCircuit("edge2:ge-0/0/1.0:default", "edge1")), nil, pool, CircuitNoPort},
		{"a port that vanished", discover(alice, byCircuit("Gi1/0/1")), []part{func(w *world) {
			w.late = append(w.late, func() { w.find("access1", "GigabitEthernet1/0/1").Loss = ipam.Lost })
		}},
			pool, CircuitNoPort},
		{"a far end that vanished", discover(alice, byCircuit("Gi1/0/1")), []part{func(w *world) { w.late = append(w.late, func() { w.find("printer", "eth0").Loss = ipam.Lost }) }},
			pool, CircuitNoCable},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newPortRig(t, newMemStore(), portSnapshot(t, c.more...)).sends(c.m, c.want)
			if d.Circuit == nil || d.Circuit.Result != c.result {
				t.Errorf("circuit %+v, want %q", d.Circuit, c.result)
			}
		})
	}
}

// CL-15, I-7: a place may be the bridge of the far end.
func TestAPlaceMayBeABridge(t *testing.T) {
	s := portSnapshot(t, device("hv1", bridged("vmbr0", "eno1", string(carol)), port("vmbr0", "", on("10.0.0.85/24"))), cable("access1", "GigabitEthernet1/0/5", "hv1", "eno1"))
	r := newPortRig(t, newMemStore(), s)
	if d := r.sends(discover(alice, byCircuit("Gi1/0/5")), "OFFER D-1 10.0.0.10/24 new"); d.Claim.Held != HeldOwner || d.Claim.Kind != ClaimPort {
		t.Errorf("claim %+v", d.Claim)
	}
	r.now = r.now.Add(idle)
	r.sends(discover(alice, byCircuit("Gi1/0/5")), "OFFER CL-6 10.0.0.85/24 claimed")
}

// CL-16: a renewal has no option 82. It extends the lease from the client's own
// address only, while the cable leads there and the owner is not heard.
func TestALeaseByPortIsExtended(t *testing.T) {
	renews := func(f ...field) ClientMessage { return renewing(alice, "10.0.0.80", f...) }
	byID := reservedID("\x00other")
	for _, c := range []struct {
		name string
		m    ClientMessage
		then *ipam.Snapshot // nil: as before
		want string
	}{
		{"from its own address", renews(), nil, "ACK D-12 10.0.0.80/24 claimed"},
		{"from another address", renews(from("10.0.0.99")), nil, "ACK D-12 10.0.0.80/24 claim_over"},
		{"by a sender that is not known", renews(stockServer()), nil, "ACK D-12 10.0.0.80/24 claim_over"},
		{"by its circuit", request(alice, has("10.0.0.80"), byCircuit("Gi1/0/1")), nil, "ACK D-12 10.0.0.80/24 claimed"},
		{"by another circuit", request(alice, has("10.0.0.80"), byCircuit("Gi1/0/5")), nil, "ACK D-12 10.0.0.80/24 claim_over"},
		{"by the relay, without circuit", request(alice, has("10.0.0.80"), byCircuit("")), nil, "ACK D-12 10.0.0.80/24 claim_over"},
		{"by another relay", request(alice, has("10.0.0.80")), nil, "ACK D-12 10.0.0.80/24 claim_over"},
		{"after a reboot", request(alice, wants("10.0.0.80"), byCircuit("Gi1/0/1")), nil, "ACK D-8 10.0.0.80/24 claimed"},
		{"with an identifier of another place (CL-7)", renews(sends("\x00other")), portSnapshot(t, address("10.0.0.61/24", byID)), "ACK D-12 10.0.0.80/24 claim_over"},
		{"where the cable leads elsewhere", renews(), portSnapshot(t, device("new", port("eth0", "", on("10.0.0.90/24"))), cable("access1", "GigabitEthernet1/0/1", "new", "eth0")),
			"ACK D-12 10.0.0.80/24 claim_over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore()
			r := newPortRig(t, store, portSnapshot(t))
			r.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed")
			r.sends(selecting(alice, "10.0.0.80", byCircuit("Gi1/0/1")), "ACK D-4 10.0.0.80/24 claimed")
			if l := store.get("10.0.0.80"); !l.ByPort || l.InterfaceKind != uint8(ipam.Device) || l.InterfaceID == 0 || l.Unsynced {
				t.Errorf("stored: %+v", l)
			}
			r.now = r.now.Add(30 * time.Minute)
			if c.then != nil {
				r.SetSnapshot(c.then)
			}
			r.sends(c.m, c.want)
		})
	}
}

// CL-9, T-1, H-4: what is lost, or not heard of, changes no lease by a claim, and gives none.
func TestNotKnowingEndsNoLeaseByAClaim(t *testing.T) {
	const printer, extended, over, other = "10.0.0.80", "ACK D-12 10.0.0.80/24 claimed", "ACK D-12 10.0.0.80/24 claim_over", "OFFER D-1 10.0.0.10/24 new"
	lose := func(machine, port string, loss ipam.Loss) part {
		return func(w *world) {
			w.late = append(w.late, func() {
				if i := w.find(machine, port); loss == ipam.Ended {
					i.Loss = loss
				} else {
					w.o.Machines[i.Machine].Loss, i.Loss = loss, loss
				}
			})
		}
	}
	for name, c := range map[string]struct {
		then    part
		stale   bool
		renewal string
		again   string // to a DISCOVER by the circuit
	}{
		"the snapshot is stale": {nil, true, extended, "silent H-4 stale"},
		"the far end is lost":   {lose("printer", "eth0", ipam.Lost), false, extended, "OFFER CL-6 10.0.0.80/24 claimed"},
		"the port is lost":      {lose("access1", "GigabitEthernet1/0/1", ipam.Lost), false, extended, other},
		"the address is lost":   {vanish(printer+"/24", ipam.Lost), false, extended, "OFFER CL-6 10.0.0.80/24 claimed"},
		"the network is lost":   {vanish("10.0.0.0/24", ipam.Lost), false, extended, "OFFER CL-6 10.0.0.80/24 claimed"},
		"the far end has ended": {lose("printer", "eth0", ipam.Ended), false, over, other},
		"the port has ended":    {lose("access1", "GigabitEthernet1/0/1", ipam.Ended), false, over, other},
		"the address has ended": {vanish(printer+"/24", ipam.Ended), false, over, other},
		"the cable was unplugged": {func(w *world) {
			w.late = append(w.late, func() {
				w.find("access1", "GigabitEthernet1/0/1").FarEnd, w.find("printer", "eth0").FarEnd = ipam.InterfaceID{}, ipam.InterfaceID{}
			})
		}, false, over, other},
	} {
		t.Run(name, func(t *testing.T) {
			r := newPortRig(t, newMemStore(), portSnapshot(t))
			r.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed")
			r.sends(selecting(alice, printer, byCircuit("Gi1/0/1")), "ACK D-4 10.0.0.80/24 claimed")
			r.now = r.now.Add(30 * time.Minute)
			if c.then != nil {
				r.SetSnapshot(portSnapshot(t, c.then))
			}
			if c.stale {
				r.Confirm(r.now.Add(-48*time.Hour), 0)
			}
			r.sends(renewing(alice, printer), c.renewal)
			r.sends(discover(alice, byCircuit("Gi1/0/1")), c.again)
			fresh := newPortRig(t, newMemStore(), portSnapshot(t))
			if c.then != nil {
				fresh.SetSnapshot(portSnapshot(t, c.then))
			}
			if c.stale {
				fresh.Confirm(fresh.now.Add(-48*time.Hour), 0)
			}
			if d, _ := fresh.Handle(t.Context(), discover(alice, byCircuit("Gi1/0/1")), nil); d.Reason == ReasonClaimed {
				t.Errorf("a new client gets %s", brief(d))
			}
		})
	}
}

// CL-16: the ids of an inventory are places in the file, so its ports are marked by
// their names, and a line above them ends no lease.
func TestAMarkOutlivesAnEditOfTheInventory(t *testing.T) {
	renamed := func(w *world) {
		w.late = append(w.late, func() { w.find("access1", "GigabitEthernet1/0/1").Name = "GigabitEthernet1/0/9" })
	}
	first := []part{device("aaa", port("eth0", "", on("10.0.0.99/24")))}
	const extended, over = "ACK D-12 10.0.0.80/24 claimed", "ACK D-12 10.0.0.80/24 claim_over"
	for name, c := range map[string]struct {
		named bool
		then  []part
		want  string
	}{
		"a device above the switch":    {true, append(first, plugged()...), extended},
		"another name of the port":     {true, plugged(renamed), over},
		"NetBox: another name":         {false, plugged(renamed), extended},
		"NetBox: another id":           {false, append(first, plugged()...), over},
		"a port that is there no more": {true, append(office(), address("10.0.0.80/24")), over},
	} {
		t.Run(name, func(t *testing.T) {
			opt := worldOptions
			opt.Serials, opt.Circuits, opt.NamedPorts = true, true, c.named
			r := newPortRig(t, newMemStore(), snapshot(t, opt, plugged()...))
			r.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed")
			r.sends(selecting(alice, "10.0.0.80", byCircuit("Gi1/0/1")), "ACK D-4 10.0.0.80/24 claimed")
			r.now = r.now.Add(30 * time.Minute)
			r.SetSnapshot(snapshot(t, opt, c.then...))
			r.sends(renewing(alice, "10.0.0.80"), c.want)
		})
	}
}

// CL-9, CL-16: the mark outlives a restart, and the owner gets its place.
func TestAnOwnerEndsALeaseByPort(t *testing.T) {
	store := newMemStore()
	r := newPortRig(t, store, portSnapshot(t))
	r.now = r.now.Add(idle)
	r.sends(discover(alice, byCircuit("Gi1/0/2")), "OFFER CL-6 10.0.0.81/24 claimed")
	r.sends(selecting(alice, "10.0.0.81", byCircuit("Gi1/0/2")), "ACK D-4 10.0.0.81/24 claimed")
	r.now = r.now.Add(30 * time.Minute)
	r.sends(renewing(alice, "10.0.0.81"), "ACK D-12 10.0.0.81/24 claimed")
	if err := r.KeepHeard(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := r.now
	r = newPortRig(t, store, portSnapshot(t), func(c *Config) { c.Now = func() time.Time { return later } })
	r.now = later
	r.sends(renewing(alice, "10.0.0.81"), "ACK D-12 10.0.0.81/24 claimed")
	r.sends(discover(bob, byCircuit("Gi1/0/2")), "OFFER D-1 10.0.0.10/24 new")
	later = later.Add(30 * time.Minute)
	r.sends(renewing(alice, "10.0.0.81"), "ACK D-12 10.0.0.81/24 claim_over")
	later = later.Add(31 * time.Minute)
	r.sends(discover(bob, byCircuit("Gi1/0/2")), "OFFER D-1 10.0.0.81/24 static")
	r.sends(discover(alice, byCircuit("Gi1/0/2")), "OFFER D-1 10.0.0.10/24 new")
}

// CL-16: what is not a lease by port any more has no mark.
func TestTheMarkOfAPortGoesWithItsLease(t *testing.T) {
	store := newMemStore()
	r := newPortRig(t, store, portSnapshot(t))
	r.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed")
	r.sends(selecting(alice, "10.0.0.80", byCircuit("Gi1/0/1")), "ACK D-4 10.0.0.80/24 claimed")
	r.sends(message(Release, alice, has("10.0.0.80"), unicast(), to(serverAddr)), "accepted, no reply D-19 10.0.0.80/24 released")
	if l := store.get("10.0.0.80"); l.ByPort || l.InterfaceID != 0 || l.InterfaceKind != 0 || l.State != Released {
		t.Errorf("stored: %+v", l)
	}
	again := newPortRig(t, newMemStore(), portSnapshot(t, address("10.0.0.61/24", reservedID("\x00p"))))
	again.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed")
	again.sends(selecting(alice, "10.0.0.80", byCircuit("Gi1/0/1")), "ACK D-4 10.0.0.80/24 claimed")
	pooled := func(w *world) {
		w.late = append(w.late, func() {
			for _, a := range w.o.Addresses {
				if a.Address.Addr().String() == "10.0.0.80" {
					a.Tags, a.Interface = []int64{tagDynamic}, ipam.InterfaceID{}
				}
			}
		})
	}
	again.SetSnapshot(portSnapshot(t, pooled))
	again.sends(renewing(alice, "10.0.0.80"), "ACK D-12 10.0.0.80/24 bound")
	if l := again.store.get("10.0.0.80"); l.ByPort || l.InterfaceID != 0 {
		t.Errorf("stored: %+v", l)
	}
}

// CL-18: a known device behind another one's cable is found, and served as before.
func TestAWrongCableIsFound(t *testing.T) {
	for _, c := range []struct {
		name string
		m    ClientMessage
		want string
		is   bool
	}{
		{"another device's cable", discover(web, byCircuit("Gi1/0/1")), "OFFER D-1 10.0.0.5/24 static", true},
		{"its own cable", discover(bob, byCircuit("Gi1/0/2")), "OFFER D-1 10.0.0.81/24 static", false},
		{"a port without cable", discover(web, byCircuit("Gi1/0/5")), "OFFER D-1 10.0.0.5/24 static", false},
		{"a stranger", discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed", false},
		{"a virtual machine", discover(carol, byCircuit("Gi1/0/1")), "OFFER D-1 10.0.0.91/24 static", false},
		{"a relay that is not listed", discover(web, byCircuit("Gi1/0/1"), via("10.0.0.1")), "OFFER D-1 10.0.0.5/24 static", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newWorld(plugged(virtual("vm1", port("eth0", string(carol), on("10.0.0.91/24"))))...)
			for id, mac := range o.MACs {
				if mac.MAC.String() == string(carol) && mac.Interface.Kind == ipam.Device {
					delete(o.MACs, id)
				}
			}
			s, _ := ipam.Build(o, ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway", Circuits: true})
			d := newPortRig(t, newMemStore(), s).sends(c.m, c.want)
			if d.WrongCable() != c.is {
				t.Errorf("wrong cable %v: %+v", d.WrongCable(), d.Circuit)
			}
		})
	}
}

// CL-13, CL-19: a circuit that does not count gets, in each state, the very answer of
// a client without option 82.
func TestForgedCircuitsGetWhatAStrangerGets(t *testing.T) {
	const printer = "10.0.0.80"
	off := func(change func(*Policy)) setup { return policy(change) }
	for name, c := range map[string]struct {
		forged []field
		setups []setup
	}{
		"a client without a relay":                   {forged: []field{at("eth0", "10.0.0.2")}},
		"a relay that is not listed":                 {forged: []field{via("10.0.0.1")}},
		"a listed giaddr from the client":            {forged: []field{from("10.0.0.99")}},
		"a listed giaddr from another relay":         {forged: []field{from("10.9.0.1")}},
		"a listed giaddr from a client at boot":      {forged: []field{from("0.0.0.0")}},
		"a listed giaddr on a stock server":          {forged: []field{func(m *ClientMessage) { m.Delivery = DeliveryUnknown }}},
		"a client whose address in a pool is listed": {[]field{byCircuit("Gi1/0/1", "access1"), via("10.0.0.10")}, []setup{off(func(p *Policy) { p.Circuits.Relays = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} })}},
		"a remote-id of another switch":              {forged: []field{byCircuit("Gi1/0/1", "edge1")}},
		"a circuit of another switch":                {forged: []field{byCircuit("edge1:Gi1/0/1:default")}},
		"no relay in the list":                       {setups: []setup{off(func(p *Policy) { p.Circuits.Relays = nil })}},
		"claims by port off":                         {setups: []setup{off(func(p *Policy) { p.Claims.Port = false })}},
		"no prefix where claims count":               {setups: []setup{off(func(p *Policy) { p.Claims.Prefixes = nil })}},
		"claims in another prefix":                   {setups: []setup{off(func(p *Policy) { p.Claims.Prefixes = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")} })}},
		"formats without this one": {setups: []setup{off(func(p *Policy) {
			p.Circuits.Formats, _ = circuit.ParseFormats([]string{"cisco"})
		})}},
	} {
		t.Run(name, func(t *testing.T) {
			for state, m := range map[string]func(...field) ClientMessage{
				"DISCOVER":    func(f ...field) ClientMessage { return discover(alice, f...) },
				"SELECTING":   func(f ...field) ClientMessage { return selecting(alice, printer, f...) },
				"INIT-REBOOT": func(f ...field) ClientMessage { return request(alice, append(f, wants(printer))...) },
				"REBINDING":   func(f ...field) ClientMessage { return request(alice, append(f, has(printer))...) },
				"DECLINE": func(f ...field) ClientMessage {
					return message(Decline, alice, append(f, wants(printer), to(serverAddr))...)
				},
				"INFORM": func(f ...field) ClientMessage { return message(Inform, alice, append(f, has("10.0.0.99"))...) },
			} {
				for held, stored := range map[string][]Lease{"free": nil, "leased": {bound(printer, bob, time.Hour)}} {
					var got [2]string
					forged := append([]field{byCircuit("Gi1/0/1")}, c.forged...)
					without := append(forged[:len(forged):len(forged)], func(m *ClientMessage) { m.Circuit, m.Remote = nil, nil })
					for i, fields := range [][]field{forged, without} {
						r := newPortRig(t, newMemStore(stored...), portSnapshot(t), c.setups...)
						d, err := r.Handle(t.Context(), m(fields...), nil)
						if err != nil {
							t.Fatal(err)
						}
						got[i] = brief(d)
					}
					if got[0] != got[1] {
						t.Errorf("%s, %s: %s, and a stranger gets %s", state, held, got[0], got[1])
					}
				}
			}
		})
	}
	r := newPortRig(t, newMemStore(), portSnapshot(t))
	r.sends(discover(alice, byCircuit("Gi1/0/1")), "OFFER CL-6 10.0.0.80/24 claimed") // what they would get
}

// CL-13: the sender may be another address of the relay's device, or listed.
func TestWhoProvesACircuit(t *testing.T) {
	s := portSnapshot(t, device("core", port("a", "", on("10.0.0.252/24"), on("10.9.0.252/24"))))
	listed := func(c *Config) {
		c.Policy.Circuits.Relays = append(c.Policy.Circuits.Relays, netip.MustParsePrefix("10.0.0.252/32"), netip.MustParsePrefix("10.7.0.0/16"))
	}
	for sender, want := range map[string]bool{accessRelay: true, "10.7.1.1": true, "10.9.0.252": false} {
		d := newPortRig(t, newMemStore(), s, listed).sends(discover(alice, byCircuit("Gi1/0/1"), from(sender)), map[bool]string{
			true: "OFFER CL-6 10.0.0.80/24 claimed", false: "OFFER D-1 10.0.0.10/24 new"}[want])
		if (d.Circuit != nil) != want {
			t.Errorf("%s: circuit %+v", sender, d.Circuit)
		}
	}
	m := discover(alice, byCircuit("Gi1/0/1", "access1"), via("10.0.0.252"), from("10.9.0.252"))
	newPortRig(t, newMemStore(), s, listed).sends(m, "OFFER CL-6 10.0.0.80/24 claimed")
}

// CL-13: a client whose address is in a listed prefix is no relay, also where it has
// that address by a claim.
func TestAClientIsNoRelay(t *testing.T) {
	lists := policy(func(p *Policy) { p.Circuits.Relays = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} })
	s := portSnapshot(t)
	for name, c := range map[string]struct {
		lease Lease
		want  string
	}{
		"the address is leased":        {bound("10.0.0.86", alice, time.Hour), "OFFER D-1 10.0.0.10/24 new"},
		"the lease of it has ended":    {bound("10.0.0.86", alice, -time.Hour), "OFFER CL-6 10.0.0.80/24 claimed"},
		"the lease of it was given up": {released("10.0.0.86", alice, time.Hour), "OFFER CL-6 10.0.0.80/24 claimed"},
	} {
		t.Run(name, func(t *testing.T) {
			forged := discover(nth(9), byCircuit("Gi1/0/1", "access1"), via("10.0.0.86"), from("10.0.0.86"))
			newPortRig(t, newMemStore(c.lease), s, lists).sends(forged, c.want)
		})
	}
}
