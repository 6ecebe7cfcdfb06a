package settings

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// Setting is an effective value and where it comes from.
type Setting struct {
	Key    string // sync.guards.keep_assigned, sync.servers.dh1.corp.example.port
	Value  string // as in YAML; never a secret
	Origin string // "default", "config.yml:12", "override config.yml:40", "environment NETBOX_URL", "systemd credential netbox_token"
	Forced bool   // by an override or an environment variable that wins over the file
}

// Effective lists what the mirror works with: its part of netbox:, then every
// key of sync: in the order of the struct, servers and relationships by name.
func (f *File) Effective() []Setting {
	list := []Setting{
		f.setting("netbox.url", "netbox.url", f.NetBox.URL),
		f.setting("netbox.token_file", "netbox.token_file", f.NetBox.TokenFile),
	}
	if f.NetBox.EnvToken != "" {
		list = append(list, Setting{Key: "netbox.token", Value: secretIsSet, Origin: "environment NETBOX_TOKEN"})
	}
	list = append(list, f.setting("netbox.ca_file", "netbox.ca_file", f.NetBox.CAFile))
	list = append(list, f.setting("netbox.timeout", "netbox.timeout", f.NetBox.Timeout))
	return f.below(list, "sync", "sync", reflect.ValueOf(f.Sync))
}

// Notice is a setting that the operator must know about at every run (rule 7).
type Notice struct {
	Setting
	Effect string
}

// Notices lists what overrides and the environment decide, and what keeps runs
// from writing.
func (f *File) Notices() []Notice {
	var list []Notice
	for _, s := range f.Effective() {
		switch {
		case s.Key == "sync.dry_run" && s.Value == "true":
			list = append(list, Notice{s, "nothing is written anywhere"})
		case s.Key == "sync.read_only" && s.Value == "true":
			list = append(list, Notice{s, "nothing is written to Windows servers"})
		case s.Forced:
			list = append(list, Notice{s, "this setting is forced"})
		}
	}
	return list
}

// secretIsSet stands for a secret.
const secretIsSet = "(set)"

// below appends the settings of a struct, which stands at path in the file and
// is shown as key.
func (f *File) below(list []Setting, path, key string, section reflect.Value) []Setting {
	for field, value := range section.Fields() {
		tag := field.Tag.Get("yaml")
		if tag == "" || tag == "-" || field.Tag.Get("refuse") != "" {
			continue
		}
		path, key := path+"."+tag, key+"."+tag
		switch v := value.Interface().(type) {
		case Overrides: // are applied
		case []Server:
			for i, s := range v {
				list = f.below(list, fmt.Sprintf("%s[%d]", path, i), key+"."+strings.TrimSuffix(s.Host, "."), reflect.ValueOf(s))
			}
		case map[string]Failover:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				list = f.below(list, path+"."+name, key+"."+name, reflect.ValueOf(v[name]))
			}
		default:
			if value.Kind() == reflect.Struct {
				list = f.below(list, path, key, value)
				continue
			}
			list = append(list, f.setting(path, key, v))
		}
	}
	return list
}

func (f *File) setting(path, key string, value any) Setting {
	s := Setting{Key: key, Value: asYAML(value), Origin: "default"}
	if o, ok := f.origins[path]; ok {
		s.Origin, s.Forced = o.text, o.forced
	} else if f.report != nil && f.report.Has(path) {
		s.Origin = fmt.Sprintf("%s:%d", filepath.Base(f.Path), f.report.Line(path))
	}
	return s
}

// asYAML renders a value on one line.
func asYAML(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return strictyaml.Duration(v)
	case string:
		var back any
		if yaml.Unmarshal([]byte(v), &back) != nil || back != v || strings.ContainsAny(v, ",[]{}") {
			return strconv.Quote(v)
		}
		return v
	case []string:
		return "[" + joined(v, asYAML) + "]"
	case []netip.Prefix:
		return "[" + joined(v, asYAML) + "]"
	case map[netip.Prefix]string:
		return bySubnet(v)
	case map[netip.Prefix]int64:
		return bySubnet(v)
	}
	return fmt.Sprint(value)
}

// bySubnet renders values of single scopes.
func bySubnet[T any](values map[netip.Prefix]T) string {
	keys := slices.SortedFunc(maps.Keys(values), netip.Prefix.Compare)
	return "{" + joined(keys, func(p any) string { return fmt.Sprintf("%v: %s", p, asYAML(values[p.(netip.Prefix)])) }) + "}"
}

// joined renders the entries of a list.
func joined[T any](list []T, show func(any) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = show(v)
	}
	return strings.Join(parts, ", ")
}
