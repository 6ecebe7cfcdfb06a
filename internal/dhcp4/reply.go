package dhcp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Extra is what a reply can say beyond the decision.
type Extra struct {
	Config       *ipam.Config // of the client or its site; nil: none
	SendHostname bool         // clients.send_hostname
}

// Fill writes decision d about req into the prepared reply resp: address,
// times, mask and echoes (R-1 to R-12, D-21, D-23). A refusal only gets its
// type and identifier; plugin nak makes the packet of it (K-5). Other plugins'
// options stay. It fails, with resp unfit to be sent, for a decision that is
// not spoken or grants no IPv4 address.
func Fill(req, resp *dhcpv4.DHCPv4, d *lease.Decision, x Extra) error {
	if resp.Options == nil {
		resp.Options = make(dhcpv4.Options)
	}
	if d.Override.Is4() {
		SetAddrs(resp, dhcpv4.OptionServerIdentifier, d.Override)
	}
	switch d.Verdict {
	case lease.Offer:
		SetType(resp, dhcpv4.MessageTypeOffer)
	case lease.Ack, lease.Informed:
		SetType(resp, dhcpv4.MessageTypeAck)
	case lease.Nak:
		SetType(resp, dhcpv4.MessageTypeNak)
		return nil
	case lease.BootReply:
		resp.DeleteOption(dhcpv4.OptionDHCPMessageType)
		resp.DeleteOption(dhcpv4.OptionServerIdentifier)
	default:
		return fmt.Errorf("fill reply: %s is no reply", d.Verdict)
	}
	w := make(words, 0, 6*wordLen)
	if err := fillAddress(resp, d, &w); err != nil {
		return err
	}
	fillTimes(resp, d, &w)
	fillNetwork(req, resp, d, &w)
	fillEchoes(req, resp, d)
	if d.Verdict != lease.BootReply {
		fillName(req, resp, d, x.SendHostname)
	}
	if d.Verdict == lease.Offer || d.Verdict == lease.Ack {
		fillIPv6Only(req, resp, x.Config)
	}
	return nil
}

// wordLen is the length of a number or an address in an option.
const wordLen = 4

// words is memory that several option values of one reply lie in.
type words []byte

func (w *words) number(n uint32) []byte {
	*w = binary.BigEndian.AppendUint32(*w, n)
	return w.last()
}

func (w *words) addr(a netip.Addr) []byte {
	octets := a.As4()
	*w = append(*w, octets[:]...)
	return w.last()
}

func (w *words) last() []byte {
	n := len(*w)
	return (*w)[n-wordLen : n : n]
}

// fillAddress sets yiaddr; an INFORM is answered without one (D-21).
func fillAddress(resp *dhcpv4.DHCPv4, d *lease.Decision, w *words) error {
	if d.Verdict == lease.Informed {
		resp.YourIPAddr = net.IPv4zero.To4()
		return nil
	}
	if !d.Addr.Addr().Is4() || d.Addr.Addr().IsUnspecified() {
		return errors.New("fill reply: decision grants no IPv4 address")
	}
	resp.YourIPAddr = w.addr(d.Addr.Addr())
	return nil
}

// fillTimes sets lease time, T1 and T2 where there is a lease.
func fillTimes(resp *dhcpv4.DHCPv4, d *lease.Decision, w *words) {
	if d.Verdict != lease.Offer && d.Verdict != lease.Ack {
		resp.DeleteOption(dhcpv4.OptionIPAddressLeaseTime)
		resp.DeleteOption(dhcpv4.OptionRenewTimeValue)
		resp.DeleteOption(dhcpv4.OptionRebindingTimeValue)
		return
	}
	// What does not fit in 32 bits of seconds stands for ever (F-33).
	seconds := uint32(min(max(0, d.Time/time.Second), math.MaxUint32))
	resp.Options[dhcpv4.OptionIPAddressLeaseTime.Code()] = w.number(seconds)
	resp.Options[dhcpv4.OptionRenewTimeValue.Code()] = w.number(seconds / 2)
	resp.Options[dhcpv4.OptionRebindingTimeValue.Code()] = w.number(uint32(uint64(seconds) * 7 / 8))
}

// fillNetwork sets the mask, and the broadcast address if wanted. For
// an INFORM whose address NetBox does not have it is that of N.
func fillNetwork(req, resp *dhcpv4.DHCPv4, d *lease.Decision, w *words) {
	network := d.Addr.Masked()
	if !network.IsValid() && d.Subnet != nil && d.Subnet.Prefix != nil {
		network = d.Subnet.Prefix.Prefix.Masked()
	}
	if !network.IsValid() || !network.Addr().Is4() {
		return
	}
	resp.Options[dhcpv4.OptionSubnetMask.Code()] = w.number(^uint32(0) << (32 - network.Bits()))
	// RFC 3021: a /31 has no broadcast address, and neither has a host.
	if network.Bits() < 31 && Wanted(req, dhcpv4.OptionBroadcastAddress) {
		resp.Options[dhcpv4.OptionBroadcastAddress.Code()] = w.addr(ipam.LastAddr(network))
	}
}

// fillEchoes returns what the client or relay sent and wants to see again:
// option 61 (RFC 6842), 82 whole or not at all, and 118 where it counted,
// without which a client that sent it discards the reply (RFC 3011 section 2.1,
// N-2).
func fillEchoes(req, resp *dhcpv4.DHCPv4, d *lease.Decision) {
	echo(req, resp, dhcpv4.OptionClientIdentifier)
	echo(req, resp, dhcpv4.OptionRelayAgentInformation)
	if d.Relayed.Subnet.IsValid() {
		echo(req, resp, dhcpv4.OptionSubnetSelection)
	}
}

func echo(req, resp *dhcpv4.DHCPv4, code dhcpv4.OptionCode) {
	if value, sent := req.Options[code.Code()]; sent {
		resp.Options[code.Code()] = value
	} else {
		delete(resp.Options, code.Code())
	}
}

// fillName answers option 81, or else names the client as NetBox does.
func fillName(req, resp *dhcpv4.DHCPv4, d *lease.Decision, send bool) {
	if echo := echoFQDN(req.Options.Get(dhcpv4.OptionFQDN)); echo != nil {
		resp.DeleteOption(dhcpv4.OptionHostName)
		resp.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, echo))
		return
	}
	if !send || d.Machine == nil || !Wanted(req, dhcpv4.OptionHostName) {
		return
	}
	if host := HostName(d.Machine.Name); host != "" {
		resp.UpdateOption(dhcpv4.OptHostName(host))
	}
}

// fillIPv6Only tells a client that asked whether it can do without IPv4 (R-10,
// RFC 8925).
func fillIPv6Only(req, resp *dhcpv4.DHCPv4, c *ipam.Config) {
	if c != nil && c.HasIPv6OnlyWait && Wanted(req, dhcpv4.OptionIPv6OnlyPreferred) {
		resp.UpdateOption(dhcpv4.OptIPv6OnlyPreferred(min(max(0, c.IPv6OnlyWait), dhcpv4.MaxLeaseTime)))
	}
}

// Configures reports whether resp tells the client of req its settings: an
// OFFER or ACK with an address, the ACK to an INFORM, or a BOOTP reply with an
// address. The option plugins hand on all other replies unchanged (G-1).
func Configures(req, resp *dhcpv4.DHCPv4) bool {
	granted := HeaderAddr(resp.YourIPAddr).IsValid()
	switch TypeOf(resp) {
	case dhcpv4.MessageTypeOffer:
		return granted
	case dhcpv4.MessageTypeAck:
		return granted || TypeOf(req) == dhcpv4.MessageTypeInform
	}
	return granted && messageType(req) == lease.BOOTP && !resp.Options.Has(dhcpv4.OptionDHCPMessageType)
}

// Wanted reports whether an optional parameter may go to the client. It
// is not meant for boot parameters, which follow rules of their own. The
// library's IsOptionRequested says yes to everything without option 55 (F-27);
// here that, or an empty list, stands for a list of the usual ones.
func Wanted(req *dhcpv4.DHCPv4, code dhcpv4.OptionCode) bool {
	listed := req.Options.Get(dhcpv4.OptionParameterRequestList)
	if len(listed) == 0 {
		listed = []uint8{1, 3, 6, 15, 28, 42, 51, 58, 59}
	}
	return slices.Contains(listed, code.Code())
}
