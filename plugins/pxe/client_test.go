package pxe

import (
	"fmt"
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

//
func TestWhoAsksToBoot(t *testing.T) {
	rfc3004 := dhcp4test.Raw(77, append([]byte{3, 'a', 'b', 'c', 4}, "iPXE"...)...)
	tests := map[string]struct {
		req  *dhcpv4.DHCPv4
		want bool
	}{
		"class PXEClient":                {request(t, "a BIOS network card"), true},
		"class HTTPClient":               {request(t, "edk2 by HTTP"), true},
		"options 66 and 67 listed":       {request(t, "a phone"), true},
		"only 66 listed":                 {request(t, "an operating system", dhcp4test.Raw(55, 1, 66)), false},
		"only 67 listed":                 {request(t, "an operating system", dhcp4test.Raw(55, 1, 67)), false},
		"no list is no wish to boot":     {dhcp4test.Request(t, dhcpv4.MessageTypeDiscover), false},
		"user class iPXE":                {request(t, "an operating system", dhcp4test.Text(77, "iPXE")), true},
		"X-10 user class after RFC 3004": {request(t, "an operating system", rfc3004), true},
		"another user class":             {request(t, "an operating system", dhcp4test.Text(77, "RRAS.Microsoft")), false},
		"option 175":                     {request(t, "an operating system", dhcp4test.Raw(175)), true},
		"nothing of the kind":            {request(t, "an operating system"), false},
		"REQUEST":                        {dhcp4test.Request(t, dhcpv4.MessageTypeRequest, firmware("edk2 by TFTP")...), true},
		"INFORM":                         {dhcp4test.Request(t, dhcpv4.MessageTypeInform, firmware("edk2 by TFTP")...), false},
		"BOOTP":                          {dhcp4test.Request(t, dhcpv4.MessageTypeNone, firmware("edk2 by TFTP")...), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := asks(dhcp4.Of(tt.req)); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

//
func TestArchitecture(t *testing.T) {
	class := func(s string) dhcpv4.Modifier { return dhcp4test.Text(60, s) }
	tests := map[string]struct {
		mods        []dhcpv4.Modifier
		files       map[uint16]string
		defaultArch string
		arch        uint16
		ok          bool
	}{
		"option 93":                            {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0, 11)}, nil, "", 11, true},
		"the first known of several":           {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0xff, 0, 0, 9, 0, 7)}, nil, "", 9, true},
		"X-9 a configured number is known":     {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0, 99, 0, 7)}, map[uint16]string{99: "x"}, "", 99, true},
		"option 93 before 60":                  {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0, 7), class("PXEClient:Arch:00000")}, nil, "", 7, true},
		"option 60":                            {[]dhcpv4.Modifier{class("PXEClient:Arch:00009:UNDI:003016")}, nil, "", 9, true},
		"option 60 ends after the digits":      {[]dhcpv4.Modifier{class("PXEClient:Arch:00006")}, nil, "", 6, true},
		"option 60 when 93 has an odd length":  {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0, 7, 0), class("PXEClient:Arch:00006")}, nil, "", 6, true},
		"option 60 when 93 knows nothing":      {[]dhcpv4.Modifier{dhcp4test.Raw(93, 1, 0), class("PXEClient:Arch:00006")}, nil, "", 6, true},
		"option 60 without digits":             {[]dhcpv4.Modifier{class("PXEClient:Arch:UNDI")}, nil, "", 0, false},
		"option 60 with too many digits":       {[]dhcpv4.Modifier{class("PXEClient:Arch:99999999")}, nil, "", 0, false},
		"P-8 a class of 32 characters, no PXE": {[]dhcpv4.Modifier{class("0123456789abcdef0123456789abcdef")}, nil, "", 0, false},
		"the default":                          {nil, nil, "bios", 0, true},
		"the default is for those without":     {[]dhcpv4.Modifier{dhcp4test.Raw(93, 0, 7)}, nil, "bios", 7, true},
		"none":                                 {nil, nil, "", 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, tt.mods...)
			c, ok := recognise(dhcp4.Of(req), &ipam.Config{BootFiles: tt.files}, tt.defaultArch)
			if c.arch != tt.arch || ok != tt.ok {
				t.Errorf("%d %v, want %d %v", c.arch, ok, tt.arch, tt.ok)
			}
		})
	}
}

//
func TestRaspberryPi(t *testing.T) {
	at := func(mac ...byte) dhcpv4.Modifier { return dhcpv4.WithHwAddr(net.HardwareAddr(mac)) }
	tests := map[string]struct {
		req  *dhcpv4.DHCPv4
		want bool
	}{
		"b8:27:eb":            {request(t, "a BIOS network card", at(0xb8, 0x27, 0xeb, 0, 0, 1)), true},
		"dc:a6:32":            {request(t, "a BIOS network card", at(0xdc, 0xa6, 0x32, 0, 0, 1)), true},
		"e4:5f:01":            {request(t, "a BIOS network card", at(0xe4, 0x5f, 0x01, 0, 0, 1)), true},
		"28:cd:c1":            {request(t, "a BIOS network card", at(0x28, 0xcd, 0xc1, 0, 0, 1)), true},
		"d8:3a:dd":            {request(t, "a BIOS network card", at(0xd8, 0x3a, 0xdd, 0, 0, 1)), true},
		"2c:cf:67":            {request(t, "a BIOS network card", at(0x2c, 0xcf, 0x67, 0, 0, 1)), true},
		"88:a2:9e":            {request(t, "a BIOS network card", at(0x88, 0xa2, 0x9e, 0, 0, 1)), true},
		"3a:35:41":            {request(t, "a BIOS network card", at(0x3a, 0x35, 0x41, 0, 0, 1)), true},
		"a prefix to come":    {request(t, "a BIOS network card", dhcp4test.Text(97, "\x00RPi4\x11\x31\xc0\x00\x11\x22\x33\x44\xaa\xbb\xcc\xdd")), true},
		"a board to come":     {request(t, "a BIOS network card", dhcp4test.Text(97, "\x00RPi7")), true},
		"its number as class": {request(t, "a phone", dhcp4test.Text(97, "\x00RPi4")), false},
		"another kind of 97":  {request(t, "a BIOS network card", dhcp4test.Text(97, "\x01RPi4")), false},
		"97 cut short":        {request(t, "a BIOS network card", dhcp4test.Raw(97, 0, 'R', 'P')), false},
		"97 within":           {request(t, "a BIOS network card", dhcp4test.Text(97, "\x00\x00RPi")), false},
		"97 of iPXE on it":    {request(t, "iPXE on x64 UEFI", dhcp4test.Text(97, "\x00RPi4")), false},
		"97 of edk2":          {request(t, "edk2 by TFTP", dhcp4test.Text(97, "\x00RPi4")), false},
		"architecture 41":     {request(t, "a BIOS network card", dhcp4test.Raw(93, 0, 41)), true},
		"another card":        {request(t, "a BIOS network card"), false},
		"no class":            {request(t, "a phone", at(0xb8, 0x27, 0xeb, 0, 0, 1)), false},
		"eight bytes":         {request(t, "a BIOS network card", at(0xb8, 0x27, 0xeb, 0, 0, 1, 2, 3)), false},
		"iPXE is not its ROM": {request(t, "iPXE on x64 UEFI", at(0xb8, 0x27, 0xeb, 0, 0, 1)), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if c, _ := recognise(dhcp4.Of(tt.req), new(ipam.Config), ""); c.pi != tt.want {
				t.Errorf("%v, want %v", c.pi, tt.want)
			}
		})
	}
}

// every number IANA has registered, and the one after.
func TestBootFileByArchitecture(t *testing.T) {
	config := &ipam.Config{PXEBootFile: "pxe", UEFIBootFile: "uefi", HTTPBootURL: "http"}
	table := []struct {
		file  string
		archs []uint16
	}{
		{"pxe", []uint16{0, 1, 3, 4, 5}},
		{"uefi", []uint16{2, 6, 7, 8, 9, 10, 11, 25, 27, 29, 33, 34, 35, 36, 37, 39}},
		{"http", []uint16{15, 16, 17, 18, 19, 20, 26, 28, 30, 38, 40}},
		{"", []uint16{12, 13, 14, 21, 22, 23, 24, 31, 32, 41, 42}},
	}
	covered := map[uint16]bool{}
	for _, row := range table {
		for _, arch := range row.archs {
			covered[arch] = true
			if got := (client{arch: arch}).bootFile(config); got != row.file {
				t.Errorf("architecture %d: %q, want %q", arch, got, row.file)
			}
		}
	}
	for arch := range uint16(43) {
		if !covered[arch] {
			t.Errorf("architecture %d is not in the table", arch)
		}
	}
}

func TestBootFilePrecedence(t *testing.T) {
	config := &ipam.Config{
		UEFIBootFile: "group", IPXEBootFile: "script",
		BootFiles: map[uint16]string{11: "number", 23: "u-boot"},
	}
	tests := []struct {
		name   string
		client client
		want   string
	}{
		{"X-9 the key of the group", client{arch: 7}, "group"},
		{"X-9 the very number", client{arch: 11}, "number"},
		{"X-9 the only way for U-Boot", client{arch: 23}, "u-boot"},
		{"X-10 iPXE before both", client{arch: 11, ipxe: true}, "script"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.client.bootFile(config); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if got := (client{arch: 7, ipxe: true}).bootFile(&ipam.Config{UEFIBootFile: "group"}); got != "group" {
		t.Errorf("X-10 without ipxe_boot_file: %q, want the firmware's file", got)
	}
}

// FuzzAnswer takes any request and any context through the plugin's own logic.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"a BIOS network card", "edk2 by TFTP", "edk2 by HTTP", "the iPXE of SeaBIOS", "a Raspberry Pi", "a phone"} {
		f.Add(request(f, name).ToBytes(), "10.0.0.66", "pxelinux.0")
		f.Add(request(f, name).ToBytes(), "tftp.example.net", "https://boot.example.net/x.efi")
	}
	f.Fuzz(func(t *testing.T, datagram []byte, server, file string) {
		req, err := dhcpv4.FromBytes(datagram)
		if err != nil || !asks(dhcp4.Of(req)) {
			return
		}
		config := &ipam.Config{TFTPServer: server, PXEBootFile: file, UEFIBootFile: file, HTTPBootURL: file, IPXEBootFile: file,
			BootFiles: map[uint16]string{13: file}}
		c, ok := recognise(dhcp4.Of(req), config, "bios")
		if !ok {
			t.Fatal("no architecture in spite of a default")
		}
		b, why := c.answer(config)
		if why != "" {
			return
		}
		resp := dhcp4test.Prepared(t, req)
		reply := dhcp4.Of(resp)
		b.apply(reply)
		_ = b.needsResolver()
		read := dhcp4test.OverTheWire(t, reply.Library())
		if read.BootFileName != b.file || read.ServerHostName != "" {
			t.Fatalf("header file %q sname %q, want %q", read.BootFileName, read.ServerHostName, b.file)
		}
		if got := string(read.Options.Get(dhcpv4.OptionBootfileName)); got != "" && got != file {
			t.Fatalf("option 67 %q, want %q", got, file)
		}
		if c.class == httpClass && !c.ipxe && (!read.ServerIPAddr.Equal(net.IPv4zero) || read.Options.Has(dhcpv4.OptionVendorSpecificInformation)) {
			t.Fatal("PXE data for an HTTP client")
		}
		for _, code := range []uint8{60, 66, 67} {
			if b, ok := read.Options[code]; ok && len(b) == 0 {
				t.Fatal(fmt.Sprint("empty option ", code))
			}
		}
	})
}
