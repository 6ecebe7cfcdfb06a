package inventory

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

// criteria are the conditions of a context that only machines can meet.
type criteria struct{ roles, platforms, deviceTypes, clusters []string }

// ruled is a context with all its conditions.
type ruled struct {
	*ipam.ConfigContext
	criteria
	tags []int64
}

// traits are what a context can ask of a machine.
type traits struct {
	site, location, tenant, tenantGroup int64
	role, platform, deviceType, cluster string
	tags                                []int64
	own                                 json.RawMessage
}

func (b *builder) traitsOf(path string, m machine) traits {
	t := traits{
		site:     b.find(b.site, path+".site", m.Site),
		location: b.find(b.location, path+".location", m.Location),
		tenant:   b.find(b.tenant, path+".tenant", m.Tenant),
		role:     m.Role, platform: m.Platform, deviceType: m.DeviceType, cluster: m.Cluster,
		tags: b.tagIDs(path+".tags", m.Tags),
		own:  b.ours(path+".config_context", m.Context),
	}
	if tenant := b.out.Tenants[t.tenant]; tenant != nil {
		t.tenantGroup = tenant.Group
	}
	if location := b.out.Locations[t.location]; location != nil && location.Site != t.site {
		b.report.Addf(path+".location", "%s is not at the site of %s", location.Name, m.Name)
	}
	return t
}

// contexts reads the config contexts and renders them for every machine: those
// that apply in order of weight, then the machine's own (NB-1.12).
func (b *builder) contexts() {
	var active []ruled
	known := newNames("config context")
	for i, c := range b.file.Contexts {
		path, id := fmt.Sprintf("config_contexts[%d]", i), int64(i+1)
		b.declare(known, path, c.Name, id)
		if rule := b.context(path, id, c); c.IsActive == nil || *c.IsActive {
			active = append(active, rule)
		}
	}
	slices.SortStableFunc(active, func(x, y ruled) int {
		return cmp.Or(cmp.Compare(x.Weight, y.Weight), strings.Compare(x.Name, y.Name))
	})
	for _, c := range active {
		b.out.Contexts = append(b.out.Contexts, c.ConfigContext)
	}
	// Most machines of a site have equal contexts and share one text.
	shared := make(map[string]json.RawMessage)
	for id, machine := range b.out.Machines {
		t := b.traits[id]
		chosen := slices.DeleteFunc(slices.Clone(active), func(c ruled) bool { return !b.applies(c, t) })
		key := madeOf(chosen, t.own)
		if _, known := shared[key]; !known {
			shared[key] = ipam.MergeConfig(render(chosen), t.own)
		}
		machine.Context = shared[key]
	}
}

// madeOf is a text that differs where contexts or what is laid over them do.
func madeOf(chosen []ruled, own json.RawMessage) string {
	var key []byte
	for _, c := range chosen {
		key = binary.AppendUvarint(key, uint64(c.ID)) //nolint:gosec // G115: ids count from 1
	}
	return string(append(append(key, 0), own...))
}

func (b *builder) context(path string, id int64, c configContext) ruled {
	rule := ruled{
		ConfigContext: &ipam.ConfigContext{
			ID: id, Name: c.Name, Weight: 1000,
			Regions:      b.findAll(b.region, path+".regions", c.Regions),
			SiteGroups:   b.findAll(b.siteGroup, path+".site_groups", c.SiteGroups),
			Sites:        b.findAll(b.site, path+".sites", c.Sites),
			Locations:    b.findAll(b.location, path+".locations", c.Locations),
			Tenants:      b.findAll(b.tenant, path+".tenants", c.Tenants),
			TenantGroups: b.findAll(b.tenantGroup, path+".tenant_groups", c.TenantGroups),
			Data:         b.ours(path+".data", c.Data),
		},
		criteria: criteria{c.Roles, c.Platforms, c.DeviceTypes, c.Clusters},
		tags:     b.tagIDs(path+".tags", c.Tags),
	}
	for _, id := range rule.tags {
		rule.Tags = append(rule.Tags, b.out.Tags[id].Slug)
	}
	if c.Weight != nil {
		rule.Weight = *c.Weight
		if rule.Weight < 0 || rule.Weight > 32767 {
			b.report.Addf(path+".weight", "want 0 to 32767, not %d", rule.Weight)
		}
	}
	if c.Data == nil {
		b.report.Addf(path+".data", "want a mapping")
	}
	rule.MachinesOnly = len(c.Roles)+len(c.Platforms)+len(c.DeviceTypes)+len(c.Clusters) > 0
	return rule
}

// ours returns the part of a context under our key, nil where it is absent.
func (b *builder) ours(path string, document json.RawMessage) json.RawMessage {
	if document == nil {
		return nil
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(document, &keys) != nil {
		b.report.Addf(path, "want a mapping, not %.40s", document)
		return nil
	}
	part, ok := keys[b.opt.ContextKey]
	if ok {
		return part
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if nearest.Word(key, []string{b.opt.ContextKey}) != "" {
			b.report.Addf(path+"."+key, "did you mean %s?", b.opt.ContextKey)
		}
	}
	return nil
}

// render merges contexts, lowest weight first.
func render(chosen []ruled) json.RawMessage {
	var merged json.RawMessage
	for _, c := range chosen {
		merged = ipam.MergeConfig(merged, c.Data)
	}
	return merged
}

// applies says that for each condition of c its list is empty or met. Regions,
// site groups and locations count with their ancestors, tenant groups do not.
func (b *builder) applies(c ruled, t traits) bool {
	var region, group int64
	if site := b.out.Sites[t.site]; site != nil {
		region, group = site.Region, site.Group
	}
	return met(c.Regions, ancestry(region, b.parentIn(b.out.Regions))) &&
		met(c.SiteGroups, ancestry(group, b.parentIn(b.out.SiteGroups))) &&
		met(c.Sites, []int64{t.site}) &&
		met(c.Locations, ancestry(t.location, b.locationAbove)) &&
		met(c.Tenants, []int64{t.tenant}) &&
		met(c.TenantGroups, []int64{t.tenantGroup}) &&
		met(c.roles, []string{t.role}) &&
		met(c.platforms, []string{t.platform}) &&
		met(c.deviceTypes, []string{t.deviceType}) &&
		met(c.clusters, []string{t.cluster}) &&
		met(c.tags, t.tags)
}

func (b *builder) parentIn(table map[int64]*ipam.Nested) func(int64) int64 {
	return func(id int64) int64 { return table[id].Parent }
}

func (b *builder) locationAbove(id int64) int64 { return b.out.Locations[id].Parent }

// ancestry returns id and everything above it; nothing for 0.
func ancestry(id int64, parent func(int64) int64) []int64 {
	var line []int64
	for ; id != 0; id = parent(id) {
		line = append(line, id)
	}
	return line
}

// met says that a condition is empty or holds for one of the values.
func met[T comparable](condition, values []T) bool {
	return len(condition) == 0 || slices.ContainsFunc(values, func(v T) bool { return slices.Contains(condition, v) })
}
