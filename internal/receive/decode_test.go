package receive

import (
	"bytes"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// wire is a DISCOVER as it arrives, cut after the END and with room for decode
// to append one.
func wire(t testing.TB, mods ...dhcpv4.Modifier) []byte {
	t.Helper()
	b := discover(t, 1)
	for _, mod := range mods {
		mod(b)
	}
	return bytes.TrimRight(b.ToBytes(), "\x00")
}

// options replaces everything after the cookie.
func options(t testing.TB, area ...byte) []byte {
	t.Helper()
	return append(wire(t)[:headerLen+len(cookie)], area...)
}

func set(b []byte, at int, v ...byte) []byte {
	copy(b[at:], v)
	return b
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
		want Drop
		// what option 53 is, if decoded
		typ dhcpv4.MessageType
	}{
		{name: "a whole message", in: wire(t), typ: dhcpv4.MessageTypeDiscover},
		{name: "no END", in: options(t, 53, 1, 1), typ: dhcpv4.MessageTypeDiscover},                        // F-29
		{name: "no END after padding", in: options(t, 53, 1, 1, 0, 0, 0), typ: dhcpv4.MessageTypeDiscover}, // F-29
		{name: "a cookie and nothing else", in: options(t)},
		{name: "bytes after END", in: options(t, 53, 1, 1, 255, 61, 200), typ: dhcpv4.MessageTypeDiscover},
		{name: "an option cut in its value", in: options(t, 53, 1, 1, 61, 7, 1, 2), want: dropMalformed},
		{name: "an option cut after its code", in: options(t, 53, 1, 1, 61), want: dropMalformed},
		{name: "BOOTP with a vendor area of zeros", in: make300(t, 0, 0, 0, 0)},          // RFC 951
		{name: "BOOTP with a vendor's own cookie", in: make300(t, 'C', 'M', 'U', 0, 53)}, // RFC 951
		{name: "BOOTP without vendor area", in: wire(t)[:headerLen]},
		{name: "a header cut short", in: wire(t)[:headerLen-1], want: dropMalformed},
		{name: "nothing", in: nil, want: dropMalformed},
		{name: "a reply", in: set(wire(t), 0, 2), want: dropNotRequest},
		{name: "hlen 16", in: set(wire(t), 2, 16), typ: dhcpv4.MessageTypeDiscover},
		{name: "hlen 17", in: set(wire(t), 2, 17), want: dropHardwareLength}, // I-2
		{name: "ciaddr of this network", in: set(wire(t), 12, 0, 0, 0, 5), want: dropAddress},
		{name: "ciaddr reserved", in: set(wire(t), 12, 240, 0, 0, 5), want: dropAddress},
		{name: "giaddr is a group", in: set(wire(t), 24, 224, 0, 0, 5), want: dropAddress},
		{name: "giaddr is the broadcast address", in: set(wire(t), 24, 255, 255, 255, 255), want: dropAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, why := decode(tt.in)
			if why != tt.want {
				t.Fatalf("dropped as %q, want %q", why, tt.want)
			}
			if why == "" && (req.MessageType() != tt.typ || req.TransactionID != discover(t, 1).TransactionID) {
				t.Errorf("got %s", req.Summary())
			}
		})
	}
}

// make300 is a BOOTP request of the usual size with the given vendor area.
func make300(t testing.TB, vendor ...byte) []byte {
	t.Helper()
	b := make([]byte, 300)
	copy(b, wire(t)[:headerLen])
	copy(b[headerLen:], vendor)
	return b
}

// F-16: what chains expect is what the library prepares.
func TestTheReplyIsPreparedAsByTheLibrary(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mods   []dhcpv4.Modifier
		answer dhcpv4.MessageType
	}{
		{"DISCOVER", []dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover)}, dhcpv4.MessageTypeOffer},
		{"REQUEST", []dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest)}, dhcpv4.MessageTypeAck},
		{"INFORM", []dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeInform)}, dhcpv4.MessageTypeAck},
		{"RELEASE", []dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeRelease)}, dhcpv4.MessageTypeNone},
		{"DECLINE", []dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeDecline)}, dhcpv4.MessageTypeNone},
		{"BOOTP", nil, dhcpv4.MessageTypeNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := message(t, 1, append(tt.mods,
				dhcpv4.WithClientIP(net.IPv4(192, 0, 2, 1)),
				dhcpv4.WithBroadcast(true),
				dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{1, 2, 3}),
				dhcpv4.WithGeneric(dhcpv4.OptionHostName, []byte("not echoed")),
				func(m *dhcpv4.DHCPv4) { m.HopCount, m.NumSeconds, m.HWType = 3, 7, iana.HWTypeInfiniband },
			)...)
			want, err := dhcpv4.NewReplyFromRequest(req)
			if err != nil {
				t.Fatal(err)
			}
			if tt.answer != dhcpv4.MessageTypeNone {
				want.UpdateOption(dhcpv4.OptMessageType(tt.answer))
			}
			if diff := cmp.Diff(want, prepare(req, true)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDecode: what is accepted can be prepared, addressed and encoded, and
// nothing that the library reads is read differently.
func FuzzDecode(f *testing.F) {
	f.Add(wire(f))
	f.Add(options(f, 53, 1, 3, 82, 2, 19, 0))
	f.Add(make300(f, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, plainErr := dhcpv4.FromBytes(bytes.Clone(b))
		req, why := decode(bytes.Clone(b))
		if why != "" {
			if req != nil {
				t.Fatal("a message and a reason to drop it")
			}
			return
		}
		if plainErr == nil {
			if diff := cmp.Diff(plain, req); diff != "" {
				t.Fatalf("the library reads it differently (-library +ours):\n%s", diff)
			}
		}
		if req.OpCode != dhcpv4.OpcodeBootRequest || len(req.ClientHWAddr) > maxHardLen {
			t.Fatalf("accepted %s", req.Summary())
		}
		resp := prepare(req, true)
		if resp == nil {
			return
		}
		d := destinationOf(req, resp, arrivedBy{}, true)
		if d.name == "" || !d.to.IsValid() || d.to.Port() == 0 || d.to.Addr().IsMulticast() {
			t.Fatalf("would be sent to %v", d)
		}
		if _, err := dhcpv4.FromBytes(resp.ToBytes()); err != nil {
			t.Fatalf("the reply is unreadable: %v", err)
		}
	})
}
