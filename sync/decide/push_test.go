package decide

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// changed writes the changes of the first step that is picked on one line.
func changed(p *plan.Plan, pick func(plan.Step) bool) string {
	for _, s := range p.Steps {
		if !pick(s) {
			continue
		}
		var parts []string
		for _, c := range s.Changes {
			parts = append(parts, fmt.Sprintf("%s %s->%s", c.Field, asText(c.Old), asText(c.New)))
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// pushLab is a lab in which reservations are pushed, with one in NetBox.
func pushLab(t *testing.T) *lab {
	l := newLab(t)
	l.p.PushReservations = true
	l.add(state.Address{Status: "reserved", ClientID: "00:00:5E:00:53:01", DNSName: "plc-1", Description: "press"})
	return l
}

// rule 7: a run that read_only leaves nothing to do is saved as one that has
// nothing to do, so that apply FILE takes one for the other.
func TestAPlanWithoutStepsIsAlwaysTheSame(t *testing.T) {
	l := pushLab(t)
	l.p.ReadOnly = true
	held, none := l.plan(), new(plan.Plan)
	wantNote(t, held, plan.Skip, "7", "1 change on servers")
	heldDigest, err := held.Digest()
	noneDigest, noneErr := none.Digest()
	if err != nil || noneErr != nil || heldDigest != noneDigest {
		t.Errorf("digests %s %v and %s %v", heldDigest, err, noneDigest, noneErr)
	}
}

// rule 5.2, 9 rows 14 and 28.
func TestReservationsArePushed(t *testing.T) {
	create := "create reservation 10.8.4.33 [5.2]"
	update := "update reservation 10.8.4.33 [5.2]"
	for _, c := range []struct {
		name    string
		change  func(*lab)
		want    []string
		changes string
		level   plan.Level
		note    string
	}{
		{"5.2 nothing on the server: created, with the client id in canonical form", func(*lab) {}, []string{create},
			"ip_address <nil>->10.8.4.33, client_id <nil>->" + pc + ", name <nil>->plc-1, description <nil>->press, type <nil>->Dhcp", "", ""},
		{"5.2 same id, same name and description: none", func(l *lab) { l.scope.reserve("10.8.4.33", pc, "plc-1").Description = "press" }, nil, "", "", ""},
		{"5.2 same id, Windows made a full name of it: none", func(l *lab) { l.scope.reserve("10.8.4.33", pc, "PLC-1.corp.example").Description = "press" }, nil, "", "", ""},
		{"5.2 same id, another name: only the name", func(l *lab) { l.scope.reserve("10.8.4.33", pc, "other").Description = "press" }, []string{update}, "name other->plc-1", "", ""},
		{"5.2 same id, another description: only the description", func(l *lab) { l.scope.reserve("10.8.4.33", pc, "plc-1") }, []string{update}, "description ->press", "", ""},
		{"5.2 same id, empty in NetBox: none", func(l *lab) {
			x := l.w.address("10.8.4.33")
			x.DNSName, x.Description = "", ""
			l.scope.reserve("10.8.4.33", pc, "other").Description = "x"
		}, nil, "", "", ""},
		{"5.2 another client id: a conflict", func(l *lab) { l.scope.reserve("10.8.4.33", mfp, "x") }, nil, "", plan.Conflict, "reserved for client id " + mfp},
		{"5.2 another client id, replace_client_id: replaced", func(l *lab) {
			l.p.ReplaceClientID = true
			l.scope.reserve("10.8.4.33", mfp, "plc-1").Description = "press"
		},
			[]string{update}, "client_id " + mfp + "->" + pc, "", ""},
		{"5.2 the id is on another address of the server: a conflict", func(l *lab) { l.scope.reserve("10.8.4.34", pc, "x"); l.p.SyncIPs = false }, nil, "", plan.Conflict, "the server reserves 10.8.4.34"},
		{"5.2 blank id: skipped", func(l *lab) { l.w.address("10.8.4.33").ClientID = "" }, nil, "", "", ""},
		{"5.2 an id that is not hex: skipped", func(l *lab) { l.w.address("10.8.4.33").ClientID = "abc" }, nil, "", plan.Warning, "not made of hex pairs"},
		{"5.2 the second address of a client: skipped", func(l *lab) {
			l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "reserved", ClientID: pc})
		}, []string{create}, "", plan.Warning, "is on 10.8.4.33 already"},
		{"5.2 a protected one is pushed too", func(l *lab) { l.w.address("10.8.4.33").Tags = []string{"dhcp-protect"} }, []string{create}, "", "", ""},
		{"5.2 one of another VRF is not", func(l *lab) { l.w.address("10.8.4.33").VRF = 7 }, nil, "", "", ""},
		{"5.2 one with another mask is", func(l *lab) { l.w.address("10.8.4.33").Address = netip.MustParsePrefix("10.8.4.33/32") }, []string{create}, "", "", ""},
		{"5.2 does not depend on the sync of addresses", func(l *lab) { l.p.SyncIPs = false }, []string{create}, "", "", ""},
		{"5.2 off: nothing", func(l *lab) { l.p.PushReservations = false }, nil, "", "", ""},
		{"7 read_only: nothing", func(l *lab) { l.p.ReadOnly = true }, nil, "", plan.Skip, "not made, since read_only is on: 1 change on servers"},
		{"5.2 a change by client id is refused where another scope has the client too", func(l *lab) {
			l.scope.reserve("10.8.4.33", pc, "other")
			l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250").reserve("10.8.6.33", pc, "x")
			l.importAll()
		}, nil, "", plan.Conflict, "has a reservation in scope 10.8.6.0"},
		{"5.2 a server's reservation NetBox lacks stays, and is created in NetBox", func(l *lab) {
			l.w.nb.Addresses = nil
			l.scope.reserve("10.8.4.40", mfp, "PC 2")
		}, nil, "", "", ""},
		{"3.4 a protected client id that only followed a lease does not replace the server's", func(l *lab) {
			l.p.ReplaceClientID, l.p.UpdateClientID = true, true
			l.w.address("10.8.4.33").Tags = []string{"dhcp-protect"}
			l.scope.reserve("10.8.4.33", pc, "plc-1")
			l.scope.lease("10.8.4.33", mfp, "x")
		}, nil, "", plan.Conflict, "reserved for client id " + pc},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := pushLab(t)
			c.change(l)
			p := l.run()
			wantSteps(t, p, onServers, c.want...)
			if got := changed(p, onServers); c.changes != "" && got != c.changes {
				t.Errorf("got  %s\nwant %s", got, c.changes)
			}
			if c.note != "" {
				rule := map[bool]string{true: "7", false: "5.2"}[strings.HasPrefix(c.name, "7 ")]
				wantNote(t, p, c.level, rule, c.note)
			}
		})
	}
}

func TestClientIDsMoveOneAfterTheOther(t *testing.T) { // rule 5.2
	l := pushLab(t)
	l.p.ReplaceClientID = true
	l.scope.reserve("10.8.4.33", mfp, "plc-1").Description = "press"
	l.scope.reserve("10.8.4.34", pc, "x")
	l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "reserved", ClientID: cam})
	wantSteps(t, l.run(), onServers, "update reservation 10.8.4.34 [5.2]", "update reservation 10.8.4.33 [5.2]")
	l.w.address("10.8.4.33").ClientID, l.w.address("10.8.4.34").ClientID = cam, pc // a ring
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Conflict, "5.2", "the server reserves 10.8.4.34 for client id "+cam)
}

func TestPushToARelationship(t *testing.T) { // rule 5.2
	pair := func(t *testing.T) *lab {
		l := paired(t)
		l.p.PushReservations = true
		l.add(state.Address{Status: "reserved", ClientID: pc})
		return l
	}
	t.Run("5.2 failover: to the acting primary only, with a word about the partner", func(t *testing.T) {
		l := pair(t)
		p := l.run()
		wantNote(t, p, plan.Info, "5.2", "replicate them to the partner")
		if len(l.scope.reservations) != 1 || len(l.twin().reservations) != 0 {
			t.Errorf("got %v %v", l.scope.reservations, l.twin().reservations)
		}
	})
	t.Run("5.2 push_to_partner: to both, exclusions too", func(t *testing.T) {
		l := pair(t)
		l.p.PushToPartner, l.p.PushScopeInfo = true, true
		l.w.nb.Ranges[0].Exclusions = json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.30"}]`)
		l.run()
		if len(l.scope.reservations) != 1 || len(l.twin().reservations) != 1 || len(l.twin().exclusions) != 1 {
			t.Errorf("got %v %v", l.scope.reservations, l.twin())
		}
	})
}

// rule 5.1, 9 rows 36, 37 and 51.
func TestModeInteraction(t *testing.T) {
	edited := func(t *testing.T, push bool) *lab {
		l := newLab(t)
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39")}
		l.run()
		l.p.PushScopeInfo = push
		r := &l.w.nb.Ranges[0]
		r.ScopeName, r.Exclusions = "edited", json.RawMessage(`[{"start":"10.8.4.60","end":"10.8.4.60"}]`)
		return l
	}
	t.Run("5.1 push_scope_info off: edits in NetBox are reverted and reported", func(t *testing.T) { // also what an override to off does
		l := edited(t, false)
		p := l.run()
		want := `custom_fields.dhcp_scope_name edited->net 10.8.4.0/24, custom_fields.dhcp_exclusions [{"start":"10.8.4.60","end":"10.8.4.60"}]->[{"start":"10.8.4.30","end":"10.8.4.39"}]`
		if got := changed(p, onRanges); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		wantSteps(t, p, onServers)
	})
	t.Run("5.1 push_scope_info on: edits in NetBox are pushed", func(t *testing.T) {
		l := edited(t, true)
		p := l.run()
		wantSteps(t, p, onRanges)
		if diff := cmp.Diff(l.scope.exclusions, []windhcp.Exclusion{span("10.8.4.60", "10.8.4.60")}, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || l.scope.Name != "edited" {
			t.Errorf("%s %s", l.scope.Name, diff)
		}
	})
	t.Run("5.1 push_scope_info off: empty names and unknown lease times do not overwrite", func(t *testing.T) {
		l := newLab(t)
		l.scope.Name, l.scope.LeaseSeconds, l.scope.Start, l.scope.End = "", 0, netip.Addr{}, netip.Addr{}
		wantSteps(t, l.run(), anyStep)
	})
	t.Run("5.1 push_scope_info off: router, state and description are pulled", func(t *testing.T) {
		l := newLab(t)
		l.scope.Router, l.scope.State, l.scope.Description = netip.MustParseAddr("10.8.4.1"), "Inactive", "Lab"
		want := "description ->Lab, custom_fields.dhcp_router <nil>->10.8.4.1, custom_fields.dhcp_scope_state Active->Inactive"
		if got := changed(l.run(), onRanges); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("5.1 push_scope_info on: a scope only on the server is skipped and reported", func(t *testing.T) {
		l := newLab(t)
		l.p.PushScopeInfo = true
		l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
		p := l.run()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Info, "3.2", "not known to NetBox")
	})
}

// rule 5.3.
func TestScopesArePushed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab, *state.Range)
		want   string
		note   string
	}{
		{"5.3 equal: no call", func(*lab, *state.Range) {}, "", ""},
		{"5.3 only the name differs: only the name is sent", func(_ *lab, r *state.Range) { r.ScopeName = "new" }, "name net 10.8.4.0/24->new", ""},
		{"5.3 an empty name is not sent", func(_ *lab, r *state.Range) { r.ScopeName = "" }, "", ""},
		{"5.3 start and end", func(_ *lab, r *state.Range) { r.Start = netip.MustParseAddr("10.8.4.30") }, "start_ip 10.8.4.20->10.8.4.30", ""},
		{"5.3 the Windows description is not erased", func(l *lab, _ *state.Range) { l.scope.Description = "by an admin" }, "", ""},
		{"5.3 a description of NetBox is sent", func(_ *lab, r *state.Range) { r.Description = "Lab" }, "description ->Lab", ""},
		{"5.3 the router is sent where the first differs", func(_ *lab, r *state.Range) { r.Router = "10.8.4.1" }, "router ->10.8.4.1", ""},
		{"5.3 the lease time", func(_ *lab, r *state.Range) { r.LeaseSeconds = 3600 }, "lease_duration_seconds 691200->3600", ""},
		{"5.3 the lease time as people write it", func(_ *lab, r *state.Range) { r.LeaseDisplay = "73h" }, "lease_duration_seconds 691200->262800", ""},
		{"5.3 not to a server that does not tell its own", func(l *lab, r *state.Range) { l.scope.LeaseSeconds = 0; r.LeaseSeconds = 3600 }, "", ""},
		{"5.3 validation: start after end", func(_ *lab, r *state.Range) {
			r.ScopeName, r.Start, r.End = "new", netip.MustParseAddr("10.8.4.99"), netip.MustParseAddr("10.8.4.9")
		}, "", "is not pushed"},
		{"5.3 validation: an end outside of the prefix", func(_ *lab, r *state.Range) { r.End = netip.MustParseAddr("10.8.5.9") }, "", "leaves the subnet"},
		{"5.3 validation: an exclusion outside of the prefix", func(_ *lab, r *state.Range) {
			r.Exclusions = json.RawMessage(`[{"start":"10.8.5.1","end":"10.8.5.2"}]`)
		}, "", "leaves the subnet"},
		{"5.3 validation: exclusions that overlap", func(_ *lab, r *state.Range) {
			r.Exclusions = json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.39"},{"start":"10.8.4.35","end":"10.8.4.49"}]`)
		}, "", "overlap"},
		{"5.3 validation: a code with two values", func(_ *lab, r *state.Range) {
			r.ScopeName, r.Options = "new", json.RawMessage(`[{"code":6,"value":"a"},{"code":6,"value":"b"}]`)
		}, "", "option 6 has two values"}, // rule 9 row 7
		{"5.3 validation: a router that is no address", func(_ *lab, r *state.Range) { r.Router = "gw" }, "", "no IPv4 address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.p.PushScopeInfo = true
			c.change(l, &l.w.nb.Ranges[0])
			p := l.run()
			if got := changed(p, onServers); got != c.want {
				t.Errorf("got  %s\nwant %s\n%s", got, c.want, describe(p))
			}
			if c.note != "" {
				wantNote(t, p, plan.Conflict, "5.3", c.note)
			}
		})
	}
}

func TestAMissingScopeIsCreatedOnTheServer(t *testing.T) { // rules 5.3 and 9 row 45
	l := newLab(t)
	l.p.PushScopeInfo, l.p.PushReservations = true, true
	l.w.server(dh1).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.9")
	l.w.nb.Ranges[0].Router, l.w.nb.Ranges[0].Exclusions = "10.8.4.1", json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.39"}]`)
	delete(l.w.server(dh1).scopes, l.scope.ID())
	l.add(state.Address{Status: "reserved", ClientID: pc})
	p := l.plan()
	if err := l.w.apply(p); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, p, onServers, "create scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.3]",
		"create exclusion 10.8.4.30-10.8.4.39 [5.3]", "create reservation 10.8.4.33 [5.2]")
	wantNote(t, p, plan.Warning, "5.3", "created active")
	want := "scope_id <nil>->10.8.4.0, name <nil>->net 10.8.4.0/24, start_ip <nil>->10.8.4.20, end_ip <nil>->10.8.4.250, subnet_mask <nil>->255.255.255.0, " +
		"lease_duration_seconds <nil>->691200, router <nil>->10.8.4.1"
	if got := changed(p, onServers); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	wantSteps(t, l.run(), anyStep)
}

func TestAScopeOfTheSameNetworkIsNotMadeAgain(t *testing.T) { // rule 5.3
	l := newLab(t)
	l.p.PushScopeInfo = true
	delete(l.w.server(dh1).scopes, l.scope.ID())
	l.w.server(dh1).addScope("10.8.4.0/25", "10.8.4.20", "10.8.4.99")
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Conflict, "5.3", "same network address")
}

func TestExclusionsArePushed(t *testing.T) { // rule 5.3
	l := newLab(t)
	l.p.PushScopeInfo = true
	l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39"), span("10.8.4.100", "10.8.4.109"), span("10.8.4.50", "10.8.4.59")}
	l.p.PushScopeInfo = false
	l.run()
	l.p.PushScopeInfo = true
	l.w.nb.Ranges[0].Exclusions = json.RawMessage(`[{"start":"10.8.4.50","end":"10.8.4.59"},{"start":"10.8.4.35","end":"10.8.4.45"},{"start":"10.8.4.200","end":"10.8.4.209"}]`)
	wantSteps(t, l.run(), onServers, // what is apart first, what overlaps in one go, what is left over last
		"create exclusion 10.8.4.200-10.8.4.209 [5.3]", "update exclusion 10.8.4.35-10.8.4.45 [5.3]", "delete exclusion 10.8.4.100-10.8.4.109 [5.3]")
}

func TestARelationshipOnlyNetBoxKnowsIsNotUndoneByPush(t *testing.T) { // rule 5.3
	l := paired(t)
	l.p.PushScopeInfo = true
	l.leave()
	p := l.run()
	wantSteps(t, p, anyStep)
	wantNote(t, p, plan.Warning, "5.3", "is not part of failover east on the server yet")
}
