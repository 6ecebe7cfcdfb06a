package ipam

import (
	"encoding/json"
	"slices"
)

// places merges config contexts for prefixes. NetBox renders contexts for
// machines only, so a prefix's are merged here (G-7).
type places struct {
	objects  *Objects
	contexts []*ConfigContext
	merged   map[placeKey]json.RawMessage
}

type placeKey struct {
	scope  Scope
	tenant int64
}

func newPlaces(o *Objects, contexts []*ConfigContext) *places {
	return &places{objects: o, contexts: contexts, merged: make(map[placeKey]json.RawMessage)}
}

// context returns the merged JSON value for the place and tenant of p, or nil.
func (w *places) context(p *Prefix) json.RawMessage {
	key := placeKey{p.Scope, p.Tenant}
	if raw, ok := w.merged[key]; ok {
		return raw
	}
	at := w.locate(p)
	var raw json.RawMessage
	for _, c := range w.contexts {
		if at.meets(c) {
			raw = MergeConfig(raw, c.Data)
		}
	}
	w.merged[key] = raw
	return raw
}

// place is a scope with all its ancestors.
type place struct {
	regions, siteGroups, locations []int64
	site, tenant, tenantGroup      int64
}

func (w *places) locate(p *Prefix) place {
	at := place{tenant: p.Tenant}
	if tenant := w.objects.Tenants[p.Tenant]; tenant != nil {
		at.tenantGroup = tenant.Group
	}
	switch p.Scope.Kind {
	case ScopeRegion:
		at.regions = ancestors(w.objects.Regions, p.Scope.ID)
	case ScopeSiteGroup:
		at.siteGroups = ancestors(w.objects.SiteGroups, p.Scope.ID)
	case ScopeSite:
		w.addSite(&at, p.Scope.ID)
	case ScopeLocation:
		id := p.Scope.ID
		if location := w.objects.Locations[id]; location != nil {
			w.addSite(&at, location.Site)
		}
		for location := w.objects.Locations[id]; location != nil && !slices.Contains(at.locations, id); location = w.objects.Locations[id] {
			at.locations = append(at.locations, id)
			id = location.Parent
		}
	}
	return at
}

func (w *places) addSite(at *place, id int64) {
	at.site = id
	if site := w.objects.Sites[id]; site != nil {
		at.regions = ancestors(w.objects.Regions, site.Region)
		at.siteGroups = ancestors(w.objects.SiteGroups, site.Group)
	}
}

// ancestors returns id and its parents; a loop in bad data ends the walk.
func ancestors(table map[int64]*Nested, id int64) []int64 {
	var path []int64
	for id != 0 && !slices.Contains(path, id) {
		path = append(path, id)
		node := table[id]
		if node == nil {
			break
		}
		id = node.Parent
	}
	return path
}

// meets reports whether every criterion of c is empty or met at this place.
// Tenant groups match exactly, without ancestors (NB-1.12).
func (at place) meets(c *ConfigContext) bool {
	return anyOf(c.Regions, at.regions...) &&
		anyOf(c.SiteGroups, at.siteGroups...) &&
		anyOf(c.Sites, at.site) &&
		anyOf(c.Locations, at.locations...) &&
		anyOf(c.Tenants, at.tenant) &&
		anyOf(c.TenantGroups, at.tenantGroup)
}

func anyOf(criterion []int64, values ...int64) bool {
	return len(criterion) == 0 || slices.ContainsFunc(values, func(id int64) bool {
		return slices.Contains(criterion, id)
	})
}
