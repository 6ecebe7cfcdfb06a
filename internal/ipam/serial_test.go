package ipam

import (
	"strings"
	"testing"
)

// CL-5: a serial number leads to one device or to none.
func TestADeviceIsFoundByItsSerialNumber(t *testing.T) {
	device := func(id int64, serial string, loss Loss) *Machine {
		return &Machine{ID: MachineID{Device, id}, Name: "d", Serial: serial, Loss: loss}
	}
	vm := &Machine{ID: MachineID{VirtualMachine, 1}, Serial: "VM12345"}
	o := tables(device(1, "FOC2221A0BC", Present), device(2, " jpe1222 ", Present), device(3, "TWICE01", Present), device(4, "twice01", Present),
		device(5, "", Present), device(6, "", Present), device(7, "GONE001", Lost), vm)
	s, problems := Build(o, Options{Serials: true})
	for serial, want := range map[string]int64{"FOC2221A0BC": 1, "foc2221a0bc": 1, "JPE1222": 2, "TWICE01": 0, "": 0, "GONE001": 0, "VM12345": 0, "FOC2221A0B": 0} {
		got := int64(0)
		if m := s.DeviceWithSerial(serial); m != nil {
			got = m.ID.ID
		}
		if got != want {
			t.Errorf("%q leads to device %d, want %d", serial, got, want)
		}
	}
	if len(problems) != 1 || !strings.Contains(problems[0].String(), `device d (id 4): device d (id 3) has the same serial number "twice01"`) {
		t.Errorf("problems: %v", problems)
	}
	if s, _ := Build(o, Options{}); s.DeviceWithSerial("FOC2221A0BC") != nil {
		t.Error("found although serial numbers do not count")
	}
}
