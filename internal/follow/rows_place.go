package follow

import (
	"encoding/json"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

type tagRow struct {
	netbox.RowHead
	Name string `json:"name"`
	Slug string `json:"slug"`
}

func (r *tagRow) value(*decoder) (any, error) {
	return &ipam.Tag{ID: r.ID, Name: r.Name, Slug: r.Slug}, nil
}

// nestedRow is a region or a site group.
type nestedRow struct {
	netbox.RowHead
	Name   string     `json:"name"`
	Parent netbox.Ref `json:"parent"`
}

func (r *nestedRow) value(*decoder) (any, error) {
	return &ipam.Nested{ID: r.ID, Parent: int64(r.Parent), Name: r.Name}, nil
}

type siteRow struct {
	netbox.RowHead
	Name   string     `json:"name"`
	Region netbox.Ref `json:"region"`
	Group  netbox.Ref `json:"group"`
	Tenant netbox.Ref `json:"tenant"`
}

func (r *siteRow) value(*decoder) (any, error) {
	return &ipam.Site{ID: r.ID, Name: r.Name, Region: int64(r.Region), Group: int64(r.Group), Tenant: int64(r.Tenant)}, nil
}

type locationRow struct {
	netbox.RowHead
	Name   string     `json:"name"`
	Site   netbox.Ref `json:"site"`
	Parent netbox.Ref `json:"parent"`
}

func (r *locationRow) value(*decoder) (any, error) {
	return &ipam.Location{ID: r.ID, Name: r.Name, Site: int64(r.Site), Parent: int64(r.Parent)}, nil
}

type tenantRow struct {
	netbox.RowHead
	Name  string     `json:"name"`
	Group netbox.Ref `json:"group"`
}

func (r *tenantRow) value(*decoder) (any, error) {
	return &ipam.Tenant{ID: r.ID, Name: r.Name, Group: int64(r.Group)}, nil
}

type contextRow struct {
	netbox.RowHead
	Name   string          `json:"name"`
	Weight int             `json:"weight"`
	Active *bool           `json:"is_active"`
	Data   json.RawMessage `json:"data"`

	Regions      []netbox.Ref `json:"regions"`
	SiteGroups   []netbox.Ref `json:"site_groups"`
	Sites        []netbox.Ref `json:"sites"`
	Locations    []netbox.Ref `json:"locations"`
	Tenants      []netbox.Ref `json:"tenants"`
	TenantGroups []netbox.Ref `json:"tenant_groups"`

	Tags []string `json:"tags"` // slugs, in all versions

	// Criteria that a prefix never meets; only whether there are any.
	DeviceTypes   []json.RawMessage `json:"device_types"`
	Roles         []json.RawMessage `json:"roles"`
	Platforms     []json.RawMessage `json:"platforms"`
	ClusterTypes  []json.RawMessage `json:"cluster_types"`
	ClusterGroups []json.RawMessage `json:"cluster_groups"`
	Clusters      []json.RawMessage `json:"clusters"`
}

func (r *contextRow) value(d *decoder) (any, error) {
	if r.Active != nil && !*r.Active { // a filter may be ignored (NB-1.5)
		return nil, nil
	}
	machines := len(r.DeviceTypes) + len(r.Roles) + len(r.Platforms) + len(r.ClusterTypes) +
		len(r.ClusterGroups) + len(r.Clusters)
	return &ipam.ConfigContext{
		ID: r.ID, Name: r.Name, Weight: r.Weight,
		Regions: netbox.IDs(r.Regions), SiteGroups: netbox.IDs(r.SiteGroups), Sites: netbox.IDs(r.Sites), Locations: netbox.IDs(r.Locations),
		Tenants: netbox.IDs(r.Tenants), TenantGroups: netbox.IDs(r.TenantGroups),
		Tags: r.Tags, MachinesOnly: machines > 0, Data: underKey(r.Data, d.contextKey),
	}, nil
}
