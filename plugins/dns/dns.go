package dns

import (
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	maxServers = 16  // option 6 (G-6)
	maxTimes   = 63  // option 42 without splitting it (RFC 3396)
	maxText    = 255 // option 15, likewise
	maxName    = 253 // a DNS name in text form, RFC 1035 section 2.3.4
	maxLabel   = 63
)

// fill sets the options of this plugin that the client wants: 6, 15, 119
// and 42. config is the client's or its site's and may be nil; fallback is sent
// where it names no DNS servers (G-6). It returns the names that cannot be sent.
func fill(req, resp *dhcpv4.DHCPv4, config *ipam.Config, fallback []netip.Addr) (unusable []string) {
	if config == nil {
		config = new(ipam.Config)
	}
	servers := config.DNSServers // G-5
	if len(servers) == 0 {
		servers = fallback
	}
	setAddrs(req, resp, dhcpv4.OptionDomainNameServer, servers, maxServers)
	setAddrs(req, resp, dhcpv4.OptionNTPServers, config.NTPServers, maxTimes)
	switch name := config.DomainName; {
	case name == "":
	case !printable(name):
		unusable = append(unusable, name)
	case dhcp4.Wanted(req, dhcpv4.OptionDomainName):
		resp.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionDomainName, []byte(name)))
	}
	search, bad := domainNames(config.DomainSearch)
	if len(search) > 0 && dhcp4.Wanted(req, dhcpv4.OptionDNSDomainSearchList) {
		resp.UpdateOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: search}))
	}
	return append(unusable, bad...)
}

// setAddrs sets an option that lists IPv4 addresses, at most limit of them.
func setAddrs(req, resp *dhcpv4.DHCPv4, code dhcpv4.OptionCode, addrs []netip.Addr, limit int) {
	if len(addrs) == 0 || !dhcp4.Wanted(req, code) {
		return
	}
	var room [maxServers]netip.Addr
	list := room[:0]
	for _, a := range addrs {
		if a.Is4() && len(list) < limit {
			list = append(list, a)
		}
	}
	if len(list) > 0 {
		dhcp4.SetAddrs(resp, code, list...)
	}
}

// printable reports whether option 15 can carry text. It need not be one domain
// name: some sites send a list, which some clients search.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(text) <= maxText
}

// domainNames splits names into those that have a wire format and the others. A
// final dot is dropped, since every name in option 119 is complete.
func domainNames(names []string) (good, bad []string) {
	for _, name := range names {
		if domain := strings.TrimSuffix(name, "."); isDomain(domain) {
			good = append(good, domain)
		} else {
			bad = append(bad, name)
		}
	}
	return good, bad
}

// isDomain accepts labels of letters, digits, hyphens and underscores.
func isDomain(name string) bool {
	if len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
		for _, c := range []byte(label) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
