package inventory

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func (b *builder) places() {
	b.trees(b.region, "regions", b.file.Regions, b.out.Regions)
	b.trees(b.siteGroup, "site_groups", b.file.SiteGroups, b.out.SiteGroups)
	b.trees(b.tenantGroup, "tenant_groups", b.file.TenantGroups, make(map[int64]*ipam.Nested))
	for i, t := range b.file.Tenants {
		path, id := fmt.Sprintf("tenants[%d]", i), int64(i+1)
		b.declare(b.tenant, path, t.Name, id)
		b.out.Tenants[id] = &ipam.Tenant{ID: id, Name: t.Name, Group: b.find(b.tenantGroup, path+".group", t.Group)}
	}
	for i, s := range b.file.Sites {
		path, id := fmt.Sprintf("sites[%d]", i), int64(i+1)
		b.declare(b.site, path, s.Name, id)
		b.out.Sites[id] = &ipam.Site{
			ID: id, Name: s.Name,
			Region: b.find(b.region, path+".region", s.Region),
			Group:  b.find(b.siteGroup, path+".group", s.Group),
			Tenant: b.find(b.tenant, path+".tenant", s.Tenant),
		}
	}
	b.locations()
}

// trees reads objects with parents of their own kind. A parent stands above
// its children, so there are no loops.
func (b *builder) trees(n *names, section string, list []nested, table map[int64]*ipam.Nested) {
	for i, entry := range list {
		path, id := fmt.Sprintf("%s[%d]", section, i), int64(i+1)
		parent := b.find(n, path+".parent", entry.Parent)
		b.declare(n, path, entry.Name, id)
		table[id] = &ipam.Nested{ID: id, Parent: parent, Name: entry.Name}
	}
}

func (b *builder) locations() {
	for i, l := range b.file.Locations {
		path, id := fmt.Sprintf("locations[%d]", i), int64(i+1)
		parent := b.find(b.location, path+".parent", l.Parent)
		b.declare(b.location, path, l.Name, id)
		site := b.find(b.site, path+".site", l.Site)
		if l.Site == "" {
			b.report.Addf(path+".site", "want the site of the location")
		}
		if above := b.out.Locations[parent]; above != nil && above.Site != site {
			b.report.Addf(path+".parent", "%s is at another site", above.Name)
		}
		b.out.Locations[id] = &ipam.Location{ID: id, Site: site, Parent: parent, Name: l.Name}
	}
}

func (b *builder) vrfs() {
	for i, v := range b.file.VRFs {
		id := int64(i + 1)
		b.declare(b.vrf, fmt.Sprintf("vrfs[%d]", i), v.Name, id)
		if v.RD != "" && v.RD != v.Name {
			if b.vrf.ids[v.RD] != 0 {
				b.report.Addf(fmt.Sprintf("vrfs[%d].rd", i), "VRF %.60q is there already", v.RD)
			}
			b.vrf.ids[v.RD] = id
		}
		b.out.VRFs[id] = &ipam.VRF{ID: id, Name: v.Name, RD: v.RD}
	}
}

// scope returns where in the world a prefix lies. A location may name its site
// too; otherwise a prefix has one place.
func (b *builder) scope(path string, p prefix) ipam.Scope {
	scope := ipam.Scope{}
	site := b.find(b.site, path+".site", p.Site)
	for _, place := range []struct {
		key  string
		kind ipam.ScopeKind
		id   int64
	}{
		{"location", ipam.ScopeLocation, b.find(b.location, path+".location", p.Location)},
		{"site", ipam.ScopeSite, site},
		{"region", ipam.ScopeRegion, b.find(b.region, path+".region", p.Region)},
		{"site_group", ipam.ScopeSiteGroup, b.find(b.siteGroup, path+".site_group", p.SiteGroup)},
	} {
		switch {
		case place.id == 0:
		case scope.Kind == 0:
			scope = ipam.Scope{Kind: place.kind, ID: place.id}
		case place.kind != ipam.ScopeSite:
			b.report.Addf(path+"."+place.key, "a prefix has one place")
		case b.out.Locations[scope.ID].Site != site:
			b.report.Addf(path+".location", "%s is not at site %s", p.Location, p.Site)
		}
	}
	return scope
}
