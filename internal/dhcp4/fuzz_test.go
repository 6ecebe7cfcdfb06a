package dhcp4

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// FuzzAnswer takes any bytes the network may deliver and any decision through
// parsing, filling, trimming and encoding. Nothing may panic, and what comes
// out must be a packet that says what the decision says.
func FuzzAnswer(f *testing.F) {
	seeds := [][]dhcpv4.Modifier{
		{},
		{dhcp4test.Raw(50, 10, 0, 0, 5), dhcp4test.Raw(54, 10, 0, 0, 2), dhcp4test.Raw(55, 1, 3, 6, 12, 28, 108), dhcp4test.Raw(57, 2, 64)},
		{dhcp4test.Raw(61, 1, 2), dhcp4test.Raw(81, 5, 0, 0, 1, 'a', 0), dhcp4test.Raw(12, 'x'), dhcp4test.Raw(118, 10, 0, 0, 0)},
		{dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(5, 10, 1, 0, 0), dhcp4test.SubOption(11, 10, 0, 0, 1), dhcp4test.SubOption(151, 0, 'v'))},
		{dhcpv4.WithHwAddr(nil), dhcp4test.Raw(61, 0xff, 1)},
	}
	for _, kind := range []dhcpv4.MessageType{0, 1, 3, 4, 7, 8} {
		for _, mods := range seeds {
			f.Add(dhcp4test.Request(f, kind, mods...).ToBytes(), uint8(lease.Ack), uint32(0x0a00004d), uint8(24), int64(time.Hour))
		}
	}
	f.Fuzz(func(t *testing.T, datagram []byte, verdict uint8, yiaddr uint32, bits uint8, span int64) {
		req, err := dhcpv4.FromBytes(datagram)
		if err != nil {
			return
		}
		resp := dhcp4test.Prepared(t, req)
		m := ParseRequest(req, resp, Ingress{}, true)
		checkMessage(t, m)
		d := &lease.Decision{
			Verdict: lease.Verdict(verdict % 8),
			Addr:    netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(yiaddr >> 24), byte(yiaddr >> 16), byte(yiaddr >> 8), byte(yiaddr)}), int(bits%40)),
			Time:    time.Duration(span),
			Machine: &ipam.Machine{Name: m.Hostname},
		}
		config := &ipam.Config{IPv6OnlyWait: d.Time, HasIPv6OnlyWait: true}
		if err := Fill(req, resp, d, Extra{Config: config, SendHostname: true}); err != nil {
			return
		}
		_, fits := Trim(req, resp, nil)
		wire := resp.ToBytes()
		if fits && len(wire) > max(SizeLimit(req), paddedLength) {
			t.Fatalf("%d bytes are said to fit in %d", len(wire), SizeLimit(req))
		}
		read, err := dhcpv4.FromBytes(wire)
		if err != nil {
			t.Fatalf("our own reply does not parse: %v", err)
		}
		checkReply(t, req, read, d)
	})
}

func checkMessage(t *testing.T, m lease.ClientMessage) {
	if m.Malformed != "" {
		return
	}
	if m.Client == "" || m.Client == lease.Declined {
		t.Fatalf("an answerable message of client %q", m.Client)
	}
	if m.HasMAC && (!m.MAC.Unicast() || m.MAC.String() != string(m.Client)) {
		t.Fatalf("client %s has MAC %s", m.Client, m.MAC)
	}
	if m.Override.IsValid() && !m.Relay.IsValid() {
		t.Fatal("an override without a relay")
	}
	if m.LeaseTime < 0 || m.Waited < 0 {
		t.Fatalf("negative times: %v, %v", m.LeaseTime, m.Waited)
	}
	if len(m.Hostname) > maxName || bytes.ContainsAny([]byte(m.Hostname), "\x00\r\n\x1b") {
		t.Fatalf("name %q", m.Hostname)
	}
}

func checkReply(t *testing.T, req, resp *dhcpv4.DHCPv4, d *lease.Decision) {
	kind := map[lease.Verdict]dhcpv4.MessageType{
		lease.Offer: dhcpv4.MessageTypeOffer, lease.Ack: dhcpv4.MessageTypeAck, lease.Nak: dhcpv4.MessageTypeNak,
		lease.Informed: dhcpv4.MessageTypeAck, lease.BootReply: dhcpv4.MessageTypeNone,
	}[d.Verdict]
	if resp.MessageType() != kind || resp.OpCode == req.OpCode || resp.TransactionID != req.TransactionID {
		t.Fatalf("%v is told as %v", d.Verdict, resp)
	}
	grants := d.Verdict == lease.Offer || d.Verdict == lease.Ack
	yiaddr := HeaderAddr(resp.YourIPAddr)
	if granted := grants || d.Verdict == lease.BootReply; granted && yiaddr != d.Addr.Addr() || !granted && yiaddr.IsValid() {
		t.Fatalf("%v with yiaddr %v", d.Verdict, yiaddr)
	}
	for _, code := range []uint8{51, 58, 59} { // R-1, D-21, D-23
		if _, ok := resp.Options[code]; ok != grants {
			t.Fatalf("%v: option %d present: %v", d.Verdict, code, ok)
		}
	}
	if resp.IPAddressRenewalTime(0) > resp.IPAddressRebindingTime(0) ||
		resp.IPAddressRebindingTime(0) > resp.IPAddressLeaseTime(0) {
		t.Fatal("T1, T2 and lease time are out of order")
	}
	if d.Verdict == lease.Nak {
		return
	}
	for _, code := range []uint8{61, 82} { // R-6, RFC 6842
		sent, was := req.Options[code]
		got, is := resp.Options[code]
		if was != is || !bytes.Equal(sent, got) {
			t.Fatalf("option %d: sent %x, echoed %x", code, sent, got)
		}
	}
}
