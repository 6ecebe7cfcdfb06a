package dhcp4

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// fill, fillOptions, trim and parse are Fill, FillOptions, Trim and ParseRequest for
// messages of the library.
func fill(req, resp *dhcpv4.DHCPv4, d *lease.Decision, x Extra) error {
	p := Of(resp)
	defer p.Library()
	return Fill(Of(req), p, d, x)
}

func fillOptions(req, resp *dhcpv4.DHCPv4, set *option.Set) ([]option.Chosen, []uint8) {
	p := Of(resp)
	defer p.Library()
	return FillOptions(Of(req), p, set)
}

func trim(req, resp *dhcpv4.DHCPv4, added []option.Chosen) ([]dhcpv4.OptionCode, bool) {
	p := Of(resp)
	defer p.Library()
	return Trim(Of(req), p, added)
}

func parse(req, resp *dhcpv4.DHCPv4, in Ingress, override bool) lease.ClientMessage {
	return ParseRequest(Of(req), Of(resp), in, override)
}

// The table does what a map does: each byte is what to do with which option.
func FuzzOptions(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x83, 3, 0xff, 0x81, 1})
	f.Add(bytes.Repeat([]byte{5, 0x85}, 300))
	f.Fuzz(func(t *testing.T, orders []byte) {
		model := dhcpv4.Options{}
		p := Of(new(dhcpv4.DHCPv4))
		for i, order := range orders {
			code := dhcpv4.GenericOptionCode(order&0x7f | byte(i)<<7)
			if order&0x80 != 0 {
				p.Options.Delete(code)
				delete(model, code.Code())
				continue
			}
			value := slices.Clone(orders[:i%4])
			p.Options.Set(code, value)
			model[code.Code()] = value
		}
		checkOptions(t, model, p)
		p.Load(p.Library())
		checkOptions(t, model, p)
		p.Options.Clear()
		checkOptions(t, dhcpv4.Options{}, p)
	})
}

func checkOptions(t *testing.T, model dhcpv4.Options, p *Packet) {
	t.Helper()
	for code := range 256 {
		c := dhcpv4.GenericOptionCode(code)
		value, sent := p.Options.Sent(c)
		if want, ok := model[c.Code()]; ok != sent || ok != p.Options.Has(c) || !bytes.Equal(want, value) || !bytes.Equal(want, p.Options.Get(c)) {
			t.Fatalf("option %d: %v %v, want %v %v", code, value, sent, want, ok)
		}
	}
	var codes []int
	for code := range p.Options.All() {
		codes = append(codes, int(code))
	}
	if !slices.IsSorted(codes) || len(codes) != len(model) {
		t.Fatalf("codes %v of %d", codes, len(model))
	}
	if diff := cmp.Diff(model, p.Library().Options); diff != "" {
		t.Fatal(diff)
	}
}

// What ours wrote stays as it is while handlers of others have the message, and is gone
// with the next message only.
func TestValuesOutliveHandlersOfOthers(t *testing.T) {
	p := Of(new(dhcpv4.DHCPv4))
	SetType(p, dhcpv4.MessageTypeOffer)
	SetAddrs(p, dhcpv4.OptionRouter, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"))
	p.Load(p.Library())
	SetAddrs(p, dhcpv4.OptionDomainNameServer, netip.MustParseAddr("10.0.0.3"))
	want := dhcpv4.Options{3: {10, 0, 0, 1, 10, 0, 0, 2}, 6: {10, 0, 0, 3}, 53: {2}}
	if diff := cmp.Diff(want, p.Library().Options); diff != "" {
		t.Error(diff)
	}
	p.Begin(new(dhcpv4.DHCPv4))
	if n := len(p.Library().Options); n != 0 {
		t.Errorf("%d options of the message before", n)
	}
}

// Handlers of others, between two of ours, see the options that ours wrote, and ours
// what they wrote.
func TestHandlersOfTheLibrarySeeTheSameOptions(t *testing.T) {
	exchanges := new(Exchanges)
	handle := exchanges.Handler(func(x *Exchange, req, resp *Packet) (*Packet, bool) {
		if !req.Options.Has(dhcpv4.OptionHostName) || !resp.Options.Has(dhcpv4.OptionRouter) || x == nil {
			t.Error("an option is missing")
		}
		resp.Options.Delete(dhcpv4.OptionRouter)
		SetType(resp, dhcpv4.MessageTypeAck)
		return resp, true
	})
	req := &dhcpv4.DHCPv4{Options: dhcpv4.Options{12: []byte("a")}}
	resp := &dhcpv4.DHCPv4{Options: dhcpv4.Options{3: {10, 0, 0, 1}, 6: {10, 0, 0, 2}}}
	exchanges.Open(req, Ingress{})
	defer exchanges.Close(req)
	got, stop := handle(req, resp)
	if diff := cmp.Diff(dhcpv4.Options{6: {10, 0, 0, 2}, 53: {5}}, got.Options); diff != "" || got != resp || !stop {
		t.Error(diff, stop)
	}
	if got, stop := handle(req, nil); got != nil || !stop { // B-5
		t.Errorf("%v, stop %v", got, stop)
	}
}
