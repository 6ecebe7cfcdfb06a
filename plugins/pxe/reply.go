package pxe

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	maxHeaderFile = 127 // the header field file, with its final NUL
	maxText       = 255 // an option that firmware need not join (RFC 3396)
)

// boot is what a reply says to a boot client.
type boot struct {
	keepServer bool       // leave siaddr to server_id
	server     netip.Addr // siaddr; the zero Addr: 0.0.0.0
	file       string     // header field
	options    dhcpv4.Options
	nameOnly   bool // the server is only named in option 66
}

// obstacle is why a client gets no boot data. The empty obstacle is none.
type obstacle string

const (
	noServer  obstacle = "no tftp_server"
	badServer obstacle = "tftp_server is neither an IPv4 address nor a host name"
	noFile    obstacle = "no boot file for the architecture"
	badFile   obstacle = "boot file is longer than 255 bytes or has control characters"
	noURL     obstacle = "HTTP boot needs a full http:// or https:// URL"
	switchOff obstacle = "the redeploy switch is off"
	notRead   obstacle = "the redeploy switch could not be read from NetBox"
)

// answer composes the boot data for c.
func (c client) answer(config *ipam.Config) (boot, obstacle) {
	file := c.bootFile(config)
	if len(file) > maxText || strings.ContainsFunc(file, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return boot{}, badFile
	}
	b := boot{options: dhcpv4.Options{}}
	if len(c.machineID) > 0 { // byte by byte (P-15)
		b.options[dhcpv4.OptionClientMachineIdentifier.Code()] = c.machineID
	}
	switch {
	case c.ipxe && hasScheme(file, "http://", "https://", "ftp://"):
		return c.chain(b, file, config)
	case c.class == httpClass && !c.ipxe, c.class == otherClass && !c.ipxe && groupOf(c.arch) == httpBoot:
		return c.http(b, file)
	}
	return c.tftp(b, file, config)
}

// tftp composes what a client loads from tftp_server.
func (c client) tftp(b boot, file string, config *ipam.Config) (boot, obstacle) {
	// The boot ROM of a Raspberry Pi asks for names of its own.
	ownNames := c.pi && (groupOf(c.arch) == bios || groupOf(c.arch) == raspberryPi)
	if file == "" && !ownNames {
		return boot{}, noFile
	}
	if why := c.serve(&b, config.TFTPServer); why != "" {
		return boot{}, why
	}
	c.load(&b, file, c.lists67)
	return b, ""
}

// chain composes what iPXE loads from a URL; it needs no tftp_server then, and
// without one nothing that would point to the DHCP server.
func (c client) chain(b boot, file string, config *ipam.Config) (boot, obstacle) {
	if config.TFTPServer == "" {
		b.keepServer = true
	} else if why := c.serve(&b, config.TFTPServer); why != "" {
		return boot{}, why
	}
	c.load(&b, file, true)
	return b, ""
}

// http composes the answer to UEFI HTTP boot: class and full URL, and
// nothing that belongs to PXE.
func (c client) http(b boot, file string) (boot, obstacle) {
	if file == "" {
		return boot{}, noFile
	}
	u, err := url.Parse(file)
	if err != nil || u.Hostname() == "" || !hasScheme(file, "http://", "https://") {
		return boot{}, noURL
	}
	if c.class == httpClass {
		set(b.options, dhcpv4.OptClassIdentifier(c.class.String()))
	}
	c.load(&b, file, true)
	return b, ""
}

// serve names the TFTP server: in siaddr, where firmware looks, and in option
// 66 for appliances and phones; a name only fits the latter.
func (c client) serve(b *boot, server string) obstacle {
	addr, err := netip.ParseAddr(server)
	switch {
	case server == "":
		return noServer
	case err == nil && addr.Is4() && !addr.IsUnspecified():
		b.server = addr
		if c.lists66 {
			set(b.options, dhcpv4.OptTFTPServerName(server))
		}
	case err == nil, !hostName(server):
		return badServer
	default:
		set(b.options, dhcpv4.OptTFTPServerName(server))
		b.nameOnly = true
	}
	if c.class == pxeClass {
		set(b.options, dhcpv4.OptClassIdentifier(c.class.String()))
		set(b.options, dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, c.vendor()))
	}
	return ""
}

// load names the file: in the header if it fits there, and in option 67 if
// that is wanted or the only place.
func (c client) load(b *boot, file string, option67 bool) {
	if len(file) <= maxHeaderFile {
		b.file = file
	}
	if file != "" && (option67 || b.file == "") {
		set(b.options, dhcpv4.OptBootFileName(file))
	}
	if c.ipxe && file != "" {
		// Encapsulated option 176, no-pxedhcp: do not wait for ProxyDHCP.
		set(b.options, dhcpv4.OptGeneric(dhcpv4.OptionEtherboot, []byte{176, 1, 1}))
	}
}

// vendor returns option 43: discovery control 8, which is to load the named
// file and search no boot servers. Without it edk2 takes class PXEClient for an
// invitation to ask again on port 4011. A Raspberry Pi does not go on
// without menu and prompt.
func (c client) vendor() []byte {
	control := []byte{6, 1, 8}
	if !c.pi {
		return append(control, 255)
	}
	const name, prompt = "Raspberry Pi Boot", "PXE"
	menu := append([]byte{9, byte(3 + len(name)), 0, 0, byte(len(name))}, name...)
	menu = append(menu, 10, byte(1+len(prompt)), 0)
	menu = append(menu, prompt...)
	return append(append(control, menu...), 255)
}

// apply writes b into resp. What earlier plugins said about booting is taken
// out, since a machine cannot boot from a mix of two answers.
func (b boot) apply(resp *dhcp4.Packet) {
	if !b.keepServer {
		resp.ServerIPAddr = []byte{0, 0, 0, 0}
		if b.server.IsValid() {
			resp.ServerIPAddr = b.server.AsSlice()
		}
	}
	resp.ServerHostName = ""
	resp.BootFileName = b.file
	for _, code := range []dhcpv4.OptionCode{
		dhcpv4.OptionVendorSpecificInformation,
		dhcpv4.OptionClassIdentifier,
		dhcpv4.OptionTFTPServerName,
		dhcpv4.OptionBootfileName,
		dhcpv4.OptionClientMachineIdentifier,
		dhcpv4.OptionEtherboot,
	} {
		if b.options.Has(code) {
			resp.Options.Set(code, b.options.Get(code))
		} else {
			resp.Options.Delete(code)
		}
	}
}

// needsResolver reports whether the client has to resolve a name to boot, which
// it cannot without option 6.
func (b boot) needsResolver() bool {
	file := string(b.options.Get(dhcpv4.OptionBootfileName))
	if file == "" || !hasScheme(file, "http://", "https://", "ftp://") {
		return false
	}
	u, err := url.Parse(file)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}

func set(options dhcpv4.Options, o dhcpv4.Option) { options.Update(o) }

// hostName reports whether option 66 can carry s as the name of a host.
func hostName(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}
