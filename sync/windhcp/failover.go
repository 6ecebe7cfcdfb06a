package windhcp

import (
	"net/netip"
	"strings"
)

// ServerName is what a configured server may be called by others.
type ServerName struct {
	Host    string // name or address literal, as configured
	Aliases []string
}

// MatchServer finds the configured server that name means: by full name
// without regard to case and a trailing dot, else by a short name only one
// server has, else by address or alias (rule 3.3). Servers name
// their partners in all of these ways.
func MatchServer(name string, servers []ServerName) (index int, ok bool) {
	name = plainName(name)
	if name == "" {
		return 0, false
	}
	for i, s := range servers {
		if plainName(s.Host) == name {
			return i, true
		}
	}
	index, found := 0, 0
	for i, s := range servers {
		if shortName(s.Host) == shortName(name) {
			index, found = i, found+1
		}
	}
	// Two full names that differ are two servers, however they begin.
	full := strings.Contains(name, ".") && found == 1 && strings.Contains(plainName(servers[index].Host), ".")
	if found == 1 && !full {
		return index, true
	}
	for i, s := range servers {
		for _, alias := range s.Aliases {
			if plainName(alias) == name {
				return i, true
			}
		}
	}
	return 0, false
}

func plainName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return addr.String()
	}
	return s
}

// shortName is the first label; an address has none shorter.
func shortName(s string) string {
	s = plainName(s)
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	first, _, _ := strings.Cut(s, ".")
	return first
}
