package dhcp4

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// setOf compiles the value under the context key.
func setOf(t testing.TB, data string) *option.Set {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(data), &object); err != nil {
		t.Fatal(err)
	}
	s, findings := option.Compile([]option.Layer{{Source: "x", Data: object}})
	if len(findings) > 0 {
		t.Fatalf("%+v", findings)
	}
	return s
}

// sent lists the options of resp that set could have given, as text or hex.
func sent(resp *dhcpv4.DHCPv4, codes ...uint8) map[uint8]string {
	out := make(map[uint8]string)
	for _, code := range codes {
		if v, ok := resp.Options[code]; ok {
			out[code] = string(v)
		}
	}
	return out
}

// OPT-7, OPT-9, OPT-11: which messages get options, and which never do.
func TestFillOptions(t *testing.T) {
	const data = `{"options": {"66": "tftp", "67": "file", "44": "10.0.0.1", "17": {"value": "/root", "force": true}, "252": {"value": "wpad", "force": true}},
		"vendor_classes": {"Cisco": {"options": {"66": "cisco", "150": "1.2.3.4"}}, "PXEClient": {"options": {"43": {"value": {"6": {"uint8": 8}}, "force": true}, "209": "menu"}}},
		"user_classes": {"lab": {"options": {"66": "lab"}}},
		"architectures": {"7": {"options": {"67": {"value": "seven", "force": true}, "44": "10.0.0.7"}}}}`
	asks := dhcp4test.Raw(55, 1, 17, 43, 44, 66, 67, 150, 209, 252)
	all := map[uint8]string{17: "/root", 44: "\x0a\x00\x00\x01", 66: "tftp", 67: "file", 252: "wpad"}
	forced := map[uint8]string{17: "/root", 252: "wpad"}
	noBoot := map[uint8]string{44: "\x0a\x00\x00\x01", 252: "wpad"}
	for name, c := range map[string]struct {
		kind dhcpv4.MessageType
		mods []dhcpv4.Modifier
		want map[uint8]string
		kept []uint8
	}{
		"DISCOVER":                    {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{asks}, all, nil},
		"REQUEST":                     {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks}, all, nil},
		"INFORM":                      {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{asks}, all, nil},
		"BOOTP has no option 55":      {dhcpv4.MessageTypeNone, nil, forced, nil},
		"without option 55":           {dhcpv4.MessageTypeRequest, nil, forced, nil},
		"an empty option 55":          {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(55)}, forced, nil},
		"a class":                     {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Text(60, "Cisco Systems")}, map[uint8]string{17: "/root", 44: "\x0a\x00\x00\x01", 66: "cisco", 67: "file", 150: "\x01\x02\x03\x04", 252: "wpad"}, nil},
		"a user class with length":    {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Text(77, "\x01a\x03lab")}, map[uint8]string{17: "/root", 44: "\x0a\x00\x00\x01", 66: "lab", 67: "file", 252: "wpad"}, nil},
		"a user class without length": {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Text(77, "lab")}, map[uint8]string{17: "/root", 44: "\x0a\x00\x00\x01", 66: "lab", 67: "file", 252: "wpad"}, nil},
		"class PXEClient":             {dhcpv4.MessageTypeDiscover, []dhcpv4.Modifier{asks, dhcp4test.Text(60, "PXEClient:Arch:00007")}, noBoot, []uint8{17, 43, 66, 67, 209}},
		"class PXEClient in INFORM":   {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{asks, dhcp4test.Text(60, "PXEClient")}, noBoot, []uint8{17, 43, 66, 67, 209}},
		"class PXEClient in BOOTP":    {dhcpv4.MessageTypeNone, []dhcpv4.Modifier{dhcp4test.Text(60, "PXEClient")}, map[uint8]string{252: "wpad"}, []uint8{17, 43}},
		"class HTTPClient":            {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Text(60, "HTTPClient")}, noBoot, []uint8{17, 66, 67}},
		"iPXE by option 175":          {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Raw(175, 1)}, noBoot, []uint8{17, 66, 67}},
		"iPXE by user class":          {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Text(77, "iPXE")}, noBoot, []uint8{17, 66, 67}},
		"an architecture, 66 and 67":  {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{asks, dhcp4test.Raw(93, 0, 7)}, map[uint8]string{44: "\x0a\x00\x00\x07", 252: "wpad"}, []uint8{17, 66, 67}},
		"an architecture alone":       {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(55, 66), dhcp4test.Raw(93, 0, 7)}, map[uint8]string{17: "/root", 66: "tftp", 67: "seven", 252: "wpad"}, nil},
		"an odd option 93":            {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{dhcp4test.Raw(55, 66), dhcp4test.Raw(93, 0, 7, 0)}, map[uint8]string{17: "/root", 66: "tftp", 252: "wpad"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, c.kind, append(c.mods, dhcp4test.ClientAddr("10.0.0.77"))...)
			resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
			added, kept := fillOptions(req, resp, setOf(t, data))
			resp = dhcp4test.OverTheWire(t, resp)
			if diff := cmp.Diff(c.want, sent(resp, 17, 43, 44, 60, 66, 67, 150, 209, 252)); diff != "" {
				t.Error(diff)
			}
			if len(added) != len(c.want) || !slices.Equal(kept, c.kept) {
				t.Errorf("added %v, kept back %v, want %v", added, kept, c.kept)
			}
			if !resp.ServerIPAddr.Equal(dhcp4test.Server().AsSlice()) || resp.BootFileName != "" {
				t.Errorf("siaddr %s, file %q", resp.ServerIPAddr, resp.BootFileName)
			}
		})
	}
}

// OPT-7: a refusal, and an OFFER without an address, carry nothing of this.
func TestFillOptionsOnlyWhereSomethingIsGranted(t *testing.T) {
	set := setOf(t, `{"options": {"66": {"value": "a", "force": true}}}`)
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
	nak := dhcp4test.Granted(t, req, "10.0.0.77/24")
	nak.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
	discover := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
	for name, pair := range map[string][2]*dhcpv4.DHCPv4{"NAK": {req, nak}, "no address": {discover, dhcp4test.Prepared(t, discover)}} {
		if added, _ := fillOptions(pair[0], pair[1], set); added != nil || pair[1].Options.Has(dhcpv4.OptionTFTPServerName) {
			t.Errorf("%s: %v", name, added)
		}
	}
}

// OPT-10, R-5: what is not forced goes first, then the list of R-5, and what is
// forced last; the options of R-1 stay.
func TestTrimLeavesOptionsOfContextsOutFirst(t *testing.T) {
	value := func(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }
	for name, c := range map[string]struct {
		size     int
		replaced bool
		left     []uint8
		fits     bool
	}{
		"all fit":                   {20, false, nil, true},
		"the last one goes":         {90, false, []uint8{150}, true},
		"both that are not forced":  {150, false, []uint8{150, 66}, true},
		"and a name server's list":  {190, false, []uint8{150, 66, 119}, true},
		"and what is forced":        {300, false, []uint8{150, 66, 119, 67}, true},
		"what another plugin wrote": {140, true, []uint8{66, 119}, true},
	} {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
			resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
			added := []option.Chosen{{Code: 66, Value: value(c.size)}, {Code: 67, Value: value(c.size), Force: true}, {Code: 150, Value: value(c.size)}}
			for _, o := range added {
				resp.Options[o.Code] = o.Value
			}
			resp.Options[119] = value(100)
			if c.replaced {
				resp.Options[150] = append(value(c.size-1), 'y')
			}
			left, fits := trim(req, resp, added)
			var codes []uint8
			for _, code := range left {
				codes = append(codes, code.Code())
			}
			if !slices.Equal(codes, c.left) || fits != c.fits {
				t.Errorf("left out %v, fits %v; want %v, %v", codes, fits, c.left, c.fits)
			}
			for _, code := range []uint8{1, 53, 54} {
				if _, ok := resp.Options[code]; !ok {
					t.Errorf("option %d is gone", code)
				}
			}
			if again, _ := trim(req, resp, added); again != nil {
				t.Errorf("a second call leaves out %v", again)
			}
		})
	}
}

// OPT-9: whatever a client writes, it gets no boot option if it boots.
func FuzzFillOptions(f *testing.F) {
	set := setOf(f, `{"options": {"66": {"value": "a", "force": true}, "43": {"hex": "0a"}, "44": "10.0.0.1"}, "user_classes": {"lab": {"options": {"67": "b"}}}, "architectures": {"7": {"options": {"209": "c"}}}}`)
	f.Add([]byte("PXEClient:Arch:00007"), []byte("\x03lab"), []byte{0, 7}, []byte{43, 44, 66, 67, 209})
	f.Fuzz(func(t *testing.T, class, user, arch, asked []byte) {
		req := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, ClientHWAddr: dhcp4test.MAC(), Options: dhcpv4.Options{53: {3}, 55: asked, 60: class, 77: user, 93: arch}}
		resp := dhcp4test.Prepared(t, req)
		resp.YourIPAddr = []byte{10, 0, 0, 77}
		added, _ := fillOptions(req, resp, set)
		for _, c := range added {
			if Boots(Of(req)) && bootOption(c.Code) || !c.Force && !slices.Contains(asked, c.Code) {
				t.Errorf("option %d to class %q", c.Code, class)
			}
		}
	})
}
