package netbox

import (
	"encoding/json"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

type tagRow struct {
	rowHead
	Name string `json:"name"`
	Slug string `json:"slug"`
}

func (r *tagRow) value(*decoder) (any, error) {
	return &ipam.Tag{ID: r.ID, Name: r.Name, Slug: r.Slug}, nil
}

// nestedRow is a region or a site group.
type nestedRow struct {
	rowHead
	Name   string `json:"name"`
	Parent ref    `json:"parent"`
}

func (r *nestedRow) value(*decoder) (any, error) {
	return &ipam.Nested{ID: r.ID, Parent: int64(r.Parent), Name: r.Name}, nil
}

type siteRow struct {
	rowHead
	Name   string `json:"name"`
	Region ref    `json:"region"`
	Group  ref    `json:"group"`
	Tenant ref    `json:"tenant"`
}

func (r *siteRow) value(*decoder) (any, error) {
	return &ipam.Site{ID: r.ID, Name: r.Name, Region: int64(r.Region), Group: int64(r.Group), Tenant: int64(r.Tenant)}, nil
}

type locationRow struct {
	rowHead
	Name   string `json:"name"`
	Site   ref    `json:"site"`
	Parent ref    `json:"parent"`
}

func (r *locationRow) value(*decoder) (any, error) {
	return &ipam.Location{ID: r.ID, Name: r.Name, Site: int64(r.Site), Parent: int64(r.Parent)}, nil
}

type tenantRow struct {
	rowHead
	Name  string `json:"name"`
	Group ref    `json:"group"`
}

func (r *tenantRow) value(*decoder) (any, error) {
	return &ipam.Tenant{ID: r.ID, Name: r.Name, Group: int64(r.Group)}, nil
}

type contextRow struct {
	rowHead
	Name   string          `json:"name"`
	Weight int             `json:"weight"`
	Data   json.RawMessage `json:"data"`

	Regions      []ref `json:"regions"`
	SiteGroups   []ref `json:"site_groups"`
	Sites        []ref `json:"sites"`
	Locations    []ref `json:"locations"`
	Tenants      []ref `json:"tenants"`
	TenantGroups []ref `json:"tenant_groups"`

	// Criteria that a bare prefix never meets; only whether there are any.
	DeviceTypes   []json.RawMessage `json:"device_types"`
	Roles         []json.RawMessage `json:"roles"`
	Platforms     []json.RawMessage `json:"platforms"`
	ClusterTypes  []json.RawMessage `json:"cluster_types"`
	ClusterGroups []json.RawMessage `json:"cluster_groups"`
	Clusters      []json.RawMessage `json:"clusters"`
	Tags          []json.RawMessage `json:"tags"`
}

func (r *contextRow) value(d *decoder) (any, error) {
	machines := len(r.DeviceTypes) + len(r.Roles) + len(r.Platforms) + len(r.ClusterTypes) +
		len(r.ClusterGroups) + len(r.Clusters) + len(r.Tags)
	return &ipam.ConfigContext{
		ID: r.ID, Name: r.Name, Weight: r.Weight,
		Regions: ids(r.Regions), SiteGroups: ids(r.SiteGroups), Sites: ids(r.Sites), Locations: ids(r.Locations),
		Tenants: ids(r.Tenants), TenantGroups: ids(r.TenantGroups),
		MachinesOnly: machines > 0, Data: underKey(r.Data, d.contextKey),
	}, nil
}
