package netbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// customPrefix starts the names of custom fields among those of other fields.
const CustomPrefix = "custom_fields."

// showing is an object as NetBox shows it, for comparing fields of any kind by
// name.
type Shown struct {
	fields map[string]json.RawMessage
	custom map[string]json.RawMessage
}

func DecodeShown(raw json.RawMessage) (*Shown, error) {
	s := new(Shown)
	if err := json.Unmarshal(raw, &s.fields); err != nil {
		return nil, fmt.Errorf("decode the object: %w", err)
	}
	if custom, ok := s.fields["custom_fields"]; ok {
		if err := json.Unmarshal(custom, &s.custom); err != nil {
			return nil, fmt.Errorf("decode the custom fields: %w", err)
		}
	}
	return s, nil
}

func (s *Shown) Raw(field string) json.RawMessage {
	if name, ok := strings.CutPrefix(field, CustomPrefix); ok {
		return s.custom[name]
	}
	return s.fields[field]
}

// is reports whether a field shows a value. What NetBox writes in another way
// than it takes it counts as the same: choices, related objects, instants,
// addresses, host names, and "" for null.
func (s *Shown) Is(field string, want any) bool {
	wanted, err := json.Marshal(want)
	if err != nil {
		return false
	}
	have, w := decodeAny(s.Raw(field)), decodeAny(wanted)
	if related, ok := have.(map[string]any); ok && !isCustom(field) {
		if _, bySlug := w.(string); bySlug && related["slug"] != nil {
			have = related["slug"]
		}
	}
	return reflect.DeepEqual(canonical(field, have), canonical(field, w))
}

// text is a field that holds a text; empty for any other.
func (s *Shown) Text(field string) string {
	text, _ := decodeAny(s.Raw(field)).(string)
	return text
}

// tagSlugs are the slugs of the object's tags.
func (s *Shown) TagSlugs() []string {
	list, _ := canonical("tags", decodeAny(s.fields["tags"])).([]string)
	return list
}

// host is the address of the object without its mask.
func (s *Shown) Host(field string) netip.Addr {
	text, _ := decodeAny(s.fields[field]).(string)
	p, err := ParseAddress(text)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

func (s *Shown) VRF() int64 {
	var id Ref
	if json.Unmarshal(s.fields["vrf"], &id) != nil {
		return 0
	}
	return int64(id)
}

func (s *Shown) ID() int64 {
	var id int64
	if json.Unmarshal(s.fields["id"], &id) != nil {
		return 0
	}
	return id
}

// RefID is the id of a related object, given as a number in any form or as an
// object with an id; 0: none.
func RefID(v any) int64 {
	raw, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	id, _ := canonical("id", decodeAny(raw)).(int64)
	return id
}

func isCustom(field string) bool { return strings.HasPrefix(field, CustomPrefix) }

// decodeAny decodes JSON without losing digits; nil for nothing.
func decodeAny(raw json.RawMessage) any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

// canonical brings the value of a field into the one form that all values
// meaning the same have.
func canonical(field string, v any) any {
	switch v := v.(type) {
	case string:
		return canonicalText(field, v)
	case map[string]any:
		if _, labelled := v["label"]; labelled && len(v) == 2 {
			if value, ok := v["value"]; ok { // a choice; of custom fields from 4.7
				return canonical(field, value)
			}
		}
		if id, ok := v["id"]; ok && !isCustom(field) && field != "data" {
			return plain(id)
		}
		return plain(v)
	case []any:
		if field == "tags" {
			return canonicalTags(v)
		}
		return plain(v)
	}
	return plain(v)
}

func canonicalText(field, text string) any {
	if !isCustom(field) {
		text = strings.TrimSpace(text) // as NetBox stores it
	}
	switch field {
	case "address", "start_address", "end_address":
		if p, err := ParseAddress(text); err == nil {
			return p
		}
	case "prefix":
		if p, err := netip.ParsePrefix(text); err == nil {
			return p.Masked()
		}
	case "dns_name":
		text = strings.ToLower(text)
	}
	if text == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC()
	}
	return text
}

func canonicalTags(list []any) []string {
	slugs := []string{}
	for _, item := range list {
		switch tag := item.(type) {
		case string:
			slugs = append(slugs, tag)
		case map[string]any:
			slugs = append(slugs, fmt.Sprint(tag["slug"]))
		}
	}
	slices.Sort(slugs)
	return slugs
}

// plain gives equal numbers one type, all the way down.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		if n := int64(f); float64(n) == f {
			return n
		}
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = plain(v[key])
		}
		return object
	}
	return v
}

// fieldsOf lists what has to be asked for to compare fields of these names.
func Columns(sets ...map[string]any) []string {
	names := make(map[string]bool)
	for _, set := range sets {
		for field := range set {
			if isCustom(field) {
				field = "custom_fields"
			}
			names[field] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
