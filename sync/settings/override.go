package settings

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// origin is where a value comes from that is not simply in the file.
type origin struct {
	text   string
	forced bool
}

// override puts sync.overrides in the place of what the rest of the section
// says (rule 7).
func (f *File) override() {
	o, s := f.Sync.Overrides, &f.Sync
	replace(f, "sync_ips_from_dhcp", "sync.overrides.sync_ips_from_dhcp", o.SyncIPs, &s.SyncIPs)
	replace(f, "push_reservations", "sync.overrides.push_reservations", o.PushReservations, &s.PushReservations)
	replace(f, "push_scope_info", "sync.overrides.push_scope_info", o.PushScopeInfo, &s.PushScopeInfo)
	seen := make(map[string]string)
	for _, host := range slices.Sorted(maps.Keys(o.Servers)) {
		at := "sync.overrides.servers." + host
		if other := seen[canonicalHost(host)]; other != "" {
			f.report.Addf(at, "the same server as %s", other)
			continue
		}
		seen[canonicalHost(host)] = host
		if !validOverride(f.report, at, o.Servers[host]) {
			continue
		}
		i := slices.IndexFunc(s.Servers, func(s Server) bool { return canonicalHost(s.Host) == canonicalHost(host) })
		if i < 0 {
			f.warn(at, "changes nothing, since no entry of sync.servers has this host%s", f.nearestHost(host))
			continue
		}
		f.overrideServer(i, at, o.Servers[host])
	}
}

// validOverride reports what cannot be meant, before it is mixed with the rest.
func validOverride(r *strictyaml.Report, at string, o ServerOverride) bool {
	validateToken(r, at, o.TokenFile, o.TokenEnv)
	if o.Port != nil {
		validatePort(r, at, *o.Port)
	}
	for _, key := range []string{"token_file", "token_env", "key_file", "passphrase_file", "port"} {
		if r.Failed(at + "." + key) {
			return false
		}
	}
	return true
}

func (f *File) overrideServer(i int, at string, o ServerOverride) {
	s, key := &f.Sync.Servers[i], fmt.Sprintf("servers[%d].", i)
	if s.OverSSH() {
		replace(f, key+"ssh.port", at+".port", o.Port, &s.SSH.Port)
	} else {
		replace(f, key+"port", at+".port", o.Port, &s.Port)
	}
	replace(f, key+"enabled", at+".enabled", o.Enabled, &s.Enabled)
	f.overrideKey(key+"ssh.", at, o, &s.SSH)
	source := at + ".token_file"
	switch {
	case o.TokenFile == "" && o.TokenEnv == "":
		return
	case o.TokenFile == "":
		source = at + ".token_env"
	}
	replace(f, key+"token_file", source, &o.TokenFile, &s.TokenFile)
	replace(f, key+"token_env", source, &o.TokenEnv, &s.TokenEnv)
}

// overrideKey replaces the key of a server and all that belongs to it.
func (f *File) overrideKey(key, at string, o ServerOverride, s *SSH) {
	if o.KeyFile != "" {
		replace(f, key+"key_file", at+".key_file", &o.KeyFile, &s.KeyFile)
		replace(f, key+"passphrase_file", at+".key_file", new(string), &s.PassphraseFile)
		replace(f, key+"agent", at+".key_file", new(bool), &s.Agent)
	}
	if o.PassphraseFile != "" {
		replace(f, key+"passphrase_file", at+".passphrase_file", &o.PassphraseFile, &s.PassphraseFile)
	}
}

// replace puts value, which stands at the path source, in the place of a
// setting below sync; nil leaves it.
func replace[T any](f *File, key, source string, value, setting *T) {
	if value != nil {
		*setting = *value
		f.origins["sync."+key] = origin{text: fmt.Sprintf("override %s:%d", filepath.Base(f.Path), f.report.Line(source)), forced: true}
	}
}

// nearestHost ends a sentence about a host that is not configured: with the one
// that was probably meant, or with nothing.
func (f *File) nearestHost(host string) string {
	var known []string
	for _, s := range f.Sync.Servers {
		known = append(known, s.Host)
	}
	if near := nearest.Word(host, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// environmentPrefix begins the variables that win over file and overrides, so
// that a copied file can be defused without editing it.
const environmentPrefix = "NETBOX_DHCP_SYNC_"

// fromEnvironment applies the variables that force settings and fetches the
// tokens that servers have in the environment. A variable with our prefix that
// forces nothing is a mistake: the operator relies on it. Names with TOKEN in them may
// be those of token_env.
func (f *File) fromEnvironment(o Options) (problems Problems) {
	s := &f.Sync
	known := []string{environmentPrefix + "CONF"} // where the file itself is
	for _, v := range []struct {
		key     string
		setting *bool
	}{
		{"sync_ips_from_dhcp", &s.SyncIPs},
		{"push_reservations", &s.PushReservations},
		{"push_scope_info", &s.PushScopeInfo},
		{"read_only", &s.ReadOnly},
		{"dry_run", &s.DryRun},
	} {
		name := environmentPrefix + strings.ToUpper(v.key)
		known = append(known, name)
		text := strings.TrimSpace(o.Getenv(name))
		if text == "" {
			continue
		}
		value, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			problems = append(problems, Problem{File: "environment", Key: name, Text: fmt.Sprintf("want true or false, not %.40q", text)})
			continue
		}
		*v.setting = value
		f.origins["sync."+v.key] = origin{text: "environment " + name, forced: true}
	}
	for _, variable := range o.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, environmentPrefix) && !slices.Contains(known, name) && !strings.Contains(name, "TOKEN") {
			problems = append(problems, Problem{File: "environment", Key: name, Text: "forces nothing; " + nearest.Suggest(name, known)})
		}
	}
	for i := range s.Servers {
		if name := s.Servers[i].TokenEnv; variableName(name) {
			s.Servers[i].EnvToken = shared.Secret(strings.TrimSpace(o.Getenv(name)))
		}
	}
	return problems
}

// variableName says that s is the name of an environment variable and hardly
// its value.
func variableName(s string) bool {
	foreign := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return s != "" && len(s) <= 100 && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, foreign) && !shared.LooksLikeToken(s)
}
