package receive

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// pxeClient is what makes a message one of a boot client.
var pxeClient = dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00007:UNDI:003016"))

// bootData stands for netbox_pxe: it names a file, to boot clients only.
func bootData(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	if !strings.HasPrefix(req.ClassIdentifier(), "PXEClient") {
		return nil, true
	}
	resp.BootFileName = "boot.efi"
	resp.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient"))
	return resp, true
}

// never is a chain that must not run.
func never(t *testing.T) func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	return func(req, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		t.Errorf("the chain saw %s", req.Summary())
		return nil, true
	}
}

// startProxy serves loopback without leases; the second address is that of the
// port that is 4011 elsewhere.
func startProxy(t *testing.T, handler func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool)) (*Server, netip.AddrPort) {
	t.Helper()
	free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, Chain{SupplyServerID: true, OwnsDecline: true, Proxy: Proxy{Interfaces: []string{"lo"}, Handler: asOurs(handler), Port: port}}, Options{}, never(t))
	return s, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.listeners[1].port)
}

// on such an interface nothing reaches the chain, and boot clients get an
// OFFER without an address.
func TestProxyDHCPOffersToBootClientsAndLeasesToNobody(t *testing.T) {
	s, _ := startProxy(t, bootData)
	r := newRelay(t, s)
	for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform, dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeDecline} {
		r.send(message(t, 1, dhcpv4.WithMessageType(kind)).ToBytes())
	}
	r.send(message(t, 1).ToBytes())                                                               // BOOTP
	r.send(message(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), pxeClient).ToBytes()) // the other server's
	got := r.exchange(message(t, 2, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover), pxeClient))
	if got.MessageType() != dhcpv4.MessageTypeOffer || !got.YourIPAddr.IsUnspecified() || got.BootFileName != "boot.efi" ||
		got.Options.Has(dhcpv4.OptionIPAddressLeaseTime) || !got.ServerIdentifier().Equal(net.IPv4(127, 0, 0, 1)) || got.ClientHWAddr[5] != 2 {
		t.Errorf("got %s", got.Summary())
	}
}

// the second port answers a REQUEST where it came from.
func TestProxyDHCPAnswersOnTheSecondPort(t *testing.T) {
	_, second := startProxy(t, bootData)
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(second))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	request := dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest)
	for _, m := range []*dhcpv4.DHCPv4{
		message(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover), pxeClient),
		message(t, 1, request), // no boot client
		message(t, 1, request, pxeClient, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1)))),
		message(t, 2, request, pxeClient, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1))), dhcpv4.WithClientIP(net.IPv4(192, 0, 2, 9))),
	} {
		if _, err := conn.Write(m.ToBytes()); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 2048)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dhcpv4.FromBytes(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	if got.MessageType() != dhcpv4.MessageTypeAck || got.ClientHWAddr[5] != 2 || !got.YourIPAddr.IsUnspecified() || got.BootFileName != "boot.efi" {
		t.Errorf("got %s", got.Summary())
	}
}

// no reply of a plugin lets a lease out, and a panic costs one packet.
func TestProxyDHCPLetsNoLeaseOut(t *testing.T) {
	s, _ := startProxy(t, func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		switch req.ClientHWAddr[5] {
		case 1:
			resp.YourIPAddr = net.IPv4(10, 0, 0, 9)
		case 2:
			resp.UpdateOption(dhcpv4.OptIPAddressLeaseTime(time.Hour))
		case 3:
			panic("of no consequence")
		}
		return resp, true
	})
	r := newRelay(t, s)
	for last := range byte(4) {
		r.send(message(t, last+1, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover), pxeClient).ToBytes())
	}
	if got := r.exchange(message(t, 4, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover), pxeClient)); got.ClientHWAddr[5] != 4 {
		t.Errorf("got %s", got.Summary())
	}
}

// an interface that is not right for it stops the start.
func TestProxyDHCPRefusesWhatCannotBe(t *testing.T) {
	wildcard, local := []net.UDPAddr{{Port: 67}}, []net.UDPAddr{{IP: net.IPv4(127, 0, 0, 1), Port: 67}}
	for name, tt := range map[string]struct {
		proxy Proxy
		addrs []net.UDPAddr
		want  string
	}{
		"no plugin":             {Proxy{Interfaces: []string{"lo"}}, wildcard, "needs the plugin netbox_pxe"},
		"no such interface":     {Proxy{Interfaces: []string{"nowhere0"}, Handler: asOurs(bootData)}, wildcard, "there is no interface nowhere0"},
		"not listened on":       {Proxy{Interfaces: []string{"lo"}, Handler: asOurs(bootData)}, []net.UDPAddr{{Port: 67, Zone: "eth9"}}, `server4.listen leaves lo out: add "%lo" to it`},
		"another address":       {Proxy{Interfaces: []string{"lo"}, Handler: asOurs(bootData)}, []net.UDPAddr{{IP: net.IPv4(192, 0, 2, 1), Port: 67}}, "server4.listen leaves lo out"},
		"the interface itself":  {Proxy{Interfaces: []string{"lo"}, Handler: asOurs(bootData)}, []net.UDPAddr{{Port: 67, Zone: "lo"}}, ""},
		"all":                   {Proxy{Interfaces: []string{"lo"}, Handler: asOurs(bootData)}, wildcard, ""},
		"one of its addresses":  {Proxy{Interfaces: []string{"lo"}, Handler: asOurs(bootData)}, local, ""},
		"nothing is to be done": {Proxy{}, wildcard, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tt.proxy.Port = -1 // refused by the kernel's rules, after ours
			opened, err := openProxy(tt.proxy, tt.addrs)
			if cerr := closeListeners(opened); cerr != nil {
				t.Error(cerr)
			}
			switch {
			case tt.want == "" && err != nil && !strings.Contains(err.Error(), "unicast or wildcard address and port"):
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// no bytes on either port make an answer that is more than boot data for
// the one who asked.
func FuzzProxyDHCP(f *testing.F) {
	for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest} {
		m, err := dhcpv4.New(dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, 1}), dhcpv4.WithMessageType(kind), pxeClient)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.ToBytes(), kind == dhcpv4.MessageTypeRequest, true)
	}
	own := netip.AddrFrom4([4]byte{10, 0, 0, 2})
	local := map[netip.Addr]bool{own: true}
	f.Fuzz(func(t *testing.T, b []byte, second, unicast bool) {
		req, why := decode(new(memory), append(make([]byte, 0, len(b)+8), b...))
		if why != "" {
			return
		}
		in := arrivedBy{arrival: arrival{to: own, unicast: unicast}, source: netip.MustParseAddrPort("10.0.0.9:68"),
			ifc: &netInterface{name: "eth1", addrs: []netip.Addr{own}}}
		resp := prepareProxy(new(memory), req, in.ingress(second), serverIdentifier(req, in, local))
		if resp == nil {
			return
		}
		want := map[bool]dhcpv4.MessageType{false: dhcpv4.MessageTypeOffer, true: dhcpv4.MessageTypeAck}[second]
		if dhcp4.TypeOf(resp) != want || resp.TransactionID != req.TransactionID || leases(resp) || second && !unicast ||
			dhcp4.Identifier(resp) != own || resp.OpCode != dhcpv4.OpcodeBootReply {
			t.Errorf("%v %v", second, resp)
		}
		if second && req.Options.Has(dhcpv4.OptionServerIdentifier) && dhcp4.Identifier(req) != own {
			t.Error("answered in the place of another server")
		}
	})
}

// unrelayed is a client's message with the given last byte of its address.
func unrelayed(t *testing.T, last byte, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, last})}, mods...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// X-17 beside a DHCP server of another make: a boot client hears both, an
// address from the one and boot data from this one, also on port 4011; other
// clients hear the other server only. The same network by a leasing interface
// is refused.
func TestProxyDHCPBesideAnotherServer(t *testing.T) {
	network := netns.New(t, "dnsmasq")
	lan := network.Segment("lan")
	ours, theirs, client := network.Namespace("ours"), network.Namespace("theirs"), network.Namespace("client")
	lan.Attach(ours, "eth1")
	lan.Attach(theirs, "eth0")
	lan.Attach(client, "eth0")
	ours.AddAddr("eth1", netip.MustParsePrefix("10.3.0.2/24"))
	theirs.AddAddr("eth0", netip.MustParsePrefix("10.3.0.1/24"))
	client.AddAddr("eth0", netip.MustParsePrefix("10.3.0.9/24"))

	other, err := theirs.Start("dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--port=0",
		"--interface=eth0", "--bind-interfaces", "--dhcp-range=10.3.0.100,10.3.0.200", "--no-ping", "--dhcp-authoritative",
		"--dhcp-leasefile="+t.TempDir()+"/leases", "--user=root", "--pid-file=")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := other.WaitOutput(ctx, "sockets bound exclusively"); err != nil {
		t.Fatal(err)
	}

	log, _ := debugLogger()
	proxy := Proxy{Interfaces: []string{"eth1"}, Handler: asOurs(bootData)}
	var loop *Server
	err = ours.Do(func() (err error) {
		loop, err = Listen([]net.UDPAddr{{Port: 67}}, Chain{SupplyServerID: true, Proxy: proxy, Exchanges: new(dhcp4.Exchanges)}, Options{Log: log})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	loop.chain.Handlers = append(loop.chain.Handlers, linked(never(t))...)
	stop := keepServing(t, loop)

	var station *listener
	err = client.Do(func() (err error) {
		station, err = openListener(net.UDPAddr{Port: dhcpv4.ClientPort, Zone: "eth0"}, false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer station.conn.Close()
	s := site{t: t, stations: [3]*listener{station}}
	discover := dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover)
	s.broadcast(0, unrelayed(t, 1, discover, pxeClient, dhcpv4.WithBroadcast(true)))
	offers := map[string]*dhcpv4.DHCPv4{}
	for len(offers) < 2 {
		got, _, from, err := s.hear(0, patience)
		if err != nil {
			t.Fatalf("%v after offers of %v", err, offers)
		}
		offers[from.Addr().String()] = got
	}
	lease, boot := offers["10.3.0.1"], offers["10.3.0.2"]
	if lease == nil || lease.YourIPAddr.IsUnspecified() || lease.BootFileName != "" {
		t.Errorf("the other server: %v", lease)
	}
	if boot == nil || leases(dhcp4.Of(boot)) || boot.BootFileName != "boot.efi" || boot.ClassIdentifier() != "PXEClient" {
		t.Errorf("ours: %v", boot)
	}

	ask := unrelayed(t, 1, dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), pxeClient, dhcpv4.WithClientIP(net.IPv4(10, 3, 0, 9)))
	if _, err := station.conn.WriteToUDPAddrPort(ask.ToBytes(), netip.MustParseAddrPort("10.3.0.2:4011")); err != nil {
		t.Fatal(err)
	}
	got, _, from, err := s.hear(0, patience)
	if err != nil || from != netip.MustParseAddrPort("10.3.0.2:4011") || got.MessageType() != dhcpv4.MessageTypeAck || leases(dhcp4.Of(got)) || got.BootFileName != "boot.efi" {
		t.Errorf("on port 4011: %v from %v, %v", got, from, err)
	}

	s.broadcast(0, unrelayed(t, 2, discover, dhcpv4.WithBroadcast(true)))
	if got, _, from, err := s.hear(0, patience); err != nil || from.Addr().String() != "10.3.0.1" {
		t.Errorf("no boot client: %v from %v, %v", got, from, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := loop.Close(); err != nil {
		t.Fatal(err)
	}

	lan.Attach(ours, "eth2")
	ours.AddAddr("eth2", netip.MustParsePrefix("10.3.0.3/24"))
	err = ours.Do(func() error {
		loop, err := Listen([]net.UDPAddr{{Port: 67}}, Chain{SupplyServerID: true, Proxy: proxy, Exchanges: new(dhcp4.Exchanges)}, Options{Log: log})
		if err == nil {
			return loop.Close()
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "eth1 and eth2 are both in 10.3.0.0/24") {
		t.Errorf("the same network with and without leases: %v", err)
	}
}
