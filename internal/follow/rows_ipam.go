package follow

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

type vrfRow struct {
	netbox.RowHead
	Name string `json:"name"`
	RD   string `json:"rd"`
}

func (r *vrfRow) value(*decoder) (any, error) {
	return &ipam.VRF{ID: r.ID, Name: r.Name, RD: r.RD}, nil
}

type prefixRow struct {
	netbox.RowHead
	Prefix    string        `json:"prefix"`
	VRF       netbox.Ref    `json:"vrf"`
	Status    netbox.Choice `json:"status"`
	ScopeType string        `json:"scope_type"`
	ScopeID   int64         `json:"scope_id"`
	Tenant    netbox.Ref    `json:"tenant"`
	VLAN      netbox.Ref    `json:"vlan"`
	Tags      []netbox.Ref  `json:"tags"`
}

func (r *prefixRow) value(*decoder) (any, error) {
	p, err := netip.ParsePrefix(r.Prefix)
	if err != nil {
		return nil, fmt.Errorf("prefix %.60q: %w", r.Prefix, err)
	}
	if !p.Addr().Is4() {
		return nil, nil
	}
	return &ipam.Prefix{
		ID: r.ID, Prefix: p.Masked(), VRF: int64(r.VRF), Status: string(r.Status),
		Scope: scope(r.ScopeType, r.ScopeID), Tenant: int64(r.Tenant), VLAN: int64(r.VLAN), Tags: netbox.IDs(r.Tags),
		LastUpdated: r.LastUpdated.Time,
	}, nil
}

// scope of a kind that is not known here counts as none.
func scope(kind string, id int64) ipam.Scope {
	switch kind {
	case "dcim.site":
		return ipam.Scope{Kind: ipam.ScopeSite, ID: id}
	case "dcim.location":
		return ipam.Scope{Kind: ipam.ScopeLocation, ID: id}
	case "dcim.region":
		return ipam.Scope{Kind: ipam.ScopeRegion, ID: id}
	case "dcim.sitegroup":
		return ipam.Scope{Kind: ipam.ScopeSiteGroup, ID: id}
	}
	return ipam.Scope{}
}

type rangeRow struct {
	netbox.RowHead
	Start  string        `json:"start_address"`
	End    string        `json:"end_address"`
	VRF    netbox.Ref    `json:"vrf"`
	Status netbox.Choice `json:"status"`
	Tags   []netbox.Ref  `json:"tags"`
	Role   struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
		Slug string `json:"slug"`
	} `json:"role"`
	Populated    bool                       `json:"mark_populated"` // from NetBox 4.3 on
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

func (r *rangeRow) value(*decoder) (any, error) {
	start, err := netbox.ParseAddress(r.Start)
	if err != nil {
		return nil, err
	}
	end, err := netbox.ParseAddress(r.End)
	if err != nil {
		return nil, err
	}
	if start.Addr().BitLen() != end.Addr().BitLen() || end.Addr().Less(start.Addr()) {
		return nil, fmt.Errorf("range %s to %s: the end is before the start", start.Addr(), end.Addr())
	}
	if !start.Addr().Is4() {
		return nil, nil
	}
	managed := netbox.FieldText(r.CustomFields, serverField) != "" || netbox.FieldText(r.CustomFields, failoverField) != ""
	return &ipam.Range{
		ID: r.ID, Start: start.Addr(), End: end.Addr(), Bits: start.Bits(), VRF: int64(r.VRF), Status: string(r.Status), Tags: netbox.IDs(r.Tags),
		Role: ipam.Role(r.Role), Managed: managed, Populated: r.Populated,
	}, nil
}

type addressRow struct {
	netbox.RowHead
	Address      string                     `json:"address"`
	VRF          netbox.Ref                 `json:"vrf"`
	Status       netbox.Choice              `json:"status"`
	Role         netbox.Choice              `json:"role"`
	AssignedType string                     `json:"assigned_object_type"`
	AssignedID   int64                      `json:"assigned_object_id"`
	DNSName      string                     `json:"dns_name"`
	Tags         []netbox.Ref               `json:"tags"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
	Created      netbox.Moment              `json:"created"`
}

func (r *addressRow) value(d *decoder) (any, error) {
	address, err := netbox.ParseAddress(r.Address)
	if err != nil {
		return nil, err
	}
	d.noteFields(r.CustomFields)
	_, managed := r.CustomFields[managedField]
	managed = managed && netbox.FieldText(r.CustomFields, managedField) != ""
	if !address.Addr().Is4() {
		return nil, nil
	}
	record := d.fields.Record(r.CustomFields)
	d.noteExpiry(r.ID, record, r.CustomFields)
	return &ipam.Address{
		ID: r.ID, Address: address, VRF: int64(r.VRF), Status: d.same.Text(string(r.Status)), Role: d.same.Text(string(r.Role)), Tags: d.same.IDs(netbox.IDs(r.Tags)),
		Interface: AssignedTo(r.AssignedType, r.AssignedID), DNSName: r.DNSName, Managed: managed, Reserved: d.fields.Reservation(r.CustomFields),
		Made: netbox.FieldText(r.CustomFields, MadeField) != "", Record: record,
		LastUpdated: r.LastUpdated.Time, Created: r.Created.Time,
	}, nil
}

// Custom fields that the mirror of Windows servers keeps; their names are fixed.
const (
	managedField  = "dhcp_managed"  // of addresses
	serverField   = "dhcp_server"   // of ranges
	failoverField = "dhcp_failover" // of ranges
)

// MadeField is the custom field of addresses that says that a server made the
// object for a lease (S-17); its name is fixed.
const MadeField = "dhcp_made_for_lease"

// AssignedTo is the interface that an address or MAC address is assigned to, by
// the type of the object ("dcim.interface") and its id. It is none for an FHRP
// group and for types of plugins.
func AssignedTo(kind string, id int64) ipam.InterfaceID {
	switch kind {
	case "dcim.interface":
		return ipam.InterfaceID{Kind: ipam.Device, ID: id}
	case "virtualization.vminterface":
		return ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: id}
	}
	return ipam.InterfaceID{}
}

// noteExpiry keeps an expiry that is no time, for the problem that names it
// (P-17). More than 60 characters are cut off.
func (d *decoder) noteExpiry(id int64, record ipam.Record, have map[string]json.RawMessage) {
	if !record.Unreadable || d.expiries == nil {
		delete(d.expiries, id)
		return
	}
	d.expiries[id] = fmt.Sprintf("%.60s", netbox.FieldText(have, d.fields.Expire))
}

func (d *decoder) noteFields(have map[string]json.RawMessage) {
	if have == nil || d.defined == nil {
		return
	}
	for _, name := range d.fields.names() {
		_, d.defined[name] = have[name]
	}
}

type macRow struct {
	netbox.RowHead
	MAC          string `json:"mac_address"`
	AssignedType string `json:"assigned_object_type"`
	AssignedID   int64  `json:"assigned_object_id"`
}

func (r *macRow) value(*decoder) (any, error) {
	mac, err := ipam.ParseMAC(r.MAC)
	if err != nil {
		return nil, err
	}
	return &ipam.MACAddress{ID: r.ID, MAC: mac, Interface: AssignedTo(r.AssignedType, r.AssignedID), LastUpdated: r.LastUpdated.Time}, nil
}
