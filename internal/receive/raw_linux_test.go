package receive

import (
	"encoding/hex"
	"net/netip"
	"testing"
)

// The wanted bytes were made by another program. The kernel's opinion of such
// packets is asked by TestRepliesOnRealInterfaces.
func TestDatagram(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.0.0.2:67"), netip.MustParseAddrPort("192.0.2.10:68")
	for _, tt := range []struct {
		name    string
		payload []byte
		want    string
	}{
		{"a payload of odd length", []byte("odd"), "4500001f0000400040116ec20a000002c000020a00430044000b5fe06f6464"},
		{"a payload of even length", []byte("even"), "450000200000400040116ec10a000002c000020a00430044000c685e6576656e"},
		{"a checksum of 0 is sent as ffff", []byte{0x33, 0x47}, "4500001e0000400040116ec30a000002c000020a00430044000affff3347"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hex.EncodeToString(datagram(from, to, tt.payload)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
