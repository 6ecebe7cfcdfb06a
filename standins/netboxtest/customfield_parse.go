package netboxtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parseCustomField reads a raw value strictly by the field's type.
func (t *txn) parseCustomField(d *row, v any) (any, string) {
	if v == nil || v == "" {
		if d.flag("required") {
			return nil, "Required field cannot be empty."
		}
		return v, ""
	}
	switch kind := d.str("type"); kind {
	case "text", "longtext", "url":
		return parseCustomText(d, v)
	case "integer", "decimal":
		return parseCustomNumber(d, kind, v)
	case "boolean":
		if s := fmt.Sprint(v); s != "true" && s != "false" && s != "1" && s != "0" {
			return nil, "Value must be true or false."
		}
		return plainJSON(v), ""
	case "date", "datetime":
		return parseCustomTime(kind, v)
	case "select":
		return t.parseSelected(d, v)
	case "multiselect":
		return t.parseManySelected(d, v)
	case "object", "multiobject":
		return t.parseRelated(d, kind, v)
	}
	return plainJSON(v), ""
}

func parseCustomText(d *row, v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		return nil, "Value must be a string."
	}
	if pattern := d.str("validation_regex"); pattern != "" && !matches(s, pattern) {
		return nil, fmt.Sprintf("Value must match regex '%s'", pattern)
	}
	return s, ""
}

var integerText = regexp.MustCompile(`^-?\d+$`)

func parseCustomNumber(d *row, kind string, v any) (any, string) {
	n, ok := v.(json.Number)
	if kind == "decimal" {
		f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if _, isBool := v.(bool); isBool || err != nil {
			return nil, "Value must be a decimal."
		}
		return f, ""
	}
	if !ok || !integerText.MatchString(n.String()) {
		return nil, "Value must be an integer."
	}
	i, err := n.Int64()
	if err != nil {
		return nil, "Value must be an integer."
	}
	if low, ok := d.cols["validation_minimum"].(int64); ok && i < low {
		return nil, fmt.Sprintf("Value must be at least %d", low)
	}
	if high, ok := d.cols["validation_maximum"].(int64); ok && i > high {
		return nil, fmt.Sprintf("Value must not exceed %d", high)
	}
	return i, ""
}

// parseCustomTime normalises as Python's isoformat does: no fraction if it is zero.
func parseCustomTime(kind string, v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		panic(serverError{"TypeError", "fromisoformat: argument must be str"})
	}
	if kind == "date" {
		if at, err := time.Parse("2006-01-02", s); err == nil {
			return at.Format("2006-01-02"), ""
		}
		return nil, "Date values must be in ISO 8601 format (YYYY-MM-DD)."
	}
	at, ok := parseMoment(s)
	if !ok {
		return nil, "Date and time values must be in ISO 8601 format (YYYY-MM-DD HH:MM:SS)."
	}
	out := isoTime(at)
	if !strings.HasSuffix(s, "Z") && !hasZone(s) {
		out = strings.TrimSuffix(out, "Z")
	}
	return out, ""
}

func hasZone(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1))
	return err == nil
}

func (t *txn) parseSelected(d *row, v any) (any, string) {
	for _, o := range t.customChoices(d) {
		if o.value == v {
			return v, ""
		}
	}
	return nil, fmt.Sprintf("Invalid choice (%s) for choice set %s.", pythonValue(v), t.choiceSetName(d))
}

func (t *txn) choiceSetName(d *row) string {
	if set := t.get(choiceSetsPath, d.ref("choice_set")); set != nil {
		return set.str("name")
	}
	return ""
}

func (t *txn) parseManySelected(d *row, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Invalid choice(s) (%s) for choice set %s.", pythonValue(v), t.choiceSetName(d))
	}
	for _, item := range list {
		if _, message := t.parseSelected(d, item); message != "" {
			return nil, fmt.Sprintf("Invalid choice(s) (%s) for choice set %s.", pythonValue(v), t.choiceSetName(d))
		}
	}
	return plainJSON(list), ""
}

func (t *txn) parseRelated(d *row, kind string, v any) (any, string) {
	m := t.s.labelled(d.str("related_object_type"))
	if m == nil {
		return plainJSON(v), ""
	}
	if kind == "object" {
		return t.parseRef(&field{to: m.path}, v)
	}
	ids, message := t.parseRefs(&field{to: m.path}, v)
	if message != "" {
		return nil, message
	}
	var list []any
	for _, id := range ids.([]int64) {
		list = append(list, id)
	}
	return list, ""
}
