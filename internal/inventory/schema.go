package inventory

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// document is the file. Keys are NetBox's. Objects refer to others by name, and
// sections may stand in any order.
type document struct {
	Tags            []tag                    `yaml:"tags"`
	Regions         []nested                 `yaml:"regions"`
	SiteGroups      []nested                 `yaml:"site_groups"`
	TenantGroups    []nested                 `yaml:"tenant_groups"`
	Tenants         []tenant                 `yaml:"tenants"`
	Sites           []site                   `yaml:"sites"`
	Locations       []location               `yaml:"locations"`
	VRFs            []vrf                    `yaml:"vrfs"`
	Prefixes        []prefix                 `yaml:"prefixes"`
	Ranges          []ipRange                `yaml:"ip_ranges"`
	Addresses       strictyaml.List[address] `yaml:"ip_addresses"`
	Devices         strictyaml.List[machine] `yaml:"devices"`
	VirtualMachines strictyaml.List[machine] `yaml:"virtual_machines"`
	Contexts        []configContext          `yaml:"config_contexts"`
}

// tag declares a tag whose slug is not the obvious one; others need no
// declaration.
type tag struct {
	Name string `yaml:"name"`
	Slug string `yaml:"slug"`
}

type nested struct {
	Name   string `yaml:"name"`
	Parent string `yaml:"parent"` // listed above
}

type tenant struct {
	Name  string `yaml:"name"`
	Group string `yaml:"group"`
}

type site struct {
	Name   string `yaml:"name"`
	Region string `yaml:"region"`
	Group  string `yaml:"group"`
	Tenant string `yaml:"tenant"`
}

type location struct {
	Name   string `yaml:"name"`
	Site   string `yaml:"site"`
	Parent string `yaml:"parent"` // listed above, of the same site
}

type vrf struct {
	Name string `yaml:"name"`
	RD   string `yaml:"rd"`
}

type prefix struct {
	Prefix    netip.Prefix `yaml:"prefix"`
	VRF       string       `yaml:"vrf"`
	Status    string       `yaml:"status"` // default: active
	Site      string       `yaml:"site"`
	Location  string       `yaml:"location"`
	Region    string       `yaml:"region"`
	SiteGroup string       `yaml:"site_group"`
	Tenant    string       `yaml:"tenant"`
	VLAN      string       `yaml:"vlan"` // name of the VLAN object; the same name is the same VLAN
	Tags      []string     `yaml:"tags"`
}

type ipRange struct {
	Start     bound    `yaml:"start_address"`
	End       bound    `yaml:"end_address"`
	VRF       string   `yaml:"vrf"`
	Status    string   `yaml:"status"` // default: active
	Role      string   `yaml:"role"`
	Tags      []string `yaml:"tags"`
	Populated bool     `yaml:"mark_populated"`
}

type address struct {
	Address      span              `yaml:"address"`
	VRF          string            `yaml:"vrf"`
	Status       string            `yaml:"status"` // default: active
	Role         string            `yaml:"role"`
	DNSName      string            `yaml:"dns_name"`
	Tags         []string          `yaml:"tags"`
	CustomFields map[string]string `yaml:"custom_fields"`
}

type machine struct {
	Name         string                     `yaml:"name"`
	Site         string                     `yaml:"site"`
	Location     string                     `yaml:"location"`
	Tenant       string                     `yaml:"tenant"`
	Role         string                     `yaml:"role"`
	Platform     string                     `yaml:"platform"`
	DeviceType   string                     `yaml:"device_type"`
	Serial       string                     `yaml:"serial"` // of devices
	Cluster      string                     `yaml:"cluster"`
	Tags         []string                   `yaml:"tags"`
	PrimaryIP4   host                       `yaml:"primary_ip4"`
	Context      json.RawMessage            `yaml:"config_context"` // its own, above all others
	CustomFields map[string]json.RawMessage `yaml:"custom_fields"`
	Interfaces   []port                     `yaml:"interfaces"`
}

type port struct {
	Name      string     `yaml:"name"`
	MAC       *ipam.MAC  `yaml:"mac_address"`
	MACs      []ipam.MAC `yaml:"mac_addresses"`
	LAG       string     `yaml:"lag"`    // name of an interface of the same device
	Bridge    string     `yaml:"bridge"` // name of an interface of the same machine
	Parent    string     `yaml:"parent"` // name of an interface of the same machine
	Addresses []address  `yaml:"ip_addresses"`
	// Endpoint is what the cable leads to; said at one end or at both.
	Endpoint *endpoint `yaml:"connected_endpoint"`
}

// endpoint names an interface of any device.
type endpoint struct {
	Device string `yaml:"device"`
	Name   string `yaml:"name"`
}

type configContext struct {
	Name         string          `yaml:"name"`
	Weight       *int            `yaml:"weight"`    // default: 1000
	IsActive     *bool           `yaml:"is_active"` // default: true
	Regions      []string        `yaml:"regions"`
	SiteGroups   []string        `yaml:"site_groups"`
	Sites        []string        `yaml:"sites"`
	Locations    []string        `yaml:"locations"`
	Tenants      []string        `yaml:"tenants"`
	TenantGroups []string        `yaml:"tenant_groups"`
	Roles        []string        `yaml:"roles"`
	Platforms    []string        `yaml:"platforms"`
	DeviceTypes  []string        `yaml:"device_types"`
	Clusters     []string        `yaml:"clusters"`
	Tags         []string        `yaml:"tags"`
	Data         json.RawMessage `yaml:"data"`
}

// span is one address with its mask, or a run of them.
type span struct {
	first, last netip.Addr
	bits        int
}

const (
	maxSpan      = 1 << 16 // addresses of one entry: a whole /16
	maxAddresses = 1 << 18 // of a file
)

// UnmarshalText reads 10.0.0.5/24 and 10.0.0.100-10.0.0.199/24.
func (s *span) UnmarshalText(text []byte) error {
	want := fmt.Errorf("want an address with its mask such as 10.0.0.5/24, or several as in 10.0.0.100-10.0.0.199/24, not %.60q", text)
	addrs, mask, _ := strings.Cut(string(text), "/")
	low, high, several := strings.Cut(addrs, "-")
	first, err := netip.ParsePrefix(strings.TrimSpace(low) + "/" + mask)
	if err != nil {
		return want
	}
	run := span{first.Addr(), first.Addr(), first.Bits()}
	if several {
		if run.last, err = netip.ParseAddr(strings.TrimSpace(high)); err != nil || !run.last.Is4() || !run.first.Is4() {
			return want
		}
		if err := run.check(); err != nil {
			return err
		}
	}
	*s = run
	return nil
}

func (s span) check() error {
	switch {
	case s.last.Less(s.first):
		return errors.New("the last address is below the first")
	case !netip.PrefixFrom(s.first, s.bits).Contains(s.last):
		return fmt.Errorf("%s and %s are not in one /%d", s.first, s.last, s.bits)
	case s.steps() >= maxSpan:
		return fmt.Errorf("want at most %d addresses in one entry", maxSpan)
	}
	return nil
}

// steps counts the addresses of an IPv4 span after the first.
func (s span) steps() uint32 {
	first, last := s.first.As4(), s.last.As4()
	return binary.BigEndian.Uint32(last[:]) - binary.BigEndian.Uint32(first[:])
}

// bound is the first or last address of a range. Without a mask clients are told
// that of their network.
type bound struct {
	host
	bits int // 0: no mask
}

// UnmarshalText reads 10.0.0.5/24 and 10.0.0.5.
func (b *bound) UnmarshalText(text []byte) error {
	if err := b.host.UnmarshalText(text); err != nil {
		return err
	}
	if p, err := netip.ParsePrefix(string(text)); err == nil {
		b.bits = p.Bits()
	}
	return nil
}

// host is an address whose mask, if there is one, says nothing.
type host struct{ netip.Addr }

// UnmarshalText reads 10.0.0.5 and 10.0.0.5/24.
func (h *host) UnmarshalText(text []byte) error {
	addr, _, masked := strings.Cut(string(text), "/")
	var err error
	if h.Addr, err = netip.ParseAddr(addr); err == nil && masked {
		_, err = netip.ParsePrefix(string(text))
	}
	if err != nil || h.Zone() != "" {
		return fmt.Errorf("want an address such as 10.0.0.5, not %.60q", text)
	}
	return nil
}
