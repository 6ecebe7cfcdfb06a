package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// What a packet can say can be asked.
func TestAQuestionSaysAllThatAPacketCanSay(t *testing.T) {
	q := question{
		mac: "52:54:00:00:00:01", message: "discover", relay: "10.10.0.1", arch: -1, secs: 47648, broadcast: true, current: "10.10.0.10", request: "10.10.0.11",
		options:    []string{"60=Cisco AP c2800", "61=hex:00:63:2d:61", "55=1,3,6,150", "118=10.20.0.0"},
		subOptions: []string{"1=eth0/1", "2=hex:00ff", "5=10.20.0.0", "11=10.20.0.1", "19=", "150=10.20.0.0", "152=10.20.0.1"},
	}
	what, err := q.asked(settings.Chain{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := dhcpv4.FromBytes(what.Packet)
	if err != nil {
		t.Fatal(err)
	}
	if m.NumSeconds != 47648 || !m.IsBroadcast() || !m.ClientIPAddr.Equal(net.IPv4(10, 10, 0, 10)) || !m.GatewayIPAddr.Equal(net.IPv4(10, 10, 0, 1)) {
		t.Errorf("header: %s", m.Summary())
	}
	for code, want := range map[uint8]string{
		50: "0a0a000b", 55: "01030696", 60: hex.EncodeToString([]byte("Cisco AP c2800")), 61: "00632d61", 118: "0a140000",
		82: "0106" + hex.EncodeToString([]byte("eth0/1")) + "020200ff" + "05040a140000" + "0b040a140001" + "1300" + "96040a140000" + "98040a140001",
	} {
		if got := hex.EncodeToString(m.Options[code]); got != want {
			t.Errorf("option %d: %s, want %s", code, got, want)
		}
	}
	if what.Ingress.Source != netip.MustParseAddrPort("10.10.0.1:67") {
		t.Errorf("a relay sends from %s", what.Ingress.Source)
	}
}

func TestWrongQuestionsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"60": "60=PXEClient", "0=a": "from 1 to 254", "256=a": "from 1 to 254", "x=a": "from 1 to 254", "61=hex:0": "61=hex:0",
		"50=soon": "IPv4", "55=1,soon": "commas", "60=" + strings.Repeat("a", 256): "256 bytes",
	} {
		q := question{mac: "52:54:00:00:00:01", message: "discover", relay: "10.10.0.1", arch: -1, options: []string{text}}
		if _, err := q.asked(settings.Chain{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %q", text, err, want)
		}
	}
}

// discoverBytes is a message as a client sends it.
func discoverBytes(t *testing.T, relay net.IP) []byte {
	t.Helper()
	m, err := dhcpv4.NewDiscovery(net.HardwareAddr{0x52, 0x54, 0, 0, 0, 9})
	if err != nil {
		t.Fatal(err)
	}
	if relay != nil {
		m.GatewayIPAddr = relay
	}
	return m.ToBytes()
}

// inIP puts a message into an IP packet.
func inIP(payload []byte, from, to [4]byte) []byte {
	b := make([]byte, 28, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(28+len(payload)))
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	binary.BigEndian.PutUint16(b[20:], 68)
	binary.BigEndian.PutUint16(b[22:], 67)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	return append(b, payload...)
}

func pcap(order binary.AppendByteOrder, magic uint32, frames ...[]byte) []byte {
	b := append(order.AppendUint32(nil, magic), make([]byte, 20)...)
	for _, f := range frames {
		b = append(b, make([]byte, 8)...)
		b = order.AppendUint32(order.AppendUint32(b, uint32(len(f))), uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

func pcapng(order binary.AppendByteOrder, frame []byte) []byte {
	block := func(kind uint32, body []byte) []byte {
		body = append(body, make([]byte, (4-len(body)%4)%4)...)
		size := uint32(12 + len(body))
		b := order.AppendUint32(order.AppendUint32(nil, kind), size)
		return order.AppendUint32(append(b, body...), size)
	}
	section := append(order.AppendUint32(nil, 0x1a2b3c4d), make([]byte, 12)...)
	packet := order.AppendUint32(make([]byte, 12), uint32(len(frame)))
	packet = append(order.AppendUint32(packet, uint32(len(frame))), frame...)
	return slices.Concat(block(0x0a0d0d0a, section), block(1, make([]byte, 8)), block(6, packet))
}

// dump writes bytes as other tools do: offset, digits in groups, text.
func dump(data []byte, offset, between string, group int, text bool) string {
	var b strings.Builder
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		fmt.Fprintf(&b, offset, at)
		for i := 0; i < len(row); i += group {
			if i > 0 {
				b.WriteString(between)
			}
			b.WriteString(hex.EncodeToString(row[i:min(i+group, len(row))]))
		}
		if text {
			b.WriteString("  ..Ra..S..........")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestMessagesAreTakenFromCaptures(t *testing.T) {
	payload := discoverBytes(t, nil)
	packet := inIP(payload, [4]byte{}, [4]byte{255, 255, 255, 255})
	frame := append(append(make([]byte, 12), 8, 0), packet...)
	tagged := append(append(make([]byte, 12), 0x81, 0, 0, 20, 8, 0), packet...)
	other := append(append(make([]byte, 12), 8, 6), make([]byte, 46)...) // ARP
	bar := dump(frame, "%08x  ", " ", 1, false)
	for name, data := range map[string][]byte{
		"pcap":                  pcap(binary.LittleEndian, 0xa1b2c3d4, other, frame),
		"pcap, other order":     pcap(binary.BigEndian, 0xa1b2c3d4, frame),
		"pcap with nanoseconds": pcap(binary.LittleEndian, 0xa1b23c4d, tagged),
		"pcap without a link":   pcap(binary.LittleEndian, 0xa1b2c3d4, packet),
		"pcap that is cut off":  pcap(binary.LittleEndian, 0xa1b2c3d4, frame, frame)[:24+2*16+len(frame)+9],
		"pcapng":                pcapng(binary.LittleEndian, frame),
		"pcapng, other order":   pcapng(binary.BigEndian, frame),
		"bytes of the frame":    frame,
		"bytes of the message":  payload,
		"plain digits":          []byte(hex.EncodeToString(payload)),
		"digits with colons":    []byte(net.HardwareAddr(payload).String()),
		"tcpdump":               []byte("12:00:01.1 IP 0.0.0.0.68 > 255.255.255.255.67: BOOTP/DHCP, Request\n" + dump(packet, "\t0x%04x:  ", " ", 2, false)),
		"tcpdump with text":     []byte(dump(packet, "\t0x%04x:  ", " ", 2, true)),
		"tshark":                []byte(dump(frame, "%04x  ", " ", 1, true)),
		"xxd":                   []byte(dump(frame, "%08x: ", " ", 2, true)),
		"hexdump":               []byte(strings.ReplaceAll(bar, "\n", "  |..Ra..S.|\n")),
	} {
		t.Run(name, func(t *testing.T) {
			found, err := captures(data)
			if err != nil || len(found) != 1 || !bytes.Equal(found[0].payload, payload) {
				t.Errorf("%d found, %v", len(found), err)
			}
		})
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "words": []byte("hello there"), "no DHCP": pcap(binary.LittleEndian, 0xa1b2c3d4, other), "half a header": {0xa1, 0xb2, 0xc3, 0xd4, 0},
		"a block that is longer than the file": append(pcapng(binary.LittleEndian, nil)[:32], 6, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0),
	} {
		if found, err := captures(data); err == nil {
			t.Errorf("%s: %d messages", name, len(found))
		}
	}
}

func TestACaptureSaysHowTheMessageCame(t *testing.T) {
	q := question{capture: "seen.pcap", frame: 2, serverID: "10.0.0.2"}
	relayed := inIP(discoverBytes(t, net.IPv4(10, 20, 0, 1)), [4]byte{10, 9, 9, 9}, [4]byte{10, 0, 0, 2})
	local := inIP(discoverBytes(t, nil), [4]byte{}, [4]byte{255, 255, 255, 255})
	read := func(string) ([]byte, error) { return pcap(binary.LittleEndian, 0xa1b2c3d4, local, relayed), nil }
	what, err := q.asked(settings.Chain{}, read)
	if err != nil || what.Ingress.Delivery != lease.DeliveryUnicast || what.Ingress.Source != netip.MustParseAddrPort("10.9.9.9:68") {
		t.Errorf("through a relay: %+v, %v", what.Ingress, err)
	}
	q.frame = 1
	if _, err := q.asked(settings.Chain{}, read); err == nil || !strings.Contains(err.Error(), "--local") {
		t.Errorf("nothing says where the client is: %v", err)
	}
	q.local = "127.0.0.1"
	what, err = q.asked(settings.Chain{}, read)
	if err != nil || what.Ingress.Delivery != lease.DeliveryBroadcast || !slices.Contains(what.Ingress.Addrs, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("on a wire of this machine: %+v, %v", what.Ingress, err)
	}
	q.frame = 3
	if _, err := q.asked(settings.Chain{}, read); err == nil || !strings.Contains(err.Error(), "1 to 2") {
		t.Errorf("no such frame: %v", err)
	}
	if _, err := q.asked(settings.Chain{}, os.ReadFile); err == nil || !strings.Contains(err.Error(), "seen.pcap") {
		t.Errorf("no such file: %v", err)
	}
}
