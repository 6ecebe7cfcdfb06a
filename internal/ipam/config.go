package ipam

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

// Config is what the DHCP key of a config context says (pydhcp_configuration),
// read tolerantly: a value of the wrong type is left out with a warning and
// never stops a lease (G-9).
type Config struct {
	DNSServers   []netip.Addr // dns_servers, IPv4 only (G-5)
	DomainName   string       // domain_name, option 15
	DomainSearch []string     // domain_search, option 119
	NTPServers   []netip.Addr // ntp_servers, option 42
	MTU          int          // mtu 68..65535, option 26; 0: unset
	StaticRoutes []Route      // static_routes, options 121 and 249 (G-4)
	IPv6OnlyWait time.Duration
	// HasIPv6OnlyWait tells a configured zero from an absent key.
	HasIPv6OnlyWait bool

	TFTPServer   string            // tftp_server
	PXEBootFile  string            // pxe_boot_file
	UEFIBootFile string            // uefi_boot_file
	HTTPBootURL  string            // http_boot_url
	IPXEBootFile string            // ipxe_boot_file
	BootFiles    map[uint16]string // boot_files by architecture number
}

// Route is a classless static route, RFC 3442.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// ParseConfig reads the JSON value under the context key. It always returns a
// Config; warnings name the key and what is wrong with it, or that nothing reads
// it.
func ParseConfig(raw json.RawMessage) (*Config, []string) {
	p := configParser{config: new(Config)}
	if len(raw) == 0 || string(raw) == "null" {
		return p.config, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		p.warnf("config context: want an object, not %.40s", raw)
		return p.config, p.warnings
	}
	c := p.config
	c.DNSServers = p.addrs("dns_servers", keys)
	c.NTPServers = p.addrs("ntp_servers", keys)
	c.DomainName = p.text("domain_name", keys)
	c.DomainSearch = p.texts("domain_search", keys)
	if mtu, ok := p.number("mtu", 68, 65535, keys); ok {
		c.MTU = int(mtu)
	}
	c.StaticRoutes = p.routes("static_routes", keys)
	if wait, ok := p.number("ipv6_only_wait", 0, 1<<32-1, keys); ok {
		c.IPv6OnlyWait, c.HasIPv6OnlyWait = time.Duration(wait)*time.Second, true
	}
	c.TFTPServer = p.text("tftp_server", keys)
	c.PXEBootFile = p.text("pxe_boot_file", keys)
	c.UEFIBootFile = p.text("uefi_boot_file", keys)
	c.HTTPBootURL = p.text("http_boot_url", keys)
	c.IPXEBootFile = p.text("ipxe_boot_file", keys)
	c.BootFiles = p.bootFiles("boot_files", keys)
	p.unread(keys)
	return c, p.warnings
}

// known are the keys that something reads: ParseConfig, or Data.
func known() []string {
	return append(contextKeys(),
		"boot_files", "dns_servers", "domain_name", "domain_search", "http_boot_url", "ipv6_only_wait", "ipxe_boot_file", "mtu",
		"ntp_servers", "pxe_boot_file", "static_routes", "tftp_server", "uefi_boot_file",
	)
}

// unread warns of keys that nothing reads, and of what was probably meant (G-9).
func (p *configParser) unread(keys map[string]json.RawMessage) {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		near := nearest.Word(key, known())
		switch {
		case slices.Contains(known(), key):
		case near != "":
			p.warnf("%.60q is no key that is read: did you mean %s?", key, near)
		default:
			p.warnf("%.60q is no key that is read", key)
		}
	}
}

type configParser struct {
	config   *Config
	warnings []string
}

func (p *configParser) warnf(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// text returns the string under key, or "" for an absent or null value.
func (p *configParser) text(key string, keys map[string]json.RawMessage) string {
	var s *string
	if raw, ok := keys[key]; ok && json.Unmarshal(raw, &s) != nil {
		p.warnf("%s: want a string, not %.40s", key, raw)
	}
	if s == nil {
		return ""
	}
	return *s
}

// texts returns a list of strings; a single string counts as a list of one.
func (p *configParser) texts(key string, keys map[string]json.RawMessage) []string {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		if one == "" {
			return nil
		}
		return []string{one}
	}
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		p.warnf("%s: want a list of strings, not %.40s", key, raw)
		return nil
	}
	var list []string
	for _, entry := range entries {
		var text string
		if json.Unmarshal(entry, &text) != nil || text == "" {
			p.warnf("%s: skipping %.40s: want a string", key, entry)
			continue
		}
		list = append(list, text)
	}
	return list
}

func (p *configParser) addrs(key string, keys map[string]json.RawMessage) []netip.Addr {
	var list []netip.Addr
	for _, s := range p.texts(key, keys) {
		addr, err := netip.ParseAddr(s)
		if err != nil || !addr.Is4() || addr.IsUnspecified() {
			p.warnf("%s: skipping %.60q, which is no IPv4 address", key, s)
			continue
		}
		list = append(list, addr)
	}
	return list
}

// number returns the whole number under key, and whether there is one.
func (p *configParser) number(key string, low, high int64, keys map[string]json.RawMessage) (int64, bool) {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < low || n > high {
		p.warnf("%s: want a whole number from %d to %d, not %.40s", key, low, high, raw)
		return 0, false
	}
	return n, true
}

// routes reads a list of {destination, gateway} objects or
// "destination,gateway" strings (G-4).
func (p *configParser) routes(key string, keys map[string]json.RawMessage) []Route {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return nil
	}
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		p.warnf("%s: want a list of routes, not %.40s", key, raw)
		return nil
	}
	var list []Route
	for _, entry := range entries {
		route, err := parseRoute(entry)
		if err != nil {
			p.warnf("%s: skipping %.80s: %v", key, entry, err)
			continue
		}
		list = append(list, route)
	}
	return list
}

func (p *configParser) bootFiles(key string, keys map[string]json.RawMessage) map[uint16]string {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return nil
	}
	var byArch map[string]json.RawMessage
	if json.Unmarshal(raw, &byArch) != nil {
		p.warnf("%s: want an object from architecture number to file, not %.40s", key, raw)
		return nil
	}
	files := make(map[uint16]string, len(byArch))
	for _, number := range slices.Sorted(maps.Keys(byArch)) {
		arch, err := strconv.ParseUint(number, 10, 16)
		var file string
		if err != nil || json.Unmarshal(byArch[number], &file) != nil || file == "" {
			p.warnf("%s: skipping %.20q: want a decimal architecture number and a file name", key, number)
			continue
		}
		files[uint16(arch)] = file
	}
	return files
}
