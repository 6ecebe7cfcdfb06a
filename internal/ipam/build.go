package ipam

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// builder fills the indexes of one Snapshot.
type builder struct {
	s        *Snapshot
	problems []Problem
}

func (b *builder) problemf(object, format string, args ...any) {
	b.problems = append(b.problems, Problem{Object: object, Text: fmt.Sprintf(format, args...)})
}

// names resolves the configured names to ids. A missing tag is no error: there
// are then no such addresses (P-18, H-1).
func (b *builder) names(opt Options) {
	b.s.dynamicTag = b.tag("dynamic.tag", opt.DynamicTag)
	b.s.gatewayTag = b.tag("gateway.tag", opt.GatewayTag)
	b.s.vrf = anyVRF
	if opt.VRF == "" {
		return
	}
	b.s.vrf = noVRF
	for id, vrf := range b.s.objects.VRFs {
		if vrf.Name == opt.VRF || vrf.RD == opt.VRF {
			if b.s.vrf != noVRF {
				b.problemf("VRF "+opt.VRF, "several VRFs have this name: set netbox.vrf to the route distinguisher")
				b.s.vrf = noVRF
				return
			}
			b.s.vrf = id
		}
	}
	if b.s.vrf == noVRF {
		b.problemf("VRF "+opt.VRF, "not in NetBox: no client is served until netbox.vrf names an existing VRF")
	}
}

func (b *builder) tag(setting, name string) int64 {
	if name == "" {
		return 0
	}
	for _, id := range slices.Sorted(maps.Keys(b.s.objects.Tags)) {
		tag := b.s.objects.Tags[id]
		if strings.EqualFold(tag.Name, name) || strings.EqualFold(tag.Slug, name) {
			return id
		}
	}
	b.problemf("tag "+name, "not in NetBox: create it or set netbox.%s", setting)
	return 0
}

func (b *builder) indexInterfaces() {
	s, o := b.s, b.s.objects
	s.byMAC = make(map[MAC][]*Interface, len(o.MACs))
	s.macsOf = make(map[InterfaceID][]MAC, len(o.MACs))
	s.members = make(map[InterfaceID][]*Interface)
	for _, id := range slices.Sorted(maps.Keys(o.MACs)) {
		mac := o.MACs[id]
		port := o.Interfaces[mac.Interface]
		if port == nil || slices.Contains(s.macsOf[port.ID], mac.MAC) {
			continue // unassigned, not loaded yet, or the same MAC twice on one port
		}
		s.macsOf[port.ID] = append(s.macsOf[port.ID], mac.MAC)
		s.byMAC[mac.MAC] = append(s.byMAC[mac.MAC], port)
	}
	for _, ports := range s.byMAC {
		slices.SortFunc(ports, compareInterfaces)
	}
	for _, port := range o.Interfaces {
		if port.LAG != 0 {
			lag := InterfaceID{Kind: port.ID.Kind, ID: port.LAG}
			s.members[lag] = append(s.members[lag], port)
		}
	}
	for _, ports := range s.members {
		slices.SortFunc(ports, compareInterfaces)
	}
}

// indexAddresses returns the addresses whose host has an object with a lower id.
func (b *builder) indexAddresses() (others []*Address) {
	s := b.s
	s.assigned = make(map[InterfaceID][]*Address)
	s.byHost = make(map[hostKey]*Address, len(s.objects.Addresses))
	s.recorded = make(map[string][]*Address)
	s.dynamic = make(map[int64][]*Address)
	s.gateways = make(map[int64][]*Address)
	for _, a := range s.objects.Addresses {
		if !a.Address.Addr().Is4() {
			continue
		}
		key := hostKey{a.VRF, a.Address.Addr()}
		first := s.byHost[key]
		switch {
		case first == nil:
			s.byHost[key] = a
		case first.ID < a.ID:
			others = append(others, a)
		default:
			s.byHost[key] = a
			others = append(others, first)
		}
	}
	b.markDisputed(others)
	for _, a := range s.objects.Addresses {
		b.indexAddress(a)
	}
	for _, lists := range []map[int64][]*Address{s.dynamic, s.gateways} {
		for _, list := range lists {
			slices.SortFunc(list, compareHosts)
		}
	}
	for _, list := range s.assigned {
		slices.SortFunc(list, compareHosts)
	}
	for _, list := range s.recorded {
		slices.SortFunc(list, compareHosts)
	}
	return others
}

func (b *builder) indexAddress(a *Address) {
	s := b.s
	if !a.Address.Addr().Is4() {
		return
	}
	if a.Interface != (InterfaceID{}) {
		s.assigned[a.Interface] = append(s.assigned[a.Interface], a)
	}
	if s.IsGateway(a) && a.Status != "deprecated" {
		s.gateways[a.VRF] = append(s.gateways[a.VRF], a)
	}
	if s.byHost[hostKey{a.VRF, a.Address.Addr()}] != a {
		return
	}
	if a.Record.Client != "" {
		s.recorded[a.Record.Client] = append(s.recorded[a.Record.Client], a)
	}
	if s.Leasable(a) {
		s.dynamic[a.VRF] = append(s.dynamic[a.VRF], a)
	}
}

// markDisputed finds dynamic hosts of which another object says something else.
// NetBox allows two objects for one host where uniqueness is off.
func (b *builder) markDisputed(others []*Address) {
	b.s.disputed = make(map[*Address]bool)
	slices.SortFunc(others, compareHosts)
	for _, a := range others {
		first := b.s.byHost[hostKey{a.VRF, a.Address.Addr()}]
		if b.s.Leasable(a) || !b.s.Leasable(first) {
			continue
		}
		b.s.disputed[first] = true
		b.problemf(describeAddress(first), "a second object (id %d) says the same address is not dynamic: not leased", a.ID)
	}
}

func (b *builder) indexSubnets() {
	s := b.s
	s.subnets = make(map[int64]*bart.Table[*Subnet])
	places := newPlaces(s.objects, b.siteContexts())
	for _, id := range slices.Sorted(maps.Keys(s.objects.Prefixes)) {
		p := s.objects.Prefixes[id]
		if !p.Prefix.Addr().Is4() || p.Status != "active" && p.Status != "reserved" {
			continue
		}
		table := s.subnets[p.VRF]
		if table == nil {
			table = new(bart.Table[*Subnet])
			s.subnets[p.VRF] = table
		}
		if other, ok := table.Get(p.Prefix); ok {
			b.problemf(describePrefix(p), "the same prefix exists as id %d, which is used", other.ID)
			continue
		}
		context := places.context(p)
		b.config(describePrefix(p)+", site context", context)
		table.Insert(p.Prefix, &Subnet{Prefix: p, Config: s.configs[string(context)]})
	}
}

// siteContexts returns the contexts that say something about sites. An error in
// one of them does not void the others (G-7).
func (b *builder) siteContexts() []*ConfigContext {
	var list []*ConfigContext
	for _, c := range b.s.objects.Contexts {
		var keys map[string]json.RawMessage
		switch {
		case c.Data == nil || c.MachinesOnly:
		case json.Unmarshal(c.Data, &keys) != nil:
			b.problemf(fmt.Sprintf("config context %s (id %d)", c.Name, c.ID), "want an object, not %.40s: left out", c.Data)
		default:
			list = append(list, c)
		}
	}
	return list
}

func (b *builder) parseMachineConfigs() {
	// In order, so that one mistake in a context that many share is reported
	// for the same machine each time.
	ids := slices.SortedFunc(maps.Keys(b.s.objects.Machines), func(a, b MachineID) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	for _, id := range ids {
		m := b.s.objects.Machines[id]
		if _, known := b.s.configs[string(m.Context)]; !known {
			b.config(fmt.Sprintf("%s %s (id %d), config context", id.Kind, m.Name, id.ID), m.Context)
		}
	}
}

// config parses raw once for all objects that share it.
func (b *builder) config(object string, raw []byte) {
	if _, known := b.s.configs[string(raw)]; known {
		return
	}
	config, warnings := ParseConfig(raw)
	b.s.configs[string(raw)] = config
	for _, text := range warnings {
		b.problemf(object, "%s", text)
	}
}

func describeAddress(a *Address) string {
	return fmt.Sprintf("IP address %s (id %d)", a.Address, a.ID)
}

func describePrefix(p *Prefix) string {
	return fmt.Sprintf("prefix %s (id %d)", p.Prefix, p.ID)
}
