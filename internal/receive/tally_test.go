package receive

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// WEB-8: what each plugin did is counted; what explain asks is not.
func TestWhatEachPluginDoesIsCounted(t *testing.T) {
	pass := func(_ *dhcp4.Exchange, _, resp *dhcp4.Packet) (*dhcp4.Packet, bool) { return resp, false }
	ends := Link{Theirs: grant}
	links := []Link{{Ours: pass}, ends, {Ours: pass}}
	chain := &Chain{Handlers: links, Exchanges: new(dhcp4.Exchanges), SupplyServerID: true, Tally: NewTally(links)}
	for range 3 {
		out := Outcome{memory: new(memory)}
		chain.answer(&out, dhcp4.Of(discover(t, 1)), dhcp4.Ingress{}, netip.MustParseAddr("10.0.0.2"), nil)
	}
	chain.Answer(discover(t, 1), dhcp4.Ingress{}, netip.MustParseAddr("10.0.0.2"), nil)
	if diff := cmp.Diff([]Count{{Calls: 3}, {Calls: 3, Ends: 3}, {}}, chain.Tally.Counts()); diff != "" {
		t.Error(diff)
	}
	if (*Tally)(nil).Counts() != nil {
		t.Error("a chain without a tally has counts")
	}
}

// B-3, WEB-8: a plugin that panics is counted where it stands.
func TestAPanicCountsForItsPlugin(t *testing.T) {
	broken := func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { panic("a fault of the handler") }
	tally := NewTally(make([]Link, 2))
	s := startServer(t, Chain{SupplyServerID: true, Tally: tally}, Options{}, func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return resp, false }, broken)
	newRelay(t, s).send(discover(t, 1).ToBytes())
	waitFor(t, "the panic", func() bool { return valueOf(t, s.meter.dropped.WithLabelValues(string(dropPanic))) == 1 })
	if diff := cmp.Diff([]Count{{Calls: 1}, {Calls: 1, Panics: 1}}, tally.Counts()); diff != "" {
		t.Error(diff)
	}
}
