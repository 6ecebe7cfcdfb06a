package netboxtest

import (
	"slices"
)

// renderedContext shows a device's or VM's config context: all contexts that apply, lowest weight first, then its own
// data.
func renderedContext(path string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		merged := map[string]any{}
		contexts := t.all(contextsPath)
		slices.SortStableFunc(contexts, func(a, b *row) int { return contextOrder(t, a, b) })
		at := t.contextPlace(path, r)
		for _, c := range contexts {
			if c.flag("is_active") && applies(c, at) {
				data, _ := c.cols["data"].(map[string]any)
				merged = merge(merged, data)
			}
		}
		if own, ok := r.cols["local_context_data"].(map[string]any); ok {
			merged = merge(merged, own)
		}
		return merged
	}
}

// contextPlace is where an object stands, by criterion: the ids any of which a context may name.
func (t *txn) contextPlace(path string, r *row) map[string][]int64 {
	site, cluster, tenant := t.get(sitesPath, r.ref("site")), t.get(clustersPath, r.ref("cluster")), t.get(tenantsPath, r.ref("tenant"))
	v := t.s.config.Version
	at := map[string][]int64{"sites": ids(r.ref("site")), "clusters": ids(r.ref("cluster")), "tenants": ids(r.ref("tenant")), "tags": r.tags,
		"roles": ids(r.ref("role")), "platforms": ids(r.ref("platform"))}
	if v.atLeast(3) {
		at["roles"] = t.ancestors(rolesPath, r.ref("role"))
	}
	if v.atLeast(5) {
		at["platforms"] = t.ancestors(platformsPath, r.ref("platform"))
	}
	if site != nil {
		at["regions"], at["site_groups"] = t.ancestors(regionsPath, site.ref("region")), t.ancestors(siteGroupsPath, site.ref("group"))
	}
	if cluster != nil {
		at["cluster_types"], at["cluster_groups"] = ids(cluster.ref("type")), ids(cluster.ref("group"))
	}
	if tenant != nil {
		at["tenant_groups"] = ids(tenant.ref("group"))
	}
	if path == devicesPath {
		at["locations"], at["device_types"] = t.ancestors(locationsPath, r.ref("location")), ids(r.ref("device_type"))
	}
	return at
}

func ids(id int64) []int64 {
	if id == 0 {
		return nil
	}
	return []int64{id}
}

// ancestors are a row of a tree and everything above it.
func (t *txn) ancestors(path string, id int64) []int64 {
	var up []int64
	for r := t.get(path, id); r != nil; r = t.get(path, r.ref("parent")) {
		up = append(up, r.id)
	}
	return up
}

// applies reports whether each criterion of a context is empty or met.
func applies(c *row, at map[string][]int64) bool {
	for _, f := range contextCriteria() {
		wanted, _ := c.cols[f.name].([]int64)
		if len(wanted) > 0 && !slices.ContainsFunc(at[f.name], func(id int64) bool { return slices.Contains(wanted, id) }) {
			return false
		}
	}
	return true
}

// merge lays new over old: objects merge, everything else replaces, an empty object too.
func merge(old, over map[string]any) map[string]any {
	out := make(map[string]any, len(old)+len(over))
	for k, v := range old {
		out[k] = v
	}
	for k, v := range over {
		below, ok := out[k].(map[string]any)
		above, isObject := v.(map[string]any)
		if ok && isObject && len(above) > 0 {
			out[k] = merge(below, above)
		} else {
			out[k] = v
		}
	}
	return out
}
