package dhcp4

import (
	"errors"
	"fmt"
	"math"
	"net"
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
	Registration Registration // of the client's name in DNS
}

// Fill writes decision d about req into the prepared reply resp: address,
// times, mask and echoes (R-1 to R-12, D-21, D-23). A refusal only gets its
// type and identifier; plugin nak makes the packet of it (K-5). Other plugins'
// options stay. It fails, with resp unfit to be sent, for a decision that is
// not spoken or grants no IPv4 address.
func Fill(req, resp *Packet, d *lease.Decision, x Extra) error {
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
		resp.Options.Delete(dhcpv4.OptionDHCPMessageType)
		resp.Options.Delete(dhcpv4.OptionServerIdentifier)
	default:
		return fmt.Errorf("fill reply: %s is no reply", d.Verdict)
	}
	if err := fillAddress(resp, d); err != nil {
		return err
	}
	fillTimes(resp, d)
	fillNetwork(req, resp, d)
	fillEchoes(req, resp, d)
	if d.Verdict != lease.BootReply {
		fillName(req, resp, d, x)
	}
	if d.Verdict == lease.Offer || d.Verdict == lease.Ack {
		fillIPv6Only(req, resp, x.Config)
	}
	return nil
}

// fillAddress sets yiaddr; an INFORM is answered without one (D-21).
func fillAddress(resp *Packet, d *lease.Decision) error {
	if d.Verdict == lease.Informed {
		resp.YourIPAddr = net.IPv4zero.To4()
		return nil
	}
	if !d.Addr.Addr().Is4() || d.Addr.Addr().IsUnspecified() {
		return errors.New("fill reply: decision grants no IPv4 address")
	}
	resp.YourIPAddr = resp.addr(d.Addr.Addr())
	return nil
}

// fillTimes sets lease time, T1 and T2 where there is a lease.
func fillTimes(resp *Packet, d *lease.Decision) {
	if d.Verdict != lease.Offer && d.Verdict != lease.Ack {
		resp.Options.Delete(dhcpv4.OptionIPAddressLeaseTime)
		resp.Options.Delete(dhcpv4.OptionRenewTimeValue)
		resp.Options.Delete(dhcpv4.OptionRebindingTimeValue)
		return
	}
	// What does not fit in 32 bits of seconds stands for ever (F-33).
	seconds := uint32(min(max(0, d.Time/time.Second), math.MaxUint32))
	resp.Options.Set(dhcpv4.OptionIPAddressLeaseTime, resp.number(seconds))
	resp.Options.Set(dhcpv4.OptionRenewTimeValue, resp.number(seconds/2))
	resp.Options.Set(dhcpv4.OptionRebindingTimeValue, resp.number(uint32(uint64(seconds)*7/8)))
}

// fillNetwork sets the mask, and the broadcast address if wanted. For
// an INFORM whose address NetBox does not have it is that of N.
func fillNetwork(req, resp *Packet, d *lease.Decision) {
	network := d.Addr.Masked()
	if !network.IsValid() && d.Subnet != nil && d.Subnet.Prefix != nil {
		network = d.Subnet.Prefix.Prefix.Masked()
	}
	if !network.IsValid() || !network.Addr().Is4() {
		return
	}
	resp.Options.Set(dhcpv4.OptionSubnetMask, resp.number(^uint32(0)<<(32-network.Bits())))
	// RFC 3021: a /31 has no broadcast address, and neither has a host.
	if network.Bits() < 31 && Wanted(req, dhcpv4.OptionBroadcastAddress) {
		resp.Options.Set(dhcpv4.OptionBroadcastAddress, resp.addr(ipam.LastAddr(network)))
	}
}

// fillEchoes returns what the client or relay sent and wants to see again:
// option 61 (RFC 6842), 82 whole or not at all, and 118 where it counted,
// without which a client that sent it discards the reply (RFC 3011 section 2.1,
// N-2).
func fillEchoes(req, resp *Packet, d *lease.Decision) {
	echo(req, resp, dhcpv4.OptionClientIdentifier)
	echo(req, resp, dhcpv4.OptionRelayAgentInformation)
	if d.Relayed.Subnet.IsValid() {
		echo(req, resp, dhcpv4.OptionSubnetSelection)
	}
}

func echo(req, resp *Packet, code dhcpv4.OptionCode) {
	if value, sent := req.Options.Sent(code); sent {
		resp.Options.Set(code, value)
	} else {
		resp.Options.Delete(code)
	}
}

// fillName answers option 81, or else names the client as NetBox does.
func fillName(req, resp *Packet, d *lease.Decision, x Extra) {
	if answer := answerFQDN(req.Options.Get(dhcpv4.OptionFQDN), x.Registration); answer != nil {
		resp.Options.Delete(dhcpv4.OptionHostName)
		resp.Options.Set(dhcpv4.OptionFQDN, answer)
		return
	}
	if !x.SendHostname || d.Machine == nil || !Wanted(req, dhcpv4.OptionHostName) {
		return
	}
	if host := HostName(d.Machine.Name); host != "" {
		resp.Options.Set(dhcpv4.OptionHostName, []byte(host))
	}
}

// fillIPv6Only tells a client that asked whether it can do without IPv4 (R-10,
// RFC 8925).
func fillIPv6Only(req, resp *Packet, c *ipam.Config) {
	if c != nil && c.HasIPv6OnlyWait && Wanted(req, dhcpv4.OptionIPv6OnlyPreferred) {
		resp.Options.Set(dhcpv4.OptionIPv6OnlyPreferred, dhcpv4.OptIPv6OnlyPreferred(min(max(0, c.IPv6OnlyWait), dhcpv4.MaxLeaseTime)).Value.ToBytes())
	}
}

// Configures reports whether resp tells the client of req its settings: an
// OFFER or ACK with an address, the ACK to an INFORM, or a BOOTP reply with an
// address. The option plugins hand on all other replies unchanged (G-1).
func Configures(req, resp *Packet) bool {
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
func Wanted(req *Packet, code dhcpv4.OptionCode) bool {
	listed := req.Options.Get(dhcpv4.OptionParameterRequestList)
	if len(listed) == 0 {
		listed = []uint8{1, 3, 6, 15, 28, 42, 51, 58, 59}
	}
	return slices.Contains(listed, code.Code())
}
