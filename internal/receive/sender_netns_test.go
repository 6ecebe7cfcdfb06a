package receive

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// N-10, N-11: handlers are told who really sent a relayed packet, and only a
// sender that is giaddr is answered at the port it names (RFC 8357).
func TestTheSenderOfARelayedPacketIsKnown(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67})
	for name, c := range map[string]struct {
		sender string // with a port
		giaddr string
		port   uint16 // where the answer goes
	}{
		"the relay itself":                       {"10.0.0.10:1067", "10.0.0.10", 1067},
		"the relay at its own port":              {"10.0.1.10:67", "10.0.1.10", 67},
		"another of its addresses":               {"10.0.1.10:1067", "10.0.0.10", 67},
		"a sender that points at another's port": {"10.0.2.10:53", "10.0.1.10", 67},
	} {
		t.Run(name, func(t *testing.T) {
			sender, answered := netip.MustParseAddrPort(c.sender), netip.AddrPortFrom(netip.MustParseAddr(c.giaddr), c.port)
			here, err := s.client.ListenPacket(answered)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = here.Close() }()
			out := here
			if sender != answered {
				if out, err = s.client.ListenPacket(sender); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = out.Close() }()
			}
			m := message(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover),
				dhcp4test.Relayed(c.giaddr, dhcp4test.SubOption(19)))
			if _, err := out.WriteTo(m.ToBytes(), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:67"))); err != nil {
				t.Fatal(err)
			}
			if in := <-s.seen; in.Source != sender {
				t.Errorf("handlers are told that %s sent it, want %s", in.Source, sender)
			}
			b := make([]byte, 4096)
			if err := here.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			n, _, err := here.ReadFrom(b)
			if err != nil {
				t.Fatalf("no answer at %s: %v", answered, err)
			}
			if reply, err := dhcpv4.FromBytes(b[:n]); err != nil || reply.TransactionID != m.TransactionID {
				t.Errorf("%v, %v", reply, err)
			}
		})
	}
}
