package apply_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/apply"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	dh1, dh2 = "dh1.corp.example", "dh2.corp.example"

	mfp = "3c-52-82-0a-1b-60" // has 10.8.4.60 in psutest.Example
	cam = "3c-52-82-0a-1b-61" // has 10.8.4.61
	pc  = "3c-52-82-0a-1b-77" // has nothing
)

// lab is one Windows server and, if started, a NetBox.
type lab struct {
	*testing.T
	dh1     *psutest.Server
	nb      *netboxtest.Server
	targets apply.Targets
	options apply.Options
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, dh1: psutest.New(t, psutest.Config{World: psutest.Example(dh1)})}
	l.targets.Servers = map[string]*endpoint.Client{dh1: l.client(l.dh1, false)}
	l.options = apply.Options{Policy: everything(), Message: "netbox-dhcp-sync test", Log: silent()}
	return l
}

func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func everything() plan.Policy {
	server := func(host string) plan.Server {
		return plan.Server{ServerName: windhcp.ServerName{Host: host}, Selected: true, Standalone: true}
	}
	return plan.Policy{
		Mode: plan.Sync, SyncIPs: true, PushReservations: true, PushScopeInfo: true, DeleteRemoved: true, DeleteScopes: true, ActivateScopes: true, ReplaceClientID: true,
		LeaseStatus: "dhcp", ReservationStatus: "reserved", Servers: []plan.Server{server(dh1), server(dh2)},
	}
}

func (l *lab) client(s *psutest.Server, readOnly bool) *endpoint.Client {
	l.Helper()
	door, err := psu.New(psu.Config{Host: s.Host(), Port: s.Port(), Token: func() (string, error) { return s.Writer(), nil }, Timeout: 10 * time.Second})
	if err != nil {
		l.Fatal(err)
	}
	c, err := endpoint.New(door, endpoint.Config{RetryPause: time.Millisecond, ReadOnly: readOnly}, silent())
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(c.Close)
	return c
}

// netbox starts a NetBox with what the mirror leaves in one.
func (l *lab) netbox() {
	l.Helper()
	l.nb = netboxtest.New(l.T, netboxtest.Config{})
	on := func(kind state.Kind) []string { return []string{string(kind)} }
	netboxtest.Seed(l.T, l.nb.URL(), l.nb.TokenV1(), netboxtest.World{
		Tags: []netboxtest.Tag{{Name: state.TagScope}, {Name: state.TagData}, {Name: state.TagInvalid}},
		CustomFields: []netboxtest.CustomField{
			{Name: state.FieldServer, Type: "text", ObjectTypes: on(state.IPRange)}, {Name: state.FieldFailover, Type: "text", ObjectTypes: on(state.IPRange)},
			{Name: state.FieldScopes, Type: "longtext", ObjectTypes: on(state.IPPrefix)},
		},
		IPRoles:  []string{state.RoleScope, "pool"},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.8.4.0/24"}},
		Ranges: []netboxtest.Range{
			{Start: "10.8.4.20/24", End: "10.8.4.30/24", Role: state.RoleScope, CustomFields: map[string]any{state.FieldServer: dh1}},
			{Start: "10.8.4.40/24", End: "10.8.4.50/24", Role: "pool", CustomFields: map[string]any{state.FieldServer: dh1}},
		},
		Contexts: []netboxtest.Context{{Name: "dns servers", Data: map[string]any{"a": 1}}},
	})
	c, err := netbox.NewClient(netbox.Config{URL: l.nb.URL(), Token: func() (string, error) { return l.nb.TokenV1(), nil }, Timeout: 10 * time.Second}, silent())
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(c.Close)
	l.targets.NetBox = c
	l.nb.ForgetRequests()
}

func (l *lab) run(steps ...plan.Step) *apply.Report {
	l.Helper()
	return apply.Run(l.Context(), &plan.Plan{Steps: steps}, l.targets, l.options)
}

// one carries out a single step.
func (l *lab) one(step plan.Step, outcome netboxio.Outcome, say string) {
	l.Helper()
	got := l.run(step).Results[0]
	if got.Outcome != outcome || !strings.Contains(got.Error, say) || say == "" && got.Error != "" {
		l.Errorf("%s: %s; want %s: ...%s...", got.Outcome, got.Error, outcome, say)
	}
}

// writes are the requests that change something, as "POST reservations".
func (l *lab) writes() (out []string) {
	for _, r := range l.dh1.Writes() {
		out = append(out, r.Method+" "+strings.TrimPrefix(r.Path, "/api/dhcp/"))
	}
	return out
}

func (l *lab) wantWrites(want ...string) {
	l.Helper()
	if diff := cmp.Diff(want, l.writes()); diff != "" {
		l.Errorf("requests (-want +got):\n%s", diff)
	}
}

// scope looks at a scope of the server.
func (l *lab) scope(id string) (s psutest.Scope) {
	l.Helper()
	l.dh1.Edit(func(w *psutest.World) {
		if found := w.Scope(id); found != nil {
			s = *found
		}
	})
	return s
}

func (l *lab) wantReservations(want ...string) {
	l.Helper()
	var got []string
	for _, r := range l.scope("10.8.4.0").Reservations {
		got = append(got, strings.TrimSpace(fmt.Sprintln(r.IP, r.ClientID, r.Name, r.Description, r.Type)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.Errorf("reservations (-want +got):\n%s", diff)
	}
}

func (l *lab) wantExclusions(want ...psutest.Exclusion) {
	l.Helper()
	if diff := cmp.Diff(want, l.scope("10.8.4.0").Exclusions); diff != "" {
		l.Errorf("exclusions (-want +got):\n%s", diff)
	}
}

func office() netip.Prefix { return netip.MustParsePrefix("10.8.4.0/24") }

func change(field string, old, want any) plan.Change {
	return plan.Change{Field: field, Old: old, New: want}
}

// reserve is a step that makes a reservation.
func reserve(addr, client string) plan.Step {
	return plan.Step{
		Phase: plan.Push, Target: dh1, Action: state.Create, Kind: plan.WindowsReservation, Name: "reservation " + addr, Scope: office(), Addr: netip.MustParseAddr(addr),
		Changes: []plan.Change{change("ip_address", nil, addr), change("client_id", nil, client), change("name", nil, "new"), change("description", nil, ""), change("type", nil, "Dhcp")},
	}
}

// withdraw is a step that deletes the reservation of a client.
func withdraw(addr, client string) plan.Step {
	return plan.Step{
		Phase: plan.Push, Target: dh1, Action: state.Delete, Kind: plan.WindowsReservation, Name: "reservation " + addr, Scope: office(), Addr: netip.MustParseAddr(addr),
		Observed: []plan.Change{{Field: "client_id", Old: client}}, Record: 7,
	}
}

// rename is a step that changes the name in a client's reservation.
func rename(addr, client, old, name string) plan.Step {
	s := withdraw(addr, client)
	s.Action, s.Changes = state.Update, []plan.Change{change("name", old, name)}
	return s
}

// replace is a step that gives an address to another client.
func replace(addr, old, client string) plan.Step {
	s := withdraw(addr, old)
	s.Action, s.Observed, s.Changes = state.Update, nil, []plan.Change{change("client_id", old, client)}
	return s
}

// exclusion is a step that puts the exclusion add in the place of old ones;
// "10.8.4.20-10.8.4.29", empty: none.
func exclusion(add string, old ...string) plan.Step {
	list := func(spans ...string) any {
		var out []map[string]string
		for _, s := range spans {
			if start, end, ok := strings.Cut(s, "-"); ok {
				out = append(out, map[string]string{"start_ip": start, "end_ip": end})
			}
		}
		if out == nil {
			return nil
		}
		raw, err := json.Marshal(out)
		if err != nil {
			panic(err) // texts always marshal
		}
		return json.RawMessage(raw)
	}
	s := plan.Step{Phase: plan.Push, Target: dh1, Action: state.Update, Kind: plan.WindowsExclusion, Name: "exclusion", Scope: office(),
		Changes: []plan.Change{change("exclusions", list(old...), list(add))}}
	switch {
	case len(old) == 0:
		s.Action = state.Create
	case add == "":
		s.Action = state.Delete
	}
	return s
}

// adjust is a step that changes a scope.
func adjust(changes ...plan.Change) plan.Step {
	return plan.Step{Phase: plan.Push, Target: dh1, Action: state.Update, Kind: plan.WindowsScope, Name: "scope 10.8.4.0/24", Scope: office(), Changes: changes}
}

// newScope is a step that makes a scope.
func newScope(subnet, start, end, router string, seconds int64) plan.Step {
	p := netip.MustParsePrefix(subnet)
	return plan.Step{Phase: plan.Push, Target: dh1, Action: state.Create, Kind: plan.WindowsScope, Name: "scope " + subnet, Scope: p, Changes: []plan.Change{
		change("scope_id", nil, p.Addr().String()), change("name", nil, "Labs"), change("start_ip", nil, start), change("end_ip", nil, end),
		change("subnet_mask", nil, "255.255.255.0"), change("lease_duration_seconds", nil, seconds), change("router", nil, router),
	}}
}
