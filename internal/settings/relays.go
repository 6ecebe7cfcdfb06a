package settings

import (
	"fmt"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Relays is one entry of netbox.network.relays: an IPv4 address, or a prefix.
type Relays struct{ netip.Prefix }

// UnmarshalText reads 10.0.0.1 as 10.0.0.1/32.
func (r *Relays) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil {
		r.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	if err := r.Prefix.UnmarshalText(text); err != nil {
		return fmt.Errorf("want an IPv4 address or prefix such as 10.0.0.1 or 10.0.0.0/24, not %.60q", text)
	}
	return nil
}

// RelayPrefixes are the relays that the settings list.
func (n Network) RelayPrefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, r := range n.Relays {
		list = append(list, r.Prefix)
	}
	return list
}

func validateRelays(r *strictyaml.Report, relays []Relays) {
	for _, entry := range relays {
		switch {
		case !entry.IsValid(): // has its own line
		case !entry.Addr().Is4():
			r.Addf("netbox.network.relays", "want IPv4 addresses or prefixes such as 10.0.0.1 or 10.0.0.0/24, not %s", entry.Prefix)
		case entry.Prefix != entry.Masked():
			r.Addf("netbox.network.relays", "host bits are set in %s; want %s or %s", entry.Prefix, entry.Masked(), entry.Addr())
		}
	}
}
