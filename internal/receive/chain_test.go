package receive

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// Handlers of ours and of others in one chain see what those before them made of the
// message and of the reply.
func TestOursAndTheirsWorkOnOneMessage(t *testing.T) {
	exchanges := new(dhcp4.Exchanges)
	var seen []string
	ours := func(code uint8) Link {
		return Link{Ours: func(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
			seen = append(seen, string(req.Options.Get(dhcpv4.OptionHostName)))
			resp.Options.Set(dhcpv4.GenericOptionCode(code), []byte{code})
			x.Note += "o"
			return resp, false
		}}
	}
	theirs := func(code uint8) Link {
		return Link{Theirs: func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			seen = append(seen, string(req.Options.Get(dhcpv4.OptionHostName)))
			req.UpdateOption(dhcpv4.OptHostName(string(req.Options.Get(dhcpv4.OptionHostName)) + "+"))
			resp.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), []byte{code}))
			exchanges.Find(req).Note += "t"
			return resp, false
		}}
	}
	anew := Link{Theirs: func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		other := *resp
		other.Options = dhcpv4.OptionsFromList(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer), dhcpv4.OptServerIdentifier(offered))
		return &other, false
	}}
	finish := Link{Theirs: grant}
	for name, c := range map[string]struct {
		chain []Link
		seen  []string
		note  string
		codes []uint8
	}{
		"ours":                       {[]Link{ours(200), ours(201), finish}, []string{"a", "a"}, "oo", []uint8{53, 54, 200, 201}},
		"theirs":                     {[]Link{theirs(200), theirs(201), finish}, []string{"a", "a+"}, "tt", []uint8{53, 54, 200, 201}},
		"in turn":                    {[]Link{theirs(200), ours(201), theirs(202), ours(203), finish}, []string{"a", "a+", "a+", "a++"}, "toto", []uint8{53, 54, 200, 201, 202, 203}},
		"another reply in its place": {[]Link{ours(200), anew, ours(201), finish}, []string{"a", "a"}, "oo", []uint8{53, 54, 201}},
	} {
		seen = nil
		req := discover(t, 1)
		req.UpdateOption(dhcpv4.OptHostName("a"))
		out := (&Chain{Handlers: c.chain, Exchanges: exchanges, SupplyServerID: true}).Answer(req, dhcp4.Ingress{}, netip.MustParseAddr("10.0.0.2"), nil)
		if out.Reply == nil {
			t.Fatalf("%s: %s", name, out.Drop)
		}
		var codes []uint8
		for code := range out.Reply.Options.All() {
			if code != dhcpv4.OptionRelayAgentInformation.Code() {
				codes = append(codes, code)
			}
		}
		if diff := cmp.Diff(c.codes, codes) + cmp.Diff(c.seen, seen) + cmp.Diff(c.note, out.Exchange.Note); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if exchanges.Find(req) != nil {
			t.Errorf("%s: the exchange is still open", name)
		}
	}
}

// F-17, B-5: a reply that is taken away is missing for handlers of others, and ends the
// chain for ours.
func TestAReplyThatWasTakenAwayReachesNoHandlerOfOurs(t *testing.T) {
	called := ""
	take := Link{Theirs: func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) { return nil, false }}
	theirs := Link{Theirs: func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		if called += "t"; resp != nil {
			called += "!"
		}
		return resp, false
	}}
	ours := Link{Ours: func(_ *dhcp4.Exchange, _, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
		called += "o"
		return resp, false
	}}
	for want, chain := range map[string][]Link{"": {take, ours}, "t": {take, theirs, ours}, "ot": {ours, take, theirs, ours}} {
		called = ""
		out := (&Chain{Handlers: chain, Exchanges: new(dhcp4.Exchanges), SupplyServerID: true}).Answer(discover(t, 1), dhcp4.Ingress{}, netip.MustParseAddr("10.0.0.2"), nil)
		if called != want || out.Drop != dropNoReply {
			t.Errorf("called %q, want %q; dropped as %q", called, want, out.Drop)
		}
	}
}
