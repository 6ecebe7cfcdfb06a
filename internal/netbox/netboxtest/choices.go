package netboxtest

// option is one value of a choice set.
type option struct{ value, label string }

// choiceSets are the choice sets as a stock NetBox has them.
func choiceSets() map[string][]option {
	return map[string][]option{
		"IPAddress.status": {{"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}, {"dhcp", "DHCP"}, {"slaac", "SLAAC"}},
		"IPAddress.role": {{"loopback", "Loopback"}, {"secondary", "Secondary"}, {"anycast", "Anycast"}, {"vip", "VIP"}, {"vrrp", "VRRP"},
			{"hsrp", "HSRP"}, {"glbp", "GLBP"}, {"carp", "CARP"}},
		"IPRange.status": {{"active", "Active"}, {"reserved", "Reserved"}, {"deprecated", "Deprecated"}},
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
		"Interface.mode": {{"access", "Access"}, {"tagged", "Tagged"}, {"tagged-all", "Tagged (All)"}, {"q-in-q", "Q-in-Q (802.1ad)"}},
		"Interface.duplex": {{"half", "Half"}, {"full", "Full"}, {"auto", "Auto"}},
		"DeviceType.subdevice_role": {{"parent", "Parent"}, {"child", "Child"}},
		"CustomField.type": {{"text", "Text"}, {"longtext", "Text (long)"}, {"integer", "Integer"}, {"decimal", "Decimal"}, {"boolean", "Boolean (true/false)"},
			{"date", "Date"}, {"datetime", "Date & time"}, {"url", "URL"}, {"json", "JSON"}, {"select", "Selection"},
			{"multiselect", "Multiple selection"}, {"object", "Object"}, {"multiobject", "Multiple objects"}},
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
