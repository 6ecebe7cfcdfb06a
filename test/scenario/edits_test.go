//go:build linux

package scenario

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// docs/promises.md: make an address dynamic by tagging it, no restart needed; static address assigned; tag removed.
// D-13, D-27, H-2, S-11
func editsReachTheClient(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netEdit)
	s.serve(plan{listen: `["%eth0"]`, nak: "authoritative", poll: "1s"})
	spare, fixed := ip(netEdit, 110), ip(netEdit, 10)
	machine := netns.Udhcpc(s.host("machine", lan, l.mac(macEdited)), "eth0", patient())
	if lease := acquire(t, machine); lease.Addr != ip(netEdit, 100) {
		t.Fatalf("leased %v, want the tagged %v", lease.Addr, ip(netEdit, 100))
	}
	visitor := s.host("visitor", lan, l.mac(macVisitor+40))
	getsNothing(t, visitor, "eth0")

	l.change(t, spare, map[string]any{"tags": []int64{l.seed.ID(t, "extras/tags", l.name("DHCP"))}})
	guest := netns.Udhcpc(visitor, "eth0", patient())
	if lease := acquire(t, guest); lease.Addr != spare {
		t.Errorf("leased %v, want %v, which was tagged", lease.Addr, spare)
	}

	l.change(t, fixed, map[string]any{"assigned_object_type": "dcim.interface",
		"assigned_object_id": l.seed.ID(t, "dcim/interfaces", l.name("edited")+" eth0")})
	renewUntilRefused(t, machine)
	if lease := acquire(t, machine); lease.Addr != fixed {
		t.Errorf("leased %v, want %v, which was assigned", lease.Addr, fixed)
	}

	l.change(t, spare, map[string]any{"tags": []int64{}})
	renewUntilNotExtended(t, guest)
}

// renewUntilNotExtended renews, again and again, until the server confirms what
// is left of the lease and no more.
func renewUntilNotExtended(t *testing.T, c *netns.Client) {
	t.Helper()
	await(t, bearable, func() error {
		lease, err := c.Renew(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lease.Time >= time.Hour {
			return fmt.Errorf("%v was extended by %v", lease.Addr, lease.Time)
		}
		return nil
	})
}

// renewUntilRefused renews, again and again, until the server says no.
func renewUntilRefused(t *testing.T, c *netns.Client) {
	t.Helper()
	await(t, bearable, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), bearable)
		defer cancel()
		lease, err := c.Renew(ctx)
		switch {
		case errors.Is(err, netns.ErrLost):
			return nil
		case err != nil:
			t.Fatal(err)
		}
		return fmt.Errorf("%v was renewed", lease.Addr)
	})
}
