package lease

import (
	"strings"
	"testing"
)

// I-8: an address of a known machine on its wire that does not count is named
// with the reason, in every message, unless the machine has one that counts.
func TestPassedOverAddressesAreNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		of   []assigned
		want PassedReason // "" for none
	}{
		{"deprecated", []assigned{on("10.0.0.5/24", status("deprecated"))}, PassedStatus},
		{"a status of people's own", []assigned{on("10.0.0.5/24", status("planned"))}, PassedStatus},
		{"slaac", []assigned{on("10.0.0.5/24", status("slaac"))}, PassedStatus},
		{"of the mirror", []assigned{on("10.0.0.5/24", status("dhcp"), managed())}, PassedMirror},
		{"vip", []assigned{on("10.0.0.5/24", role("vip"))}, PassedRole},
		{"another VRF", []assigned{on("10.0.0.5/24", inVRF("blue"))}, PassedVRF},
		{"the broadcast address", []assigned{on("10.0.0.255/24")}, PassedHost},
		{"two: the first is told", []assigned{on("10.0.0.5/24", role("vip")), on("10.0.0.6/24", status("deprecated"))}, PassedRole},
		{"one that counts beside it", []assigned{on("10.0.0.5/24", role("vip")), on("10.0.0.6/24")}, ""},
		{"one that counts in front of it", []assigned{on("10.0.0.4/24"), on("10.0.0.5/24", role("vip"))}, ""},
		{"in another network", []assigned{on("10.9.0.5/24", status("deprecated"))}, ""},
		{"dynamic", []assigned{on("10.0.0.5/24", tagged())}, ""},
		{"none", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, lan(device("web1", port("eth0", string(web), c.of...)))...)
			for _, m := range []ClientMessage{discover(web), selecting(web, "10.0.0.77"), request(web, wants("10.0.0.77")), renewing(web, "10.0.0.77")} {
				d := newRig(t, newMemStore(), s).handle(m)
				if d.Passed.Why != c.want || (d.Passed.Address == nil) != (c.want == "") {
					t.Errorf("%s: passed over %+v, want %q", m.Type, d.Passed, c.want)
				}
			}
		})
	}
	bridge := snapshot(t, worldOptions, lan(device("pve", bridged("vmbr0", "eno1", string(web)), port("vmbr0", "", on("10.0.0.5/24", role("vip")))))...)
	if d := newRig(t, newMemStore(), bridge).handle(discover(web)); d.Passed.Why != PassedRole || d.Passed.Address.Address.String() != "10.0.0.5/24" {
		t.Errorf("on a bridge: %+v", d.Passed)
	}
	if d := newRig(t, newMemStore(), bridge).handle(discover(alice)); d.Passed != (PassedOver{}) {
		t.Errorf("a stranger: %+v", d.Passed)
	}
}

// N-5: explain says where an address is that NetBox has in another VRF, or that
// it has none.
func TestExplainSpeaksOfOtherVRFs(t *testing.T) {
	s := snapshot(t, worldOptions, lan(address("10.0.0.20/24", inVRF("blue")), address("10.0.0.20/24", inVRF("red")), address("10.0.0.21/24"))...)
	for addr, want := range map[string]string{
		"10.0.0.20": "NetBox has 10.0.0.20 in blue, red only, and the client's network is in global table",
		"10.0.0.22": "NetBox has no IP address 10.0.0.22",
		"10.0.0.21": "",
	} {
		for _, m := range []ClientMessage{selecting(alice, addr), request(alice, wants(addr)), renewing(alice, addr)} {
			_, trace := newRig(t, newMemStore(), s).Explain(m)
			if got := trace.String(); want != "" && !strings.Contains(got, want) || want == "" && strings.Contains(got, "NetBox has 10.") {
				t.Errorf("%s of %s:\n%s", m.Type, addr, got)
			}
		}
	}
}
