package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parse reads one value of a request for a column. The message is "" if it is good.
func (t *txn) parse(f *field, v any) (value any, message string) {
	if v == nil {
		switch {
		case f.nullable:
			return nil, ""
		case f.kind == choice:
			return nil, "This field may not be blank."
		}
		return nil, "This field may not be null."
	}
	switch f.kind {
	case text:
		return parseText(f, v)
	case integer:
		return parseInteger(v)
	case decimal:
		n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil {
			return nil, "A valid number is required."
		}
		return n, ""
	case boolean:
		return parseBoolean(v)
	case choice:
		return t.parseChoice(f, v)
	case hardware, address, network, moment:
		return parseFormatted(f, v)
	case single:
		return t.parseRef(f, v)
	case many:
		return t.parseKeys(f, v)
	case typeName:
		return parseTypeName(f, v)
	case words:
		return t.parseTypes(v)
	case slugs:
		return t.parseSlugs(f, v)
	}
	return plainJSON(v), ""
}

func parseText(f *field, v any) (any, string) {
	var s string
	switch x := v.(type) {
	case string:
		s = strings.TrimSpace(x)
	case json.Number:
		s = x.String()
	default:
		return nil, "Not a valid string."
	}
	if s == "" && f.nullable && f.unique {
		return nil, ""
	}
	if s == "" && !f.blank {
		return nil, "This field may not be blank."
	}
	if message := badPattern(f.name, s); message != "" {
		return nil, message
	}
	if f.max > 0 && utf8.RuneCountInString(s) > f.max {
		return nil, fmt.Sprintf("Ensure this field has no more than %d characters.", f.max)
	}
	return s, ""
}

// badPattern says what is wrong with a slug or a colour, "" if nothing is.
func badPattern(name, s string) string {
	switch {
	case name == "slug" && !matches(s, `^[-\w]+$`):
		return `Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.`
	case name == "color" && s != "" && !matches(s, `^[0-9a-f]{6}$`):
		return "Enter a valid hexadecimal RGB color code."
	}
	return ""
}

func parseInteger(v any) (any, string) {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n, ""
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(x), 10, 64); err == nil {
			return n, ""
		}
	}
	return nil, "A valid integer is required."
}

func parseBoolean(v any) (any, string) {
	switch strings.ToLower(fmt.Sprint(v)) {
	case "true", "1", "t", "y", "yes", "on":
		return true, ""
	case "false", "0", "f", "n", "no", "off":
		return false, ""
	}
	return nil, "Must be a valid boolean."
}

func (t *txn) parseChoice(f *field, v any) (any, string) {
	switch v.(type) {
	case map[string]any, []any:
		return nil, `Value must be passed directly (e.g. "foo": 123); do not use a dictionary or list.`
	}
	s := fmt.Sprint(v)
	if s == "" {
		if f.nullable {
			return nil, ""
		}
		if f.blank {
			return "", ""
		}
		return nil, "This field may not be blank."
	}
	if !t.hasChoice(f.set, s) {
		return nil, s + " is not a valid choice."
	}
	return s, ""
}

func parseFormatted(f *field, v any) (any, string) {
	s, isText := v.(string)
	switch {
	case f.kind == moment:
		if at, ok := parseMoment(s); ok {
			return at, ""
		}
		return nil, "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	case isText && s == "":
		return nil, "This field may not be blank."
	case f.kind == hardware:
		if mac, ok := parseMAC(s); ok {
			return mac, ""
		}
		if f.hidden {
			return nil, "Enter a valid MAC address (e.g. 00:11:22:33:44:55)."
		}
		return nil, "Invalid MAC address format: " + s
	case !isText:
		return nil, fmt.Sprintf("unexpected type <class '%s'> for addr arg", pythonType(v))
	}
	p, ok := parseAddress(s)
	switch {
	case !ok && f.kind == network:
		return nil, "Invalid IP prefix format: " + s
	case !ok:
		return nil, "Invalid IP address format: " + s
	case f.kind == network && p != p.Masked():
		return nil, s + " is not a valid prefix. Did you mean " + p.Masked().String() + "?"
	}
	return p, ""
}

func parseTypeName(f *field, v any) (any, string) {
	s, _ := v.(string)
	for _, label := range f.models {
		if s == label {
			return s, ""
		}
	}
	if strings.Count(s, ".") != 1 {
		return nil, "Invalid value. Specify a content type as '<app_label>.<model_name>'."
	}
	return nil, "Invalid content type: " + s
}

// parseTypes reads a list of object types, in alphabetical order.
func (t *txn) parseTypes(v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	kinds := []any{}
	for _, item := range list {
		label, _ := item.(string)
		if message := t.unknownType(label); message != "" {
			return nil, message
		}
		kinds = append(kinds, label)
	}
	slices.SortFunc(kinds, compareValues)
	return kinds, ""
}

// unknownType says what is wrong with an object type, "" if nothing is.
func (t *txn) unknownType(label string) string {
	unmodelled := []string{"ipam.vlan", "ipam.aggregate", "ipam.asn", "ipam.service", "dcim.rack", "dcim.cable", "circuits.circuit"}
	switch {
	case strings.Count(label, ".") != 1:
		return "Invalid value. Specify a content type as '<app_label>.<model_name>'."
	case t.s.labelled(label) == nil && !slices.Contains(unmodelled, label):
		return "Invalid content type: " + label
	}
	return ""
}

// parseRef finds the row a request names by id or by attributes.
func (t *txn) parseRef(f *field, v any) (any, string) {
	switch x := v.(type) {
	case map[string]any:
		found := t.byAttributes(f.to, x)
		if len(found) == 1 {
			return found[0].id, ""
		}
		what := "Related object not found using the provided attributes: "
		if len(found) > 1 {
			what = "Multiple objects match the provided attributes: "
		}
		return nil, what + pythonRepr(x)
	case json.Number, string:
		id, err := strconv.ParseInt(fmt.Sprint(x), 10, 64)
		if err != nil {
			break
		}
		if t.get(f.to, id) == nil {
			return nil, fmt.Sprintf("Related object not found using the provided numeric ID: %d", id)
		}
		return id, ""
	}
	return nil, "Related objects must be referenced by numeric ID or by dictionary of attributes. Received an unrecognized value: " + fmt.Sprint(v)
}

func (t *txn) byAttributes(path string, attrs map[string]any) []*row {
	m := t.table(path).model
	var found []*row
	for _, r := range t.all(path) {
		if t.call.token != nil && !t.permits(m, "view", r) && t.s.config.Version.atLeast(6) {
			continue
		}
		if t.hasAttributes(m, r, attrs) {
			found = append(found, r)
		}
	}
	return found
}

// hasAttributes compares columns with the attributes of a request; a nested object compares the row referred to.
func (t *txn) hasAttributes(m *model, r *row, attrs map[string]any) bool {
	for name, want := range attrs {
		have := r.cols[name]
		if name == "id" {
			have = r.id
		}
		if nested, ok := want.(map[string]any); ok {
			f := m.column(t.s.config.Version, name)
			if f == nil || f.kind != single || r.ref(name) == 0 {
				return false
			}
			if !t.hasAttributes(t.table(f.to).model, t.get(f.to, r.ref(name)), nested) {
				return false
			}
			continue
		}
		if want == nil && have == nil {
			continue
		}
		if have == nil || fmt.Sprint(have) != fmt.Sprint(want) {
			return false
		}
	}
	return true
}

func (t *txn) parseRefs(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		id, message := t.parseRef(f, item)
		if message != "" {
			return nil, message
		}
		ids = append(ids, id.(int64))
	}
	return ids, ""
}

// parseKeys reads rows named by id only.
func (t *txn) parseKeys(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		id, ok := toID(item)
		if _, isNumber := item.(json.Number); !isNumber || !ok {
			return nil, fmt.Sprintf("Incorrect type. Expected pk value, received %s.", pythonType(item))
		}
		if t.get(f.to, id) == nil {
			return nil, fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", id)
		}
		ids = append(ids, id)
	}
	return ids, ""
}

// parseSlugs reads rows named by slug.
func (t *txn) parseSlugs(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		tag := t.bySlug(f.to, fmt.Sprint(item))
		if tag == nil {
			return nil, fmt.Sprintf("Object with slug=%v does not exist.", item)
		}
		ids = append(ids, tag.id)
	}
	return ids, ""
}

// pythonType names a decoded JSON value's type as Python does, for error texts.
func pythonType(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case string:
		return "str"
	case bool:
		return "bool"
	case json.Number:
		if _, err := x.Int64(); err == nil {
			return "int"
		}
		return "float"
	case []any:
		return "list"
	}
	return "dict"
}

// pythonRepr writes a decoded value as Python's repr does.
func pythonRepr(v any) string {
	var parts []string
	switch x := v.(type) {
	case nil:
		return "None"
	case string:
		return "'" + x + "'"
	case bool:
		return capital(strconv.FormatBool(x))
	case []any:
		for _, item := range x {
			parts = append(parts, pythonRepr(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, pythonRepr(k)+": "+pythonRepr(x[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pythonValue writes a decoded value as Python's str does.
func pythonValue(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return pythonRepr(v)
}
