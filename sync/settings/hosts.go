package settings

import (
	"net/netip"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// FindServer returns the configured server that name means, in any of the forms
// a server is known by (rule 3.3).
func (s Sync) FindServer(name string) (Server, bool) {
	i := serverIndex(s.Servers, name)
	if i < 0 {
		return Server{}, false
	}
	return s.Servers[i], true
}

// serverIndex is FindServer for a position; -1: none.
func serverIndex(servers []Server, name string) int {
	names := make([]windhcp.ServerName, len(servers))
	for i, s := range servers {
		names[i] = windhcp.ServerName{Host: s.Host, Aliases: s.Aliases}
	}
	i, ok := windhcp.MatchServer(name, names)
	if !ok {
		return -1
	}
	return i
}

// canonicalHost makes equal what names the same host: case, a final dot, and
// ways to write an address do not count.
func canonicalHost(s string) string {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().String()
	}
	return s
}

// hostMistake says why s is no name or address of a host, empty if it is one.
// It does not repeat s, which may hold a password where people paste addresses.
func hostMistake(s string) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
			return "want the address of a host, without a zone"
		}
		return ""
	}
	switch {
	case s == "":
		return "want the name or address of a host"
	case strings.Contains(s, "://"):
		return "want a name or address alone; the scheme is said by https: and the port by port: or ssh.port"
	case strings.HasPrefix(s, "["):
		return "want an IPv6 address without brackets"
	case strings.Contains(s, ":"):
		return "want a name or address alone; the port goes to port: or ssh.port"
	case !domainName(s):
		return "want a name such as dh1.corp.example, or an address"
	}
	return ""
}

// domainName says that s is a host name of ASCII labels. Windows allows _ too.
// A last label of digits only would be an address that was mistyped.
func domainName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	labels := strings.Split(s, ".")
	for _, label := range labels {
		foreign := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, foreign) || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(s) <= 253 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}
