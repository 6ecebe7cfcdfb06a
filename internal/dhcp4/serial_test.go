package dhcp4

import (
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// text is an option with a text.
func text(code uint8, s string) dhcpv4.Modifier { return dhcp4test.Raw(code, []byte(s)...) }

// vivso is option 125 of one enterprise.
func vivso(enterprise string, data string) string {
	return enterprise + string([]byte{byte(len(data))}) + data
}

// CL-11: where vendors put the serial number, and what is none.
func TestTheSerialNumberOfAClient(t *testing.T) {
	const forum, other = "\x00\x00\x0d\xe9", "\x00\x00\x00\x09"
	device := "\x01\x06001B54" + "\x02\x0bCP2204H01AB" + "\x03\x03CPE"
	for _, c := range []struct {
		name string
		sent []dhcpv4.Modifier
		want string
	}{
		{"nothing", nil, ""},
		{"Arista in 60", []dhcpv4.Modifier{text(60, "Arista;DCS-7050S-64;01.23;JPE12221671")}, "JPE12221671"},
		{"Arista without one", []dhcpv4.Modifier{text(60, "Arista;DCS-7050S-64")}, ""},
		{"Juniper in 60", []dhcpv4.Modifier{text(60, "Juniper-ptx1000-DD576")}, "DD576"},
		{"Juniper in 60, a dash in the model", []dhcpv4.Modifier{text(60, "Juniper-qfx10002-36q-DN817")}, "DN817"},
		{"Juniper in 60, with colons", []dhcpv4.Modifier{text(60, "Juniper:ex2300-c:HV3618")}, "HV3618"},
		{"Juniper in 12", []dhcpv4.Modifier{text(60, "Juniper-qfx10008"), text(12, "DE123")}, "DE123"},
		{"ZPE in 60", []dhcpv4.Modifier{text(60, "ZPESystems:NSC:002251623")}, "002251623"},
		{"Ciena in 61", []dhcpv4.Modifier{text(60, "1271-23422Z11-123"), text(61, "M1234567")}, "M1234567"},
		{"Firepower in 61", []dhcpv4.Modifier{text(60, "FPR4100"), text(61, "JMX2525X0BW")}, "JMX2525X0BW"},
		{"Cisco in 124", []dhcpv4.Modifier{text(124, vivso(other, "SN:FOC2221A0BC;PID:NCS-5501"))}, "FOC2221A0BC"},
		{"a virtual router in 124", []dhcpv4.Modifier{text(124, vivso(other, "SN:0;PID:R-IOSXRV9000-CC"))}, ""},
		{"Broadband Forum in 125", []dhcpv4.Modifier{text(125, vivso(forum, device))}, "CP2204H01AB"},
		{"the second enterprise in 125", []dhcpv4.Modifier{text(125, vivso(other, "\x02\x04abcd")+vivso(forum, device))}, "CP2204H01AB"},
		{"another enterprise in 125", []dhcpv4.Modifier{text(125, vivso(other, device))}, ""},
		{"125 cut off", []dhcpv4.Modifier{text(125, vivso(forum, device)[:20])}, ""},
		{"a second enterprise cut off", []dhcpv4.Modifier{text(125, vivso(forum, device)+"\x00\x00\x0d")}, ""},
		{"padded with zeros", []dhcpv4.Modifier{text(60, "Arista;x;1;JPE12221671\x00")}, "JPE12221671"},
		{"control bytes", []dhcpv4.Modifier{text(60, "Arista;x;1;JPE\x1b[2J1671")}, ""},
		{"too long for NetBox", []dhcpv4.Modifier{text(60, "Arista;x;1;0123456789012345678901234567890123456789012345678901")}, ""},
		{"POAP in 61", []dhcpv4.Modifier{text(61, "\x00SAL1819S6LU")}, "SAL1819S6LU"},
		{"POAP beside a class of another maker", []dhcpv4.Modifier{text(60, "Arista;x;1;JPE12221671"), text(61, "\x00SAL1819S6LU")}, "JPE12221671"},
		{"POAP, a letter too many", []dhcpv4.Modifier{text(61, "\x00SAL1819S6LUX")}, ""},
		{"POAP without type", []dhcpv4.Modifier{text(61, "SAL1819S6LU")}, ""},
		{"POAP with another type", []dhcpv4.Modifier{text(61, "\x01SAL1819S6LU")}, ""},
		{"POAP, no year and week", []dhcpv4.Modifier{text(61, "\x00SAL18X9S6LU")}, ""},
		{"POAP, lower case", []dhcpv4.Modifier{text(61, "\x00sal1819S6LU")}, ""},
		{"what IOS has in 61", []dhcpv4.Modifier{text(61, "\x00cisco-001b.5401.0203-Vl1")}, ""},
		{"a host name alone is none", []dhcpv4.Modifier{text(12, "DE123")}, ""},
		{"an identifier alone is none", []dhcpv4.Modifier{text(61, "JMX2525X0BW")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Serial(Of(dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, c.sent...))); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// FuzzSerial: what any bytes give is none, or can be one in NetBox.
func FuzzSerial(f *testing.F) {
	f.Add("Juniper-qfx10008", "DE123", []byte("x"), []byte(vivso("\x00\x00\x00\x09", "SN:FOC2221A0BC")), []byte(vivso("\x00\x00\x0d\xe9", "\x02\x04abcd")))
	f.Add("", "", []byte("\x00SAL1819S6LU"), []byte{}, []byte{})
	f.Add("Juniper-", "", []byte{}, []byte{}, []byte("\x00\x00\x0d\xe9\xff"))
	f.Fuzz(func(t *testing.T, class, host string, id, classes, specific []byte) {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
		for code, value := range map[uint8][]byte{60: []byte(class), 12: []byte(host), 61: id, 124: classes, 125: specific} {
			req.Options[code] = value
		}
		if s := Serial(Of(req)); s != "" && (len(s) < minSerial || len(s) > maxSerial || cleanSerial(s) != s) {
			t.Errorf("%q", s)
		}
	})
}
