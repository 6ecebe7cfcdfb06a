package launch

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// BenchmarkExchange compares the receive loop, running the shortest possible
// chain, with the least any server on this packet library can do: read, decode,
// encode, write, one packet after the other. Only the ratio counts.
func BenchmarkExchange(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		conn, err := net.ListenUDP("udp4", &loopback0[0])
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- echo(conn) }()
		b.Cleanup(func() {
			_ = conn.Close()
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				b.Error(err)
			}
		})
		exchangeInParallel(b, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	})
	b.Run("loop", func(b *testing.B) {
		s := startServer(b, Options4{SupplyServerID: true}, grant)
		exchangeInParallel(b, s.Addrs()[0])
	})
}

// echo answers every DISCOVER with an OFFER until reading fails.
func echo(conn *net.UDPConn) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		req, err := dhcpv4.FromBytes(buf[:n])
		if err != nil {
			return err
		}
		resp, err := dhcpv4.NewReplyFromRequest(req, dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithYourIP(offered))
		if err != nil {
			return err
		}
		if _, err := conn.WriteToUDPAddrPort(resp.ToBytes(), from); err != nil {
			return err
		}
	}
}

func exchangeInParallel(b *testing.B, to netip.AddrPort) {
	request := discover(b, 1).ToBytes()
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		reply := make([]byte, maxDatagram)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			if _, err := conn.Read(reply); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
