package settings

import (
	"fmt"
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
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
func (n Network) RelayPrefixes() []netip.Prefix { return prefixesOf(n.Relays) }

// RelayPrefixes are the relays whose option 82 counts.
func (c Circuits) RelayPrefixes() []netip.Prefix { return prefixesOf(c.Relays) }

func prefixesOf(relays []Relays) []netip.Prefix {
	var list []netip.Prefix
	for _, r := range relays {
		list = append(list, r.Prefix)
	}
	return list
}

// ParseFormats reads the forms of circuit-ids; Load has checked them.
func (c Circuits) ParseFormats() circuit.Formats {
	f, _ := circuit.ParseFormats(c.Formats)
	return f
}

// validateCircuits reports relays and formats that are none, and formats that nothing
// is read by.
func validateCircuits(r *strictyaml.Report, c Circuits) {
	const relays, formats = "netbox.network.circuits.relays", "netbox.network.circuits.formats"
	validateRelays(r, relays, c.Relays)
	for i, entry := range c.Formats {
		if _, err := circuit.ParseFormats([]string{entry}); err != nil {
			r.Addf(fmt.Sprintf("%s[%d]", formats, i), "%v", err)
		}
	}
	if len(c.Formats) > 0 && len(c.Relays) == 0 && !r.Failed(relays) {
		r.Addf(formats, "want the relays that set or strip option 82 for each client in %s (CL-13)", relays)
	}
}

func validateRelays(r *strictyaml.Report, key string, relays []Relays) {
	for _, entry := range relays {
		switch {
		case !entry.IsValid(): // has its own line
		case !entry.Addr().Is4():
			r.Addf(key, "want IPv4 addresses or prefixes such as 10.0.0.1 or 10.0.0.0/24, not %s", entry.Prefix)
		case entry.Prefix != entry.Masked():
			r.Addf(key, "host bits are set in %s; want %s or %s", entry.Prefix, entry.Masked(), entry.Addr())
		}
	}
}
