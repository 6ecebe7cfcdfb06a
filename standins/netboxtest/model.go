package netboxtest

import "slices"

// kind is how a column is read from a request, kept and shown.
type kind int

const (
	text     kind = iota // string
	integer              // int64
	decimal              // float64
	boolean              // bool
	choice               // string out of a choice set, shown as value and label
	single               // id of a row of another model, shown nested
	many                 // []int64 of rows of another model, shown nested
	hardware             // string, a MAC address in upper case with colons
	address              // netip.Prefix with host bits
	network              // netip.Prefix without host bits
	document             // decoded JSON
	typeName             // string, "app.model" of a generic relation; its id column is <name without _type>_id
	moment               // time.Time
	words                // []any of strings
	slugs                // []int64 of tags, read and shown as slugs
)

// removal is what happens to a row when the row that a column of it names is deleted.
type removal int

const (
	setNull removal = iota
	cascade
	protect
)

// field describes one column of a model.
type field struct {
	name     string
	kind     kind
	required bool
	nullable bool
	blank    bool // the empty string is accepted
	max      int  // longest text in characters, 0: any
	unique   bool
	readOnly bool
	hidden   bool // kept, but not shown
	def      any  // value of a new row whose request does not name the column
	set      string
	to       string   // path of the related model, or of the models a generic relation may name
	models   []string // "app.model" labels a generic relation may name
	gone     removal
	since    int      // minor version that brought the column
	gonein   int      // minor version that has it no more; 0: none
	nested   []string // what a related row shows besides its identity, if not what it shows nested elsewhere
}

func textField(name string, max int) field {
	return field{name: name, kind: text, max: max, blank: true, def: ""}
}
func flagField(name string, def bool) field { return field{name: name, kind: boolean, def: def} }
func numberField(name string) field         { return field{name: name, kind: integer, nullable: true} }
func choiceField(name, set, def string) field {
	return field{name: name, kind: choice, set: set, def: def}
}
func refField(name, to string) field { return field{name: name, kind: single, to: to, nullable: true} }
func manyField(name, to string) field {
	return field{name: name, kind: many, to: to, def: []int64{}}
}
func docField(name string) field { return field{name: name, kind: document, nullable: true} }

// genericFields are the type and id columns of a relation to rows of several models.
func genericFields(name string, gone removal, models ...string) []field {
	return []field{
		{name: name + "_type", kind: typeName, nullable: true, models: models, gone: gone},
		{name: name + "_id", kind: integer, nullable: true},
	}
}

// called is the column's name in error texts.
func (f field) called() string {
	if f.name == "rd" {
		return "route distinguisher"
	}
	return spaced(f.name)
}

func (f field) must() field {
	f.required, f.nullable, f.blank, f.def = true, false, false, nil
	return f
}
func (f field) uniq() field              { f.unique = true; return f }
func (f field) orNull() field            { f.nullable, f.def = true, nil; return f }
func (f field) on(gone removal) field    { f.gone = gone; return f }
func (f field) from(minor int) field     { f.since = minor; return f }
func (f field) until(minor int) field    { f.gonein = minor; return f }
func (f field) as(names ...string) field { f.nested = names; return f }
func (f field) show() field              { f.readOnly = true; return f }

// in reports whether a version has the column.
func (f *field) in(v Version) bool {
	return v.atLeast(f.since) && (f.gonein == 0 || !v.atLeast(f.gonein))
}

// sinceMinor is a fixed value that came with a minor version.
type sinceMinor struct {
	minor int
	value any
}

// fixedValues are the given values, and null for the names.
func fixedValues(given map[string]any, nulls ...string) map[string]any {
	for _, name := range nulls {
		given[name] = nil
	}
	return given
}

// model describes one REST object type. Everything the server does with it follows from here.
type model struct {
	path    string // "ipam/ip-addresses"
	label   string // "ipam.ipaddress"
	class   string // "IPAddress", as 404 bodies say it
	verbose string // "IP address", as uniqueness errors say it
	fields  []field
	brief   []string // shown nested and with ?brief=, besides id, url and display
	since   int      // minor version that brought the model
	plain   bool     // no tags and no custom fields
	noTime  bool     // no created and last_updated
	closed  bool     // read only

	display   func(t *txn, r *row) string
	computed  map[string]func(t *txn, r *row) any
	fixed     map[string]any        // what every row shows alike; newer values are marked by sinceMinor
	filters   map[string]filterFunc // ignore empty values
	relations map[string]filterFunc // refuse empty values
	key       func(r *row) string   // index for uniqueness checks
	order     func(t *txn, a, b *row) int
	// prepare derives columns and checks the row as the model's clean does. old is nil for a new row.
	prepare func(t *txn, r, old *row) problems
	// saved follows a stored change: dependent rows.
	saved func(t *txn, r, old *row)
	// search lists the columns of ?q=.
	search []string
}

// column finds a field, nil if the model has none of that name in this version.
func (m *model) column(v Version, name string) *field {
	i := slices.IndexFunc(m.fields, func(f field) bool { return f.name == name && f.in(v) })
	if i < 0 {
		return nil
	}
	return &m.fields[i]
}

// slugColumn is the column by which filters without _id name a row of the model.
func (m *model) slugColumn() string {
	switch m.path {
	case "ipam/vrfs":
		return "rd"
	case "dcim/device-types":
		return "slug"
	case "dcim/platforms", "dcim/device-roles":
		return "slug"
	}
	if slices.ContainsFunc(m.fields, func(f field) bool { return f.name == "slug" }) {
		return "slug"
	}
	return "name"
}

// models is every object type of the stand-in, by path.
func models() map[string]*model {
	all := map[string]*model{}
	for _, group := range [][]*model{ipamModels(), placeModels(), deviceModels(), cableModels(), virtualModels(), tenancyModels(), extrasModels(), viewModels(), coreModels()} {
		for _, m := range group {
			all[m.path] = m
		}
	}
	return all
}
