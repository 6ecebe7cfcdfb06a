package follow

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// T-1: whatever way a table disappears by, its rows serve on; and they are as
// before once they are shown again.
func TestWhatVanishesIsKept(t *testing.T) {
	for _, table := range guardedTables() {
		for _, withLog := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, change log %v", table, withLog), func(t *testing.T) {
				t.Parallel()
				s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
				narrow(s, withLog, nil)
				w := follow(t, s, limited)
				w.must(t)
				before := w.shown(table)[ipam.Present]
				if before == 0 {
					t.Fatal("there is nothing to lose")
				}
				narrow(s, withLog, nothing, table)
				w.pass(t, 8*time.Hour, 30*time.Minute)
				if got := w.shown(table); got[ipam.Lost] != before || len(got) != 1 {
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
				if got := w.shown(table); got[ipam.Present] != before || len(got) != 1 {
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
