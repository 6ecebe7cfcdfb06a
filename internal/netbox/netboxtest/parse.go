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
		if f.nullable {
			return nil, ""
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
		return t.parseRefs(f, v)
	case typeName:
		return parseTypeName(f, v)
	case words:
		return parseWords(v)
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
	if s == "" && !f.blank {
		return nil, "This field may not be blank."
	}
	if f.max > 0 && utf8.RuneCountInString(s) > f.max {
		return nil, fmt.Sprintf("Ensure this field has no more than %d characters.", f.max)
	}
	return s, ""
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
	s, _ := v.(string)
	switch f.kind {
	case hardware:
		if mac, ok := parseMAC(s); ok {
			return mac, ""
		}
		return nil, "Enter a valid MAC address: " + s
	case moment:
		if at, ok := parseMoment(s); ok {
			return at, ""
		}
		return nil, "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	}
	p, ok := parseAddress(s)
	switch {
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

func parseWords(v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	return plainJSON(list), ""
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

// pythonRepr writes attributes as Python prints a dict.
func pythonRepr(attrs map[string]any) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		v := attrs[k]
		if s, ok := v.(string); ok {
			v = "'" + s + "'"
		}
		parts = append(parts, fmt.Sprintf("'%s': %v", k, v))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
