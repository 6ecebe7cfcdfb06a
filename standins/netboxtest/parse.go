package netboxtest

import (
	"encoding/json"
	"fmt"
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
