package settings

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// maxTransfers is what one machine can be asked to carry at once.
const maxTransfers = 4096

func validateBootService(r *strictyaml.Report, b BootService) {
	const section = "netbox.boot_service."
	listenAddress(r, section+"tftp_listen", b.TFTPListen, true)
	listenAddress(r, section+"http_listen", b.HTTPListen, false)
	if b.Folder == "" {
		for _, key := range []string{"tftp_listen", "http_listen", "max_transfers", "max_per_client"} {
			if r.Has(section+key) && !r.Has(section+"folder") {
				r.Addf(section+key, "has no effect without %sfolder", section)
			}
		}
	} else if b.TFTPListen == "" && b.HTTPListen == "" {
		r.Addf(section+"folder", "want an address in tftp_listen or http_listen to serve it at")
	}
	if b.MaxTransfers < 1 || b.MaxTransfers > maxTransfers {
		r.Addf(section+"max_transfers", "want 1 to %d, not %d", maxTransfers, b.MaxTransfers)
	} else if b.MaxPerClient < 1 || b.MaxPerClient > b.MaxTransfers {
		r.Addf(section+"max_per_client", "want 1 to max_transfers, which is %d, not %d", b.MaxTransfers, b.MaxPerClient)
	}
}

// validateProxy checks netbox.pxe.proxy_dhcp. Whether the interfaces are
// right for it is only known where they are.
func (o Options) validateProxy(r *strictyaml.Report, f *File) {
	const key = "netbox.pxe.proxy_dhcp"
	interfaces := f.NetBox.PXE.ProxyDHCP
	if len(interfaces) == 0 {
		return
	}
	switch {
	case o.Stock:
		r.Addf(key, "the stock server cannot do this: it does not tell where a packet came from")
	case !f.Chain.Has(PluginNetBox) || !f.Chain.Has(PluginPXE):
		r.Addf(key, "needs the plugins netbox and netbox_pxe under server4, which know the boot data")
	}
	for i, name := range interfaces {
		switch {
		case !interfaceName(name):
			r.Addf(key, "want names of interfaces such as eth0, not %.40q", name)
		case slices.Contains(interfaces[:i], name):
			r.Addf(key, "%s is listed twice", name)
		}
	}
}

// interfaceName says that Linux can call an interface s.
func interfaceName(s string) bool {
	return s != "" && len(s) < 16 && s != "." && s != ".." && !strings.ContainsAny(s, "/:%* \t\n")
}

// listenAddress checks an address such as :69 or 10.0.0.2:69.
func listenAddress(r *strictyaml.Report, key, address string, only4 bool) {
	if address == "" {
		return
	}
	at := strings.LastIndexByte(address, ':')
	if at < 0 {
		r.Addf(key, "want an address and a port, such as :69 or 10.0.0.2:69, not %.60q", address)
		return
	}
	if _, err := strconv.ParseUint(address[at+1:], 10, 16); err != nil {
		r.Addf(key, "want a port of 0 to 65535 after the colon, not %.60q", address[at+1:])
		return
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address[:at], "["), "]")
	if host == "" {
		return
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil || addr.IsMulticast():
		r.Addf(key, "want an address of this machine before the port, not %.60q", host)
	case only4 && !addr.Is4():
		r.Addf(key, "want an IPv4 address, not %s", addr)
	}
}
