package dhcp4

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func address(cidr, role string) *ipam.Address {
	return &ipam.Address{Address: prefix(cidr), Role: role, Status: "active"}
}
