package follow

import (
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestAHintIsFollowedAtOnce(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	s.Edit(t, "ipam/ip-addresses", id, map[string]any{"status": "reserved"})
	s.ForgetRequests()
	for range 100 {
		w.Hint("ipam.ipaddress", id) // a bulk write sends many
	}
	w.Hint("circuits.circuit", 1)
	w.Hint("ipam.ipaddress", -1)
	w.Hint("dcim.device", 99999) // none of ours
	if w.followHints(t.Context()) {
		t.Error("a whole poll was called for")
	}
	if got := w.address("10.0.0.100").Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	s.Delete(t, "ipam/ip-addresses", id)
	w.Hint("ipam.ipaddress", id)
	w.followHints(t.Context())
	if a := w.address("10.0.0.100"); a.Loss != ipam.Lost { // the record of the deletion comes with the next poll (T-1)
		t.Errorf("%+v, want it lost", a)
	}
	w.Hint("ipam.prefix", 1)
	if !w.followHints(t.Context()) {
		t.Error("a small table changed, and no poll was called for")
	}
}

func TestAFloodOfHintsBecomesOnePoll(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	for id := range int64(2 * maxHints) {
		w.Hint("ipam.ipaddress", id+1)
	}
	if !w.followHints(t.Context()) {
		t.Error("no poll was called for")
	}
	if len(w.hints.told) != 0 {
		t.Errorf("%d hints left", len(w.hints.told))
	}
}
