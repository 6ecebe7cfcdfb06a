package dhcp4

import (
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// DNS-8 and R-9: the flags of option 81 by what the client asks for and what the server
// does (RFC 4702 section 4). Bits: S 1, O 2, E 4, N 8.
func TestOption81SaysWhatTheServerDoes(t *testing.T) {
	const name, labels = "pc.corp.example", "\x02pc\x04corp\x07example\x00"
	both, pointer := Registration{name + ".", true}, Registration{name + ".", false}
	for title, test := range map[string]struct {
		sent string
		does Registration
		want string
	}{
		"S: the server keeps the address":                    {"\x05\x00\x00\x02pc\x00", both, "\x05\xff\xff" + labels},
		"the client wants to, and is overruled":              {"\x04\x00\x00\x02pc\x00", both, "\x07\xff\xff" + labels},
		"the client wants to, and may: only the PTR is kept": {"\x04\x00\x00\x02pc\x00", pointer, "\x04\xff\xff" + labels},
		"N: nothing":              {"\x0c\x00\x00\x02pc\x00", Registration{}, "\x0c\xff\xff\x02pc\x00"},
		"N, and is overruled":     {"\x0c\x00\x00\x02pc\x00", both, "\x07\xff\xff" + labels},
		"S, and nothing is done":  {"\x05\x00\x00\x02pc\x00", Registration{}, "\x0e\xff\xff\x02pc\x00"},
		"the older form of names": {"\x01\x00\x00pc", both, "\x01\xff\xff" + name},
		"a client without a name learns the one that it gets": {"\x05\x00\x00", both, "\x05\xff\xff" + labels},
		"bits that mean nothing are cleared":                  {"\xf5\x00\x00\x02pc\x00", both, "\x05\xff\xff" + labels},
		"too short to be answered":                            {"\x05\x00", both, ""},
	} {
		if got := string(answerFQDN([]byte(test.sent), test.does)); got != test.want {
			t.Errorf("%s: %q, want %q", title, got, test.want)
		}
	}
}

func TestWhatAClientWantsOfItsName(t *testing.T) { // DNS-8
	for value, want := range map[string]lease.NameWish{
		"": lease.NameNoWish, "\x01\x00": lease.NameNoWish, "\x01\x00\x00": lease.NameServerUpdates, "\x00\x00\x00": lease.NameClientUpdates,
		"\x08\x00\x00": lease.NameNoUpdate, "\x09\x00\x00": lease.NameNoUpdate, "\x05\x00\x00\x02pc\x00": lease.NameServerUpdates,
	} {
		req, err := dhcpv4.New()
		if err != nil {
			t.Fatal(err)
		}
		if value != "" {
			req.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, []byte(value)))
		}
		if got := nameWish(Of(req)); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
}
