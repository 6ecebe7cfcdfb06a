package netbox

import (
	"net/http"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// A stale If-Match is refused: what the loop of single writes relies on.
func TestARealNetBoxRefusesAStaleIfMatch(t *testing.T) {
	url, token := realNetBox(t)
	c := connectReal(t, url, token)
	seeded := netboxtest.Seed(t, url, token, netboxtest.Office())
	t.Cleanup(func() { emptyAgain(t, seeded) })
	object := number(seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24")) + "/"
	stale := http.Header{"If-Match": {`W/"2020-01-01T00:00:00+00:00"`}}
	if _, err := c.once(t.Context(), http.MethodPatch, Addresses, object, nil, map[string]any{"description": "x"}, stale); KindOf(err) != Changed {
		t.Errorf("a stale If-Match gave %v", err)
	}
}
