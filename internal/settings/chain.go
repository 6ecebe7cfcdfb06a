package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// The registered names of our plugins.
const (
	PluginNetBox  = "netbox"
	PluginGateway = "netbox_gateway"
	PluginDNS     = "netbox_dns"
	PluginPXE     = "netbox_pxe"
	PluginNak     = "nak"
)

// Chain is the list of plugins under server4, as CoreDHCP will see it.
type Chain struct {
	Listen  []Listener // empty: all interfaces
	Plugins []Plugin
	// NetBoxPath is the argument of netbox in a stock build, as written.
	NetBoxPath string
	Nak        string       // authoritative, own or off; off also where nak is not in the chain
	DNS        []netip.Addr // fall-back servers in the entry netbox_dns (G-6)
}

// Plugin is one entry of the chain.
type Plugin struct {
	Name string // lower case (F-8)
	Args []string
	Line int
}

// Has says that the plugin with this registered name is in the chain.
func (c Chain) Has(name string) bool { return c.index(name) >= 0 }

func (c Chain) index(name string) int {
	return slices.IndexFunc(c.Plugins, func(p Plugin) bool { return p.Name == name })
}

// needsNetBox says that a plugin reads NetBox facts.
func (c Chain) needsNetBox() bool {
	return c.Has(PluginNetBox) || c.Has(PluginGateway) || c.Has(PluginDNS) || c.Has(PluginPXE)
}

// NakWord reads the arguments of the plugin nak: authoritative (also where
// nothing is given), own or off.
func NakWord(args []string) (string, error) {
	known := []string{"authoritative", "own", "off"}
	switch {
	case len(args) == 0:
		return known[0], nil
	case len(args) == 1 && slices.Contains(known, args[0]):
		return args[0], nil
	case len(args) == 1:
		return "", fmt.Errorf("want %s, not %.40q", strings.Join(known, ", "), args[0])
	}
	return "", fmt.Errorf("want one word of %s", strings.Join(known, ", "))
}

// maxDNSServers is what option 6 is filled with at most (G-6).
const maxDNSServers = 16

// FallbackServers reads the arguments of the plugin netbox_dns: up to 16 IPv4
// addresses.
func FallbackServers(args []string) ([]netip.Addr, error) {
	if len(args) > maxDNSServers {
		return nil, fmt.Errorf("want at most %d addresses, not %d", maxDNSServers, len(args))
	}
	var servers []netip.Addr
	for _, arg := range args {
		addr, err := netip.ParseAddr(arg)
		if err != nil && strings.Contains(arg, ",") {
			return nil, fmt.Errorf("want IPv4 addresses with blanks between them, not %.60q", arg)
		}
		if err != nil || !hostAddress(addr) {
			return nil, fmt.Errorf("want IPv4 addresses of hosts, not %.60q", arg)
		}
		if !slices.Contains(servers, addr) {
			servers = append(servers, addr)
		}
	}
	return servers, nil
}

// chainReader reads the section server4.
type chainReader struct {
	report   *strictyaml.Report
	stock    bool
	file     string
	paths    []string // of Chain.Plugins, in the file
	warnings []Problem
}

func (c *chainReader) read(key string, section *yaml.Node) Chain {
	chain := Chain{Nak: "off"}
	if section == nil || !c.report.Has(key) {
		if !c.stock {
			c.report.Addf("server4", "the section with listen: and plugins: is missing")
		}
		return chain
	}
	chain.Listen = c.listen(key, section)
	path, list := c.pluginList(key, section)
	if list == nil {
		return chain
	}
	for i, entry := range list.Content {
		if plugin, at, ok := c.plugin(fmt.Sprintf("%s[%d]", path, i), entry); ok {
			chain.Plugins = append(chain.Plugins, plugin)
			c.paths = append(c.paths, at)
		}
	}
	c.arguments(&chain)
	c.order(chain)
	return chain
}

// pluginList finds the key plugins, in upper or lower case.
func (c *chainReader) pluginList(key string, section *yaml.Node) (string, *yaml.Node) {
	if section.Kind != yaml.MappingNode {
		c.report.Addf(key, "want a mapping with listen: and plugins:")
		return "", nil
	}
	for i := 0; i+1 < len(section.Content); i += 2 {
		name, list := section.Content[i].Value, section.Content[i+1]
		if !strings.EqualFold(name, "plugins") {
			continue
		}
		path := key + "." + name
		if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
			c.report.Addf(path, "want a list of plugins, in the order they work")
			return "", nil
		}
		return path, list
	}
	c.report.Addf(key+".plugins", "the list of plugins is missing")
	return "", nil
}

// plugin reads one entry the way CoreDHCP does (F-7), which takes what it does
// not understand for a plugin without arguments.
func (c *chainReader) plugin(path string, entry *yaml.Node) (p Plugin, at string, ok bool) {
	if entry.Kind == yaml.ScalarNode && entry.ShortTag() == "!!str" {
		c.report.Addf(path, `want a colon after the name: "- %.40s:"`, entry.Value)
		return p, "", false
	}
	if entry.Kind != yaml.MappingNode || len(entry.Content) != 2 {
		c.report.Addf(path, "want one plugin, as in \"- server_id: 10.0.0.2\"")
		return p, "", false
	}
	name, value := entry.Content[0], entry.Content[1]
	at = path + "." + name.Value
	p = Plugin{Name: strings.ToLower(name.Value), Line: name.Line}
	if value.Kind != yaml.ScalarNode {
		c.report.Addf(at, "CoreDHCP drops arguments written as a list or mapping: write them in one line with blanks between them")
		return p, at, true
	}
	if value.ShortTag() != "!!null" {
		p.Args = strings.Fields(value.Value)
	}
	return p, at, true
}

// arguments checks what our plugins are given. In a stock build the path that
// netbox names may stand first in the others too.
func (c *chainReader) arguments(chain *Chain) {
	for i, p := range chain.Plugins {
		if p.Name != PluginNetBox {
			continue
		}
		if err := c.netboxArgument(p.Args); err != nil {
			c.report.Addf(c.paths[i], "%v", err)
		} else if len(p.Args) == 1 {
			chain.NetBoxPath = p.Args[0]
		}
	}
	for i, p := range chain.Plugins {
		args := p.Args
		if len(args) > 0 && args[0] == chain.NetBoxPath {
			args = args[1:]
		}
		var err error
		switch p.Name {
		case PluginNak:
			chain.Nak, err = NakWord(args)
		case PluginDNS:
			chain.DNS, err = FallbackServers(args)
		case PluginGateway, PluginPXE:
			if len(args) > 0 {
				err = errors.New("takes no arguments; its settings are in the netbox section")
			}
		}
		if err != nil {
			c.report.Addf(c.paths[i], "%v", err)
		}
	}
}

// netboxArgument accepts nothing, or one path in a stock build. Arguments are
// not repeated in errors: people have put tokens there.
func (c *chainReader) netboxArgument(args []string) error {
	switch {
	case len(args) == 0 && c.stock:
		return fmt.Errorf("want the path of the file with the netbox section, such as %s", filepath.Base(c.file))
	case len(args) == 0:
		return nil
	case len(args) > 1:
		return errors.New("takes no list of arguments; settings are in the netbox section")
	case LooksLikeToken(args[0]):
		return errors.New("this looks like a token, which would end up in the log: use netbox.token_file")
	case !c.stock:
		return errors.New("takes no argument in this program; its settings are in the netbox section of this file")
	}
	return nil
}

// order checks where our plugins stand. Upstream plugins after ours may
// replace what ours set, which is meant (G-1).
func (c *chainReader) order(chain Chain) {
	seen := make(map[string]bool)
	netbox := chain.index(PluginNetBox)
	last := len(chain.Plugins) - 1
	for i, p := range chain.Plugins {
		switch {
		case !Ours(p.Name):
			c.foreign(chain, i)
			continue
		case seen[p.Name]:
			c.report.Addf(c.paths[i], "listed twice")
		case p.Name == PluginNak && i != last:
			c.report.Addf(c.paths[i], "must be the last plugin, since it decides what a refusal looks like")
		case p.Name != PluginNak && i < netbox:
			c.report.Addf(c.paths[i], "must stand after netbox, whose decision it needs")
		}
		seen[p.Name] = true
	}
	if c.stock && netbox >= 0 && !chain.Has("server_id") {
		c.report.Addf(c.paths[netbox], "needs a server_id before it: stock CoreDHCP does not tell which address it received on (R-13)")
	}
}

// Ours says that a plugin of this registered name is one of ours.
func Ours(name string) bool {
	switch name {
	case PluginNetBox, PluginGateway, PluginDNS, PluginPXE, PluginNak:
		return true
	}
	return false
}

// foreign checks an upstream plugin that would interfere with ours.
func (c *chainReader) foreign(chain Chain, i int) {
	p, netbox := chain.Plugins[i], chain.index(PluginNetBox)
	switch p.Name {
	case "server_id":
		if netbox >= 0 && netbox < i {
			c.report.Addf(c.paths[i], "must stand before netbox, which has to know the server's address")
		}
	case "file", "nbp":
		if slices.ContainsFunc(chain.Plugins[i:], func(p Plugin) bool { return Ours(p.Name) }) {
			c.warn(p, "ends the chain for the clients it answers (F-26): our plugins below it do not run for them")
		}
	case "ipv6only":
		if netbox >= 0 {
			c.warn(p, "cuts off clients that send no parameter list (F-27): use ipv6_only_wait in the config context")
		}
	}
}

func (c *chainReader) warn(p Plugin, text string) {
	c.warnings = append(c.warnings, Problem{File: c.file, Line: p.Line, Key: p.Name, Text: text})
}

// ServerID is the argument of CoreDHCP's server_id plugin as written; empty
// where the receive loop supplies the identifier.
func (c Chain) ServerID() string {
	if at := c.index("server_id"); at >= 0 && len(c.Plugins[at].Args) > 0 {
		return c.Plugins[at].Args[0]
	}
	return ""
}
