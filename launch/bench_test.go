package launch

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
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
	before := processorTime(b)
	b.ResetTimer()
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
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used so far, which other programs on
// the machine disturb less than the time of day.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
