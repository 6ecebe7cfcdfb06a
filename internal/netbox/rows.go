package netbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// newShape gives an empty row of table e. The fields asked for are those of
// the shape, see columns.
func newShape(e endpoint) shape {
	switch e {
	case vrfs:
		return new(vrfRow)
	case prefixes:
		return new(prefixRow)
	case ranges:
		return new(rangeRow)
	case addresses:
		return new(addressRow)
	case macs:
		return new(macRow)
	case interfaces:
		return new(interfaceRow)
	case vmInterfaces:
		return new(vmInterfaceRow)
	case devices:
		return &machineRow{kind: ipam.Device}
	case vms:
		return &machineRow{kind: ipam.VirtualMachine}
	case tags:
		return new(tagRow)
	case regions, siteGroups:
		return new(nestedRow)
	case sites:
		return new(siteRow)
	case locations:
		return new(locationRow)
	case tenants:
		return new(tenantRow)
	case contexts:
		return new(contextRow)
	}
	return new(bareRow)
}

// columns lists what is asked of table e. Nested objects that NetBox does not
// prefetch cost a query a row and are left out (1.7).
func columns(e endpoint) string {
	switch e {
	case vrfs:
		return "id,name,rd"
	case prefixes:
		return "id,prefix,vrf,status,scope_type,scope_id,tenant,last_updated"
	case ranges:
		return "id,start_address,end_address,vrf,status,tags"
	case addresses:
		return "id,address,vrf,status,role,assigned_object_type,assigned_object_id,tags,custom_fields,last_updated"
	case macs:
		return "id,mac_address,assigned_object_type,assigned_object_id,last_updated"
	case interfaces:
		return "id,name,device,lag,last_updated"
	case vmInterfaces:
		return "id,name,virtual_machine,last_updated"
	case devices, vms:
		return "id,name,primary_ip4,config_context,custom_fields,last_updated"
	case tags:
		return "id,name,slug"
	case regions, siteGroups:
		return "id,name,parent"
	case sites:
		return "id,name,region,group,tenant"
	case locations:
		return "id,name,site,parent"
	case tenants:
		return "id,name,group"
	case contexts:
		return "id,name,weight,data,regions,site_groups,sites,locations,tenants,tenant_groups," +
			"device_types,roles,platforms,cluster_types,cluster_groups,clusters,tags,last_updated"
	}
	return "id,last_updated"
}

// bareRow is any row of which only the head matters.
type bareRow struct{ rowHead }

func (r *bareRow) value(*decoder) (any, error) { return nil, nil }

type vrfRow struct {
	rowHead
	Name string `json:"name"`
	RD   string `json:"rd"`
}

func (r *vrfRow) value(*decoder) (any, error) {
	return &ipam.VRF{ID: r.ID, Name: r.Name, RD: r.RD}, nil
}

type prefixRow struct {
	rowHead
	Prefix    string `json:"prefix"`
	VRF       ref    `json:"vrf"`
	Status    choice `json:"status"`
	ScopeType string `json:"scope_type"`
	ScopeID   int64  `json:"scope_id"`
	Tenant    ref    `json:"tenant"`
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
		Scope: scope(r.ScopeType, r.ScopeID), Tenant: int64(r.Tenant), LastUpdated: r.LastUpdated.Time,
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
	rowHead
	Start  string `json:"start_address"`
	End    string `json:"end_address"`
	VRF    ref    `json:"vrf"`
	Status choice `json:"status"`
	Tags   []ref  `json:"tags"`
}

func (r *rangeRow) value(*decoder) (any, error) {
	start, err := parseAddress(r.Start)
	if err != nil {
		return nil, err
	}
	end, err := parseAddress(r.End)
	if err != nil {
		return nil, err
	}
	if start.Addr().BitLen() != end.Addr().BitLen() || end.Addr().Less(start.Addr()) {
		return nil, fmt.Errorf("range %s to %s: the end is before the start", start.Addr(), end.Addr())
	}
	if !start.Addr().Is4() {
		return nil, nil
	}
	return &ipam.Range{ID: r.ID, Start: start.Addr(), End: end.Addr(), VRF: int64(r.VRF), Status: string(r.Status), Tags: ids(r.Tags)}, nil
}

// parseAddress reads an address with mask; NetBox always has one, an address
// without is a host.
func parseAddress(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%.60q is no IP address", s)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q is no IP address with mask", s)
	}
	return p, nil
}

type addressRow struct {
	rowHead
	Address      string                     `json:"address"`
	VRF          ref                        `json:"vrf"`
	Status       choice                     `json:"status"`
	Role         choice                     `json:"role"`
	AssignedType string                     `json:"assigned_object_type"`
	AssignedID   int64                      `json:"assigned_object_id"`
	Tags         []ref                      `json:"tags"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

func (r *addressRow) value(d *decoder) (any, error) {
	address, err := parseAddress(r.Address)
	if err != nil {
		return nil, err
	}
	d.noteFields(r.CustomFields)
	if !address.Addr().Is4() {
		return nil, nil
	}
	return &ipam.Address{
		ID: r.ID, Address: address, VRF: int64(r.VRF), Status: string(r.Status), Role: string(r.Role), Tags: ids(r.Tags),
		Interface: assignedTo(r.AssignedType, r.AssignedID), Record: d.fields.record(r.CustomFields), LastUpdated: r.LastUpdated.Time,
	}, nil
}

// assignedTo gives no interface for an FHRP group and kinds of plugins.
func assignedTo(kind string, id int64) ipam.InterfaceID {
	switch kind {
	case "dcim.interface":
		return ipam.InterfaceID{Kind: ipam.Device, ID: id}
	case "virtualization.vminterface":
		return ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: id}
	}
	return ipam.InterfaceID{}
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
	rowHead
	MAC          string `json:"mac_address"`
	AssignedType string `json:"assigned_object_type"`
	AssignedID   int64  `json:"assigned_object_id"`
}

func (r *macRow) value(*decoder) (any, error) {
	mac, err := ipam.ParseMAC(r.MAC)
	if err != nil {
		return nil, err
	}
	return &ipam.MACAddress{ID: r.ID, MAC: mac, Interface: assignedTo(r.AssignedType, r.AssignedID), LastUpdated: r.LastUpdated.Time}, nil
}

type interfaceRow struct {
	rowHead
	Name   string `json:"name"`
	Device ref    `json:"device"`
	LAG    ref    `json:"lag"`
}

func (r *interfaceRow) value(*decoder) (any, error) {
	if r.Device == 0 {
		return nil, errors.New("it belongs to no device")
	}
	return &ipam.Interface{
		ID: ipam.InterfaceID{Kind: ipam.Device, ID: r.ID}, Name: r.Name,
		Machine: ipam.MachineID{Kind: ipam.Device, ID: int64(r.Device)}, LAG: int64(r.LAG), LastUpdated: r.LastUpdated.Time,
	}, nil
}

type vmInterfaceRow struct {
	rowHead
	Name           string `json:"name"`
	VirtualMachine ref    `json:"virtual_machine"`
}

func (r *vmInterfaceRow) value(*decoder) (any, error) {
	if r.VirtualMachine == 0 {
		return nil, errors.New("it belongs to no virtual machine")
	}
	return &ipam.Interface{
		ID: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: r.ID}, Name: r.Name,
		Machine:     ipam.MachineID{Kind: ipam.VirtualMachine, ID: int64(r.VirtualMachine)},
		LastUpdated: r.LastUpdated.Time,
	}, nil
}

type machineRow struct {
	rowHead
	kind         ipam.Kind
	Name         string                     `json:"name"` // null for a device without name
	PrimaryIP4   ref                        `json:"primary_ip4"`
	Context      json.RawMessage            `json:"config_context"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

func (r *machineRow) value(d *decoder) (any, error) {
	m := &ipam.Machine{
		ID: ipam.MachineID{Kind: r.kind, ID: r.ID}, Name: r.Name, PrimaryIP4: int64(r.PrimaryIP4),
		Context: d.share(underKey(r.Context, d.contextKey)), LastUpdated: r.LastUpdated.Time,
	}
	m.Gate = pick(r.CustomFields, d.gateFields)
	return m, nil
}

// underKey cuts the part under key out of a context. Anything but an object
// has no such part.
func underKey(context json.RawMessage, key string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(context, &all) != nil {
		return nil
	}
	return slices.Clone(all[key])
}

// pick copies the entries with the given names; nil for none.
func pick(from map[string]json.RawMessage, names []string) map[string]json.RawMessage {
	var picked map[string]json.RawMessage
	for _, name := range names {
		if value, ok := from[name]; ok {
			if picked == nil {
				picked = make(map[string]json.RawMessage, len(names))
			}
			picked[name] = slices.Clone(value)
		}
	}
	return picked
}
