package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

func (b *builder) prefixes() {
	type key struct {
		vrf    int64
		prefix netip.Prefix
	}
	seen := make(map[key]bool)
	for i, p := range b.file.Prefixes {
		path, id := fmt.Sprintf("prefixes[%d]", i), int64(i+1)
		vrf := b.find(b.vrf, path+".vrf", p.VRF)
		switch {
		case !p.Prefix.IsValid():
			b.report.Addf(path+".prefix", "want a prefix such as 10.0.0.0/24")
		case p.Prefix != p.Prefix.Masked():
			b.report.Addf(path+".prefix", "host bits are set in %s; want %s", p.Prefix, p.Prefix.Masked())
		case seen[key{vrf, p.Prefix}]:
			b.report.Addf(path+".prefix", "%s is there already", p.Prefix)
		}
		seen[key{vrf, p.Prefix}] = true
		b.out.Prefixes[id] = &ipam.Prefix{
			ID: id, Prefix: p.Prefix, VRF: vrf,
			Status: b.status(path+".status", p.Status, "container", "active", "reserved", "deprecated"),
			Scope:  b.scope(path, p),
			Tenant: b.find(b.tenant, path+".tenant", p.Tenant),
			VLAN:   b.vlanID(p.VLAN),
			Tags:   b.tagIDs(path+".tags", p.Tags),
		}
	}
}

// vlanID returns the id of the VLAN that a prefix names, 0 for none. It comes
// into being where it is named first.
func (b *builder) vlanID(name string) int64 {
	if name == "" {
		return 0
	}
	if b.vlan[name] == 0 {
		b.vlan[name] = int64(len(b.vlan) + 1)
	}
	return b.vlan[name]
}

func (b *builder) ranges() {
	for i, r := range b.file.Ranges {
		path, id := fmt.Sprintf("ip_ranges[%d]", i), int64(i+1)
		switch {
		case !r.Start.IsValid():
			b.report.Addf(path+".start_address", "want an address such as 10.0.0.100")
		case !r.End.IsValid():
			b.report.Addf(path+".end_address", "want an address such as 10.0.0.199")
		case r.End.Less(r.Start.Addr) || r.Start.Is4() != r.End.Is4():
			b.report.Addf(path+".end_address", "%s is below %s", r.End.Addr, r.Start.Addr)
		case r.Start.bits != 0 && r.End.bits != 0 && r.Start.bits != r.End.bits:
			b.report.Addf(path+".end_address", "want the mask of start_address, /%d", r.Start.bits)
		}
		b.out.Ranges[id] = &ipam.Range{
			ID: id, Start: r.Start.Addr, End: r.End.Addr, Bits: cmp.Or(r.Start.bits, r.End.bits), Role: b.ipamRole(r.Role), Populated: r.Populated,
			VRF:    b.find(b.vrf, path+".vrf", r.VRF),
			Status: b.status(path+".status", r.Status, "active", "reserved", "deprecated"),
			Tags:   b.tagIDs(path+".tags", r.Tags),
		}
	}
}

// ipamRole is the role of that name. It comes into being where it is named first.
func (b *builder) ipamRole(name string) ipam.Role {
	if name == "" {
		return ipam.Role{}
	}
	if b.role[name] == 0 {
		b.role[name] = int64(len(b.role) + 1)
	}
	return ipam.Role{ID: b.role[name], Name: name, Slug: slug(name)}
}

func (b *builder) unassigned() {
	for i, a := range b.file.Addresses.All() {
		b.address(fmt.Sprintf("ip_addresses[%d]", i), a, ipam.InterfaceID{})
	}
}

// hostKey is what NetBox keeps unique, unless it is told otherwise.
type hostKey struct {
	vrf  int64
	host netip.Addr
}

// roles of addresses cannot be extended in NetBox. Addresses of the shared
// ones may stand on several interfaces.
func roles() (single, shared []string) {
	return []string{"loopback", "secondary"}, []string{"anycast", "vip", "vrrp", "hsrp", "glbp", "carp"}
}

// address adds the address or addresses of an entry, assigned to an interface
// unless that is zero.
func (b *builder) address(path string, a address, to ipam.InterfaceID) {
	if !a.Address.first.IsValid() {
		b.report.Addf(path+".address", "want an address with its mask such as 10.0.0.5/24")
		return
	}
	if known := slices.Concat(roles()); a.Role != "" && !slices.Contains(known, a.Role) {
		b.report.Addf(path+".role", "no role %.60q in NetBox; %s", a.Role, nearest.Suggest(a.Role, known))
	}
	object := ipam.Address{
		VRF:       b.find(b.vrf, path+".vrf", a.VRF),
		Status:    b.same.Text(b.status(path+".status", a.Status, "active", "reserved", "deprecated", "dhcp", "slaac")),
		Role:      b.same.Text(a.Role),
		Tags:      b.same.IDs(b.tagIDs(path+".tags", a.Tags)),
		Interface: to,
		DNSName:   strings.ToLower(a.DNSName),
		Record:    b.record(path+".custom_fields", a.CustomFields),
		Reserved:  b.reservation(path+".custom_fields", a.CustomFields),
	}
	several := a.Address.first != a.Address.last
	switch {
	case len(b.out.Addresses) > maxAddresses:
		b.report.Addf("ip_addresses", "want at most %d addresses in one file", maxAddresses)
		return
	case several && to != (ipam.InterfaceID{}):
		b.report.Addf(path+".address", "an interface has single addresses")
		return
	case several && object.DNSName != "":
		b.report.Addf(path+".dns_name", "a name belongs to one address")
		return
	case several && object.Record != (ipam.Record{}):
		b.report.Addf(path+".custom_fields", "a record belongs to one address")
	case several && object.Reserved != nil:
		b.report.Addf(path+".custom_fields", "a reservation belongs to one address")
	}
	for host := a.Address.first; ; host = host.Next() {
		one := object
		one.ID = int64(len(b.out.Addresses) + 1)
		one.Address = netip.PrefixFrom(host, a.Address.bits)
		b.addAddress(path, &one)
		if host == a.Address.last {
			return
		}
	}
}

func (b *builder) addAddress(path string, a *ipam.Address) {
	key := hostKey{a.VRF, a.Address.Addr()}
	_, shared := roles()
	if other := b.taken[key]; other != nil && (other.Role != a.Role || !slices.Contains(shared, a.Role)) {
		b.report.Addf(path+".address", "%s is there already", a.Address.Addr())
	}
	b.taken[key] = a
	b.out.Addresses[a.ID] = a
}

// record reads the mirror of a binding from custom fields.
func (b *builder) record(path string, fields map[string]string) ipam.Record {
	known := slices.DeleteFunc([]string{b.opt.Fields.MAC, b.opt.Fields.Expire, b.opt.Fields.Hostname, b.opt.Fields.ReservationMAC, b.opt.Fields.ReservationClientID},
		func(name string) bool { return name == "" })
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			b.report.Addf(path+"."+name, "no custom field of addresses we use; %s", nearest.Suggest(name, known))
		}
	}
	record := ipam.Record{Client: strings.TrimSpace(fields[b.opt.Fields.MAC])}
	if mac, err := ipam.ParseMAC(record.Client); err == nil {
		record.Client = mac.String()
	}
	if name := b.opt.Fields.Hostname; name != "" {
		record.Hostname = fields[name]
	}
	if text := fields[b.opt.Fields.Expire]; text != "" {
		at, ok := parseTime(text)
		if !ok {
			b.report.Addf(path+"."+b.opt.Fields.Expire, "want a time such as 2026-01-31T12:00:00Z, not %.60q", text)
		}
		record.Expires = at
	}
	return record
}

// reservation reads which client an address is for (CL-1).
func (b *builder) reservation(path string, fields map[string]string) *ipam.Reservation {
	field := func(name string) ipam.ReservationField {
		if name == "" {
			return ipam.ReservationField{}
		}
		return ipam.ReservationField{Name: name, Text: fields[name]}
	}
	r := ipam.ParseReservation(field(b.opt.Fields.ReservationMAC), field(b.opt.Fields.ReservationClientID))
	if r != nil && r.Trouble != "" {
		b.report.Addf(path, "%s", r.Trouble)
	}
	return r
}

// parseTime reads a time; without a zone it is UTC.
func parseTime(text string) (time.Time, bool) {
	text = strings.Replace(strings.TrimSpace(text), " ", "T", 1)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
