package netboxio

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func TestALostAnswerIsFoundDone(t *testing.T) {
	for name, kind := range map[string]netboxtest.FaultKind{"reset": netboxtest.ResetAfter, "gateway time-out": netboxtest.Timeout504} {
		for _, v := range supportedVersions() {
			t.Run(name+", NetBox "+string(v), func(t *testing.T) {
				t.Parallel()
				s, seeded, _ := serveScopes(t, v)
				loose := seeded.ID(t, "ipam/vrfs", "loose") // where NetBox would take a copy
				two := update(t, seeded)
				two.ID, two.Host, two.Before, two.RemoveTags = seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), netip.Addr{}, nil, nil
				for method, writes := range map[string][]Write{
					"POST":   {newAddress("10.8.4.50/24", loose), newAddress("10.8.4.51/24", loose)},
					"PATCH":  {update(t, seeded), two},
					"DELETE": {remove(t, seeded, "10.8.4.60/32", nil), remove(t, seeded, "red 10.8.4.60/24", nil)},
				} {
					s.ForgetRequests()
					s.Fail(netboxtest.Fault{Kind: kind, Method: method, Times: 1})
					c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
					wantResults(t, Apply(t.Context(), c, writes, nil), Unchanged, Unchanged)
					if n := len(s.Writes()); n != 1 {
						t.Errorf("%d writes, want 1: it had been carried out", n)
					}
				}
			})
		}
	}
}

func TestTroubleThatPassesIsWaitedFor(t *testing.T) { // rule 3.8 NetBox 5xx, 429
	for name, kind := range map[string]netboxtest.FaultKind{
		"reset": netboxtest.Reset, "bad gateway": netboxtest.HTML502, "throttled": netboxtest.Throttled429, "unavailable": netboxtest.Unavailable503,
		"exception": netboxtest.JSON500,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded, c := serveScopes(t, netboxtest.V47)
			s.Fail(netboxtest.Fault{Kind: kind, Method: "PATCH", Times: 1})
			two := update(t, seeded)
			two.ID, two.Host, two.Before, two.RemoveTags = seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), netip.Addr{}, nil, nil
			wantResults(t, Apply(t.Context(), c, []Write{update(t, seeded), two}, nil), Done, Done)
		})
	}
}

func TestTroubleThatStaysEndsTheRun(t *testing.T) {
	s, seeded, c := serveScopes(t, netboxtest.V47)
	s.Fail(netboxtest.Fault{Kind: netboxtest.HTML502, Method: "POST"})
	writes := []Write{newAddress("10.8.4.50/24", 0), newAddress("10.8.4.51/24", 0), update(t, seeded)}
	wantResults(t, Apply(t.Context(), c, writes, nil), Failed, Failed, Failed)
	// The second one tells that the trouble is not that of the first alone.
	if n := len(s.Writes()); n != writeTries+1 {
		t.Errorf("%d writes, want %d tries of the first and one of the second", n, writeTries)
	}
	s.ClearFaults()
	s.Fail(netboxtest.Fault{Kind: netboxtest.JSON500})
	wantResults(t, Apply(t.Context(), c, writes, nil), Failed, Failed, Failed)
}

func TestARowNetBoxHasAnExceptionForHoldsUpNoOther(t *testing.T) {
	s, _, c := serveScopes(t, netboxtest.V47)
	var writes []Write
	var want []Outcome
	for n := range 30 {
		writes, want = append(writes, newAddress(fmt.Sprintf("10.8.4.%d/24", 100+n), 0)), append(want, Done)
	}
	// A date that is no text is an exception inside NetBox.
	writes[11].Set = maps.Clone(writes[11].Set)
	writes[11].Set[custom(state.FieldLeaseExpires)], want[11] = int64(7), Failed
	results := Apply(t.Context(), c, writes, nil)
	wantResults(t, results, want...)
	if n := len(s.Writes()); n > 20 {
		t.Errorf("%d writes to find one bad row in 30", n)
	}
}

// rule 3.8 point 21: what stands in front of NetBox dislikes what one client is called.
func TestOneBodyThatDoesNotGetThroughIsRefusedAlone(t *testing.T) {
	for name, kind := range map[string]netboxtest.FaultKind{
		"a page with 403": netboxtest.Blocked403, "a page with 200": netboxtest.Blocked200, "JSON of a firewall": netboxtest.BlockedJSON,
		"a redirect": netboxtest.Login302, "401": netboxtest.Login401, "reset": netboxtest.Reset, "a page with 502": netboxtest.HTML502,
	} {
		several := [][]int{{11}, {0, 1, 29}}
		if kind == netboxtest.Reset || kind == netboxtest.HTML502 {
			several = several[:1] // two in a row look like trouble of NetBox itself
		}
		for _, bad := range several {
			t.Run(fmt.Sprint(name, " for ", bad), func(t *testing.T) {
				t.Parallel()
				s, seeded, c := serveScopes(t, netboxtest.V47)
				s.Fail(netboxtest.Fault{Kind: kind, Body: "' OR '"})
				var writes []Write
				var want []Outcome
				for n := range 30 {
					writes, want = append(writes, newAddress(fmt.Sprintf("10.8.4.%d/24", 100+n), 0)), append(want, Done)
				}
				for _, n := range bad {
					writes[n].Set = maps.Clone(writes[n].Set)
					writes[n].Set[custom(state.FieldLeaseHostname)], want[n] = "x' OR '1'='1", Refused
				}
				poisoned := update(t, seeded)
				poisoned.Set = maps.Clone(poisoned.Set)
				poisoned.Set[custom(state.FieldLeaseHostname)] = "x' OR '1'='1"
				other := update(t, seeded)
				other.ID, other.Host, other.Before, other.RemoveTags = seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), netip.Addr{}, nil, nil
				writes, want = append(writes, poisoned, other, remove(t, seeded, "10.8.4.60/32", nil)), append(want, Refused, Done, Done)
				results := Apply(t.Context(), c, writes, nil)
				wantResults(t, results, want...)
				if err := results[bad[0]].Err; err == nil || !strings.Contains(err.Error(), "in front of NetBox") {
					t.Errorf("the reason does not say where to look: %v", err)
				}
			})
		}
	}
}

// A page behind which NetBox did what it was asked is no reason to do it twice.
func TestAPageBehindWhichNetBoxWorkedMakesNothingTwice(t *testing.T) {
	s, seeded, c := serveScopes(t, netboxtest.V47)
	loose := seeded.ID(t, "ipam/vrfs", "loose") // where NetBox would take a copy
	s.Fail(netboxtest.Fault{Kind: netboxtest.DonePage, Method: "POST", Times: 1})
	wantResults(t, Apply(t.Context(), c, []Write{newAddress("10.8.4.50/24", loose), newAddress("10.8.4.51/24", loose)}, nil), Unchanged, Unchanged)
	if n := len(s.Writes()); n != 1 {
		t.Errorf("%d writes, want 1: it had been carried out", n)
	}
}

func TestAPageWhileNetBoxIsAwayEndsTheRun(t *testing.T) {
	s, seeded, c := serveScopes(t, netboxtest.V47)
	s.Fail(netboxtest.Fault{Kind: netboxtest.Blocked403, Path: "/api/ipam/ip-addresses/", After: 1})
	wantResults(t, Apply(t.Context(), c, []Write{newAddress("10.8.4.50/24", 0), update(t, seeded)}, nil), Failed, Failed)
	if n := len(s.Writes()); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestAMissingPermissionStopsOneSortOfWriteOnly(t *testing.T) { // NB-4 (403)
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, _ := serveScopes(t, v)
			const token = "mirror00000000000000000000000000000000000"
			grants := []netboxtest.Grant{{Object: "extras.tag", Actions: []string{"view"}}, {Object: "ipam.ipaddress", Actions: []string{"view", "change"}}}
			s.Permit(token, grants...)
			c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
			writes := []Write{newAddress("10.8.4.50/24", 0), update(t, seeded), newAddress("10.8.4.51/24", 0), remove(t, seeded, "10.8.4.60/32", nil)}
			results := Apply(t.Context(), c, writes, nil)
			wantResults(t, results, Failed, Done, Failed, Failed)
			if err := results[2].Err; netbox.KindOf(err) != netbox.Forbidden || !strings.Contains(err.Error(), "add on ipam.ipaddress") {
				t.Errorf("the reason does not name the permission: %v", err)
			}
			if err := results[3].Err; !strings.Contains(err.Error(), "delete on ipam.ipaddress") {
				t.Errorf("the reason does not name the permission: %v", err)
			}
			if n := len(s.Writes()); n != 3 {
				t.Errorf("%d writes, want 3: the second create is hopeless", n)
			}
		})
	}
}

func TestRowsTheTokenMayOnlySeeAreRefusedAlone(t *testing.T) {
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, _ := serveScopes(t, v)
			const token = "mirror00000000000000000000000000000000000"
			s.Permit(token, netboxtest.Grant{Object: "extras.tag", Actions: []string{"view"}}, netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"view"}},
				netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"change", "delete"}, Tag: "keep"})
			c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
			other := update(t, seeded)
			other.ID, other.Host, other.Before = seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), netip.Addr{}, nil
			both := []Write{other, update(t, seeded)}
			wantResults(t, Apply(t.Context(), c, both, nil), Refused, Done)
			wantResults(t, Apply(t.Context(), c, both[:1], nil), Refused)
			deletes := []Write{{Kind: state.IPAddress, Action: state.Delete, ID: other.ID}, {Kind: state.IPAddress, Action: state.Delete, ID: both[1].ID}}
			wantResults(t, Apply(t.Context(), c, deletes, nil), Refused, Done)
			wantResults(t, Apply(t.Context(), c, deletes[:1], nil), Refused)
		})
	}
}

func TestACancelledRunFails(t *testing.T) {
	_, seeded, c := serveScopes(t, netboxtest.V47)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantResults(t, Apply(ctx, c, []Write{update(t, seeded), newAddress("10.8.4.50/24", 0)}, nil), Failed, Failed)
}
