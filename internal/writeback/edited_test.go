package writeback

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
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

// S-18, A-4: an object that clients.bind_interface assigned is taken from the interface
// after the lease and the grace, and goes at the next look; one that people assigned
// or wrote on meanwhile stays.
func TestAnAssignedObjectGoesAfterItsLease(t *testing.T) {
	for name, c := range map[string]struct {
		edit     func(r *leaseRange, ports []int64) map[string]any // nil: no edit
		late     bool                                              // after the last snapshot
		stays    bool
		assigned int // index of the interface at the end, from 1; 0: none
	}{
		"by this server": {},
		"to another interface by people": {
			edit: func(_ *leaseRange, ports []int64) map[string]any {
				return map[string]any{"assigned_object_id": ports[1]}
			},
			stays: true, assigned: 2},
		"described": {
			edit:  func(*leaseRange, []int64) map[string]any { return map[string]any{"description": "keep this"} },
			stays: true, assigned: 1},
		"described after the last snapshot": {
			edit:  func(*leaseRange, []int64) map[string]any { return map[string]any{"description": "keep this"} },
			stays: true, late: true, assigned: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := serveRange(t, netboxtest.V47, netboxtest.Device{Name: "printer", Site: "lab", Interfaces: []netboxtest.Interface{
				{Name: "eth0", MACs: []string{"52:54:00:00:01:01"}}, {Name: "eth1", MACs: []string{"52:54:00:00:01:02"}}}})
			addr := netip.MustParseAddr("10.0.0.10")
			r.lease(t, 1, addr.String())
			r.tell(t)
			r.poll(t)
			a := r.shown.Address(0, addr)
			if a.Interface == (ipam.InterfaceID{}) {
				t.Fatalf("%+v is not assigned", a)
			}
			ports := []int64{a.Interface.ID, 0}
			for id := range r.shown.Objects().Interfaces {
				if id != a.Interface {
					ports[1] = id.ID
				}
			}
			if c.edit != nil {
				r.server.Edit(t, addressesPath, a.ID, c.edit(r, ports))
			}
			if !c.late {
				r.poll(t)
			}
			r.server.ForgetRequests()
			r.now = r.now.Add(time.Hour + 9*time.Second)
			r.writer.remove(t.Context())
			if n := len(r.server.Writes()); n != 0 {
				t.Errorf("%d writes within the grace", n)
			}
			r.now = r.now.Add(2 * time.Second)
			for range 2 {
				r.writer.remove(t.Context())
				r.poll(t)
			}
			switch a := r.shown.Address(0, addr); {
			case a.Range != nil:
				if c.stays {
					t.Error("the object is gone")
				}
			case !c.stays:
				t.Errorf("the object is there: %+v", a)
			case a.Interface.ID != ports[c.assigned-1]:
				t.Errorf("assigned to %+v", a.Interface)
			}
		})
	}
}

// S-18: where NetBox does not take the assignment back, as from a primary address,
// the object stays, and is tried again later.
func TestAPrimaryAddressStays(t *testing.T) {
	r := serveRange(t, netboxtest.V47, netboxtest.Device{Name: "printer", Site: "lab", Interfaces: []netboxtest.Interface{{Name: "eth0", MACs: []string{"52:54:00:00:01:01"}}}})
	r.lease(t, 1, "10.0.0.10")
	r.tell(t)
	r.poll(t)
	for id := range r.shown.Objects().Machines {
		r.server.Edit(t, "dcim/devices", id.ID, map[string]any{"primary_ip4": r.shown.Address(0, netip.MustParseAddr("10.0.0.10")).ID})
	}
	r.now = r.now.Add(2 * time.Hour)
	r.writer.remove(t.Context())
	r.poll(t)
	r.server.ForgetRequests()
	r.writer.remove(t.Context())
	if n := len(r.server.Requests()); n != 0 || r.shown.Address(0, netip.MustParseAddr("10.0.0.10")).Interface == (ipam.InterfaceID{}) {
		t.Errorf("%d requests at the next look, objects %s", n, r.objects(t))
	}
}

// S-18, A-4: an assignment that people made stays, and keeps the object, although a
// renewal made this server the last to write the row.
func TestAnAssignmentOfPeopleKeepsAnObject(t *testing.T) {
	for name, client := range map[string]int{"of a stranger's address": 9, "away from the client's interface": 1} {
		t.Run(name, func(t *testing.T) {
			r := serveRange(t, netboxtest.V47, netboxtest.Device{Name: "printer", Site: "lab", Interfaces: []netboxtest.Interface{
				{Name: "eth0", MACs: []string{"52:54:00:00:01:01"}}, {Name: "eth1", MACs: []string{"52:54:00:00:01:02"}}}})
			addr := netip.MustParseAddr("10.0.0.10")
			r.lease(t, client, addr.String())
			r.tell(t)
			r.poll(t)
			other := r.shown.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 1, 2})[0]
			r.server.Edit(t, addressesPath, r.shown.Address(0, addr).ID, map[string]any{"assigned_object_type": "dcim.interface", "assigned_object_id": other.ID.ID})
			r.poll(t)
			r.now = r.now.Add(30 * time.Minute)
			r.lease(t, client, addr.String())
			r.tell(t)
			r.poll(t)
			r.now = r.now.Add(2 * time.Hour)
			for range 2 {
				r.writer.remove(t.Context())
				r.poll(t)
			}
			if a := r.shown.Address(0, addr); a.Interface != other.ID {
				t.Errorf("%+v", a)
			}
		})
	}
}
