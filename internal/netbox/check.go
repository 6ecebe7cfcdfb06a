package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Check compares a NetBox with what is needed and says what is missing, and
// how to put it right. It changes nothing. No findings: all is well.
func Check(ctx context.Context, c *Client, need Requirements) []Finding {
	k := &checker{client: c, need: need}
	if k.reach(ctx) {
		k.clock()
		k.views(ctx)
		k.write(ctx)
		k.token(ctx)
		k.vrf(ctx)
		k.tags(ctx)
		for _, f := range need.Fields {
			k.field(ctx, f)
		}
		k.pages()
	}
	return k.findings
}

type checker struct {
	client    *Client
	need      Requirements
	findings  []Finding
	forbidden map[endpoint]bool
}

func (k *checker) add(s Severity, object, problem, fix string) {
	k.findings = append(k.findings, Finding{s, object, problem, fix})
}

// failed reports an error. It returns whether there was one.
func (k *checker) failed(object string, err error) bool {
	if err == nil {
		return false
	}
	finding := Finding{Severity: Failure, Object: object, Problem: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		finding.Fix = e.Fix()
		finding.Problem = strings.TrimSuffix(finding.Problem, "; "+finding.Fix)
	}
	k.findings = append(k.findings, finding)
	return true
}

// reach checks all that comes before permissions: address, TLS, token,
// version.
func (k *checker) reach(ctx context.Context) bool {
	object := "NetBox " + k.client.URL()
	if err := k.client.Reach(ctx); k.failed(object, err) {
		return false
	}
	version, err := k.client.Version(ctx)
	if k.failed(object, err) {
		return false
	}
	if !newest().AtLeast(version.Major, version.Minor) {
		k.add(Notice, object, fmt.Sprintf("version %s is newer than %s, the newest this program was tried with", version, newest()), "")
	}
	if u, err := url.Parse(k.client.URL()); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		k.add(Warning, object, "the token travels in clear text", "use https in netbox.url")
	}
	// The status page may be open to everybody; the token is tried on a list.
	_, err = k.client.FirstPage(ctx, addresses, url.Values{"limit": {"1"}, "fields": {"id"}})
	if kind := kindOf(err); kind == BadToken {
		k.failed("API token", err)
		return false
	}
	return true
}

// clock checks what the end of leases is judged by.
func (k *checker) clock() {
	if skew := k.client.Skew().Round(time.Second); skew.Abs() > 2*time.Minute {
		k.add(Failure, "NetBox "+k.client.URL(), fmt.Sprintf("its clock differs from ours by %s: addresses of other clients are not reclaimed", skew), "set both clocks by NTP")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// views checks that every table may be read.
func (k *checker) views(ctx context.Context) {
	k.forbidden = make(map[endpoint]bool)
	for _, e := range append(smallTables(), followedTables()...) {
		_, err := k.client.FirstPage(ctx, e, with(heads(e), "limit", "1"))
		k.forbidden[e] = k.failed(string(e), err)
	}
	_, err := k.client.FirstPage(ctx, objectChanges, url.Values{"limit": {"1"}, "fields": {"id"}})
	if kindOf(err) == Forbidden {
		k.add(Warning, string(objectChanges), "deletions cannot be asked for and are found late, by comparing lists",
			"give the token's user the object permission view on "+objectChanges.model())
	} else {
		k.failed(string(objectChanges), err)
	}
}

// write checks the right to change addresses. NetBox tells it in the answer to
// OPTIONS: nothing is written to find out.
func (k *checker) write(ctx context.Context) {
	if !k.need.Write {
		return
	}
	_, change, err := k.client.Rights(ctx, addresses)
	if k.failed("write-back of leases", err) {
		return
	}
	if !change {
		k.add(Failure, "write-back of leases", "the token may not change IP addresses: leases are given, but not shown in NetBox",
			"give the token's user the object permission change on "+addresses.model()+", and set the token write enabled")
	}
}

// expiresSoon is when an expiring token is mentioned.
const expiresSoon = 30 * 24 * time.Hour

// token looks at the token itself, where the token may see it.
func (k *checker) token(ctx context.Context) {
	if expires, ok := k.client.TokenExpiry(ctx); ok && time.Until(expires) < expiresSoon {
		k.add(Warning, "API token", "it expires on "+expires.Format(time.RFC3339), "set a later expiry, or make a new token in time")
	}
}

func (k *checker) vrf(ctx context.Context) {
	if k.need.VRF == "" || k.forbidden[vrfs] {
		return
	}
	object, found := "VRF "+k.need.VRF, 0
	err := k.client.each(ctx, vrfs, url.Values{"fields": {"id,name,rd"}}, func(raw json.RawMessage) (int64, error) {
		var row struct {
			rowHead
			Name string `json:"name"`
			RD   string `json:"rd"`
		}
		if json.Unmarshal(raw, &row) == nil && (row.Name == k.need.VRF || row.RD == k.need.VRF) {
			found++
		}
		return row.ID, nil
	})
	switch {
	case k.failed(object, err):
	case found == 0:
		k.add(Failure, object, "it does not exist: no client is served", "create it, or set netbox.vrf to the name or route distinguisher of one that does")
	case found > 1:
		k.add(Failure, object, "several VRFs go by it: no client is served", "set netbox.vrf to the route distinguisher")
	}
}

// pages mentions a MAX_PAGE_SIZE that makes reading slow.
func (k *checker) pages() {
	if limit := k.client.PageLimit(); limit != 0 && limit < 250 {
		k.add(Notice, "NetBox "+k.client.URL(), fmt.Sprintf("lists come in pages of %d rows, so reading takes many requests", limit), "raise MAX_PAGE_SIZE")
	}
}
