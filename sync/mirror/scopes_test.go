package mirror_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// aDayLater makes what a state folder remembers of deleted scopes a day older, and a
// minute, since NetBox tells its time in whole seconds.
func aDayLater(t *testing.T, l *mirrortest.Lab) {
	t.Helper()
	path := filepath.Join(l.Folder, l.StateDir, "memory.json")
	var memory plan.Memory
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &memory)
	}
	if err != nil {
		t.Fatal(err)
	}
	for k, known := range memory.Records {
		for _, at := range []*time.Time{&known.First, &known.Dated, &known.Off, &known.Idle, &known.IdleDated} {
			if !at.IsZero() {
				*at = at.Add(-24*time.Hour - time.Minute)
			}
		}
		memory.Records[k] = known
	}
	if data, err = json.Marshal(memory); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rule 5.8, from the click in NetBox to the end on the server.
func storyScopeDeleted(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	m := l.Open("push_scope_info: true\npush: {delete_scopes: true}\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	scope := func() (state string) {
		dh1.Edit(func(w *psutest.World) {
			i := slices.IndexFunc(w.Scopes, func(s *psutest.Scope) bool { return s.ID == "10.8.6.0" })
			switch {
			case i < 0:
				state = "gone"
			case w.Scopes[i].State == "" || w.Scopes[i].State == "Active":
				state = "active"
			default:
				state = "inactive"
			}
		})
		return state
	}
	l.Remove("ipam/ip-ranges", l.Get("ipam/ip-ranges", "start_address=10.8.6.10")[0]["id"])
	step := func(want string) {
		t.Helper()
		run(t, m, mirror.Options{})
		if got := scope(); got != want {
			t.Errorf("the scope is %s, want %s", got, want)
		}
		aDayLater(t, l)
	}
	step("active")
	step("active") // a client leases in it
	dh1.Edit(func(w *psutest.World) { w.Scope("10.8.6.0").Leases = nil })
	step("inactive")
	step("gone")
	settled(t, l, m)
}
