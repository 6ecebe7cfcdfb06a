//go:build linux

package scenario

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// docs/promises.md: survives NetBox trouble. H-1, H-3, H-4, S-4
func netboxOutage(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netOutage)
	p := plan{listen: `["%eth0"]`, nak: "authoritative", poll: "1s", state: t.TempDir()}
	srv := s.serve(p)
	early := netns.Udhcpc(s.host("early", lan, l.mac(macVisitor+50)), "eth0", patient())
	first := acquire(t, early)
	l.awaitRecord(t, first.Addr, l.mac(macVisitor+50).String(), future)

	s.reachable(false)
	known := netns.Dhclient(s.host("known", lan, l.mac(macOutage)), "eth0", patient())
	late := netns.Udhcpc(s.host("late", lan, l.mac(macVisitor+51)), "eth0", patient())
	served := func() {
		t.Helper()
		if lease := acquire(t, known); lease.Addr != ip(netOutage, 10) {
			t.Errorf("the known machine got %v, want %v", lease.Addr, ip(netOutage, 10))
		}
		if lease, err := early.Renew(t.Context()); err != nil || lease.Addr != first.Addr {
			t.Errorf("renewal of %v gave %v, %v", first.Addr, lease.Addr, err)
		}
		if out := known.Output(); strings.Contains(out, "NAK") {
			t.Errorf("refused while NetBox was away:\n%s", out)
		}
	}
	served()
	second := acquire(t, late)
	if want := ip(netOutage, 101); second.Addr != want {
		t.Errorf("leased %v, want %v", second.Addr, want)
	}
	if r := l.record(t, second.Addr); r.MAC != "" {
		t.Errorf("NetBox was written to while it was away: %+v", r)
	}

	// A restart in the middle of it serves from the disk copy.
	s.stop(srv)
	s.start(srv.conf, "started from the disk copy of NetBox")
	served()

	s.reachable(true)
	l.awaitRecord(t, second.Addr, l.mac(macVisitor+51).String(), future)
}

func future(at time.Time) bool { return at.After(time.Now()) }

// S-1, S-2; docs/promises.md: MAC of DISCOVER and REQUEST both used (a REQUEST after a restart without DISCOVER). D-8
func killedAtTheAck(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netKill)
	srv := s.serve(plan{listen: `["%eth0"]`, nak: "authoritative"})
	k := newTalker(s, lan, netKill)
	given := map[netip.Addr]byte{}
	for round := range byte(5) {
		mac := byte(macVisitor + 60 + round)
		offer := k.ask(k.message(mac, dhcpv4.MessageTypeDiscover))
		ack := k.message(mac, dhcpv4.MessageTypeRequest,
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
		addr := yiaddr(t, k.ask(ack))
		s.kill(srv)
		if other, taken := given[addr]; taken {
			t.Fatalf("%s was given to client %d and is acknowledged to client %d", addr, other, mac)
		}
		given[addr] = mac
		srv = s.start(srv.conf, "snapshot of NetBox replaced")
		for addr, mac := range given {
			again := k.ask(k.message(mac, dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))))
			if again.MessageType() != dhcpv4.MessageTypeAck || yiaddr(t, again) != addr {
				t.Errorf("client %d asks for its %s again and is told %s %s", mac, addr, again.MessageType(), again.YourIPAddr)
			}
		}
	}
}

// DECLINE. D-17, A-5
func declinedAddress(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netDecline)
	s.host("squatter", lan, l.mac(macVisitor+70)).AddAddr("eth0", ip(netDecline, 100))
	s.serve(plan{listen: `["%eth0"]`, nak: "authoritative", lease: "{decline_time: 1h}"})
	// udhcpc pauses 20 s after a DECLINE.
	opts := netns.Options{Patience: bearable, CheckAddress: true}
	careful := netns.Udhcpc(s.host("careful", lan, l.mac(macVisitor+71)), "eth0", opts)
	before := time.Now()
	if lease := acquire(t, careful); lease.Addr != ip(netDecline, 101) {
		t.Errorf("leased %v, want %v", lease.Addr, ip(netDecline, 101))
	}
	l.awaitRecord(t, ip(netDecline, 100), "00:00:00:00:00:00", between(before.Add(time.Hour), time.Now().Add(time.Hour)))
	getsNothing(t, s.host("next", lan, l.mac(macVisitor+72)), "eth0")
}

// talker sends messages of a test's making, as a relay at 10.50.N.2 would.
type talker struct {
	t     *testing.T
	n     int
	conn  net.PacketConn
	macOf func(byte) net.HardwareAddr
}

func newTalker(s *site, lan *netns.Segment, n int) *talker {
	s.t.Helper()
	relay := s.host("talker", lan, s.lab.mac(macVisitor+66))
	relay.AddAddr("eth0", ip(n, 2))
	conn, err := relay.ListenPacket(netip.AddrPortFrom(host(n, 2), dhcpv4.ServerPort))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &talker{t: s.t, n: n, conn: conn, macOf: s.lab.mac}
}

func (k *talker) message(mac byte, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	k.t.Helper()
	m, err := dhcpv4.New(append(mods, dhcpv4.WithHwAddr(k.macOf(mac)), dhcpv4.WithMessageType(kind),
		dhcpv4.WithGatewayIP(host(k.n, 2).AsSlice()))...)
	if err != nil {
		k.t.Fatal(err)
	}
	return m
}

// ask sends a message, again every second, until it is answered.
func (k *talker) ask(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	k.t.Helper()
	server := &net.UDPAddr{IP: host(k.n, 1).AsSlice(), Port: dhcpv4.ServerPort}
	buf := make([]byte, 2048)
	for deadline := time.Now().Add(bearable); time.Now().Before(deadline); {
		if _, err := k.conn.WriteTo(m.ToBytes(), server); err != nil {
			k.t.Fatal(err)
		}
		if err := k.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			k.t.Fatal(err)
		}
		for {
			n, _, err := k.conn.ReadFrom(buf)
			if err != nil {
				break // nothing within the second
			}
			reply, err := dhcpv4.FromBytes(slices.Clone(buf[:n]))
			if err != nil {
				k.t.Fatalf("reply cannot be read: %v", err)
			}
			if reply.TransactionID == m.TransactionID {
				return reply
			}
		}
	}
	k.t.Fatalf("no answer to %s", m.Summary())
	return nil
}

func yiaddr(t *testing.T, m *dhcpv4.DHCPv4) netip.Addr {
	t.Helper()
	addr, ok := netip.AddrFromSlice(m.YourIPAddr.To4())
	if !ok {
		t.Fatalf("no address in %s", m.Summary())
	}
	return addr
}
