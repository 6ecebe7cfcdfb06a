package settings

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// validate reports settings that make no sense: values out of range, unknown
// words and settings that contradict each other.
func validate(r *strictyaml.Report, n *NetBox) {
	validateSource(r, n)
	validateStore(r, n.Store)
	validateTimes(r, n)
	validateWords(r, n)
	validateNames(r, n)
	validateNetwork(r, n)
	validateClaims(r, n)
	validateDDNS(r, n)
	validateBootService(r, n.BootService)
	listenAddress(r, "netbox.metrics.listen", n.Metrics.Listen, false)
	validateHistory(r, n.History)
	validateEvents(r, n.Events)
	n.Status.Validate(r, "netbox.status", "https://dhcp.example.org")
}

func validateSource(r *strictyaml.Report, n *NetBox) {
	switch {
	case r.Failed("netbox.url") || r.Failed("netbox.inventory"):
	case n.URL == "" && n.Inventory == "":
		r.Addf("netbox.url", "want the address of NetBox here or in NETBOX_URL, or a file in netbox.inventory")
	case n.URL != "" && n.Inventory != "":
		r.Addf("netbox.inventory", "contradicts netbox.url: facts come from one of them")
	case n.URL != "":
		ValidateURL(r, n.URL)
	}
}

// ValidateURL reports an address of NetBox that is none. It never repeats the
// address, which may hold a password.
func ValidateURL(r *strictyaml.Report, address string) {
	source := ""
	if !r.Has("netbox.url") {
		source = "NETBOX_URL: "
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		r.Addf("netbox.url", "%swant an address such as https://netbox.example.org", source)
	case u.User != nil:
		r.Addf("netbox.url", "%sa user name or password does not belong here; the token goes to netbox.token_file", source)
	case u.RawQuery != "" || u.Fragment != "":
		r.Addf("netbox.url", "%swant an address without ? and #", source)
	}
}

func validateStore(r *strictyaml.Report, s Store) {
	r.OneOf("netbox.store.engine", s.Engine, "pebble", "etcd")
	switch {
	case s.Engine == "etcd" && len(s.Endpoints) == 0:
		r.Addf("netbox.store.endpoints", "store.engine: etcd needs the addresses of the cluster here")
	case s.Engine == "pebble" && len(s.Endpoints) > 0 && !r.Failed("netbox.store.engine"):
		r.Addf("netbox.store.endpoints", "contradicts store.engine: pebble, which keeps leases on this machine")
	}
	if s.Engine == "etcd" {
		r.Addf("netbox.store.engine", "store.engine: etcd is not in this version; use pebble")
	}
	if s.Path == "" {
		r.Addf("netbox.store.path", "want a folder")
	}
	if s.Copy != "" && filepath.Clean(s.Copy) == filepath.Clean(s.Path) {
		r.Addf("netbox.store.copy", "want a folder other than store.path, which the copy is to outlive")
	}
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

func validateTimes(r *strictyaml.Report, n *NetBox) {
	l := n.Lease
	for _, t := range []struct {
		key              string
		value, low, high time.Duration
		whole            bool // option 51 counts whole seconds
		follows          bool // lease.time, where the key is not in the file
	}{
		{"timeout", n.Timeout, time.Second, 10 * time.Minute, false, false},
		{"poll.interval", n.Poll.Interval, time.Second, day, false, false},
		{"poll.stale_after", n.Poll.StaleAfter, time.Second, year, false, false},
		{"poll.doubt", n.Poll.Doubt, 0, 7 * day, false, false},
		{"lease.time", l.Time, time.Second, 10 * year, true, false},
		{"lease.min", l.Min, time.Second, 10 * year, true, true},
		{"lease.max", l.Max, time.Second, 10 * year, true, true},
		{"lease.offer_hold", l.OfferHold, time.Second, time.Hour, false, false},
		{"lease.decline_time", l.DeclineTime, time.Second, year, false, false},
		{"lease.reclaim_grace", l.ReclaimGrace, 0, day, false, false},
		// Three candidates are probed at most, within the 3 s of a packet.
		{"claims.idle", n.Claims.Idle, day, year, false, false},
		{"lease.probe", l.Probe, 0, 900 * time.Millisecond, false, false},
	} {
		switch {
		case t.follows && !r.Has("netbox."+t.key):
		case t.value < t.low || t.value > t.high:
			r.Addf("netbox."+t.key, "want %s to %s, not %s", strictyaml.Duration(t.low), strictyaml.Duration(t.high), strictyaml.Duration(t.value))
		case t.whole && t.value%time.Second != 0:
			r.Addf("netbox."+t.key, "want whole seconds, not %s", strictyaml.Duration(t.value))
		}
	}
	ordered(r, "netbox.lease.min", l.Min, "netbox.lease.time", l.Time)
	ordered(r, "netbox.lease.time", l.Time, "netbox.lease.max", l.Max)
	ordered(r, "netbox.lease.min", l.Min, "netbox.lease.max", l.Max)
	ordered(r, "netbox.poll.interval", n.Poll.Interval, "netbox.poll.stale_after", n.Poll.StaleAfter)
	if l.StandbySecs < 0 || l.StandbySecs > 65535 {
		r.Addf("netbox.lease.standby_secs", "want 0 to 65535, not %d", l.StandbySecs)
	}
}

// ordered reports a lower limit above its upper one, at the one of the two
// that stands in the file.
func ordered(r *strictyaml.Report, low string, a time.Duration, high string, b time.Duration) {
	if a <= b || r.Failed(low) || r.Failed(high) {
		return
	}
	if r.Has(high) {
		r.Addf(high, "%s is below %s, which is %s", strictyaml.Duration(b), low, strictyaml.Duration(a))
		return
	}
	r.Addf(low, "%s is above %s, which is %s", strictyaml.Duration(a), high, strictyaml.Duration(b))
}

func validateWords(r *strictyaml.Report, n *NetBox) {
	r.OneOf("netbox.lease.pick", n.Lease.Pick, "lowest", "hash")
	r.OneOf("netbox.lease.identify", n.Lease.Identify, "mac", "client_id")
	r.OneOf("netbox.dynamic.write_back", n.Dynamic.WriteBack, "existing", "leased", "none")
	r.OneOf("netbox.clients.lag", n.Clients.LAG, "match", "any")
	r.OneOf("netbox.dns.fallback", n.DNS.Fallback, "none", "gateway")
	r.OneOf("netbox.pxe.gate", n.PXE.Gate, "auto", "on", "off")
	r.OneOf("netbox.pxe.unknown", n.PXE.Unknown, "none", "site")
	if n.PXE.DefaultArch != "" {
		r.OneOf("netbox.pxe.default_arch", n.PXE.DefaultArch, "bios")
	}
}

func validateNames(r *strictyaml.Report, n *NetBox) {
	if n.ContextKey == "" {
		r.Addf("netbox.context_key", "want the name of a key of the config contexts")
	}
	if n.Dynamic.Tag == "" && n.Dynamic.Status == "" {
		r.Addf("netbox.dynamic.tag", "want a tag or a status; for static addresses only, give no address the tag")
	}
	for i, role := range n.Dynamic.Roles {
		switch key := fmt.Sprintf("netbox.dynamic.roles[%d]", i); {
		case strings.TrimSpace(role) == "":
			r.Addf(key, "want the name or slug of an IPAM role")
		case strings.EqualFold(role, "dhcp-scope"):
			r.Addf(key, "this is the role of the scopes of Windows DHCP servers, which are never pools (N-15)")
		}
	}
	if n.Dynamic.WriteBack == "leased" && n.Dynamic.Tag == "" {
		r.Addf("netbox.dynamic.write_back", "leased needs netbox.dynamic.tag, which the objects get that it makes (S-17)")
	}
	if keep := n.Dynamic.KeepForKnown; keep < 0 || keep > 90 {
		r.Addf("netbox.dynamic.keep_for_known", "want 0 to 90, not %d", keep)
	}
	if n.Dynamic.Tag != "" && strings.EqualFold(n.Dynamic.Tag, n.Gateway.Tag) {
		r.Addf("netbox.gateway.tag", "contradicts netbox.dynamic.tag: a gateway is never leased (N-5)")
	}
	gated := n.PXE.Gate != "off"
	used := make(map[string]string)
	for _, f := range []struct {
		key, name string
		required  bool
	}{
		{"netbox.fields.mac", n.Fields.MAC, true},
		{"netbox.fields.expire", n.Fields.Expire, true},
		{"netbox.fields.hostname", n.Fields.Hostname, false},
		{"netbox.fields.reservation_mac", n.Fields.ReservationMAC, false},
		{"netbox.fields.reservation_client_id", n.Fields.ReservationClientID, false},
		{"netbox.pxe.redeploy_field", n.PXE.RedeployField, gated},
		{"netbox.pxe.confirm_field", n.PXE.ConfirmField, n.PXE.Gate == "on"},
	} {
		switch {
		case f.name == "" && !f.required:
		case !fieldName(f.name):
			r.Addf(f.key, "want the internal name of a custom field (letters, digits, single _), not %.60q", f.name)
		case f.name == "dhcp_made_for_lease":
			r.Addf(f.key, "%s is the field of objects that the server makes for leases; name another one", f.name)
		case used[f.name] != "":
			r.Addf(f.key, "%s names the same custom field", used[f.name])
		case strings.HasPrefix(f.key, "netbox.fields.reservation_") && slices.Contains(mirrorFields(), f.name):
			r.Addf(f.key, "the mirror of Windows servers writes the custom field %s: want one of its own (CL-1)", f.name)
		default:
			used[f.name] = f.key
		}
	}
}

// mirrorFields are the custom fields of IP addresses that the mirror of Windows
// servers writes; their names are fixed.
func mirrorFields() []string {
	return []string{"dhcp_client_id", "dhcp_managed", "dhcp_lease_hostname", "dhcp_lease_active", "dhcp_lease_expires"}
}

// fieldName says that NetBox takes s as the internal name of a custom field.
func fieldName(s string) bool {
	foreign := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return s != "" && len(s) <= 50 && !strings.ContainsFunc(s, foreign) && !strings.Contains(s, "__")
}

func validateNetwork(r *strictyaml.Report, n *NetBox) {
	if subnet := n.Network.Subnet; subnet != (netip.Prefix{}) {
		switch {
		case !subnet.Addr().Is4():
			r.Addf("netbox.network.subnet", "want an IPv4 prefix such as 10.0.0.0/24, not %s", subnet)
		case subnet != subnet.Masked():
			r.Addf("netbox.network.subnet", "host bits are set in %s; want %s", subnet, subnet.Masked())
		}
	}
	validateRelays(r, "netbox.network.relays", n.Network.Relays)
	validateCircuits(r, n.Network.Circuits)
	validateServe(r, n)
	if gateway := n.Gateway.Fallback; gateway.IsValid() && !hostAddress(gateway) {
		r.Addf("netbox.gateway.fallback", "want the IPv4 address of a host, not %s", gateway)
	}
}

// validateServe reports a tag that is missing, or that nothing asks for (N-20).
func validateServe(r *strictyaml.Report, n *NetBox) {
	r.OneOf("netbox.network.serve", n.Network.Serve, "all", "tagged")
	switch tag := n.Network.ServeTag; {
	case n.Network.Serve == "tagged" && tag == "":
		r.Addf("netbox.network.serve_tag", "network.serve: tagged needs the name or slug of a tag; only prefixes that carry it are served")
	case n.Network.Serve == "all" && tag != "":
		r.Addf("netbox.network.serve_tag", "network.serve: all serves prefixes with and without tag; write network.serve: tagged, or leave the tag out")
	}
}

// validateClaims reports prefixes that are none, and claims that count nowhere.
func validateClaims(r *strictyaml.Report, n *NetBox) {
	for _, p := range n.Claims.Prefixes {
		switch {
		case !p.IsValid(): // has its own line
		case !p.Addr().Is4() || p != p.Masked():
			r.Addf("netbox.claims.prefixes", "want IPv4 prefixes without host bits such as 10.0.0.0/24, not %s", p)
		}
	}
	if n.Claims.Port && len(n.Network.Circuits.Relays) == 0 && !r.Failed("netbox.network.circuits.relays") {
		r.Addf("netbox.claims.port", "want the relays that set or strip option 82 for each client in netbox.network.circuits.relays (CL-13)")
	}
	if len(n.Claims.Prefixes) > 0 || r.Failed("netbox.claims.prefixes") {
		return
	}
	if n.Claims.Port {
		r.Addf("netbox.claims.port", "want the prefixes where claims count in netbox.claims.prefixes (CL-6)")
	}
	if n.Claims.Boot {
		r.Addf("netbox.claims.boot", "want the prefixes where claims count in netbox.claims.prefixes (CL-6)")
	}
	if n.Claims.Serial {
		r.Addf("netbox.claims.serial", "want the prefixes where claims count in netbox.claims.prefixes (CL-6)")
	}
	if n.Fields.ReservationClientID != "" {
		r.Addf("netbox.fields.reservation_client_id", "a client identifier is a claim: want the prefixes where claims count in netbox.claims.prefixes (CL-6)")
	}
}

// hostAddress says that addr can be that of one IPv4 host elsewhere.
func hostAddress(addr netip.Addr) bool {
	return addr.Is4() && !addr.IsUnspecified() && !addr.IsMulticast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
