package netbox

import (
	"net/http"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// A stale If-Match is refused: what the loop of single writes relies on.
func TestARealNetBoxRefusesAStaleIfMatch(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	c := connect(t, url, token, silent())
	seeded := netboxtest.Seed(t, url, token, netboxtest.Office())
	object := number(seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")) + "/"
	stale := http.Header{"If-Match": {`W/"2020-01-01T00:00:00+00:00"`}}
	if _, err := c.once(t.Context(), http.MethodPatch, Addresses, object, nil, map[string]any{"description": "x"}, stale); KindOf(err) != Outdated {
		t.Errorf("a stale If-Match gave %v", err)
	}
}
