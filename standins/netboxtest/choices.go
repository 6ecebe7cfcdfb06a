package netboxtest

import (
	"slices"
	"strings"
)

// option is one value of a choice set.
type option struct{ value, label string }

// choiceSets are the choice sets as a stock NetBox has them.
func choiceSets() map[string][]option {
	return map[string][]option{
		"IPAddress.status": {{"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}, {"dhcp", "DHCP"}, {"slaac", "SLAAC"}},
		"IPAddress.role": {{"loopback", "Loopback"}, {"secondary", "Secondary"}, {"anycast", "Anycast"}, {"vip", "VIP"}, {"vrrp", "VRRP"},
			{"hsrp", "HSRP"}, {"glbp", "GLBP"}, {"carp", "CARP"}},
		"IPRange.status": {{"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}},
		"VLAN.status":    {{"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}},
		"Prefix.status":  {{"container", "Container"}, {"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}},
		"Site.status": {{"planned", "Planned"}, {"staging", "Staging"}, {"active", "Active"}, {"decommissioning", "Decommissioning"},
			{"retired", "Retired"}},
		"Device.status": {{"offline", "Offline"}, {"active", "Active"}, {"planned", "Planned"}, {"staged", "Staged"}, {"failed", "Failed"},
			{"inventory", "Inventory"}, {"decommissioning", "Decommissioning"}},
		"Device.face": {{"front", "Front"}, {"rear", "Rear"}},
		"Cluster.status": {{"planned", "Planned"}, {"staging", "Staging"}, {"active", "Active"}, {"decommissioning", "Decommissioning"},
			{"offline", "Offline"}},
		"VirtualMachine.status": {{"offline", "Offline"}, {"active", "Active"}, {"planned", "Planned"}, {"staged", "Staged"}, {"failed", "Failed"},
			{"decommissioning", "Decommissioning"}, {"paused", "Paused"}},
		"Interface.type": {{"virtual", "Virtual"}, {"bridge", "Bridge"}, {"lag", "Link Aggregation Group (LAG)"}, {"100base-tx", "100BASE-TX (10/100ME)"},
			{"1000base-t", "1000BASE-T (1GE)"}, {"10gbase-t", "10GBASE-T (10GE)"}, {"10gbase-x-sfpp", "SFP+ (10GE)"},
			{"25gbase-x-sfp28", "SFP28 (25GE)"}, {"40gbase-x-qsfpp", "QSFP+ (40GE)"}, {"100gbase-x-qsfp28", "QSFP28 (100GE)"},
			{"ieee802.11ax", "IEEE 802.11ax"}, {"other", "Other"}},
		"Cable.status":              {{"connected", "Connected"}, {"planned", "Planned"}, {"decommissioning", "Decommissioning"}},
		"Cable.type":                {{"cat6a", "CAT6a"}, {"dac-passive", "Direct Attach Copper (Passive)"}, {"smf", "Singlemode Fiber"}},
		"Cable.length_unit":         {{"m", "Meters"}, {"cm", "Centimeters"}},
		"Port.type":                 {{"8p8c", "8P8C"}, {"lc", "LC"}, {"mpo", "MPO"}},
		"Interface.mode":            {{"access", "Access"}, {"tagged", "Tagged"}, {"tagged-all", "Tagged (All)"}, {"q-in-q", "Q-in-Q (802.1ad)"}},
		"Interface.duplex":          {{"half", "Half"}, {"full", "Full"}, {"auto", "Auto"}},
		"DeviceType.subdevice_role": {{"parent", "Parent"}, {"child", "Child"}},
		"CustomField.type": {{"text", "Text"}, {"longtext", "Text (long)"}, {"integer", "Integer"}, {"decimal", "Decimal"}, {"boolean", "Boolean (true/false)"},
			{"date", "Date"}, {"datetime", "Date & time"}, {"url", "URL"}, {"json", "JSON"}, {"select", "Selection"},
			{"multiselect", "Multiple selection"}, {"object", "Object"}, {"multiobject", "Multiple objects"}},
		"CustomField.status":       {{"active", "Active"}, {"provisioning", "Provisioning"}, {"deleting", "Deleting"}},
		"CustomField.filter_logic": {{"disabled", "Disabled"}, {"loose", "Loose"}, {"exact", "Exact"}},
		"CustomField.ui_visible":   {{"always", "Always"}, {"if-set", "If set"}, {"hidden", "Hidden"}},
		"CustomField.ui_editable":  {{"yes", "Yes"}, {"no", "No"}, {"hidden", "Hidden"}},
		"ChoiceSet.base":           {{"IATA", "IATA (Airport codes)"}, {"ISO_3166", "ISO 3166 (Country codes)"}, {"UN_LOCODE", "UN/LOCODE (Location codes)"}},
		"Journal.kind":             {{"info", "Info"}, {"success", "Success"}, {"warning", "Warning"}, {"danger", "Danger"}},
		"ObjectChange.action":      {{"create", "Created"}, {"update", "Updated"}, {"delete", "Deleted"}},
	}
}

// family shows 4 or 6 as NetBox does.
func family(is4 bool) map[string]any {
	if is4 {
		return map[string]any{"value": 4, "label": "IPv4"}
	}
	return map[string]any{"value": 6, "label": "IPv6"}
}

// configuredSets applies FIELD_CHOICES and renamed labels to the stock sets.
func configuredSets(c Config) map[string][]option {
	sets := choiceSets()
	if c.Version.atLeast(7) {
		sets["CustomField.type"][4].label = "Boolean"
	}
	for name, values := range c.Choices {
		var set []option
		for _, v := range values {
			set = append(set, option{v, stockLabel(sets[name], v)})
		}
		sets[name] = set
	}
	for _, set := range sets {
		for i := range set {
			if label, ok := c.Labels[set[i].value]; ok {
				set[i].label = label
			}
		}
	}
	return sets
}

// stockLabel is the label NetBox ships for a value, else the value with a capital letter.
func stockLabel(set []option, value string) string {
	for _, o := range set {
		if o.value == value {
			return o.label
		}
	}
	return strings.ToUpper(value[:1]) + value[1:]
}

func (t *txn) hasChoice(set, value string) bool {
	return slices.ContainsFunc(t.s.sets[set], func(o option) bool { return o.value == value })
}

func (t *txn) choiceLabel(set, value string) string { return stockLabel(t.s.sets[set], value) }

// showChoice shows a choice value; one that was removed from its set has an empty label.
func (t *txn) showChoice(set string, value any) any {
	s, ok := value.(string)
	if !ok || s == "" {
		return nil
	}
	for _, o := range t.s.sets[set] {
		if o.value == s {
			return map[string]any{"value": s, "label": o.label}
		}
	}
	return map[string]any{"value": s, "label": ""}
}
