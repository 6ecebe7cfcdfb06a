package ipam

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gaissmai/bart"
)

// builder fills the indexes of one Snapshot.
type builder struct {
	s        *Snapshot
	problems []Problem
	expiries map[int64]string
	pooled   []pooledRange
}

func (b *builder) problemf(object, format string, args ...any) {
	b.problems = append(b.problems, Problem{Object: object, Text: fmt.Sprintf(format, args...)})
}

func (b *builder) indexInterfaces() {
	s, o := b.s, b.s.objects
	s.byMAC = make(map[MAC][]*Interface, len(o.MACs))
	s.macsOf = make(map[InterfaceID][]MAC, len(o.MACs))
	s.members = make(map[InterfaceID][]*Interface)
	s.lostMACs = make(map[MAC]Loss)
	for _, id := range slices.Sorted(maps.Keys(o.MACs)) {
		mac := o.MACs[id]
		port := o.Interfaces[mac.Interface]
		loss := mac.Loss
		if port != nil {
			loss = max(loss, port.Loss, lossOf(o.Machines[port.Machine]))
		}
		if loss != Present {
			s.lostMACs[mac.MAC] = max(s.lostMACs[mac.MAC], loss)
		}
		if port == nil || loss == Ended || slices.Contains(s.macsOf[port.ID], mac.MAC) {
			continue // unassigned, not loaded yet, gone, or the same MAC twice on one port
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

// lossOf is the loss of a machine; one that is not loaded is not lost.
func lossOf(m *Machine) Loss {
	if m == nil {
		return Present
	}
	return m.Loss
}

// roomForHosts makes room for the addresses of each VRF.
func (b *builder) roomForHosts() map[int64]map[uint32]*Address {
	count := make(map[int64]int)
	for _, a := range b.s.objects.Addresses {
		count[a.VRF]++
	}
	room := make(map[int64]map[uint32]*Address, len(count))
	for vrf, n := range count {
		room[vrf] = make(map[uint32]*Address, n)
	}
	return room
}

// indexAddresses returns the addresses whose host has an object with a lower id.
func (b *builder) indexAddresses() (others []*Address) {
	s := b.s
	s.assigned = make(map[InterfaceID][]*Address, len(s.objects.MACs))
	s.byHost = b.roomForHosts()
	s.recorded = make(map[string][]*Address)
	s.dynamic = make(map[int64][]*Address)
	s.gateways = make(map[int64][]*Address)
	for _, a := range s.objects.Addresses {
		if !a.Address.Addr().Is4() {
			continue
		}
		hosts, host := s.byHost[a.VRF], number(a.Address.Addr())
		first := hosts[host]
		switch {
		case first == nil:
			hosts[host] = a
		case cmp.Or(cmp.Compare(first.Loss, a.Loss), cmp.Compare(first.ID, a.ID)) < 0:
			others = append(others, a)
		default:
			hosts[host] = a
			others = append(others, first)
		}
	}
	b.markDisputed(others)
	b.indexReservations(others)
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
	if !a.Address.Addr().Is4() || a.Loss == Ended {
		return
	}
	if a.Interface != (InterfaceID{}) {
		s.assigned[a.Interface] = append(s.assigned[a.Interface], a)
	}
	if s.IsGateway(a) && a.Status != "deprecated" {
		s.gateways[a.VRF] = append(s.gateways[a.VRF], a)
	}
	if s.hosted(a.VRF, a.Address.Addr()) != a {
		return
	}
	if a.Record.Client != "" {
		s.recorded[a.Record.Client] = append(s.recorded[a.Record.Client], a)
	}
	if s.Leasable(a) && s.Loss(a) == Present {
		if a.Record.Unreadable && a.Record.Client != "" {
			b.unreadable(a)
		}
		s.dynamic[a.VRF] = append(s.dynamic[a.VRF], a)
	}
}

// unreadable tells of a dynamic address that is lost to its pool (P-17).
func (b *builder) unreadable(a *Address) {
	expiry := "an expiry that is no time"
	if text, known := b.expiries[a.ID]; known {
		expiry = fmt.Sprintf("the expiry %q, which is no time", text)
	}
	b.problemf(describeAddress(a), "its record has the client %.60q and %s: in use for ever; empty both fields, or write a time such as 2026-01-31T12:00:00Z", a.Record.Client, expiry)
}

// markDisputed finds dynamic hosts of which another object says something else.
// NetBox allows two objects for one host where uniqueness is off.
func (b *builder) markDisputed(others []*Address) {
	b.s.disputed = make(map[*Address]bool)
	slices.SortFunc(others, compareHosts)
	for _, a := range others {
		first := b.s.hosted(a.VRF, a.Address.Addr())
		if a.Loss != Present || b.s.Leasable(a) || !b.s.Leasable(first) {
			continue
		}
		b.s.disputed[first] = true
		b.problemf(describeAddress(first), "a second object (id %d) says the same address is not dynamic: not leased", a.ID)
	}
}

// indexSubnets finds the networks, and what contexts say of each.
func (b *builder) indexSubnets() *contextBuilder {
	s := b.s
	s.subnets = make(map[int64]*bart.Table[*Subnet])
	places := newPlaces(s.objects, b.siteContexts())
	contexts := b.newContexts(places)
	// A prefix that NetBox shows goes before one that vanished.
	ids := slices.SortedFunc(maps.Keys(s.objects.Prefixes), func(a, b int64) int {
		return cmp.Or(cmp.Compare(s.objects.Prefixes[a].Loss, s.objects.Prefixes[b].Loss), cmp.Compare(a, b))
	})
	for _, id := range ids {
		p := s.objects.Prefixes[id]
		if p.Loss == Ended {
			s.endedPrefixes = append(s.endedPrefixes, p)
			continue
		}
		if !p.Prefix.Addr().Is4() || p.Status != "active" && p.Status != "reserved" {
			continue
		}
		table := s.subnets[p.VRF]
		if table == nil {
			table = new(bart.Table[*Subnet])
			s.subnets[p.VRF] = table
		}
		if other, ok := table.Get(p.Prefix); ok {
			if p.Loss != Present {
				continue
			}
			b.problemf(describePrefix(p), "the same prefix exists as id %d, which is used", other.ID)
			continue
		}
		context := places.context(p)
		b.config(describePrefix(p)+", site context", context)
		table.Insert(p.Prefix, &Subnet{Prefix: p, Config: s.configs[string(context)], contexts: contexts.of(p), loss: max(p.Loss, s.lostVRFs[p.VRF])})
	}
	return contexts
}

// siteContexts returns the contexts that say something about sites. An error in
// one of them does not void the others (G-7).
func (b *builder) siteContexts() []*ConfigContext {
	var list []*ConfigContext
	for _, c := range b.s.objects.Contexts {
		var keys map[string]json.RawMessage
		switch {
		case c.Data == nil || c.MachinesOnly || len(c.Tags) > 0:
		case json.Unmarshal(c.Data, &keys) != nil:
			b.problemf(describeContext(c), "want an object, not %.40s: left out", c.Data)
		default:
			list = append(list, c)
		}
	}
	return list
}

// parseMachineConfigs returns the machines in order.
func (b *builder) parseMachineConfigs() []MachineID {
	// In order, so that one mistake in a context that many share is reported
	// for the same machine each time.
	ids := slices.SortedFunc(maps.Keys(b.s.objects.Machines), compareMachines)
	for _, id := range ids {
		m := b.s.objects.Machines[id]
		if _, known := b.s.configs[string(m.Context)]; !known {
			b.config(describeMachine(m)+", config context", m.Context)
		}
	}
	return ids
}

func compareMachines(a, b MachineID) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
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

// Name says for people what an address is in NetBox: an object, or a part of a range.
func (a *Address) Name() string {
	if a.Range != nil {
		return fmt.Sprintf("%s of %s", a.Address, describeRange(a.Range))
	}
	return describeAddress(a)
}

func describeAddress(a *Address) string {
	return fmt.Sprintf("IP address %s (id %d)", a.Address, a.ID)
}

func describePrefix(p *Prefix) string {
	return fmt.Sprintf("prefix %s (id %d)", p.Prefix, p.ID)
}
