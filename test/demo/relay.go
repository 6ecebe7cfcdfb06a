package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// relay speaks to the server as a relay agent does. It sits on 127.0.0.2 and
// says with RFC 3527 link selection that its clients are in 10.77.0.0/24, and
// with RFC 8357 that it does not listen on port 67.
type relay struct {
	conn   *net.UDPConn
	server *net.UDPAddr
}

// silence is how long no answer has to be for silence.
const silence = 2 * time.Second

var errSilence = errors.New("no answer")

func newRelay(server string) (*relay, error) {
	addr, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		return nil, err
	}
	return &relay{conn: conn, server: addr}, nil
}

// exchange sends one message of a client and returns the reply, or errSilence.
func (r *relay) exchange(m *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	m.GatewayIPAddr = net.IPv4(127, 0, 0, 2)
	m.UpdateOption(dhcpv4.OptRelayAgentInfo(
		dhcpv4.OptGeneric(dhcpv4.LinkSelectionSubOption, net.IPv4(10, 77, 0, 1).To4()),
		dhcpv4.OptGeneric(dhcpv4.RelaySourcePortSubOption, nil),
	))
	if _, err := r.conn.WriteToUDP(m.ToBytes(), r.server); err != nil {
		return nil, err
	}
	if err := r.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return nil, err
	}
	buf := make([]byte, 1500)
	for {
		n, err := r.conn.Read(buf)
		if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return nil, errSilence
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
