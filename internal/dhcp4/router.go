package dhcp4

import (
	"cmp"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Routers appends to list the gateways of N in the order a client should prefer
// them (G-2): inside its own subnet first, then addresses that routers share, then
// the lowest. client is the client's address with the mask it was sent; it is
// never its own gateway (G-3). Without any gateway it is fallback, if valid.
func Routers(list []netip.Addr, gateways []*ipam.Address, client netip.Prefix, fallback netip.Addr) []netip.Addr {
	var room [8]*ipam.Address
	ranked := room[:0]
	for _, a := range gateways {
		if a.Address.Addr().Is4() && a.Address.Addr() != client.Addr() {
			ranked = append(ranked, a)
		}
	}
	slices.SortStableFunc(ranked, func(a, b *ipam.Address) int {
		return cmp.Or(
			cmp.Compare(outside(client, a), outside(client, b)),
			cmp.Compare(roleRank(a), roleRank(b)),
			a.Address.Addr().Compare(b.Address.Addr()),
		)
	})
	for _, a := range ranked {
		list = append(list, a.Address.Addr())
	}
	if len(list) == 0 && fallback.Is4() && fallback != client.Addr() {
		list = append(list, fallback)
	}
	return slices.Compact(list)
}

func outside(client netip.Prefix, a *ipam.Address) int {
	if client.Contains(a.Address.Addr()) {
		return 0
	}
	return 1
}

// roleRank sorts the NetBox roles of addresses that routers share before all
// others.
func roleRank(a *ipam.Address) int {
	shared := []string{"vrrp", "hsrp", "glbp", "carp", "vip"}
	if i := slices.Index(shared, a.Role); i >= 0 {
		return i
	}
	return len(shared)
}

// ClientPrefix returns the client's address, which is ciaddr for an INFORM,
// with the mask resp tells it. Without a usable mask it is a single address;
// without an address it is invalid.
func ClientPrefix(req, resp *Packet) netip.Prefix {
	addr := HeaderAddr(resp.YourIPAddr)
	if TypeOf(req) == dhcpv4.MessageTypeInform {
		addr = HeaderAddr(req.ClientIPAddr)
	}
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	bits := 32
	if mask := resp.Options.Get(dhcpv4.OptionSubnetMask); len(mask) == net.IPv4len {
		if ones, size := net.IPMask(mask).Size(); size == 32 {
			bits = ones
		}
	}
	return netip.PrefixFrom(addr, bits)
}
