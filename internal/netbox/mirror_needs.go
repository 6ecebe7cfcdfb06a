package netbox

import (
	"encoding/json"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// MirrorRequirements are what the mirror with certain settings needs of its
// NetBox.
type MirrorRequirements struct {
	LeaseStatus, ReservationStatus string
	ProtectTag                     string // slug; empty: none is configured
	// SyncsAddresses is false where only scopes are mirrored.
	SyncsAddresses bool
	// ExpiryInNetBox asks for the custom field of the end of a lease.
	ExpiryInNetBox bool
	// Contexts are config contexts that must exist: the option library.
	Contexts []ContextNeed
	// StatusPage is the base URL of the status page; empty: no custom link.
	StatusPage string
	// PluginAllowed is set where the operator accepts the plugin beside us.
	PluginAllowed bool
}

// ContextNeed is a config context that must exist. It is limited to the tag
// state.TagData, so that no device renders it.
type ContextNeed struct {
	Name, Description string
	Data              json.RawMessage // a JSON object that is not empty
	// Merge gives what the data of an existing context shall be. nil leaves it
	// as it is.
	Merge func(have json.RawMessage) json.RawMessage
}

const (
	mirrorGroup     = "Windows DHCP" // of custom fields in NetBox's web pages
	provenanceSet   = "Windows DHCP provenance"
	fieldConflict   = "a field's type cannot be changed: delete the field, or rename it, and run bootstrap again"
	searchedFirst   = 500  // search weight; lower comes first
	searchedUsually = 1000 // as NetBox gives fields of itself
)

// fields lists the custom fields of the mirror.
func (m MirrorRequirements) fields() []FieldNeed {
	var needs []FieldNeed
	kind := state.IPAddress
	add := func(name, label, description string, search int, types ...string) *FieldNeed {
		needs = append(needs, FieldNeed{Name: name, Types: types, ObjectType: string(kind), Label: label, Description: description,
			group: mirrorGroup, search: &search, weight: 100 + 10*len(needs), conflict: fieldConflict})
		return &needs[len(needs)-1]
	}
	add(state.FieldClientID, "DHCP Client ID", "Client identifier, as aa-bb-cc-dd-ee-ff", searchedFirst, "text", "longtext")
	managed := add(state.FieldManaged, "DHCP managed", "How the address came under the mirror's management; empty: it is not", 0, "select")
	managed.choices = [][2]string{{string(state.Created), "Created by the mirror"}, {string(state.Adopted), "Adopted by the mirror"},
		{string(state.Prestaged), "Prepared by hand, client ID filled in"}}
	add(state.FieldLeaseHostname, "DHCP lease host name", "Name the client gave the Windows server", searchedFirst, "text", "longtext").loose = true
	add(state.FieldLeaseActive, "DHCP lease active", "The lease was in the server's list in the last run", 0, "boolean")
	if m.ExpiryInNetBox {
		add(state.FieldLeaseExpires, "DHCP lease expiry", "When the lease ends", 0, "datetime")
	}
	kind = state.IPRange
	add(state.FieldScopeName, "DHCP scope", "Name of the scope", searchedFirst, "text", "longtext").loose = true
	add(state.FieldServer, "DHCP server", "Host of a standalone scope", searchedUsually, "text", "longtext")
	add(state.FieldFailover, "DHCP failover", "Failover relationship of the scope", searchedUsually, "text", "longtext")
	add(state.FieldRouter, "DHCP router", "First router the scope gives its clients", searchedUsually, "text", "longtext")
	add(state.FieldLeaseSeconds, "DHCP lease time (s)", "Lease time in seconds", 0, "integer")
	add(state.FieldLeaseDisplay, "DHCP lease time", "Lease time, readable", 0, "text", "longtext")
	add(state.FieldScopeState, "DHCP scope state", "Active or Inactive, as on the server", 0, "text", "longtext")
	add(state.FieldExclusions, "DHCP exclusions", "Ranges the server does not give out", 0, "json")
	add(state.FieldOptions, "DHCP options", "Option values of the scope", 0, "json")
	add(state.FieldOtherSources, "DHCP other sources", "Scopes of other servers that overlap this range", 0, "json")
	kind = state.IPPrefix
	add(state.FieldScopes, "DHCP scopes", "Scopes in this prefix, kept by the mirror", 0, "longtext")
	return needs
}

// tagNeed is a tag and the kinds of objects it must be usable on.
type tagNeed struct {
	slug, description string
	kinds             []state.Kind
}

func (m MirrorRequirements) tags() []tagNeed {
	needs := []tagNeed{
		{state.TagScope, "IP ranges that are scopes of Windows DHCP servers", []state.Kind{state.IPRange}},
		{state.TagData, "Limits config contexts to no device: put it on none", nil},
		{state.TagInvalid, "IP addresses with the lease status that no scope accepts", []state.Kind{state.IPAddress}},
	}
	if m.ProtectTag != "" {
		needs = append(needs, tagNeed{m.ProtectTag, "The mirror leaves what carries this tag alone", []state.Kind{state.IPAddress, state.IPPrefix}})
	}
	return needs
}

// namedNeed is an object that must exist, known by the value of one field.
type namedNeed struct {
	table endpoint
	key   string
	body  map[string]any
	// own lists the fields that must show the body's values; all others are
	// left as people changed them.
	own []string
}

func (n namedNeed) name() string { return n.body[n.key].(string) }

func (m MirrorRequirements) named() []namedNeed {
	needs := []namedNeed{{table: roles, key: "slug", body: map[string]any{"name": "DHCP scope", "slug": state.RoleScope,
		"description": "Scope of a Windows DHCP server"}}}
	filter := func(what string, kind state.Kind, parameters map[string]any) {
		needs = append(needs, namedNeed{table: savedFilters, key: "slug", body: map[string]any{"name": mirrorGroup + " " + what,
			"slug": "windows-dhcp-" + what, "object_types": []string{string(kind)}, "shared": true, "enabled": true, "parameters": parameters}})
	}
	filter("scopes", state.IPRange, map[string]any{"tag": []string{state.TagScope}})
	if m.LeaseStatus != "" {
		filter("leases", state.IPAddress, map[string]any{"status": []string{m.LeaseStatus}})
	}
	if m.ReservationStatus != "" {
		filter("reservations", state.IPAddress, map[string]any{"status": []string{m.ReservationStatus}})
	}
	filter("violations", state.IPAddress, map[string]any{"tag": []string{state.TagInvalid}})
	columns := func(what, table string, kind state.Kind, plain ...string) {
		for _, f := range m.fields() {
			if f.ObjectType == string(kind) && f.Types[0] != "json" {
				plain = append(plain, "cf_"+f.Name)
			}
		}
		needs = append(needs, namedNeed{table: tableConfigs, key: "name", body: map[string]any{"name": mirrorGroup + " " + what,
			"object_type": string(kind), "table": table, "shared": true, "enabled": true, "columns": plain}})
	}
	columns("scopes", "IPRangeTable", state.IPRange, "pk", "start_address", "end_address", "vrf", "status", "tenant")
	columns("addresses", "IPAddressTable", state.IPAddress, "pk", "address", "vrf", "status", "dns_name")
	if m.StatusPage != "" {
		needs = append(needs, namedNeed{table: customLinks, key: "name", own: []string{"link_url"}, body: map[string]any{"name": mirrorGroup + " lease",
			"object_types": []string{string(state.IPAddress)}, "link_text": "DHCP lease", "new_window": true,
			"link_url": strings.TrimRight(m.StatusPage, "/") + "/ip/{{ object.address.ip }}{% if object.vrf_id %}?vrf={{ object.vrf_id }}{% endif %}"}})
	}
	return needs
}
