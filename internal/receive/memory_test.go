package receive

import (
	"bytes"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// keeper is a handler that keeps what it was handed.
type keeper struct {
	exchanges dhcp4.Exchanges
	kept      chan kept
}

type kept struct {
	req, resp *dhcpv4.DHCPv4
	x         *dhcp4.Exchange
	option    []byte // a value of req
}

func (k *keeper) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	resp, stop := grant(req, resp)
	k.kept <- kept{req, resp, k.exchanges.Find(req), req.Options.Get(dhcpv4.OptionClientIdentifier)}
	return resp, stop
}

// exchange has 20 clients of their own ask one after another, by the reader. It
// returns what the handler kept of all but the last.
func (k *keeper) exchange(t *testing.T, reuse bool) []kept {
	const clients = 20
	k.kept = make(chan kept, clients)
	s := startServer(t, Chain{SupplyServerID: true, Exchanges: &k.exchanges, Prompt: always, Reuse: reuse}, Options{Readers: 1}, k.handle4)
	r := newRelay(t, s)
	var all []kept
	for i := range byte(clients) {
		m := discover(t, i)
		m.UpdateOption(dhcpv4.OptClientIdentifier([]byte{1, i}))
		got := r.exchange(m)
		if !bytes.Equal(got.ClientHWAddr, m.ClientHWAddr) || got.TransactionID != m.TransactionID || !bytes.Equal(got.GetOneOption(dhcpv4.OptionClientIdentifier), []byte{1, i}) {
			t.Fatalf("%s is answered by %s", m.Summary(), got.Summary())
		}
		all = append(all, <-k.kept)
	}
	return all[:clients-1]
}

// B-17
func TestThePacketsOfOneReaderTakeTurnsInOneMemory(t *testing.T) {
	all := new(keeper).exchange(t, true)
	for _, other := range all[1:] {
		if first := all[0]; other.req != first.req || other.resp != first.resp || other.x != first.x {
			t.Fatal("a packet took new memory")
		}
	}
}

// B-17: a handler that is not known may keep what it was handed.
func TestWhatAHandlerMayKeepStaysAsItIs(t *testing.T) {
	for i, kept := range new(keeper).exchange(t, false) {
		want := discover(t, byte(i)).ClientHWAddr
		if !bytes.Equal(kept.req.ClientHWAddr, want) || !bytes.Equal(kept.option, []byte{1, byte(i)}) {
			t.Errorf("message %d has become %s", i, kept.req.Summary())
		}
		if !bytes.Equal(kept.resp.ClientHWAddr, want) || kept.resp.MessageType() != dhcpv4.MessageTypeOffer || kept.x.Ingress.Interface != "lo" {
			t.Errorf("reply %d has become %s", i, kept.resp.Summary())
		}
	}
}

// B-17: with Poison, as tests run the plugins, what is kept is of no use.
func TestPoisonShowsWhatIsKept(t *testing.T) {
	k := &keeper{exchanges: dhcp4.Exchanges{Poison: true}}
	for i, kept := range k.exchange(t, true) {
		if kept.req.OpCode != 0xdb || kept.resp.OpCode != 0xdb || !bytes.Equal(kept.option, []byte{0xdb, 0xdb}) || kept.x.Message.Client != "poisoned" {
			t.Errorf("message %d is still of use: %s", i, kept.req.Summary())
		}
	}
}
