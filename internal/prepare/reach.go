package prepare

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// reach checks all that comes before permissions: address, TLS, token,
// version.
func (r *run) reach(ctx context.Context) bool {
	object := "NetBox " + r.client.URL()
	if err := r.client.Reach(ctx); r.failed(object, err) {
		return false
	}
	version, err := r.client.Version(ctx)
	if r.failed(object, err) {
		return false
	}
	if newest := netbox.Newest(); !newest.AtLeast(version.Major, version.Minor) {
		r.add(Notice, object, fmt.Sprintf("version %s is newer than %s, the newest this program was tried with", version, newest), "")
	}
	if u, err := url.Parse(r.client.URL()); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		r.add(Warning, object, "the token travels in clear text", "use https in netbox.url")
	}
	// The status page may be open to everyone; the token is tried on a list.
	_, err = r.client.FirstPage(ctx, netbox.Addresses, url.Values{"limit": {"1"}, "fields": {"id"}})
	if netbox.KindOf(err) == netbox.BadToken {
		r.failed("API token", err)
		return false
	}
	return true
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// expiresSoon is when the end of a token is mentioned.
const expiresSoon = 30 * 24 * time.Hour

// token looks at the token itself, where the token may see it.
func (r *run) token(ctx context.Context) {
	if expires, ok := r.client.TokenExpiry(ctx); ok && time.Until(expires) < expiresSoon {
		r.add(Warning, "API token", "it expires on "+expires.Format(time.RFC3339), "set a later expiry, or make a new token in time")
	}
}

// pages mentions a MAX_PAGE_SIZE that makes reading slow.
func (r *run) pages() {
	if limit := r.client.PageLimit(); limit != 0 && limit < 250 {
		r.add(Notice, "NetBox "+r.client.URL(), fmt.Sprintf("lists come in pages of %d rows, so reading takes many requests", limit), "raise MAX_PAGE_SIZE")
	}
}

// Clock needs NetBox's clock to agree with this machine's within two minutes:
// the end of other clients' leases is judged by both (S-9).
type Clock struct{}

func (Clock) check(_ context.Context, r *run) {
	if skew := r.client.Skew().Round(time.Second); skew.Abs() > 2*time.Minute {
		r.add(Failure, "NetBox "+r.client.URL(), fmt.Sprintf("its clock differs from ours by %s: addresses of other clients are not reclaimed", skew), "set both clocks by NTP")
	}
}

func (Clock) plan(context.Context, *planner) error { return nil }

// Release needs a release of NetBox, or a later one.
type Release struct {
	Oldest netbox.Version
	For    string // "the mirror"
}

func (n Release) check(ctx context.Context, r *run) {
	if version, err := r.client.Version(ctx); err == nil && !version.AtLeast(n.Oldest.Major, n.Oldest.Minor) {
		r.add(Failure, "NetBox "+r.client.URL(), "version "+version.String()+" is too old for "+n.For, "upgrade to NetBox "+n.Oldest.String()+" or newer")
	}
}

func (Release) plan(context.Context, *planner) error { return nil }

// NoPlugin needs a plugin not to be installed.
type NoPlugin struct {
	Package      string
	Severity     Severity
	Problem, Fix string // where it is installed
}

func (n NoPlugin) check(ctx context.Context, r *run) {
	plugins, err := r.client.Plugins(ctx)
	if r.failed("plugins", err) || !slices.Contains(plugins, n.Package) {
		return
	}
	r.add(n.Severity, "plugin "+n.Package, n.Problem, n.Fix)
}

func (NoPlugin) plan(context.Context, *planner) error { return nil }

// VRF needs exactly one VRF of this name or route distinguisher.
type VRF struct{ Name string }

func (n VRF) check(ctx context.Context, r *run) {
	if r.denied[netbox.VRFs] {
		return
	}
	object, found := "VRF "+n.Name, 0
	err := r.client.ListUnchecked(ctx, netbox.VRFs, url.Values{"fields": {"id,name,rd"}}, func(raw json.RawMessage) (int64, error) {
		var row struct {
			netbox.RowHead
			Name string `json:"name"`
			RD   string `json:"rd"`
		}
		if json.Unmarshal(raw, &row) == nil && (row.Name == n.Name || row.RD == n.Name) {
			found++
		}
		return row.ID, nil
	})
	switch {
	case r.failed(object, err):
	case found == 0:
		r.add(Failure, object, "it does not exist: no client is served", "create it, or set netbox.vrf to the name or route distinguisher of one that does")
	case found > 1:
		r.add(Failure, object, "several VRFs go by it: no client is served", "set netbox.vrf to the route distinguisher")
	}
}

func (VRF) plan(context.Context, *planner) error { return nil }
