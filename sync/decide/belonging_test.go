package decide

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// homeContext is the config context that names a NetBox.
func (w *world) homeContext() *state.Context {
	i := slices.IndexFunc(w.nb.Contexts, func(c state.Context) bool { return c.Name == plan.MemoryContext })
	return &w.nb.Contexts[i]
}

// rule 5.5 and rule 3.7 guard k: with all that could be deleted on a server gone from
// NetBox, a memory of another NetBox deletes nothing, and pushes go on.
func TestTheMemoryOfAnotherNetBoxDeletesNothingOnServers(t *testing.T) {
	elsewhere := func(host, folder string) json.RawMessage {
		return Home{ID: "netbox-one", Keeper: plan.Keeper{Host: host, StateDir: folder}}.Data()
	}
	for _, c := range []struct {
		name   string
		change func(*lab, *plan.Input)
		note   string
	}{
		{"another id", func(l *lab, _ *plan.Input) {
			l.w.homeContext().Data = Home{ID: "netbox-two", Keeper: here().Keeper}.Data()
		}, "its id is another one"},
		{"the same id at another address: a copy", func(_ *lab, in *plan.Input) { in.Here.URL = "staging.example.org" }, "may be a copy"},
		{"the same id below another path", func(_ *lab, in *plan.Input) { in.Here.URL += "/netbox" }, "may be a copy"},
		{"no id", func(l *lab, _ *plan.Input) { l.w.homeContext().Name = "something else" }, "no id of its own"},
		{"an empty id", func(l *lab, _ *plan.Input) { l.w.homeContext().Data = Home{Keeper: here().Keeper}.Data() }, "no id of its own"},
		{"an id that cannot be read", func(l *lab, _ *plan.Input) {
			l.w.homeContext().Data = json.RawMessage(`{"windows_dhcp":{"memory":[]}}`)
		}, "no id of its own"},
		{"a memory on another machine", func(l *lab, _ *plan.Input) { l.w.homeContext().Data = elsewhere("sync2", here().Keeper.StateDir) }, "is kept in"},
		{"a memory in another folder", func(l *lab, _ *plan.Input) { l.w.homeContext().Data = elsewhere("sync1", "/srv/copy") }, "is kept in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := pushLab(t)
			l.p.DeleteRemoved, l.p.PushScopeInfo = true, true
			l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.31"), span("10.8.4.40", "10.8.4.49")}
			l.w.nb.Ranges[0].Exclusions = json.RawMessage(`[{"start":"10.8.4.30","end":"10.8.4.31"},{"start":"10.8.4.40","end":"10.8.4.49"}]`)
			l.run()
			known := l.w.memory.NetBox
			l.w.nb.Addresses = nil
			l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.50/24"), Status: "reserved", ClientID: mfp})
			l.w.nb.Ranges[0].Exclusions = json.RawMessage(`[{"start":"10.8.4.45","end":"10.8.4.46"}]`) // one gone, one smaller
			in := l.w.read(l.p)
			c.change(l, &in)
			in.NetBox = l.w.copyNetBox()
			p := Build(in)
			wantSteps(t, p, onServers, "create reservation 10.8.4.50 [5.2]")
			wantNote(t, p, plan.Guard, "5.5", c.note)
			if p.Memory.NetBox != known || known.ID == "" {
				t.Errorf("the memory is of %+v, and was of %+v", p.Memory.NetBox, known)
			}
		})
	}
}

// rule 5.5: where nothing is ever deleted on servers there is nothing to say.
func TestWithoutDeletesOnServersTheMemoryIsNoTrouble(t *testing.T) {
	l := pushLab(t)
	l.w.homeContext().Name = "something else"
	if p := l.run(); p.Refused() {
		t.Errorf("held back: %s", describe(p))
	}
}
