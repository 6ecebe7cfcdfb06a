package netboxio

import (
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Uses is what the mirror with certain settings uses of its NetBox.
type Uses struct {
	LeaseStatus, ReservationStatus string
	ProtectTag                     string // slug; empty: none is configured
	// Addresses is false where only scopes are mirrored.
	Addresses bool
	// Deletions is set where deletes on servers rest on the change log.
	Deletions bool
	// ExpiryInNetBox asks for the custom field of the end of a lease.
	ExpiryInNetBox bool
	// Contexts are config contexts that must exist: the option library. Those
	// with a name that starts with ContextName are limited to the tag TagData.
	Contexts []prepare.Context
	// StatusPage is the base URL of the status page; empty: no custom link.
	StatusPage string
	// PluginAllowed is set where the operator accepts the plugin beside the
	// mirror.
	PluginAllowed bool
}

const (
	group           = "Windows DHCP" // of custom fields in NetBox's web pages
	provenanceSet   = "Windows DHCP provenance"
	searchedFirst   = 500  // search weight; lower comes first
	searchedUsually = 1000 // as NetBox gives fields of itself
)

// Needs is the list of what the mirror needs.
func (u Uses) Needs() []prepare.Need {
	plugin := prepare.NoPlugin{Package: state.Plugin, Severity: prepare.Failure,
		Problem: "it mirrors Windows DHCP servers too: both would undo each other's changes",
		Fix:     "take its servers over with the migrate command, then remove it from PLUGINS"}
	if u.PluginAllowed {
		plugin.Severity = prepare.Warning
	}
	needs := []prepare.Need{prepare.Release{Oldest: netbox.Version{Major: 4, Minor: 5}, For: "the mirror"}, plugin}
	for _, right := range u.rights() {
		needs = append(needs, right)
	}
	if u.Addresses {
		needs = append(needs, prepare.Statuses{
			{Value: u.LeaseStatus, Setting: "sync.statuses.lease", For: "leases"},
			{Value: u.ReservationStatus, Setting: "sync.statuses.reservation", For: "reservations"},
		})
	}
	fields := u.fields()
	for _, field := range fields {
		needs = append(needs, field)
	}
	needs = append(needs, u.optional())
	for _, tag := range u.tags() {
		needs = append(needs, tag)
	}
	needs = append(needs, prepare.Contexts{Prefix: state.ContextName, Tag: state.TagData, List: u.Contexts})
	for _, object := range u.objects(fields) {
		needs = append(needs, object)
	}
	return needs
}

// optional are the kinds of objects that the mirror makes, on which no custom
// field may be required.
func (u Uses) optional() prepare.NoRequiredFields {
	tables := prepare.NoRequiredFields{netbox.Ranges, netbox.Prefixes, netbox.Contexts}
	if u.Addresses {
		tables = append(tables, netbox.Addresses)
	}
	return tables
}

// rights are the permissions that a run makes use of (NB-1.14).
func (u Uses) rights() []prepare.Right {
	var all []prepare.Right
	right := func(action string, severity prepare.Severity, without string, tables ...netbox.Table) {
		for _, table := range tables {
			all = append(all, prepare.Right{Table: table, Action: action, Severity: severity, Problem: "the token lacks this permission: " + without})
		}
	}
	right("view", prepare.Failure, "nothing can be mirrored",
		netbox.VRFs, netbox.Prefixes, netbox.Ranges, netbox.Addresses, netbox.Contexts, netbox.Tags, netbox.Roles)
	for _, table := range []netbox.Table{netbox.Ranges, netbox.Contexts} {
		right("add", prepare.Failure, "import creates nothing", table)
		right("change", prepare.Failure, "changes on the servers do not show", table)
	}
	right("delete", prepare.Warning, "scopes deleted on a server stay", netbox.Ranges)
	if u.Deletions {
		right("view", prepare.Warning, "what is deleted in NetBox stays on the servers", netbox.ObjectChanges)
	}
	right("add", prepare.Warning, "import creates no prefixes", netbox.Prefixes)
	right("change", prepare.Warning, "prefixes do not show their scopes", netbox.Prefixes)
	right("add", prepare.Warning, "nothing is written to the journal", netbox.Journal)
	if u.Addresses {
		right("add", prepare.Failure, "new leases and reservations do not show", netbox.Addresses)
		right("change", prepare.Failure, "leases and reservations are not kept up to date", netbox.Addresses)
		right("delete", prepare.Failure, "ended leases stay", netbox.Addresses)
	}
	return all
}

// fields lists the custom fields of the mirror. Those of severity Warning only
// show something; the mirror cannot do without the others.
func (u Uses) fields() []prepare.Field {
	var needs []prepare.Field
	table := netbox.Addresses
	add := func(name, label, description string, search int, types ...string) *prepare.Field {
		needs = append(needs, prepare.Field{Name: name, Types: types, Table: table, Severity: prepare.Failure,
			Made: netbox.Field{Label: label, Description: description, Group: group, SearchWeight: &search, Weight: 100 + 10*len(needs)}})
		return &needs[len(needs)-1]
	}
	add(state.FieldClientID, "DHCP Client ID", "Client identifier, as aa-bb-cc-dd-ee-ff", searchedFirst, "text", "longtext")
	managed := add(state.FieldManaged, "DHCP managed", "How the address came under the mirror's management; empty: it is not", 0, "select")
	managed.Made.ChoiceSet = provenanceSet
	managed.Choices = [][2]string{{string(state.Created), "Created by the mirror"}, {string(state.Adopted), "Adopted by the mirror"},
		{string(state.Prestaged), "Prepared by hand, client ID filled in"}}
	managed.ChoicesExplain = "How IP addresses came under the mirror's management"
	host := add(state.FieldLeaseHostname, "DHCP lease host name", "Name the client gave the Windows server", searchedFirst, "text", "longtext")
	host.Severity, host.Made.Loose = prepare.Warning, true
	add(state.FieldLeaseActive, "DHCP lease active", "The lease was in the server's list in the last run", 0, "boolean").Severity = prepare.Warning
	if u.ExpiryInNetBox {
		add(state.FieldLeaseExpires, "DHCP lease expiry", "When the lease ends", 0, "datetime").Severity = prepare.Warning
	}
	table = netbox.Ranges
	add(state.FieldScopeName, "DHCP scope", "Name of the scope", searchedFirst, "text", "longtext").Made.Loose = true
	add(state.FieldServer, "DHCP server", "Host of a standalone scope", searchedUsually, "text", "longtext")
	add(state.FieldFailover, "DHCP failover", "Failover relationship of the scope", searchedUsually, "text", "longtext")
	add(state.FieldRouter, "DHCP router", "First router the scope gives its clients", searchedUsually, "text", "longtext")
	add(state.FieldLeaseSeconds, "DHCP lease time (s)", "Lease time in seconds", 0, "integer")
	add(state.FieldLeaseDisplay, "DHCP lease time", "Lease time, readable", 0, "text", "longtext")
	add(state.FieldScopeState, "DHCP scope state", "Active or Inactive, as on the server", 0, "text", "longtext")
	add(state.FieldExclusions, "DHCP exclusions", "Ranges the server does not give out", 0, "json")
	add(state.FieldOptions, "DHCP options", "Option values of the scope", 0, "json")
	add(state.FieldOtherSources, "DHCP other sources", "Scopes of other servers that overlap this range", 0, "json").Severity = prepare.Warning
	table = netbox.Prefixes
	add(state.FieldScopes, "DHCP scopes", "Scopes in this prefix, kept by the mirror", 0, "longtext").Severity = prepare.Warning
	return needs
}

func (u Uses) tags() []prepare.Tag {
	needs := []prepare.Tag{
		{Slug: state.TagScope, Description: "IP ranges that are scopes of Windows DHCP servers", On: []netbox.Table{netbox.Ranges}},
		{Slug: state.TagData, Description: "Limits config contexts to no device: put it on none"},
		{Slug: state.TagInvalid, Description: "IP addresses with the lease status that no scope accepts", On: []netbox.Table{netbox.Addresses}},
	}
	if u.ProtectTag != "" {
		needs = append(needs, prepare.Tag{Slug: u.ProtectTag, Description: "The mirror leaves what carries this tag alone", On: []netbox.Table{netbox.Addresses, netbox.Prefixes}})
	}
	return needs
}

// objects lists the role of scopes, and what only helps people: saved filters,
// layouts of tables, the link from an address to the status page.
func (u Uses) objects(fields []prepare.Field) []prepare.Object {
	needs := []prepare.Object{{Table: netbox.Roles, Key: "slug", Name: state.RoleScope, Body: netbox.RoleBody("DHCP scope", state.RoleScope, "Scope of a Windows DHCP server"),
		Without: "scopes cannot be told from other ranges"}}
	filter := func(what string, kind state.Kind, parameter, value string) {
		slug := "windows-dhcp-" + what
		needs = append(needs, prepare.Object{Table: netbox.SavedFilters, Key: "slug", Name: slug,
			Body: netbox.SavedFilterBody(group+" "+what, slug, string(kind), map[string]any{parameter: []string{value}})})
	}
	filter("scopes", state.IPRange, "tag", state.TagScope)
	if u.LeaseStatus != "" {
		filter("leases", state.IPAddress, "status", u.LeaseStatus)
	}
	if u.ReservationStatus != "" {
		filter("reservations", state.IPAddress, "status", u.ReservationStatus)
	}
	filter("violations", state.IPAddress, "tag", state.TagInvalid)
	layout := func(what, class string, table netbox.Table, columns ...string) {
		for _, f := range fields {
			if f.Table == table && f.Types[0] != "json" {
				columns = append(columns, "cf_"+f.Name)
			}
		}
		name := group + " " + what
		needs = append(needs, prepare.Object{Table: netbox.TableConfigs, Key: "name", Name: name, Body: netbox.TableConfigBody(name, table.Model(), class, columns)})
	}
	layout("scopes", "IPRangeTable", netbox.Ranges, "pk", "start_address", "end_address", "vrf", "status", "tenant")
	layout("addresses", "IPAddressTable", netbox.Addresses, "pk", "address", "vrf", "status", "dns_name")
	if u.StatusPage != "" {
		name := group + " lease"
		target := strings.TrimRight(u.StatusPage, "/") + "/ip/{{ object.address.ip }}{% if object.vrf_id %}?vrf={{ object.vrf_id }}{% endif %}"
		needs = append(needs, prepare.Object{Table: netbox.CustomLinks, Key: "name", Name: name, Own: map[string]any{"link_url": target},
			Body: netbox.CustomLinkBody(name, string(state.IPAddress), "DHCP lease", target)})
	}
	return needs
}
