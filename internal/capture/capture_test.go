package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// message is the bytes of a DHCP message; op is 1 for a client.
func message(op byte) []byte {
	b := make([]byte, 300)
	b[0] = op
	return b
}

// packet puts a payload into UDP and IPv4.
func packet(t testing.TB, payload []byte, from, to uint16, link ...gopacket.SerializableLayer) []byte {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IPv4(10, 0, 0, 1), DstIP: net.IPv4(10, 0, 0, 2)}
	udp := &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(link, ip, udp, gopacket.Payload(payload))...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ethernet(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: net.HardwareAddr{255, 255, 255, 255, 255, 255}, EthernetType: kind}
}

// C-26: messages are found whatever a capture was made on.
func TestMessagesAreFoundInFramesOfAnyKind(t *testing.T) {
	request := message(1)
	plain := packet(t, request, 68, 67)
	tagged := packet(t, request, 68, 67, ethernet(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 20, Type: layers.EthernetTypeQinQ}, &layers.Dot1Q{VLANIdentifier: 30, Type: layers.EthernetTypeIPv4})
	cooked := append(append(make([]byte, 14), 8, 0), plain...)
	cooked2 := append(append([]byte{8, 0}, make([]byte, 18)...), plain...)
	part := func(flags uint16) []byte {
		b := bytes.Clone(plain)
		binary.BigEndian.PutUint16(b[6:], flags)
		return b
	}
	noLength := bytes.Clone(plain)
	noLength[2], noLength[3] = 0, 0
	for name, c := range map[string]struct {
		frame Frame
		want  Kind
		vlans []uint16
	}{
		"Ethernet":                        {Frame{Link: LinkEthernet, Bytes: packet(t, request, 68, 67, ethernet(layers.EthernetTypeIPv4))}, Request, nil},
		"Ethernet with padding":           {Frame{Link: LinkEthernet, Bytes: append(packet(t, request, 68, 67, ethernet(layers.EthernetTypeIPv4)), 0, 0, 0)}, Request, nil},
		"two VLAN tags":                   {Frame{Link: LinkEthernet, Bytes: tagged}, Request, []uint16{20, 30}},
		"Linux cooked":                    {Frame{Link: LinkCooked, Bytes: cooked}, Request, nil},
		"Linux cooked, version 2":         {Frame{Link: LinkCooked2, Bytes: cooked2}, Request, nil},
		"raw IP":                          {Frame{Link: LinkRaw, Bytes: plain}, Request, nil},
		"raw IPv4":                        {Frame{Link: LinkIPv4, Bytes: plain}, Request, nil},
		"BSD loopback":                    {Frame{Link: LinkNull, Bytes: append([]byte{2, 0, 0, 0}, plain...)}, Request, nil},
		"no length in IP, left to a card": {Frame{Link: LinkRaw, Bytes: noLength}, Request, nil},
		"a relay's message":               {Frame{Link: LinkRaw, Bytes: packet(t, request, 67, 67)}, Request, nil},
		"to port 4011":                    {Frame{Link: LinkRaw, Bytes: packet(t, request, 68, 4011)}, Request, nil},
		"a server's message":              {Frame{Link: LinkRaw, Bytes: packet(t, message(2), 67, 68)}, Reply, nil},
		"the first fragment":              {Frame{Link: LinkRaw, Bytes: part(0x2000)}, Fragment, nil},
		"a later fragment":                {Frame{Link: LinkRaw, Bytes: part(0x0010)}, Fragment, nil},
		"not to be fragmented":            {Frame{Link: LinkRaw, Bytes: part(0x4000)}, Request, nil},
		"cut off":                         {Frame{Link: LinkRaw, Bytes: plain[:100]}, Cut, nil},
		"cut off in IP":                   {Frame{Link: LinkRaw, Bytes: plain[:10]}, Other, nil},
		"another port":                    {Frame{Link: LinkRaw, Bytes: packet(t, request, 5353, 5353)}, Other, nil},
		"too short for DHCP":              {Frame{Link: LinkRaw, Bytes: packet(t, request[:200], 68, 67)}, Other, nil},
		"ARP":                             {Frame{Link: LinkEthernet, Bytes: append(append(make([]byte, 12), 8, 6), make([]byte, 46)...)}, Other, nil},
		"an empty frame":                  {Frame{Link: LinkEthernet}, Other, nil},
		"a link that is not read":         {Frame{Link: 105, Bytes: plain}, Unknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, kind := Find(c.frame)
			if kind != c.want || !slices.Equal(got.VLANs, c.vlans) {
				t.Fatalf("kind %d, VLANs %v", kind, got.VLANs)
			}
			if kind == Request && (!bytes.Equal(got.Payload, request) || got.Source.Addr() != netip.MustParseAddr("10.0.0.1") || got.To.Addr() != netip.MustParseAddr("10.0.0.2")) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// C-26: what another library writes is read the same, with its times.
func TestFilesOfAnotherLibraryAreRead(t *testing.T) {
	frames := [][]byte{packet(t, message(1), 68, 67, ethernet(layers.EthernetTypeIPv4)), packet(t, message(2), 67, 68, ethernet(layers.EthernetTypeIPv4)), {}}
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
	for name, write := range map[string]func(io.Writer) error{
		"pcap": func(w io.Writer) error {
			return writeAll(pcapgo.NewWriter(w), frames, at)
		},
		"pcap with nanoseconds": func(w io.Writer) error { return writeAll(pcapgo.NewWriterNanos(w), frames, at) },
		"pcapng": func(w io.Writer) error {
			ng, err := pcapgo.NewNgWriter(w, layers.LinkTypeEthernet)
			if err != nil {
				return err
			}
			return errors.Join(writeFrames(ng, frames, at), ng.Flush())
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			f, err := Open(&b)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range frames {
				got, err := f.Next()
				if err != nil || !bytes.Equal(got.Bytes, want) || !got.At.Equal(at.Add(time.Duration(i)*time.Second)) || got.Link != LinkEthernet || got.Cut {
					t.Fatalf("frame %d: %+v, %v", i, got, err)
				}
			}
			if _, err := f.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

type frameWriter interface {
	WritePacket(ci gopacket.CaptureInfo, data []byte) error
}

func writeAll(w *pcapgo.Writer, frames [][]byte, at time.Time) error {
	return errors.Join(w.WriteFileHeader(65536, layers.LinkTypeEthernet), writeFrames(w, frames, at))
}

func writeFrames(w frameWriter, frames [][]byte, at time.Time) (err error) {
	for i, b := range frames {
		info := gopacket.CaptureInfo{Timestamp: at.Add(time.Duration(i) * time.Second), CaptureLength: len(b), Length: len(b)}
		err = errors.Join(err, w.WritePacket(info, b))
	}
	return err
}

// C-26: a file that is damaged or made up gives what comes before the damage, and says
// where that is; it costs no memory that the file does not have.
func TestADamagedFileIsReadUpToTheDamage(t *testing.T) {
	var good bytes.Buffer
	if err := writeAll(pcapgo.NewWriter(&good), [][]byte{packet(t, message(1), 68, 67, ethernet(layers.EthernetTypeIPv4))}, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	huge := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	section := []byte{0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0}
	with := func(b []byte, more ...byte) []byte { return append(bytes.Clone(b), more...) }
	for name, c := range map[string]struct {
		data    []byte
		frames  int
		damaged bool
	}{
		"cut off in a frame":             {with(good.Bytes()[:good.Len()-1]), 0, true},
		"cut off in a header":            {with(good.Bytes(), 1, 2, 3), 1, true},
		"a frame that is too long":       {with(good.Bytes(), huge...), 1, true},
		"a block without an end":         {with(section, 6, 0, 0, 0, 255, 255, 255, 255), 0, true},
		"a block that is too short":      {with(section, 6, 0, 0, 0, 4, 0, 0, 0), 0, true},
		"a frame of no interface":        {with(section, append([]byte{6, 0, 0, 0, 32, 0, 0, 0}, make([]byte, 24)...)...), 0, true},
		"a simple frame without one":     {with(section, append([]byte{3, 0, 0, 0, 16, 0, 0, 0}, make([]byte, 8)...)...), 0, true},
		"an unknown block, not whole":    {with(section, 99, 0, 0, 0, 252, 255, 255, 255, 1), 0, true},
		"a section and nothing else":     {section, 0, false},
		"a section that is cut off":      {section[:8], 0, true},
		"an interface that is too short": {with(section, 1, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(bytes.NewReader(c.data))
			if err != nil {
				t.Fatal(err)
			}
			frames := 0
			for err == nil {
				if _, err = f.Next(); err == nil {
					frames++
				}
			}
			if damage := new(DamagedError); errors.As(err, &damage) != c.damaged || frames != c.frames || c.damaged && damage.Frame != frames {
				t.Errorf("%d frames, then %v", frames, err)
			}
		})
	}
	for name, data := range map[string][]byte{"nothing": nil, "words": []byte("hello there"), "half a magic number": {0xa1, 0xb2}, "half a header": {0xa1, 0xb2, 0xc3, 0xd4, 0}} {
		if _, err := Open(bytes.NewReader(data)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFile reads any bytes as a capture: C-26.
func FuzzFile(f *testing.F) {
	paths, err := filepath.Glob("../../plugins/pxe/testdata/*.pcap")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	var ng bytes.Buffer
	w, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(writeFrames(w, [][]byte{packet(f, message(1), 68, 67, ethernet(layers.EthernetTypeIPv4))}, time.Unix(1, 0)), w.Flush()); err != nil {
		f.Fatal(err)
	}
	f.Add(ng.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		for read := 0; ; read++ {
			frame, err := file.Next()
			if err != nil {
				return
			}
			if len(frame.Bytes) > len(data) || read > len(data) {
				t.Fatalf("frame %d has %d bytes, the file %d", read, len(frame.Bytes), len(data))
			}
			m, kind := Find(frame)
			if len(m.Payload) > len(frame.Bytes) || (kind == Request || kind == Reply) != (len(m.Payload) > 0 && m.Source.IsValid()) && kind != Other {
				t.Fatalf("kind %d: %+v", kind, m)
			}
		}
	})
}
