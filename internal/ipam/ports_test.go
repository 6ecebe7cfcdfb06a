package ipam

import (
	"slices"
	"strings"
	"testing"
)

// cable connects two ports.
func cable(a, b *Interface) { a.FarEnd, b.FarEnd = b.ID, a.ID }

// patched is a switch (device 1) with two ports; the first leads to a server
// (device 2) with an address.
func patched(change func(port, nic *Interface, o *Objects)) *Snapshot {
	port, other, nic := devicePort(10, 1, 0), devicePort(11, 1, 0), devicePort(20, 2, 0)
	cable(port, nic)
	o := tables(port, other, nic, &Machine{ID: MachineID{Device, 1}}, &Machine{ID: MachineID{Device, 2}},
		network(1, "10.0.0.0/24", 0), with(host(1, "10.0.0.5/24"), func(a *Address) { a.Interface = nic.ID }))
	change(port, nic, o)
	s, _ := Build(o, Options{Circuits: true})
	return s
}

// A place is the far end of a cable path that is whole, with one interface at each
// end, and that NetBox shows (CL-20, T-1).
func TestFarEndOfACable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(port, nic *Interface, o *Objects)
		want   bool
	}{
		"both ends agree":                       {func(_, _ *Interface, _ *Objects) {}, true},
		"no cable":                              {func(a, b *Interface, _ *Objects) { a.FarEnd, b.FarEnd = InterfaceID{}, InterfaceID{} }, false},
		"the far end has several ends":          {func(_, b *Interface, _ *Objects) { b.FarEnd = InterfaceID{} }, false},
		"this end has several ends":             {func(a, _ *Interface, _ *Objects) { a.FarEnd = InterfaceID{} }, false},
		"the far end says another port":         {func(_, b *Interface, _ *Objects) { b.FarEnd.ID = 11 }, false},
		"the far end was not read":              {func(_, b *Interface, o *Objects) { delete(o.Interfaces, b.ID) }, false},
		"the far end vanished":                  {func(_, b *Interface, _ *Objects) { b.Loss = Lost }, false},
		"the port vanished":                     {func(a, _ *Interface, _ *Objects) { a.Loss = Lost }, false},
		"the machine at the far end vanished":   {func(_, b *Interface, o *Objects) { o.Machines[b.Machine].Loss = Lost }, false},
		"the switch vanished":                   {func(a, _ *Interface, o *Objects) { o.Machines[a.Machine].Loss = Ended }, false},
		"the machine at the far end is unknown": {func(_, b *Interface, o *Objects) { delete(o.Machines, b.Machine) }, false},
		"a cable from a port to itself":         {func(a, _ *Interface, _ *Objects) { a.FarEnd = a.ID }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := patched(c.change)
			got := s.FarEnd(InterfaceID{Device, 10})
			if got != nil != c.want {
				t.Fatalf("far end %v, want one: %v", got, c.want)
			}
			if c.want && (got.ID.ID != 20 || hosts(s.Assigned(got.ID)) != "10.0.0.5") {
				t.Errorf("far end %v with %s", got.ID, hosts(s.Assigned(got.ID)))
			}
		})
	}
}

// All ports of a switch are there, also one that vanished, whose name may be the one
// that a circuit means (CL-21).
func TestPortsOfASwitch(t *testing.T) {
	s := patched(func(_, _ *Interface, o *Objects) { o.Interfaces[InterfaceID{Device, 11}].Loss = Lost })
	ports := s.PortsOf(MachineID{Device, 1})
	if len(ports) != 2 || ports[0].ID.ID != 10 || ports[1].ID.ID != 11 {
		t.Errorf("ports %v, want 10 and 11", ports)
	}
	s = patched(func(_, _ *Interface, o *Objects) { o.Interfaces[InterfaceID{Device, 11}].Loss = Ended })
	if ports := s.PortsOf(MachineID{Device, 1}); len(ports) != 1 {
		t.Errorf("ports %v, want only the one that was not deleted", ports)
	}
	s, _ = Build(s.Objects(), Options{})
	if ports := s.PortsOf(MachineID{Device, 1}); ports != nil {
		t.Errorf("ports %v, although nothing asks for circuits", ports)
	}
}

// Cables to what NetBox does not show are told once, with the first of them; what
// vanished has alarms of its own (CL-24).
func TestHiddenFarEndsAreTold(t *testing.T) {
	told := func(change func(port, nic *Interface, o *Objects)) string {
		_, problems := Build(patched(change).Objects(), Options{Circuits: true})
		i := slices.IndexFunc(problems, func(p Problem) bool { return p.Object == "cables" })
		if i < 0 {
			return ""
		}
		return problems[i].Text
	}
	for name, c := range map[string]struct {
		change func(port, nic *Interface, o *Objects)
		want   string
	}{
		"all is shown":     {func(_, _ *Interface, _ *Objects) {}, ""},
		"hidden interface": {func(_, nic *Interface, o *Objects) { delete(o.Interfaces, nic.ID) }, "1 lead to interfaces or devices that NetBox does not show, the first one from eth of sw1:"},
		"hidden device":    {func(_, nic *Interface, o *Objects) { delete(o.Machines, nic.Machine) }, "1 lead to interfaces or devices"},
		"a vanished end":   {func(_, nic *Interface, _ *Objects) { nic.Loss = Lost }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(func(port, nic *Interface, o *Objects) {
				o.Machines[port.Machine].Name = "sw1"
				c.change(port, nic, o)
			})
			if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}
