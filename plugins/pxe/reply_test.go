package pxe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// said is what a reply says about booting.
type said struct {
	Siaddr, File string
	Options      map[uint8]string
}

// bootData runs a request through the plugin's logic and over the wire.
func bootData(t *testing.T, req *dhcpv4.DHCPv4, config *ipam.Config) (said, obstacle) {
	t.Helper()
	c, ok := recognise(dhcp4.Of(req), config, "")
	if !ok {
		t.Fatal("no architecture")
	}
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	resp.ServerHostName = "left over"
	dhcp4test.Raw(43, 1, 2, 3)(resp) // of a plugin before this one
	b, why := c.answer(config)
	if why != "" {
		return said{}, why
	}
	reply := dhcp4.Of(resp)
	b.apply(reply)
	resp = dhcp4test.OverTheWire(t, reply.Library())
	if resp.ServerHostName != "" {
		t.Errorf("sname %q, want none", resp.ServerHostName)
	}
	got := said{Siaddr: resp.ServerIPAddr.String(), File: resp.BootFileName, Options: map[uint8]string{}}
	for _, code := range []uint8{43, 60, 66, 67, 97, 175} {
		if b, ok := resp.Options[code]; ok {
			got.Options[code] = string(b)
		}
	}
	return got, ""
}

const (
	control = "\x06\x01\x08\xff"
	piMenu  = "\x06\x01\x08" + "\x09\x14\x00\x00\x11Raspberry Pi Boot" + "\x0a\x04\x00PXE" + "\xff"
	noProxy = "\xb0\x01\x01"
)

func TestBootData(t *testing.T) {
	fleet := &ipam.Config{
		TFTPServer: "10.0.0.66", PXEBootFile: "pxelinux.0", UEFIBootFile: "grubx64.efi",
		HTTPBootURL: "https://boot.example.net/grub.efi",
	}
	with := func(change func(*ipam.Config)) *ipam.Config {
		c := *fleet
		change(&c)
		return &c
	}
	id, long := string(machineID), strings.Repeat("d/", 63)+"f" // 127 bytes
	tests := map[string]struct {
		req    *dhcpv4.DHCPv4
		config *ipam.Config
		want   said
	}{
		"X-4 a BIOS network card": {request(t, "a BIOS network card"), fleet, said{"10.0.0.66", "pxelinux.0",
			map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "pxelinux.0", 97: id}}},
		"X-8 edk2 by TFTP": {request(t, "edk2 by TFTP"), fleet, said{"10.0.0.66", "grubx64.efi",
			map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "grubx64.efi", 97: id}}},
		"X-4 66 and 67 only when listed": {request(t, "edk2 by TFTP", dhcp4test.Raw(55, 1, 3)), fleet,
			said{"10.0.0.66", "grubx64.efi", map[uint8]string{43: control, 60: "PXEClient", 97: id}}},
		"X-4 66 and 67 without a list": {request(t, "edk2 by TFTP", dhcpv4.WithoutOption(dhcpv4.OptionParameterRequestList)), fleet,
			said{"10.0.0.66", "grubx64.efi",
				map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "grubx64.efi", 97: id}}},
		"X-4 a client of another class": {request(t, "a phone", dhcp4test.Raw(93, 0, 0)), fleet, said{"10.0.0.66", "pxelinux.0",
			map[uint8]string{66: "10.0.0.66", 67: "pxelinux.0"}}},
		"X-4 127 bytes fit the header": {request(t, "edk2 by TFTP", dhcp4test.Raw(55, 1)),
			with(func(c *ipam.Config) { c.UEFIBootFile = long }),
			said{"10.0.0.66", long, map[uint8]string{43: control, 60: "PXEClient", 97: id}}},
		"X-4 option 67 when the file does not fit": {request(t, "edk2 by TFTP", dhcp4test.Raw(55, 1)),
			with(func(c *ipam.Config) { c.UEFIBootFile = long + "f" }),
			said{"10.0.0.66", "", map[uint8]string{43: control, 60: "PXEClient", 67: long + "f", 97: id}}},
		"X-5 a TFTP server given as a name": {request(t, "edk2 by TFTP", dhcp4test.Raw(55, 1)),
			with(func(c *ipam.Config) { c.TFTPServer = "tftp.example.net" }),
			said{"0.0.0.0", "grubx64.efi", map[uint8]string{43: control, 60: "PXEClient", 66: "tftp.example.net", 97: id}}},
		"X-12 edk2 by HTTP": {request(t, "edk2 by HTTP"), fleet, said{"0.0.0.0", "https://boot.example.net/grub.efi",
			map[uint8]string{60: "HTTPClient", 67: "https://boot.example.net/grub.efi", 97: id}}},
		"X-12 a URL too long for the header": {request(t, "edk2 by HTTP"),
			with(func(c *ipam.Config) { c.HTTPBootURL = "http://b/" + long }),
			said{"0.0.0.0", "", map[uint8]string{60: "HTTPClient", 67: "http://b/" + long, 97: id}}},
		"X-12 an HTTP architecture of another class": {request(t, "a phone", dhcp4test.Raw(93, 0, 16)), fleet,
			said{"0.0.0.0", "https://boot.example.net/grub.efi", map[uint8]string{67: "https://boot.example.net/grub.efi"}}},
		"X-10 iPXE without a file of its own": {request(t, "the iPXE of SeaBIOS"), fleet, said{"10.0.0.66", "pxelinux.0",
			map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "pxelinux.0", 97: id, 175: noProxy}}},
		"X-10 iPXE with a file by TFTP": {request(t, "iPXE on x64 UEFI"),
			with(func(c *ipam.Config) { c.IPXEBootFile = "menu.ipxe" }),
			said{"10.0.0.66", "menu.ipxe",
				map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "menu.ipxe", 175: noProxy}}},
		"X-11 iPXE with a URL": {request(t, "iPXE on x64 UEFI"),
			with(func(c *ipam.Config) { c.IPXEBootFile = "http://b/menu.ipxe" }),
			said{"10.0.0.66", "http://b/menu.ipxe",
				map[uint8]string{43: control, 60: "PXEClient", 66: "10.0.0.66", 67: "http://b/menu.ipxe", 175: noProxy}}},
		"X-11 iPXE with a URL and no TFTP server": {request(t, "iPXE on x64 UEFI"),
			&ipam.Config{IPXEBootFile: "FTP://b/menu.ipxe"},
			said{"10.0.0.2", "FTP://b/menu.ipxe", map[uint8]string{67: "FTP://b/menu.ipxe", 175: noProxy}}},
		"X-14 a Raspberry Pi": {request(t, "a Raspberry Pi"), &ipam.Config{TFTPServer: "10.0.0.66"}, said{"10.0.0.66", "",
			map[uint8]string{43: piMenu, 60: "PXEClient", 66: "10.0.0.66", 97: id}}},
		"X-14 a Raspberry Pi by option 97": {request(t, "a BIOS network card", dhcp4test.Text(97, "\x00RPi4\x11\x31\xc0\x00")), &ipam.Config{TFTPServer: "10.0.0.66"},
			said{"10.0.0.66", "", map[uint8]string{43: piMenu, 60: "PXEClient", 66: "10.0.0.66", 97: "\x00RPi4\x11\x31\xc0\x00"}}},
		"X-14 a Raspberry Pi by its architecture": {request(t, "a BIOS network card", dhcp4test.Raw(93, 0, 41)), fleet,
			said{"10.0.0.66", "", map[uint8]string{43: piMenu, 60: "PXEClient", 66: "10.0.0.66", 97: id}}},
		"X-14 a Raspberry Pi with a file for BIOS": {request(t, "a Raspberry Pi"), fleet, said{"10.0.0.66", "pxelinux.0",
			map[uint8]string{43: piMenu, 60: "PXEClient", 66: "10.0.0.66", 67: "pxelinux.0", 97: id}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, why := bootData(t, tt.req, tt.config)
			if why != "" {
				t.Fatalf("no boot data: %s", why)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			// the ACK says what the OFFER said.
			tt.req.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
			if again, _ := bootData(t, tt.req, tt.config); !cmp.Equal(got, again) {
				t.Errorf("ACK differs: %s", cmp.Diff(got, again))
			}
		})
	}
}

func TestNoBootDataAtAll(t *testing.T) {
	const server = "10.0.0.66"
	tests := map[string]struct {
		req    *dhcpv4.DHCPv4
		config ipam.Config
		want   obstacle
	}{
		"X-6 no TFTP server":                 {request(t, "edk2 by TFTP"), ipam.Config{UEFIBootFile: "f"}, noServer},
		"X-6 no file for the architecture":   {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: server, PXEBootFile: "f"}, noFile},
		"X-5 an IPv6 address":                {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: "2001:db8::1", UEFIBootFile: "f"}, badServer},
		"X-5 the zero address":               {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: "0.0.0.0", UEFIBootFile: "f"}, badServer},
		"X-5 a URL is no name":               {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: "tftp://a/", UEFIBootFile: "f"}, badServer},
		"a file with a line break":           {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: server, UEFIBootFile: "f\n"}, badFile},
		"F-32 a file of 256 bytes":           {request(t, "edk2 by TFTP"), ipam.Config{TFTPServer: server, UEFIBootFile: strings.Repeat("f", 256)}, badFile},
		"X-12 no URL":                        {request(t, "edk2 by HTTP"), ipam.Config{TFTPServer: server, UEFIBootFile: "f"}, noFile},
		"X-12 a path is no URL":              {request(t, "edk2 by HTTP"), ipam.Config{HTTPBootURL: "/grub.efi"}, noURL},
		"X-12 a URL without a host":          {request(t, "edk2 by HTTP"), ipam.Config{HTTPBootURL: "http:///grub.efi"}, noURL},
		"X-12 a URL of another kind":         {request(t, "edk2 by HTTP"), ipam.Config{HTTPBootURL: "tftp://h/grub.efi"}, noURL},
		"X-14 a Raspberry Pi without server": {request(t, "a Raspberry Pi"), ipam.Config{}, noServer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, why := bootData(t, tt.req, &tt.config); why != tt.want {
				t.Errorf("%q, want %q; sent %+v", why, tt.want, got)
			}
		})
	}
}

//
func TestNeedsResolver(t *testing.T) {
	for file, want := range map[string]bool{
		"https://boot.example.net/x": true,
		"http://10.0.0.66/x":         false,
		"http://[2001:db8::1]/x":     false,
		"pxelinux.0":                 false,
		"":                           false,
	} {
		b := boot{options: dhcpv4.Options{67: []byte(file)}}
		if got := b.needsResolver(); got != want {
			t.Errorf("%q: %v, want %v", file, got, want)
		}
	}
}
