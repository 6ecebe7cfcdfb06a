package netbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/netboxtest"
)

// watch is a follower whose cycles the test runs itself, and what it told.
type watch struct {
	*Follower
	server    *netboxtest.Server
	clock     time.Time // what the follower takes for now, besides real time
	snapshot  *ipam.Snapshot
	problems  []ipam.Problem
	published int
	confirms  []time.Time
	logged    *logtest.Hook
}

func follow(t *testing.T, s *netboxtest.Server, token string, change ...func(*FollowConfig)) *watch {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	w := &watch{server: s, clock: time.Now(), logged: hook}
	config := FollowConfig{
		Interval: time.Second, ContextKey: contextKey, GateFields: []string{"redeploy"},
		Options: ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"},
		OnSnapshot: func(s *ipam.Snapshot, p []ipam.Problem) {
			w.snapshot, w.problems = s, p
			w.published++
		},
		OnConfirm: func(at time.Time, _ time.Duration) { w.confirms = append(w.confirms, at) },
		Now:       func() time.Time { return w.clock },
	}
	for _, c := range change {
		c(&config)
	}
	w.Follower = NewFollower(connect(t, s.URL(), token, log), config)
	return w
}

// must runs a cycle that has to succeed.
func (w *watch) must(t *testing.T) {
	t.Helper()
	if err := w.cycle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.report(nil)
}

// lines gives the messages logged at a level or above.
func (w *watch) lines(level logrus.Level) []string {
	var lines []string
	for _, e := range w.logged.AllEntries() {
		if e.Level <= level {
			lines = append(lines, fmt.Sprint(e.Message, " ", e.Data))
		}
	}
	return lines
}

func (w *watch) address(host string) *ipam.Address {
	return w.snapshot.Address(0, netip.MustParseAddr(host))
}

func TestEditsInNetBoxShowAfterTheNextPoll(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := serve(t, v)
			w := follow(t, s, s.TokenV1())
			w.must(t)
			id := func(path, name string) int64 { return seeded.ID(t, path, name) }
			web1 := ipam.MachineID{Kind: ipam.Device, ID: id("dcim/devices", "web1")}
			for _, step := range []struct {
				name  string
				edit  func()
				shows func() bool
			}{
				{"an address is made", func() {
					s.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.0.0.200/24", "tags": []any{id("extras/tags", "DHCP")}})
				}, func() bool { a := w.address("10.0.0.200"); return a != nil && w.snapshot.IsDynamic(a) }},
				{"an address loses its tag", func() {
					s.Edit(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"tags": []any{}})
				}, func() bool { return !w.snapshot.IsDynamic(w.address("10.0.0.100")) }},
				{"a record is written", func() {
					s.Edit(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"custom_fields": map[string]any{"pydhcp_mac": "52:54:00:00:00:aa"}})
				}, func() bool { return w.address("10.0.0.101").Record.Client == "52:54:00:00:00:AA" }},
				{"an address is deleted", func() { s.Delete(t, "ipam/ip-addresses", id("ipam/ip-addresses", "10.0.0.100/24")) },
					func() bool { return w.address("10.0.0.100") == nil }},
				{"a tag is renamed", func() {
					s.Edit(t, "extras/tags", id("extras/tags", "Gateway"), map[string]any{"name": "Router", "slug": "router"})
				}, func() bool { return !w.snapshot.IsGateway(w.address("10.0.0.1")) }},
				{"a prefix is made", func() {
					s.Add(t, "ipam/prefixes", map[string]any{"prefix": "10.9.0.0/24"})
				}, func() bool { _, err := w.snapshot.Subnet(netip.MustParseAddr("10.9.0.1")); return err == nil }},
				{"a MAC moves to another interface", func() {
					mac := id("dcim/mac-addresses", "vm1 eth0 52:54:00:00:00:03")
					s.Edit(t, "dcim/mac-addresses", mac, map[string]any{"assigned_object_type": "dcim.interface", "assigned_object_id": id("dcim/interfaces", "web1 mgmt")})
				}, func() bool {
					ports := w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})
					return len(ports) == 1 && ports[0].Name == "mgmt" && ports[0].Machine == web1
				}},
				{"a device is renamed", func() { s.Edit(t, "dcim/devices", web1.ID, map[string]any{"name": "web2"}) },
					func() bool { return w.snapshot.Machine(web1).Name == "web2" }},
				{"a context changes, but no device row", func() {
					s.Edit(t, "extras/config-contexts", id("extras/config-contexts", "site"), map[string]any{"data": map[string]any{contextKey: map[string]any{"mtu": 1400}}})
				}, func() bool {
					return w.snapshot.MachineConfig(w.snapshot.Machine(web1)).MTU == 1400
				}},
				{"a context is limited to another role", func() {
					s.Edit(t, "extras/config-contexts", id("extras/config-contexts", "site"), map[string]any{"sites": []any{}, "is_active": false})
				}, func() bool { return w.snapshot.MachineConfig(w.snapshot.Machine(web1)).MTU == 0 }},
				{"a device is deleted, and all that hangs on it", func() { s.Delete(t, "dcim/devices", web1.ID) },
					func() bool {
						return w.snapshot.Machine(web1) == nil && w.address("10.0.0.5") == nil &&
							len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 1})) == 0
					}},
			} {
				step.edit()
				w.must(t)
				if !step.shows() {
					t.Errorf("not seen by the next poll: %s", step.name)
				}
			}
		})
	}
}

func TestAnUnchangedNetBoxIsConfirmedButNotPublishedAgain(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	for range 4 {
		w.must(t)
		w.clock = w.clock.Add(time.Second)
	}
	if w.published != 1 {
		t.Errorf("%d pictures published, want 1", w.published)
	}
	if len(w.confirms) != 4 || !slices.IsSortedFunc(w.confirms, time.Time.Compare) {
		t.Errorf("confirmed at %v, want four rising times", w.confirms)
	}
	if lines := w.lines(logrus.WarnLevel); len(lines) != 0 {
		t.Errorf("warnings without cause: %v", lines)
	}
	if n := len(s.Writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestAPollOfAnUnchangedNetBoxTakesFewSmallRequests(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.ForgetRequests()
	w.must(t)
	for _, r := range s.Requests() {
		if r.Path == "/api/ipam/ip-addresses/" && strings.Contains(r.Query.Get("fields"), "custom_fields") {
			t.Errorf("whole rows are read again: %v", r.Query)
		}
	}
	if n := len(s.Requests()); n > 20 {
		t.Errorf("%d requests, want at most 20", n)
	}
}

func TestATransactionThatCommitsLateIsStillSeen(t *testing.T) {
	s, seeded := serve(t, netboxtest.V46)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	writer := connect(t, s.URL(), s.TokenV2(), silent())
	body := map[string]any{"custom_fields": map[string]any{"pydhcp_hostname": "late"}}
	written := make(chan error, 1)
	s.HoldCommits()
	go func() {
		_, err := writer.once(t.Context(), http.MethodPatch, addresses, number(id)+"/", nil, body, nil)
		written <- err
	}()
	s.AwaitHeld(1)
	// Other rows are written meanwhile, with later time stamps.
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"description": "later"})
	w.must(t)
	if got := w.address("10.0.0.100").Record.Hostname; got != "" {
		t.Fatalf("host name %q is seen before its commit", got)
	}
	s.ReleaseCommits()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	w.must(t)
	if got := w.address("10.0.0.100").Record.Hostname; got != "late" {
		t.Errorf("host name %q, want the one committed late", got)
	}
}

func TestRowsWithOldTimeStampsAreFoundByTheOverlap(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	// An application server whose clock is five minutes behind.
	s.SetClock(func() time.Time { return time.Now().Add(-5 * time.Minute) })
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "deprecated"})
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"))
	w.must(t)
	if got := w.address("10.0.0.100").Status; got != "deprecated" {
		t.Errorf("status %q, want deprecated", got)
	}
	if w.address("10.0.0.101") != nil {
		t.Error("the deleted address is still there")
	}
}

func TestOneStampFromTheFutureHidesNoLaterChange(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	s.SetClock(func() time.Time { return time.Now().Add(48 * time.Hour) })
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"status": "reserved"})
	s.SetClock(time.Now)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	w.must(t)
	if got := w.address("10.0.0.100").Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
}

func TestTroubleNeverReplacesAGoodPicture(t *testing.T) { // H-3, H-4
	kinds := map[string]netboxtest.FaultKind{
		"exception": netboxtest.JSON500, "bad gateway": netboxtest.HTML502, "time-out": netboxtest.HTML504,
		"login page": netboxtest.HTML200, "permission": netboxtest.Forbidden403, "expired token": netboxtest.TokenExpired,
		"reset": netboxtest.Reset, "half a body": netboxtest.Truncated,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seeded := serve(t, netboxtest.V47)
			w := follow(t, s, s.TokenV2())
			w.must(t)
			before, confirmed := w.snapshot, len(w.confirms)
			// Something would be lost if part of the poll counted.
			s.Delete(t, "ipam/prefixes", seeded.ID(t, "ipam/prefixes", "10.0.0.0/24"))
			s.Fail(netboxtest.Fault{Kind: kind, Path: "/api/ipam/ip-addresses/"})
			for range 3 {
				err := w.cycle(t.Context())
				if err == nil {
					t.Fatal("the poll succeeded")
				}
				w.report(err)
				w.clock = w.clock.Add(10 * time.Second)
			}
			if w.snapshot != before || len(w.confirms) != confirmed {
				t.Error("a failed poll changed or confirmed the picture")
			}
			s.ClearFaults()
			w.must(t)
			if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.0.0.5")); !errors.Is(err, ipam.ErrNoSubnet) {
				t.Errorf("after the trouble: %v, want the deletion seen", err)
			}
			lines := w.lines(logrus.InfoLevel)
			lost := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "cannot be read") })
			back := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "can be read again") })
			if len(lost) != 1 || len(back) != 1 { // B-2
				t.Errorf("want one line on losing NetBox and one on getting it back, got %q", lines)
			}
			if !strings.Contains(lost[0], "ip-addresses") {
				t.Errorf("the line does not name what failed: %s", lost[0])
			}
		})
	}
}

func TestAnUnknownStatusEverywhereCostsNothing(t *testing.T) {
	s, _ := serve(t, netboxtest.V44)
	s.Fail(netboxtest.Fault{Kind: netboxtest.UnknownStatus, Path: "/api/ipam/ip-addresses/"})
	w := follow(t, s, s.TokenV1())
	w.must(t)
	if got := w.address("10.0.0.101").Status; got != "quarantined-by-plugin" {
		t.Errorf("status %q", got)
	}
	for _, p := range w.problems {
		if strings.Contains(p.Text, "quarantine") {
			t.Errorf("reported as a problem: %s", p)
		}
	}
}

func TestAStartWithoutNetBoxWaitsAndSaysSo(t *testing.T) { // H-1
	s, _ := serve(t, netboxtest.V47)
	s.Down()
	w := follow(t, s, s.TokenV2())
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		err := w.cycle(t.Context())
		if err == nil {
			t.Fatal("a cycle without NetBox succeeded")
		}
		w.report(err)
		if got, want := w.wait(err), want*time.Second; (got - want).Abs() > want/5 {
			t.Errorf("wait %d is %s, want about %s", i+1, got, want)
		}
	}
	if w.published != 0 || len(w.confirms) != 0 {
		t.Error("something was published without NetBox")
	}
	if lines := w.lines(logrus.InfoLevel); len(lines) != 1 || !strings.Contains(lines[0], "no client is served") {
		t.Errorf("logged %q, want one line", lines)
	}
	s.Up()
	w.must(t)
	if got := w.wait(nil); got != time.Second {
		t.Errorf("wait after success is %s, want the interval", got)
	}
	if w.address("10.0.0.5") == nil {
		t.Error("nothing was read after NetBox came up")
	}
}

func TestAnOutageLongerThanTheOverlapIsFollowedByAFullRead(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	// Deleted during the outage, and its record is gone from the change log.
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	w.clock = w.clock.Add(overlap + time.Minute)
	w.must(t)
	if w.address("10.0.0.100") != nil {
		t.Error("the address deleted meanwhile is still there")
	}
}

func TestADeletionWithoutATraceShowsInTheCount(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	s.Delete(t, "dcim/mac-addresses", seeded.ID(t, "dcim/mac-addresses", "vm1 eth0 52:54:00:00:00:03"))
	s.ForgetChanges(time.Now().Add(time.Hour))
	for range 3 {
		w.must(t)
		w.clock = w.clock.Add(overlap / 2)
	}
	if n := len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})); n != 0 {
		t.Error("the deleted MAC is still there")
	}
}

func TestEverySixHoursAllIsReadAnew(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	whole := func() bool {
		return slices.ContainsFunc(s.Requests(), func(r netboxtest.Request) bool {
			return r.Path == "/api/ipam/ip-addresses/" && strings.Contains(r.Query.Get("fields"), "custom_fields")
		})
	}
	for range 80 {
		s.ForgetRequests()
		w.clock = w.clock.Add(5 * time.Minute)
		w.must(t)
		if whole() {
			break
		}
	}
	if !whole() {
		t.Fatal("nothing was read anew")
	}
	if since := w.clock.Sub(w.confirms[0]); since < resyncEvery || since > resyncEvery+10*time.Minute {
		t.Errorf("read anew after %s, want %s", since, resyncEvery)
	}
}

func TestWithoutTheChangeLogDeletionsAreFoundBySweeping(t *testing.T) {
	s, seeded := serve(t, netboxtest.V45)
	s.Permit("limited000000000000000000000000000000000", reading()...)
	w := follow(t, s, "limited000000000000000000000000000000000")
	w.must(t)
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"))
	s.Delete(t, "virtualization/virtual-machines", seeded.ID(t, "virtualization/virtual-machines", "vm1"))
	w.clock = w.clock.Add(sweepEvery)
	w.must(t)
	if w.address("10.0.0.100") != nil || len(w.snapshot.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 3})) != 0 {
		t.Error("deleted objects are still there")
	}
	var told int
	for _, line := range w.lines(logrus.WarnLevel) {
		if strings.Contains(line, "core.objectchange") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the missing permission is named %d times, want once", told)
	}
}

// reading is what a token needs to follow, the change log excepted.
func reading() []netboxtest.Grant {
	var grants []netboxtest.Grant
	for _, e := range append(smallTables(), followedTables()...) {
		grants = append(grants, netboxtest.Grant{Object: e.model(), Actions: []string{"view"}})
	}
	return grants
}

func TestObjectsThatVanishWithoutBeingDeletedAreKeptForOneMoreLook(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	dhcp := seeded.ID(t, "extras/tags", "DHCP")
	for i := range 40 {
		s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.0.0.%d/24", 150+i), "tags": []any{dhcp}})
		s.Add(t, "ipam/prefixes", map[string]any{"prefix": fmt.Sprintf("10.7.%d.0/24", i)})
	}
	const token = "limited000000000000000000000000000000000"
	grants := append(reading(), netboxtest.Grant{Object: "core.objectchange"})
	s.Permit(token, grants...)
	w := follow(t, s, token)
	w.must(t)
	for i := range grants {
		if grants[i].Object == "ipam.prefix" || grants[i].Object == "ipam.ipaddress" {
			grants[i].IDs = []int64{1}
		}
	}
	s.Permit(token, grants...)
	w.clock = w.clock.Add(resyncEvery)
	w.must(t)
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err != nil || w.address("10.0.0.150") == nil {
		t.Errorf("dropped at first sight: %v, %v", err, w.address("10.0.0.150"))
	}
	if alarm := strings.Join(w.lines(logrus.ErrorLevel), "\n"); !strings.Contains(alarm, "vanished") || !strings.Contains(alarm, "permissions") {
		t.Errorf("no alarm: %s", alarm)
	}
	for range 3 {
		w.clock = w.clock.Add(w.config.Interval)
		w.must(t)
	}
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err == nil || w.address("10.0.0.150") != nil {
		t.Error("kept although NetBox said it twice")
	}
}

func TestProperlyDeletedObjectsRaiseNoAlarm(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	var made []int64
	for i := range 40 {
		made = append(made, s.Add(t, "ipam/prefixes", map[string]any{"prefix": fmt.Sprintf("10.7.%d.0/24", i)}))
	}
	w := follow(t, s, s.TokenV2())
	w.must(t)
	for _, id := range made {
		s.Delete(t, "ipam/prefixes", id)
	}
	w.must(t)
	if _, err := w.snapshot.Subnet(netip.MustParseAddr("10.7.1.1")); err == nil {
		t.Error("deleted prefixes are still there")
	}
	if lines := w.lines(logrus.ErrorLevel); len(lines) != 0 {
		t.Errorf("alarm without cause: %v", lines)
	}
}

func TestAMissingCustomFieldIsReportedUntilItExists(t *testing.T) { // H-1
	s, seeded := serve(t, netboxtest.V47)
	s.Delete(t, "extras/custom-fields", seeded.ID(t, "extras/custom-fields", "pydhcp_expire"))
	w := follow(t, s, s.TokenV2())
	w.must(t)
	missing := func() bool {
		return slices.ContainsFunc(w.problems, func(p ipam.Problem) bool { return p.Object == "custom field pydhcp_expire" })
	}
	if !missing() {
		t.Fatalf("not reported: %v", w.problems)
	}
	s.Add(t, "extras/custom-fields", map[string]any{"name": "pydhcp_expire", "type": "datetime", "object_types": []any{"ipam.ipaddress"}})
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"), map[string]any{"description": "touched"})
	w.must(t)
	if missing() {
		t.Errorf("still reported: %v", w.problems)
	}
	var told int
	for _, line := range w.lines(logrus.WarnLevel) {
		if strings.Contains(line, "pydhcp_expire") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("logged %d times, want once: %v", told, w.lines(logrus.WarnLevel))
	}
}

func TestAHintIsFollowedAtOnce(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	id := seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")
	s.Edit(t, "ipam/ip-addresses", id, map[string]any{"status": "reserved"})
	s.ForgetRequests()
	for range 100 {
		w.Hint("ipam.ipaddress", id) // a bulk write sends many
	}
	w.Hint("circuits.circuit", 1)
	w.Hint("ipam.ipaddress", -1)
	w.Hint("dcim.device", 99999) // none of ours
	if w.followHints(t.Context()) {
		t.Error("a whole poll was called for")
	}
	if got := w.address("10.0.0.100").Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	s.Delete(t, "ipam/ip-addresses", id)
	w.Hint("ipam.ipaddress", id)
	w.followHints(t.Context())
	if w.address("10.0.0.100") != nil {
		t.Error("the deleted address is still there")
	}
	w.Hint("ipam.prefix", 1)
	if !w.followHints(t.Context()) {
		t.Error("a small table changed, and no poll was called for")
	}
}

func TestAFloodOfHintsBecomesOnePoll(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	w := follow(t, s, s.TokenV2())
	w.must(t)
	for id := range int64(2 * maxHints) {
		w.Hint("ipam.ipaddress", id+1)
	}
	if !w.followHints(t.Context()) {
		t.Error("no poll was called for")
	}
	if len(w.hints) != 0 {
		t.Errorf("%d hints left", len(w.hints))
	}
}

func TestADiskCopyServesWhileNetBoxIsDown(t *testing.T) { // H-1
	s, seeded := serve(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	keep := func(c *FollowConfig) { c.DiskPath = path }
	first := follow(t, s, s.TokenV2(), keep)
	first.must(t)
	first.saveNow(first.clock)

	s.Down()
	w := follow(t, s, s.TokenV2(), keep)
	w.clock = w.clock.Add(time.Hour)
	w.restore()
	if w.snapshot == nil || w.address("10.0.0.5") == nil {
		t.Fatal("nothing came from the disk copy")
	}
	if len(w.confirms) != 1 || !w.confirms[0].Equal(first.confirms[0]) {
		t.Errorf("confirmed as of %v, want %v: the copy is as old as it is", w.confirms, first.confirms)
	}
	if err := w.cycle(t.Context()); err == nil {
		t.Fatal("a poll without NetBox succeeded")
	}
	s.Up()
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"))
	w.must(t)
	if w.address("10.0.0.101") != nil || w.address("10.0.0.100").Status != "reserved" {
		t.Error("the copy was not caught up")
	}
	checkBack := follow(t, s, s.TokenV2())
	checkBack.must(t)
	if !w.picture.equal(checkBack.picture) {
		t.Error("caught up and freshly read pictures differ")
	}
}

func TestTheDiskCopyIsRenewedWithNewsAndOnceAnHourWithout(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	w := follow(t, s, s.TokenV2(), func(c *FollowConfig) { c.DiskPath = path })
	saves := func(after time.Duration) bool {
		t.Helper()
		w.clock = w.clock.Add(after)
		w.must(t)
		before := w.saved
		w.save(w.clock)
		if w.saved.Equal(before) {
			return false
		}
		disk, err := ipam.ReadDiskFile(path)
		if err != nil || !disk.Taken.Equal(w.saved) {
			t.Errorf("the copy is of %v (%v), want %v", disk.Taken, err, w.saved)
		}
		return true
	}
	if !saves(0) {
		t.Error("no copy after the first read")
	}
	if saves(30 * time.Minute) {
		t.Error("a copy without news after half an hour")
	}
	if !saves(31 * time.Minute) {
		t.Error("no copy after an hour: it would be taken for older than it is")
	}
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	if saves(time.Minute) {
		t.Error("a copy one minute after the last")
	}
	if !saves(saveEvery) {
		t.Error("no copy of the news after some minutes")
	}
}

func TestADiskCopyOfSomethingElseIsNotUsed(t *testing.T) {
	s, _ := serve(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	first := follow(t, s, s.TokenV2(), func(c *FollowConfig) { c.DiskPath = path })
	first.must(t)
	first.saveNow(first.clock)
	for name, change := range map[string]func(*FollowConfig){
		"another context key":  func(c *FollowConfig) { c.ContextKey = "dhcp" },
		"other gate fields":    func(c *FollowConfig) { c.GateFields = []string{"install"} },
		"no such file":         func(c *FollowConfig) { c.DiskPath += ".missing" },
		"a folder of the name": func(c *FollowConfig) { c.DiskPath = filepath.Dir(path) },
	} {
		w := follow(t, s, s.TokenV2(), func(c *FollowConfig) { c.DiskPath = path }, change)
		w.restore()
		if w.snapshot != nil {
			t.Errorf("%s: the copy was used", name)
		}
	}
	other, _ := serve(t, netboxtest.V47)
	w := follow(t, other, other.TokenV2(), func(c *FollowConfig) { c.DiskPath = path })
	w.restore()
	if w.snapshot != nil {
		t.Error("the copy of another NetBox was used")
	}
}

func TestRunFollowsUntilItsContextEnds(t *testing.T) {
	s, seeded := serve(t, netboxtest.V47)
	snapshots := make(chan *ipam.Snapshot, 10)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := NewFollower(connect(t, s.URL(), s.TokenV2(), log), FollowConfig{
		Interval: time.Millisecond, ContextKey: contextKey, DiskPath: path,
		OnSnapshot: func(s *ipam.Snapshot, _ []ipam.Problem) { snapshots <- s },
		OnConfirm:  func(time.Time, time.Duration) {},
	})
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	<-snapshots
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	if got := (<-snapshots).Address(0, netip.MustParseAddr("10.0.0.100")).Status; got != "reserved" {
		t.Errorf("status %q, want reserved", got)
	}
	reason := errors.New("enough")
	stop(reason)
	if err := <-ended; !errors.Is(err, reason) {
		t.Errorf("Run returned %v, want the cause", err)
	}
	if _, err := ipam.ReadDiskFile(path); err != nil {
		t.Errorf("no usable disk copy was left: %v", err)
	}
}
