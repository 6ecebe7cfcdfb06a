package follow

import (
	"slices"
	"testing"
	"time"

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
		if slices.ContainsFunc(hidden, func(table netbox.Table) bool { return table.Model() == grants[i].Object }) {
			grants[i].IDs = ids
		}
	}
	s.Permit(limited, grants...)
}

var nothing = []int64{1 << 40}

// shown are the rows of one table in a snapshot, by their loss.
func (w *watch) shown(table netbox.Table) map[ipam.Loss]int {
	n := make(map[ipam.Loss]int)
	rowsOf(table).each(w.snapshot.Objects(), func(_ int64, value any) {
		switch v := value.(type) {
		case *ipam.VRF:
			n[v.Loss]++
		case *ipam.Prefix:
			n[v.Loss]++
		case *ipam.Range:
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

// each changes every kept row.
func (g *guard) each(change func(*keptRow)) {
	for _, rows := range []keptRows{g.lost, g.held, g.recent} {
		for at, r := range rows {
			change(&r)
			rows[at] = r
		}
	}
}
