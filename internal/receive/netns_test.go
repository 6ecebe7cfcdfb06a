package receive

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// site is a server with three interfaces, s0 to s2, each cabled to a client's
// c0 to c2. The networks are 10.0.0.0/24 to 10.0.2.0/24, the server is .1 and
// the client has .10 already, so that its kernel takes what is sent there.
type site struct {
	t        *testing.T
	net      *netns.Net
	server   *netns.Namespace
	client   *netns.Namespace
	seen     chan dhcp4.Ingress
	loop     *Server
	stations [3]*listener
}

// newSite serves on the given addresses in the server's namespace.
func newSite(t *testing.T, listen ...net.UDPAddr) *site {
	t.Helper()
	return newSiteOf(t, Chain{SupplyServerID: true}, listen...)
}

// newSiteOf is newSite for a chain that has no handlers yet.
func newSiteOf(t *testing.T, chain Chain, listen ...net.UDPAddr) *site {
	t.Helper()
	network := netns.New(t)
	s := &site{t: t, net: network, server: network.Namespace("server"), client: network.Namespace("client"), seen: make(chan dhcp4.Ingress, 64)}
	for i := range 3 {
		s.cable(i)
	}
	var exchanges dhcp4.Exchanges
	log, _ := debugLogger()
	err := s.server.Do(func() (err error) {
		chain.Exchanges = &exchanges
		s.loop, err = Listen(listen, chain, Options{Log: log})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.loop.chain.Handlers = append(s.loop.chain.Handlers, linked(func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		in := exchanges.Find(req).Ingress
		s.seen <- in
		if req.MessageType() == dhcpv4.MessageTypeRequest && req.ClientIPAddr.IsUnspecified() && req.RequestedIPAddress() == nil {
			resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
			return resp, true
		}
		if req.MessageType() == dhcpv4.MessageTypeInform {
			return resp, true
		}
		a := in.Addrs[0].As4()
		resp.YourIPAddr = net.IP{a[0], a[1], a[2], 10}
		return resp, true
	})...)
	keepServing(t, s.loop)
	for i := range s.stations {
		s.plug(i)
	}
	return s
}

func (s *site) cable(i int) {
	s.t.Helper()
	at, peer := fmt.Sprintf("s%d", i), fmt.Sprintf("c%d", i)
	s.net.Link(s.server, at, s.client, peer)
	s.server.AddAddr(at, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)))
	s.client.AddAddr(peer, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.10/24", i)))
}

// plug opens the client's socket, which tells unicasts from broadcasts.
func (s *site) plug(i int) {
	s.t.Helper()
	err := s.client.Do(func() (err error) {
		s.stations[i], err = openListener(net.UDPAddr{Port: dhcpv4.ClientPort, Zone: fmt.Sprintf("c%d", i)}, false)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	conn := s.stations[i].conn
	s.t.Cleanup(func() { _ = conn.Close() })
}

// mac is the client's hardware address on an interface.
func (s *site) mac(i int) (hw net.HardwareAddr) {
	s.t.Helper()
	err := s.client.Do(func() error {
		ifc, err := net.InterfaceByName(fmt.Sprintf("c%d", i))
		if err == nil {
			hw = ifc.HardwareAddr
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return hw
}

// local is a message of the client on interface i, not relayed.
func (s *site) local(i int, mt dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	s.t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(s.mac(i)), dhcpv4.WithMessageType(mt)}, mods...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// broadcast sends m to all hosts on interface i.
func (s *site) broadcast(i int, m *dhcpv4.DHCPv4) {
	s.t.Helper()
	if _, err := s.stations[i].conn.WriteToUDPAddrPort(m.ToBytes(), netip.MustParseAddrPort("255.255.255.255:67")); err != nil {
		s.t.Fatal(err)
	}
}

// hear waits for a reply on interface i.
func (s *site) hear(i int, patience time.Duration) (*dhcpv4.DHCPv4, arrival, netip.AddrPort, error) {
	conn := s.stations[i].conn
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, arrival{}, netip.AddrPort{}, err
	}
	b, oob := make([]byte, 2048), controlBytes()
	n, oobn, _, from, err := conn.ReadMsgUDPAddrPort(b, oob)
	if err != nil {
		return nil, arrival{}, netip.AddrPort{}, err
	}
	m, err := dhcpv4.FromBytes(b[:n])
	a, _ := parseControl(oob[:oobn])
	return m, a, from, err
}

// F-19, F-20, F-21, REC-3
func TestRepliesOnRealInterfaces(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67})
	for _, tt := range []struct {
		name    string
		i       int
		typ     dhcpv4.MessageType
		mods    []dhcpv4.Modifier
		answer  dhcpv4.MessageType
		to      string
		unicast bool
	}{
		{"a client without an address by its hardware address", 0, dhcpv4.MessageTypeDiscover, nil, dhcpv4.MessageTypeOffer, "10.0.0.10", true},
		{"the same on another interface", 1, dhcpv4.MessageTypeDiscover, nil, dhcpv4.MessageTypeOffer, "10.0.1.10", true},
		{"a client that wants broadcasts", 1, dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{dhcpv4.WithBroadcast(true)}, dhcpv4.MessageTypeOffer, "255.255.255.255", false},
		{"a refusal", 2, dhcpv4.MessageTypeRequest, nil, dhcpv4.MessageTypeNak, "255.255.255.255", false},
		{"a client that rebinds", 2, dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcpv4.WithClientIP(net.IPv4(10, 0, 2, 10))}, dhcpv4.MessageTypeAck, "10.0.2.10", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.broadcast(tt.i, s.local(tt.i, tt.typ, tt.mods...))
			got, a, from, err := s.hear(tt.i, patience)
			if err != nil {
				t.Fatal(err)
			}
			own := netip.AddrFrom4([4]byte{10, 0, byte(tt.i), 1})
			if got.MessageType() != tt.answer || from != netip.AddrPortFrom(own, 67) || a.to.String() != tt.to || a.unicast != tt.unicast {
				t.Errorf("got %s from %s to %+v", got.MessageType(), from, a)
			}
			if !got.ServerIdentifier().Equal(own.AsSlice()) { // REC-3
				t.Errorf("option 54 is %v, want %v", got.ServerIdentifier(), own)
			}
			in := <-s.seen
			if in.Interface != fmt.Sprintf("s%d", tt.i) || !cmp.Equal(in.Addrs, []netip.Addr{own}, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) || in.Delivery != lease.DeliveryBroadcast {
				t.Errorf("seen as %+v", in)
			}
		})
	}
}

// R-11, D-6: a client that has no address, answers no ARP, and has an address of
// before in ciaddr. The default route leads to c2, where a reply that went by the
// routing table would be heard.
func TestAnOldClientAddressLeadsNoReplyAway(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67})
	const oldOther, oldSame = "192.168.10.4", "10.0.0.77"
	for _, command := range [][]string{
		{"ip", "link", "set", "c0", "arp", "off"},
		{"ip", "neigh", "flush", "dev", "c0"},
		{"ip", "addr", "add", oldOther + "/32", "dev", "c2"},
	} {
		if err := s.client.Command(t.Context(), command[0], command[1:]...).Run(); err != nil {
			t.Fatalf("%v: %v", command, err)
		}
	}
	if err := s.server.Command(t.Context(), "ip", "route", "add", "default", "via", "10.0.2.10", "dev", "s2").Run(); err != nil {
		t.Fatal(err)
	}
	discover, request, inform := dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform
	has := func(ip string) dhcpv4.Modifier { return dhcpv4.WithClientIP(net.ParseIP(ip)) }
	asks := dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 0, 0, 10)))
	chose := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 1)))
	flag := dhcpv4.WithBroadcast(true)
	for _, tt := range []struct {
		name string
		typ  dhcpv4.MessageType
		mods []dhcpv4.Modifier
		from string // empty: no address
		to   string
	}{
		{"DISCOVER, the address it lost", discover, []dhcpv4.Modifier{has("10.0.0.10")}, "", "10.0.0.10"},
		{"DISCOVER, another of this network", discover, []dhcpv4.Modifier{has(oldSame)}, "", "10.0.0.10"},
		{"DISCOVER, one of another network", discover, []dhcpv4.Modifier{has(oldOther)}, "", "10.0.0.10"},
		{"DISCOVER, one of another network, to be broadcast", discover, []dhcpv4.Modifier{has(oldOther), flag}, "", "255.255.255.255"},
		{"DISCOVER, sent from it", discover, []dhcpv4.Modifier{has(oldOther)}, oldOther, "10.0.0.10"},
		{"SELECTING, the address it lost", request, []dhcpv4.Modifier{has("10.0.0.10"), asks, chose}, "", "10.0.0.10"},
		{"SELECTING, one of another network", request, []dhcpv4.Modifier{has(oldOther), asks, chose}, "", "10.0.0.10"},
		{"INIT-REBOOT, one of another network", request, []dhcpv4.Modifier{has(oldOther), asks}, "", "10.0.0.10"},
		{"REBINDING without ARP", request, []dhcpv4.Modifier{has("10.0.0.10")}, "10.0.0.10", "10.0.0.10"},
		{"INFORM without ARP", inform, []dhcpv4.Modifier{has("10.0.0.10")}, "10.0.0.10", "10.0.0.10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.broadcastFrom(0, tt.from, s.local(0, tt.typ, tt.mods...))
			got, a, _, err := s.hear(0, time.Second)
			if err != nil {
				t.Fatal("no reply on the client's interface: ", err)
			}
			if a.to.String() != tt.to || got.MessageType() == dhcpv4.MessageTypeNak {
				t.Errorf("got %s to %s, want it to %s", got.MessageType(), a.to, tt.to)
			}
		})
	}
	if got, a, _, err := s.hear(2, 50*time.Millisecond); err == nil {
		t.Errorf("%s to %s left by the default route", got.MessageType(), a.to)
	}
}

// broadcastFrom sends m as a client's raw socket does, from any address or none.
func (s *site) broadcastFrom(i int, source string, m *dhcpv4.DHCPv4) {
	s.t.Helper()
	from := netip.AddrFrom4([4]byte{})
	if source != "" {
		from = netip.MustParseAddr(source)
	}
	err := s.client.Do(func() error {
		ifc, err := net.InterfaceByName(fmt.Sprintf("c%d", i))
		if err != nil {
			return err
		}
		raw, err := openFrameSender()
		if err != nil {
			return err
		}
		everyone := net.HardwareAddr{255, 255, 255, 255, 255, 255}
		err = raw.send(ifc.Index, everyone, netip.AddrPortFrom(from, dhcpv4.ClientPort), netip.MustParseAddrPort("255.255.255.255:67"), m.ToBytes())
		return errors.Join(err, raw.close())
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// The user's document: listen on named interfaces, several.
func TestOnlyTheNamedInterfacesAreServed(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67, Zone: "s0"}, net.UDPAddr{Port: 67, Zone: "s1"})
	s.broadcast(2, s.local(2, dhcpv4.MessageTypeDiscover))
	for i := range 2 {
		s.broadcast(i, s.local(i, dhcpv4.MessageTypeDiscover))
		if _, _, _, err := s.hear(i, patience); err != nil {
			t.Fatal(err)
		}
	}
	if got := []string{(<-s.seen).Interface, (<-s.seen).Interface}; !cmp.Equal(got, []string{"s0", "s1"}) || len(s.seen) != 0 {
		t.Errorf("served %v and %d more", got, len(s.seen))
	}
}

// A deleted and remade interface, as after a restart of the network's
// management, must not leave the server deaf.
func TestAnInterfaceMadeAgainIsServedAgain(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67, Zone: "s0"})
	if err := s.server.Command(t.Context(), "ip", "link", "delete", "s0").Run(); err != nil {
		t.Fatal(err)
	}
	s.cable(0)
	s.plug(0)
	for end := time.Now().Add(patience); ; {
		s.broadcast(0, s.local(0, dhcpv4.MessageTypeDiscover))
		if _, _, _, err := s.hear(0, 200*time.Millisecond); err == nil {
			return
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// L-4: an address added while the server runs counts from then on.
func TestAddressChangesAreNoticed(t *testing.T) {
	s := newSite(t, net.UDPAddr{Port: 67})
	s.server.AddAddr("s0", netip.MustParsePrefix("10.0.9.1/24"))
	added := netip.MustParseAddr("10.0.9.1")
	waitFor(t, "the new address", func() bool { return s.loop.interfaces.table.Load().local[added] })
	s.broadcast(0, s.local(0, dhcpv4.MessageTypeDiscover))
	if _, _, _, err := s.hear(0, patience); err != nil {
		t.Fatal(err)
	}
	if in := <-s.seen; len(in.Addrs) != 2 || in.Addrs[1] != added {
		t.Errorf("seen as %+v", in)
	}
}

// N-5: the engine hears which addresses the machine has, from the start on, and when
// one is given up.
func TestOwnAddressesAreTold(t *testing.T) {
	var told atomic.Pointer[map[netip.Addr]bool]
	s := newSiteOf(t, Chain{SupplyServerID: true, Own: func(own map[netip.Addr]bool) { told.Store(&own) }}, net.UDPAddr{Port: 67})
	first, second := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.9.1")
	waitFor(t, "the first addresses", func() bool { own := told.Load(); return own != nil && (*own)[first] && !(*own)[second] })
	s.server.AddAddr("s0", netip.MustParsePrefix("10.0.9.1/24"))
	waitFor(t, "the new address", func() bool { return (*told.Load())[second] })
	if err := s.server.Command(t.Context(), "ip", "link", "delete", "s0").Run(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the addresses that are gone", func() bool { own := *told.Load(); return !own[first] && !own[second] })
}
