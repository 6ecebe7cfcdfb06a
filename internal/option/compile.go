package option

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxClasses bounds the classes of one kind: each message is compared with all.
const maxClasses = 500

// Compile reads layers, the lowest first, as NetBox merges contexts: objects merge
// key by key, everything else replaces, null and an empty object take away. What
// cannot be used is a finding and costs only itself. A nil Set has nothing to say.
// It is for the time at which a snapshot is built, and not for the path of a packet.
func Compile(layers []Layer) (*Set, []Finding) {
	c := compiler{base: newRaw()}
	for i := range c.classes {
		c.classes[i] = make(map[string]*raw)
	}
	for _, layer := range layers {
		c.layer(layer)
	}
	s := &Set{}
	s.base = c.block(c.base, "", true)
	empty := len(s.base.options) == 0
	tags := make(map[string]bool)
	for k := range kinds {
		for _, key := range slices.Sorted(maps.Keys(c.classes[k])) {
			one := c.class(k, key)
			s.classes[k] = append(s.classes[k], one)
			if one.tag != "" {
				tags[one.tag] = true
			}
			empty = false
		}
		slices.SortStableFunc(s.classes[k], func(a, b class) int { return cmp.Compare(len(b.match), len(a.match)) })
	}
	s.poolTags = slices.Sorted(maps.Keys(tags))
	if empty {
		s = nil
	}
	return s, c.findings
}

// compiler collects what the layers say, before values are encoded.
type compiler struct {
	base     *raw
	classes  [kinds]map[string]*raw
	findings []Finding
}

// raw is one block before its values are encoded.
type raw struct {
	options      map[uint8]*said
	tag, tagFrom string
	source       string // the highest layer that has the block
	field        string
}

// said is what the layers say of one option.
type said struct {
	value     any
	source    string   // the highest layer that says something
	parts     []string // of lower layers, which it was merged with
	overrides []string
	field     string
}

func newRaw() *raw { return &raw{options: make(map[uint8]*said)} }

func (c *compiler) findf(source, field, format string, args ...any) {
	c.findings = append(c.findings, Finding{Source: source, Field: field, Problem: fmt.Sprintf(format, args...)})
}

// object returns the object under a key. Cleared: null or an empty object stands
// there, which takes away what lower layers have.
func (c *compiler) object(source, field string, value any, present bool) (object map[string]any, cleared bool) {
	object, ok := value.(map[string]any)
	switch {
	case !present:
		return nil, false
	case value == nil || ok && len(object) == 0:
		return nil, true
	case !ok:
		c.findf(source, field, "want an object, not %s", show(value))
	}
	return object, false
}

func (c *compiler) layer(l Layer) {
	value, present := l.Data["options"]
	c.options(c.base, l.Source, "options", value, present)
	for k := range kinds {
		value, present := l.Data[k.key()]
		blocks, cleared := c.object(l.Source, k.key(), value, present)
		if cleared {
			clear(c.classes[k])
		}
		seen := make(map[string]string)
		for _, written := range slices.Sorted(maps.Keys(blocks)) {
			field := k.key() + "." + strconv.Quote(written)
			key, err := k.normal(written)
			if err != nil {
				c.findf(l.Source, field, "%v", err)
				continue
			}
			if first, twice := seen[key]; twice {
				c.findf(l.Source, field, "this is the same as %q, which counts: take one out", first)
				continue
			}
			seen[key] = written
			c.classBlock(k, key, l.Source, field, blocks[written])
		}
	}
}

// normal brings the key of a condition into one form: text as it is, a number in
// decimal, a MAC prefix as hex digits.
func (k kind) normal(key string) (string, error) {
	switch k {
	case architecture:
		n, err := strconv.ParseUint(key, 10, 16)
		if err != nil {
			return "", fmt.Errorf("want the number of an architecture, 0 to 65535 (option 93)")
		}
		return strconv.FormatUint(n, 10), nil
	case macPrefix:
		b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", ".", "").Replace(key))
		if err != nil || len(b) == 0 || len(b) > 6 {
			return "", fmt.Errorf("want the first 1 to 6 bytes of a MAC address, such as \"00:1b:54\"")
		}
		return hex.EncodeToString(b), nil
	}
	if key == "" || len(key) > maxValue {
		return "", fmt.Errorf("want 1 to %d bytes that stand in the class of the client", maxValue)
	}
	return key, nil
}

// classBlock reads one condition of a layer.
func (c *compiler) classBlock(k kind, key, source, field string, value any) {
	content, cleared := c.object(source, field, value, true)
	if cleared {
		delete(c.classes[k], key)
		return
	}
	if content == nil {
		return
	}
	r := c.classes[k][key]
	if r == nil {
		if len(c.classes[k]) == maxClasses {
			c.findf(source, field, "more than %d classes of one kind: this one does not count", maxClasses)
			return
		}
		r = newRaw()
		c.classes[k][key] = r
	}
	r.source, r.field = source, field
	for _, name := range slices.Sorted(maps.Keys(content)) {
		switch name {
		case "options":
			c.options(r, source, field+".options", content[name], true)
		case "pool_tag":
			tag, ok := content[name].(string)
			if !ok && content[name] != nil {
				c.findf(source, field+".pool_tag", "want the name or slug of a tag, not %s", show(content[name]))
				continue
			}
			r.tag, r.tagFrom = tag, source
		default:
			c.findf(source, field+"."+name, "no such key: a class has options and pool_tag")
		}
	}
}

// options reads the options of one block of a layer.
func (c *compiler) options(r *raw, source, field string, value any, present bool) {
	object, cleared := c.object(source, field, value, present)
	if cleared {
		clear(r.options)
	}
	seen := make(map[uint8]string)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		field := field + "." + key
		code, err := Code(key)
		if err != nil {
			c.findf(source, field, "%v", err)
			continue
		}
		if why := refused(code); why != "" {
			c.findf(source, field, "%s", why)
			continue
		}
		if first, twice := seen[code]; twice {
			c.findf(source, field, "this is the same option as %s, which counts: take one out", first)
			continue
		}
		seen[code] = key
		r.options[code] = r.options[code].under(object[key], source, field)
	}
}

// under lays the value of a higher layer over what lower ones say.
func (s *said) under(value any, source, field string) *said {
	high := &said{value: value, source: source, field: field}
	if s == nil {
		return high
	}
	over, isObject := value.(map[string]any)
	base, both := s.value.(map[string]any)
	switch {
	case isObject && both && len(over) > 0 && mergeable(base, over):
		high.value = merge(base, over)
		high.overrides = s.overrides
		if !reflect.DeepEqual(high.value, value) {
			high.parts = append([]string{s.source}, s.parts...)
		} else if !reflect.DeepEqual(s.value, value) {
			high.overrides = append([]string{s.words()}, s.overrides...)
		}
	case reflect.DeepEqual(s.value, value):
		high.overrides = s.overrides
	case s.value == nil:
		high.overrides = s.overrides
	default:
		high.overrides = append([]string{s.words()}, s.overrides...)
	}
	return high
}

// mergeable reports whether two objects say a value in the same way. NetBox would
// merge {address: ...} and {hex: ...} into one object that means nothing.
func mergeable(low, high map[string]any) bool {
	a, b := style(low), style(high)
	return a == b || a == "force" || b == "force"
}

// style is how an object says a value: the name of a form, "value", "force" where
// there is nothing else, or "" for sub-options.
func style(object map[string]any) string {
	for key := range object {
		if _, named := formNames[key]; named || key == "value" {
			return key
		}
	}
	if _, force := object["force"]; force && len(object) == 1 {
		return "force"
	}
	return ""
}

// merge lays one object over another, as NetBox does, and changes neither.
func merge(low, high map[string]any) map[string]any {
	merged := maps.Clone(low)
	for key, value := range high {
		over, isObject := value.(map[string]any)
		base, both := merged[key].(map[string]any)
		if isObject && both && len(over) > 0 {
			value = merge(base, over)
		}
		merged[key] = value
	}
	return merged
}

// words say value and source in a few words.
func (s *said) words() string { return show(s.value) + " of " + s.from() }

// from names the layers that a value comes from.
func (s *said) from() string {
	if len(s.parts) == 0 {
		return s.source
	}
	return s.source + ", with parts of " + strings.Join(s.parts, ", ")
}

// class finishes one condition.
func (c *compiler) class(k kind, key string) class {
	r := c.classes[k][key]
	shown := key
	if k == macPrefix {
		shown = colons(key)
	}
	name := k.key() + " " + strconv.Quote(shown)
	done := class{name: name, match: []byte(key), block: c.block(r, name, false)}
	switch k {
	case architecture:
		n, _ := strconv.ParseUint(key, 10, 16) // normal saw to it
		done.arch = uint16(n)
	case macPrefix:
		done.match, _ = hex.DecodeString(key) // normal saw to it
	}
	if r.tag != "" {
		done.tag, done.tagFrom = r.tag, r.tagFrom+", "+name
	}
	return done
}

// colons writes hex digits as a MAC address.
func colons(digits string) string {
	b := []byte(digits)
	var parts [][]byte
	for pair := range slices.Chunk(b, 2) {
		parts = append(parts, pair)
	}
	return string(bytes.Join(parts, []byte(":")))
}

// block encodes the options of a block. Base is the one that holds for all clients.
func (c *compiler) block(r *raw, class string, base bool) block {
	var done block
	for _, code := range slices.Sorted(maps.Keys(r.options)) {
		s := r.options[code]
		e := entry{Chosen: Chosen{Code: code, Source: s.from(), Overrides: s.overrides}}
		if class != "" {
			e.Source += ", " + class
		}
		e.words = show(s.value) + " of " + e.Source
		if s.value == nil {
			e.removed = true
			done.options = append(done.options, e)
			continue
		}
		value, force, err := unwrap(s.value)
		if err == nil {
			e.Force = force
			e.Value, err = encode(written(code, value), value)
		}
		if err == nil && base {
			err = needsClass(code, force)
		}
		if err != nil { // it costs this option, also that of a wider condition
			c.findf(s.source, s.field, "option %d: %v", code, err)
			e.removed = true
		}
		done.options = append(done.options, e)
	}
	return done
}

// needsClass refuses, for all clients alike, what would do harm there.
func needsClass(code uint8, force bool) error {
	switch {
	case code == 114 && !force:
		return fmt.Errorf("phones and laptops take it for a captive portal: write it inside a class, or with force: true")
	case code == 60:
		return fmt.Errorf("clients take it for an answer to their own class: write it inside a class")
	}
	return nil
}

// unwrap takes force out of an object, and the value behind the key value.
func unwrap(v any) (value any, force bool, err error) {
	object, ok := v.(map[string]any)
	if !ok {
		return v, false, nil
	}
	if f, present := object["force"]; present {
		if force, ok = f.(bool); !ok {
			return nil, false, fmt.Errorf("force: want true or false, not %s", show(f))
		}
		object = maps.Clone(object)
		delete(object, "force")
	}
	if inner, present := object["value"]; present {
		if len(object) > 1 {
			return nil, false, fmt.Errorf("beside value there is only force")
		}
		return inner, force, nil
	}
	if len(object) == 0 {
		return nil, false, fmt.Errorf("there is no value")
	}
	return object, force, nil
}
