package apply_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

const (
	addressesPath = "ipam/ip-addresses"
	rangesPath    = "ipam/ip-ranges"
	journalPath   = "extras/journal-entries"
)

// address is a step that makes an address of 10.8.4.0/24.
func address(n int) plan.Step {
	host := fmt.Sprintf("10.8.4.%d", n)
	return plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Create, Kind: state.IPAddress, Name: host + "/24", Addr: netip.MustParseAddr(host),
		Changes: []plan.Change{change("address", nil, host+"/24"), change("status", nil, "reserved")}, Rule: "3.5 row 3", Why: "reserved",
	}
}

func table(n int, text string) plan.Step {
	return plan.Step{
		Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPPrefix, ID: 1, Name: fmt.Sprint(n),
		Changes: []plan.Change{change("custom_fields."+state.FieldScopes, nil, text)},
	}
}

func made(l *lab, path string) (rows []map[string]any) {
	for id := range int64(50) {
		if row := l.nb.Get(path, id); row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// rule 3.1: first NetBox, then Windows; removals last. The journal
// tells of what was done.
func TestTheStepsOfAPlanInTheirOrder(t *testing.T) {
	l := newLab(t)
	l.netbox()
	id := l.nb.Add(t, addressesPath, map[string]any{"address": "10.8.4.99/24", "status": "reserved"})
	tag := plan.Step{Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: id, Name: "10.8.4.99/24",
		Addr: netip.MustParseAddr("10.8.4.99"), AddTags: []string{state.TagInvalid}, Journal: "no scope contains it"}
	told := address(70)
	told.Journal = "recorded"
	var progress []int
	l.options.Progress = func(done, total int) {
		if total != 4 {
			t.Errorf("of %d", total)
		}
		progress = append(progress, done)
	}
	r := l.run(told, address(71), reserve("10.8.4.70", pc), tag)
	if r.Count("", netboxio.Done) != 4 || r.Summary() != "2 created, 1 changed, 1 written to servers" {
		t.Errorf("%s: %+v", r.Summary(), r.Results)
	}
	if !slices.IsSorted(progress) || len(progress) != len(slices.Compact(progress)) || progress[len(progress)-1] != 4 {
		t.Errorf("progress %v", progress)
	}
	var kinds []string
	for _, row := range made(l, journalPath) {
		raw, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"info", "warning"} {
			if strings.Contains(string(raw), `"`+kind+`"`) {
				kinds = append(kinds, fmt.Sprintf("%s: %v", kind, row["comments"]))
			}
		}
	}
	if want := []string{"info: recorded", "warning: no scope contains it"}; !slices.Equal(kinds, want) {
		t.Errorf("journal %q, want %q", kinds, want)
	}
	for _, w := range l.nb.Writes() {
		if !strings.Contains(w.Path, "journal") && !strings.Contains(string(w.Body), "netbox-dhcp-sync test: ") {
			t.Errorf("no message for the change log: %s", w.Body)
		}
	}
	// again, as after a crash: nothing is written, and nothing told twice
	l.nb.ForgetRequests()
	if r := l.run(told, address(71), reserve("10.8.4.70", pc), tag); r.Count("", netboxio.Unchanged) != 4 || len(l.nb.Writes()) > 0 || r.Summary() != "no change" {
		t.Errorf("%s: %+v, %v", r.Summary(), r.Results, l.nb.Writes())
	}
}

// rule 3.8 point 21: one that does not get through holds up nothing; where none does,
// the run ends.
func TestBodiesThatDoNotGetThrough(t *testing.T) {
	poisoned := func(n int) plan.Step {
		s := address(n % 250)
		s.Addr = netip.AddrFrom4([4]byte{10, 8, byte(4 + n/250), byte(n % 250)})
		s.Name = s.Addr.String() + "/24"
		s.Changes = []plan.Change{change("address", nil, s.Name), change("status", nil, "reserved"), change("dns_name", nil, "poison")}
		return s
	}
	for _, c := range []struct {
		name          string
		bad           int
		made, pushed  int
		notTriedAtAll bool
	}{{"a few", 4, 1, 1, false}, {"more than can be by chance", 760, 0, 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.netbox()
			l.nb.Fail(netboxtest.Fault{Kind: netboxtest.Blocked403, Body: "poison"})
			var steps []plan.Step
			for n := range c.bad {
				steps = append(steps, poisoned(n+1))
			}
			r := l.run(append(steps, address(250), reserve("10.8.4.70", pc))...)
			if made, pushed := r.Count(plan.NetBox, netboxio.Done), r.Count(dh1, netboxio.Done); made != c.made || pushed != c.pushed {
				t.Errorf("%d made, %d pushed, want %d and %d: %s", made, pushed, c.made, c.pushed, r.Results[len(r.Results)-1].Error)
			}
			if notTried := strings.Contains(r.Results[len(r.Results)-1].Error, apply.ErrNotTried.Error()); notTried != c.notTriedAtAll {
				t.Errorf("the push: %s", r.Results[len(r.Results)-1].Error)
			}
		})
	}
}

// rule 3.8: NetBox in trouble ends the run before a server is
// written to.
func TestWithNetBoxOutOfReachNoServerIsWrittenTo(t *testing.T) {
	for name, fault := range map[string]netboxtest.Fault{
		"login page":    {Kind: netboxtest.HTML200},
		"token expired": {Kind: netboxtest.TokenExpired, Method: http.MethodGet},
		"exceptions":    {Kind: netboxtest.JSON500, Method: http.MethodGet},
		"exceptions of the list that is written to": {Kind: netboxtest.JSON500, Method: http.MethodGet, Path: "/api/" + addressesPath + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.netbox()
			l.nb.Fail(fault)
			last := 0
			l.options.Progress = func(done, _ int) { last = done }
			r := l.run(address(70), reserve("10.8.4.70", pc), reserve("10.8.4.71", "3c-52-82-0a-1b-78"))
			if r.Failed() != 3 || !strings.Contains(r.Results[1].Error, apply.ErrNotTried.Error()) || !strings.Contains(r.Results[2].Error, "NetBox") {
				t.Errorf("%+v", r.Results)
			}
			if last != 1 {
				t.Errorf("%d steps decided, want 1", last)
			}
			l.wantWrites()
		})
	}
}

// rule 3.8: one IP rejected by NetBox; the others go on.
func TestOneObjectNetBoxDoesNotTakeHoldsUpNothing(t *testing.T) {
	l := newLab(t)
	l.netbox()
	bad := address(71)
	bad.Changes = append(bad.Changes, change("dns_name", nil, "not a name!"))
	r := l.run(address(70), bad, address(72), reserve("10.8.4.70", pc))
	if r.Count("", netboxio.Done) != 3 || r.Results[1].Outcome != netboxio.Refused {
		t.Errorf("%+v", r.Results)
	}
}

// rule 3.8: NetBox has an exception for some objects, and is not out of reach
// by that. Where it has one for each of many the run ends.
func TestObjectsNetBoxFailsAtHoldUpNothing(t *testing.T) {
	for _, c := range []struct {
		name      string
		bad, good int
		goesOn    bool
	}{
		{"one of several", 1, 3, true}, {"the only one", 1, 0, true}, {"two, and no other", 2, 0, true},
		{"several next to each other", 9, 1, true}, {"each of many", 10, 0, false}, {"many next to each other", 10, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.netbox()
			l.nb.Fail(netboxtest.Fault{Method: http.MethodPost, Body: "poison", Kind: netboxtest.JSON500})
			var steps []plan.Step
			for n := range c.bad + c.good {
				s := address(100 + n)
				if n < c.bad {
					s.Changes = append(s.Changes, change("dns_name", nil, "poison"))
				}
				steps = append(steps, s)
			}
			r := l.run(append(steps, reserve("10.8.4.70", pc))...)
			made, pushed := r.Count(plan.NetBox, netboxio.Done), r.Count(dh1, netboxio.Done) == 1
			if pushed != c.goesOn || c.goesOn && made != c.good || r.Count(plan.NetBox, netboxio.Failed) < c.bad {
				t.Errorf("%d made, pushed: %t; %+v", made, pushed, r.Results)
			}
		})
	}
}

// Without a right for one kind of write the others go on.
func TestAKindOfWriteThatIsForbiddenHoldsUpNoOther(t *testing.T) {
	l := newLab(t)
	l.netbox()
	l.nb.Fail(netboxtest.Fault{Method: http.MethodPost, Path: "/api/" + addressesPath + "/", Kind: netboxtest.Forbidden403})
	r := l.run(address(70), address(71), reserve("10.8.4.70", pc), table(1, "| a |"))
	if r.Count(plan.NetBox, netboxio.Failed) != 2 || r.Count(plan.NetBox, netboxio.Done) != 1 || r.Count(dh1, netboxio.Done) != 1 {
		t.Errorf("%+v", r.Results)
	}
}

// A plan file may claim that an object is the mirror's: what it names has to be
// so when the step is carried out.
func TestAnEditedPlanCannotPassOffWhatIsNotTheMirrors(t *testing.T) {
	own := func(id int64) plan.Step {
		return plan.Step{Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.IPRange, ID: id, Name: "scope", Changes: []plan.Change{change("description", "", "mine")}}
	}
	drop := func(id int64) plan.Step {
		s := own(id)
		s.Action, s.Changes, s.Observed = state.Delete, nil, []plan.Change{{Field: "custom_fields." + state.FieldServer, Old: dh1}}
		return s
	}
	context := plan.Step{Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.ConfigContext, ID: 1, Name: state.ContextName + "option-codes",
		Changes: []plan.Change{change("data", json.RawMessage(`{"a":1}`), json.RawMessage(`{"a":2}`))}}
	l := newLab(t)
	l.netbox()
	for name, c := range map[string]struct {
		step plan.Step
		want netboxio.Outcome
	}{
		"a range that is a scope is changed": {own(1), netboxio.Done}, "one with another role is not": {own(2), netboxio.Changed},
		"nor deleted": {drop(2), netboxio.Changed}, "nor a config context of another name changed": {context, netboxio.Changed},
		"nor an address deleted that shows another status": {plan.Step{Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress,
			ID: l.nb.Add(t, addressesPath, map[string]any{"address": "10.8.4.98/24", "status": "active"}), Addr: netip.MustParseAddr("10.8.4.98"),
			Observed: []plan.Change{{Field: "status", Old: "dhcp"}}}, netboxio.Changed},
		"nor one that is not where the step says": {plan.Step{Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress,
			ID: l.nb.Add(t, addressesPath, map[string]any{"address": "10.8.4.97/24", "status": "deprecated"}), Addr: netip.MustParseAddr("10.8.4.33"),
			Observed: []plan.Change{{Field: "status", Old: "dhcp"}}}, netboxio.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := l.run(c.step).Results[0]; got.Outcome != c.want {
				t.Errorf("%s %s, want %s", got.Outcome, got.Error, c.want)
			}
		})
	}
	if n := l.nb.Count(rangesPath); n != 2 {
		t.Errorf("%d ranges are left", n)
	}
}

// rule 3.8: what is not reached says why.
func TestARunThatIsOverBeforeItBeginsTriesNothing(t *testing.T) {
	l := newLab(t)
	l.netbox()
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errStop)
	r := apply.Run(ctx, &plan.Plan{Steps: []plan.Step{address(70), reserve("10.8.4.70", pc)}}, l.targets, l.options)
	if r.Failed() != 2 || len(l.nb.Requests())+len(l.dh1.Requests()) > 0 || !strings.Contains(r.Results[0].Error, errStop.Error()) {
		t.Errorf("%+v", r.Results)
	}
}

// A journal entry that is not taken is no reason to do the step again.
func TestAJournalEntryThatIsRefusedFailsNoStep(t *testing.T) {
	l := newLab(t)
	l.netbox()
	l.nb.Fail(netboxtest.Fault{Path: "/api/" + journalPath + "/", Kind: netboxtest.Forbidden403})
	told := address(70)
	told.Journal = "recorded"
	if r := l.run(told); r.Failed() > 0 {
		t.Errorf("%+v", r.Results)
	}
}
