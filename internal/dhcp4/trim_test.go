package dhcp4

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// big is a reply whose dispensable options, 119 42 12 28 15 249, are each of n
// bytes, beside 100 bytes that must stay.
func big(t testing.TB, req *dhcpv4.DHCPv4, n int) *dhcpv4.DHCPv4 {
	resp := dhcp4test.Prepared(t, req)
	for _, code := range []uint8{119, 42, 12, 28, 15, 249} {
		dhcp4test.Raw(code, []byte(strings.Repeat("x", n))...)(resp)
	}
	dhcp4test.Raw(6, make([]byte, 100)...)(resp)
	return resp
}

//
func TestTrimLeavesOptionsOutInOrder(t *testing.T) {
	// 241 fixed, 3 and 6 for options 53 and 54, 102 for option 6: 352 bytes,
	// and n+2 for each of the six. 576 less 28 leaves 548.
	tests := map[string]struct {
		mods []dhcpv4.Modifier
		n    int
		left []uint8
		fits bool
	}{
		"fits":                            {nil, 30, nil, true},
		"one byte more each":              {nil, 31, []uint8{119}, true},
		"five of them":                    {nil, 120, []uint8{119, 42, 12, 28, 15}, true},
		"all of them":                     {nil, 200, []uint8{119, 42, 12, 28, 15, 249}, true},
		"option 57 allows more":           {[]dhcpv4.Modifier{dhcp4test.Raw(57, 1500>>8, 1500&255)}, 150, nil, true},
		"option 57 above 1500 is 1500":    {[]dhcpv4.Modifier{dhcp4test.Raw(57, 255, 255)}, 200, []uint8{119}, true},
		"option 57 below 576 is 576":      {[]dhcpv4.Modifier{dhcp4test.Raw(57, 1, 0)}, 30, nil, true},
		"a malformed option 57 is none":   {[]dhcpv4.Modifier{dhcp4test.Raw(57, 9, 9, 9)}, 31, []uint8{119}, true},
		"an option 57 of two copies, too": {[]dhcpv4.Modifier{dhcp4test.Raw(57, 5, 220, 5, 220)}, 31, []uint8{119}, true},
		"an SeaBIOS machine says 1472":    {[]dhcpv4.Modifier{dhcp4test.Raw(57, 1472>>8, 1472&255)}, 180, nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, tt.mods...)
			resp := big(t, req, tt.n)
			left, fits := trim(req, resp, nil)
			var codes []uint8
			for _, code := range left {
				codes = append(codes, code.Code())
				if resp.Options.Has(code) {
					t.Errorf("option %d left out and still there", code.Code())
				}
			}
			if diff := cmp.Diff(tt.left, codes); diff != "" || fits != tt.fits {
				t.Errorf("fits %v, want %v; left out: %s", fits, tt.fits, diff)
			}
			if again, _ := trim(req, resp, nil); again != nil {
				t.Errorf("a second time leaves %v out", again)
			}
		})
	}
}

//
func TestTrimNeverTouchesTheOthers(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	resp := dhcp4test.Prepared(t, req)
	dhcp4test.Raw(121, make([]byte, 400)...)(resp)
	if left, fits := trim(req, resp, nil); fits || left != nil || !resp.Options.Has(dhcpv4.OptionClasslessStaticRoute) {
		t.Errorf("fits %v, left out %v", fits, left)
	}
}

func TestSizeIsThatOfTheEncodedPacket(t *testing.T) {
	for _, n := range []int{0, 1, 254, 255, 256, 510, 511, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
			resp := dhcp4test.Prepared(t, req)
			dhcp4test.Raw(121, make([]byte, n)...)(resp)
			resp.Options[0], resp.Options[255] = []byte{1}, []byte{2}
			if got, want := size(Of(resp)), len(resp.ToBytes()); got != want {
				t.Errorf("%d, want %d", got, want)
			}
		})
	}
}
