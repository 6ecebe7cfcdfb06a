package netboxio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// named is a related object of which the slug matters; empty for null.
type named string

func (n *named) UnmarshalJSON(b []byte) error {
	var nested struct {
		Slug string `json:"slug"`
	}
	if err := json.Unmarshal(b, &nested); err != nil {
		return fmt.Errorf("related object %.60s: want a slug", b)
	}
	*n = named(nested.Slug)
	return nil
}

// slugList gives slugs, sorted.
func slugList(refs []named) []string {
	var list []string
	for _, r := range refs {
		if r != "" {
			list = append(list, string(r))
		}
	}
	slices.Sort(list)
	return list
}

// customFieldValues are the custom fields of a row. An operator may have made a
// field with another type than bootstrap does, so each is read in every type.
type customFieldValues map[string]json.RawMessage

func (f customFieldValues) text(name string) string { return netbox.FieldText(f, name) }

func (f customFieldValues) flag(name string) *bool {
	value, err := strconv.ParseBool(f.text(name))
	if err != nil {
		return nil
	}
	return &value
}

func (f customFieldValues) number(name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(f.text(name)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (f customFieldValues) time(name string) time.Time {
	at, err := netbox.ParseTime(f.text(name))
	if err != nil {
		return time.Time{}
	}
	return at
}

func (f customFieldValues) document(name string) json.RawMessage {
	if raw := f[name]; len(raw) > 0 && !bytes.Equal(raw, []byte("null")) {
		return raw
	}
	return nil
}

type vrfRow struct {
	netbox.RowHead
	Name string `json:"name"`
	RD   string `json:"rd"`
}

func (*vrfRow) columns() string { return "id,name,rd" }

func (r *vrfRow) object() (state.VRF, error) {
	return state.VRF{ID: r.ID, Name: r.Name, RD: r.RD}, nil
}

type prefixRow struct {
	netbox.RowHead
	Prefix       string            `json:"prefix"`
	VRF          netbox.Ref        `json:"vrf"`
	Tenant       netbox.Ref        `json:"tenant"`
	Status       netbox.Choice     `json:"status"`
	Tags         []named           `json:"tags"`
	CustomFields customFieldValues `json:"custom_fields"`
}

func (*prefixRow) columns() string {
	return "id,prefix,vrf,tenant,status,tags,custom_fields,last_updated"
}

func (r *prefixRow) object() (state.Prefix, error) {
	p, err := netip.ParsePrefix(r.Prefix)
	if err != nil {
		return state.Prefix{}, fmt.Errorf("%.60q is no prefix", r.Prefix)
	}
	return state.Prefix{
		ID: r.ID, Prefix: p.Masked(), VRF: int64(r.VRF), Tenant: int64(r.Tenant), Status: string(r.Status), Tags: slugList(r.Tags),
		Scopes: r.CustomFields.text(state.FieldScopes), LastUpdated: r.LastUpdated.Time,
	}, nil
}

type rangeRow struct {
	netbox.RowHead
	Start        string            `json:"start_address"`
	End          string            `json:"end_address"`
	VRF          netbox.Ref        `json:"vrf"`
	Tenant       netbox.Ref        `json:"tenant"`
	Status       netbox.Choice     `json:"status"`
	Role         named             `json:"role"`
	Tags         []named           `json:"tags"`
	Description  string            `json:"description"`
	Populated    bool              `json:"mark_populated"`
	CustomFields customFieldValues `json:"custom_fields"`
}

func (*rangeRow) columns() string {
	return "id,start_address,end_address,vrf,tenant,status,role,tags,description,mark_populated,custom_fields,last_updated"
}

func (r *rangeRow) object() (state.Range, error) {
	start, err := netbox.ParseAddress(r.Start)
	if err != nil {
		return state.Range{}, err
	}
	end, err := netbox.ParseAddress(r.End)
	if err != nil {
		return state.Range{}, err
	}
	if start.Addr().BitLen() != end.Addr().BitLen() || end.Addr().Less(start.Addr()) {
		return state.Range{}, fmt.Errorf("%s to %s: the end is before the start", start.Addr(), end.Addr())
	}
	f := r.CustomFields
	return state.Range{
		ID: r.ID, Start: start.Addr(), End: end.Addr(), Bits: start.Bits(), VRF: int64(r.VRF), Tenant: int64(r.Tenant), Status: string(r.Status),
		Role: string(r.Role), Tags: slugList(r.Tags), Description: r.Description, Populated: r.Populated,
		ScopeName: f.text(state.FieldScopeName), Server: f.text(state.FieldServer), Failover: f.text(state.FieldFailover),
		Router: f.text(state.FieldRouter), LeaseSeconds: f.number(state.FieldLeaseSeconds), LeaseDisplay: f.text(state.FieldLeaseDisplay),
		ScopeState: f.text(state.FieldScopeState), Exclusions: f.document(state.FieldExclusions), Options: f.document(state.FieldOptions),
		OtherSources: f.document(state.FieldOtherSources), LastUpdated: r.LastUpdated.Time,
	}, nil
}

type addressRow struct {
	netbox.RowHead
	Address      string            `json:"address"`
	VRF          netbox.Ref        `json:"vrf"`
	Tenant       netbox.Ref        `json:"tenant"`
	Status       netbox.Choice     `json:"status"`
	Role         netbox.Choice     `json:"role"`
	DNSName      string            `json:"dns_name"`
	Description  string            `json:"description"`
	AssignedType string            `json:"assigned_object_type"`
	AssignedID   int64             `json:"assigned_object_id"`
	NATInside    netbox.Ref        `json:"nat_inside"`
	NATOutside   []netbox.Ref      `json:"nat_outside"`
	Tags         []named           `json:"tags"`
	CustomFields customFieldValues `json:"custom_fields"`
}

func (*addressRow) columns() string {
	return "id,address,vrf,tenant,status,role,dns_name,description,assigned_object_type,assigned_object_id,nat_inside,nat_outside,tags,custom_fields,last_updated"
}

func (r *addressRow) object() (state.Address, error) {
	address, err := netbox.ParseAddress(r.Address)
	if err != nil {
		return state.Address{}, err
	}
	f := r.CustomFields
	return state.Address{
		ID: r.ID, Address: address, VRF: int64(r.VRF), Tenant: int64(r.Tenant), Status: string(r.Status), DNSName: r.DNSName,
		Description: r.Description, Tags: slugList(r.Tags), ClientID: f.text(state.FieldClientID),
		Managed: state.Managed(f.text(state.FieldManaged)), LeaseHostname: f.text(state.FieldLeaseHostname),
		LeaseActive: f.flag(state.FieldLeaseActive), LeaseExpires: f.time(state.FieldLeaseExpires),
		InUse: r.inUse(), Assigned: r.AssignedID != 0, Shared: slices.Contains(sharedRoles(), string(r.Role)), LastUpdated: r.LastUpdated.Time,
	}, nil
}

// sharedRoles are the roles of addresses that NetBox lets repeat in one VRF.
func sharedRoles() []string { return []string{"anycast", "vip", "vrrp", "hsrp", "glbp", "carp"} }

// inUse says what an address is used for. A primary or out-of-band address is
// always assigned.
func (r *addressRow) inUse() string {
	switch {
	case r.AssignedID != 0 && (r.AssignedType == netbox.Interfaces.Model() || r.AssignedType == netbox.VMInterfaces.Model()):
		return "assigned to an interface"
	case r.AssignedID != 0:
		return "assigned to " + rest.Clean(r.AssignedType, rest.MaxWords)
	case r.NATInside != 0, len(r.NATOutside) > 0:
		return "used by NAT"
	}
	return ""
}

type contextRow struct {
	netbox.RowHead
	Name   string          `json:"name"`
	Active bool            `json:"is_active"`
	Data   json.RawMessage `json:"data"`
}

func (*contextRow) columns() string { return "id,name,is_active,data,last_updated" }

func (r *contextRow) object() (state.Context, error) {
	return state.Context{ID: r.ID, Name: r.Name, Active: r.Active, Data: r.Data, LastUpdated: r.LastUpdated.Time}, nil
}
