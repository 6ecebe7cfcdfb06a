package strictyaml

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

// decode stores n in the value out points to.
func (r *Report) decode(path string, n *yaml.Node, out any) {
	r.value(path, n, reflect.ValueOf(out).Elem())
}

func (r *Report) value(path string, n *yaml.Node, v reflect.Value) {
	if n.ShortTag() == "!!null" || r.failed[path] && path != "" {
		return
	}
	switch out := v.Addr().Interface().(type) {
	case *yaml.Node:
		*out = *n
		return
	case *json.RawMessage:
		*out = r.json(path, n)
		return
	case *time.Duration:
		r.duration(path, n, out)
		return
	case *netip.Addr:
		r.notation(path, n, "an address such as 10.0.0.1", out)
		return
	case *netip.Prefix:
		r.notation(path, n, "a prefix such as 10.0.0.0/24", out)
		return
	case walked:
		r.list(path, n, out)
		return
	case encoding.TextUnmarshaler:
		r.text(path, n, out)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(path, n, v.Elem())
	case reflect.Struct:
		r.structure(path, n, v)
	case reflect.Slice:
		r.slice(path, n, v)
	case reflect.Map:
		r.mapping(path, n, v)
	default:
		r.scalar(path, n, v)
	}
}

func (r *Report) duration(path string, n *yaml.Node, out *time.Duration) {
	d, err := parseDuration(n.Value)
	if n.Kind == yaml.ScalarNode && err == nil {
		*out = d
		return
	}
	fix := ""
	if n.ShortTag() == "!!int" {
		fix = "; for seconds write " + n.Value + "s"
	}
	r.add(n.Line, path, "want a duration such as 30s, 90m, 12h or 1d, not "+kindName(n)+fix)
}

// notation reads a type whose own errors say less than the text in want.
func (r *Report) notation(path string, n *yaml.Node, want string, out encoding.TextUnmarshaler) {
	if n.Kind != yaml.ScalarNode || out.UnmarshalText([]byte(n.Value)) != nil {
		r.add(n.Line, path, "want "+want+", not "+kindName(n))
	}
}

// text reads a type that parses itself; its error says what is wanted.
func (r *Report) text(path string, n *yaml.Node, out encoding.TextUnmarshaler) {
	if n.Kind != yaml.ScalarNode {
		r.add(n.Line, path, "want text, not "+kindName(n))
		return
	}
	if err := out.UnmarshalText([]byte(n.Value)); err != nil {
		r.add(n.Line, path, err.Error())
	}
}

func (r *Report) scalar(path string, n *yaml.Node, v reflect.Value) {
	want := "text"
	ok := n.Kind == yaml.ScalarNode
	switch v.Kind() {
	case reflect.Bool:
		want = "true or false"
		ok = ok && n.ShortTag() == "!!bool" && n.Decode(v.Addr().Interface()) == nil
	case reflect.String:
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float", "!!timestamp":
			if ok {
				v.SetString(n.Value)
			}
		case "!!bool":
			want, ok = `text: write "`+n.Value+`" with the quotes`, false
		default:
			ok = false
		}
	case reflect.Int, reflect.Int64:
		want = "a whole number"
		ok = ok && n.ShortTag() == "!!int" && n.Decode(v.Addr().Interface()) == nil
	default:
		panic("strictyaml: no decoding into " + v.Type().String())
	}
	if !ok {
		r.add(n.Line, path, "want "+want+", not "+kindName(n))
	}
}

func (r *Report) slice(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		r.add(n.Line, path, "want a list, not "+kindName(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, child := range n.Content {
		r.entry(fmt.Sprintf("%s[%d]", path, i), child, list.Index(i))
	}
	v.Set(list)
}

// entry reads an entry of a list.
func (r *Report) entry(path string, n *yaml.Node, v reflect.Value) {
	if n.ShortTag() == "!!null" {
		r.add(n.Line, path, "an empty entry")
	}
	preset(v)
	r.value(path, n, v)
}

func (r *Report) mapping(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, path, "want a mapping, not "+kindName(n))
		return
	}
	entries := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := join(path, n.Content[i].Value)
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if key.Kind() == reflect.String {
			key.SetString(n.Content[i].Value)
		} else if r.value(at, n.Content[i], key); r.failed[at] {
			continue
		}
		preset(element)
		r.value(at, n.Content[i+1], element)
		entries.SetMapIndex(key, element)
	}
	v.Set(entries)
}

// preset fills an entry of a list or mapping before it is read.
func preset(entry reflect.Value) {
	if entry, ok := entry.Addr().Interface().(interface{ SetDefaults() }); ok {
		entry.SetDefaults()
	}
}

func (r *Report) structure(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, path, "want a mapping with "+strings.Join(keys(v.Type()), ", ")+", not "+kindName(n))
		return
	}
	rest := yaml.Node{Kind: yaml.MappingNode, Line: n.Line}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if field, why := fieldOf(v, key.Value); why != "" {
			r.add(key.Line, join(path, key.Value), why)
			continue
		} else if field.IsValid() {
			r.value(join(path, key.Value), value, field)
			continue
		}
		rest.Content = append(rest.Content, key, value)
	}
	if field, _ := fieldOf(v, ",inline"); field.IsValid() {
		r.mapping(path, &rest, field)
		return
	}
	for i := 0; i+1 < len(rest.Content); i += 2 {
		key := rest.Content[i]
		r.add(key.Line, join(path, key.Value), "unknown key; "+nearest.Suggest(key.Value, keys(v.Type())))
	}
}

// fieldOf returns the field of struct v tagged with key, and why the key is
// refused if it is.
func fieldOf(v reflect.Value, key string) (field reflect.Value, refuse string) {
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag; tag.Get("yaml") == key {
			return v.Field(i), tag.Get("refuse")
		}
	}
	return reflect.Value{}, ""
}

// keys lists the keys of a struct in the order of its fields.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("yaml")
		if name != "" && name != "-" && name[0] != ',' && tag.Get("refuse") == "" {
			names = append(names, name)
		}
	}
	return names
}
