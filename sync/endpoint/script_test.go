package endpoint_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// speaking is a server with a script, and a client that asked for its health.
func speaking(t *testing.T, script string, asked bool) (*psutest.Server, *endpoint.Client) {
	t.Helper()
	srv := example(t)
	srv.Configure(func(c *psutest.Config) { c.Script = script })
	c := client(t, srv)
	if asked {
		if _, err := c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	srv.ForgetRequests()
	return srv, c
}

// sent are the requests a server got, as "PUT reservations 200".
func sent(srv *psutest.Server) (out []string) {
	for _, r := range srv.Requests() {
		out = append(out, fmt.Sprint(r.Method, " ", strings.TrimPrefix(r.Path, "/api/dhcp/"), " ", r.Status))
	}
	return out
}

// rule 1.6: whose script it is, and what it says about itself.
func TestHealthSaysWhoseScriptItIs(t *testing.T) {
	for _, c := range []struct {
		name        string
		config      func(*psutest.Config)
		want        endpoint.Health
		ours, lists bool
	}{
		{"before 1.0.0", func(c *psutest.Config) { c.Script = psutest.NoVersion }, endpoint.Health{}, false, false},
		{"the plugin's 1.0.2", func(c *psutest.Config) { c.Script = "1.0.2" }, endpoint.Health{Version: "1.0.2"}, false, false},
		{"a 1.1.0, which may be either's", func(c *psutest.Config) { c.Script = "1.1.0" }, endpoint.Health{Version: "1.1.0"}, false, false},
		{"the plugin's 2.0.1", func(c *psutest.Config) { c.Script = psutest.Lists }, endpoint.Health{Version: "2.0.1"}, false, true},
		{"one of the plugin to come", func(c *psutest.Config) { c.Script = "2.10.0" }, endpoint.Health{Version: "2.10.0"}, false, true},
		{"ours", func(c *psutest.Config) { c.Script, c.Computer = psutest.Own, "DH7" },
			endpoint.Health{Version: endpoint.ScriptVersion, Script: endpoint.ScriptName, Computer: "DH7", Rights: endpoint.RightsWrite, Calls: []string{"options"}}, true, true},
		{"ours before it could set options", func(c *psutest.Config) { c.Script = psutest.OwnBefore },
			endpoint.Health{Version: psutest.OwnBefore, Script: endpoint.ScriptName, Computer: "DH1", Rights: endpoint.RightsWrite}, true, true},
		{"ours that only reads", func(c *psutest.Config) { c.Script, c.Rights = psutest.Own, "read" },
			endpoint.Health{Version: endpoint.ScriptVersion, Script: endpoint.ScriptName, Computer: "DH1", Rights: endpoint.RightsRead, Calls: []string{"options"}}, true, true},
		{"ours that Windows denies everything", func(c *psutest.Config) { c.Script, c.Rights = psutest.Own, "none" },
			endpoint.Health{Version: endpoint.ScriptVersion, Script: endpoint.ScriptName, Computer: "DH1", Rights: endpoint.RightsNone, Calls: []string{"options"}, Trouble: "Failed to enumerate on DHCP server. (WIN32 5)"}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := example(t)
			srv.Configure(c.config)
			got, err := client(t, srv).Health(t.Context())
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil || got.Ours() != c.ours || got.Lists() != c.lists {
				t.Errorf("%v, ours %t, lists %t\n%s", err, got.Ours(), got.Lists(), diff)
			}
		})
	}
}

// An error of Windows is known by its number, and access that is denied has a
// next step (rule 1.7).
func TestTheNumberOfAnErrorIsTold(t *testing.T) {
	srv, c := speaking(t, psutest.Own, true)
	srv.Configure(func(c *psutest.Config) { c.Rights = "none" })
	e := wantKind(t, c.Scopes(t.Context(), false).Err, endpoint.ServerError)
	if e.ID != "WIN32 5" || !strings.Contains(e.Error(), "(WIN32 5)") || !strings.Contains(e.Error(), "local administrator") {
		t.Error(e)
	}
}

// rule 1.9: a change goes by the call the server has, whether health was asked or
// not, and a call that is not there is no bad token.
func TestAReservationIsChangedInEachDialect(t *testing.T) {
	for _, c := range []struct {
		script        string
		asked         bool
		update, drop  []string
		namesTheScope bool
	}{
		{"1.0.2", true, []string{"PUT reservations/3c-52-82-0a-1b-60 200"}, []string{"DELETE reservations/3c-52-82-0a-1b-60 204"}, false},
		{"1.0.2", false, []string{"PUT reservations/3c-52-82-0a-1b-60 200"}, []string{"DELETE reservations/3c-52-82-0a-1b-60 204"}, false},
		{psutest.Lists, true, []string{"PUT reservations 200"}, []string{"DELETE reservations 200"}, true},
		{psutest.Lists, false, []string{"PUT reservations/3c-52-82-0a-1b-60 401", "PUT reservations 200"}, []string{"DELETE reservations/3c-52-82-0a-1b-60 401", "DELETE reservations 200"}, true},
		{psutest.Own, true, []string{"PUT reservations 200"}, []string{"DELETE reservations 200"}, true},
		{psutest.Own, false, []string{"PUT reservations/3c-52-82-0a-1b-60 200"}, []string{"DELETE reservations/3c-52-82-0a-1b-60 204"}, false},
	} {
		for _, unknown := range []int{401, 404, 405} {
			t.Run(fmt.Sprintf("%s, asked %t, %d", c.script, c.asked, unknown), func(t *testing.T) {
				srv, client := speaking(t, c.script, c.asked)
				srv.Configure(func(c *psutest.Config) { c.UnknownPath = unknown })
				as := func(list []string) (out []string) {
					for _, one := range list {
						out = append(out, strings.Replace(one, " 401", fmt.Sprint(" ", unknown), 1))
					}
					return out
				}
				if err := client.UpdateReservation(t.Context(), office, of("3c-52-82-0a-1b-60"), endpoint.ReservationChange{Name: ptr("mfp-3")}); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(as(c.update), sent(srv)); diff != "" {
					t.Errorf("update:\n%s", diff)
				}
				if last := srv.Writes()[len(srv.Writes())-1]; strings.Contains(last.Body, `"scope_id":"10.8.4.0"`) != c.namesTheScope {
					t.Errorf("sent %s", last.Body)
				}
				if list := client.Reservations(t.Context(), office); list.Items[0].Name != "mfp-3" || list.Items[0].Description != "printer's room" {
					t.Errorf("got %+v", list.Items)
				}
				srv.ForgetRequests()
				if err := client.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60")); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(as(c.drop), sent(srv)); diff != "" {
					t.Errorf("delete:\n%s", diff)
				}
			})
		}
	}
}

// A reservation that is gone from its address is not looked for under its
// client: it may be another one by now (rule 1.9).
func TestAReservationThatMovedIsNotChanged(t *testing.T) {
	for _, script := range []string{psutest.Lists, psutest.Own} {
		t.Run(script, func(t *testing.T) {
			srv, c := speaking(t, script, true)
			srv.Edit(func(w *psutest.World) {
				s := w.Scope("10.8.4.0")
				s.Leases = nil
				s.Reservations[0].IP = "10.8.4.70"
			})
			for name, err := range map[string]error{
				"update": c.UpdateReservation(t.Context(), office, of("3c-52-82-0a-1b-60"), endpoint.ReservationChange{Name: ptr("x")}),
				"delete": c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60")),
			} {
				if e := wantKind(t, err, endpoint.Rejected); e.Status != 404 {
					t.Errorf("%s: %v", name, err)
				}
			}
			if list := c.Reservations(t.Context(), office); len(list.Items) != 2 || list.Items[0].Name != "mfp-2" {
				t.Errorf("left %+v", list.Items)
			}
			if got := sent(srv); slices.ContainsFunc(got, func(r string) bool { return strings.Contains(r, "reservations/") }) {
				t.Errorf("sent %q", got)
			}
		})
	}
}

// A token that is refused everywhere is said once, in both dialects.
func TestATokenThatIsRefusedIsABadToken(t *testing.T) {
	for _, script := range []string{"1.0.2", psutest.Lists, psutest.Own} {
		srv, c := speaking(t, script, true)
		srv.Fail(psutest.Fault{Kind: psutest.Unauthorized})
		wantKind(t, c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60")), endpoint.BadToken)
	}
}

// rule 1.9: results that are not those of what was sent.
func TestAResultThatDoesNotFitIsNoSuccess(t *testing.T) {
	for name, body := range map[string]string{
		"no results":      `{"status":"ok"}`,
		"too few":         `{"results":[]}`,
		"another address": `{"results":[{"scope_id":"10.8.4.0","ip_address":"10.8.4.61","status":"ok"}]}`,
		"another scope":   `{"results":[{"scope_id":"10.8.6.0","ip_address":"10.8.4.60","status":"ok"}]}`,
		"no address":      `{"results":[{"scope_id":"10.8.4.0","status":"ok"}]}`,
		"another word":    `{"results":[{"scope_id":"10.8.4.0","ip_address":"10.8.4.60","status":"OK?"}]}`,
		"a list":          `[{"scope_id":"10.8.4.0","ip_address":"10.8.4.60","status":"ok"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, body)
			e := wantKind(t, c.DeleteReservation(t.Context(), office, of("3c-52-82-0a-1b-60")), endpoint.Garbled)
			if !e.Unsure() {
				t.Error("it is taken for sure that nothing was done")
			}
		})
	}
}

// rules 1.9 and 10: one request for all scopes, and the same lists as one by one.
func TestExclusionsAndOptionsOfAllScopesAreThoseOfEach(t *testing.T) {
	scopes := []netip.Addr{office, netip.MustParseAddr("10.8.6.0"), netip.MustParseAddr("10.9.0.0")}
	for script, requests := range map[string]int{"1.0.2": 6, psutest.Lists: 2, psutest.Own: 2} {
		t.Run(script, func(t *testing.T) {
			srv, c := speaking(t, script, true)
			exclusions, options := c.AllExclusions(t.Context(), scopes), c.AllOptions(t.Context(), scopes)
			if n := len(srv.Requests()); n != requests {
				t.Errorf("%d requests, want %d: %q", n, requests, sent(srv))
			}
			for _, id := range scopes {
				if diff := cmp.Diff(c.Exclusions(t.Context(), id), exclusions.Of(id), plain); diff != "" {
					t.Errorf("exclusions of %s:\n%s", id, diff)
				}
				if diff := cmp.Diff(c.ScopeOptions(t.Context(), id), options.Of(id), plain); diff != "" {
					t.Errorf("options of %s:\n%s", id, diff)
				}
			}
		})
	}
}

// What cannot be told at once is read scope by scope, so that one scope's failure
// is its own; a server that is gone is not asked again (rules 1.5 and 3.8).
func TestAWholeListThatFailsIsReadScopeByScope(t *testing.T) {
	scopes := []netip.Addr{office, netip.MustParseAddr("10.8.6.0")}
	for _, kind := range []psutest.FaultKind{
		psutest.Error500, psutest.Unauthorized, psutest.Forbidden, psutest.HTML200, psutest.Blank200, psutest.Null200, psutest.Text200, psutest.Timeout504,
	} {
		for _, path := range []string{"exclusions", "options"} {
			srv, c := speaking(t, psutest.Own, true)
			srv.Fail(psutest.Fault{Path: path, Kind: kind, Times: map[bool]int{true: 3, false: 1}[kind == psutest.Timeout504]})
			var first, second error
			if path == "options" {
				all := c.AllOptions(t.Context(), scopes)
				first, second = all.Of(scopes[0]).Err, all.Of(scopes[1]).Err
			} else {
				all := c.AllExclusions(t.Context(), scopes)
				first, second = all.Of(scopes[0]).Err, all.Of(scopes[1]).Err
			}
			if first != nil || second != nil {
				t.Errorf("%s, fault %d: %v, %v", path, kind, first, second)
			}
		}
	}
	srv, c := speaking(t, psutest.Own, true)
	srv.Close()
	if err := c.AllOptions(t.Context(), scopes).Of(office).Err; endpoint.KindOf(err) != endpoint.Unreachable {
		t.Error(err)
	}
}

// A scope that an answer does not name has no exclusions in the plugin's dialect,
// and was not read in ours. An entry of another scope, and a key that is none,
// are errors.
func TestAnAnswerByScopeIsTakenAtItsWord(t *testing.T) {
	six := netip.MustParseAddr("10.8.6.0")
	for _, c := range []struct {
		name, health, body string
		here, there        bool // the lists of the office and of 10.8.6.0 are complete
	}{
		{"the plugin leaves one out", `{"version":"2.0.1"}`, `{"10.8.4.0":[]}`, true, true},
		{"ours leaves one out", `{"version":"2026.11.0","script":"netbox-dhcp-sync"}`, `{"10.8.4.0":[]}`, true, false},
		{"an entry of another scope", `{"version":"2.0.1"}`, `{"10.8.4.0":[{"scope_id":"10.8.6.0","start_ip":"10.8.6.1","end_ip":"10.8.6.2"}],"10.8.6.0":[]}`, false, true},
		{"null for a list", `{"version":"2.0.1"}`, `{"10.8.4.0":null,"10.8.6.0":[]}`, false, true},
		{"one bare entry", `{"version":"2.0.1"}`, `{"10.8.4.0":{"scope_id":"10.8.4.0","start_ip":"10.8.4.1","end_ip":"10.8.4.2"}}`, true, true},
		{"a key that is no scope", `{"version":"2.0.1"}`, `{"value":[]}`, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := answeringTo(t, map[string]string{"/api/dhcp/health": c.health, "/api/dhcp/exclusions": c.body})
			if _, err := client.Health(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := client.AllExclusions(t.Context(), []netip.Addr{office, six})
			if here, there := all.Of(office), all.Of(six); here.Complete() != c.here || there.Complete() != c.there {
				t.Errorf("office %+v, 10.8.6.0 %+v", here, there)
			}
		})
	}
}

// rule 1.9: what only scripts with lists can do is not tried on others.
func TestScopesAreSwitchedAndDeletedWhereTheScriptCan(t *testing.T) {
	labs := netip.MustParseAddr("10.9.0.0")
	inactive := newScope()
	inactive.State = "Inactive"
	for _, script := range []string{"1.0.2", psutest.Lists, psutest.Own} {
		t.Run(script, func(t *testing.T) {
			srv, c := speaking(t, script, true)
			errs := []error{
				c.UpdateScope(t.Context(), office, endpoint.ScopeChange{Active: ptr(false)}), c.CreateScope(t.Context(), inactive), c.DeleteScope(t.Context(), labs),
			}
			if script == "1.0.2" {
				for _, err := range errs {
					wantKind(t, err, endpoint.Invalid)
				}
				if n := len(srv.Requests()); n != 0 {
					t.Errorf("%d requests", n)
				}
				return
			}
			var got []string
			for _, s := range c.Scopes(t.Context(), false).Items {
				got = append(got, fmt.Sprint(s.ID(), " ", s.Active()))
			}
			if diff := cmp.Diff([]string{"10.8.4.0 false", "10.8.6.0 true", "10.8.7.0 false"}, got); diff != "" {
				t.Errorf("%v\n%s", errs, diff)
			}
			if err := c.DeleteScope(t.Context(), office); err == nil {
				t.Error("a scope with leases was deleted")
			}
		})
	}
}

// rule 1.3: values for a user class or a policy can be told apart where the script
// tells them.
func TestOptionsOfClassesAreToldApart(t *testing.T) {
	for script, want := range map[string][]windhcp.Option{
		psutest.Lists: {{Code: 6, Values: []string{"10.1.1.9"}, Type: "IPv4Address"}},
		psutest.Own:   {{Code: 6, Values: []string{"10.1.1.9"}, Type: "IPv4Address", UserClass: "lab", Policy: "phones", ClassesTold: true}},
	} {
		srv, c := speaking(t, script, true)
		srv.Edit(func(w *psutest.World) {
			w.ServerOptions = []*psutest.Option{{Code: 6, Values: []string{"10.1.1.9"}, Type: "IPv4Address", UserClass: "lab", Policy: "phones"}}
		})
		got := c.ServerOptions(t.Context()).Items
		if diff := cmp.Diff(want, got); diff != "" || got[0].ForAll() != (script == psutest.Lists) {
			t.Errorf("%s: for all %t\n%s", script, got[0].ForAll(), diff)
		}
	}
}

// answeringTo is a client of a server that answers each path with a fixed text.
func answeringTo(t *testing.T, bodies map[string]string) *endpoint.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.Path]
		if !ok || r.URL.Query().Get("scope_id") != "" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	addr := srv.Listener.Addr().(*net.TCPAddr)
	return open(t, config{door{Host: "127.0.0.1", Port: addr.Port}, asking{RetryPause: time.Millisecond}}, quiet())
}

// answering is a client of a server of the plugin that answers a list of
// reservations with a fixed text.
func answering(t *testing.T, body string) *endpoint.Client {
	t.Helper()
	c := answeringTo(t, map[string]string{"/api/dhcp/health": `{"version":"2.0.1"}`, "/api/dhcp/reservations": body})
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// rule 1.9: the routers are those of the options, in one request more and a cmdlet a
// scope less.
func TestScopesWithOptionsAreThoseWithRouters(t *testing.T) {
	router := func(values ...string) *psutest.Option {
		return &psutest.Option{Code: 3, Values: values, Type: "IPv4Address"}
	}
	of := func(o *psutest.Option, change func(*psutest.Option)) *psutest.Option { change(o); return o }
	for _, c := range []struct {
		name   string
		script string
		fault  *psutest.Fault
		more   []*psutest.Option // of the office, which has the routers .1 and .2
		want   []string          // the requests
	}{
		{name: "a script without lists", script: "1.0.2", want: []string{"scopes"}},
		{name: "the plugin's", script: psutest.Lists, want: []string{"scopes"}},
		{name: "ours", script: psutest.Own, want: []string{"scopes?include_router=false", "options"}},
		{name: "a router of a policy besides", script: psutest.Own, more: []*psutest.Option{of(router("10.8.4.9"), func(o *psutest.Option) { o.Policy = "p" })},
			want: []string{"scopes?include_router=false", "options"}},
		{name: "option 3 of a vendor class", script: psutest.Own, more: []*psutest.Option{of(router("x"), func(o *psutest.Option) { o.VendorClass = "v" })},
			want: []string{"scopes?include_router=false", "options"}},
		{name: "two that cannot be told apart", script: psutest.Own, more: []*psutest.Option{router("10.8.4.9")}, want: []string{"scopes?include_router=false", "options", "scopes"}},
		{name: "no options", script: psutest.Own, fault: &psutest.Fault{Path: "options", Kind: psutest.Error500}, want: []string{"scopes?include_router=false", "options", "scopes"}},
		{name: "a call that is not there", script: psutest.Own, fault: &psutest.Fault{Path: "options", Kind: psutest.Unauthorized}, want: []string{"scopes?include_router=false", "options", "scopes"}},
		{name: "an option that cannot be read", script: psutest.Own, fault: &psutest.Fault{Path: "options", Kind: psutest.MalformedEntry}, want: []string{"scopes?include_router=false", "options", "scopes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, client := speaking(t, c.script, true)
			srv.Edit(func(w *psutest.World) { w.Scopes[0].Options = append(w.Scopes[0].Options, c.more...) })
			if c.fault != nil {
				srv.Fail(*c.fault)
			}
			got, options := client.ScopesWithOptions(t.Context(), false)
			var asked []string
			for _, r := range srv.Requests() {
				path := strings.TrimPrefix(r.Path, "/api/dhcp/")
				if q := r.Query.Encode(); q != "" {
					path += "?" + q
				}
				asked = append(asked, path)
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("requests:\n%s", diff)
			}
			srv.ClearFaults()
			if diff := cmp.Diff(client.Scopes(t.Context(), false), got, plain); diff != "" {
				t.Errorf("scopes (-with routers +got):\n%s", diff)
			}
			if (options != nil) != (len(c.want) == 2) {
				t.Errorf("options %v", options)
			}
			for id, list := range options {
				if diff := cmp.Diff(client.ScopeOptions(t.Context(), id), list, plain); diff != "" {
					t.Errorf("options of %s:\n%s", id, diff)
				}
			}
		})
	}
}

// rule 1.9: a list of new reservations has a result for each; nothing of a list that
// could not be understood is sent.
func TestNewReservationsGoInOneRequest(t *testing.T) {
	entry := func(addr, client string) endpoint.NewReservation {
		return endpoint.NewReservation{Scope: office, Reservation: windhcp.Reservation{Addr: netip.MustParseAddr(addr), ClientID: windhcp.ClientID(client), Name: "n"}}
	}
	for _, script := range []string{psutest.Lists, psutest.Own} {
		srv, c := speaking(t, script, true)
		errs, err := c.CreateReservations(t.Context(), []endpoint.NewReservation{entry("10.8.4.70", "02-00"), entry("10.8.4.60", "02-01"), entry("10.8.4.71", "02-02")})
		if err != nil || len(errs) != 3 || errs[0] != nil || errs[2] != nil {
			t.Fatal(errs, err)
		}
		if e := wantKind(t, errs[1], endpoint.Rejected); e.Status != 500 || !strings.Contains(e.Error(), "create reservation 10.8.4.60") || !strings.Contains(e.Error(), "already reserved") {
			t.Error(e)
		}
		if diff := cmp.Diff([]string{"POST reservations 200"}, sent(srv)); diff != "" {
			t.Error(diff)
		}
		srv.ForgetRequests()
		for name, list := range map[string][]endpoint.NewReservation{
			"none": nil, "too many": make([]endpoint.NewReservation, endpoint.MostEntries+1), "a client id that is none": {entry("10.8.4.72", "02-03"), entry("10.8.4.73", "x")},
		} {
			_, err := c.CreateReservations(t.Context(), list)
			if wantKind(t, err, endpoint.Invalid); len(srv.Requests()) > 0 {
				t.Errorf("%s: sent %q", name, sent(srv))
			}
		}
	}
	srv, c := speaking(t, "1.0.2", true)
	_, err := c.CreateReservations(t.Context(), []endpoint.NewReservation{entry("10.8.4.70", "02-00")})
	if wantKind(t, err, endpoint.Invalid); len(srv.Requests()) > 0 {
		t.Errorf("sent %q", sent(srv))
	}
}

// rules 1.9 and 5.6: options are set where the script says that it can, and nothing is
// sent to any other.
func TestOptionsAreSetWhereTheScriptCan(t *testing.T) {
	wanted := []windhcp.OptionValue{{Code: 6, Values: []string{"10.1.1.7"}}, {Code: 46, Values: []string{"8"}}}
	for _, script := range []string{"1.0.2", psutest.Lists, psutest.OwnBefore, psutest.Own} {
		t.Run(script, func(t *testing.T) {
			srv, c := speaking(t, script, true)
			have, err := c.SetOptions(t.Context(), office, wanted)
			made := c.CreateScope(t.Context(), newScope(), wanted...)
			if script != psutest.Own {
				wantKind(t, err, endpoint.Invalid)
				wantKind(t, made, endpoint.Invalid)
				if n := len(srv.Requests()); n != 0 {
					t.Errorf("%d requests", n)
				}
				return
			}
			if err != nil || made != nil || !have.Complete() {
				t.Fatal(err, made, have)
			}
			for _, scope := range []string{"10.8.4.0", "10.8.7.0"} {
				var got []string
				srv.Edit(func(w *psutest.World) {
					for _, o := range w.Scope(scope).Options {
						got = append(got, fmt.Sprintf("%d%s", o.Code, o.Values))
					}
				})
				want := []string{"6[10.1.1.7]", "46[0x8]"}
				if scope == "10.8.4.0" {
					want = []string{"6[10.1.1.7]", "15[corp.example]", "1[2]", "46[0x8]"}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", scope, diff)
				}
			}
		})
	}
}

// rule 5.6: what cannot be meant is not sent, and an answer that is no list of options
// is no success.
func TestImpossibleOptionsAreNotSent(t *testing.T) {
	srv, c := speaking(t, psutest.Own, true)
	one := func(code int, values ...string) []windhcp.OptionValue {
		return []windhcp.OptionValue{{Code: code, Values: values}}
	}
	for name, list := range map[string][]windhcp.OptionValue{
		"none": nil, "no code": one(0, "x"), "too large": one(255, "x"), "the router": one(3, "10.8.4.1"), "the lease time": one(51, "60"),
		"no value": one(6), "an empty value": one(6, ""), "twice": append(one(6, "10.1.1.1"), one(6, "10.1.1.2")...),
	} {
		_, err := c.SetOptions(t.Context(), office, list)
		if endpoint.KindOf(err) != endpoint.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	for _, kind := range []psutest.FaultKind{psutest.Blank200, psutest.OtherObject, psutest.HTML200} {
		srv.Fail(psutest.Fault{Method: "PUT", Kind: kind, Times: 1})
		if _, err := c.SetOptions(t.Context(), office, one(6, "10.1.1.7")); err == nil {
			t.Errorf("fault %d is taken for success", kind)
		}
	}
}
