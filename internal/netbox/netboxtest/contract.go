package netboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Target is the NetBox a contract is run against. All it holds is deleted.
type Target struct {
	URL   string
	Token string // of a superuser
	// Version is asked from the server if it is empty.
	Version Version
	// MaxPage is MAX_PAGE_SIZE; 0: 1000.
	MaxPage int
	// Limit makes a token of a user with these permissions only; nil: LimitByREST.
	Limit func(t *testing.T, readOnly bool, grants ...Grant) string
}

// fact is one statement about NetBox, proved by calling it.
type fact struct {
	name string
	from int // first minor version that has what is described
	show func(t *testing.T, c *contract)
}

// contract is one run of the suite.
type contract struct {
	*admin
	target Target
	seed   *Seeded
	nets   *atomic.Int32
}

// Contract proves, fact by fact, that a NetBox behaves as this project relies on. It is run on the stand-in in every
// version and on a real NetBox; a difference is a bug of the stand-in.
func Contract(t *testing.T, target Target) {
	c := &contract{admin: newAdmin(target.URL, target.Token), target: target, nets: new(atomic.Int32)}
	if c.target.MaxPage == 0 {
		c.target.MaxPage = 1000
	}
	if c.target.Limit == nil {
		c.target.Limit = LimitByREST(target.URL, target.Token)
	}
	if c.target.Version == "" {
		c.target.Version = c.serverVersion(t)
	}
	Wipe(t, target.URL, target.Token)
	t.Cleanup(func() { Wipe(noContext{t}, target.URL, target.Token) })
	c.seed = Seed(t, target.URL, target.Token, contractWorld())
	for _, group := range []struct {
		name  string
		facts []fact
	}{{"access", accessFacts()}, {"paging", pagingFacts()}, {"selection", selectionFacts()}, {"filters", filterFacts()}, {"shapes", shapeFacts()},
		{"validation", validationFacts()}, {"custom fields", customFieldFacts()}, {"tags", tagFacts()}, {"writes", writeFacts()},
		{"bulk", bulkFacts()}, {"deletes", deleteFacts()}, {"changes", changeFacts()}, {"contexts", contextFacts()}, {"MACs", macFacts()}} {
		t.Run(group.name, func(t *testing.T) {
			for _, f := range group.facts {
				if c.atLeast(f.from) {
					t.Run(f.name, func(t *testing.T) { f.show(t, c) })
				}
			}
		})
	}
}

func (c *contract) atLeast(minor int) bool { return c.target.Version.atLeast(minor) }

func (c *contract) serverVersion(t *testing.T) Version {
	t.Helper()
	a := c.call(t, http.MethodGet, "status/", nil)
	full, _ := a.at("netbox-version").(string)
	parts := strings.SplitN(full, ".", 3)
	if len(parts) < 2 {
		t.Fatalf("status page: %d %s", a.status, a.raw)
	}
	return Version(parts[0] + "." + parts[1])
}

// contractWorld is what all facts may read; those that write make objects of their own.
func contractWorld() World {
	return World{
		Tags:       []Tag{{Name: "DHCP"}, {Name: "Gateway"}, {Name: "Prefix only", ObjectTypes: []string{"ipam.prefix"}}},
		ChoiceSets: []ChoiceSet{{Name: "Boot", Choices: [][2]string{{"bios", "Legacy BIOS"}, {"uefi", "UEFI"}}}},
		CustomFields: []CustomField{
			{Name: "c_text", Type: "text", ObjectTypes: []string{"ipam.ipaddress", "ipam.prefix"}},
			{Name: "c_loose", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}, FilterLogic: "loose"},
			{Name: "c_off", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}, FilterLogic: "disabled"},
			{Name: "c_int", Type: "integer", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_bool", Type: "boolean", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_time", Type: "datetime", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_date", Type: "date", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_json", Type: "json", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_boot", Type: "select", ObjectTypes: []string{"ipam.ipaddress"}, ChoiceSet: "Boot"},
			{Name: "c_boots", Type: "multiselect", ObjectTypes: []string{"ipam.ipaddress"}, ChoiceSet: "Boot"},
			{Name: "c_site", Type: "object", ObjectTypes: []string{"ipam.ipaddress"}, RelatedObjectType: "dcim.site"},
		},
		TenantGroups: []Group{{Name: "Customers"}, {Name: "Big customers", Parent: "Customers"}},
		Tenants:      []Tenant{{Name: "ACME", Group: "Big customers"}},
		Regions:      []Group{{Name: "Europe"}, {Name: "Germany", Parent: "Europe"}},
		SiteGroups:   []Group{{Name: "Offices"}, {Name: "Small offices", Parent: "Offices"}},
		Sites:        []Site{{Name: "Berlin", Region: "Germany", Group: "Small offices"}, {Name: "Nowhere"}},
		Locations:    []Location{{Name: "Floor 1", Site: "Berlin"}, {Name: "Room 1", Site: "Berlin", Parent: "Floor 1"}},
		VRFs:         []VRF{{Name: "strict", RD: "65000:1"}, {Name: "loose", DuplicatesLegal: true}},
		Prefixes: []Prefix{{Prefix: "10.1.0.0/16", Region: "Europe"}, {Prefix: "10.1.1.0/24", Site: "Berlin"}, {Prefix: "10.1.2.0/24", Location: "Room 1"},
			{Prefix: "10.1.1.128/32"}, {Prefix: "10.1.1.0/24", VRF: "strict"}, {Prefix: "10.9.0.0/24", SiteGroup: "Offices", Status: "reserved"}},
		Ranges: []Range{{Start: "10.1.1.100/24", End: "10.1.1.120/24"}, {Start: "10.1.2.10/24", End: "10.1.2.20/24", Populated: true}},
		Devices: []Device{{Name: "web1", Site: "Berlin", Location: "Room 1", Tenant: "ACME", Role: "Web server", Platform: "Debian", Tags: []string{"DHCP"},
			PrimaryIP4: "10.1.1.5/24", LocalContext: map[string]any{"local": true, "dns": map[string]any{"ttl": 60}}, Interfaces: []Interface{
				{Name: "bond0", Type: "lag"},
				{Name: "eth0", LAG: "bond0", VRF: "strict", MACs: []string{"52:54:00:00:01:01", "52:54:00:00:01:02"}, Primary: "52:54:00:00:01:01",
					IPs: []IP{{Address: "10.1.1.5/24", DNSName: "Web1.Example.COM", Tags: []string{"DHCP", "Gateway"}, CustomFields: map[string]any{"c_text": "exact", "c_int": 7}}}},
				{Name: "eth1", LAG: "bond0", MACs: []string{"52:54:00:00:01:03"}, Disabled: true}}}},
		Clusters: []Cluster{{Name: "kvm", Site: "Berlin"}},
		VMs: []VM{{Name: "vm1", Cluster: "kvm", Interfaces: []Interface{{Name: "ens3", MACs: []string{"52:54:00:00:02:01"},
			IPs: []IP{{Address: "10.1.1.6/24", Tags: []string{"DHCP"}}}}}}},
		IPs: []IP{{Address: "10.1.1.7/24", Status: "dhcp", CustomFields: map[string]any{"c_loose": "one two three", "c_off": "x"}}, {Address: "10.1.1.7/24", VRF: "strict"},
			{Address: "10.1.1.8/32", Status: "reserved", Role: "vip"}},
		Contexts: []Context{
			{Name: "b base", Weight: 100, Data: map[string]any{"order": "b", "dns": map[string]any{"servers": []string{"10.0.0.1", "10.0.0.2"}, "ttl": 300}, "empty": map[string]any{"x": 1}}},
			{Name: "a base", Weight: 100, Data: map[string]any{"order": "a", "first": "a"}},
			{Name: "europe", Weight: 200, Regions: []string{"Europe"}, Data: map[string]any{"region": "europe", "dns": map[string]any{"servers": []string{"10.0.0.3"}}}},
			{Name: "offices", Weight: 210, SiteGroups: []string{"Offices"}, Data: map[string]any{"group": "offices", "empty": map[string]any{}}},
			{Name: "floor", Weight: 220, Locations: []string{"Floor 1"}, Data: map[string]any{"location": "floor"}},
			{Name: "tenant group above", Weight: 230, TenantGroups: []string{"Customers"}, Data: map[string]any{"tenant group": "above"}},
			{Name: "tenant group", Weight: 230, TenantGroups: []string{"Big customers"}, Data: map[string]any{"tenant group": "exact"}},
			{Name: "tag any", Weight: 240, Tags: []string{"Gateway", "DHCP"}, Data: map[string]any{"tag": true}},
			{Name: "web role", Weight: 250, Roles: []string{"Web server"}, Data: map[string]any{"role": "web"}},
			{Name: "cluster", Weight: 260, Clusters: []string{"kvm"}, Data: map[string]any{"cluster": "kvm"}},
			{Name: "nowhere", Weight: 270, Sites: []string{"Nowhere"}, Data: map[string]any{"never": 1}},
			{Name: "inactive", Weight: 280, Inactive: true, Data: map[string]any{"inactive": 1}},
			{Name: "null", Weight: 290, Sites: []string{"Berlin"}, Data: map[string]any{"first": nil}}},
	}
}

// got is an answer of the NetBox under test.
type got struct {
	status int
	header http.Header
	raw    []byte
	body   any // decoded JSON, nil if it is not JSON
}

// call makes one request with the superuser's token.
func (c *contract) call(t *testing.T, method, path string, body any) got {
	t.Helper()
	return c.callAs(t, c.admin, method, path, body, nil)
}

func (c *contract) callAs(t *testing.T, a *admin, method, path string, body any, header http.Header) got {
	t.Helper()
	resp, raw := a.send(t, method, path, body, header)
	g := got{status: resp.StatusCode, header: resp.Header, raw: raw}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		g.body = decodeJSON(t, raw)
	}
	return g
}

func decodeJSON(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("answer is not JSON: %v: %s", err, raw)
	}
	return v
}

// at finds a value by a path such as "results.0.name"; nil if there is none.
func (g got) at(path string) any {
	v := g.body
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (g got) has(key string) bool {
	o, _ := g.body.(map[string]any)
	_, ok := o[key]
	return ok
}

func (g got) id() int64 {
	n, _ := g.at("id").(json.Number)
	id, _ := n.Int64()
	return id
}

// names lists one column of the results.
func (g got) names(column string) []string {
	names := []string{}
	results, _ := g.at("results").([]any)
	for _, r := range results {
		o, _ := r.(map[string]any)
		names = append(names, fmt.Sprint(o[column]))
	}
	return names
}

// expect checks the status, and values by path.
func expect(t *testing.T, g got, status int, values map[string]any) {
	t.Helper()
	if g.status != status {
		t.Fatalf("status %d, want %d: %s", g.status, status, clip(g.raw))
	}
	for path, want := range values {
		have := g.body
		if path != "" {
			have = g.at(path)
		}
		if diff := cmp.Diff(throughJSON(t, want), have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func clip(b []byte) string {
	if len(b) > 600 {
		b = b[:600]
	}
	return string(b)
}

func throughJSON(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode %v: %v", v, err)
	}
	return decodeJSON(t, b)
}

// list gets a list and checks one column of its rows, in order.
func (c *contract) list(t *testing.T, query, column string, want ...string) {
	t.Helper()
	g := c.call(t, http.MethodGet, query, nil)
	expect(t, g, http.StatusOK, nil)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, g.names(column)); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", query, column, diff)
	}
}

// create makes an object and deletes it after the test.
func (c *contract) create(t *testing.T, path string, fields object) got {
	t.Helper()
	g := c.call(t, http.MethodPost, path+"/", fields)
	expect(t, g, http.StatusCreated, nil)
	c.discard(t, path, g.id())
	return g
}

func (c *contract) discard(t *testing.T, path string, id int64) {
	t.Helper()
	t.Cleanup(func() {
		resp, body := c.send(noContext{t}, http.MethodDelete, detailPath(path, id), nil, nil)
		if resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotFound {
			t.Errorf("delete %s %d: %d %s", path, id, resp.StatusCode, clip(body))
		}
	})
}

func detailPath(path string, id int64) string { return fmt.Sprintf("%s/%d/", path, id) }

// subnet is a /24 no other fact uses.
func (c *contract) subnet() netip.Prefix {
	n := c.nets.Add(1)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100 + byte(n>>8), byte(n), 0}), 24)
}

// host is an address of a subnet with its mask.
func host(p netip.Prefix, n byte) string {
	b := p.Addr().As4()
	b[3] = n
	return fmt.Sprintf("%s/%d", netip.AddrFrom4(b), p.Bits())
}

// address makes an IP address of its own.
func (c *contract) address(t *testing.T, more object) got {
	t.Helper()
	f := object{"address": host(c.subnet(), 5)}
	for k, v := range more {
		f[k] = v
	}
	return c.create(t, addressesPath, f)
}

func (c *contract) id(t *testing.T, path, name string) int64 {
	t.Helper()
	return c.seed.ID(t, path, name)
}

// messages wraps error texts as NetBox lists them under a field.
func messages(field string, texts ...string) object { return object{field: texts} }

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
