package receive

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
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

// renewal is a REQUEST without options that would give ciaddr another meaning.
func renewal(t testing.TB) []byte { return options(t, 53, 1, 3, 255) }

// D-0, I-3, I-4: messages that at least two of dhcpd, dnsmasq and Kea answer, and
// their neighbours. A REQUEST names 10.10.0.2 as server and wants 10.10.0.103.
func TestOddMessages(t *testing.T) {
	const discover, request, inform, release = lease.Discover, lease.Request, lease.Inform, lease.Release
	list := []byte{55, 3, 1, 3, 6}
	server, wish := []byte{54, 4, 10, 10, 0, 2}, []byte{50, 4, 10, 10, 0, 103}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	typed := func(t lease.MessageType, parts ...[]byte) []byte {
		return append([]byte{53, 1, byte(t)}, join(parts...)...)
	}
	chose := func(parts ...[]byte) []byte { return typed(request, join(parts...)) }
	bigID := join([]byte{61, 255}, make([]byte, 255), []byte{61, 45}, make([]byte, 45))
	for _, tt := range []struct {
		name  string
		area  []byte // options without END
		end   bool
		typ   lease.MessageType
		wish  string // option 50
		chose string // option 54
		drop  Drop
		bad   string // makes the message unusable
	}{
		{name: "53 twice, equal", area: typed(discover, typed(discover, list)), end: true, typ: discover},
		{name: "53 twice, the first counts", area: typed(discover, typed(request, list)), end: true, typ: discover},
		{name: "53 of two bytes", area: join([]byte{53, 2, 1, 1}, list), end: true, typ: discover},
		{name: "53 twice in a REQUEST", area: typed(request, typed(request, server, wish)), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "53 without a value", area: join([]byte{53, 0}, list), end: true, bad: "option 53"},
		{name: "the last option cut by a byte", area: typed(discover, list, []byte{12, 4, 'a', 'b', 'c'}), typ: discover},
		{name: "the last option cut after its code", area: typed(discover, list, []byte{12}), typ: discover},
		{name: "the last option cut after its length", area: typed(discover, list, []byte{12, 4}), typ: discover},
		{name: "the last option far too long", area: typed(discover, list, []byte{12, 200, 'a'}), typ: discover},
		{name: "the last option too long and padded", area: typed(discover, list, []byte{12, 255, 'a', 255, 0, 0}), typ: discover},
		{name: "the list cut by a byte", area: typed(discover, []byte{55, 4, 1, 3, 6}), typ: discover},
		{name: "an INFORM that is cut", area: typed(inform, []byte{12, 4, 'a'}), typ: inform},
		{name: "a selection that is cut behind what it needs", area: chose(server, wish, []byte{12, 4, 'a'}), typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "a selection whose server is cut off", area: chose(wish, server[:5]), drop: dropMalformed},
		{name: "a selection whose address is cut off", area: chose(server, wish[:5]), drop: dropMalformed},
		{name: "a REQUEST that may have chosen", area: chose(wish, []byte{12, 4, 'a'}), drop: dropMalformed},
		{name: "a RELEASE that is cut", area: typed(release, []byte{12, 4, 'a'}), drop: dropMalformed},
		{name: "a cut type is no BOOTP", area: join(list, []byte{53, 1}), drop: dropMalformed},
		{name: "61 without a value", area: typed(discover, list, []byte{61, 0}), end: true, typ: discover},
		{name: "61 of one byte", area: typed(discover, list, []byte{61, 1, 1}), end: true, typ: discover},
		{name: "61 of one byte in a REQUEST", area: chose(server, wish, []byte{61, 1, 1}), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "61 twice, equal", area: typed(discover, []byte{61, 2, 0, 7, 61, 2, 0, 7}), end: true, typ: discover},
		{name: "61 of 300 bytes", area: typed(discover, bigID), end: true, typ: discover},
		{name: "50 without a value", area: typed(discover, []byte{50, 0}), end: true, typ: discover},
		{name: "50 of three bytes", area: typed(discover, []byte{50, 3, 10, 10, 0}), end: true, typ: discover},
		{name: "50 of five bytes", area: typed(discover, []byte{50, 5, 10, 10, 0, 103, 0}), end: true, typ: discover, wish: "10.10.0.103"},
		{name: "50 twice, equal", area: typed(discover, wish, wish), end: true, typ: discover, wish: "10.10.0.103"},
		{name: "50 twice, the first counts", area: typed(discover, wish, []byte{50, 4, 10, 10, 0, 102}), end: true, typ: discover, wish: "10.10.0.103"},
		{name: "50 of five bytes in a REQUEST", area: chose(server, []byte{50, 5, 10, 10, 0, 103, 0}), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "50 twice in a REQUEST", area: chose(wish, server, wish), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "50 without a value in a renewal", area: chose([]byte{50, 0}), end: true, typ: request},
		{name: "54 without a value in a DISCOVER", area: typed(discover, []byte{54, 0}), end: true, typ: discover},
		{name: "54 of three bytes in a DISCOVER", area: typed(discover, []byte{54, 3, 10, 10, 0}), end: true, typ: discover},
		{name: "54 of five bytes in a DISCOVER", area: typed(discover, []byte{54, 5, 10, 10, 0, 2, 0}), end: true, typ: discover, chose: "10.10.0.2"},
		{name: "54 twice, equal", area: chose(server, wish, server), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "54 of five bytes", area: chose([]byte{54, 5, 10, 10, 0, 2, 0}, wish), end: true, typ: request, wish: "10.10.0.103", chose: "10.10.0.2"},
		{name: "54 of three bytes says not which server", area: chose([]byte{54, 3, 10, 10, 0}, wish), end: true, typ: request, wish: "10.10.0.103", bad: "option 54"},
		{name: "54 without a value says not which server", area: chose([]byte{54, 0}, wish), end: true, typ: request, wish: "10.10.0.103", bad: "option 54"},
		{name: "54 without a value in a RELEASE", area: typed(release, []byte{54, 0}), end: true, typ: release, bad: "option 54"},
		{name: "empty options that say nothing", area: typed(discover, []byte{55, 0, 12, 0, 60, 0, 82, 0, 51, 1, 5, 57, 1, 5}), end: true, typ: discover},
	} {
		t.Run(tt.name, func(t *testing.T) {
			area := tt.area
			if tt.end {
				area = append(area, 255)
			}
			req, why := decode(new(memory), set(options(t, area...), 24, 0, 0, 0, 0))
			if why != tt.drop {
				t.Fatalf("dropped as %q, want %q", why, tt.drop)
			}
			if why != "" {
				return
			}
			m := dhcp4.ParseRequest(req, nil, dhcp4.Ingress{}, false)
			if m.Malformed != tt.bad || !m.HasMAC || m.Client != "02:00:00:00:00:01" {
				t.Errorf("malformed %q, client %q, MAC %v", m.Malformed, m.Client, m.HasMAC)
			}
			if tt.bad == "" && m.Type != tt.typ || m.Type == lease.BOOTP {
				t.Errorf("type %s, want %s", m.Type, tt.typ)
			}
			text := func(a netip.Addr) string {
				if !a.IsValid() {
					return ""
				}
				return a.String()
			}
			if text(m.RequestedAddr) != tt.wish || text(m.ServerID) != tt.chose {
				t.Errorf("wants %v, chose %v; want %q, %q", m.RequestedAddr, m.ServerID, tt.wish, tt.chose)
			}
			if tt.bad == "" && prepare(new(memory), req, false) == nil {
				t.Error("reaches no handler")
			}
		})
	}
	if _, why := decode(new(memory), options(t, typed(discover, []byte{12, 4, 'a'})...)); why != dropMalformed {
		t.Errorf("a relayed message that may have lost option 82: %q", why)
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
		want Drop
		// what option 53 is, if decoded
		typ dhcpv4.MessageType
		// what option 55 is, if decoded and looked at
		list []byte
	}{
		{name: "a whole message", in: wire(t), typ: dhcpv4.MessageTypeDiscover},
		{name: "no END", in: options(t, 53, 1, 1), typ: dhcpv4.MessageTypeDiscover},                        // F-29
		{name: "no END after padding", in: options(t, 53, 1, 1, 0, 0, 0), typ: dhcpv4.MessageTypeDiscover}, // F-29
		{name: "a cookie and nothing else", in: options(t)},
		{name: "bytes after END", in: options(t, 53, 1, 1, 255, 61, 200), typ: dhcpv4.MessageTypeDiscover},
		{name: "padding of 0xff after END", in: append(options(t, 53, 1, 1, 255), bytes.Repeat([]byte{255}, 60)...), typ: dhcpv4.MessageTypeDiscover},
		{name: "option 55 in two parts", in: options(t, 53, 1, 1, 55, 2, 1, 3, 55, 1, 6, 255), typ: dhcpv4.MessageTypeDiscover, list: []byte{1, 3, 6}}, // RFC 3396
		{name: "option 55 in two parts, another between", in: options(t, 55, 2, 1, 3, 53, 1, 1, 55, 1, 6, 255), typ: dhcpv4.MessageTypeDiscover, list: []byte{1, 3, 6}},
		{name: "244 bytes, shorter than BOOTP", in: options(t, 53, 1, 1, 255), typ: dhcpv4.MessageTypeDiscover},
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
		{name: "ciaddr of this network", in: set(renewal(t), 12, 0, 0, 0, 5), want: dropAddress},
		{name: "ciaddr reserved", in: set(renewal(t), 12, 240, 0, 0, 5), want: dropAddress},
		{name: "ciaddr of this network in a DISCOVER", in: set(wire(t), 12, 0, 0, 0, 5), typ: dhcpv4.MessageTypeDiscover},                  // D-6
		{name: "ciaddr is the broadcast address in a DISCOVER", in: set(wire(t), 12, 255, 255, 255, 255), typ: dhcpv4.MessageTypeDiscover}, // D-6
		{name: "giaddr is a group", in: set(wire(t), 24, 224, 0, 0, 5), want: dropAddress},
		{name: "giaddr is the broadcast address", in: set(wire(t), 24, 255, 255, 255, 255), want: dropAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, why := decode(new(memory), tt.in)
			if why != tt.want {
				t.Fatalf("dropped as %q, want %q", why, tt.want)
			}
			if why == "" && (req.MessageType() != tt.typ || req.TransactionID != discover(t, 1).TransactionID) {
				t.Errorf("got %s", req.Summary())
			}
			if tt.list != nil && !bytes.Equal(req.Options.Get(dhcpv4.OptionParameterRequestList), tt.list) {
				t.Errorf("option 55 is %v, want %v", req.Options.Get(dhcpv4.OptionParameterRequestList), tt.list)
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
			if diff := cmp.Diff(want, prepare(new(memory), req, true)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDecode: what is accepted can be prepared, addressed and encoded, and
// nothing that the library reads is read differently.
// decodeByLibrary is decode with the parser of the packet library, which has to be
// handed an area that ends.
func decodeByLibrary(t *testing.T, b []byte) (*dhcpv4.DHCPv4, Drop) {
	if len(b) < headerLen || dhcpv4.OpcodeType(b[0]) != dhcpv4.OpcodeBootRequest || b[2] > maxHardLen {
		return nil, "not read"
	}
	cut := false
	const area = headerLen + len(cookie)
	if len(b) < area || string(b[headerLen:area]) != cookie {
		b = append(append(b[:headerLen], cookie...), dhcpv4.OptionEnd.Code())
	} else if whole, ended := scanOptions(b[area:]); !ended {
		cut = area+whole < len(b)
		b = append(b[:area+whole], dhcpv4.OptionEnd.Code())
	}
	req, err := dhcpv4.FromBytes(b)
	if err != nil {
		t.Fatalf("what decode takes in is refused by the library: %v", err)
	}
	return settle(req, cut, true)
}

// FuzzDecode reads two datagrams into the same memory. D-0, B-17
func FuzzDecode(f *testing.F) {
	first := wire(f, dhcpv4.WithGatewayIP(net.IPv4(10, 0, 0, 1)), dhcpv4.WithOption(dhcpv4.OptHostName("first")))
	f.Add(first, wire(f))
	f.Add(first, options(f, 53, 1, 3, 82, 2, 19, 0))
	f.Add(first, make300(f, 0))
	f.Add(first, options(f, 53, 2, 1, 3, 50, 5, 10, 0, 0, 1, 2, 54, 0, 255))
	f.Add(first, options(f, 53, 1, 1, 12, 0, 12, 1, 'a', 0, 12, 0, 12, 2, 'b', 'c', 61, 0, 255))
	f.Add(first, set(wire(f), 12, 255, 255, 255, 255))
	f.Add(first, set(wire(f), 44, 's', 0, 't'))
	f.Fuzz(func(t *testing.T, before, b []byte) {
		m := new(memory)
		decode(m, before)
		datagram := bytes.Clone(b)
		req, why := decode(m, datagram)
		clear(datagram) // it is used again
		want, wantWhy := decodeByLibrary(t, bytes.Clone(b))
		if diff := cmp.Diff(want, req); diff != "" {
			t.Fatalf("the library reads it differently (-library +ours):\n%s", diff)
		}
		if why != "" {
			return
		}
		if why != wantWhy {
			t.Fatalf("%q with the library's parser", wantWhy)
		}
		if req.OpCode != dhcpv4.OpcodeBootRequest || len(req.ClientHWAddr) > maxHardLen {
			t.Fatalf("accepted %s", req.Summary())
		}
		resp := prepare(m, req, true)
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

func BenchmarkDecode(b *testing.B) {
	datagram := wire(b, dhcpv4.WithGatewayIP(net.IPv4(10, 0, 0, 1)), dhcpv4.WithOption(dhcpv4.OptHostName("host")),
		dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(1), []byte("port")))))
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dhcpv4.FromBytes(datagram); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, reuse := range map[string]bool{"memory of its own": false, "memory of the packet before": true} {
		b.Run(name, func(b *testing.B) {
			m := new(memory)
			b.ReportAllocs()
			for b.Loop() {
				if !reuse {
					m = new(memory)
				}
				if _, why := decode(m, datagram); why != "" {
					b.Fatal(why)
				}
			}
		})
	}
}
