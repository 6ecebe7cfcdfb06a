package receive

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync/atomic"
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
	b.Run("workers", func(b *testing.B) {
		s := startServer(b, Chain{SupplyServerID: true}, Options{}, grant)
		exchangeInParallel(b, s.Addrs()[0])
	})
	b.Run("reader", func(b *testing.B) {
		s := startServer(b, Chain{SupplyServerID: true, Prompt: always}, Options{}, grant)
		exchangeInParallel(b, s.Addrs()[0])
	})
	b.Run("reader, memory used again", func(b *testing.B) {
		s := startServer(b, Chain{SupplyServerID: true, Prompt: always, Reuse: true}, Options{}, grant)
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

// exchangeInParallel has another process make b.N exchanges with the server at
// to, and reports the processor time that this one took for them.
func exchangeInParallel(b *testing.B, to netip.AddrPort) {
	load := exec.CommandContext(b.Context(), os.Args[0])
	load.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", loadVariable, to, b.N))
	load.Stderr = os.Stderr
	before := processorTime(b)
	b.ResetTimer()
	if err := load.Run(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used so far. Other programs on the
// machine disturb it less than the time of day.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loadVariable makes the test binary a load generator: "address exchanges".
const loadVariable = "RECEIVE_TEST_LOAD"

// generateLoad makes exchanges from many sockets, each waiting for its reply
// before it sends again.
func generateLoad(order string) error {
	const sockets = 64
	var to string
	var total int64
	if _, err := fmt.Sscan(order, &to, &total); err != nil {
		return fmt.Errorf("%s=%q: %w", loadVariable, order, err)
	}
	m, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1}, dhcpv4.WithGatewayIP(net.IPv4(127, 0, 0, 1)),
		dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil))))
	if err != nil {
		return err
	}
	var left atomic.Int64
	left.Store(total)
	errs := make(chan error, sockets)
	for range sockets {
		go func() { errs <- exchangeUntil(to, m.ToBytes(), &left) }()
	}
	for range sockets {
		err = cmp.Or(err, <-errs)
	}
	return err
}

func exchangeUntil(to string, request []byte, left *atomic.Int64) error {
	conn, err := net.Dial("udp4", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	reply := make([]byte, maxDatagram)
	for left.Add(-1) >= 0 {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := conn.Read(reply); err != nil {
			return err
		}
	}
	return nil
}
