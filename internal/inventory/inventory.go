// Package inventory reads a YAML file that stands in for NetBox in demos, labs
// and policy tests. The file says in NetBox's words what a NetBox would hold,
// and the result is the same tables. It is strict where NetBox is tolerant: an
// undeclared name or a misspelt key is a mistake, and all mistakes are reported
// at once. It opens no connection, and nothing is ever written back.
package inventory

import (
	"fmt"
	"os"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Options say which names in the file mean what; they come from the settings.
type Options struct {
	ContextKey string          // top-level key of config contexts that is ours
	Fields     settings.Fields // custom fields of IP addresses
	// GateFields are the custom fields machines may have; nil: any.
	GateFields []string
}

// Load reads the inventory at path. The error is a settings.Problems unless
// the file cannot be read.
func Load(path string, opt Options) (*ipam.Objects, error) {
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	return Parse(path, data, opt)
}

// Parse does the work of Load for a file's content. Objects are numbered in
// the order of the file, each table from 1, so that the same file gives the
// same ids.
func Parse(path string, data []byte, opt Options) (*ipam.Objects, error) {
	b := read(strictyaml.Decode, path, data, opt)
	if b.report.Torn() {
		b = read(strictyaml.DecodeWhole, path, data, opt)
	}
	if err := b.report.Err(); err != nil {
		return nil, err
	}
	return b.out, nil
}

// read builds the tables of a file that decode reads.
func read(decode func(file string, data []byte, out any) *strictyaml.Report, path string, data []byte, opt Options) *builder {
	b := newBuilder(opt)
	b.report = decode(path, data, &b.file)
	b.tags()
	b.places()
	b.vrfs()
	b.prefixes()
	b.ranges()
	b.unassigned()
	b.devices()
	b.connect()
	b.virtualMachines()
	b.contexts()
	return b
}

// builder turns the file into tables.
type builder struct {
	report *strictyaml.Report
	opt    Options
	file   document
	out    *ipam.Objects

	vrf, region, siteGroup, site, location, tenant, tenantGroup *names

	same   ipam.Sharer
	tag    map[string]int64 // by lower-case name and slug
	vlan   map[string]int64 // by name
	role   map[string]int64 // of ranges, by name
	taken  map[hostKey]*ipam.Address
	traits map[ipam.MachineID]traits
	// counts number interfaces: devices' and virtual machines' separately, as
	// NetBox does (P-19).
	counts map[ipam.Kind]int64
	device *names
	cables []cable // in the order of the file
}

func newBuilder(opt Options) *builder {
	return &builder{
		opt: opt,
		out: &ipam.Objects{
			VRFs:       make(map[int64]*ipam.VRF),
			Prefixes:   make(map[int64]*ipam.Prefix),
			Ranges:     make(map[int64]*ipam.Range),
			Addresses:  make(map[int64]*ipam.Address),
			MACs:       make(map[int64]*ipam.MACAddress),
			Interfaces: make(map[ipam.InterfaceID]*ipam.Interface),
			Machines:   make(map[ipam.MachineID]*ipam.Machine),
			Tags:       make(map[int64]*ipam.Tag),
			Regions:    make(map[int64]*ipam.Nested),
			SiteGroups: make(map[int64]*ipam.Nested),
			Sites:      make(map[int64]*ipam.Site),
			Locations:  make(map[int64]*ipam.Location),
			Tenants:    make(map[int64]*ipam.Tenant),
		},
		vrf: newNames("VRF"), region: newNames("region"), siteGroup: newNames("site group"), site: newNames("site"),
		location: newNames("location"), tenant: newNames("tenant"), tenantGroup: newNames("tenant group"),
		tag:    make(map[string]int64),
		vlan:   make(map[string]int64),
		role:   make(map[string]int64),
		taken:  make(map[hostKey]*ipam.Address),
		traits: make(map[ipam.MachineID]traits),
		counts: make(map[ipam.Kind]int64),
	}
}
