package follow

import (
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-5: without the change log, a row that is missing between two that are shown
// ends after a while; one whose neighbours are missing, too, does not.
func TestWithoutTheChangeLogALoneRowEnds(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V45)
	narrow(s, false, nil)
	w := follow(t, s, limited)
	w.must(t)
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	w.clock = w.clock.Add(sweepEvery)
	w.must(t)
	if a := w.address("10.0.0.100"); a == nil || a.Loss != ipam.Lost {
		t.Fatalf("%+v, want it lost", a)
	}
	published := w.published
	w.pass(t, 2*time.Hour, 5*time.Minute)
	if a := w.address("10.0.0.100"); a == nil || a.Loss != ipam.Ended {
		t.Errorf("%+v, want it ended", a)
	}
	if w.published > published+2 {
		t.Errorf("%d snapshots for one change", w.published-published)
	}
	s.Delete(t, "virtualization/virtual-machines", seeded.ID(t, "virtualization/virtual-machines", "vm1"))
	w.pass(t, 2*time.Hour, 5*time.Minute)
	if a := w.address("10.0.0.6"); a == nil || a.Loss == ipam.Present {
		t.Errorf("%+v, want it lost or ended", a)
	}
	var told int
	for _, line := range w.lines(logrus.WarnLevel) {
		if strings.Contains(line, "core.objectchange") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the missing permission is named %d times, want once", told)
	}
}

// T-5: a site of three rows, of which the token sees the first.
func TestASmallSiteHasTheGuardToo(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47})
	netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.0.0/24", Status: "active"}},
		IPs:      []netboxtest.IP{{Address: "10.0.0.1/24"}, {Address: "10.0.0.2/24"}, {Address: "10.0.0.3/24"}},
	})
	narrow(s, false, nil)
	w := follow(t, s, limited)
	w.must(t)
	narrow(s, false, []int64{1}, netbox.Addresses)
	w.pass(t, 26*time.Hour, 2*time.Hour)
	if got := w.shown(netbox.Addresses); got[ipam.Lost] != 2 || got[ipam.Present] != 1 {
		t.Errorf("%v, want two of three lost", got)
	}
	if !w.snapshot.Doubtful() {
		t.Error("clients can be refused although most of the site vanished") // T-3
	}
}
