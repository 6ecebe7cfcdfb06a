package ipam

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Change is one object that two sets of tables do not have alike.
type Change struct {
	Kind   string        `json:"kind"`   // in NetBox's words: "IP address"
	Object string        `json:"object"` // its name there
	How    How           `json:"how"`
	Fields []FieldChange `json:"fields,omitempty"` // by name; of an added object what it has, of a removed one what it had
}

// How is what became of an object.
type How string

// What becomes of objects.
const (
	Added   How = "added"
	Removed How = "removed"
	Changed How = "changed"
)

// FieldChange is one field of an object. Nothing is the empty text.
type FieldChange struct {
	Name string `json:"field"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Diff lists what differs between two sets of tables, by kind and name. Objects are
// told by their names and not by their ids, so that a NetBox and its copy, and an
// inventory before and after an edit, can be compared. What says nothing of answers,
// such as times of updates, is left out, and so are the records of leases, unless they
// are asked for: they change all the time (C-21).
func Diff(before, after *Objects, records bool) []Change {
	var changes []Change
	olds, news := described(before, records), described(after, records)
	for i, old := range olds {
		changes = append(changes, diffKind(old, news[i])...)
	}
	return changes
}

// kindRows are the rows of one kind by their names.
type kindRows struct {
	kind string
	rows map[string]row
}

// row is what is compared of an object: its fields in a fixed order, without empty
// ones, and its context, which is seldom another one.
type row struct {
	fields  []FieldChange // New is the value
	context json.RawMessage
}

func diffKind(old, now kindRows) (changes []Change) {
	names := slices.Collect(maps.Keys(old.rows))
	for name := range now.rows {
		if _, both := old.rows[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, compareNames)
	for _, name := range names {
		was, had := old.rows[name]
		is, has := now.rows[name]
		c := Change{Kind: old.kind, Object: name, How: Changed}
		switch {
		case !had:
			c.How = Added
		case !has:
			c.How = Removed
		}
		c.Fields = diffRow(was, is)
		if c.How != Changed || len(c.Fields) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// compareNames puts addresses in their order, and what has a number at its end in that
// of the numbers.
func compareNames(a, b string) int {
	return cmp.Or(cmp.Compare(sortKey(a), sortKey(b)), cmp.Compare(a, b))
}

// sortKey fills numbers in a name up with zeros.
func sortKey(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		j := i
		for j < len(name) && name[j] >= '0' && name[j] <= '9' {
			j++
		}
		if j == i {
			b.WriteByte(name[i])
			i++
			continue
		}
		b.WriteString(strings.Repeat("0", max(0, 10-(j-i))) + name[i:j])
		i = j
	}
	return b.String()
}

func diffRow(was, is row) (fields []FieldChange) {
	if !bytes.Equal(was.context, is.context) {
		was.fields = append(slices.Clone(was.fields), flat("context", was.context)...)
		is.fields = append(slices.Clone(is.fields), flat("context", is.context)...)
	}
	if slices.Equal(was.fields, is.fields) {
		return nil
	}
	values := make(map[string]FieldChange)
	for _, f := range was.fields {
		values[f.Name] = FieldChange{Name: f.Name, Old: f.New}
	}
	for _, f := range is.fields {
		both := values[f.Name]
		both.Name, both.New = f.Name, f.New
		values[f.Name] = both
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if f := values[name]; f.Old != f.New {
			fields = append(fields, f)
		}
	}
	return fields
}

// flat lists the values of a JSON object by their paths.
func flat(path string, raw json.RawMessage) []FieldChange {
	value, err := decodeJSON(raw)
	if err != nil {
		return []FieldChange{{Name: path, New: string(raw)}}
	}
	return flatValue(path, value)
}

func flatValue(path string, value any) (fields []FieldChange) {
	keys, ok := value.(map[string]any)
	if !ok || len(keys) == 0 {
		text, _ := json.Marshal(value) // it was JSON
		return []FieldChange{{Name: path, New: string(text)}}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fields = append(fields, flatValue(path+"."+key, keys[key])...)
	}
	return fields
}

// describer names the objects of one set of tables.
type describer struct {
	*Objects
	records bool
}

// described describes all tables, in an order that is always the same.
func described(o *Objects, records bool) []kindRows {
	d := describer{o, records}
	return []kindRows{
		rowsOf("VRF", o.VRFs, func(v *VRF) (string, row) { return v.Name, row{fields: fieldsOf("rd", v.RD, "state", stateOf(v.Loss))} }),
		rowsOf("tag", o.Tags, func(t *Tag) (string, row) {
			return t.Name, row{fields: fieldsOf("slug", t.Slug, "state", stateOf(t.Loss))}
		}),
		rowsOf("prefix", o.Prefixes, d.prefix),
		rowsOf("IP range", o.Ranges, d.ipRange),
		rowsOf("IP address", o.Addresses, d.address),
		rowsOf("MAC address", o.MACs, func(m *MACAddress) (string, row) {
			return m.MAC.String(), row{fields: fieldsOf("interface", d.port(m.Interface), "state", stateOf(m.Loss))}
		}),
		rowsOf("interface", o.Interfaces, d.portRow),
		rowsOf("machine", o.Machines, d.machineRow),
		rowsOf("region", o.Regions, func(n *Nested) (string, row) {
			return n.Name, row{fields: fieldsOf("parent", nestedName(o.Regions, n.Parent))}
		}),
		rowsOf("site group", o.SiteGroups, func(n *Nested) (string, row) {
			return n.Name, row{fields: fieldsOf("parent", nestedName(o.SiteGroups, n.Parent))}
		}),
		rowsOf("site", o.Sites, func(s *Site) (string, row) {
			return s.Name, row{fields: fieldsOf("region", nestedName(o.Regions, s.Region), "group", nestedName(o.SiteGroups, s.Group), "tenant", d.tenant(s.Tenant))}
		}),
		rowsOf("location", o.Locations, func(l *Location) (string, row) {
			return d.location(l.ID), row{fields: fieldsOf("site", d.site(l.Site), "parent", d.location(l.Parent))}
		}),
		rowsOf("tenant", o.Tenants, func(t *Tenant) (string, row) { return t.Name, row{fields: fieldsOf("group", number64(t.Group))} }),
		d.contextRows(),
	}
}

// rowsOf describes one table. Of several objects with one name the later ones, by id,
// are numbered.
func rowsOf[K comparable, V any](kind string, table map[K]*V, describe func(*V) (string, row)) kindRows {
	rows := make(map[string]row, len(table))
	var twice map[string][]row
	for _, value := range table {
		name, r := describe(value)
		if _, taken := rows[name]; !taken {
			rows[name] = r
			continue
		}
		if twice == nil {
			twice = make(map[string][]row)
		}
		twice[name] = append(twice[name], r)
	}
	for name, others := range twice { // in the order of what they say, since ids may differ
		all := append(others, rows[name])
		slices.SortFunc(all, func(a, b row) int {
			return cmp.Or(cmp.Compare(fmt.Sprint(a.fields), fmt.Sprint(b.fields)), bytes.Compare(a.context, b.context))
		})
		for i, r := range all {
			called := name
			if i > 0 {
				called = fmt.Sprintf("%s (%d)", name, i+1)
			}
			rows[called] = r
		}
	}
	return kindRows{kind, rows}
}

// fieldsOf pairs names with values and leaves out what is empty.
func fieldsOf(pairs ...string) []FieldChange {
	fields := make([]FieldChange, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fields = append(fields, FieldChange{Name: pairs[i], New: pairs[i+1]})
		}
	}
	return fields
}

func (d describer) prefix(p *Prefix) (string, row) {
	return d.in(p.Prefix.String(), p.VRF), row{fields: fieldsOf("status", p.Status, "scope", d.scope(p.Scope), "tenant", d.tenant(p.Tenant),
		"vlan", number64(p.VLAN), "tags", d.tags(p.Tags), "state", stateOf(p.Loss))}
}

func (d describer) ipRange(r *Range) (string, row) {
	return d.in(r.Start.String()+"-"+r.End.String(), r.VRF), row{fields: fieldsOf("mask", number64(int64(r.Bits)), "status", r.Status, "role", r.Role.Name,
		"tags", d.tags(r.Tags), "managed", truth(r.Managed), "populated", truth(r.Populated), "state", stateOf(r.Loss))}
}

func (d describer) address(a *Address) (string, row) {
	fields := fieldsOf("mask", strconv.Itoa(a.Address.Bits()), "status", a.Status, "role", a.Role, "tags", d.tags(a.Tags),
		"assigned", d.port(a.Interface), "dns name", a.DNSName, "managed", truth(a.Managed), "state", stateOf(a.Loss))
	if a.Reserved != nil {
		fields = append(fields, fieldsOf("reserved for", fmt.Sprintf("%s %x %s", a.Reserved.MAC, a.Reserved.ClientID, a.Reserved.Trouble))...)
	}
	if d.records && a.Record.Client != "" {
		fields = append(fields, fieldsOf("leased to", a.Record.Client, "leased until", a.Record.Expires.UTC().Format(time.RFC3339))...)
	}
	return d.in(a.Address.Addr().String(), a.VRF), row{fields: fields}
}

func (d describer) portRow(port *Interface) (string, row) {
	sibling := func(id int64) string {
		if id == 0 {
			return ""
		}
		return d.port(InterfaceID{port.ID.Kind, id})
	}
	return d.port(port.ID), row{fields: fieldsOf("lag", sibling(port.LAG), "bridge", sibling(port.Bridge), "parent", sibling(port.Parent),
		"far end", d.port(port.FarEnd), "state", stateOf(port.Loss))}
}

func (d describer) machineRow(m *Machine) (string, row) {
	primary := ""
	if a := d.Addresses[m.PrimaryIP4]; a != nil {
		primary = a.Address.Addr().String()
	}
	fields := fieldsOf("serial", m.Serial, "primary", primary, "state", stateOf(m.Loss))
	for _, name := range slices.Sorted(maps.Keys(m.Gate)) {
		fields = append(fields, fieldsOf(name, string(m.Gate[name]))...)
	}
	return m.ID.Kind.String() + " " + m.Name, row{fields: fields, context: m.Context}
}

func (d describer) contextRows() kindRows {
	byID := make(map[int]*ConfigContext, len(d.Contexts))
	for i, c := range d.Contexts {
		byID[i] = c
	}
	return rowsOf("config context", byID, func(c *ConfigContext) (string, row) {
		return c.Name, row{context: c.Data, fields: fieldsOf("weight", strconv.Itoa(c.Weight),
			"regions", namesOf(c.Regions, func(id int64) string { return nestedName(d.Regions, id) }),
			"site groups", namesOf(c.SiteGroups, func(id int64) string { return nestedName(d.SiteGroups, id) }),
			"sites", namesOf(c.Sites, d.site), "locations", namesOf(c.Locations, d.location), "tenants", namesOf(c.Tenants, d.tenant),
			"tenant groups", namesOf(c.TenantGroups, number64), "tags", strings.Join(c.Tags, ", "), "for machines only", truth(c.MachinesOnly))}
	})
}

// in adds the VRF to the name of what may be in several.
func (d describer) in(name string, vrf int64) string {
	switch v := d.VRFs[vrf]; {
	case vrf == 0:
		return name
	case v == nil:
		return fmt.Sprintf("%s, VRF %d", name, vrf)
	default:
		return name + ", VRF " + v.Name
	}
}

func (d describer) port(id InterfaceID) string {
	switch p := d.Interfaces[id]; {
	case id == InterfaceID{}:
		return ""
	case p == nil:
		return fmt.Sprintf("interface %d", id.ID)
	default:
		return d.machine(p.Machine) + " " + p.Name
	}
}

func (d describer) machine(id MachineID) string {
	if m := d.Machines[id]; m != nil {
		return m.Name
	}
	return fmt.Sprintf("%s %d", id.Kind, id.ID)
}

func (d describer) scope(s Scope) string {
	switch s.Kind {
	case ScopeSite:
		return "site " + d.site(s.ID)
	case ScopeLocation:
		return "location " + d.location(s.ID)
	case ScopeRegion:
		return "region " + nestedName(d.Regions, s.ID)
	case ScopeSiteGroup:
		return "site group " + nestedName(d.SiteGroups, s.ID)
	}
	return ""
}

func (d describer) site(id int64) string {
	if s := d.Sites[id]; s != nil {
		return s.Name
	}
	return number64(id)
}

func (d describer) location(id int64) string {
	if l := d.Locations[id]; l != nil {
		return d.site(l.Site) + "/" + l.Name
	}
	return number64(id)
}

func (d describer) tenant(id int64) string {
	if t := d.Tenants[id]; t != nil {
		return t.Name
	}
	return number64(id)
}

func (d describer) tags(ids []int64) string {
	return namesOf(ids, func(id int64) string {
		if t := d.Tags[id]; t != nil {
			return t.Name
		}
		return number64(id)
	})
}

// namesOf lists names in order.
func namesOf(ids []int64, name func(int64) string) string {
	if len(ids) == 0 {
		return ""
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = name(id)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func nestedName(table map[int64]*Nested, id int64) string {
	if n := table[id]; n != nil {
		return n.Name
	}
	return number64(id)
}

// number64 is an id that nothing names; none is empty.
func number64(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func truth(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func stateOf(l Loss) string {
	switch l {
	case Lost:
		return "vanished, or its change is doubted"
	case Ended:
		return "vanished, most likely deleted"
	}
	return ""
}
