package dhcp4

import (
	"bytes"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// FuzzSubOptions holds the sub-options of relays to what the library reads.
func FuzzSubOptions(f *testing.F) {
	for _, info := range [][]byte{{}, {1, 2, 'a', 'b', 5, 4, 10, 0, 0, 1}, {1, 1, 'a', 0, 0, 1, 1, 'b', 255, 7}, {1}, {1, 2, 'a'}, {1, 0, 1, 0}, {1, 0, 1, 1, 'a'}, {0}} {
		f.Add(info)
	}
	f.Fuzz(func(t *testing.T, info []byte) {
		before := bytes.Clone(info)
		var library dhcpv4.RelayOptions
		err := library.FromBytes(bytes.Clone(info))
		if whole := wholeSubOptions(info); whole != (err == nil) {
			t.Fatalf("%x: whole: %v, the library says %v", info, whole, err)
		} else if !whole {
			return
		}
		for code := range 256 {
			code := dhcpv4.GenericOptionCode(code)
			want, wantSent := library.Options[code.Code()]
			if got, sent := subOption(info, code); sent != wantSent || !bytes.Equal(got, want) {
				t.Fatalf("%x: sub-option %d is %x (sent: %v), the library reads %x (%v)", info, code.Code(), got, sent, want, wantSent)
			}
		}
		if circuit, remote := circuitOf(info); len(circuit) > 0 {
			joined, _ := subOption(info, dhcpv4.AgentCircuitIDSubOption)
			switches, _ := subOption(info, dhcpv4.AgentRemoteIDSubOption)
			if whole := bytes.TrimLeft(info, "\x00"); !bytes.Equal(circuit, whole) && (!bytes.Equal(circuit, joined) || !bytes.Equal(remote, switches)) {
				t.Fatalf("%x: circuit %x, remote %x", info, circuit, remote)
			}
		}
		if !bytes.Equal(info, before) {
			t.Fatalf("%x was changed into %x", before, info)
		}
	})
}
