package settings

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

func netip4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// revalidate judges settings that were accepted once more, without a file.
func revalidate(n *NetBox) error {
	r := strictyaml.Decode("", nil, &struct{}{})
	validate(r, n)
	return r.Err()
}
