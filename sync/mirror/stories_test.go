package mirror_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// stories are what users do, told once and run on the stand-in and on a real
// NetBox.
func stories() map[string]func(*testing.T, mirrortest.Target) {
	return map[string]func(*testing.T, mirrortest.Target){
		"leases come and go":                           storyLeases,
		"statuses of the operator's own":               storyCustomStatuses,
		"one prefix in two VRFs":                       storyTwoVRFs,
		"protected addresses and prefixes":             storyProtected,
		"reservations made ahead":                      storyPrestaged,
		"ranges marked as populated":                   storyPopulated,
		"pushing":                                      storyPush,
		"a scope is deleted in NetBox":                 storyScopeDeleted,
		"states and options both ways":                 storyBothWays,
		"split scopes":                                 storySplit,
		"a failover pair whose primary fails":          storyFailover,
		"addresses that people made":                   storyPeople,
		"a second DHCP server":                         storyExempt,
		"all addresses deleted by people":              storyEmptied,
		"status violations":                            storyViolations,
		"coming from the plugin":                       storyMigrate,
		"coming from the plugin, into a VRF":           storyMigrateVRF,
		"a scope that goes":                            storyOrphans,
		"a range made by hand":                         storyAdoptRange,
		"import never overwrites":                      storyImport,
		"what people see on pages, and the change log": storyPages,
		"everything at once, and nothing twice":        storyEverything,
	}
}

func TestStories(t *testing.T) {
	for name, story := range stories() {
		t.Run(name, func(t *testing.T) {
			story(t, mirrortest.StandIn(t, netboxtest.Config{Choices: map[string][]string{
				"IPAddress.status": {"active", "reserved", "deprecated", "dhcp", "slaac", "quarantine"}}}))
		})
	}
}

// Needs NETBOX_URL and NETBOX_TOKEN_FILE: an instance this test may wipe, with
// an IP address status "quarantine".
func TestStoriesOnARealNetBox(t *testing.T) {
	target := mirrortest.Real(t)
	for name, story := range stories() {
		t.Run(name, func(t *testing.T) { story(t, target) })
	}
}

// imported makes a lab with one office server, imported, and the settings
// given.
func imported(t *testing.T, target mirrortest.Target, world netboxtest.World, settings string) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, target, world)
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open(settings, nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	return l, m
}

func wantField(t *testing.T, row map[string]any, field string, want any) {
	t.Helper()
	if row == nil {
		t.Fatalf("no such object; %s cannot be %v", field, want)
	}
	if got := mirrortest.Field(row, field); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v: %s is %v, want %v", mirrortest.Field(row, "display"), field, got, want)
	}
}

func editOffice(l *mirrortest.Lab, change func(*psutest.Scope)) {
	l.Servers[0].Edit(func(w *psutest.World) { change(w.Scope("10.8.4.0")) })
}

func dropLease(s *psutest.Scope, ip string) {
	s.Leases = slices.DeleteFunc(s.Leases, func(l *psutest.Lease) bool { return l.IP == ip })
}

func settled(t *testing.T, l *mirrortest.Lab, m *mirror.Mirror) {
	t.Helper()
	l.Front.Forget()
	if r := run(t, m, mirror.Options{}); !r.Plan.Empty() || len(l.Front.Writes()) > 0 {
		t.Errorf("a second run still changes something: %+v", r.Plan.Steps)
	}
}

// rules 9 row 12, 9 row 13, 9 row 27 and 9 row 44; 3.5 row 3, 3.5 row 4, 3.5 row 8 and 3.5 row 11
func storyLeases(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "")
	run(t, m, mirror.Options{})
	if n := len(l.Get("ipam/ip-addresses", "")); n != 0 {
		t.Fatalf("%d addresses were made with sync_ips_from_dhcp off", n)
	}
	m = l.OpenUnprepared("sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n", nil)
	run(t, m, mirror.Options{})
	pc := l.Address("10.8.4.105")
	wantField(t, pc, "address", "10.8.4.105/24")
	wantField(t, pc, "status", "dhcp")
	wantField(t, pc, "dns_name", "pc-05.corp.example")
	wantField(t, pc, "custom_fields.dhcp_client_id", "3c-52-82-0a-1c-05")
	wantField(t, l.Address("10.8.6.10"), "address", "10.8.6.10/25")
	wantField(t, l.Address("10.8.4.61"), "status", "reserved")
	settled(t, l, m)
	editOffice(l, func(s *psutest.Scope) {
		dropLease(s, "10.8.4.105")
		s.Reservations = append(s.Reservations, &psutest.Reservation{IP: "10.8.4.106", ClientID: "3c-52-82-0a-1c-06", Name: "kiosk"})
	})
	// rule 9 row 39: a manual edit of a managed address is put right
	l.Patch("ipam/ip-addresses", l.Address("10.8.4.107")["id"], map[string]any{"dns_name": "by-hand", "description": "kept"})
	run(t, m, mirror.Options{})
	if l.Address("10.8.4.105") != nil {
		t.Error("the address of an ended lease is still there")
	}
	wantField(t, l.Address("10.8.4.106"), "status", "reserved")
	wantField(t, l.Address("10.8.4.106"), "dns_name", "kiosk")
	wantField(t, l.Address("10.8.4.107"), "dns_name", "pc-07.corp.example")
	wantField(t, l.Address("10.8.4.107"), "description", "kept")
	settled(t, l, m)
	editOffice(l, func(s *psutest.Scope) {
		s.Reservations = slices.DeleteFunc(s.Reservations, func(r *psutest.Reservation) bool { return r.IP != "10.8.4.60" })
	})
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.106"), "status", "reserved") // one read is no proof (rule 3.7 guard g)
	wantField(t, l.Address("10.8.4.61"), "status", "reserved")
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.106"), "status", "dhcp") // downgraded: the lease is left
	if l.Address("10.8.4.61") != nil {
		t.Error("a managed reservation that is gone from the server is still there")
	}
	settled(t, l, m)
}

// rule 9 row 26; 3.7: statuses that were set before
func storyCustomStatuses(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	run(t, m, mirror.Options{})
	m = l.OpenUnprepared("sync_ips_from_dhcp: true\nstatuses: {lease: quarantine, reservation: deprecated, previous_lease: [dhcp], previous_reservation: [reserved]}\n", nil)
	editOffice(l, func(s *psutest.Scope) { dropLease(s, "10.8.4.105") })
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.106"), "status", "quarantine")
	wantField(t, l.Address("10.8.4.61"), "status", "deprecated")
	if l.Address("10.8.4.105") != nil {
		t.Error("an address with the former lease status is not cleaned up")
	}
	settled(t, l, m)
	m = l.OpenUnprepared("sync_ips_from_dhcp: true\nstatuses: {lease: nosuch}\n", nil)
	if r, err := m.Sync(t.Context(), mirror.Options{}); err != nil || r.Outcome != mirror.WithErrors || !noted(r.Plan, "nosuch") {
		t.Errorf("a status NetBox does not have: code %d, %v", r.Outcome.ExitCode(), err)
	}
}

// rule 3.6: everything is confined to the VRF of the scope's prefix
func storyTwoVRFs(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{
		VRFs:     []netboxtest.VRF{{Name: "red", RD: "65000:1"}, {Name: "blue", RD: "65000:2"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.8.4.0/24", VRF: "red"}, {Prefix: "10.8.4.0/24", VRF: "blue"}},
		IPs:      []netboxtest.IP{{Address: "10.8.4.200/24", VRF: "blue", Status: "dhcp"}},
	})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("sync_ips_from_dhcp: true\n", nil)
	r, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import})
	if err != nil || r.Outcome != mirror.WithErrors || !noted(r.Plan, "several VRFs") {
		t.Fatalf("ambiguous: code %d, %v", r.Outcome.ExitCode(), err)
	}
	m = l.OpenUnprepared("sync_ips_from_dhcp: true\n", map[string]string{l.Host(0): "scope_vrf: {10.8.4.0/24: red}\n"})
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	for _, row := range l.Get("ipam/ip-addresses", "parent=10.8.4.0/24") {
		want := "red"
		if strings.HasPrefix(fmt.Sprint(row["address"]), "10.8.4.200") {
			want = "blue"
		}
		wantField(t, row, "vrf.name", want)
	}
	settled(t, l, m)
}

// rules 9 row 30, 9 row 31 and 9 row 55; 3.4
func storyProtected(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{
		Tags:     []netboxtest.Tag{{Name: "dhcp-protect"}},
		IPs:      []netboxtest.IP{{Address: "10.8.4.105/24", Status: "active", DNSName: "vip", Tags: []string{"dhcp-protect"}}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.8.6.0/26", Tags: []string{"dhcp-protect"}}},
	}, "sync_ips_from_dhcp: true\nprotect: {tag: dhcp-protect}\n")
	run(t, m, mirror.Options{})
	vip := l.Address("10.8.4.105")
	wantField(t, vip, "status", "active")
	wantField(t, vip, "dns_name", "vip")
	wantField(t, vip, "custom_fields.dhcp_client_id", nil)
	wantField(t, vip, "custom_fields.dhcp_lease_hostname", "PC-05.corp.example")
	if l.Address("10.8.6.10") != nil {
		t.Error("an address was made in a protected prefix")
	}
	m = l.OpenUnprepared("sync_ips_from_dhcp: true\nprotect: {tag: dhcp-protect, update_client_id: true}\n", nil)
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "custom_fields.dhcp_client_id", "3c-52-82-0a-1c-05")
	wantField(t, l.Address("10.8.4.105"), "status", "active")
	editOffice(l, func(s *psutest.Scope) { dropLease(s, "10.8.4.105") })
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "custom_fields.dhcp_lease_active", false)
	settled(t, l, m)
}

// rule 9 row 43: the life of a reservation made before its client is known
func storyPrestaged(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{
		IPs: []netboxtest.IP{{Address: "10.8.4.105/24", Status: "reserved", DNSName: "planned"}, {Address: "10.8.4.70/24", Status: "reserved", DNSName: "later"}},
	}, "sync_ips_from_dhcp: true\npush_reservations: true\n")
	run(t, m, mirror.Options{})
	planned := l.Address("10.8.4.105")
	wantField(t, planned, "status", "reserved")
	wantField(t, planned, "dns_name", "planned")
	wantField(t, planned, "custom_fields.dhcp_client_id", "3c-52-82-0a-1c-05")
	wantField(t, planned, "custom_fields.dhcp_managed", "prestaged")
	found := false
	editOffice(l, func(s *psutest.Scope) {
		for _, r := range s.Reservations {
			found = found || r.IP == "10.8.4.105" && r.ClientID == "3c-52-82-0a-1c-05" && r.Name == "planned"
		}
		s.Leases, s.Reservations = nil, nil
	})
	if !found {
		t.Error("the reservation was not pushed once its client was known")
	}
	settings := "sync_ips_from_dhcp: true\n"
	m = l.OpenUnprepared(settings, nil)
	if _, err := m.Sync(t.Context(), mirror.Options{AllowDeletes: true}); err != nil {
		t.Fatal(err)
	}
	wantField(t, l.Address("10.8.4.105"), "status", "reserved") // kept: a person made it
	wantField(t, l.Address("10.8.4.70"), "dns_name", "later")
	settled(t, l, m)
}

// rule 3.9: a range marked as populated takes no new address
func storyPopulated(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	for _, r := range l.Get("ipam/ip-ranges", "start_address=10.8.4.20") {
		l.Patch("ipam/ip-ranges", r["id"], map[string]any{"mark_populated": true})
	}
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || !noted(r.Plan, "populated") {
		t.Fatalf("code %d, %v, %+v", r.Outcome.ExitCode(), err, r.Plan.Notes)
	}
	if r.Report.Failed() > 0 || l.Address("10.8.4.105") != nil || l.Address("10.8.6.10") == nil {
		t.Errorf("%s", r.Summary)
	}
}

// rules 9 row 14, 9 row 37 and 9 row 45; 5.2 and 5.3
func storyPush(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, everything)
	run(t, m, mirror.Options{})
	settled(t, l, m)
	l.Servers[0].ForgetRequests()
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.70/24", "status": "reserved", "dns_name": "door-1", "description": "front door",
		"custom_fields": map[string]any{"dhcp_client_id": "3C:52:82:0A:30:00"}})
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{"dhcp_lease_display": "2d",
		"dhcp_exclusions": []any{map[string]any{"start": "10.8.4.20", "end": "10.8.4.40"}}}})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.9.0/24"})
	l.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.9.10/24", "end_address": "10.8.9.99/24", "role": map[string]any{"slug": "dhcp-scope"},
		"custom_fields": map[string]any{"dhcp_server": "dh1.corp.example", "dhcp_scope_name": "Labs", "dhcp_lease_seconds": 3600, "dhcp_router": "10.8.9.1"}})
	run(t, m, mirror.Options{})
	l.Servers[0].Edit(func(w *psutest.World) {
		office := w.Scope("10.8.4.0")
		if office.LeaseSeconds != 2*86400 {
			t.Errorf("lease time %d", office.LeaseSeconds)
		}
		if want := []psutest.Exclusion{{Start: "10.8.4.20", End: "10.8.4.40"}}; !slices.Equal(office.Exclusions, want) {
			t.Errorf("exclusions %v", office.Exclusions)
		}
		if office.Description == "" && psutestDescription(t) != "" {
			t.Error("the description was wiped")
		}
		if !slices.ContainsFunc(office.Reservations, func(r *psutest.Reservation) bool {
			return r.IP == "10.8.4.70" && r.ClientID == "3c-52-82-0a-30-00" && r.Name == "door-1" && r.Description == "front door"
		}) {
			t.Errorf("reservations %v", office.Reservations)
		}
		if s := w.Scope("10.8.9.0"); s == nil || s.Name != "Labs" || s.LeaseSeconds != 3600 || !slices.Equal(s.Routers, []string{"10.8.9.1"}) {
			t.Errorf("the new scope: %+v", s)
		}
	})
	run(t, m, mirror.Options{})
	settled(t, l, m)
	// rule 5.4, delete_removed: an operator takes a reservation out of NetBox
	l.Remove("ipam/ip-addresses", l.Address("10.8.4.70")["id"])
	run(t, m, mirror.Options{})
	anHourLater(t, l)
	run(t, m, mirror.Options{})
	editOffice(l, func(s *psutest.Scope) {
		if slices.ContainsFunc(s.Reservations, func(r *psutest.Reservation) bool { return r.IP == "10.8.4.70" }) {
			t.Error("the reservation is still on the server")
		}
	})
	settled(t, l, m)
}

func psutestDescription(t *testing.T) string {
	t.Helper()
	w := psutest.Example("x")
	return w.Scope("10.8.4.0").Description
}

// rule 9 row 3: two servers, one subnet
func storySplit(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	half := func(first, last, lease string) psutest.World {
		return psutest.World{Scopes: []*psutest.Scope{{ID: "10.9.8.0", Mask: "255.255.255.0", Name: "Hall", Start: first, End: last, LeaseSeconds: 3600,
			Leases: []*psutest.Lease{
				{IP: lease, ClientID: "aa-bb-cc-00-00-0" + lease[len(lease)-1:], Hostname: "h" + lease[len(lease)-1:], Expiry: "2126-07-01T09:30:00Z"},
				{IP: lease + "0", ClientID: "aa-bb-cc-00-00-1" + lease[len(lease)-1:], Hostname: "stays", Expiry: "2126-07-01T09:30:00Z"},
			}}}}
	}
	l.Add(half("10.9.8.10", "10.9.8.200", "10.9.8.11"))
	l.Add(half("10.9.8.10", "10.9.8.200", "10.9.8.12"))
	m := l.Open("sync_ips_from_dhcp: true\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	if n := len(l.Get("ipam/ip-ranges", "")); n != 1 {
		t.Errorf("%d ranges for two scopes that overlap", n)
	}
	wantField(t, l.Address("10.9.8.11"), "status", "dhcp")
	wantField(t, l.Address("10.9.8.12"), "status", "dhcp")
	settled(t, l, m)
	// guard a: half of the truth deletes nothing
	l.Servers[0].Edit(func(w *psutest.World) { dropLease(w.Scope("10.9.8.0"), "10.9.8.11") })
	run(t, m, mirror.Options{Servers: []string{"dh1.corp.example"}})
	wantField(t, l.Address("10.9.8.11"), "status", "dhcp")
	l.Servers[1].Edit(func(w *psutest.World) { w.Scopes[0].Start, w.Scopes[0].End = "10.9.8.201", "10.9.8.250" })
	run(t, m, mirror.Options{})
	if l.Address("10.9.8.11") != nil || l.Address("10.9.8.12") == nil {
		t.Error("with both read, the ended lease goes and the other stays")
	}
	settled(t, l, m)
}

// rule 3.3; 9 row 2 and 9 row 42
func storyFailover(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	dh2 := l.Add(psutest.World{})
	psutest.Pair(dh1, dh2, psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 1800})
	dh2.Edit(func(w *psutest.World) {
		office := *psutest.Example("x").Scopes[0]
		w.Scopes = append(w.Scopes, &office)
	})
	m := l.Open("sync_ips_from_dhcp: true\n", map[string]string{l.Host(1): "sync_standalone_scopes: false\n"})
	run(t, m, mirror.Options{Mode: plan.Import})
	context := l.Get("extras/config-contexts", "name=windows-dhcp+failover+east-pair")
	if len(context) != 1 {
		t.Fatal("the relationship was not recorded")
	}
	wantField(t, context[0], "data.windows_dhcp.failover.mode", "HotStandby")
	wantField(t, context[0], "data.windows_dhcp.failover.max_client_lead_time", 1800)
	wantField(t, context[0], "data.windows_dhcp.failover.primary_server", l.Host(0))
	run(t, m, mirror.Options{})
	settled(t, l, m)
	// The primary fails: the secondary's leases come in, nothing goes.
	dh2.Edit(func(w *psutest.World) {
		w.Scopes[0].Leases = []*psutest.Lease{{IP: "10.8.4.222", ClientID: "3c-52-82-0a-99-00", Hostname: "during"}}
	})
	dh1.Fail(psutest.Fault{Kind: psutest.Drop})
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Outcome != mirror.WithErrors {
		t.Fatalf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	wantField(t, l.Address("10.8.4.222"), "status", "dhcp")
	wantField(t, l.Address("10.8.4.105"), "status", "dhcp")
	dh1.ClearFaults()
	// Paused in NetBox: nothing of the pair is read.
	l.Patch("extras/config-contexts", context[0]["id"], map[string]any{"is_active": false})
	dh1.ForgetRequests()
	editOffice(l, func(s *psutest.Scope) { dropLease(s, "10.8.4.105") })
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "status", "dhcp")
	for _, r := range dh1.Requests() {
		if r.Query.Get("scope_id") == "10.8.4.0" {
			t.Errorf("read although the relationship is paused: %s", r.Path)
		}
	}
}

// rules 3.4 and 3.7 guard i
func storyPeople(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{IPs: []netboxtest.IP{
		{Address: "10.8.4.105/24", Status: "active", Role: "vrrp", DNSName: "router"},
		{Address: "10.8.4.107/24", Status: "deprecated", DNSName: "old-printer"},
	}}, "sync_ips_from_dhcp: true\n")
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "status", "active")
	wantField(t, l.Address("10.8.4.105"), "dns_name", "router")
	wantField(t, l.Address("10.8.4.105"), "custom_fields.dhcp_lease_active", true)
	wantField(t, l.Address("10.8.4.107"), "status", "dhcp")
	settled(t, l, m)
	editOffice(l, func(s *psutest.Scope) { dropLease(s, "10.8.4.105"); dropLease(s, "10.8.4.107") })
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "custom_fields.dhcp_lease_active", false)
	wantField(t, l.Address("10.8.4.107"), "status", "deprecated")
	wantField(t, l.Address("10.8.4.107"), "dns_name", "old-printer")
	settled(t, l, m)
}

// rule 3.7 guard m: the change log tells that people deleted them
func storyEmptied(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	run(t, m, mirror.Options{})
	run(t, m, mirror.Options{})
	for _, row := range l.Get("ipam/ip-addresses", "parent=10.8.4.0/24") {
		l.Remove("ipam/ip-addresses", row["id"])
	}
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "status", "dhcp")
	settled(t, l, m)
}

// rule 3.7 guard j
func storyExempt(t *testing.T, target mirrortest.Target) {
	pool := func(field string) (*mirrortest.Lab, *mirror.Mirror) {
		world := netboxtest.World{Tags: []netboxtest.Tag{{Name: "DHCP"}}, IPs: []netboxtest.IP{
			{Address: "10.8.4.105/24", Status: "dhcp", DNSName: "theirs", Tags: []string{"DHCP"}}, {Address: "10.8.4.200/24", Status: "dhcp", Tags: []string{"DHCP"}}}}
		if field != "" {
			world.CustomFields = []netboxtest.CustomField{{Name: field, Type: "datetime", ObjectTypes: []string{"ipam.ipaddress"}}}
		}
		return imported(t, target, world, "sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n")
	}
	l, m := pool("pydhcp_expire")
	run(t, m, mirror.Options{})
	if r := run(t, m, mirror.Options{}); !noted(r.Plan, "another DHCP server") {
		t.Errorf("nothing tells of the lease: %+v", r.Plan.Notes)
	}
	wantField(t, l.Address("10.8.4.105"), "dns_name", "theirs")
	wantField(t, l.Address("10.8.4.200"), "status", "dhcp")
	settled(t, l, m)
	l, m = pool("") // no DHCP server keeps its leases here
	run(t, m, mirror.Options{})
	run(t, m, mirror.Options{})
	wantField(t, l.Address("10.8.4.105"), "dns_name", "pc-05.corp.example")
	if l.Address("10.8.4.200") != nil {
		t.Error("the tag alone is no DHCP server")
	}
}

// rule 8; 9 row 38
func storyViolations(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}},
		IPs: []netboxtest.IP{{Address: "10.8.4.25/24", Status: "dhcp"}, {Address: "172.16.0.9/24", Status: "dhcp"},
			{Address: "172.16.0.10/24", Status: "dhcp", Tags: []string{"DHCP"}}, {Address: "172.16.0.11/24", Status: "active"}},
	}, "")
	r := run(t, m, mirror.Options{})
	if len(r.Plan.Violations) != 2 {
		t.Fatalf("violations: %+v", r.Plan.Violations)
	}
	wantField(t, l.Address("10.8.4.25"), "tags", []string{"dhcp-status-invalid"})
	wantField(t, l.Address("172.16.0.9"), "tags", []string{"dhcp-status-invalid"})
	told := make(map[string]int)
	for _, entry := range l.Get("extras/journal-entries", "") {
		told[fmt.Sprint(mirrortest.Field(entry, "assigned_object_type"), " ", mirrortest.Field(entry, "kind"))]++
	}
	// rule 9 row 9: each range that was imported says where it is from
	if diff := cmp.Diff(map[string]int{"ipam.ipaddress warning": 2, "ipam.iprange info": 3}, told); diff != "" {
		t.Errorf("journal entries (-want +got):\n%s", diff)
	}
	settled(t, l, m)
	l.Patch("ipam/ip-addresses", l.Address("172.16.0.9")["id"], map[string]any{"status": "active"})
	run(t, m, mirror.Options{})
	wantField(t, l.Address("172.16.0.9"), "tags", []any{})
	settled(t, l, m)
}

// rule 3.4: coming from the plugin
func storyMigrate(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	for ip, id := range map[string]string{"10.8.4.60": "3c-52-82-0a-1b-60", "10.8.4.61": "00-00-00-00-00-01", "10.8.4.62": "3c-52-82-0a-1b-62"} {
		l.Create("ipam/ip-addresses", map[string]any{"address": ip + "/24", "status": "reserved", "custom_fields": map[string]any{"dhcp_client_id": id}})
	}
	run(t, m, mirror.Options{Mode: plan.Migrate})
	wantField(t, l.Address("10.8.4.60"), "custom_fields.dhcp_managed", "adopted")
	wantField(t, l.Address("10.8.4.61"), "custom_fields.dhcp_managed", nil)
	wantField(t, l.Address("10.8.4.62"), "custom_fields.dhcp_managed", nil)
	if r := run(t, m, mirror.Options{Mode: plan.Migrate}); !r.Plan.Empty() {
		t.Error("a second migrate still changes something")
	}
}

// rule 3.4 point 1: the plugin had put everything into the global table.
func storyMigrateVRF(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	red, tenant := l.Create("ipam/vrfs", map[string]any{"name": "red"}), l.Create("tenancy/tenants", map[string]any{"name": "Lab", "slug": "lab"})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.4.0/24", "vrf": red, "tenant": tenant})
	m := l.Open("sync_ips_from_dhcp: true\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	left := l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.60/24", "status": "reserved", "custom_fields": map[string]any{"dhcp_client_id": "3c-52-82-0a-1b-60"}})
	run(t, m, mirror.Options{Mode: plan.Migrate})
	rows := l.Get("ipam/ip-addresses", "address=10.8.4.60")
	if len(rows) != 1 {
		t.Fatalf("%d objects", len(rows))
	}
	wantField(t, rows[0], "id", left)
	wantField(t, rows[0], "vrf.name", "red")
	wantField(t, rows[0], "tenant.name", "Lab")
	wantField(t, rows[0], "custom_fields.dhcp_managed", "adopted")
	if r := run(t, m, mirror.Options{Mode: plan.Migrate}); !r.Plan.Empty() {
		t.Errorf("a second migrate still changes something: %+v", r.Plan.Steps)
	}
	run(t, m, mirror.Options{})
	if n := len(l.Get("ipam/ip-addresses", "address=10.8.4.60")); n != 1 {
		t.Errorf("%d objects after a run", n)
	}
}

// rule 4 step 6: a range made by hand becomes the record.
func storyAdoptRange(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	role := l.Create("ipam/roles", map[string]any{"name": "Pool", "slug": "pool"})
	made := l.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.4.20/24", "end_address": "10.8.4.250/24", "role": role, "description": "by hand"})
	m := l.Open("sync_ips_from_dhcp: true\n", nil)
	if r, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import}); err != nil || r.Outcome != mirror.WithErrors {
		t.Errorf("without being asked: %v, %v", r.Outcome, err)
	}
	run(t, m, mirror.Options{Mode: plan.Import, AdoptRanges: true})
	row := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	wantField(t, row, "id", made)
	wantField(t, row, "role.slug", "dhcp-scope")
	wantField(t, row, "description", "by hand")
	wantField(t, row, "custom_fields.dhcp_scope_name", "Office")
	wantField(t, row, "tags", []string{"windows-dhcp"})
	run(t, m, mirror.Options{})
	if l.Address("10.8.4.100") == nil {
		t.Error("its leases are not mirrored")
	}
}

// rule 3.7 scope cleanup: addresses of a scope that is gone stay reported.
func storyOrphans(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	run(t, m, mirror.Options{})
	was := l.Address("10.8.4.100")
	wantField(t, was, "custom_fields.dhcp_lease_active", true)
	l.Servers[0].Edit(func(w *psutest.World) {
		w.Scopes = slices.DeleteFunc(w.Scopes, func(s *psutest.Scope) bool { return s.ID == "10.8.4.0" })
	})
	run(t, m, mirror.Options{AllowDeletes: true})
	for range 2 {
		r := run(t, m, mirror.Options{})
		if !noted(r.Plan, "as orphans") || len(r.Plan.Violations) == 0 {
			t.Errorf("not told: %+v, %+v", r.Plan.Notes, r.Plan.Violations)
		}
		left := l.Address("10.8.4.100")
		wantField(t, left, "id", was["id"])
		wantField(t, left, "custom_fields.dhcp_lease_active", false)
		wantField(t, left, "tags", []string{"dhcp-status-invalid"})
	}
}

// rule 4; 9 row 8, 9 row 10 and 9 row 11
func storyImport(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "")
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"description": "mine", "custom_fields": map[string]any{"dhcp_router": "10.8.4.9"}})
	editOffice(l, func(s *psutest.Scope) {
		s.Name = "renamed"
		s.Exclusions = append(s.Exclusions, psutest.Exclusion{Start: "10.8.4.200", End: "10.8.4.201"})
	})
	run(t, m, mirror.Options{Mode: plan.Import})
	office = l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	wantField(t, office, "description", "mine")
	wantField(t, office, "custom_fields.dhcp_router", "10.8.4.9")
	wantField(t, office, "custom_fields.dhcp_scope_name", "Office")
	if got := fmt.Sprint(mirrortest.Field(office, "custom_fields.dhcp_exclusions")); !strings.Contains(got, "10.8.4.200") {
		t.Errorf("exclusions %s", got)
	}
	l.Front.Forget()
	if r := run(t, m, mirror.Options{Mode: plan.Import}); !r.Plan.Empty() || len(l.Front.Writes()) > 0 {
		t.Errorf("a further import writes: %+v", r.Plan.Steps)
	}
	other := mirrortest.New(t, target, netboxtest.World{})
	other.Add(psutest.Example("dh1.corp.example"))
	m = other.Open("import: {create_missing_prefixes: false}\n", nil)
	r, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import})
	if err != nil || r.Outcome != mirror.WithErrors || len(other.Get("ipam/ip-ranges", "")) != 0 || len(other.Get("ipam/prefixes", "")) != 0 {
		t.Errorf("without prefixes: code %d, %v", r.Outcome.ExitCode(), err)
	}
}

// rules 9 row 6, 9 row 15, 9 row 17, 9 row 47 and 9 row 52
func storyPages(t *testing.T, target mirrortest.Target) {
	l, m := imported(t, target, netboxtest.World{}, "sync_ips_from_dhcp: true\n")
	r := run(t, m, mirror.Options{})
	prefix := l.Get("ipam/prefixes", "prefix=10.8.4.0/24")[0]
	table := fmt.Sprint(mirrortest.Field(prefix, "custom_fields.dhcp_scopes"))
	for _, text := range []string{"| Scope |", "| Office |", "10.8.4.20", "8 Days"} {
		if !strings.Contains(table, text) {
			t.Errorf("the prefix's table lacks %q:\n%s", text, table)
		}
	}
	changes := l.Get("core/object-changes", "changed_object_type=ipam.ipaddress&action=create&q=netbox-dhcp-sync+"+r.ID)
	if len(changes) == 0 {
		changes = l.Get("core/object-changes", "changed_object_type=ipam.ipaddress&action=create")
		if len(changes) == 0 || !strings.Contains(fmt.Sprint(changes[0]["message"]), r.ID) {
			t.Error("the change log does not name the run")
		}
	}
	if found := l.Get("ipam/ip-addresses", "cf_dhcp_lease_hostname=PC-05.corp.example"); len(found) != 1 {
		t.Errorf("found by lease host name: %d", len(found))
	}
	if n := len(l.Get("extras/saved-filters", "")); n < 4 {
		t.Errorf("%d saved filters", n)
	}
	codes := l.Get("extras/config-contexts", "name=windows-dhcp+option-codes")
	if len(codes) != 1 || strings.Count(fmt.Sprint(mirrortest.Field(codes[0], "data")), "built_in:true") != 71 {
		t.Errorf("option library: %d contexts", len(codes))
	}
	if p, err := m.Bootstrap(t.Context()); err != nil || !p.Empty() {
		t.Errorf("a second bootstrap would do something: %v %s", err, p)
	}
}

func storyEverything(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open(everything+"expiry_in_netbox: true\nauto_import: true\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	settled(t, l, m)
	wantField(t, l.Address("10.8.4.105"), "custom_fields.dhcp_lease_active", true)
}
