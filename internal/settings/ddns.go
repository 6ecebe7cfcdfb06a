package settings

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// DDNS is netbox.ddns: names of clients in DNS. It has nothing to do with netbox.dns, which
// names the servers that clients ask.
type DDNS struct {
	Zones     []DDNSZone    `yaml:"zones"` // empty: no name is registered (DNS-1)
	Keys      []DDNSKey     `yaml:"keys"`
	Clients   string        `yaml:"clients"`   // all, static or dynamic
	Names     []string      `yaml:"names"`     // netbox, client, template: the first that gives a name
	Template  string        `yaml:"template"`  // {address} becomes 10-0-0-7
	Forbidden []string      `yaml:"forbidden"` // besides wpad, isatap and localhost
	DHCID     string        `yaml:"dhcid"`     // mac or client_id
	TTL       time.Duration `yaml:"ttl"`       // 0: a third of the lease, at least 10 minutes

	OverrideNoUpdate     bool `yaml:"override_no_update"`
	OverrideClientUpdate bool `yaml:"override_client_update"`
}

// DDNSZone is an entry of netbox.ddns.zones.
type DDNSZone struct {
	Name     string         `yaml:"name"`
	Server   string         `yaml:"server"` // address, with or without port
	Key      string         `yaml:"key"`    // name of an entry of netbox.ddns.keys
	Prefixes []netip.Prefix `yaml:"prefixes"`
}

// DDNSKey is an entry of netbox.ddns.keys.
type DDNSKey struct {
	Name       string `yaml:"name"`
	Algorithm  string `yaml:"algorithm"`   // empty: hmac-sha256
	SecretFile string `yaml:"secret_file"` // empty: the systemd credential ddns_NAME

	_ struct{} `yaml:"secret" refuse:"a secret is never a setting, since this file is read, copied and backed up: write it to a file of its own, name that in secret_file, and replace the key if others have seen this file"`
}

// On reports whether names are registered.
func (d DDNS) On() bool { return len(d.Zones) > 0 }

// Address is where the server of the zone listens.
func (z DDNSZone) Address() (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(z.Server); err == nil {
		return netip.AddrPortFrom(addr, 53), nil
	}
	return netip.ParseAddrPort(z.Server)
}

// Secret returns the secret of the key in base64. The file is read at each call, so that
// a renewed one is found without a restart (DNS-2).
func (k DDNSKey) Secret() (Secret, error) {
	if k.SecretFile == "" {
		return "", fmt.Errorf("key %s has no secret: set its secret_file, or give the service a systemd credential ddns_%s", k.Name, k.Name)
	}
	secret, err := ReadToken("the secret of key "+k.Name, k.SecretFile)
	if err != nil {
		return "", err
	}
	switch raw, err := base64.StdEncoding.DecodeString(secret.Reveal()); {
	case err != nil:
		return "", fmt.Errorf("%s: want the secret of the key in base64 and nothing else, as tsig-keygen and keymgr print it", k.SecretFile)
	case len(raw) < 16:
		return "", fmt.Errorf("%s: a secret of %d bytes is too short: want 16 or more, better 32", k.SecretFile, len(raw))
	}
	return secret, nil
}

// complete fills what follows from elsewhere: full paths, and credentials of systemd.
func (d *DDNS) complete(folder, credentials string) {
	for i := range d.Keys {
		switch k := &d.Keys[i]; {
		case k.SecretFile == "" && credentials != "":
			k.SecretFile = filepath.Join(credentials, "ddns_"+k.Name)
		case k.SecretFile != "" && !filepath.IsAbs(k.SecretFile):
			k.SecretFile = filepath.Join(folder, k.SecretFile)
		}
		if d.Keys[i].Algorithm == "" {
			d.Keys[i].Algorithm = "hmac-sha256"
		}
	}
}

// validateDDNS reports what makes no sense under netbox.ddns, whether it is on or not.
func validateDDNS(r *strictyaml.Report, n *NetBox) {
	d := n.DDNS
	r.OneOf("netbox.ddns.clients", d.Clients, "all", "static", "dynamic")
	r.OneOf("netbox.ddns.dhcid", d.DHCID, "mac", "client_id")
	if d.DHCID == "client_id" && n.Lease.Identify != "client_id" {
		r.Addf("netbox.ddns.dhcid", "client_id needs lease.identify: client_id: else the lease does not know the identifier (DNS-10)")
	}
	if d.TTL < 0 || d.TTL > 0 && d.TTL < time.Second || d.TTL > day {
		r.Addf("netbox.ddns.ttl", "want 1s to 24h, or 0s for a third of the lease, not %s", strictyaml.Duration(d.TTL))
	}
	for i, source := range d.Names {
		key := fmt.Sprintf("netbox.ddns.names[%d]", i)
		r.OneOf(key, source, "netbox", "client", "template")
		if slices.Index(d.Names, source) < i {
			r.Addf(key, "%s stands there already", source)
		}
	}
	if len(d.Names) == 0 {
		r.Addf("netbox.ddns.names", "want one or more of netbox, client, template")
	}
	if !ddnsTemplate(d.Template) {
		r.Addf("netbox.ddns.template", "want one label of small letters, digits and hyphens with {address} in it, such as dhcp-{address}")
	}
	for i, name := range d.Forbidden {
		if !ddnsLabel(strings.ToLower(name)) {
			r.Addf(fmt.Sprintf("netbox.ddns.forbidden[%d]", i), "want one label such as www, not %.60q", name)
		}
	}
	validateKeys(r, d.Keys)
	validateZones(r, d)
}

func validateKeys(r *strictyaml.Report, keys []DDNSKey) {
	for i, k := range keys {
		key := fmt.Sprintf("netbox.ddns.keys[%d]", i)
		switch {
		case !ddnsName(k.Name):
			r.Addf(key+".name", "want the name of the key as the server has it, such as dhcp-key")
		case slices.IndexFunc(keys, func(other DDNSKey) bool { return sameName(other.Name, k.Name) }) < i:
			r.Addf(key+".name", "another key has this name")
		}
		r.OneOf(key+".algorithm", k.Algorithm, "hmac-sha256", "hmac-sha384", "hmac-sha512")
		if mistake := PathMistake(k.SecretFile); mistake != "" {
			r.Addf(key+".secret_file", "%s", mistake)
		}
	}
}

func validateZones(r *strictyaml.Report, d DDNS) {
	type use struct {
		prefix  netip.Prefix
		reverse bool
	}
	used := make(map[use]string)
	for i, z := range d.Zones {
		key := fmt.Sprintf("netbox.ddns.zones[%d]", i)
		switch {
		case !ddnsName(z.Name):
			r.Addf(key+".name", "want the name of a zone such as dhcp.example.org or 0.0.10.in-addr.arpa")
		case slices.IndexFunc(d.Zones, func(other DDNSZone) bool { return sameName(other.Name, z.Name) }) < i:
			r.Addf(key+".name", "another entry is for this zone")
		}
		if at, err := z.Address(); err != nil || at.Addr().IsUnspecified() || at.Port() == 0 {
			r.Addf(key+".server", "want the address of the zone's primary, such as 192.0.2.53 or 192.0.2.53:5353")
		}
		if !slices.ContainsFunc(d.Keys, func(k DDNSKey) bool { return sameName(k.Name, z.Key) }) {
			r.Addf(key+".key", "want the name of an entry of netbox.ddns.keys")
		}
		prefixes, reverse, classless := z.Clients()
		if len(prefixes) == 0 {
			r.Addf(key+".prefixes", "the name of the zone says no addresses: want the prefixes that it is for, as of RFC 2317")
		}
		for _, p := range prefixes {
			switch other := used[use{p, reverse}]; {
			case !p.IsValid(): // has its own line
			case !p.Addr().Is4() || p != p.Masked():
				r.Addf(key+".prefixes", "want IPv4 prefixes without host bits such as 10.0.0.0/24, not %s", p)
			case classless && p.Bits() < 24:
				r.Addf(key+".prefixes", "a reverse zone with prefixes is one of RFC 2317, within one /24; for %s leave them out and name the zone after its octets", p)
			case other != "":
				r.Addf(key+".prefixes", "%s has the same clients: which zone counts?", other)
			default:
				used[use{p, reverse}] = "zone " + z.Name
			}
		}
	}
}

// Clients are the prefixes whose clients the zone is for. reverse says that it has names
// of addresses, classless that these are last octets (RFC 2317). No prefix at all: the
// name of a reverse zone says none.
func (z DDNSZone) Clients() (prefixes []netip.Prefix, reverse, classless bool) {
	within, reverse := addressesOf(z.Name)
	switch {
	case len(z.Prefixes) > 0:
		return z.Prefixes, reverse, reverse
	case !reverse:
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)}, false, false
	case within.IsValid():
		return []netip.Prefix{within}, true, false
	}
	return nil, true, false
}

// addressesOf returns the addresses whose names are in a reverse zone; is false for other
// zones. The zero Prefix: the name says none, as in RFC 2317.
func addressesOf(name string) (within netip.Prefix, is bool) {
	labels, is := strings.CutSuffix("."+strings.ToLower(strings.TrimSuffix(name, ".")), ".in-addr.arpa")
	if !is {
		return within, false
	}
	parts := strings.Split(labels, ".")[1:]
	if labels == "" {
		parts = nil
	}
	if len(parts) > 3 {
		return within, true
	}
	slices.Reverse(parts)
	var octets [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || part != strconv.FormatUint(n, 10) {
			return within, true
		}
		octets[i] = byte(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(octets), 8*len(parts)), true
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// ddnsName reports whether text is a domain name of a zone or a key. A slash is for zones
// of RFC 2317.
func ddnsName(text string) bool {
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	if text == "" || len(text) > 240 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_/") != "" {
			return false
		}
	}
	return true
}

func ddnsLabel(text string) bool {
	return ddnsName(text) && !strings.ContainsAny(text, "._/")
}

func ddnsTemplate(text string) bool {
	filled := strings.ReplaceAll(text, "{address}", "255-255-255-255")
	return filled != text && ddnsLabel(filled) && filled == strings.ToLower(filled) && strings.Trim(filled, "-") == filled
}
