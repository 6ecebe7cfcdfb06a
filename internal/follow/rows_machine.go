package follow

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

type interfaceRow struct {
	netbox.RowHead
	Name   string     `json:"name"`
	Device netbox.Ref `json:"device"`
	LAG    netbox.Ref `json:"lag"`
	Bridge netbox.Ref `json:"bridge"`
	Parent netbox.Ref `json:"parent"`
	// Of the cable path; asked for with circuits only, see endColumns.
	Ends      []netbox.Ref `json:"connected_endpoints"`
	EndsType  string       `json:"connected_endpoints_type"`
	Reachable bool         `json:"connected_endpoints_reachable"`
}

// farEnd is the one interface at the other end of a cable path that is whole and
// connected (CL-20).
func (r *interfaceRow) farEnd() ipam.InterfaceID {
	if !r.Reachable || len(r.Ends) != 1 || r.EndsType != netbox.Interfaces.Model() {
		return ipam.InterfaceID{}
	}
	return ipam.InterfaceID{Kind: ipam.Device, ID: int64(r.Ends[0])}
}

func (r *interfaceRow) value(d *decoder) (any, error) {
	if r.Device == 0 {
		return nil, errors.New("it belongs to no device")
	}
	return &ipam.Interface{
		ID: ipam.InterfaceID{Kind: ipam.Device, ID: r.ID}, Name: d.same.Text(r.Name),
		Machine: ipam.MachineID{Kind: ipam.Device, ID: int64(r.Device)}, LAG: int64(r.LAG), Bridge: int64(r.Bridge), Parent: int64(r.Parent),
		FarEnd: r.farEnd(), LastUpdated: r.LastUpdated.Time,
	}, nil
}

type vmInterfaceRow struct {
	netbox.RowHead
	Name           string     `json:"name"`
	VirtualMachine netbox.Ref `json:"virtual_machine"`
	Bridge         netbox.Ref `json:"bridge"`
	Parent         netbox.Ref `json:"parent"`
}

func (r *vmInterfaceRow) value(d *decoder) (any, error) {
	if r.VirtualMachine == 0 {
		return nil, errors.New("it belongs to no virtual machine")
	}
	return &ipam.Interface{
		ID: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: r.ID}, Name: d.same.Text(r.Name),
		Machine: ipam.MachineID{Kind: ipam.VirtualMachine, ID: int64(r.VirtualMachine)},
		Bridge:  int64(r.Bridge), Parent: int64(r.Parent), LastUpdated: r.LastUpdated.Time,
	}, nil
}

type machineRow struct {
	netbox.RowHead
	kind         ipam.Kind
	Name         string                     `json:"name"` // null for a device without name
	Serial       string                     `json:"serial"`
	PrimaryIP4   netbox.Ref                 `json:"primary_ip4"`
	Context      json.RawMessage            `json:"config_context"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

func (r *machineRow) value(d *decoder) (any, error) {
	m := &ipam.Machine{
		ID: ipam.MachineID{Kind: r.kind, ID: r.ID}, Name: r.Name, Serial: r.Serial, PrimaryIP4: int64(r.PrimaryIP4),
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
