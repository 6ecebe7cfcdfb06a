package settings

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// validate reports what cannot be meant.
func (f *File) validate() {
	r, s := f.report, &f.Sync
	switch {
	case r.Failed("netbox.url"):
	case f.NetBox.URL == "":
		r.Addf("netbox.url", "want the address of NetBox here or in NETBOX_URL; the mirror cannot work on netbox.inventory")
	default:
		shared.ValidateURL(r, f.NetBox.URL)
	}
	r.Within("netbox.timeout", f.NetBox.Timeout, time.Second, 10*time.Minute)
	r.Within("sync.interval", s.Interval, 5*time.Minute, 24*time.Hour)
	r.Within("sync.guards.confirm_after", s.Guards.ConfirmAfter, 0, 168*time.Hour)
	if s.History.Keep != 0 {
		r.Within("sync.history.keep", s.History.Keep, 24*time.Hour, 3650*24*time.Hour)
	}
	if s.History.MaxBytes < 1<<20 {
		r.Addf("sync.history.max_bytes", "want 1048576 (1 MiB) or more, not %d", s.History.MaxBytes)
	}
	r.Within("sync.push.scope_grace", s.Push.ScopeGrace, time.Hour, 720*time.Hour)
	r.Within("sync.psu.timeout", s.PSU.Timeout, time.Second, 10*time.Minute)
	if s.StateDir == "" {
		r.Addf("sync.state_dir", "want a folder")
	}
	r.OneOf("sync.priority", s.Priority, "high", "default", "low")
	r.OneOf("sync.adopt", s.Adopt, "overwrite", "skip", "report")
	validateNumbers(r, s)
	validateStatuses(r, s.Statuses)
	if !slug(s.Protect.Tag) && s.Protect.Tag != "" {
		r.Addf("sync.protect.tag", "want the slug of a tag (letters, digits, - and _), not %.60q", s.Protect.Tag)
	}
	s.Status.Validate(r, "sync.status", "https://dhcp-sync.example.org")
	for i, p := range s.MaintenanceScopes {
		validateSubnet(r, fmt.Sprintf("sync.maintenance_scopes[%d]", i), p)
	}
	if len(s.Servers) == 0 {
		r.Addf("sync.servers", "want at least one server")
	}
	for i := range s.Servers {
		validateServer(r, serverPath(i), &s.Servers[i])
	}
	validateHosts(r, s.Servers)
	f.validateFailover()
}

func validateNumbers(r *strictyaml.Report, s *Sync) {
	for _, n := range []struct {
		key              string
		value, low, high int
	}{
		{"guards.max_delete_percent", s.Guards.MaxDeletePercent, 0, 100},
		{"guards.max_delete_count", s.Guards.MaxDeleteCount, 0, 1_000_000},
		{"psu.parallel", s.PSU.Parallel, 1, 8},
		{"certificates.warn_days", s.Certificates.WarnDays, 0, 3650},
	} {
		if n.value < n.low || n.value > n.high {
			r.Addf("sync."+n.key, "want %d to %d, not %d", n.low, n.high, n.value)
		}
	}
}

// validateStatuses keeps apart what belongs to leases and what to reservations:
// with one status for both, names would change at every run.
func validateStatuses(r *strictyaml.Report, s Statuses) {
	uses := make(map[string]string)
	use := func(path, kind, status string) {
		switch {
		case status == "" || strings.TrimSpace(status) != status:
			r.Addf(path, "want the value of a status of IP addresses, such as dhcp, not %.60q", status)
		case uses[status] != "" && uses[status] != kind:
			r.Addf(path, "%s is a status of %s already", status, uses[status])
		default:
			uses[status] = kind
		}
	}
	use("sync.statuses.lease", "leases", s.Lease)
	use("sync.statuses.reservation", "reservations", s.Reservation)
	for i, status := range s.PreviousLease {
		use(fmt.Sprintf("sync.statuses.previous_lease[%d]", i), "leases", status)
	}
	for i, status := range s.PreviousReservation {
		use(fmt.Sprintf("sync.statuses.previous_reservation[%d]", i), "reservations", status)
	}
}

// slug says that NetBox takes s as a slug.
func slug(s string) bool {
	foreign := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, foreign)
}

// validateSubnet accepts the subnet of a scope.
func validateSubnet(r *strictyaml.Report, path string, p netip.Prefix) {
	switch {
	case !p.Addr().Is4():
		r.Addf(path, "want an IPv4 prefix such as 10.0.0.0/24")
	case p != p.Masked():
		r.Addf(path, "host bits are set in %s; want %s", p, p.Masked())
	}
}

func validateServer(r *strictyaml.Report, at string, s *Server) {
	if why := hostMistake(s.Host); why != "" {
		r.Addf(at+".host", "%s", why)
	}
	if why := hostMistake(s.ServerName); why != "" && s.ServerName != "" {
		r.Addf(at+".server_name", "%s", why)
	}
	if why := hostMistake(s.Computer); why != "" && s.Computer != "" {
		r.Addf(at+".computer", "%s", why)
	}
	r.OneOf(at+".transport", s.Transport, TransportPSU, TransportSSH)
	validateSSH(r, at+".ssh", s)
	validatePort(r, at, s.Port)
	if !s.HTTPS && !s.OverSSH() && !r.Has(at+".port") {
		r.Addf(at+".port", "https: false needs the port here, which is 5000 unless PowerShell Universal was told otherwise")
	}
	validateToken(r, at, s.TokenFile, s.TokenEnv)
	for _, p := range slices.SortedFunc(maps.Keys(s.ScopeVRF), netip.Prefix.Compare) {
		validateSubnet(r, at+".scope_vrf."+p.String(), p)
	}
	for _, p := range slices.SortedFunc(maps.Keys(s.ScopePrefix), netip.Prefix.Compare) {
		validateSubnet(r, at+".scope_prefix."+p.String(), p)
		if id := s.ScopePrefix[p]; id <= 0 {
			r.Addf(at+".scope_prefix."+p.String(), "want the id of a prefix, as the address of its page in NetBox ends, not %d", id)
		}
	}
}

func validatePort(r *strictyaml.Report, at string, port int) {
	if port < 1 || port > 65535 {
		r.Addf(at+".port", "want 1 to 65535, not %d", port)
	}
}

// validateToken never repeats what stands there: it may be the token itself.
func validateToken(r *strictyaml.Report, at, file, variable string) {
	switch {
	case variable == "":
	case !variableName(variable):
		r.Addf(at+".token_env", "want the name of an environment variable, not the token itself")
	case file != "":
		r.Addf(at+".token_env", "contradicts token_file: keep one of them")
	}
}

// validateHosts makes sure that every name means one server.
func validateHosts(r *strictyaml.Report, servers []Server) {
	hosts := make(map[string]int)
	for i, s := range servers {
		name := canonicalHost(s.Host)
		if other, ok := hosts[name]; ok && name != "" {
			r.Addf(serverPath(i)+".host", "the same as that of sync.servers[%d]", other)
			continue
		}
		hosts[name] = i
	}
	for i, s := range servers {
		for n, alias := range s.Aliases {
			path := fmt.Sprintf("%s.aliases[%d]", serverPath(i), n)
			if why := hostMistake(alias); why != "" {
				r.Addf(path, "%s", why)
			} else if other := serverIndex(servers, alias); other >= 0 && other != i && hosts[canonicalHost(s.Host)] == i {
				r.Addf(path, "means %s already", servers[other].Host)
			}
		}
	}
}

func (f *File) validateFailover() {
	seen := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(f.Sync.Failover)) {
		at := "sync.failover." + name
		if other, ok := seen[strings.ToLower(name)]; ok {
			f.report.Addf(at, "the same relationship as %s", other)
		}
		seen[strings.ToLower(name)] = name
		if strings.TrimSpace(name) == "" {
			f.report.Addf(at, "want the name of a failover relationship")
		}
		r := f.Sync.Failover[name]
		if r.Primary != "" && serverIndex(f.Sync.Servers, r.Primary) < 0 {
			f.report.Addf(at+".primary", "want one of sync.servers, not %.60q%s", r.Primary, f.nearestHost(r.Primary))
		}
		f.validatePair(at, r)
	}
}

// validatePair wants two servers where a relationship names its servers.
func (f *File) validatePair(at string, r Failover) {
	pair := make(map[int]bool)
	for i, name := range r.Servers {
		server := serverIndex(f.Sync.Servers, name)
		if server < 0 {
			f.report.Addf(fmt.Sprintf("%s.servers[%d]", at, i), "want one of sync.servers, not %.60q%s", name, f.nearestHost(name))
			return
		}
		pair[server] = true
	}
	switch primary := serverIndex(f.Sync.Servers, r.Primary); {
	case len(r.Servers) == 0:
	case len(r.Servers) != 2 || len(pair) != 2:
		f.report.Addf(at+".servers", "want the two servers of the relationship, or none")
	case r.Primary != "" && primary >= 0 && !pair[primary]:
		f.report.Addf(at+".primary", "want one of the two in servers, not %.60q", r.Primary)
	}
}

// warnings notes what works but is hardly meant.
func (f *File) warnings() {
	if u, err := url.Parse(f.NetBox.URL); err == nil && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		f.warn("netbox.url", "without HTTPS, any machine on the way to NetBox can read its token")
	}
	for i, s := range f.Sync.Servers {
		switch at := serverPath(i); {
		case !s.Enabled, s.OverSSH():
		case !s.HTTPS:
			f.warnInsecure(at+".https", "without HTTPS, any machine on the way to %s can read the token", s.Host)
		case !s.Verify:
			f.warnInsecure(at+".verify", "without verification anybody can pose as %s and read the token: trust its certificate instead (netbox-dhcp-sync cert trust)", s.Host)
		}
	}
	for _, w := range f.Sync.Status.Warnings("sync.status") {
		f.warn(w[0], "%s", w[1])
	}
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (f *File) warnInsecure(path, format string, args ...any) {
	f.warn(path, format, args...)
	f.Warnings[len(f.Warnings)-1].Insecure = true
}
