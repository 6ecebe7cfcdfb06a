package receive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"golang.org/x/sys/unix"
)

// freePort is a UDP port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// listenShared is how other DHCP servers listen: willing to share the port.
func listenShared(t *testing.T, port int) (net.PacketConn, error) {
	t.Helper()
	cfg := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			for _, name := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
				if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}}
	return cfg.ListenPacket(context.Background(), "udp4", ":"+strconv.Itoa(port))
}

// F-12
func TestAPortIsNotSharedWithAnotherProgram(t *testing.T) {
	log, _ := debugLogger()
	for _, tt := range []struct {
		name  string
		addrs func(port int) []net.UDPAddr
	}{
		{"one address", func(port int) []net.UDPAddr { return []net.UDPAddr{{Port: port}} }},
		{"addresses that overlap", func(port int) []net.UDPAddr { return []net.UDPAddr{{Port: port}, {Port: port, Zone: "lo"}} }},
	} {
		t.Run("with "+tt.name+", the first to come", func(t *testing.T) {
			port := freePort(t)
			first, err := Listen(tt.addrs(port), Chain{}, Options{Log: log})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = first.Close() })
			if other, err := listenShared(t, port); err == nil {
				_ = other.Close()
				t.Error("another program listens on the same port")
			}
			if second, err := Listen(tt.addrs(port), Chain{}, Options{Log: log}); err == nil {
				_ = second.Close()
				t.Error("a second server listens on the same port")
			}
		})
		t.Run("with "+tt.name+", the second to come", func(t *testing.T) {
			port := freePort(t)
			other, err := listenShared(t, port)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			s, err := Listen(tt.addrs(port), Chain{}, Options{Log: log})
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "another DHCP server") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// F-12
func TestABroadcastHeardByTwoListenersIsHandledOnce(t *testing.T) {
	log, _ := debugLogger()
	port := freePort(t)
	s, err := Listen([]net.UDPAddr{{Port: port}, {Port: port, Zone: "lo"}}, Chain{}, Options{Log: log, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	keepServing(t, s)
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 255, 255, 255), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(discover(t, 1).ToBytes()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the copy to be dropped", func() bool {
		return valueOf(t, s.meter.dropped.WithLabelValues(string(dropCopy))) == 1
	})
	handled := func() float64 {
		return valueOf(t, s.meter.received.WithLabelValues(dhcpv4.MessageTypeDiscover.String()))
	}
	waitFor(t, "the packet to be handled", func() bool { return handled() > 0 })
	if n := handled(); n != 1 {
		t.Errorf("handled %v times", n)
	}
}

func TestBroadcastsAndUnicastsAreToldApart(t *testing.T) {
	ls, err := openListeners([]net.UDPAddr{{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeListeners(ls) })
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for to, unicast := range map[string]bool{"127.0.0.1": true, "127.0.0.77": true, "127.255.255.255": false} {
		addr := netip.MustParseAddr(to)
		if _, err := conn.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(addr, ls[0].port)); err != nil {
			t.Fatal(err)
		}
		oob := controlBytes()
		_, n, _, _, err := ls[0].conn.ReadMsgUDPAddrPort(make([]byte, 16), oob)
		if err != nil {
			t.Fatal(err)
		}
		want := arrival{ifindex: lo.Index, to: addr, unicast: unicast}
		if got, _ := parseControl(oob[:n]); got != want {
			t.Errorf("to %s: got %v, want %v", to, got, want)
		}
	}
}

func TestAddressesThatCannotBeListenedOn(t *testing.T) {
	addr := func(ip string, port int, zone string) net.UDPAddr {
		return net.UDPAddr{IP: net.ParseIP(ip), Port: port, Zone: zone}
	}
	for _, tt := range []struct {
		name  string
		addrs []net.UDPAddr
		want  string // part of the error
	}{
		{"none", nil, "no address"},
		{"IPv6", []net.UDPAddr{addr("2001:db8::1", 67, "")}, "not an IPv4"},
		{"a group", []net.UDPAddr{addr("224.0.0.1", 67, "")}, "not an IPv4"},
		{"a port that does not exist", []net.UDPAddr{addr("", 70000, "")}, "not an IPv4"},
		{"the wildcard twice, in two spellings", []net.UDPAddr{addr("", 1067, ""), addr("0.0.0.0", 1067, "")}, "listed twice"},
		{"an interface twice", []net.UDPAddr{addr("", 1067, "lo"), addr("", 1067, "lo")}, "listed twice"},
		{"an interface that does not exist", []net.UDPAddr{addr("", 0, "nonesuch0")}, "ip link"},
		{"an address that is not ours", []net.UDPAddr{addr("192.0.2.1", 0, "")}, "no interface of this machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ls, err := openListeners(tt.addrs)
			if err == nil {
				_ = closeListeners(ls)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// REC-5
func TestASmallReceiveBufferIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		size int
		warn bool
	}{{receiveBuffer, false}, {2 * receiveBuffer, false}, {receiveBuffer - 1, true}, {212992, true}} {
		err := smallBuffer(c.size)
		if (err != nil) != c.warn || err != nil && !strings.Contains(err.Error(), "net.core.rmem_max to 4194304") {
			t.Errorf("%d bytes: %v", c.size, err)
		}
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadBuffer(100_000); err != nil {
		t.Fatal(err)
	}
	l := &listener{conn: conn}
	if size, err := l.buffer(); err != nil || size != 100_000 {
		t.Errorf("a buffer of 100000 bytes is told as %d, %v", size, err)
	}
	log, hook := test.NewNullLogger()
	warnOfSmallBuffers([]*listener{l, l}, log)
	if len(hook.AllEntries()) != 1 || hook.LastEntry().Level != logrus.WarnLevel {
		t.Errorf("%d lines, want one warning", len(hook.AllEntries()))
	}
}

// REC-5: the file for the kernel's settings asks for what the sockets ask for.
func TestTheFileForTheKernelHasTheNumberOfTheSockets(t *testing.T) {
	text, err := os.ReadFile("../../deploy/server/90-coredhcp-netbox.conf")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nnet.core.rmem_max = %d\n", receiveBuffer); !strings.Contains(string(text), want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}

func TestControlBytesAreUsedAgain(t *testing.T) {
	var used []byte
	for _, want := range []unix.Inet4Pktinfo{{Ifindex: 3, Spec_dst: [4]byte{10, 0, 0, 1}}, {}, {Ifindex: 1 << 20}, {Spec_dst: [4]byte{10, 0, 0, 2}}} {
		source := netip.Addr{}
		if want.Spec_dst != [4]byte{} {
			source = netip.AddrFrom4(want.Spec_dst)
		}
		if used = sendControl(used, source, int(want.Ifindex)); !bytes.Equal(used, unix.PktInfo4(&want)) {
			t.Errorf("%+v is written as %x", want, used)
		}
	}
}
