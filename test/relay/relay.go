// Package relay is a DHCP relay agent for demos and tests on the loopback
// interface: it asks a server on behalf of clients and reads its answers. It
// forwards for no others and judges no answer.
package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Agent sits on 127.0.0.2. It says with RFC 3527 link selection where its
// clients are, and with RFC 8357 that it does not listen on port 67.
type Agent struct {
	conn *net.UDPConn
	link netip.Addr
	// Silence is how long no answer has to be for ErrSilence.
	Silence time.Duration
}

// ErrSilence says that the server did not answer in time.
var ErrSilence = errors.New("no answer")

// New returns an agent that asks server, as 127.0.0.1:6767, for clients in the
// network of link.
func New(server string, link netip.Addr) (*Agent, error) {
	addr, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, addr)
	if err != nil {
		return nil, err
	}
	return &Agent{conn: conn, link: link, Silence: 2 * time.Second}, nil
}

// Close ends an exchange that is under way, too.
func (a *Agent) Close() error { return a.conn.Close() }

// Exchange sends one message of a client and returns the reply, or ErrSilence.
func (a *Agent) Exchange(m *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	if err := a.Send(m); err != nil {
		return nil, err
	}
	if err := a.conn.SetReadDeadline(time.Now().Add(a.Silence)); err != nil {
		return nil, err
	}
	buf := make([]byte, 1500)
	for {
		n, err := a.conn.Read(buf)
		if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return nil, ErrSilence
		}
		if err != nil {
			return nil, err
		}
		reply, err := dhcpv4.FromBytes(buf[:n])
		if err != nil {
			return nil, fmt.Errorf("the server's answer: %w", err)
		}
		if reply.TransactionID == m.TransactionID {
			return reply, nil
		}
	}
}

// GiveUp ends an exchange that is under way if no answer comes in the time
// given.
func (a *Agent) GiveUp(after time.Duration) {
	_ = a.conn.SetReadDeadline(time.Now().Add(after)) // fails only if closed, which ends it too
}

// Send sends one message of a client and waits for nothing.
func (a *Agent) Send(m *dhcpv4.DHCPv4) error {
	m.GatewayIPAddr = net.IPv4(127, 0, 0, 2)
	m.UpdateOption(dhcpv4.OptRelayAgentInfo(
		dhcpv4.OptGeneric(dhcpv4.LinkSelectionSubOption, a.link.AsSlice()),
		dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil),
	))
	_, err := a.conn.Write(m.ToBytes())
	return err
}

// Acquire is DISCOVER to ACK for one client. The modifiers apply to both
// messages.
func (a *Agent) Acquire(mac net.HardwareAddr, modifiers ...dhcpv4.Modifier) (*dhcpv4.DHCPv4, error) {
	discover, err := dhcpv4.NewDiscovery(mac, modifiers...)
	if err != nil {
		return nil, err
	}
	offer, err := a.Exchange(discover)
	if err != nil {
		return nil, fmt.Errorf("DISCOVER: %w", err)
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, modifiers...)
	if err != nil {
		return nil, err
	}
	reply, err := a.Exchange(request)
	if err != nil {
		return nil, fmt.Errorf("REQUEST: %w", err)
	}
	return reply, nil
}

// Reclaim is the REQUEST of a client in INIT-REBOOT that remembers an address.
func (a *Agent) Reclaim(mac net.HardwareAddr, addr net.IP, modifiers ...dhcpv4.Modifier) (*dhcpv4.DHCPv4, error) {
	m, err := dhcpv4.New(append(modifiers, dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr)))...)
	if err != nil {
		return nil, err
	}
	return a.Exchange(m)
}
