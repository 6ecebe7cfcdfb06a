package follow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

const limited = "limited000000000000000000000000000000000"

// narrow lets the limited token see only some objects of the tables.
func narrow(s *netboxtest.Server, withLog bool, ids []int64, hidden ...netbox.Table) {
	grants := reading()
	if withLog {
		grants = append(grants, netboxtest.Grant{Object: "core.objectchange"})
	}
	for i := range grants {
		if slices.ContainsFunc(hidden, func(e netbox.Table) bool { return e.Model() == grants[i].Object }) {
			grants[i].IDs = ids
		}
	}
	s.Permit(limited, grants...)
}

var nothing = []int64{1 << 40}

// shown are the rows of one table in a snapshot, by their loss.
func (w *watch) shown(e netbox.Table) map[ipam.Loss]int {
	n := make(map[ipam.Loss]int)
	rowsOf(e).each(w.snapshot.Objects(), func(_ int64, value any) {
		switch v := value.(type) {
		case *ipam.VRF:
			n[v.Loss]++
		case *ipam.Prefix:
			n[v.Loss]++
		case *ipam.Address:
			n[v.Loss]++
		case *ipam.MACAddress:
			n[v.Loss]++
		case *ipam.Interface:
			n[v.Loss]++
		case *ipam.Machine:
			n[v.Loss]++
		case *ipam.Tag:
			n[v.Loss]++
		}
	})
	return n
}

// pass lets time go by, with a cycle every so often.
func (w *watch) pass(t *testing.T, whole, step time.Duration) {
	t.Helper()
	for end := w.clock.Add(whole); w.clock.Before(end); {
		w.clock = w.clock.Add(step)
		w.must(t)
	}
}

// T-1: whatever way a table disappears by, its rows serve on; and they are as
// before once they are shown again.
func TestWhatVanishesIsKept(t *testing.T) {
	for _, e := range guardedTables() {
		for _, withLog := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, change log %v", e, withLog), func(t *testing.T) {
				t.Parallel()
				s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
				narrow(s, withLog, nil)
				w := follow(t, s, limited)
				w.must(t)
				before := w.shown(e)[ipam.Present]
				if before == 0 {
					t.Fatal("there is nothing to lose")
				}
				narrow(s, withLog, nothing, e)
				w.pass(t, 8*time.Hour, 30*time.Minute)
				if got := w.shown(e); got[ipam.Lost] != before || len(got) != 1 {
					t.Errorf("%v, want %d lost", got, before)
				}
				alarms := strings.Join(w.lines(logrus.ErrorLevel), "\n")
				if !strings.Contains(alarms, "vanished") || !strings.Contains(alarms, "permissions") || strings.Count(alarms, "\n") > 1 {
					t.Errorf("alarms: %s", alarms)
				}
				if w.confirms[len(w.confirms)-1].Before(w.clock) {
					t.Error("the snapshot is no longer confirmed")
				}
				narrow(s, withLog, nil)
				w.pass(t, time.Hour, 20*time.Minute)
				if got := w.shown(e); got[ipam.Present] != before || len(got) != 1 {
					t.Errorf("%v after all is shown again, want %d", got, before)
				}
			})
		}
	}
}

// T-1: a token that sees little of everything, through a restart.
func TestWhatVanishedIsKeptOverARestart(t *testing.T) {
	for _, withLog := range []bool{true, false} {
		t.Run(fmt.Sprintf("change log %v", withLog), func(t *testing.T) {
			t.Parallel()
			s, _ := netboxtest.ServeOffice(t, netboxtest.V45)
			keep := func(path string) func(*Config) { return func(c *Config) { c.DiskPath = path } }
			for name, early := range map[string]bool{"before the restart": true, "while it is down": false} {
				t.Run(name, func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "copy")
					narrow(s, withLog, nil)
					first := follow(t, s, limited, keep(path))
					first.must(t)
					want := first.shown(netbox.Addresses)[ipam.Present]
					if early {
						narrow(s, withLog, []int64{1}, Tables()...)
						first.pass(t, 7*time.Hour, time.Hour)
					}
					first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)
					narrow(s, withLog, []int64{1}, Tables()...)

					w := follow(t, s, limited, keep(path))
					w.clock = first.clock.Add(time.Minute)
					w.restore()
					w.pass(t, 26*time.Hour, 2*time.Hour)
					got := w.shown(netbox.Addresses)
					if got[ipam.Present]+got[ipam.Lost] != want || got[ipam.Lost] < want-1 {
						t.Errorf("%v, want %d addresses, lost but for one", got, want)
					}
					if w.address("10.0.0.6").Loss != ipam.Lost || len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})) != 1 {
						t.Error("the static address of a host is not served any more")
					}
				})
			}
		})
	}
}

// T-1, T-5: without a snapshot there is nothing to compare with.
func TestAFirstStartTakesWhatItReadsAsTrue(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	narrow(s, false, []int64{1}, netbox.Addresses)
	w := follow(t, s, limited)
	w.pass(t, 7*time.Hour, time.Hour)
	if got := w.shown(netbox.Addresses); got[ipam.Present] != 1 || len(got) != 1 {
		t.Errorf("%v, want what the token sees", got)
	}
}

// T-1: each way by which one row can disappear, without a record of a deletion.
func TestOneRowDisappears(t *testing.T) {
	for name, way := range map[string]func(t *testing.T, s *netboxtest.Server, w *watch, id int64){
		"by the count": func(t *testing.T, _ *netboxtest.Server, w *watch, _ int64) {
			w.pass(t, 30*time.Minute, 5*time.Minute)
		},
		"by a full read": func(t *testing.T, _ *netboxtest.Server, w *watch, _ int64) {
			w.clock = w.clock.Add(fullEvery)
			w.must(t)
		},
		"by a hint": func(t *testing.T, _ *netboxtest.Server, w *watch, id int64) {
			w.Hint("ipam.ipaddress", id)
			w.followHints(t.Context())
		},
		"after an outage": func(t *testing.T, s *netboxtest.Server, w *watch, _ int64) {
			s.Down()
			if w.cycle(t.Context()) == nil {
				t.Error("a cycle without NetBox succeeded")
			}
			w.clock = w.clock.Add(20 * time.Minute)
			s.Up()
			w.must(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			w := follow(t, s, s.TokenV2())
			w.must(t)
			id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
			s.Delete(t, "ipam/ip-addresses", id)
			s.ForgetChanges(time.Now().Add(time.Hour))
			way(t, s, w, id)
			if a := w.address("10.0.0.100"); a == nil || a.Loss != ipam.Lost {
				t.Errorf("%+v, want it lost", a)
			}
		})
	}
}

// T-1: a deletion that is seen before its record is no alarm.
func TestADeletionThatAHintTellsOfIsBelieved(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	s.Delete(t, "ipam/ip-addresses", id)
	w.Hint("ipam.ipaddress", id)
	w.followHints(t.Context())
	w.must(t)
	if a := w.address("10.0.0.100"); a != nil {
		t.Errorf("%+v is still there", a)
	}
	if lines := w.lines(logrus.ErrorLevel); len(lines) != 0 {
		t.Errorf("alarm without cause: %v", lines)
	}
}

func TestProperlyDeletedObjectsRaiseNoAlarm(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	var made []int64
	for i := range 40 {
		made = append(made, s.Add(t, "ipam/prefixes", map[string]any{"prefix": fmt.Sprintf("10.7.%d.0/24", i)}))
	}
	w := follow(t, s, s.TokenV2())
	w.must(t)
	for _, id := range made {
		s.Delete(t, "ipam/prefixes", id)
	}
	w.must(t)
	if got := w.shown(netbox.Prefixes); got[ipam.Lost] != 0 || got[ipam.Present] != 3 {
		t.Errorf("%v, want the deleted prefixes gone", got)
	}
	if lines := w.lines(logrus.ErrorLevel); len(lines) != 0 {
		t.Errorf("alarm without cause: %v", lines)
	}
}

// T-2: what a later row replaces is lost no more; a row that was there before
// replaces nothing.
func TestALaterRowReplacesWhatVanished(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	web, vm := seeded.ID(t, "dcim/interfaces", "web1 mgmt"), seeded.ID(t, "virtualization/interfaces", "vm1 eth0")
	s.Add(t, "dcim/mac-addresses", map[string]any{"mac_address": "52:54:00:00:00:77", "assigned_object_type": "dcim.interface", "assigned_object_id": web})
	narrow(s, true, nil)
	w := follow(t, s, limited)
	w.must(t)
	narrow(s, true, nothing, netbox.Addresses, netbox.MACs)
	w.pass(t, 7*time.Hour, time.Hour)
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.6/24"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	again := s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.6/24"})
	mac := s.Add(t, "dcim/mac-addresses", map[string]any{"mac_address": "52:54:00:00:00:77", "assigned_object_type": "virtualization.vminterface", "assigned_object_id": vm})
	// Far in the past of the follower's clock, which was turned on.
	w.guard.each(func(r *keptRow) { r.seen = time.Now().Add(-time.Second) })
	narrow(s, true, []int64{again, mac}, netbox.Addresses, netbox.MACs)
	w.pass(t, 20*time.Minute, 10*time.Minute)
	if a := w.address("10.0.0.6"); a == nil || a.ID != again || a.Loss != ipam.Present {
		t.Errorf("%+v, want the new row", a)
	}
	if a := w.address("10.0.0.100"); a == nil || a.Loss != ipam.Lost {
		t.Errorf("%+v, want it lost: nothing replaces it", a)
	}
	ports := w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 0x77})
	if len(ports) != 1 || ports[0].ID.Kind != ipam.VirtualMachine {
		t.Errorf("the MAC leads to %v, want the machine that it was moved to", ports)
	}
}

// each changes every kept row.
func (g *guard) each(change func(*keptRow)) {
	for _, rows := range []keptRows{g.lost, g.held, g.recent} {
		for at, r := range rows {
			change(&r)
			rows[at] = r
		}
	}
}

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

// crowd is a NetBox with hosts and running leases in two prefixes.
func crowd(t *testing.T) (*netboxtest.Server, *watch, func(addr string) int64) {
	t.Helper()
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47})
	world := netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}}, VRFs: []netboxtest.VRF{{Name: "blue"}},
		CustomFields: netboxtest.Office().CustomFields,
		Sites:        []netboxtest.Site{{Name: "HQ"}}, Clusters: []netboxtest.Cluster{{Name: "c1"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.0.1.0/24", Status: "active"}, {Prefix: "10.0.2.0/24", Status: "active"}},
	}
	for i := range 10 {
		world.VMs = append(world.VMs, netboxtest.VM{Name: fmt.Sprintf("vm%d", i), Cluster: "c1", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{fmt.Sprintf("52:54:00:00:01:%02x", i)}, IPs: []netboxtest.IP{{Address: fmt.Sprintf("10.0.1.%d/24", 10+i)}}},
		}})
	}
	for i := range 60 {
		world.IPs = append(world.IPs, netboxtest.IP{Address: fmt.Sprintf("10.0.2.%d/24", 10+i), Tags: []string{"DHCP"}, CustomFields: map[string]any{
			"pydhcp_mac": fmt.Sprintf("52:54:00:00:02:%02x", i), "pydhcp_expire": time.Now().Add(100 * time.Hour).UTC().Format(time.RFC3339)}})
	}
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	return s, w, func(name string) int64 {
		for _, path := range []string{"ipam/ip-addresses", "ipam/prefixes", "extras/tags", "virtualization/virtual-machines", "virtualization/interfaces"} {
			if id, ok := seeded.IDs(path)[name]; ok {
				return id
			}
		}
		t.Fatalf("no %s", name)
		return 0
	}
}

// T-4: too many at once are doubted for a while, few are believed at once.
func TestTooManyChangesAtOnceAreDoubted(t *testing.T) {
	hosts := func(s *netboxtest.Server, t *testing.T, id func(string) int64, n int) {
		for i := range n {
			s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		}
	}
	for name, c := range map[string]struct {
		change func(s *netboxtest.Server, t *testing.T, id func(string) int64)
		held   bool
	}{
		"3 of 10 hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 3) }, false},
		"4 of 10 hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 4) }, true},
		"all hosts deleted":     {func(s *netboxtest.Server, t *testing.T, id func(string) int64) { hosts(s, t, id, 10) }, true},
		"12 of 60 leases deleted, a fifth": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 12 {
				s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)))
			}
		}, false},
		"13 of 60 leases deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 13 {
				s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)))
			}
		}, true},
		"the prefix of the hosts deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			s.Delete(t, "ipam/prefixes", id("10.0.1.0/24"))
		}, true},
		"the prefix of the hosts made a container": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			s.Edit(t, "ipam/prefixes", id("10.0.1.0/24"), map[string]any{"status": "container"})
		}, true},
		"4 machines deleted": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 4 {
				s.Delete(t, "virtualization/virtual-machines", id(fmt.Sprintf("vm%d", i)))
			}
		}, true},
		"hosts deprecated": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 5 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)), map[string]any{"status": "deprecated"})
			}
		}, true},
		"the pool loses its tag": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 60 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{}})
			}
		}, true},
		"the addresses of hosts are swapped": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 4 {
				s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)), map[string]any{
					"assigned_object_type": "virtualization.vminterface", "assigned_object_id": id(fmt.Sprintf("vm%d eth0", (i+1)%4))})
			}
		}, true},
		"machines are renamed": {func(s *netboxtest.Server, t *testing.T, id func(string) int64) {
			for i := range 10 {
				s.Edit(t, "virtualization/virtual-machines", id(fmt.Sprintf("vm%d", i)), map[string]any{"name": fmt.Sprintf("host%d", i)})
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, id := crowd(t)
			before := w.snapshot.Claims(nil, w.clock)
			c.change(s, t, id)
			w.must(t)
			first := w.snapshot.Claims(nil, w.clock)
			if c.held != (len(w.lines(logrus.ErrorLevel)) == 1) || len(w.lines(logrus.ErrorLevel)) > 1 {
				t.Errorf("held %v, logged %v", c.held, w.lines(logrus.ErrorLevel))
			}
			if c.held && !equalClaims(first, before) {
				t.Errorf("%d claims, want the %d of before", len(first), len(before))
			}
			w.pass(t, 50*time.Minute, 10*time.Minute)
			if c.held && !equalClaims(w.snapshot.Claims(nil, w.clock), before) {
				t.Error("given up before poll.doubt has passed")
			}
			w.pass(t, 20*time.Minute, 10*time.Minute)
			if after := w.snapshot.Claims(nil, w.clock); c.held && equalClaims(after, before) || len(w.guard.held) > 0 {
				t.Errorf("not believed after poll.doubt: %d held", len(w.guard.held))
			}
		})
	}
}

func equalClaims(a, b map[ipam.Claim]ipam.Claimants) bool {
	if len(a) != len(b) {
		return false
	}
	for claim, before := range b {
		if !a[claim].Meets(before) {
			return false
		}
	}
	return true
}

// T-4: deletions of one hour are counted together.
func TestChangesWithinTheDoubtAreCountedTogether(t *testing.T) {
	s, w, id := crowd(t)
	for i := range 4 {
		if w.address("10.0.1.10") == nil && i < 4 && i > 0 && len(w.guard.held) > 0 {
			t.Fatalf("held after %d deletions", i)
		}
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		w.clock = w.clock.Add(10 * time.Minute)
		w.must(t)
	}
	for i := range 4 {
		if a := w.address(fmt.Sprintf("10.0.1.%d", 10+i)); a == nil || a.Loss != ipam.Lost {
			t.Errorf("10.0.1.%d is %+v, want it held", 10+i, a)
		}
	}
	// The same number over a longer time is everyday work.
	s, w, id = crowd(t)
	for i := range 4 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
		w.clock = w.clock.Add(30 * time.Minute)
		w.must(t)
	}
	if len(w.guard.held) > 0 {
		t.Error("four deletions in two hours are doubted")
	}
}

// T-4: what is undone while it is doubted ends the doubt, and so does the
// operator's word.
func TestADoubtEndsByUndoingOrByTheOperator(t *testing.T) {
	s, w, id := crowd(t)
	tag := id("DHCP")
	for i := range 60 {
		s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{}})
	}
	w.must(t)
	if a := w.address("10.0.2.20"); a.Loss != ipam.Lost || !w.snapshot.IsDynamic(a) {
		t.Fatalf("%+v, want it held", a)
	}
	for i := range 60 {
		s.Edit(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.2.%d/24", 10+i)), map[string]any{"tags": []any{tag}})
	}
	w.must(t)
	if a := w.address("10.0.2.20"); a.Loss != ipam.Present || !w.snapshot.IsDynamic(a) || len(w.guard.held) > 0 {
		t.Errorf("%+v after it was undone, %d held", a, len(w.guard.held))
	}
	for i := range 10 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
	}
	w.must(t)
	if n := w.accept(); n == 0 {
		t.Error("nothing was accepted")
	}
	if a := w.address("10.0.1.10"); a != nil {
		t.Errorf("%+v is still there after the operator's word", a)
	}
	w.must(t)
	if n := w.accept(); n != 0 || w.address("10.0.1.10") != nil {
		t.Errorf("%d rows came back", n)
	}
}

// T-4: what was deleted and made anew is there again at once.
func TestADoubtEndsByMakingTheRowsAnew(t *testing.T) {
	s, w, id := crowd(t)
	var hosts []int64
	for i := range 10 {
		s.Delete(t, "ipam/ip-addresses", id(fmt.Sprintf("10.0.1.%d/24", 10+i)))
	}
	w.must(t)
	for i := range 10 {
		hosts = append(hosts, s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.0.1.%d/24", 10+i),
			"assigned_object_type": "virtualization.vminterface", "assigned_object_id": id(fmt.Sprintf("vm%d eth0", i))}))
	}
	w.must(t)
	for i, id := range hosts {
		if a := w.address(fmt.Sprintf("10.0.1.%d", 10+i)); a == nil || a.ID != id || a.Loss != ipam.Present {
			t.Errorf("%+v, want the new row %d", a, id)
		}
	}
	if len(w.guard.held) > 0 {
		t.Errorf("%d rows are still held", len(w.guard.held))
	}
}

// T-6: a tag that is renamed, hidden or deleted is followed by its id.
func TestATagOfTheSettingsIsFollowed(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *netboxtest.Server, tag int64){
		"renamed": func(t *testing.T, s *netboxtest.Server, tag int64) {
			s.Edit(t, "extras/tags", tag, map[string]any{"name": "Pool", "slug": "pool"})
		},
		"hidden": func(_ *testing.T, s *netboxtest.Server, _ int64) { narrow(s, true, nothing, netbox.Tags) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			narrow(s, true, nil)
			path := filepath.Join(t.TempDir(), "copy")
			w := follow(t, s, limited, func(c *Config) { c.DiskPath = path })
			w.must(t)
			change(t, s, seeded.ID(t, "extras/tags", "DHCP"))
			w.pass(t, 7*time.Hour, time.Hour)
			w.disk.save(w.clock, w.tables, w.confirmed, time.Minute)
			again := follow(t, s, limited, func(c *Config) { c.DiskPath = path })
			again.clock = w.clock
			again.restore()
			again.must(t)
			for _, w := range []*watch{w, again} {
				if a := w.address("10.0.0.100"); a == nil || !w.snapshot.IsDynamic(a) {
					t.Errorf("%+v is not dynamic any more", a)
				}
			}
		})
	}
}

// T-6: where another tag takes the name, what has the former one keeps its leases.
func TestATagThatTakesTheName(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Edit(t, "extras/tags", seeded.ID(t, "extras/tags", "DHCP"), map[string]any{"name": "Old pool", "slug": "old-pool"})
	tag := s.Add(t, "extras/tags", map[string]any{"name": "DHCP", "slug": "dhcp"})
	s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.200/24", "tags": []any{tag}})
	for range 3 {
		w.must(t)
	}
	old, fresh := w.address("10.0.0.100"), w.address("10.0.0.200")
	if !w.snapshot.IsDynamic(old) || w.snapshot.Loss(old) != ipam.Lost || !w.snapshot.IsDynamic(fresh) || w.snapshot.Loss(fresh) != ipam.Present {
		t.Errorf("under the former tag %v, under the new one %v", w.snapshot.Loss(old), w.snapshot.Loss(fresh))
	}
	if pool := w.snapshot.Dynamic(0); len(pool) != 1 || pool[0] != fresh {
		t.Errorf("new clients are given %v", pool)
	}
	if text := fmt.Sprint(w.problems); !strings.Contains(text, "Old pool") {
		t.Errorf("not told: %s", text)
	}
	if w.accept() == 0 || w.snapshot.IsDynamic(w.address("10.0.0.100")) {
		t.Error("the operator's word does not end it")
	}
}

// T-6: the VRF of the settings is renamed; another one takes its name.
func TestAVRFOfTheSettingsIsFollowed(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	red := seeded.ID(t, "ipam/vrfs", "red")
	w := follow(t, s, s.TokenV2(), func(c *Config) { c.Options.VRF = "red" })
	w.must(t)
	addr := ipam.Claim{}.Addr
	for a := range w.snapshot.Objects().Prefixes {
		if p := w.snapshot.Objects().Prefixes[a]; p.VRF == red {
			addr = p.Prefix.Addr().Next()
		}
	}
	s.Edit(t, "ipam/vrfs", red, map[string]any{"name": "crimson"})
	w.must(t)
	n, err := w.snapshot.Subnet(addr)
	if err != nil || n.VRF != red || n.Vanished() {
		t.Fatalf("a renamed VRF: %v, %v", n, err)
	}
	s.Add(t, "ipam/vrfs", map[string]any{"name": "red"})
	w.must(t)
	n, err = w.snapshot.Subnet(addr)
	if err != nil || n.VRF != red || !n.Vanished() {
		t.Errorf("the former VRF: %v, %v, want it served without new leases", n, err)
	}
}
