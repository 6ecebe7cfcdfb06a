package apply_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

const (
	mfpIs = "10.8.4.60 " + mfp + " mfp-2 printer's room"
	camIs = "10.8.4.61 " + cam + " cam-1  Dhcp"
)

func deleted(client string) string { return "DELETE reservations/" + client }

// rule 5.2.
func TestReservations(t *testing.T) {
	lease := func(w *psutest.World, addr string) {
		s := w.Scope("10.8.4.0")
		s.Leases = append(s.Leases, &psutest.Lease{IP: addr, ClientID: "02-00-00-00-00-99"})
	}
	elsewhere := func(w *psutest.World) {
		w.Scope("10.8.6.0").Reservations = []*psutest.Reservation{{IP: "10.8.6.20", ClientID: mfp}}
	}
	for _, c := range []struct {
		name    string
		before  func(*psutest.World)
		faults  []psutest.Fault
		step    plan.Step
		outcome netboxio.Outcome
		say     string
		writes  []string
		after   []string
	}{
		{name: "a new one", step: reserve("10.8.4.70", pc), outcome: netboxio.Done, writes: []string{"POST reservations"}, after: []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp"}},
		{name: "a new one that is there already", step: reserve("10.8.4.60", mfp), outcome: netboxio.Unchanged, after: []string{mfpIs, camIs}},
		{name: "a new one where another client got the address meanwhile", step: reserve("10.8.4.60", pc), outcome: netboxio.Changed, say: "reserved for " + mfp, after: []string{mfpIs, camIs}},
		{name: "a new one the server refuses is quoted and not tried twice", before: func(w *psutest.World) { lease(w, "10.8.4.70") }, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Refused, say: "in use by another client", writes: []string{"POST reservations"}, after: []string{mfpIs, camIs}},
		{name: "another name", step: rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), outcome: netboxio.Done, writes: []string{"PUT reservations/" + mfp},
			after: []string{"10.8.4.60 " + mfp + " mfp-9 printer's room", camIs}},
		{name: "a name that is there already", step: rename("10.8.4.60", mfp, "old", "mfp-2"), outcome: netboxio.Unchanged, after: []string{mfpIs, camIs}},
		{name: "a name changed by another user", step: rename("10.8.4.60", mfp, "mfp-1", "mfp-9"), outcome: netboxio.Changed, say: `name is "mfp-2"`, after: []string{mfpIs, camIs}},
		{name: "the name of a reservation that went to another client", step: rename("10.8.4.60", pc, "mfp-2", "x"), outcome: netboxio.Changed, say: "reserved for " + mfp, after: []string{mfpIs, camIs}},
		{name: "the name of a reservation that is gone", step: rename("10.8.4.99", pc, "a", "b"), outcome: netboxio.Changed, say: "no reservation", after: []string{mfpIs, camIs}},
		{name: "the name of a client with reservations in two scopes", before: elsewhere, step: rename("10.8.4.60", mfp, "mfp-2", "x"), outcome: netboxio.Refused, say: "10.8.6.20", after: []string{mfpIs, camIs}},
		{name: "one to delete", step: withdraw("10.8.4.60", mfp), outcome: netboxio.Done, writes: []string{deleted(mfp)}, after: []string{camIs}},
		{name: "one to delete that is gone", step: withdraw("10.8.4.99", pc), outcome: netboxio.Unchanged, after: []string{mfpIs, camIs}},
		{name: "one to delete that is another client's", step: withdraw("10.8.4.60", pc), outcome: netboxio.Changed, say: "reserved for " + mfp, after: []string{mfpIs, camIs}},
		{name: "one to delete of a client with reservations in two scopes", before: elsewhere, step: withdraw("10.8.4.60", mfp), outcome: netboxio.Refused, say: "would act on either", after: []string{mfpIs, camIs}},
		{name: "another client", step: replace("10.8.4.61", cam, pc), outcome: netboxio.Done, writes: []string{deleted(cam), "POST reservations"}, after: []string{mfpIs, "10.8.4.61 " + pc + " cam-1  Dhcp"}},
		{name: "another client that is there already", step: replace("10.8.4.61", mfp, cam), outcome: netboxio.Unchanged, after: []string{mfpIs, camIs}},
		{name: "another client where a third one got the address", step: replace("10.8.4.61", mfp, pc), outcome: netboxio.Changed, say: "reserved for " + cam, after: []string{mfpIs, camIs}},
		{name: "another client that has a reservation already: nothing is deleted", step: replace("10.8.4.61", cam, mfp), outcome: netboxio.Refused, say: "10.8.4.60", after: []string{mfpIs, camIs}},
		{name: "another client, for one with reservations in two scopes", before: elsewhere, step: replace("10.8.4.60", mfp, pc), outcome: netboxio.Refused, say: "would act on either", after: []string{mfpIs, camIs}},
		{name: "another client whose id cannot be sent: nothing is deleted", step: replace("10.8.4.61", cam, "no id"), outcome: netboxio.Refused, say: "could not be made again", after: []string{mfpIs, camIs}},
		{name: "a reservation of a type that cannot be made again: nothing is deleted", before: func(w *psutest.World) { w.Scope("10.8.4.0").Reservations[1].Type = "None" }, step: replace("10.8.4.61", cam, pc),
			outcome: netboxio.Refused, say: "could not be made again", after: []string{mfpIs, "10.8.4.61 " + cam + " cam-1  None"}},
		{name: "another client is refused: the old one comes back", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Error500, Times: 1}}, step: replace("10.8.4.61", cam, pc),
			outcome: netboxio.Refused, say: "was put back", writes: []string{deleted(cam), "POST reservations", "POST reservations"}, after: []string{mfpIs, camIs}},
		{name: "another client is refused, and so is the old one", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Error500}}, step: replace("10.8.4.61", cam, pc),
			outcome: netboxio.Failed, say: "create it on Windows", writes: []string{deleted(cam), "POST reservations", "POST reservations"}, after: []string{mfpIs}},
		{name: "another client: the outcome is unknown, the list fails, and the old one comes back", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504, Times: 1},
			{Path: "reservations", Method: "GET", Kind: psutest.Error500, After: 1, Times: 99}}, step: replace("10.8.4.61", cam, pc),
			outcome: netboxio.Failed, say: "was put back", writes: []string{deleted(cam), "POST reservations", "POST reservations"}, after: []string{mfpIs, camIs}},
		{name: "POST times out after it was carried out: no second one", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504After, Times: 1}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Done, writes: []string{"POST reservations"}, after: []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp"}},
		{name: "POST times out before it was carried out: a second one", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504, Times: 1}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Done, writes: []string{"POST reservations", "POST reservations"}, after: []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp"}},
		{name: "the connection ends after POST was carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.DropAfter, Times: 1}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Done, writes: []string{"POST reservations"}, after: []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp"}},
		{name: "an empty answer to POST, which was carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Blank200After, Times: 1}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Done, writes: []string{"POST reservations"}, after: []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp"}},
		{name: "an empty answer to POST, which was not carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Blank200}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Failed, say: "without saying so", writes: []string{"POST reservations", "POST reservations"}, after: []string{mfpIs, camIs}},
		{name: "PUT times out after it was carried out", faults: []psutest.Fault{{Method: "PUT", Kind: psutest.Timeout504After, Times: 1}}, step: rename("10.8.4.60", mfp, "mfp-2", "mfp-9"),
			outcome: netboxio.Done, writes: []string{"PUT reservations/" + mfp}, after: []string{"10.8.4.60 " + mfp + " mfp-9 printer's room", camIs}},
		{name: "DELETE times out after it was carried out", faults: []psutest.Fault{{Method: "DELETE", Kind: psutest.Timeout504After, Times: 1}}, step: withdraw("10.8.4.60", mfp),
			outcome: netboxio.Done, writes: []string{deleted(mfp)}, after: []string{camIs}},
		{name: "DELETE times out before it was carried out", faults: []psutest.Fault{{Method: "DELETE", Kind: psutest.Timeout504, Times: 1}}, step: withdraw("10.8.4.60", mfp),
			outcome: netboxio.Failed, say: "504", writes: []string{deleted(mfp)}, after: []string{mfpIs, camIs}},
		{name: "reservations that cannot be read", faults: []psutest.Fault{{Path: "reservations", Method: "GET", Kind: psutest.HTML500}}, step: reserve("10.8.4.70", pc),
			outcome: netboxio.Failed, say: "500", after: []string{mfpIs, camIs}},
		{name: "a reservation that may be anybody's", faults: []psutest.Fault{{Path: "reservations", Method: "GET", Kind: psutest.StrayEntry}}, step: withdraw("10.8.4.60", mfp),
			outcome: netboxio.Failed, say: "cannot be told apart", after: []string{mfpIs, camIs}},
		{name: "no scopes to look through", faults: []psutest.Fault{{Path: "scopes", Method: "GET", Kind: psutest.Null200}}, step: withdraw("10.8.4.60", mfp),
			outcome: netboxio.Failed, say: "read scopes", after: []string{mfpIs, camIs}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.before != nil {
				l.dh1.Edit(c.before)
			}
			for _, f := range c.faults {
				l.dh1.Fail(f)
			}
			l.one(c.step, c.outcome, c.say)
			l.wantWrites(c.writes...)
			l.wantReservations(c.after...)
		})
	}
}

// rule 5.2: a client moves to another address of the scope, and its
// old one goes to a third; what is known of the server follows.
func TestStepsBuildOnEachOther(t *testing.T) {
	l := newLab(t)
	l.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases = nil })
	r := l.run(withdraw("10.8.4.60", mfp), reserve("10.8.4.70", mfp), replace("10.8.4.61", cam, pc), reserve("10.8.4.60", cam))
	if n := r.Count(dh1, netboxio.Done); n != 4 {
		t.Errorf("%d of 4 done: %+v", n, r.Results)
	}
	l.wantReservations("10.8.4.70 "+mfp+" new  Dhcp", "10.8.4.61 "+pc+" cam-1  Dhcp", "10.8.4.60 "+cam+" new  Dhcp")
	reads := slices.DeleteFunc(l.dh1.Requests(), func(r psutest.Request) bool { return r.Method != "GET" })
	if len(reads) != 4 {
		t.Errorf("%d reads, want the scopes once, and the reservations before, after the replacement and at the end", len(reads))
	}
}

// rules 5.3 and 1.4 quirk 8.
func TestScopes(t *testing.T) {
	router := func(old, want any) plan.Change { return change("router", old, want) }
	labs := newScope("10.8.9.0/24", "10.8.9.10", "10.8.9.99", "10.8.9.1", 3600)
	for _, c := range []struct {
		name    string
		before  func(*psutest.World)
		faults  []psutest.Fault
		step    plan.Step
		outcome netboxio.Outcome
		say     string
		bodies  []string
	}{
		{name: "only what differs is sent", step: adjust(router("10.8.4.1", "10.8.4.254")), outcome: netboxio.Done, bodies: []string{`{"router":"10.8.4.254"}`}},
		{name: "a router goes away", step: adjust(router("10.8.4.1", "")), outcome: netboxio.Done, bodies: []string{`{"router":""}`}},
		{name: "what is there already", step: adjust(router("10.8.4.9", "10.8.4.1"), change("lease_duration_seconds", int64(60), int64(691200))), outcome: netboxio.Unchanged},
		{name: "what another user changed", step: adjust(router("10.8.4.9", "10.8.4.254")), outcome: netboxio.Changed, say: "router is 10.8.4.1"},
		{name: "a scope that is gone", before: func(w *psutest.World) { w.Scopes = w.Scopes[1:] }, step: adjust(router("10.8.4.1", "10.8.4.254")), outcome: netboxio.Changed, say: "no such scope"},
		{name: "404 for a range the server rejects", step: adjust(change("start_ip", "10.8.4.20", "10.8.5.20")), outcome: netboxio.Refused, say: "the server has the scope but rejects the change", bodies: []string{`{"start_ip":"10.8.5.20"}`}},
		{name: "404 for a scope that went away meanwhile", faults: []psutest.Fault{{Path: "scopes", Method: "GET", After: 1, Kind: psutest.EmptyList}}, step: adjust(change("start_ip", "10.8.4.20", "10.8.5.20")),
			outcome: netboxio.Refused, say: "404", bodies: []string{`{"start_ip":"10.8.5.20"}`}},
		{name: "PUT times out after it was carried out", faults: []psutest.Fault{{Method: "PUT", Kind: psutest.Timeout504After, Times: 1}}, step: adjust(router("10.8.4.1", "10.8.4.254")),
			outcome: netboxio.Done, bodies: []string{`{"router":"10.8.4.254"}`}},
		{name: "a new one", step: labs, outcome: netboxio.Done,
			bodies: []string{`{"end_ip":"10.8.9.99","lease_duration_seconds":3600,"name":"Labs","router":"10.8.9.1","scope_id":"10.8.9.0","start_ip":"10.8.9.10","subnet_mask":"255.255.255.0"}`}},
		{name: "a new one of a network the server has", step: newScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250", "10.8.4.1", 3600), outcome: netboxio.Changed, say: "there is a scope of this network address"},
		{name: "a new one that times out after it was carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504After, Times: 1}}, step: labs, outcome: netboxio.Done, bodies: []string{"*"}},
		{name: "a new one that times out before it was carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504, Times: 1}}, step: labs, outcome: netboxio.Done, bodies: []string{"*", "*"}},
		{name: "a new one the server says it made but does not list", faults: []psutest.Fault{{Path: "scopes", Method: "GET", After: 1, Kind: psutest.EmptyList}}, step: labs,
			outcome: netboxio.Failed, say: "does not list it", bodies: []string{"*"}},
		{name: "a new one that cannot be looked at afterwards", faults: []psutest.Fault{{Path: "scopes", Method: "GET", After: 1, Kind: psutest.Error500}}, step: labs,
			outcome: netboxio.Done, say: "could not be read afterwards", bodies: []string{"*"}},
		{name: "a new one whose span is not in its subnet is not sent", step: newScope("10.8.9.0/24", "10.8.8.10", "10.8.9.99", "", 3600), outcome: netboxio.Refused, say: "not in 10.8.9.0/24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.before != nil {
				l.dh1.Edit(c.before)
			}
			for _, f := range c.faults {
				l.dh1.Fail(f)
			}
			l.one(c.step, c.outcome, c.say)
			writes := l.dh1.Writes()
			if len(writes) != len(c.bodies) {
				t.Fatalf("requests %v, want %d", l.writes(), len(c.bodies))
			}
			for i, w := range writes {
				if body := strings.TrimSpace(w.Body); c.bodies[i] != "*" && body != c.bodies[i] {
					t.Errorf("sent %s\nwant %s", body, c.bodies[i])
				}
			}
		})
	}
}

// rule 1.3: errors of the lease time and the router are swallowed.
func TestANewScopeWithoutItsLeaseTimeOrRouterIsTold(t *testing.T) {
	for name, spoil := range map[string]func(*psutest.Scope){
		"router":                 func(s *psutest.Scope) { s.Routers = nil },
		"lease_duration_seconds": func(s *psutest.Scope) { s.LeaseSeconds = 691200 },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			until := make(chan struct{})
			l.dh1.Fail(psutest.Fault{Method: "GET", Path: "scopes", After: 1, Times: 1, Kind: psutest.Slow, Until: until})
			go func() {
				l.dh1.AwaitRequests(3) // list, create, list
				l.dh1.Edit(func(w *psutest.World) { spoil(w.Scope("10.8.9.0")) })
				close(until)
			}()
			l.one(newScope("10.8.9.0/24", "10.8.9.10", "10.8.9.99", "10.8.9.1", 3600), netboxio.Done, "created with "+name)
		})
	}
}

// rule 5.3: addresses must not be handed out because of us.
func TestExclusions(t *testing.T) {
	first, last := psutest.Exclusion{Start: "10.8.4.20", End: "10.8.4.29"}, psutest.Exclusion{Start: "10.8.4.240", End: "10.8.4.250"}
	wide := psutest.Exclusion{Start: "10.8.4.20", End: "10.8.4.35"}
	replacing := exclusion("10.8.4.20-10.8.4.35", "10.8.4.20-10.8.4.29")
	const post, remove = "POST exclusions", "DELETE exclusions"
	for _, c := range []struct {
		name    string
		before  func(*psutest.World)
		faults  []psutest.Fault
		step    plan.Step
		outcome netboxio.Outcome
		say     string
		writes  []string
		after   []psutest.Exclusion
	}{
		{name: "a new one", step: exclusion("10.8.4.100-10.8.4.101"), outcome: netboxio.Done, writes: []string{post}, after: []psutest.Exclusion{first, {Start: "10.8.4.100", End: "10.8.4.101"}, last}},
		{name: "a new one that is there already", step: exclusion("10.8.4.20-10.8.4.29"), outcome: netboxio.Unchanged, after: []psutest.Exclusion{first, last}},
		{name: "a new one the server refuses", step: exclusion("10.8.4.25-10.8.4.35"), outcome: netboxio.Refused, say: "overlaps", writes: []string{post}, after: []psutest.Exclusion{first, last}},
		{name: "one too many", step: exclusion("", "10.8.4.20-10.8.4.29"), outcome: netboxio.Done, writes: []string{remove}, after: []psutest.Exclusion{last}},
		{name: "one too many that is gone", step: exclusion("", "10.8.4.50-10.8.4.59"), outcome: netboxio.Unchanged, after: []psutest.Exclusion{first, last}},
		{name: "a replacement", step: replacing, outcome: netboxio.Done, writes: []string{remove, post}, after: []psutest.Exclusion{wide, last}},
		{name: "a replacement another user made", before: func(w *psutest.World) { w.Scope("10.8.4.0").Exclusions[0] = wide }, step: replacing, outcome: netboxio.Unchanged, after: []psutest.Exclusion{wide, last}},
		{name: "a replacement of one that is gone", before: func(w *psutest.World) { w.Scope("10.8.4.0").Exclusions = []psutest.Exclusion{last} }, step: replacing, outcome: netboxio.Done, writes: []string{post}, after: []psutest.Exclusion{wide, last}},
		{name: "the new one is refused: the old one comes back", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Error500, Times: 1}}, step: replacing,
			outcome: netboxio.Refused, say: "RPC server", writes: []string{remove, post, post}, after: []psutest.Exclusion{first, last}},
		{name: "the new one and the old one are refused", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Error500}}, step: replacing,
			outcome: netboxio.Failed, say: "exclusion 10.8.4.20-10.8.4.29", writes: []string{remove, post, post}, after: []psutest.Exclusion{last}},
		{name: "of two old ones the second cannot be deleted: the first comes back", faults: []psutest.Fault{{Method: "DELETE", After: 1, Kind: psutest.Error500}},
			step: exclusion("10.8.4.20-10.8.4.250", "10.8.4.20-10.8.4.29", "10.8.4.240-10.8.4.250"), outcome: netboxio.Refused, say: "RPC server", writes: []string{remove, remove, post}, after: []psutest.Exclusion{first, last}},
		{name: "of two old ones one cannot be put back: the other is", faults: []psutest.Fault{{Method: "POST", Times: 2, Kind: psutest.Error500}},
			step: exclusion("10.8.4.20-10.8.4.250", "10.8.4.20-10.8.4.29", "10.8.4.240-10.8.4.250"), outcome: netboxio.Failed, say: "put back: exclusion 10.8.4.20-10.8.4.29 (",
			writes: []string{remove, remove, post, post, post}, after: []psutest.Exclusion{last}},
		{name: "POST times out after it was carried out", faults: []psutest.Fault{{Method: "POST", Kind: psutest.Timeout504After, Times: 1}}, step: replacing, outcome: netboxio.Done, writes: []string{remove, post}, after: []psutest.Exclusion{wide, last}},
		{name: "DELETE times out after it was carried out", faults: []psutest.Fault{{Method: "DELETE", Kind: psutest.Timeout504After, Times: 1}}, step: replacing, outcome: netboxio.Done, writes: []string{remove, post}, after: []psutest.Exclusion{wide, last}},
		{name: "exclusions that cannot be read", faults: []psutest.Fault{{Path: "exclusions", Method: "GET", Kind: psutest.Blank200}}, step: replacing, outcome: netboxio.Failed, say: "read exclusions", after: []psutest.Exclusion{first, last}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.before != nil {
				l.dh1.Edit(c.before)
			}
			for _, f := range c.faults {
				l.dh1.Fail(f)
			}
			l.one(c.step, c.outcome, c.say)
			l.wantWrites(c.writes...)
			l.wantExclusions(c.after...)
		})
	}
}

// rule 3.8 point 22: a kind of call that a server does not take is not tried again,
// and what one server refuses does not hold up another.
func TestAKindOfCallThatAServerRefusesIsNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fault psutest.FaultKind
		posts int
	}{
		"401": {psutest.Unauthorized, 1}, "403": {psutest.Forbidden, 1}, "no script": {psutest.HTML200, 3}, "redirect": {psutest.Redirect, 3}, "dropped": {psutest.Drop, 3},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			other := psutest.New(t, psutest.Config{World: psutest.Example(dh2)})
			l.targets.Servers[dh2] = l.client(other, false)
			l.dh1.Fail(psutest.Fault{Method: "POST", Path: "reservations", Kind: c.fault})
			there := reserve("10.8.4.70", pc)
			there.Target = dh2
			r := l.run(reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"), reserve("10.8.4.72", "3c-52-82-0a-1b-79"), reserve("10.8.4.73", "3c-52-82-0a-1b-7a"),
				rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), exclusion("10.8.4.100-10.8.4.101"), there)
			if r.Count(dh1, netboxio.Failed) != 4 || r.Count(dh1, netboxio.Done) != 2 || r.Count(dh2, netboxio.Done) != 1 {
				t.Errorf("%+v", r.Results)
			}
			if say := r.Results[3].Error; !strings.Contains(say, "not tried, since") || !strings.Contains(say, "create a reservation") {
				t.Errorf("the last one: %s", say)
			}
			posts := slices.DeleteFunc(l.writes(), func(w string) bool { return w != "POST reservations" })
			if len(posts) != c.posts {
				t.Errorf("%d requests, want %d", len(posts), c.posts)
			}
			l.wantReservations("10.8.4.60 "+mfp+" mfp-9 printer's room", camIs)
		})
	}
}

// rule 3.8 point 22: scripts that lack a path answer 401 for it.
func TestACallThatOneScriptLacksCostsNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		fault psutest.Fault
		bad   plan.Step
		tried int
	}{
		// Both with the client id and as a list (rule 1.9).
		"PUT reservation 401":    {psutest.Fault{Method: "PUT", Path: "reservations/*", Kind: psutest.Unauthorized}, rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), 2},
		"DELETE reservation 401": {psutest.Fault{Method: "DELETE", Path: "reservations/*", Kind: psutest.Unauthorized}, withdraw("10.8.4.60", mfp), 2},
		"PUT scope 403":          {psutest.Fault{Method: "PUT", Path: "scopes/*", Kind: psutest.Forbidden}, adjust(change("router", "10.8.4.1", "10.8.4.254")), 1},
		"DELETE exclusion 401":   {psutest.Fault{Method: "DELETE", Path: "exclusions", Kind: psutest.Unauthorized}, exclusion("", "10.8.4.20-10.8.4.29"), 1},
		"400 for one":            {psutest.Fault{Method: "PUT", Path: "reservations/*", Kind: psutest.Error400}, rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), 1},
		"dropped":                {psutest.Fault{Method: "PUT", Path: "reservations/*", Kind: psutest.Drop}, rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.dh1.Fail(c.fault)
			r := l.run(c.bad, reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"), exclusion("10.8.4.100-10.8.4.101"))
			if r.Results[0].Outcome == netboxio.Done || r.Count(dh1, netboxio.Done) != 3 {
				t.Errorf("%+v", r.Results)
			}
			if n := len(l.writes()) - 3; n != c.tried {
				t.Errorf("%d tries, want %d", n, c.tried)
			}
		})
	}
}

// rule 1.9: a script that dropped the calls by client id does all the same, whether
// it was asked whose it is or not.
func TestAServerWithListsIsWrittenTo(t *testing.T) {
	for _, script := range []string{psutest.Lists, psutest.Own} {
		for _, asked := range []bool{true, false} {
			t.Run(fmt.Sprint(script, asked), func(t *testing.T) {
				l := newLab(t)
				l.dh1.Configure(func(c *psutest.Config) { c.Script = script })
				if asked {
					if _, err := l.targets.Servers[dh1].Health(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				r := l.run(rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), withdraw("10.8.4.61", cam), reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"))
				if n := r.Count(dh1, netboxio.Done); n != 4 {
					t.Errorf("%d of 4 done: %+v", n, r.Results)
				}
				l.wantReservations("10.8.4.60 "+mfp+" mfp-9 printer's room", "10.8.4.70 "+pc+" new  Dhcp", "10.8.4.71 3c-52-82-0a-1b-78 new  Dhcp")
			})
		}
	}
}

// rule 1.9: reservations that are made one after the other go in one request, each
// with its own outcome; a list that fails is made one by one, and nothing twice.
func TestNewReservationsGoTogether(t *testing.T) {
	steps := []plan.Step{
		reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"), reserve("10.8.4.105", "3c-52-82-0a-1b-79"), reserve("10.8.4.72", "3c-52-82-0a-1b-7a"),
	}
	made := []string{mfpIs, camIs, "10.8.4.70 " + pc + " new  Dhcp", "10.8.4.71 3c-52-82-0a-1b-78 new  Dhcp", "10.8.4.72 3c-52-82-0a-1b-7a new  Dhcp"}
	for _, c := range []struct {
		name, script string
		fault        *psutest.Fault
		posts        int
	}{
		{"a script without lists", "1.0.2", nil, 4},
		{"the plugin's", psutest.Lists, nil, 1},
		{"ours", psutest.Own, nil, 1},
		{"the list is refused", psutest.Own, &psutest.Fault{Method: "POST", Path: "reservations", Times: 1, Kind: psutest.Error500}, 5},
		{"the list gets a page", psutest.Lists, &psutest.Fault{Method: "POST", Path: "reservations", Times: 1, Kind: psutest.HTML200}, 5},
		{"the list gets 401", psutest.Lists, &psutest.Fault{Method: "POST", Path: "reservations", Times: 1, Kind: psutest.Unauthorized}, 5},
		{"the answer to the list is lost", psutest.Own, &psutest.Fault{Method: "POST", Path: "reservations", Times: 1, Kind: psutest.DropAfter}, 2}, // and the one that was refused
		{"the answer to the list is blank", psutest.Lists, &psutest.Fault{Method: "POST", Path: "reservations", Times: 1, Kind: psutest.Blank200After}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.dh1.Configure(func(o *psutest.Config) { o.Script = c.script })
			if _, err := l.targets.Servers[dh1].Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.fault != nil {
				l.dh1.Fail(*c.fault)
			}
			r := l.run(steps...)
			if got := r.Results[2]; got.Outcome != netboxio.Refused || !strings.Contains(got.Error, "10.8.4.105") || r.Failed() != 1 {
				t.Errorf("%+v", r.Results)
			}
			if n := len(l.writes()); n != c.posts {
				t.Errorf("%d requests, want %d: %q", n, c.posts, l.writes())
			}
			l.wantReservations(made...)
		})
	}
}

// What is there already and what must not be done is in no list.
func TestOnlyWhatIsToBeMadeGoesTogether(t *testing.T) {
	l := newLab(t)
	l.dh1.Configure(func(o *psutest.Config) { o.Script = psutest.Own })
	if _, err := l.targets.Servers[dh1].Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	there, other := reserve("10.8.4.60", mfp), reserve("10.8.4.61", pc)
	r := l.run(reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"), there, other, reserve("10.8.4.72", "3c-52-82-0a-1b-7a"), reserve("10.8.4.73", "3c-52-82-0a-1b-7b"))
	var got []netboxio.Outcome
	for _, result := range r.Results {
		got = append(got, result.Outcome)
	}
	if diff := cmp.Diff([]netboxio.Outcome{netboxio.Done, netboxio.Done, netboxio.Unchanged, netboxio.Changed, netboxio.Done, netboxio.Done}, got); diff != "" {
		t.Errorf("%s\n%+v", diff, r.Results)
	}
	l.wantWrites("POST reservations", "POST reservations")
	l.options.Policy.PushReservations = false
	l.dh1.ForgetRequests()
	l.run(reserve("10.8.4.80", "3c-52-82-0a-1b-80"), reserve("10.8.4.81", "3c-52-82-0a-1b-81"))
	l.wantWrites()
}

// rule 3.8 point 22: a token that works nowhere is not tried any more.
func TestATokenThatWorksNowhereEndsTheWorkOnAServer(t *testing.T) {
	l := newLab(t)
	for _, path := range []string{"health", "scopes"} {
		l.dh1.Fail(psutest.Fault{Method: "GET", Path: path, After: 1, Kind: psutest.Unauthorized})
	}
	l.dh1.Fail(psutest.Fault{Method: "POST", Kind: psutest.Unauthorized})
	l.dh1.Fail(psutest.Fault{Method: "GET", Path: "health", Kind: psutest.Unauthorized})
	r := l.run(reserve("10.8.4.70", pc), exclusion("10.8.4.100-10.8.4.101"), rename("10.8.4.60", mfp, "mfp-2", "mfp-9"))
	if r.Count(dh1, netboxio.Failed) != 3 || !strings.Contains(r.Results[2].Error, "not tried, since") {
		t.Errorf("%+v", r.Results)
	}
	l.wantWrites("POST reservations")
}

// rule 3.8 point 22: nothing is taken away for what cannot be made, and what was
// taken away is put back also by a kind of call that was refused.
func TestAReplacementThatCannotBeFinishedIsNotBegun(t *testing.T) {
	l := newLab(t)
	l.dh1.Fail(psutest.Fault{Method: "POST", Path: "reservations", Kind: psutest.Unauthorized})
	l.dh1.Fail(psutest.Fault{Method: "POST", Path: "exclusions", Kind: psutest.Unauthorized})
	r := l.run(reserve("10.8.4.70", pc), replace("10.8.4.61", cam, "3c-52-82-0a-1b-78"),
		exclusion("10.8.4.100-10.8.4.101"), exclusion("10.8.4.20-10.8.4.35", "10.8.4.20-10.8.4.29"))
	if r.Count(dh1, netboxio.Failed) != 4 {
		t.Errorf("%+v", r.Results)
	}
	l.wantReservations(mfpIs, camIs)
	l.wantWrites("POST reservations", "POST exclusions")

	l = newLab(t)
	l.dh1.Fail(psutest.Fault{Method: "POST", Times: 1, Kind: psutest.Unauthorized})
	l.one(replace("10.8.4.61", cam, pc), netboxio.Failed, "was put back")
	l.wantReservations(mfpIs, camIs)
}

// rule 3.8 point 25: what the server shows counts, not the status of its answer.
func TestAWriteIsDoneIfTheServerShowsIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		kind   psutest.FaultKind
		step   plan.Step
		want   netboxio.Outcome
		say    string
		field  string // of the answer that is kept
	}{
		{"a new reservation that is not there", "POST", psutest.Swallowed, reserve("10.8.4.70", pc), netboxio.Refused, "shows no reservation", ""},
		{"a name that was rewritten", "PUT", psutest.TextsAsTimes, rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), netboxio.Refused, `the server keeps name "11/28/2026 10:00:00" instead of "mfp-9"`, "name"},
		{"a name that was rewritten at once", "POST", psutest.TextsAsTimes, reserve("10.8.4.70", pc), netboxio.Refused, "11/28/2026", "name"},
		{"a client id that was rewritten", "POST", psutest.OtherClients, reserve("10.8.4.70", pc), netboxio.Refused, "the server keeps client_id \"01-" + pc + "\" instead of \"" + pc, "client_id"},
		{"a client id that was rewritten in place of another", "POST", psutest.OtherClients, replace("10.8.4.61", cam, pc), netboxio.Refused, `the server keeps client_id "01-`, "client_id"},
		{"a name that did not change", "PUT", psutest.Swallowed, rename("10.8.4.60", mfp, "mfp-2", "mfp-9"), netboxio.Refused, `the server keeps name "mfp-2"`, "name"},
		{"a reservation that is still there", "DELETE", psutest.Swallowed, withdraw("10.8.4.60", mfp), netboxio.Refused, "still shows the reservation", ""},
		{"a router that did not change", "PUT", psutest.Swallowed, adjust(change("router", "10.8.4.1", "10.8.4.254")), netboxio.Refused, `router "10.8.4.1"`, "router"},
		{"a description with blanks", "PUT", psutest.Slow, adjust(change("description", "", " a lab ")), netboxio.Done, "", ""},
		{"an exclusion that is not there", "POST", psutest.Swallowed, exclusion("10.8.4.100-10.8.4.101"), netboxio.Refused, "does not show the exclusion", ""},
		{"an exclusion that is still there", "DELETE", psutest.Swallowed, exclusion("", "10.8.4.20-10.8.4.29"), netboxio.Refused, "still shows the exclusion", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.dh1.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Description = "" })
			l.dh1.Fail(psutest.Fault{Method: c.method, Kind: c.kind})
			got := l.run(c.step).Results[0]
			if got.Outcome != c.want || !strings.Contains(got.Error, c.say) {
				t.Errorf("%s: %s; want %s: ...%s...", got.Outcome, got.Error, c.want, c.say)
			}
			if _, kept := got.Answers[c.field]; kept != (c.field != "") || len(got.Answers) > 1 {
				t.Errorf("answers %v, want %q", got.Answers, c.field)
			}
		})
	}
}

// rule 3.8 point 25: reservations that were made with one request are looked at each.
func TestReservationsMadeInAListAreReadBack(t *testing.T) {
	for _, script := range []string{psutest.Lists, psutest.Own} {
		for kind, field := range map[psutest.FaultKind]string{psutest.OtherClients: "client_id", psutest.TextsAsTimes: "name"} {
			l := newLab(t)
			l.dh1.Configure(func(c *psutest.Config) { c.Script = script })
			if _, err := l.targets.Servers[dh1].Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.dh1.Fail(psutest.Fault{Method: "POST", Path: "reservations", Kind: kind})
			r := l.run(reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"))
			l.wantWrites("POST reservations")
			for i, got := range r.Results {
				if _, kept := got.Answers[field]; got.Outcome != netboxio.Refused || !kept || len(got.Answers) != 1 {
					t.Errorf("script %s, step %d: %s: %s, answers %v, want one of %s", script, i, got.Outcome, got.Error, got.Answers, field)
				}
			}
		}
	}
}

// rule 3.8 point 25: the old reservation comes back where the new one was made in
// word only.
func TestAReplacementThatIsNotThereIsUndone(t *testing.T) {
	l := newLab(t)
	l.dh1.Fail(psutest.Fault{Method: "POST", Times: 1, Kind: psutest.Swallowed})
	l.one(replace("10.8.4.61", cam, pc), netboxio.Failed, "was put back")
	l.wantReservations(mfpIs, camIs)
}

// Each write to a server that hangs takes a minute, with the lock held.
// rule 5.3: reservations and exclusions of a scope that could not be made are not
// sent; those of other scopes are.
func TestAScopeThatCouldNotBeMadeGetsNothingElse(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault psutest.Fault
	}{
		{"refused", psutest.Fault{Path: "scopes", Method: "POST", Kind: psutest.Error500}},
		{"never carried out", psutest.Fault{Path: "scopes", Method: "POST", Kind: psutest.Timeout504}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.dh1.Fail(c.fault)
			in := func(s plan.Step) plan.Step { s.Scope = netip.MustParsePrefix("10.8.9.0/24"); return s }
			r := l.run(newScope("10.8.9.0/24", "10.8.9.10", "10.8.9.99", "", 3600), in(exclusion("10.8.9.10-10.8.9.19")), in(reserve("10.8.9.50", pc)), in(reserve("10.8.9.51", cam)), reserve("10.8.4.70", pc))
			for i, done := range []bool{false, false, false, false, true} {
				if got := r.Results[i].Outcome; (got == netboxio.Done) != done {
					t.Errorf("step %d: %s", i, got)
				}
				if i > 0 && i < 4 && !strings.Contains(r.Results[i].Error, "not tried, since scope 10.8.9.0/24") {
					t.Errorf("step %d: %s", i, r.Results[i].Error)
				}
			}
			for _, w := range l.writes() {
				if strings.HasPrefix(w, "POST exclusions") {
					t.Errorf("sent: %s", w)
				}
			}
			l.wantReservations(mfpIs, camIs, "10.8.4.70 "+pc+" new  Dhcp")
		})
	}
}

func TestAServerThatTimesOutAgainAndAgainGetsNoMore(t *testing.T) {
	l := newLab(t)
	l.dh1.Fail(psutest.Fault{Method: "POST", Kind: psutest.Timeout504})
	var steps []plan.Step
	for _, client := range []string{"3c-52-82-0a-1b-70", "3c-52-82-0a-1b-71", "3c-52-82-0a-1b-72", "3c-52-82-0a-1b-73", "3c-52-82-0a-1b-74"} {
		steps = append(steps, reserve("10.8.4."+client[len(client)-2:], client))
	}
	r := l.run(steps...)
	if n := len(l.writes()); r.Failed() != 5 || n != 6 || !strings.Contains(r.Results[4].Error, "not tried") {
		t.Errorf("%d requests: %+v", n, r.Results)
	}
}

func TestAClientThatMayOnlyReadRefusesBeforeAnythingIsSent(t *testing.T) {
	l := newLab(t)
	l.targets.Servers[dh1] = l.client(l.dh1, true)
	r := l.run(reserve("10.8.4.70", pc), exclusion("10.8.4.100-10.8.4.101"))
	if r.Failed() != 2 || !strings.Contains(r.Results[0].Error, endpoint.ErrReadOnly.Error()) {
		t.Errorf("%+v", r.Results)
	}
	l.wantWrites()
}

func TestAServerThatIsNotConfiguredIsAnError(t *testing.T) {
	l := newLab(t)
	delete(l.targets.Servers, dh1)
	l.one(reserve("10.8.4.70", pc), netboxio.Failed, "no server dh1.corp.example is configured")
}

// The lists of a server that cannot tell its reservations are asked for once,
// not before each step; its scopes are written all the same.
func TestReservationsThatCannotBeReadHoldUpNothingElse(t *testing.T) {
	l := newLab(t)
	l.dh1.Fail(psutest.Fault{Path: "reservations", Method: "GET", Kind: psutest.Error500})
	r := l.run(reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"), exclusion("10.8.4.100-10.8.4.101"))
	if r.Count(dh1, netboxio.Failed) != 2 || r.Count(dh1, netboxio.Done) != 1 {
		t.Errorf("%+v", r.Results)
	}
	asked := 0
	for _, r := range l.dh1.Requests() {
		if r.Method == "GET" && strings.HasSuffix(r.Path, "/reservations") && r.Query.Get("scope_id") == "" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the list of all reservations was asked for %d times", asked)
	}
}

var errStop = errors.New("stopped by the operator")

// rule 3.8: an interrupted run ends between two requests.
func TestAnInterruptedRunEndsBetweenRequests(t *testing.T) {
	l := newLab(t)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	until := make(chan struct{})
	l.dh1.Fail(psutest.Fault{Method: "POST", Times: 1, Kind: psutest.Slow, Until: until})
	go func() {
		l.dh1.AwaitRequests(3) // scopes, reservations, POST
		stop(errStop)
		close(until)
	}()
	r := apply.Run(ctx, &plan.Plan{Steps: []plan.Step{reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78")}}, l.targets, l.options)
	if r.Results[0].Outcome != netboxio.Done || r.Results[1].Outcome != netboxio.Failed || !strings.Contains(r.Results[1].Error, errStop.Error()) {
		t.Errorf("%+v", r.Results)
	}
	l.wantWrites("POST reservations")
}

// An edited plan file gets nothing past Policy.Allowed.
func TestAStepThatIsNotAllowedIsNotSent(t *testing.T) {
	l := newLab(t)
	l.options.Policy.PushReservations = false
	l.one(reserve("10.8.4.70", pc), netboxio.Refused, "not switched on")
	if n := len(l.dh1.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
