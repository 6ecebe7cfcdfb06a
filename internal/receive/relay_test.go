package receive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(loadVariable); order != "" {
		if err := generateLoad(order); err != nil {
			fmt.Fprintln(os.Stderr, "load generator:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come.
const patience = time.Minute

var (
	loopback0 = []net.UDPAddr{{IP: net.IPv4(127, 0, 0, 1)}}
	offered   = net.IPv4(192, 0, 2, 10).To4()
)

// linked is a chain of handlers of others.
func linked(handlers ...handler.Handler4) (links []Link) {
	for _, h := range handlers {
		links = append(links, Link{Theirs: h})
	}
	return links
}

// asOurs calls h as a handler of ours.
func asOurs(h handler.Handler4) dhcp4.Handler {
	return func(_ *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
		reply, stop := h(req.Library(), resp.Library())
		return dhcp4.Of(reply), stop
	}
}

// startServer runs a server on a free port of 127.0.0.1 until the test ends.
func startServer(t testing.TB, chain Chain, opt Options, handlers ...handler.Handler4) *Server {
	t.Helper()
	if opt.Log == nil {
		opt.Log, _ = logtest.NewNullLogger()
	}
	chain.Handlers = linked(handlers...)
	if chain.Exchanges == nil {
		chain.Exchanges = new(dhcp4.Exchanges)
	}
	s, err := Listen(loopback0, chain, opt)
	if err != nil {
		t.Fatal(err)
	}
	keepServing(t, s)
	return s
}

// keepServing serves until the test ends, or the returned function is called, which
// returns what Serve did.
func keepServing(t testing.TB, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var served error
	go func() {
		defer close(done)
		served = s.Serve(ctx)
	}()
	stop = func() error {
		cancel()
		<-done
		return served
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return stop
}

// relay speaks to a server as a relay agent does that may not use port 67: it
// sends from a port of its own and says so (RFC 8357).
type relay struct {
	t    testing.TB
	conn *net.UDPConn
}

func newRelay(t testing.TB, s *Server) *relay {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	return &relay{t: t, conn: conn}
}

// message is a request of the client with the given number.
func message(t testing.TB, client byte, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, client}),
		dhcpv4.WithTransactionID(dhcpv4.TransactionID{0xd4, 0xc9, 0, client}),
		dhcpv4.WithGatewayIP(net.IPv4(127, 0, 0, 1)),
		dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil))),
	}, mods...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func discover(t testing.TB, client byte) *dhcpv4.DHCPv4 {
	t.Helper()
	return message(t, client, dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover))
}

func (r *relay) send(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *relay) receive() *dhcpv4.DHCPv4 {
	r.t.Helper()
	m, err := r.tryReceive()
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *relay) exchange(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	r.t.Helper()
	r.send(m.ToBytes())
	return r.receive()
}

// tryReceive and tryExchange are for goroutines that may not end the test.
func (r *relay) tryReceive() (*dhcpv4.DHCPv4, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	b := make([]byte, 65536)
	n, err := r.conn.Read(b)
	if err != nil {
		return nil, err
	}
	return dhcpv4.FromBytes(b[:n])
}

func (r *relay) tryExchange(m *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	if _, err := r.conn.Write(m.ToBytes()); err != nil {
		return nil, err
	}
	return r.tryReceive()
}

// grant is a chain of one: it gives every client the same address.
func grant(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	resp.YourIPAddr = offered
	return resp, true
}

// debugLogger keeps what is logged.
func debugLogger() (*logrus.Logger, *logtest.Hook) {
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	return log, hook
}
