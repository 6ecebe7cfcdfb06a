package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

const everything = `sync_ips_from_dhcp: true
push_reservations: true
push_scope_info: true
push: {replace_client_id: true, delete_removed: true}
`

// changedLab is a lab that was in step, and in which then both sides changed in
// every way there is: the next run creates, updates and deletes in NetBox and on
// the server.
func changedLab(t *testing.T) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open(everything, nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	dh1.Edit(func(w *psutest.World) {
		s := w.Scope("10.8.4.0")
		s.Leases = slices.DeleteFunc(s.Leases, func(l *psutest.Lease) bool { return l.IP == "10.8.4.105" })
		s.Leases[3].Hostname = "renamed.corp.example"
		s.Leases = append(s.Leases, &psutest.Lease{IP: "10.8.4.200", ClientID: "3c-52-82-0a-20-00", Hostname: "new-1"},
			&psutest.Lease{IP: "10.8.4.201", ClientID: "3c-52-82-0a-20-01", Hostname: "new-2"})
	})
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.70/24", "status": "reserved", "dns_name": "door-1",
		"custom_fields": map[string]any{"dhcp_client_id": "3c-52-82-0a-30-00"}})
	camera := l.Address("10.8.4.61")
	l.Patch("ipam/ip-addresses", camera["id"], map[string]any{"dns_name": "cam-2", "custom_fields": map[string]any{"dhcp_client_id": "3c-52-82-0a-30-01"}})
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{
		"dhcp_router": "10.8.4.254", "dhcp_exclusions": []any{map[string]any{"start": "10.8.4.20", "end": "10.8.4.35"}}}})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.9.0/24"})
	l.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.9.10/24", "end_address": "10.8.9.99/24", "role": map[string]any{"slug": "dhcp-scope"},
		"custom_fields": map[string]any{"dhcp_server": l.Host(0), "dhcp_scope_name": "Labs", "dhcp_scope_state": "Active", "dhcp_lease_seconds": 3600}})
	l.Front.Forget()
	dh1.ForgetRequests()
	return l, m
}

// content is everything of interest on both sides, without ids and times.
func content(l *mirrortest.Lab) []string {
	var out []string
	show := func(path string, fields ...string) {
		for _, row := range l.Get(path, "") {
			if row["name"] == plan.MemoryContext { // each lab's own
				continue
			}
			line := path
			for _, f := range fields {
				line += fmt.Sprintf(" %s=%v", f, mirrortest.Field(row, f))
			}
			out = append(out, line)
		}
	}
	show("ipam/ip-addresses", "address", "status", "dns_name", "tags", "custom_fields.dhcp_client_id", "custom_fields.dhcp_managed.value",
		"custom_fields.dhcp_lease_hostname", "custom_fields.dhcp_lease_active")
	show("ipam/ip-ranges", "start_address", "end_address", "description", "tags", "custom_fields")
	show("ipam/prefixes", "prefix", "custom_fields")
	show("extras/config-contexts", "name", "is_active", "data")
	for _, s := range l.Servers {
		s.Edit(func(w *psutest.World) {
			for _, scope := range w.Scopes {
				out = append(out, fmt.Sprintf("scope %s %s %s %s-%s %d %v %v", scope.ID, scope.Mask, scope.Name, scope.Start, scope.End,
					scope.LeaseSeconds, scope.Routers, scope.Exclusions))
				for _, r := range scope.Reservations {
					out = append(out, fmt.Sprintf("reservation %+v", *r))
				}
			}
		})
	}
	slices.Sort(out)
	return out
}

// rule 3.8: a crash in mid-run; the next run converges.
func TestKilledAnywhereTheNextRunGivesTheSame(t *testing.T) {
	l, m := changedLab(t)
	r := run(t, m, mirror.Options{})
	if len(r.Plan.Steps) < 12 {
		t.Fatalf("the run changes too little: %v", r.Summary)
	}
	want := content(l)
	netboxWrites, serverWrites := len(l.Front.Writes()), len(l.Servers[0].Writes())
	t.Logf("%d steps, %d writes to NetBox, %d to the server", len(r.Plan.Steps), netboxWrites, serverWrites)
	for _, way := range []mirrortest.Break{mirrortest.Lost, mirrortest.Unsaid} {
		for n := 1; n <= netboxWrites; n++ {
			t.Run(fmt.Sprintf("way %d at write %d to NetBox", way, n), func(t *testing.T) {
				t.Parallel()
				l, m := changedLab(t)
				ctx, kill := context.WithCancelCause(t.Context())
				defer kill(nil)
				seen := 0
				l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
					if seen >= n {
						return mirrortest.Denied // nothing comes from a process that is dead
					}
					if r.Write() {
						if seen++; seen == n {
							kill(errKilled)
							return way
						}
					}
					return mirrortest.None
				})
				interrupted(ctx, t, l, m)
				l.Front.Before(nil)
				converges(t, l, m, want)
			})
		}
	}
	for _, kind := range []psutest.FaultKind{psutest.Drop, psutest.DropAfter, psutest.Error500, psutest.Blank200After, psutest.Timeout504After} {
		for n := range serverWrites {
			t.Run(fmt.Sprintf("fault %d at write %d to the server", kind, n), func(t *testing.T) {
				t.Parallel()
				l, m := changedLab(t)
				for _, method := range []string{"POST", "PUT", "DELETE"} {
					l.Servers[0].Fail(psutest.Fault{Method: method, After: n, Times: 1, Kind: kind})
				}
				interrupted(t.Context(), t, l, m)
				l.Servers[0].ClearFaults()
				converges(t, l, m, want)
			})
		}
	}
}

var errKilled = errors.New("killed")

// interrupted makes a run that may end in any way, and forgets what it would
// remember, as a process that is killed does.
func interrupted(ctx context.Context, t *testing.T, l *mirrortest.Lab, m *mirror.Mirror) {
	t.Helper()
	memory := filepath.Join(l.Folder, "state", "memory.json")
	before, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sync(ctx, mirror.Options{}); err != nil && !errors.Is(err, errKilled) && !strings.Contains(err.Error(), "out of reach") {
		t.Fatal(err)
	}
	if err := os.WriteFile(memory, before, 0o600); err != nil {
		t.Fatal(err)
	}
	longAgo(t, l)
}

// longAgo lets the time pass that NetBox may work on a request.
func longAgo(t *testing.T, l *mirrortest.Lab) {
	t.Helper()
	path := filepath.Join(l.Folder, "state", "making.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var making netboxio.Making
	if err := errors.Join(err, json.Unmarshal(data, &making)); err != nil {
		t.Fatal(err)
	}
	making.Sent = making.Sent.Add(-time.Hour)
	if data, err = json.Marshal(making); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func converges(t *testing.T, l *mirrortest.Lab, m *mirror.Mirror, want []string) {
	t.Helper()
	run(t, m, mirror.Options{})
	if diff := cmp.Diff(want, content(l)); diff != "" {
		t.Errorf("other than after a run that was not interrupted (-want +got):\n%s", diff)
	}
	if r := run(t, m, mirror.Options{}); !r.Plan.Empty() {
		t.Errorf("not in step yet: %s", r.Summary)
	}
}

// rule 3.8 point 24: NetBox goes on with a request whose sender was killed.
func TestARunRightAfterOneThatWasKilledMakesNothingTwice(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  plan.Mode
		table string
	}{{"addresses", plan.Sync, "ipam/ip-addresses"}, {"ranges", plan.Import, "ipam/ip-ranges"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{DuplicatesLegal: true}), netboxtest.World{})
			l.Add(psutest.Example("dh1.corp.example"))
			m := l.Open("sync_ips_from_dhcp: true\n", nil)
			if c.mode == plan.Sync {
				run(t, m, mirror.Options{Mode: plan.Import})
			}
			ctx, kill := context.WithCancelCause(t.Context())
			defer kill(nil)
			dead := false
			l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
				switch {
				case dead:
					return mirrortest.Denied // nothing comes from a process that is dead
				case r.Write() && r.Path == c.table+"/":
					dead = true
					kill(errKilled)
					return mirrortest.Late
				}
				return mirrortest.None
			})
			if _, err := m.Sync(ctx, mirror.Options{Mode: c.mode}); err == nil {
				t.Fatal("the run was not killed")
			}
			asked := make(map[string]int)
			l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
				asked[r.Path+r.Query]++
				if r.Write() || asked[r.Path+r.Query] == 3 {
					l.Front.CarryOut()
				}
				return mirrortest.None
			})
			again := l.OpenUnprepared("sync_ips_from_dhcp: true\n", nil)
			run(t, again, mirror.Options{Mode: c.mode})
			l.Front.Before(nil)
			seen := make(map[any]bool)
			for _, row := range l.Get(c.table, "") {
				key := row["address"]
				if key == nil {
					key = row["start_address"]
				}
				if seen[key] {
					t.Errorf("%v is there twice", key)
				}
				seen[key] = true
			}
			if len(seen) < 3 {
				t.Errorf("%d objects", len(seen))
			}
			if r := run(t, again, mirror.Options{Mode: c.mode}); !r.Plan.Empty() {
				t.Errorf("not in step yet: %s", r.Summary)
			}
		})
	}
}
