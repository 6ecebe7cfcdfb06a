// Package capture keeps DHCP conversations of Ethernet frames in pcap files, which every packet tool
// reads, and says in words what they hold. It judges nothing.
package capture

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Message is a DHCPv4 message as it passed a network card.
type Message struct {
	At       time.Duration // since the first one
	From, To netip.AddrPort
	Payload  []byte          // of UDP
	DHCP     *dhcpv4.DHCPv4  // Payload decoded
	ethernet layers.Ethernet // as seen
	ip       layers.IPv4
	udp      layers.UDP
}

// Reply reports whether the message is a server's.
func (m Message) Reply() bool { return m.DHCP.OpCode == dhcpv4.OpcodeBootReply }

// Parse takes a DHCPv4 message out of an Ethernet frame; false: there is none in it. Ports are the
// well-known ones and 4011 of PXE.
func Parse(frame []byte) (Message, bool) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	ethernet, ok1 := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, ok2 := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	udp, ok3 := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if !ok1 || !ok2 || !ok3 {
		return Message{}, false
	}
	m := Message{ethernet: *ethernet, ip: *ip, udp: *udp, Payload: udp.Payload}
	if !dhcpPort(udp.SrcPort) && !dhcpPort(udp.DstPort) {
		return Message{}, false
	}
	from, _ := netip.AddrFromSlice(ip.SrcIP.To4())
	to, _ := netip.AddrFromSlice(ip.DstIP.To4())
	m.From, m.To = netip.AddrPortFrom(from, uint16(udp.SrcPort)), netip.AddrPortFrom(to, uint16(udp.DstPort))
	var err error
	m.DHCP, err = dhcpv4.FromBytes(udp.Payload)
	return m, err == nil
}

func dhcpPort(p layers.UDPPort) bool { return p == 67 || p == 68 || p == 4011 }

// With returns the message with another payload.
func (m Message) With(payload []byte) (Message, error) {
	d, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return Message{}, err
	}
	m.Payload, m.DHCP = payload, d
	return m, nil
}

// frame encodes the message with lengths and checksums that fit its payload.
func (m Message) frame() ([]byte, error) {
	if err := m.udp.SetNetworkLayerForChecksum(&m.ip); err != nil {
		return nil, err
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&m.ethernet, &m.ip, &m.udp, gopacket.Payload(m.Payload))
	return b.Bytes(), err
}

// Write writes messages to a pcap file. Its clock begins in 1970.
func Write(path string, messages []Message) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		return err
	}
	for _, m := range messages {
		b, err := m.frame()
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, 0).Add(m.At), CaptureLength: len(b), Length: len(b)}
		if err := w.WritePacket(info, b); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// Read reads the DHCPv4 messages of a pcap file.
func Read(path string) ([]Message, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var messages []Message
	for {
		b, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return messages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if m, ok := Parse(b); ok {
			m.At = info.Timestamp.Sub(time.Unix(0, 0))
			messages = append(messages, m)
		}
	}
}

// Dump says in words what the messages hold.
func Dump(messages []Message) string {
	var b strings.Builder
	for i, m := range messages {
		fmt.Fprintf(&b, "#%d after %.3f s, %s to %s, %d bytes\n", i+1, m.At.Seconds(), m.From, m.To, len(m.Payload))
		for line := range strings.Lines(m.DHCP.Summary()) {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
