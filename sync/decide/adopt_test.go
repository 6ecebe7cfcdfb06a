package decide

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 4 step 6: a range that people made for the pool becomes the record.
func TestAnImportAdoptsRangesOfTheSameSpanIfAsked(t *testing.T) {
	prepared := func(t *testing.T) *lab {
		l := newLab(t)
		l.w.nb.Ranges = []state.Range{{ID: 900, Start: l.scope.Start, End: l.scope.End, Bits: 24, Status: "active", Role: "dhcp-pool-by-hand", Tags: []string{"mine"}, Description: "by hand", Tenant: 12}}
		l.scope.lease("10.8.4.33", pc, "pc")
		l.scope.Description = "of the server"
		l.p.AdoptRanges, l.p.ExemptTags = true, []string{"dhcp-pool"}
		return l
	}
	t.Run("4 step 6: role, tag and fields are set, the rest stays, and leases come", func(t *testing.T) {
		l := prepared(t)
		wantSteps(t, l.importAll(), onRanges, "update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [4 step 6]")
		r := l.w.nb.Ranges[0]
		if r.ID != 900 || r.Role != state.RoleScope || r.Server != dh1 || r.Description != "by hand" || r.Tenant != 12 || !slices.Contains(r.Tags, "mine") || !slices.Contains(r.Tags, state.TagScope) {
			t.Errorf("the range is %+v", r)
		}
		wantSteps(t, l.run(), onAddresses, "create 10.8.4.33/24 [3.5 row 4]")
	})
	for _, c := range []struct {
		name   string
		change func(*lab)
		say    string
	}{
		{"4 step 6: not without the flag", func(l *lab) { l.p.AdoptRanges = false }, "import --adopt-ranges takes it over"},
		{"4 step 6: not another DHCP server's pool", func(l *lab) { l.w.nb.Ranges[0].Tags = []string{"dhcp-pool"} }, "another DHCP server's pool"},
		{"4 step 6: not one of a role of such pools (N-15)", func(l *lab) { l.p.ExemptRoles = []string{"dhcp-pool-by-hand"} }, "another DHCP server's pool"},
		{"4 step 6: not one of another span", func(l *lab) { l.w.nb.Ranges[0].End = netip.MustParseAddr("10.8.4.251") }, "overlaps IP range"},
		{"4 step 6: not beside one that is in the way", func(l *lab) {
			l.w.nb.Ranges = append(l.w.nb.Ranges, state.Range{ID: 901, Start: netip.MustParseAddr("10.8.4.50"), End: netip.MustParseAddr("10.8.4.60"), Bits: 24})
		}, "(id 901)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := prepared(t)
			c.change(l)
			p := l.importAll()
			wantSteps(t, p, onRanges)
			wantNote(t, p, plan.Conflict, "4 step 2", c.say)
			if !p.Failed() {
				t.Error("not an error")
			}
		})
	}
}
