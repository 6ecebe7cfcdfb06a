package dhcp4

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// encodesAsTheLibrary fails if m is written otherwise than the library does, also
// behind what a buffer has already.
func encodesAsTheLibrary(t *testing.T, m *dhcpv4.DHCPv4) {
	t.Helper()
	want := m.ToBytes()
	if got := AppendMessage(nil, Of(m)); !bytes.Equal(got, want) {
		t.Fatalf("encoded\n%x, the library says\n%x", got, want)
	}
	before := bytes.Repeat([]byte{0xaa}, 5)
	if got := AppendMessage(append([]byte{}, before...), Of(m)); !bytes.Equal(got, append(before, want...)) {
		t.Fatalf("encoded behind other bytes\n%x, the library says\n%x", got, want)
	}
}

func TestMessagesAreEncodedAsTheLibraryDoes(t *testing.T) {
	for name, mods := range map[string][]dhcpv4.Modifier{
		"padded":           {},
		"relay is last":    {dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(1, 'p')), dhcp4test.Raw(81, 1), dhcp4test.Raw(83, 1), dhcp4test.Raw(254, 1)},
		"empty option":     {dhcp4test.Raw(80)},
		"255 bytes":        {dhcp4test.Text(15, strings.Repeat("x", 255))},
		"256 bytes":        {dhcp4test.Text(15, strings.Repeat("x", 256))},
		"510 bytes":        {dhcp4test.Text(82, strings.Repeat("x", 510))},
		"pad and end":      {dhcp4test.Raw(0, 1, 2), dhcp4test.Raw(255, 3)},
		"IPv4 in 16 bytes": {dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 5)), dhcpv4.WithServerIP(nil)},
		"full fields": {func(m *dhcpv4.DHCPv4) {
			m.ServerHostName, m.BootFileName = strings.Repeat("s", 64), strings.Repeat("f", 128)
		}},
		"no option at all":  {func(m *dhcpv4.DHCPv4) { m.Options = nil }},
		"no hardware":       {dhcpv4.WithHwAddr(nil)},
		"hardware too long": {dhcpv4.WithHwAddr(bytes.Repeat([]byte{7}, 20))},
		"hops, secs, flags": {dhcpv4.WithBroadcast(true), func(m *dhcpv4.DHCPv4) { m.HopCount, m.NumSeconds = 3, 0x0102 }},
	} {
		t.Run(name, func(t *testing.T) {
			m := dhcp4test.Request(t, dhcpv4.MessageTypeOffer)
			for _, mod := range mods {
				mod(m)
			}
			encodesAsTheLibrary(t, m)
		})
	}
}

// B-3: an address that does not fit costs the packet; it is not sent as another.
func TestAnAddressThatIsNotIPv4IsNotSent(t *testing.T) {
	m := dhcp4test.Request(t, dhcpv4.MessageTypeOffer, dhcpv4.WithYourIP(nil))
	m.YourIPAddr = net.ParseIP("2001:db8::1")
	defer func() {
		if recover() == nil {
			t.Error("an IPv6 address was written into the header")
		}
	}()
	AppendMessage(nil, Of(m))
}

// FuzzAppendMessage makes messages of any header and any options, that need not
// have been on a wire.
func FuzzAppendMessage(f *testing.F) {
	f.Add(dhcp4test.Request(f, dhcpv4.MessageTypeOffer).ToBytes(), "", "", []byte{82, 1, 12, 3, 255, 0}, []byte("value"))
	f.Add(dhcp4test.Request(f, dhcpv4.MessageTypeAck, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(1, 'p'))).ToBytes(),
		strings.Repeat("s", 70), strings.Repeat("f", 130), []byte{82, 43}, bytes.Repeat([]byte{1}, 600))
	f.Fuzz(func(t *testing.T, datagram []byte, sname, file string, codes, value []byte) {
		m, err := dhcpv4.FromBytes(datagram)
		if err != nil {
			m = &dhcpv4.DHCPv4{ClientHWAddr: datagram, Options: dhcpv4.Options{}}
		}
		m.ServerHostName, m.BootFileName = sname, file
		for i, code := range codes {
			m.Options[code] = value[min(i, len(value)):]
		}
		encodesAsTheLibrary(t, m)
	})
}

// offer is what a client of the relay gets most often.
func offer(tb testing.TB) (req, resp *dhcpv4.DHCPv4) {
	req = dhcp4test.Request(tb, dhcpv4.MessageTypeDiscover, dhcp4test.Relayed("10.0.0.1", dhcp4test.SubOption(1, 'p')), dhcp4test.Raw(55, 1, 3, 6, 15, 28, 51, 58, 59))
	resp = dhcp4test.Prepared(tb, req)
	if err := fill(req, resp, granted(lease.Offer), Extra{}); err != nil {
		tb.Fatal(err)
	}
	return req, resp
}

func BenchmarkEncode(b *testing.B) {
	_, resp := offer(b)
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			resp.ToBytes()
		}
	})
	b.Run("into a buffer", func(b *testing.B) {
		var wire []byte
		b.ReportAllocs()
		for b.Loop() {
			wire = AppendMessage(wire[:0], Of(resp))
		}
	})
}
