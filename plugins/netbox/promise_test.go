package netbox

import (
	"slices"
	"testing"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// newInLoop sets the plugin up as a server of ours does, whose receive loop opens
// the Exchange of each message.
func newInLoop(t *testing.T, settings string) (instancetest.Opened, chain.Handler4) {
	t.Helper()
	o := instancetest.Open(t, settings, inventory)
	if err := o.Pool.UseFile(o.Path); err != nil {
		t.Fatal(err)
	}
	h, err := setup(o.Pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o, h
}

// selects is the REQUEST of a stranger for a dynamic address.
func selects(t *testing.T) *dhcpv4.DHCPv4 {
	return dhcp4test.Request(t, dhcpv4.MessageTypeRequest, stranger(1),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, 100})), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(dhcp4test.Server().AsSlice())))
}

// S-1, B-16: with Parks the handler waits for no disk, and tells of the lease once it
// is durable; without, and in a rehearsal, it promises nothing.
func TestALeaseIsToldOfOnceItIsDurable(t *testing.T) {
	for name, c := range map[string]struct {
		x                dhcp4.Exchange
		promises, stored bool
	}{
		"a reply that can wait": {dhcp4.Exchange{Prompt: true, Parks: true}, true, true},
		"one that cannot":       {dhcp4.Exchange{}, false, true},
		"a rehearsal":           {dhcp4.Exchange{Rehearsal: true, Parks: true}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newInLoop(t, "")
			req := selects(t)
			x := &c.x
			o.Pool.Exchanges.Put(req, x)
			resp, _ := h(req, dhcp4test.Prepared(t, req))
			if resp == nil || resp.MessageType() != dhcpv4.MessageTypeAck || (x.Promise != nil) != c.promises {
				t.Fatalf("reply %v, promise %v", resp, x.Promise)
			}
			told := func() bool { return slices.ContainsFunc(o.Logs.AllEntries(), isLeaseMade) }
			if c.promises {
				if told() || len(o.Engine.Leases()) > 0 {
					t.Error("a lease is told of that is not durable")
				}
				lease.Keep([]*lease.Promise{x.Promise})
				x.Promised(x)
			}
			if told() != c.stored || (len(o.Engine.Leases()) == 1) != c.stored {
				t.Errorf("told of: %v, leases: %v", told(), o.Engine.Leases())
			}
		})
	}
}

// H-3, B-16: a message whose promise was not kept is decided anew, and trouble is told.
func TestAPromiseThatWasNotKeptIsDecidedAnew(t *testing.T) {
	o, h := newInLoop(t, "")
	req := selects(t)
	first := &dhcp4.Exchange{Parks: true}
	o.Pool.Exchanges.Put(req, first)
	h(req, dhcp4test.Prepared(t, req))
	o.Engine.Detach()
	if lease.Keep([]*lease.Promise{first.Promise}); first.Promise.Kept() {
		t.Fatal("a lease is acknowledged that nothing has stored")
	}
	again := &dhcp4.Exchange{Parks: true, Promise: first.Promise}
	o.Pool.Exchanges.Put(req, again)
	resp, stop := h(req, dhcp4test.Prepared(t, req))
	if resp != nil || !stop || again.Promise != nil || again.Decision.Rule != "H-3" {
		t.Errorf("got %v by %s, stop %v, promise %v", resp, again.Decision.Rule, stop, again.Promise)
	}
	if !slices.Contains(o.Messages(), "no answer: trouble on our side") || slices.ContainsFunc(o.Logs.AllEntries(), isLeaseMade) {
		t.Errorf("told of: %v", o.Messages())
	}
}

// A-7, B-14: where the handler must not wait it says that it would have to, and does
// nothing.
func TestAProbeIsForAWorker(t *testing.T) {
	o, h := newInLoop(t, "lease:\n  probe: 500ms")
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, stranger(1))
	x := &dhcp4.Exchange{Prompt: true, Parks: true}
	o.Pool.Exchanges.Put(req, x)
	if resp, stop := h(req, dhcp4test.Prepared(t, req)); resp != nil || !stop || !x.Waits || x.Promise != nil {
		t.Errorf("got %v, stop %v, waits %v, promise %v", resp, stop, x.Waits, x.Promise)
	}
}

func isLeaseMade(e *logrus.Entry) bool { return e.Message == "lease made" }
