package ipam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// ContextData is what config contexts say of a client beside the keys of Config:
// options with their conditions, and lease policy (CTX-1 to CTX-3).
type ContextData struct {
	Options *option.Set // nil: nothing
	Lease   LeaseContext
}

// Data returns what the contexts of a network and of a machine say together
// (CTX-2). n and m may be nil: unknown. It is never nil.
func (s *Snapshot) Data(n *Subnet, m *Machine) *ContextData {
	list := &s.contexts.none
	if n != nil && n.contexts != nil {
		list = n.contexts
	}
	if m == nil {
		return list.data
	}
	return s.contexts.over(list, s.contexts.machines[m.ID])
}

// LongestLease is the longest time that any context gives a lease; 0: none says
// something.
func (s *Snapshot) LongestLease() time.Duration { return s.contexts.longest }

// ClientClasses names the conditions on clients that contexts have, sorted, as
// option.Set.Matched has them (OPT-12).
func (s *Snapshot) ClientClasses() []string { return s.contexts.classes }

// clientContexts are the contexts of all networks and machines. Networks at one
// place with the same tags share a list, and machines a layer if theirs is equal.
type clientContexts struct {
	none     contextList
	machines map[MachineID]*option.Layer // those whose context has keys of contextKeys
	longest  time.Duration
	classes  []string

	pairs map[contextPair]*ContextData
	// late are pairs beyond mostPairs. A machine is seldom in more than one or two
	// lists of networks, so nearly all pairs never come up.
	late sync.Map // of contextPair to *ContextData
}

// contextList is what applies to the clients of some networks.
type contextList struct {
	layers []option.Layer // the lowest first
	data   *ContextData
}

type contextPair struct {
	list  *contextList
	layer *option.Layer
}

// mostPairs is how many pairs of networks and machines are compiled when the
// snapshot is built.
const mostPairs = 1024

func (c *clientContexts) over(list *contextList, layer *option.Layer) *ContextData {
	if layer == nil {
		return list.data
	}
	pair := contextPair{list, layer}
	if data := c.pairs[pair]; data != nil {
		return data
	}
	if data, ok := c.late.Load(pair); ok {
		return data.(*ContextData)
	}
	data, _ := c.late.LoadOrStore(pair, compile(append(slices.Clip(list.layers), *layer)))
	return data.(*ContextData)
}

// compile reads layers, the lowest first. What is wrong with them was found in each
// alone.
func compile(layers []option.Layer) *ContextData {
	data := new(ContextData)
	data.Options, _ = option.Compile(layers)
	for _, layer := range layers {
		data.Lease.lay(layer)
	}
	return data
}

// optionKeys are the keys that package option reads.
func optionKeys() []string {
	return []string{"architectures", "mac_prefixes", "options", "user_classes", "vendor_classes"}
}

// contextKeys are the keys that count for prefixes by their tags, too, and that a
// machine's context is laid over (CTX-3).
func contextKeys() []string { return append(optionKeys(), leaseKeys()...) }

// layerOf returns the part of a context that contextKeys name; nil: none.
func layerOf(raw json.RawMessage) map[string]any {
	value, err := decodeJSON(raw)
	keys, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	known := contextKeys()
	maps.DeleteFunc(keys, func(key string, _ any) bool { return !slices.Contains(known, key) })
	if len(keys) == 0 {
		return nil
	}
	return keys
}

// ruledContext is a context that has keys of contextKeys.
type ruledContext struct {
	*ConfigContext
	option.Layer
	tags []int64 // of the criterion, as far as they exist
	met  bool    // by a prefix
}

func (r *ruledContext) hasTag(id int64) bool { return slices.Contains(r.tags, id) }

// contextBuilder finds out which contexts apply to which networks.
type contextBuilder struct {
	*builder
	places *places
	rules  []*ruledContext         // in NetBox's order
	lists  map[string]*contextList // by the ids of their contexts
	at     map[contextPlace]*contextList
	found  map[string]bool // findings that were reported
	// classes are the names of the conditions on clients in all layers (OPT-12).
	classes map[string]bool
}

func (b *builder) newContexts(p *places) *contextBuilder {
	c := &contextBuilder{builder: b, places: p, lists: make(map[string]*contextList), at: make(map[contextPlace]*contextList), found: make(map[string]bool), classes: make(map[string]bool)}
	bySlug := make(map[string]int64, len(b.s.objects.Tags))
	for id, tag := range b.s.objects.Tags {
		bySlug[tag.Slug] = id
	}
	for _, rule := range b.s.objects.Contexts {
		data := layerOf(rule.Data)
		if data == nil {
			continue
		}
		r := &ruledContext{ConfigContext: rule, Layer: option.Layer{Source: fmt.Sprintf("config context %q (weight %d)", rule.Name, rule.Weight), Data: data}}
		for _, slug := range rule.Tags {
			if id, ok := bySlug[slug]; ok {
				r.tags = append(r.tags, id)
			}
		}
		c.rules = append(c.rules, r)
		c.examine(describeContext(rule), r.Layer)
	}
	c.s.contexts.none.data = new(ContextData)
	c.s.contexts.machines = make(map[MachineID]*option.Layer)
	return c
}

func describeContext(c *ConfigContext) string {
	return fmt.Sprintf("config context %s (id %d)", c.Name, c.ID)
}

// examine reports what cannot be used in one layer. A machine's layer repeats what is
// wrong in contexts.
func (c *contextBuilder) examine(object string, layer option.Layer) {
	set, findings := option.Compile([]option.Layer{layer})
	for _, name := range set.Classes() {
		c.classes[name] = true
	}
	for _, name := range set.PoolTags() {
		c.namePoolTag(object, name)
	}
	findings = append(findings, new(LeaseContext).lay(layer)...)
	for _, f := range findings {
		text := f.Field + ": " + f.Problem
		if layer.Source == machineSource && c.found[text] {
			continue
		}
		c.found[text] = true
		c.problemf(object, "%s", text)
	}
}

// contextPlace is all of a prefix that a context can ask for.
type contextPlace struct {
	placeKey
	tags string
}

// of returns the list of the contexts that apply to a prefix: those of its place and
// tenant, without a tag condition or with one of its tags (CTX-1).
func (c *contextBuilder) of(p *Prefix) *contextList {
	if len(c.rules) == 0 {
		return &c.s.contexts.none
	}
	place := contextPlace{placeKey{p.Scope, p.Tenant}, fmt.Sprint(p.Tags)}
	list := c.at[place]
	if list == nil {
		list = c.listFor(p)
		c.at[place] = list
	}
	return list
}

func (c *contextBuilder) listFor(p *Prefix) *contextList {
	var layers []option.Layer
	var key []byte
	at := c.places.locate(p)
	for _, r := range c.rules {
		if r.MachinesOnly || !at.meets(r.ConfigContext) || len(r.Tags) > 0 && !slices.ContainsFunc(p.Tags, r.hasTag) {
			continue
		}
		r.met = true
		layers = append(layers, r.Layer)
		key = fmt.Appendf(key, "%d ", r.ID)
	}
	if len(layers) == 0 {
		return &c.s.contexts.none
	}
	list := c.lists[string(key)]
	if list == nil {
		list = &contextList{layers: layers, data: compile(layers)}
		c.lists[string(key)] = list
	}
	return list
}

// machineSource is the source of what a machine's rendered context says: its weights
// are gone by then.
const machineSource = "the machine's rendered context"

// machines finds the machines whose rendered context has keys of ours.
func (c *contextBuilder) machines(inOrder []MachineID) {
	layers := make(map[string]*option.Layer) // by what is in it
	known := make(map[string]*option.Layer)  // by the whole context
	for _, id := range inOrder {
		m := c.s.objects.Machines[id]
		layer, seen := known[string(m.Context)]
		if !seen {
			if data := layerOf(m.Context); data != nil {
				text, _ := json.Marshal(data) // it was JSON
				if layer = layers[string(text)]; layer == nil {
					layer = &option.Layer{Source: machineSource, Data: data}
					layers[string(text)] = layer
					c.examine(describeMachine(m)+", config context", *layer)
				}
			}
			known[string(m.Context)] = layer
		}
		if layer != nil {
			c.s.contexts.machines[id] = layer
		}
	}
	c.s.contexts.classes = slices.Sorted(maps.Keys(c.classes))
	all := slices.Collect(maps.Values(layers))
	c.pair(all)
	for _, r := range c.rules {
		c.useless(r, all)
	}
}

// useless names what can never apply: a context that no prefix meets and no machine
// has, and keys about strangers where only machines meet the conditions (CTX-7).
func (c *contextBuilder) useless(r *ruledContext, layers []*option.Layer) {
	if r.MachinesOnly {
		for _, key := range strangerKeys() {
			if _, said := r.Layer.Data[key]; said {
				c.problemf(describeContext(r.ConfigContext), "%s: it never applies: it is about clients that NetBox does not know, and only machines meet conditions on role, platform, type or "+
					"cluster; take them off, and use tags of prefixes", key)
			}
		}
	}
	if r.met || slices.ContainsFunc(layers, r.within) {
		return
	}
	why := "no prefix is at its place or of its tenant"
	switch {
	case r.MachinesOnly:
		why = "prefixes never meet conditions on role, platform, type or cluster"
	case len(r.Tags) > 0:
		why = "no prefix there carries its tag " + strings.Join(r.Tags, " or ")
	}
	c.problemf(describeContext(r.ConfigContext), "it applies to no client: %s, and no machine that NetBox has with a MAC or an address has it; correct its conditions, tag a prefix, "+
		"or make it inactive", why)
}

// within reports whether a machine's layer may contain the context: rendering keeps
// every key, whatever lies over it.
func (r *ruledContext) within(layer *option.Layer) bool {
	for key := range r.Layer.Data {
		if _, there := layer.Data[key]; !there {
			return false
		}
	}
	return true
}

// pair compiles the lists of networks with the layers of machines over them.
func (c *contextBuilder) pair(layers []*option.Layer) {
	all := &c.s.contexts
	all.pairs = make(map[contextPair]*ContextData)
	lists := append(slices.Collect(maps.Values(c.lists)), &all.none)
	for _, list := range lists {
		all.longest = max(all.longest, list.data.Lease.longest())
	}
	for _, layer := range layers {
		for _, list := range lists {
			if len(all.pairs) < mostPairs {
				all.pairs[contextPair{list, layer}] = compile(append(slices.Clip(list.layers), *layer))
			}
		}
		all.longest = max(all.longest, compile([]option.Layer{*layer}).Lease.longest())
	}
}

// longest is the longest lease time that is said.
func (l *LeaseContext) longest() time.Duration {
	return max(l.Time.Value, l.Min.Value, l.Max.Value, l.RandomTimes.Time.Value, l.RandomTimes.Min.Value, l.RandomTimes.Max.Value)
}

func describeMachine(m *Machine) string {
	return fmt.Sprintf("%s %s (id %d)", m.ID.Kind, m.Name, m.ID.ID)
}
