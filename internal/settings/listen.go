package settings

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Listener is one entry of server4.listen.
type Listener struct {
	Addr      netip.Addr // unspecified: all addresses
	Interface string     // empty: all interfaces
	Port      int        // 0: 67
}

// listen reads server4.listen as CoreDHCP does, which stops the start with the
// first mistake and says no line (F-7). A missing key listens everywhere.
func (c *chainReader) listen(key string, section *yaml.Node) (all []Listener) {
	for i := 0; i+1 < len(section.Content); i += 2 {
		name, value := section.Content[i], section.Content[i+1]
		if !strings.EqualFold(name.Value, "listen") {
			continue
		}
		path := key + "." + name.Value
		entries := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			entries = value.Content
		}
		for at, entry := range entries {
			if value.Kind == yaml.SequenceNode {
				path = fmt.Sprintf("%s.%s[%d]", key, name.Value, at)
			}
			if entry.Kind != yaml.ScalarNode {
				c.report.Addf(path, "want an interface such as \"%%eth0\" or an address")
				continue
			}
			l, err := parseListener(entry.Value)
			if err != nil {
				c.report.Addf(path, "%v", err)
				continue
			}
			if l.Interface == "" && !l.Addr.IsUnspecified() && !l.Addr.IsLoopback() && !l.Addr.IsMulticast() {
				c.warnings = append(c.warnings, Problem{File: c.file, Line: entry.Line, Key: path,
					Text: fmt.Sprintf("%s alone gets no broadcasts, so clients without a relay are not heard: write its interface, such as \"%%eth0\"", l.Addr)})
			}
			all = append(all, l)
		}
	}
	return all
}

func parseListener(text string) (Listener, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, ""
	}
	addr, device, zoned := strings.Cut(host, "%")
	l := Listener{Addr: netip.IPv4Unspecified(), Interface: device}
	switch {
	case zoned && device == "":
		return l, fmt.Errorf("want the name of an interface after %%")
	case addr == "":
	default:
		if l.Addr, err = netip.ParseAddr(addr); err == nil && l.Addr.Is4() {
			break
		}
		if bare, _, found := strings.Cut(addr, "/"); found {
			if _, err := netip.ParseAddr(bare); err == nil {
				return l, fmt.Errorf("want an address without a mask: %s", bare)
			}
		}
		if err == nil || strings.Contains(addr, ":") {
			return l, fmt.Errorf("want an IPv4 address, not %.60q", text)
		}
		return l, fmt.Errorf("an interface is written with %%: \"%%%.40s\"; an address as 10.10.0.2", addr)
	}
	if port != "" {
		if l.Port, err = strconv.Atoi(port); err != nil || l.Port < 1 || l.Port > 65535 {
			return l, fmt.Errorf("want a port from 1 to 65535, not %.20q", port)
		}
	}
	return l, nil
}
