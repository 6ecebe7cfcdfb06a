package ipam

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// earth is a small company: regions, site groups, sites, locations, tenants.
func earth(contexts ...*ConfigContext) *Objects {
	return &Objects{
		Regions:    map[int64]*Nested{1: {ID: 1, Name: "Europe"}, 2: {ID: 2, Parent: 1, Name: "Germany"}, 3: {ID: 3, Parent: 2, Name: "Bavaria"}, 4: {ID: 4, Parent: 1, Name: "France"}},
		SiteGroups: map[int64]*Nested{1: {ID: 1, Name: "Labs"}, 2: {ID: 2, Parent: 1, Name: "Wet labs"}},
		Sites: map[int64]*Site{
			10: {ID: 10, Region: 3, Group: 2, Tenant: 2, Name: "Munich"}, 11: {ID: 11, Region: 2, Name: "Berlin"}, 12: {ID: 12, Name: "Nowhere"},
		},
		Locations: map[int64]*Location{
			20: {ID: 20, Site: 10, Name: "First floor"}, 21: {ID: 21, Site: 10, Parent: 20, Name: "Room"}, 22: {ID: 22, Site: 11, Name: "Cellar"},
		},
		Tenants:  map[int64]*Tenant{1: {ID: 1, Group: 1, Name: "Ops"}, 2: {ID: 2, Group: 2, Name: "Dev"}, 3: {ID: 3, Name: "Loner"}},
		Contexts: contexts,
	}
}

// limited is an active context whose data has its own name as the only key.
func limited(name string, limit func(*ConfigContext)) *ConfigContext {
	c := &ConfigContext{ID: int64(len(name)), Name: name, Data: json.RawMessage(fmt.Sprintf("{%q: true}", name))}
	if limit != nil {
		limit(c)
	}
	return c
}

// applying lists the contexts that a prefix of this scope and tenant has.
func applying(t *testing.T, o *Objects, scope Scope, tenant int64) string {
	t.Helper()
	b := builder{s: &Snapshot{objects: o}}
	merged := newPlaces(o, b.siteContexts()).context(&Prefix{Scope: scope, Tenant: tenant})
	var keys map[string]bool
	if merged != nil {
		if err := json.Unmarshal(merged, &keys); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(keys)), " ")
}

// G-7: which contexts a prefix has.
func TestContextsOfAPrefix(t *testing.T) {
	o := earth(
		limited("all", nil),
		limited("europe", func(c *ConfigContext) { c.Regions = []int64{1} }),
		limited("bavaria", func(c *ConfigContext) { c.Regions = []int64{3} }),
		limited("france-or-germany", func(c *ConfigContext) { c.Regions = []int64{4, 2} }),
		limited("labs", func(c *ConfigContext) { c.SiteGroups = []int64{1} }),
		limited("wetlabs", func(c *ConfigContext) { c.SiteGroups = []int64{2} }),
		limited("munich", func(c *ConfigContext) { c.Sites = []int64{10} }),
		limited("berlin", func(c *ConfigContext) { c.Sites = []int64{11} }),
		limited("floor", func(c *ConfigContext) { c.Locations = []int64{20} }),
		limited("room", func(c *ConfigContext) { c.Locations = []int64{21} }),
		limited("ops", func(c *ConfigContext) { c.Tenants = []int64{1} }),
		limited("dev", func(c *ConfigContext) { c.Tenants = []int64{2} }),
		limited("opsgroup", func(c *ConfigContext) { c.TenantGroups = []int64{1} }),
		limited("munich-ops", func(c *ConfigContext) { c.Sites, c.Tenants = []int64{10}, []int64{1} }),
		limited("machines", func(c *ConfigContext) { c.MachinesOnly = true }),
		limited("machines-munich", func(c *ConfigContext) { c.MachinesOnly, c.Sites = true, []int64{10} }),
	)
	for _, c := range []struct {
		name   string
		scope  Scope
		tenant int64
		want   string
	}{
		{"no scope, no tenant", Scope{}, 0, "all"},
		{"no scope, a tenant", Scope{}, 1, "all ops opsgroup"},
		{"a tenant of another group", Scope{}, 2, "all dev"},
		{"a tenant without group", Scope{}, 3, "all"},
		{"a site: its region, group and their ancestors", Scope{ScopeSite, 10}, 0, "all bavaria europe france-or-germany labs munich wetlabs"},
		{"the site's own tenant does not count, the prefix's does", Scope{ScopeSite, 10}, 1, "all bavaria europe france-or-germany labs munich munich-ops ops opsgroup wetlabs"},
		{"a site of another region, without group", Scope{ScopeSite, 11}, 0, "all berlin europe france-or-germany"},
		{"a site without region", Scope{ScopeSite, 12}, 0, "all"},
		{"a location: its site too", Scope{ScopeLocation, 20}, 0, "all bavaria europe floor france-or-germany labs munich wetlabs"},
		{"a location with ancestors", Scope{ScopeLocation, 21}, 0, "all bavaria europe floor france-or-germany labs munich room wetlabs"},
		{"a location of another site", Scope{ScopeLocation, 22}, 0, "all berlin europe france-or-germany"},
		{"a region with ancestors, not what is below it", Scope{ScopeRegion, 2}, 0, "all europe france-or-germany"},
		{"the top region", Scope{ScopeRegion, 1}, 0, "all europe"},
		{"a site group with ancestors", Scope{ScopeSiteGroup, 2}, 0, "all labs wetlabs"},
		{"the top site group", Scope{ScopeSiteGroup, 1}, 0, "all labs"},
		// Lists read one after another are not one instant: what is not there
		// yet matches nothing and does no harm.
		{"a site that is not loaded", Scope{ScopeSite, 99}, 0, "all"},
		{"a location that is not loaded", Scope{ScopeLocation, 99}, 0, "all"},
		{"a region that is not loaded", Scope{ScopeRegion, 99}, 0, "all"},
		{"a tenant that is not loaded", Scope{}, 99, "all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := applying(t, o, c.scope, c.tenant); got != c.want {
				t.Errorf("contexts %q, want %q", got, c.want)
			}
		})
	}
}

// Bad data must not hang the server.
func TestLoopsAmongParentsEnd(t *testing.T) {
	o := earth(limited("europe", func(c *ConfigContext) { c.Regions = []int64{1} }), limited("floor", func(c *ConfigContext) { c.Locations = []int64{20} }))
	o.Regions[1].Parent = 3
	o.Locations[20].Parent = 21
	if got, want := applying(t, o, Scope{ScopeLocation, 21}, 0), "europe floor"; got != want {
		t.Errorf("contexts %q, want %q", got, want)
	}
}

// subnetConfig is the config of 10.0.0.0/24 in Munich with these contexts, in
// their order.
func subnetConfig(t *testing.T, data ...string) (*Config, []Problem) {
	t.Helper()
	o := earth()
	o.Prefixes = map[int64]*Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active", Scope: Scope{ScopeSite, 10}}}
	for i, d := range data {
		// Weights say otherwise on purpose: the order is NetBox's.
		c := &ConfigContext{ID: int64(i + 1), Name: fmt.Sprintf("c%d", i+1), Weight: 1000 - i, Sites: []int64{10}}
		if d != "" {
			c.Data = json.RawMessage(d)
		}
		o.Contexts = append(o.Contexts, c)
	}
	s, problems := Build(o, Options{})
	n, err := s.Subnet(netip.MustParseAddr("10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return n.Config, problems
}

// G-7: later contexts are laid over earlier ones, in the order given.
func TestContextsMergeInOrder(t *testing.T) {
	for _, c := range []struct {
		name     string
		data     []string
		domain   string
		servers  string
		problems string
	}{
		{"none", nil, "", "", ""},
		{"one", []string{`{"domain_name": "a"}`}, "a", "", ""},
		{"the later wins, key by key", []string{`{"domain_name": "a", "dns_servers": ["10.0.0.1"]}`, `{"domain_name": "b"}`}, "b", "10.0.0.1", ""},
		{"lists are replaced", []string{`{"dns_servers": ["10.0.0.1", "10.0.0.2"]}`, `{"dns_servers": ["10.0.0.3"]}`}, "", "10.0.0.3", ""},
		{"null replaces a key", []string{`{"domain_name": "a"}`, `{"domain_name": null}`}, "", "", ""},
		{"an empty object replaces all", []string{`{"domain_name": "a"}`, `{}`}, "", "", ""},
		{"null replaces all", []string{`{"domain_name": "a"}`, `null`, `{"dns_servers": "10.0.0.1"}`}, "", "10.0.0.1", ""},
		{"a context without our key says nothing", []string{`{"domain_name": "a"}`, ``}, "a", "", ""},
		{"a context that is no object does not void the others", []string{`{"domain_name": "a"}`, `"oops"`, `{"dns_servers": "10.0.0.1"}`}, "a", "10.0.0.1",
			"config context c2 (id 2): want an object"},
		{"a wrong value does not void the others", []string{`{"domain_name": "a"}`, `{"mtu": "big"}`}, "a", "",
			"prefix 10.0.0.0/24 (id 1), site context: mtu: want a whole number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, problems := subnetConfig(t, c.data...)
			var servers []string
			for _, a := range config.DNSServers {
				servers = append(servers, a.String())
			}
			if config.DomainName != c.domain || strings.Join(servers, " ") != c.servers {
				t.Errorf("domain %q, servers %v; want %q, %q", config.DomainName, servers, c.domain, c.servers)
			}
			if wantNone := c.problems == ""; wantNone != (len(problems) == 0) || !wantNone && !strings.HasPrefix(problems[0].String(), c.problems) {
				t.Errorf("problems %v, want %q", problems, c.problems)
			}
		})
	}
}
