package mirror_test

import (
	"fmt"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// homeOf reads what NetBox says of the memory.
func homeOf(t *testing.T, l *mirrortest.Lab) map[string]any {
	t.Helper()
	rows := l.Get("extras/config-contexts", "name=windows-dhcp%20memory")
	if len(rows) != 1 {
		t.Fatalf("%d config contexts name the NetBox, want 1", len(rows))
	}
	return rows[0]
}

// rule 5.5: bootstrap gives a NetBox an id and the place of its memory, once. From
// then on a run with another state folder, or after the id was replaced, deletes
// nothing on servers until the operator's word.
func TestTheMemoryBelongsToOneNetBox(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	settings := "push_scope_info: true\n"
	m := l.Open(settings, nil)
	const data = "data.windows_dhcp.memory."
	id := mirrortest.Field(homeOf(t, l), data+"id")
	if len(fmt.Sprint(id)) < 20 || mirrortest.Field(homeOf(t, l), "is_active") != false {
		t.Errorf("id %v in %v", id, homeOf(t, l))
	}
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	l.Open(settings, nil) // bootstrap again
	if again := mirrortest.Field(homeOf(t, l), data+"id"); again != id {
		t.Errorf("a second bootstrap made id %v of %v", again, id)
	}

	held := func(m *mirror.Mirror) bool {
		t.Helper()
		p, err := m.Plan(t.Context(), mirror.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Refused()
	}
	l.StateDir = "elsewhere"
	copied := l.OpenUnprepared(settings, nil)
	if held(m) || !held(copied) {
		t.Errorf("held back with the known folder: %v, with another: %v", held(m), held(copied))
	}
	if err := copied.SameNetBox(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held(copied) || !held(m) {
		t.Errorf("after the operator's word: held back with the new folder: %v, with the old one: %v", held(copied), held(m))
	}

	row := homeOf(t, l)
	doc := row["data"].(map[string]any)
	doc["windows_dhcp"].(map[string]any)["memory"].(map[string]any)["id"] = "another"
	l.Patch("extras/config-contexts", row["id"], map[string]any{"data": doc})
	if !held(copied) {
		t.Error("nothing is held back in a NetBox with another id")
	}
	if r, err := copied.Sync(t.Context(), mirror.Options{}); err != nil || r.Outcome != mirror.HeldBack || !held(copied) {
		t.Errorf("a run took the other id over: %v %v", r.Summary, err)
	}
	if err := copied.SameNetBox(t.Context()); err != nil || held(copied) {
		t.Errorf("after the operator's word: %v", err)
	}
}
