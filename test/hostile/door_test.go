//go:build linux

package hostile

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// door is one way to the server: frames on its own wire, or a relay.
type door struct {
	send func(*dhcpv4.DHCPv4) error
	mu   sync.Mutex
	wait map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4
}

// patience is how long a client waits after each copy of its message.
func patience() []time.Duration {
	return []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}
}

// ask sends a message as often as clients do, and returns the answer or nil.
func (d *door) ask(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	if _, err := rand.Read(m.TransactionID[:]); err != nil {
		return nil
	}
	answer := make(chan *dhcpv4.DHCPv4, 1)
	d.mu.Lock()
	d.wait[m.TransactionID] = answer
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.wait, m.TransactionID)
	}()
	for _, pause := range patience() {
		if err := d.send(m); err != nil {
			return nil
		}
		select {
		case reply := <-answer:
			return reply
		case <-time.After(pause):
		}
	}
	return nil
}

// deliver gives a reply to the client that waits for it.
func (d *door) deliver(data []byte) {
	reply, err := dhcpv4.FromBytes(data)
	if err != nil || reply.OpCode != dhcpv4.OpcodeBootReply {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if answer := d.wait[reply.TransactionID]; answer != nil {
		select {
		case answer <- reply:
		default: // answered already
		}
	}
}

// wire opens the door of clients without a relay: Ethernet frames on ifname.
func wire(t *testing.T, ns *netns.Namespace, ifname string) *door {
	t.Helper()
	var conn *packet.Conn
	var iface *net.Interface
	err := ns.Do(func() (err error) {
		if iface, err = net.InterfaceByName(ifname); err != nil {
			return err
		}
		conn, err = packet.Listen(iface, packet.Raw, 0x0800, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{wait: make(map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4)}
	d.send = func(m *dhcpv4.DHCPv4) error {
		_, err := conn.WriteTo(frame(m), &packet.Addr{HardwareAddr: broadcast()})
		return err
	}
	read(t, conn, func(data []byte) {
		const headers = 14 + 20 + 8
		if len(data) > headers && data[23] == 17 && binary.BigEndian.Uint16(data[36:]) == 68 {
			d.deliver(data[headers:])
		}
	})
	return d
}

func broadcast() net.HardwareAddr { return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// frame is an Ethernet frame from 0.0.0.0:68 to 255.255.255.255:67.
func frame(m *dhcpv4.DHCPv4) []byte {
	payload := m.ToBytes()
	f := make([]byte, 42, 42+len(payload))
	copy(f, broadcast())
	copy(f[6:12], m.ClientHWAddr)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	f[14] = 0x45
	binary.BigEndian.PutUint16(f[16:], uint16(28+len(payload)))
	f[22], f[23] = 64, 17
	copy(f[26:30], m.ClientIPAddr.To4())
	copy(f[30:34], net.IPv4bcast.To4())
	binary.BigEndian.PutUint16(f[24:], checksum(f[14:34]))
	binary.BigEndian.PutUint16(f[34:], 68)
	binary.BigEndian.PutUint16(f[36:], 67)
	binary.BigEndian.PutUint16(f[38:], uint16(8+len(payload)))
	return append(f, payload...) // no checksum of UDP, as RFC 768 allows
}

func checksum(header []byte) uint16 {
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// relayed opens the door of clients behind a relay with the address at.
func relayed(t *testing.T, ns *netns.Namespace, at netip.Addr, server netip.AddrPort) *door {
	t.Helper()
	conn, err := ns.ListenPacket(netip.AddrPortFrom(at, 67))
	if err != nil {
		t.Fatal(err)
	}
	d := &door{wait: make(map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4)}
	d.send = func(m *dhcpv4.DHCPv4) error {
		m.GatewayIPAddr = at.AsSlice()
		_, err := conn.WriteTo(m.ToBytes(), net.UDPAddrFromAddrPort(server))
		return err
	}
	read(t, conn, d.deliver)
	return d
}

// read hands all datagrams to fn until the test ends.
func read(t *testing.T, conn net.PacketConn, fn func([]byte)) {
	t.Helper()
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := conn.ReadFrom(buf)
			switch {
			case err == nil:
				fn(buf[:n])
			case t.Context().Err() != nil:
				return // the test is over, and the socket closed
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reader.Wait()
	})
}
