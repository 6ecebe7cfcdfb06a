package netboxtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Seeded is what Seed made: the ids of objects by their type's path and their name. Addresses, prefixes and ranges go
// by "10.0.0.5/24" or, in a VRF, "red 10.0.0.5/24"; interfaces by "web1 eth0"; MACs by "web1 eth0 52:54:00:00:00:01".
type Seeded struct {
	ids   map[string]map[string]int64
	made  []madeObject
	admin *admin
}

// ID is the id of an object; an unknown name fails the test.
func (s *Seeded) ID(t testing.TB, path, name string) int64 {
	t.Helper()
	id, ok := s.ids[path][name]
	if !ok {
		t.Fatalf("the seed made no %s %q", path, name)
	}
	return id
}

// IDs are the ids of all objects of one type by name.
func (s *Seeded) IDs(path string) map[string]int64 { return maps.Clone(s.ids[path]) }

// Seed loads a world through the REST API, in the order the objects depend on each other. Anything NetBox refuses
// fails the test.
func Seed(t testing.TB, baseURL, token string, w World) *Seeded {
	t.Helper()
	s := &Seeded{ids: map[string]map[string]int64{}, admin: newAdmin(baseURL, token)}
	s.labels(t, w)
	s.places(t, w)
	s.spaces(t, w)
	s.machines(t, w)
	s.addresses(t, w.IPs, nil)
	s.contexts(t, w.Contexts)
	return s
}

// make creates one object and remembers its id by name.
func (s *Seeded) make(t testing.TB, path, name string, fields object) int64 {
	t.Helper()
	return s.makeAll(t, path, []string{name}, []object{fields})[0]
}

// makeAll creates objects in batches and remembers their ids.
func (s *Seeded) makeAll(t testing.TB, path string, names []string, all []object) []int64 {
	t.Helper()
	var out []int64
	for batch := range slices.Chunk(all, 200) {
		status, body := s.admin.do(t, http.MethodPost, path+"/", batch)
		if status != http.StatusCreated {
			t.Fatalf("seed %s: %d %s", path, status, body)
		}
		var made []struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal(body, &made); err != nil || len(made) != len(batch) {
			t.Fatalf("seed %s: %d of %d made, %v", path, len(made), len(batch), err)
		}
		for _, o := range made {
			s.remember(path, names[len(out)], o.ID)
			out = append(out, o.ID)
		}
	}
	return out
}

func (s *Seeded) remember(path, name string, id int64) {
	if s.ids[path] == nil {
		s.ids[path] = map[string]int64{}
	}
	s.ids[path][name] = id
	s.made = append(s.made, madeObject{path, id})
}

var notSlug = regexp.MustCompile(`[^a-z0-9_-]+`)

func slugOf(name string) string {
	return strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// ref puts the id of a named object into fields, unless the name is empty.
func (s *Seeded) ref(t testing.TB, fields object, key, path, name string) {
	t.Helper()
	if name != "" {
		fields[key] = s.ID(t, path, name)
	}
}

func (s *Seeded) refs(t testing.TB, path string, names []string) []int64 {
	t.Helper()
	ids := []int64{}
	for _, n := range names {
		ids = append(ids, s.ID(t, path, n))
	}
	return ids
}

func put(fields object, key, value string) {
	if value != "" {
		fields[key] = value
	}
}

// tagged adds tags and custom fields.
func (s *Seeded) tagged(t testing.TB, fields object, tags []string, cf map[string]any) object {
	t.Helper()
	if len(tags) > 0 {
		fields["tags"] = s.refs(t, "extras/tags", tags)
	}
	if len(cf) > 0 {
		fields["custom_fields"] = cf
	}
	return fields
}

// labels makes tags, choice sets and custom fields.
func (s *Seeded) labels(t testing.TB, w World) {
	t.Helper()
	for _, tag := range w.Tags {
		f := object{"name": tag.Name, "slug": slugOf(tag.Name)}
		put(f, "slug", tag.Slug)
		if tag.ObjectTypes != nil {
			f["object_types"] = tag.ObjectTypes
		}
		s.make(t, "extras/tags", tag.Name, f)
	}
	for _, set := range w.ChoiceSets {
		s.make(t, choiceSetsPath, set.Name, object{"name": set.Name, "extra_choices": set.Choices})
	}
	for _, cf := range w.CustomFields {
		f := object{"name": cf.Name, "type": cf.Type, "object_types": cf.ObjectTypes, "filter_logic": "exact"}
		put(f, "filter_logic", cf.FilterLogic)
		put(f, "related_object_type", cf.RelatedObjectType)
		s.ref(t, f, "choice_set", choiceSetsPath, cf.ChoiceSet)
		s.make(t, customFieldsPath, cf.Name, f)
	}
}

// places makes tenants, regions, sites and locations.
func (s *Seeded) places(t testing.TB, w World) {
	t.Helper()
	for path, groups := range map[string][]Group{"tenancy/tenant-groups": w.TenantGroups, regionsPath: w.Regions, siteGroupsPath: w.SiteGroups} {
		for _, g := range groups {
			f := object{"name": g.Name, "slug": slugOf(g.Name)}
			s.ref(t, f, "parent", path, g.Parent)
			s.make(t, path, g.Name, f)
		}
	}
	for _, tn := range w.Tenants {
		f := object{"name": tn.Name, "slug": slugOf(tn.Name)}
		s.ref(t, f, "group", "tenancy/tenant-groups", tn.Group)
		s.make(t, tenantsPath, tn.Name, f)
	}
	for _, site := range w.Sites {
		f := object{"name": site.Name, "slug": slugOf(site.Name)}
		s.ref(t, f, "region", regionsPath, site.Region)
		s.ref(t, f, "group", siteGroupsPath, site.Group)
		s.ref(t, f, "tenant", tenantsPath, site.Tenant)
		s.make(t, sitesPath, site.Name, f)
	}
	for _, l := range w.Locations {
		f := object{"name": l.Name, "slug": slugOf(l.Name)}
		s.ref(t, f, "site", sitesPath, l.Site)
		s.ref(t, f, "parent", locationsPath, l.Parent)
		s.make(t, locationsPath, l.Name, f)
	}
}

// inVRF is the name under which an address, prefix or range is remembered.
func inVRF(vrf, what string) string {
	if vrf == "" {
		return what
	}
	return vrf + " " + what
}

// spaces makes VRFs, roles, prefixes and ranges.
func (s *Seeded) spaces(t testing.TB, w World) {
	t.Helper()
	for _, v := range w.VRFs {
		f := object{"name": v.Name, "enforce_unique": !v.DuplicatesLegal}
		put(f, "rd", v.RD)
		s.make(t, vrfsPath, v.Name, f)
	}
	for _, v := range w.VLANs {
		f := object{"name": v.Name, "vid": v.VID}
		s.ref(t, f, "site", sitesPath, v.Site)
		s.make(t, vlansPath, v.Name, f)
	}
	for _, name := range w.IPRoles {
		s.make(t, ipRolesPath, name, object{"name": name, "slug": slugOf(name)})
	}
	var names []string
	var prefixes []object
	for _, p := range w.Prefixes {
		f := object{"prefix": p.Prefix, "is_pool": p.IsPool}
		put(f, "status", p.Status)
		s.ref(t, f, "vrf", vrfsPath, p.VRF)
		s.ref(t, f, "vlan", vlansPath, p.VLAN)
		s.ref(t, f, "tenant", tenantsPath, p.Tenant)
		for label, scope := range map[string][2]string{"dcim.site": {sitesPath, p.Site}, "dcim.location": {locationsPath, p.Location},
			"dcim.region": {regionsPath, p.Region}, "dcim.sitegroup": {siteGroupsPath, p.SiteGroup}} {
			if scope[1] != "" {
				f["scope_type"], f["scope_id"] = label, s.ID(t, scope[0], scope[1])
			}
		}
		names, prefixes = append(names, inVRF(p.VRF, p.Prefix)), append(prefixes, s.tagged(t, f, p.Tags, p.CustomFields))
	}
	s.makeAll(t, prefixesPath, names, prefixes)
	for _, r := range w.Ranges {
		f := object{"start_address": r.Start, "end_address": r.End, "mark_populated": r.Populated, "mark_utilized": r.Utilized}
		put(f, "status", r.Status)
		s.ref(t, f, "vrf", vrfsPath, r.VRF)
		s.ref(t, f, "tenant", tenantsPath, r.Tenant)
		s.ref(t, f, "role", ipRolesPath, r.Role)
		s.make(t, rangesPath, inVRF(r.VRF, r.Start+"-"+r.End), s.tagged(t, f, r.Tags, r.CustomFields))
	}
}

// addresses makes IP addresses; assigned, if not nil, holds their assigned object.
func (s *Seeded) addresses(t testing.TB, ips []IP, assigned object) {
	t.Helper()
	var names []string
	var all []object
	for _, ip := range ips {
		f := maps.Clone(assigned)
		if f == nil {
			f = object{}
		}
		f["address"] = ip.Address
		for key, v := range map[string]string{"status": ip.Status, "role": ip.Role, "dns_name": ip.DNSName, "description": ip.Description} {
			put(f, key, v)
		}
		s.ref(t, f, "vrf", vrfsPath, ip.VRF)
		s.ref(t, f, "tenant", tenantsPath, ip.Tenant)
		names, all = append(names, inVRF(ip.VRF, ip.Address)), append(all, s.tagged(t, f, ip.Tags, ip.CustomFields))
	}
	if len(all) > 0 {
		s.makeAll(t, addressesPath, names, all)
	}
}

func (s *Seeded) contexts(t testing.TB, contexts []Context) {
	t.Helper()
	for _, c := range contexts {
		f := object{"name": c.Name, "is_active": !c.Inactive, "data": c.Data}
		if c.Weight != 0 {
			f["weight"] = c.Weight
		}
		for key, list := range map[string]struct {
			path  string
			names []string
		}{"regions": {regionsPath, c.Regions}, "site_groups": {siteGroupsPath, c.SiteGroups}, "sites": {sitesPath, c.Sites},
			"locations": {locationsPath, c.Locations}, "roles": {rolesPath, c.Roles}, "platforms": {platformsPath, c.Platforms},
			"tenant_groups": {"tenancy/tenant-groups", c.TenantGroups}, "tenants": {tenantsPath, c.Tenants}, "clusters": {clustersPath, c.Clusters}} {
			f[key] = s.refs(t, list.path, list.names)
		}
		slugs := []string{}
		for _, name := range c.Tags {
			slugs = append(slugs, slugOf(name))
		}
		f["tags"] = slugs
		s.make(t, contextsPath, c.Name, f)
	}
}
