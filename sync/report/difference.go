package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Difference is one thing that differs between what is and what a step makes
// of it, for people. Text is as it came from the network: see package printable.
type Difference struct {
	Field string // "dns_name", "dhcp_exclusions", "data.mode"
	// Entry marks one line or list entry of the field that comes (Old is empty)
	// or goes (New is empty); the other entries stay.
	Entry    bool
	Old, New string // empty: none
}

// Differences tells what a step changes. For a delete that is what the object
// shows now.
func Differences(s *plan.Step) []Difference {
	var out []Difference
	changes := s.Changes
	if s.Action == state.Delete && len(changes) == 0 {
		for _, c := range s.Observed {
			changes = append(changes, plan.Change{Field: c.Field, Old: c.Old})
		}
	}
	for _, c := range changes {
		if c.Field == "role" && s.Kind == state.IPRange && c.New != nil {
			c.New = state.RoleScope // sent by its id; steps give no other
		}
		field := strings.TrimPrefix(c.Field, plan.CustomField(""))
		found := differ(field, c.Old, c.New)
		if d := (Difference{Field: field, Old: display(decoded(c.Old)), New: display(decoded(c.New))}); len(found) == 0 && d.Old != "" && !plan.SameValue(c.Old, c.New) {
			found = []Difference{d} // only the order, or the type
		}
		out = append(out, found...)
	}
	for _, tag := range s.AddTags {
		out = append(out, Difference{Field: "tags", Entry: true, New: tag})
	}
	for _, tag := range s.RemoveTags {
		out = append(out, Difference{Field: "tags", Entry: true, Old: tag})
	}
	return out
}

// differ compares two values: objects by their keys, lists by their entries,
// tables by their lines, everything else as a whole.
func differ(field string, before, after any) []Difference {
	before, after = decoded(before), decoded(after)
	oldMap, isOldMap := before.(map[string]any)
	newMap, isNewMap := after.(map[string]any)
	if (isOldMap || before == nil) && (isNewMap || after == nil) && (isOldMap || isNewMap) {
		return differKeys(field, oldMap, newMap)
	}
	oldList, isOldList := entries(field, before)
	newList, isNewList := entries(field, after)
	if (isOldList || before == nil) && (isNewList || after == nil) && (isOldList || isNewList) {
		return differEntries(field, oldList, newList)
	}
	if d := (Difference{Field: field, Old: display(before), New: display(after)}); d.Old != d.New {
		return []Difference{d}
	}
	return nil
}

func differKeys(field string, before, after map[string]any) []Difference {
	var out []Difference
	for _, k := range keysOf(before, after) {
		out = append(out, differ(field+"."+k, before[k], after[k])...)
	}
	return out
}

// keysOf are the keys of either, sorted.
func keysOf(a, b map[string]any) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// differEntries tells which entries go, then which come. An entry that is
// there twice counts twice.
func differEntries(field string, before, after []string) []Difference {
	surplus := map[string]int{}
	for _, e := range before {
		surplus[e]++
	}
	var gone, come []Difference
	for _, e := range after {
		if surplus[e] > 0 {
			surplus[e]--
			continue
		}
		come = append(come, Difference{Field: field, Entry: true, New: e})
	}
	for _, e := range before {
		if surplus[e] > 0 {
			surplus[e]--
			gone = append(gone, Difference{Field: field, Entry: true, Old: e})
		}
	}
	return append(gone, come...)
}

// entries takes a list apart, or the table in a prefix.
func entries(field string, v any) (list []string, ok bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			list = append(list, cmp.Or(display(e), "null"))
		}
		return list, true
	case string:
		return slices.Collect(strings.FieldsFuncSeq(v, func(r rune) bool { return r == '\n' })), field == state.FieldScopes
	}
	return nil, false
}

// decoded opens a JSON value; anything else is as it is.
func decoded(v any) any {
	raw, ok := v.(json.RawMessage)
	if !ok {
		return v
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out any
	if d.Decode(&out) != nil {
		return string(raw)
	}
	return out
}

// display writes a value on one line, an object as its keys and values.
func display(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		return displayObject(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = display(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

func displayObject(m map[string]any) string {
	start, end := display(m["start"]), display(m["end"])
	if len(m) == 2 && start != "" && end != "" {
		return start + "-" + end
	}
	keys := slices.Sorted(maps.Keys(m))
	parts := make([]string, len(keys))
	for i, k := range keys {
		value := display(m[k])
		if value == "" || strings.ContainsAny(value, " \"") {
			value = strconv.Quote(value)
		}
		parts[i] = k + "=" + value
	}
	return strings.Join(parts, " ")
}

// valueText shows what becomes of a field, and in which colour.
func valueText(action state.Action, d Difference) (text, colour string) {
	switch {
	case d.Entry && d.Old == "":
		return "+ " + d.New, green
	case d.Entry:
		return "- " + d.Old, red
	case action == state.Create:
		return shown(d.New), ""
	case action == state.Delete:
		return shown(d.Old), ""
	}
	return shown(d.Old) + " -> " + shown(d.New), ""
}

// shown is a value on its own: nothing and blanks can be seen.
func shown(s string) string {
	switch {
	case s == "":
		return "(none)"
	case s != strings.TrimSpace(s) || s == "(none)":
		return fmt.Sprintf("%q", s)
	}
	return s
}
