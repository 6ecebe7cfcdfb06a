package mirror_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// fails makes a run that ends with errors.
func fails(t *testing.T, m *mirror.Mirror) *mirror.Run {
	t.Helper()
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Outcome != mirror.WithErrors {
		t.Fatalf("code %d, %v: %s", r.Outcome.ExitCode(), err, r.Summary)
	}
	return r
}

func reservedOn(l *mirrortest.Lab, addr string) (found bool) {
	l.Servers[0].Edit(func(w *psutest.World) {
		found = slices.ContainsFunc(w.Scope("10.8.4.0").Reservations, func(r *psutest.Reservation) bool { return r.IP == addr })
	})
	return found
}

// rule 5.2: with delete_removed only what the mirror pushed, or saw
// both sides have.
func TestAReservationTheServerRefusedWasNotPushed(t *testing.T) {
	l, m := inStep(t, everything)
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.70/24", "status": "reserved", "custom_fields": map[string]any{"dhcp_client_id": "3c-52-82-0a-30-00"}})
	l.Servers[0].Fail(psutest.Fault{Method: http.MethodPost, Path: "reservations", Kind: psutest.Error500, Times: 1})
	fails(t, m)
	// The operator gives up, and a Windows administrator reserves it.
	l.Remove("ipam/ip-addresses", l.Address("10.8.4.70")["id"])
	l.Servers[0].Edit(func(w *psutest.World) {
		s := w.Scope("10.8.4.0")
		s.Reservations = append(s.Reservations, &psutest.Reservation{IP: "10.8.4.70", ClientID: "3c-52-82-0a-30-00", Name: "mine"})
	})
	run(t, m, mirror.Options{})
	if !reservedOn(l, "10.8.4.70") || l.Address("10.8.4.70") == nil {
		t.Error("a reservation made on Windows was deleted as one that was pushed")
	}
}

// anHourLater makes what a state folder remembers of deletions in NetBox an hour
// older, and a minute, since NetBox tells its time in whole seconds.
func anHourLater(t *testing.T, l *mirrortest.Lab) {
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
	for k, known := range memory.Pushed {
		if !known.First.IsZero() {
			known.First, known.Dated = known.First.Add(-61*time.Minute), known.Dated.Add(-61*time.Minute)
			memory.Pushed[k] = known
		}
	}
	if data, err = json.Marshal(memory); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAReservationThatCouldNotBeDeletedIsDeletedByTheNextRun(t *testing.T) { // rule 5.4
	l, m := inStep(t, everything)
	run(t, m, mirror.Options{}) // the object is seen
	l.Remove("ipam/ip-addresses", l.Address("10.8.4.61")["id"])
	run(t, m, mirror.Options{})
	if !reservedOn(l, "10.8.4.61") || l.Address("10.8.4.61") != nil {
		t.Error("the run that noticed the deletion did not wait")
	}
	anHourLater(t, l)
	l.Servers[0].Fail(psutest.Fault{Method: http.MethodDelete, Kind: psutest.Error500, Times: 1})
	fails(t, m)
	run(t, m, mirror.Options{})
	if reservedOn(l, "10.8.4.61") || l.Address("10.8.4.61") != nil {
		t.Error("a reservation that was removed from NetBox came back")
	}
}

// rule 8: one journal entry for each violation, none before the tag.
func TestAViolationThatCouldNotBeTaggedIsToldByTheNextRun(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	l.Create("ipam/ip-addresses", map[string]any{"address": "172.16.0.9/24", "status": "dhcp"})
	l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Method == http.MethodPatch && strings.HasPrefix(r.Path, "ipam/ip-addresses") {
			return mirrortest.Denied
		}
		return mirrortest.None
	})
	entries := len(l.Get("extras/journal-entries", ""))
	fails(t, m)
	if n := len(l.Get("extras/journal-entries", "")); n != entries {
		t.Errorf("%d journal entries about a tag that is not there", n-entries)
	}
	l.Front.Before(nil)
	run(t, m, mirror.Options{})
	run(t, m, mirror.Options{})
	if n := len(l.Get("extras/journal-entries", "")); n != entries+1 {
		t.Errorf("%d journal entries, want 1", n-entries)
	}
}

// rule 3.2: the whole list is read where a scope of this server is
// missing among the active ones, not for those of others.
func TestWithActiveScopesOnlyTheWholeListIsReadWhereOneIsMissing(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{Scopes: []*psutest.Scope{{ID: "10.20.0.0", Mask: "255.255.255.0", Name: "Branch", Start: "10.20.0.10", End: "10.20.0.99", LeaseSeconds: 3600}}})
	m := l.Open("active_scopes_only: true\n", nil)
	run(t, m, mirror.Options{Mode: "import"})
	lists := func() (counts []int) {
		for _, s := range l.Servers {
			n := 0
			for _, r := range s.Requests() {
				if strings.HasSuffix(r.Path, "/scopes") {
					n++
				}
			}
			counts = append(counts, n)
			s.ForgetRequests()
		}
		return counts
	}
	lists()
	run(t, m, mirror.Options{})
	if n := lists(); !slices.Equal(n, []int{1, 1}) {
		t.Errorf("scope lists read: %v, want one of each server", n)
	}
	l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.6.0").State = "Inactive" })
	run(t, m, mirror.Options{})
	if n := lists(); !slices.Equal(n, []int{2, 1}) {
		t.Errorf("scope lists read: %v, want two of the first server", n)
	}
	if n := len(l.Get("ipam/ip-ranges", "")); n != 3 {
		t.Errorf("%d scopes are recorded: one that is not active is not gone", n)
	}
}

// rule 4, result: what NetBox did not take is no success.
func TestAnImportNetBoxRefusesIsListedAsErrors(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Method == http.MethodPost && strings.HasPrefix(r.Path, "ipam/ip-ranges") {
			return mirrortest.Denied
		}
		return mirrortest.None
	})
	r, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import})
	if err != nil || r.Outcome != mirror.WithErrors {
		t.Fatalf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	for i, name := range []string{"failover relationships", "scopes", "option values", "exclusions"} {
		c := r.Plan.Imported[i]
		if c.Name != name || len(c.Created) > 0 || (len(c.Errors) > 0) != (i > 0) {
			t.Errorf("%+v", c)
		}
	}
	l.Front.Before(nil)
	if c := run(t, m, mirror.Options{Mode: plan.Import}).Plan.Imported[1]; len(c.Created) != 3 || len(c.Errors) > 0 {
		t.Errorf("%+v", c)
	}
}

// A range that is made counts, even if its journal entry fails.
func TestAnImportWithoutItsJournalEntriesIsASuccess(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Method == http.MethodPost && strings.HasPrefix(r.Path, "extras/journal-entries") {
			return mirrortest.Denied
		}
		return mirrortest.None
	})
	r, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import})
	if err != nil || r.Outcome != mirror.Clean {
		t.Fatalf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	if c := r.Plan.Imported[1]; len(c.Created) != 3 || len(c.Errors) > 0 {
		t.Errorf("%+v", c)
	}
}

// A server that is slow holds up no other.
func TestServersAreReadAtTheSameTime(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	m := l.Open("", nil)
	until := make(chan struct{})
	l.Servers[0].Fail(psutest.Fault{Path: "health", Kind: psutest.Slow, Times: 1, Until: until})
	ended := make(chan error)
	go func() {
		_, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import})
		ended <- err
	}()
	l.Servers[1].AwaitRequests(3) // health, scopes, failover
	close(until)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
