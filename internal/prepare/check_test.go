package prepare

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func needs() Server {
	return Server{Reads: follow.Tables(), VRF: "red", Tags: []string{"dhcp", "Gateway"}, MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}
}

// viewAll is what a token needs to follow.
func viewAll() []netboxtest.Grant {
	var models []string
	for _, table := range follow.Tables() {
		models = append(models, table.Model())
	}
	return netboxtest.ReadGrants(models...)
}

// briefly gives severity and object of findings, which the tests go by.
func briefly(findings []Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Severity.String()+" "+f.Object)
	}
	return list
}

func TestAPreparedNetBoxHasNoFindings(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, _ := netboxtest.ServeOffice(t, v)
			for _, f := range Check(t.Context(), clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent()), needs().Needs()) {
				t.Errorf("unexpected: %s", f)
			}
			if n := len(s.Writes()); n != 0 {
				t.Errorf("the check wrote %d times", n)
			}
		})
	}
}

// scene is what a case may spoil.
type scene struct {
	t      *testing.T
	s      *netboxtest.Server
	seeded *netboxtest.Seeded
}

func TestACheckNamesWhatIsMissing(t *testing.T) {
	const token = "limited000000000000000000000000000000000"
	full := func() []netboxtest.Grant {
		return append(viewAll(), netboxtest.Grant{Object: "core.objectchange"}, netboxtest.Grant{Object: "extras.customfield"},
			netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"change"}})
	}
	without := func(object string) []netboxtest.Grant {
		var rest []netboxtest.Grant
		for _, g := range full() {
			if g.Object != object {
				rest = append(rest, g)
			}
		}
		return rest
	}
	for _, tt := range []struct {
		name  string
		spoil func(scene)
		want  []string
		words string
	}{
		{"nothing", func(scene) {}, nil, ""},
		{"NetBox itself", func(x scene) { x.s.Down() }, []string{"failure NetBox URL"}, "network"},
		{"a valid token", func(x scene) {
			x.s.AddToken(netboxtest.Token{Value: token, Expires: time.Now().Add(-time.Hour)})
		}, []string{"failure NetBox URL"}, "Token expired"},
		{"a valid token, status open to all", func(x scene) {
			x.s.Configure(func(c *netboxtest.Config) { c.LoginOptional = true })
			x.s.Fail(netboxtest.Fault{Kind: netboxtest.TokenExpired, Path: "/api/ipam/*"})
		}, []string{"failure API token"}, "Token expired"},
		{"permission to see tenants", func(x scene) {
			x.s.Permit(token, without("tenancy.tenant")...)
		}, []string{"failure tenancy/tenants"}, "view on tenancy.tenant"},
		{"permission to see VRFs and tags", func(x scene) {
			var rest []netboxtest.Grant
			for _, g := range without("ipam.vrf") {
				if g.Object != "extras.tag" {
					rest = append(rest, g)
				}
			}
			x.s.Permit(token, rest...)
		}, []string{"failure ipam/vrfs", "failure extras/tags"}, "view on extras.tag"},
		{"permission to see the change log", func(x scene) {
			x.s.Permit(token, without("core.objectchange")...)
		}, []string{"warning core/object-changes"}, "core.objectchange"},
		{"permission to see custom fields", func(x scene) {
			x.s.Permit(token, without("extras.customfield")...)
		}, nil, ""},
		{"permission to see custom fields, and a field", func(x scene) {
			x.s.Permit(token, without("extras.customfield")...)
			x.s.Delete(x.t, "extras/custom-fields", x.seeded.ID(x.t, "extras/custom-fields", "pydhcp_mac"))
		}, []string{"failure custom field pydhcp_mac"}, "bootstrap"},
		{"permission to change addresses", func(x scene) {
			x.s.Permit(token, append(viewAll(), netboxtest.Grant{Object: "core.objectchange"}, netboxtest.Grant{Object: "extras.customfield"})...)
		}, []string{"failure write-back of leases"}, "change on ipam.ipaddress"},
		{"a token that may write", func(x scene) {
			x.s.AddToken(netboxtest.Token{Value: token, ReadOnly: true, Grants: full()})
		}, []string{"failure write-back of leases"}, "write enabled"},
		{"the VRF", func(x scene) {
			x.s.Edit(x.t, "ipam/vrfs", x.seeded.ID(x.t, "ipam/vrfs", "red"), map[string]any{"name": "blue"})
		}, []string{"failure VRF red"}, "netbox.vrf"},
		{"one VRF of the name", func(x scene) {
			x.s.Add(x.t, "ipam/vrfs", map[string]any{"name": "red", "rd": "65000:2"})
		}, []string{"failure VRF red"}, "route distinguisher"},
		{"a tag", func(x scene) {
			x.s.Delete(x.t, "extras/tags", x.seeded.ID(x.t, "extras/tags", "DHCP"))
		}, []string{"failure tag dhcp"}, "bootstrap"},
		{"a tag for addresses", func(x scene) {
			x.s.Edit(x.t, "extras/tags", x.seeded.ID(x.t, "extras/tags", "Gateway"), map[string]any{"object_types": []any{"dcim.device"}})
		}, []string{"failure tag Gateway"}, "ipam.ipaddress"},
		{"a field", func(x scene) {
			x.s.Delete(x.t, "extras/custom-fields", x.seeded.ID(x.t, "extras/custom-fields", "pydhcp_expire"))
		}, []string{"failure custom field pydhcp_expire"}, "bootstrap"},
		{"a time in the expiry", func(x scene) {
			x.s.Delete(x.t, "extras/custom-fields", x.seeded.ID(x.t, "extras/custom-fields", "pydhcp_expire"))
			x.s.Add(x.t, "extras/custom-fields", map[string]any{"name": "pydhcp_expire", "type": "date", "object_types": []any{"ipam.ipaddress"}})
		}, []string{"failure custom field pydhcp_expire"}, "date without time"},
		{"a field on addresses", func(x scene) {
			x.s.Edit(x.t, "extras/custom-fields", x.seeded.ID(x.t, "extras/custom-fields", "pydhcp_mac"), map[string]any{"object_types": []any{"ipam.prefix"}})
		}, []string{"failure custom field pydhcp_mac"}, "ipam.ipaddress"},
		{"a right clock", func(x scene) { // S-9
			x.s.SetClock(func() time.Time { return time.Now().Add(5 * time.Minute) })
		}, []string{"failure NetBox URL"}, "NTP"},
		{"large pages", func(x scene) {
			x.s.Configure(func(c *netboxtest.Config) { c.MaxPageSize = 2 })
		}, []string{"notice NetBox URL"}, "MAX_PAGE_SIZE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
			s.Permit(token, full()...)
			tt.spoil(scene{t, s, seeded})
			findings := Check(t.Context(), clienttest.Connect(t, s.URL(), token, clienttest.Silent()), needs().Needs())
			var text strings.Builder
			for i := range findings {
				findings[i].Object = strings.ReplaceAll(findings[i].Object, s.URL(), "URL")
				text.WriteString(findings[i].String() + "\n")
			}
			if diff := cmp.Diff(tt.want, briefly(findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%s", diff, text.String())
			}
			if !strings.Contains(text.String(), tt.words) {
				t.Errorf("%q is not in:\n%s", tt.words, text.String())
			}
			for _, f := range findings {
				if f.Fix == "" {
					t.Errorf("no fix for: %s", f)
				}
			}
		})
	}
}

func TestATokenThatExpiresSoonIsMentioned(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	expires := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/users/tokens/" {
			s.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.RawQuery, "0123456789") {
			t.Errorf("the secret part is in the query %s", r.URL.RawQuery)
		}
		fmt.Fprintf(w, `{"count":1,"next":null,"results":[{"id":1,"key":%q,"expires":%q}]}`, r.URL.Query().Get("key"), expires)
	}))
	t.Cleanup(front.Close)
	findings := Check(t.Context(), clienttest.Connect(t, front.URL, clienttest.SecretToken, clienttest.Silent()), needs().Needs())
	if len(findings) != 1 || findings[0].Severity != Warning || !strings.Contains(findings[0].Problem, expires) {
		t.Errorf("findings: %v", findings)
	}
}

func TestBootstrapMakesANetBoxUsableAndThenHasNothingToDo(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v, JobWorkers: true})
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			need := needs()
			need.VRF, need.Tags = "", []string{"DHCP", "Gateway"}
			s.Add(t, "extras/tags", map[string]any{"name": "Gateway", "slug": "gateway", "object_types": []any{"ipam.prefix"}})
			s.Add(t, "extras/custom-fields", map[string]any{"name": "pydhcp_mac", "type": "text", "object_types": []any{"ipam.prefix"}})
			plan, err := PlanFor(t.Context(), c, need.Needs())
			if err != nil {
				t.Fatal(err)
			}
			const want = `create tag DHCP
allow tag Gateway on IP addresses
put custom field pydhcp_mac on ipam.ipaddress
create custom field pydhcp_expire (datetime) on ipam.ipaddress
create custom field pydhcp_hostname (text) on ipam.ipaddress
`
			if diff := cmp.Diff(want, plan.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if n := len(s.Writes()); n != 0 {
				t.Errorf("planning wrote %d times", n)
			}
			if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
				t.Fatal(err)
			}
			for _, f := range Check(t.Context(), c, need.Needs()) {
				t.Errorf("after the bootstrap: %s", f)
			}
			// The same plan again, as if two did it at once, and a new one.
			if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
				t.Errorf("applied twice: %v", err)
			}
			again, err := PlanFor(t.Context(), c, need.Needs())
			if err != nil || !again.Empty() {
				t.Errorf("still to do: %s%v", again, err)
			}
			if n := s.Count("extras/custom-fields"); n != 3 {
				t.Errorf("%d custom fields, want 3", n)
			}
		})
	}
}

func TestAFieldOfTheWrongTypeIsAConflictForPeople(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	c := clienttest.Connect(t, s.URL(), s.TokenV2(), clienttest.Silent())
	s.Add(t, "extras/custom-fields", map[string]any{"name": "pydhcp_expire", "type": "date", "object_types": []any{"ipam.ipaddress"}})
	plan, err := PlanFor(t.Context(), c, Server{Reads: follow.Tables(), MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}.Needs())
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Conflicts) != 1 || len(plan.Steps) != 2 || plan.Empty() {
		t.Fatalf("plan:\n%s", plan)
	}
	if err := plan.Apply(t.Context(), c, clienttest.Silent()); err == nil || !strings.Contains(err.Error(), "date without time") {
		t.Errorf("got %v, want the conflict named", err)
	}
	if n := s.Count("extras/custom-fields"); n != 3 {
		t.Errorf("%d custom fields, want 3: the rest is made all the same", n)
	}
}

func TestABootstrapWithoutPermissionSaysWhichIsMissing(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	const token = "limited000000000000000000000000000000000"
	s.Permit(token, netboxtest.Grant{Object: "extras.tag", Actions: []string{"view"}}, netboxtest.Grant{Object: "extras.customfield", Actions: []string{"view"}})
	c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
	plan, err := PlanFor(t.Context(), c, Server{Reads: follow.Tables(), Tags: []string{"DHCP"}}.Needs())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), c, clienttest.Silent()); err == nil || !strings.Contains(err.Error(), "add on extras.tag") {
		t.Errorf("got %v, want the missing permission named", err)
	}
}

// N-20: the tag of the prefixes that are served is made for prefixes, and one that may
// not be put on them is a failure.
func TestTheTagOfServedPrefixesIsForPrefixes(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{Tags: []netboxtest.Tag{{Name: "Pilot", ObjectTypes: []string{"ipam.ipaddress"}}}})
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	needs := Server{Reads: follow.Tables(), ServeTag: "pilot"}.Needs()
	found := func() bool {
		return slices.ContainsFunc(Check(t.Context(), c, needs), func(f Finding) bool {
			return f.Severity == Failure && f.Object == "tag pilot" && strings.Contains(f.Fix, "ipam.prefix")
		})
	}
	if !found() {
		t.Error("the tag may not be put on prefixes, and nothing says so")
	}
	plan, err := PlanFor(t.Context(), c, needs)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil || found() {
		t.Errorf("after the bootstrap: %v, still found %v", err, found())
	}
}

// CL-1, CL-4: the fields of reservations are asked for where the settings name them, and
// can be made.
func TestACheckNamesTheFieldsOfReservations(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	n := needs()
	n.ReservationMAC, n.ReservationClientID = "res_mac", "res_id"
	client := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	found := Check(t.Context(), client, n.Needs())
	if diff := cmp.Diff([]string{"failure custom field res_mac", "failure custom field res_id"}, briefly(found)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"res_mac", "res_id"} {
		s.Add(t, "extras/custom-fields", map[string]any{"name": name, "type": "text", "object_types": []any{"ipam.ipaddress"}})
	}
	if found := Check(t.Context(), client, n.Needs()); len(found) != 0 {
		t.Errorf("findings once the fields are there: %v", found)
	}
}

// Without the change log, cables are followed late and at a price (CL-22).
func TestCircuitsWantTheChangeLog(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	const token = "limited000000000000000000000000000000000"
	s.Permit(token, viewAll()...)
	need := needs()
	need.Circuits, need.ReadsOnly, need.VRF = true, true, ""
	findings := Check(t.Context(), clienttest.Connect(t, s.URL(), token, clienttest.Silent()), need.Needs())
	if len(findings) != 1 || !strings.Contains(findings[0].Problem, "a cable that changes is seen") || !strings.Contains(findings[0].Fix, "core.objectchange") {
		t.Errorf("findings: %v", findings)
	}
}
