package netboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// Target is the NetBox a contract is run against. All it holds is deleted.
type Target struct {
	URL   string
	Token string // of a superuser
	// Version is asked from the server if it is empty.
	Version Version
	// MaxPage is MAX_PAGE_SIZE; 0: 1000.
	MaxPage int
	// Limit makes a token of a user with these permissions only; nil: LimitByREST.
	Limit func(t *testing.T, readOnly bool, grants ...Grant) string
	// Hook sends webhooks until the test ends; nil: HookByREST, which needs an RQ worker.
	Hook func(t *testing.T, w Webhook)
}

// fact is one statement about NetBox, proved by calling it.
type fact struct {
	name string
	from int // first minor version that has what is described
	show func(t *testing.T, c *contract)
}

// contract is one run of the suite.
type contract struct {
	*admin
	target Target
	seed   *Seeded
	nets   *atomic.Int32
}

// Contract proves, fact by fact, that a NetBox behaves as this project relies on. It is run on the stand-in in every
// version and on a real NetBox; a difference is a bug of the stand-in.
func Contract(t *testing.T, target Target) {
	c := &contract{admin: newAdmin(target.URL, target.Token), target: target, nets: new(atomic.Int32)}
	if c.target.MaxPage == 0 {
		c.target.MaxPage = 1000
	}
	if c.target.Limit == nil {
		c.target.Limit = LimitByREST(target.URL, target.Token)
	}
	if c.target.Hook == nil {
		c.target.Hook = HookByREST(target.URL, target.Token)
	}
	if c.target.Version == "" {
		c.target.Version = c.version(t)
	}
	Wipe(t, target.URL, target.Token)
	t.Cleanup(func() { Wipe(t, target.URL, target.Token) })
	c.seed = Seed(t, target.URL, target.Token, contractWorld())
	for _, group := range factGroups() {
		t.Run(group.name, func(t *testing.T) {
			for _, f := range group.facts {
				if c.atLeast(f.from) {
					t.Run(f.name, func(t *testing.T) { f.show(t, c) })
				}
			}
		})
	}
}

// factGroup is a part of the contract with the facts in docs/spec/netbox.md it
// covers.
type factGroup struct {
	name, ids string
	facts     []fact
}

func factGroups() []factGroup {
	return []factGroup{{"access", "NB-1.2, NB-1.3", accessFacts()}, {"paging", "NB-1.4", pagingFacts()}, {"selection", "NB-1.4", selectionFacts()},
		{"filters", "NB-1.5", filterFacts()}, {"shapes", "NB-1.6 to NB-1.8", shapeFacts()}, {"validation", "NB-1.6", validationFacts()},
		{"custom fields", "NB-1.9", customFieldFacts()}, {"tags", "NB-1.9", tagFacts()}, {"writes", "NB-1.10", writeFacts()}, {"bulk", "NB-1.10", bulkFacts()},
		{"deletes", "NB-1.6, NB-1.7", deleteFacts()}, {"changes", "NB-1.11", changeFacts()}, {"contexts", "NB-1.12", contextFacts()}, {"MACs", "NB-1.7", macFacts()}, {"cables", "NB-1.15", cableFacts()},
		{"webhooks", "NB-1.11", webhookFacts()},
		{"scopes", "NB-1.9, NB-1.12", scopeFacts()}, {"journal", "NB-1.9", journalFacts()}, {"views", "NB-1.6", viewFacts()}}
}

func (c *contract) atLeast(minor int) bool { return c.target.Version.atLeast(minor) }

func (a *admin) version(t testing.TB) Version {
	t.Helper()
	status, body := a.do(t, http.MethodGet, "status/", nil)
	var page struct {
		Full string `json:"netbox-version"`
	}
	err := json.Unmarshal(body, &page)
	parts := strings.SplitN(page.Full, ".", 3)
	if err != nil || len(parts) < 2 {
		t.Fatalf("status page: %d %s", status, body)
	}
	return Version(parts[0] + "." + parts[1])
}

// create makes an object and deletes it after the test.
func (c *contract) create(t *testing.T, path string, fields object) got {
	t.Helper()
	g := c.call(t, http.MethodPost, path+"/", fields)
	expect(t, g, http.StatusCreated, nil)
	c.discard(t, path, g.id())
	return g
}

func (c *contract) discard(t *testing.T, path string, id int64) {
	t.Helper()
	t.Cleanup(func() {
		resp, body := c.send(t, http.MethodDelete, detailPath(path, id), nil, nil)
		if resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotFound {
			t.Errorf("delete %s %d: %d %s", path, id, resp.StatusCode, clip(body))
		}
	})
}

func detailPath(path string, id int64) string { return fmt.Sprintf("%s/%d/", path, id) }

// subnet is a /24 no other fact uses.
func (c *contract) subnet() netip.Prefix {
	n := c.nets.Add(1)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 100 + byte(n>>8), byte(n), 0}), 24)
}

// host is an address of a subnet with its mask.
func host(p netip.Prefix, n byte) string {
	b := p.Addr().As4()
	b[3] = n
	return fmt.Sprintf("%s/%d", netip.AddrFrom4(b), p.Bits())
}

// address makes an IP address of its own.
func (c *contract) address(t *testing.T, more object) got {
	t.Helper()
	f := object{"address": host(c.subnet(), 5)}
	for k, v := range more {
		f[k] = v
	}
	return c.create(t, addressesPath, f)
}

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
