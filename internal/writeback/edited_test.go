package writeback

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// S-18: what people wrote on an object stays theirs when the lease is renewed, which
// makes this server the last to write the row.
func TestARenewalForgetsNoEdit(t *testing.T) {
	for name, edit := range map[string]func(r *leaseRange) map[string]any{
		"":            func(*leaseRange) map[string]any { return nil },
		"description": func(*leaseRange) map[string]any { return map[string]any{"description": "keep this"} },
		"comments":    func(*leaseRange) map[string]any { return map[string]any{"comments": "keep this"} },
		"DNS name":    func(*leaseRange) map[string]any { return map[string]any{"dns_name": "printer.example.org"} },
		"role":        func(*leaseRange) map[string]any { return map[string]any{"role": "vip"} },
		"status":      func(*leaseRange) map[string]any { return map[string]any{"status": "reserved"} },
		"tenant": func(r *leaseRange) map[string]any {
			return map[string]any{"tenant": r.server.Add(t, "tenancy/tenants", map[string]any{"name": "ACME", "slug": "acme"})}
		},
		"another tag": func(r *leaseRange) map[string]any {
			return map[string]any{"tags": []any{r.tag, r.server.Add(t, "extras/tags", map[string]any{"name": "Printers", "slug": "printers"})}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := serveRange(t, netboxtest.V47)
			r.lease(t, 1, "10.0.0.10")
			r.tell(t)
			r.poll(t)
			id, want := r.shown.Address(0, netip.MustParseAddr("10.0.0.10")).ID, ""
			if fields := edit(r); fields != nil {
				r.server.Edit(t, addressesPath, id, fields)
				want = "10.0.0.10/24"
			}
			r.now = r.now.Add(30 * time.Minute)
			r.lease(t, 1, "10.0.0.10")
			r.tell(t)
			r.poll(t)
			r.now = r.now.Add(2 * time.Hour)
			r.writer.remove(t.Context())
			if got := r.objects(t); got != want {
				t.Errorf("objects %q, want %q", got, want)
			}
			r.server.ForgetRequests()
			r.writer.remove(t.Context())
			if n := len(r.server.Requests()); n != 0 {
				t.Errorf("%d requests at the next look", n)
			}
		})
	}
}
