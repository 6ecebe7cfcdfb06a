package ipam

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// reservedBy is an address without a device whose field has the text given.
func reservedBy(id int64, cidr, mac string, edits ...func(*Address)) *Address {
	a := host(id, cidr)
	a.Reserved = ParseReservation(ReservationField{Name: "res_mac", Text: mac}, ReservationField{})
	for _, edit := range edits {
		edit(a)
	}
	return a
}

// CL-1, CL-3: what the field may say.
func TestWhatTheFieldOfAReservationSays(t *testing.T) {
	mac := MAC{0x52, 0x54, 0, 0, 0, 0x0a}
	for _, c := range []struct {
		text string
		want MAC
		bad  bool
	}{
		{"52:54:00:00:00:0a", mac, false},
		{" 5254.0000.000A ", mac, false},
		{"52-54-00-00-00-0A", mac, false},
		{"52540000000a", mac, false},
		{"52:54:00:00:00", MAC{}, true},
		{"printer", MAC{}, true},
		{"00:00:00:00:00:00", MAC{}, true}, // the mark of a quarantine
		{"ff:ff:ff:ff:ff:ff", MAC{}, true},
		{"01:00:5e:00:00:01", MAC{}, true}, // a group (I-2)
	} {
		r := ParseReservation(ReservationField{"res_mac", c.text}, ReservationField{"res_id", ""})
		if r == nil || r.MAC != c.want || (r.Trouble != "") != c.bad || c.bad && !strings.Contains(r.Trouble, "field res_mac: want the MAC") {
			t.Errorf("%q: %+v", c.text, r)
		}
	}
	for _, empty := range []string{"", "  "} {
		if r := ParseReservation(ReservationField{"res_mac", empty}, ReservationField{"res_id", empty}); r != nil {
			t.Errorf("%q: %+v, want nothing", empty, r)
		}
	}
}

// CL-4: option 61 is written as switches and servers show it, type byte included.
func TestAClientIdentifierInAField(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"01:52:54:00:00:00:0a", "\x01\x52\x54\x00\x00\x00\x0a"},
		{"0152.5400.0000.0a", "\x01\x52\x54\x00\x00\x00\x0a"},
		{"01-52-54-00-00-00-0A", "\x01\x52\x54\x00\x00\x00\x0a"},
		{"0x00632d61", "\x00c-a"},
		{"ff56504d", "\xffVPM"},
		{`"c-a"`, "c-a"},
		{"c-a", ""},
		{"01", ""},
		{`"c`, ""},
		{`"a"b"`, ""},
		{"012", ""},
	} {
		r := ParseReservation(ReservationField{"res_mac", ""}, ReservationField{"res_id", c.text})
		if r == nil || r.ClientID != c.want || (r.Trouble == "") != (c.want != "") || c.want == "" && !strings.Contains(r.Trouble, "field res_id: want the 2 to 255 bytes") {
			t.Errorf("%q: %+v, want %q", c.text, r, c.want)
		}
	}
	both := ParseReservation(ReservationField{"res_mac", "52:54:00:00:00:0a"}, ReservationField{"res_id", "c1c2"})
	if both.ClientID != "" || !both.MAC.Unicast() {
		t.Errorf("both fields: %+v, want the MAC alone", both)
	}
}

func FuzzParseReservation(f *testing.F) {
	for _, text := range []string{"", "52:54:00:00:00:0a", "5254.0000.000a", "x", `"container-a"`, "0x00ff"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, mac, id string) {
		r := ParseReservation(ReservationField{"res_mac", mac}, ReservationField{"res_id", id})
		if r == nil {
			return
		}
		identified := len(r.ClientID) >= minClientID && len(r.ClientID) <= maxClientID
		if r.Trouble == "" && r.MAC.Unicast() == identified || r.Trouble != "" && (r.MAC != MAC{} || r.ClientID != "") {
			t.Errorf("%q, %q: %+v", mac, id, r)
		}
	})
}

// CL-3: fields that reserve nothing are told with the address and what to do, and
// cost no other address.
func TestFieldsThatReserveNothingAreTold(t *testing.T) {
	const mac = "52:54:00:00:00:0a"
	port := &Interface{ID: InterfaceID{Device, 1}, Name: "eth0", Machine: MachineID{Device, 1}}
	for _, c := range []struct {
		name string
		rows []any
		want string // in the only problem; empty: none
	}{
		{"an address without a device", []any{reservedBy(1, "10.0.0.5/24", mac)}, ""},
		{"status dhcp", []any{reservedBy(1, "10.0.0.5/24", mac, func(a *Address) { a.Status = "dhcp" })}, ""},
		{"words", []any{reservedBy(1, "10.0.0.5/24", "printer")}, `field res_mac: want the MAC of one machine such as 52:54:00:00:00:01, not "printer"`},
		{"assigned", []any{port, &Machine{ID: MachineID{Device, 1}, Name: "web1"}, reservedBy(1, "10.0.0.5/24", mac, func(a *Address) { a.Interface = port.ID })},
			"it is assigned to device web1 interface eth0"},
		{"of the mirror", []any{reservedBy(1, "10.0.0.5/24", mac, func(a *Address) { a.Managed = true })}, "the mirror of Windows servers manages it"},
		{"two objects", []any{reservedBy(1, "10.0.0.5/24", mac), host(2, "10.0.0.5/24")}, "another object has the same address"},
		{"deprecated", []any{reservedBy(1, "10.0.0.5/24", mac, func(a *Address) { a.Status = "deprecated" })}, "its status is deprecated"},
		{"shared", []any{reservedBy(1, "10.0.0.5/24", mac, func(a *Address) { a.Role = "vrrp" })}, "its role is vrrp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, problems := Build(tables(append(c.rows, network(9, "10.0.0.0/24", 0), reservedBy(8, "10.0.0.9/24", "52:54:00:00:00:0b"))...), usual)
			problems = slices.DeleteFunc(problems, func(p Problem) bool { return !strings.Contains(p.Text, "CL-3") })
			found := s.ReservedFor(MAC{0x52, 0x54, 0, 0, 0, 0x0a})
			switch {
			case c.want == "" && (len(problems) != 0 || len(found) != 1):
				t.Errorf("problems %v, found %d", problems, len(found))
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), "IP address 10.0.0.5/24 (id 1): ") || !strings.Contains(problems[0].Text, c.want)):
				t.Errorf("problems %v, want %q", problems, c.want)
			case c.want != "" && len(found) != 0:
				t.Error("it is found all the same")
			case len(s.ReservedFor(MAC{0x52, 0x54, 0, 0, 0, 0x0b})) != 1:
				t.Error("the other address is lost")
			}
		})
	}
}

// CL-2: whatever its tag says, and also where the field is no MAC.
func TestAnAddressThatNamesAClientIsInNoPool(t *testing.T) {
	tagged := func(a *Address) { a.Tags = []int64{1} }
	s, _ := Build(tables(network(9, "10.0.0.0/24", 0),
		reservedBy(1, "10.0.0.5/24", "52:54:00:00:00:0a", tagged), reservedBy(2, "10.0.0.6/24", "printer", tagged), reservedBy(3, "10.0.0.7/24", "", tagged)), usual)
	pool := s.Dynamic(0)
	if len(pool) != 1 || pool[0].ID != 3 {
		t.Errorf("the pool has %v, want the address with the empty field", pool)
	}
}

// T-4: a host that is known by the field alone counts as one that an edit takes its
// address from.
func TestAReservationIsAClaimOfItsMAC(t *testing.T) {
	s, _ := Build(tables(network(9, "10.0.0.0/24", 0), reservedBy(1, "10.0.0.5/24", "52:54:00:00:00:0a")), usual)
	claims := s.Claims(nil, time.Time{})
	if c := claims[Claim{Addr: host(1, "10.0.0.5/24").Address.Addr()}]; len(c.MACs) != 1 || c.MACs[0] != (MAC{0x52, 0x54, 0, 0, 0, 0x0a}) {
		t.Errorf("claims %v", claims)
	}
}
