package option

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
)

// known is one option of the registry.
type known struct {
	name string // IANA's, in lower case with dashes
	form form   // what its value is; explicit: several uses are known, or none
	low  int64  // smallest number, for numbers
}

// registry has the options that IANA's registry "BOOTP Vendor Extensions and DHCP
// Options" names, and those in wide use that it does not: 160, 239, 249 and 252.
// Owned options are here for their names.
var registry = map[uint8]known{ //nolint:gochecknoglobals // a table, never changed
	0: {name: "pad"}, 1: {name: "subnet-mask"}, 2: {"time-offset", int32s, -1 << 31}, 3: {name: "router"},
	4: {"time-server", addresses, 0}, 5: {"name-server", addresses, 0}, 6: {name: "domain-server"}, 7: {"log-server", addresses, 0},
	8: {"quotes-server", addresses, 0}, 9: {"lpr-server", addresses, 0}, 10: {"impress-server", addresses, 0}, 11: {"rlp-server", addresses, 0},
	12: {name: "hostname"}, 13: {"boot-file-size", uint16s, 0}, 14: {"merit-dump-file", text, 0}, 15: {name: "domain-name"},
	16: {"swap-server", address, 0}, 17: {"root-path", text, 0}, 18: {"extension-file", text, 0}, 19: {"forward-on-off", boolean, 0},
	20: {"srcrte-on-off", boolean, 0}, 21: {"policy-filter", pairs, 0}, 22: {"max-dg-assembly", uint16s, 576}, 23: {"default-ip-ttl", uint8s, 1},
	24: {"mtu-timeout", uint32s, 0}, 25: {"mtu-plateau", uint16List, 68}, 26: {name: "mtu-interface"}, 27: {"mtu-subnet", boolean, 0},
	28: {name: "broadcast-address"}, 29: {"mask-discovery", boolean, 0}, 30: {"mask-supplier", boolean, 0}, 31: {"router-discovery", boolean, 0},
	32: {"router-request", address, 0}, 33: {"static-route", pairs, 0}, 34: {"trailers", boolean, 0}, 35: {"arp-timeout", uint32s, 0},
	36: {"ethernet", boolean, 0}, 37: {"default-tcp-ttl", uint8s, 1}, 38: {"keepalive-time", uint32s, 0}, 39: {"keepalive-data", boolean, 0},
	40: {"nis-domain", text, 0}, 41: {"nis-servers", addresses, 0}, 42: {name: "ntp-servers"}, 43: {"vendor-specific", subOptions, 0},
	44: {"netbios-name-srv", addresses, 0}, 45: {"netbios-dist-srv", addresses, 0}, 46: {"netbios-node-type", nodeType, 0}, 47: {"netbios-scope", text, 0},
	48: {"x-window-font", addresses, 0}, 49: {"x-window-manager", addresses, 0}, 50: {name: "address-request"}, 51: {name: "address-time"},
	52: {name: "overload"}, 53: {name: "dhcp-msg-type"}, 54: {name: "dhcp-server-id"}, 55: {name: "parameter-list"},
	56: {"dhcp-message", text, 0}, 57: {name: "dhcp-max-msg-size"}, 58: {name: "renewal-time"}, 59: {name: "rebinding-time"},
	60: {"class-id", text, 0}, 61: {name: "client-id"}, 62: {"netware-ip-domain", text, 0}, 63: {"netware-ip-option", subOptions, 0},
	64: {"nis-domain-name", text, 0}, 65: {"nis-server-addr", addresses, 0}, 66: {"server-name", text, 0}, 67: {"bootfile-name", text, 0},
	68: {"home-agent-addrs", addresses, 0}, 69: {"smtp-server", addresses, 0}, 70: {"pop3-server", addresses, 0}, 71: {"nntp-server", addresses, 0},
	72: {"www-server", addresses, 0}, 73: {"finger-server", addresses, 0}, 74: {"irc-server", addresses, 0}, 75: {"streettalk-server", addresses, 0},
	76: {"stda-server", addresses, 0}, 77: {"user-class", hexBytes, 0}, 78: {"directory-agent", slpAgents, 0}, 79: {"service-scope", slpScope, 0},
	80: {name: "rapid-commit"}, 81: {name: "client-fqdn"}, 82: {name: "relay-agent-information"}, 83: {"isns", hexBytes, 0},
	85: {"nds-servers", addresses, 0}, 86: {"nds-tree-name", text, 0}, 87: {"nds-context", text, 0},
	88: {"bcmcs-controller-domain-name-list", domains, 0}, 89: {"bcmcs-controller-ipv4-address-option", addresses, 0}, 90: {name: "authentication"},
	91: {"client-last-transaction-time-option", uint32s, 0}, 92: {"associated-ip-option", addresses, 0}, 93: {"client-system", uint16List, 0},
	94: {"client-ndi", hexBytes, 0}, 95: {"ldap", text, 0}, 97: {"uuid-guid", hexBytes, 0}, 98: {"user-auth", text, 0},
	99: {"geoconf-civic", hexBytes, 0}, 100: {"pcode", text, 0}, 101: {"tcode", text, 0}, 108: {name: "ipv6-only-preferred"},
	109: {"option-dhcp4o6-s46-saddr", hexBytes, 0}, 112: {"netinfo-address", addresses, 0}, 113: {"netinfo-tag", text, 0},
	114: {"dhcp-captive-portal", text, 0}, 116: {name: "auto-config"}, 117: {"name-service-search", uint16List, 0},
	118: {name: "subnet-selection-option"}, 119: {name: "domain-search"}, 120: {"sip-servers-dhcp-option", sipServers, 0},
	121: {name: "classless-static-route-option"}, 122: {"ccc", subOptions, 0}, 123: {"geoconf-option", hexBytes, 0},
	124: {"v-i-vendor-class", vendorClasses, 0}, 125: {"v-i-vendor-specific-information", vendorOptions, 0},
	128: {name: "tftp-server-ip-address"}, 129: {name: "call-server-ip-address"}, 130: {name: "discrimination-string"},
	131: {name: "remote-statistics-server-ip-address"}, 132: {name: "ieee-802-1q-vlan-id"}, 133: {name: "ieee-802-1d-p-layer-2-priority"},
	134: {name: "diffserv-code-point"}, 135: {name: "http-proxy-for-phone-specific-applications"},
	136: {"option-pana-agent", addresses, 0}, 137: {"option-v4-lost", domain, 0}, 138: {"option-capwap-ac-v4", addresses, 0},
	139: {"option-ipv4-address-mos", subOptions, 0}, 140: {"option-ipv4-fqdn-mos", subOptions, 0},
	141: {"sip-ua-configuration-service-domains", domains, 0}, 142: {"option-ipv4-address-andsf", addresses, 0},
	143: {"option-v4-sztp-redirect", uriList, 0}, 144: {"geoloc", hexBytes, 0}, 145: {"forcerenew-nonce-capable", hexBytes, 0},
	146: {"rdnss-selection", hexBytes, 0}, 147: {"option-v4-dots-ri", domain, 0}, 148: {"option-v4-dots-address", addresses, 0},
	150: {"tftp-server-address", addresses, 0}, 151: {"status-code", hexBytes, 0}, 152: {"base-time", uint32s, 0},
	153: {"start-time-of-state", uint32s, 0}, 154: {"query-start-time", uint32s, 0}, 155: {"query-end-time", uint32s, 0},
	156: {"dhcp-state", uint8s, 0}, 157: {"data-source", uint8s, 0}, 158: {"option-v4-pcp-server", hexBytes, 0},
	159: {"option-v4-portparams", hexBytes, 0}, 160: {"provisioning-server", text, 0}, 161: {"option-mud-url-v4", text, 0},
	162: {"option-v4-dnr", hexBytes, 0}, 175: {"etherboot", subOptions, 0}, 176: {"ip-telephone", text, 0},
	177: {"packetcable", subOptions, 0}, 208: {"pxelinux-magic", hexBytes, 0}, 209: {"configuration-file", text, 0},
	210: {"path-prefix", text, 0}, 211: {"reboot-time", uint32s, 0}, 212: {"option-6rd", hexBytes, 0},
	213: {"option-v4-access-domain", domain, 0}, 220: {"subnet-allocation-option", hexBytes, 0},
	221: {"virtual-subnet-selection-vss-option", hexBytes, 0}, 239: {"provisioning-url", text, 0},
	249: {name: "microsoft-classless-static-route"}, 252: {"wpad", text, 0}, 255: {name: "end"},
}

// alsoKnownAs are names of RFC 2132 and of common use that differ from IANA's.
var alsoKnownAs = map[string]uint8{ //nolint:gochecknoglobals // a table, never changed
	"vendor-encapsulated-options": 43, "netbios-name-servers": 44, "vendor-class-identifier": 60, "tftp-server-name": 66,
	"boot-file-name": 67, "captive-portal": 114, "vendor-class": 124, "vendor-options": 125, "capwap-ac": 138,
}

// ownKey says where the value of an option is set that has a key of its own.
var ownKey = map[uint8]string{ //nolint:gochecknoglobals // a table, never changed
	3: "it is the address with the gateway tag, or netbox.gateway.fallback in the settings", 6: "write dns_servers beside options",
	12: "set netbox.clients.send_hostname: true in the settings", 15: "write domain_name beside options", 26: "write mtu beside options",
	42: "write ntp_servers beside options", 108: "write ipv6_only_wait beside options", 119: "write domain_search beside options",
	121: "write static_routes beside options", 249: "write static_routes beside options",
}

// written says how the value of an option is written. Phones and access points
// read some options as text, whatever IANA has them for: the proxy of Aruba (148),
// the provisioning servers of Polycom (150) and Cisco (159). {text: ...} means them.
func written(code uint8, value any) known {
	k := registry[code]
	if named, _, ok := namedForm(value); ok && named == text && (code == 148 || code == 150 || code == 159) {
		k.form = text
	}
	return k
}

// owned reports whether the server makes the option itself.
func owned(code uint8) bool {
	switch code {
	case 0, 1, 28, 57, 58, 59, 61, 80, 81, 82, 90, 116, 118, 255:
		return true
	}
	return code >= 50 && code <= 55
}

// byName finds a code by its name; built once from the registry.
var byName = func() map[string]uint8 { //nolint:gochecknoglobals // a table, never changed
	names := make(map[string]uint8, len(registry))
	for code, k := range registry {
		names[k.name] = code
		names[strings.TrimPrefix(k.name, "option-")] = code
	}
	for name, code := range alsoKnownAs {
		names[name] = code
	}
	return names
}()

// Name returns the registry's name of an option; "" for one that it does not have.
func Name(code uint8) string { return registry[code].name }

// Code reads the key of an option, a number or a name of the registry.
func Code(key string) (uint8, error) {
	name := strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(key))
	if code, ok := byName[name]; ok {
		return code, nil
	}
	if n, err := strconv.ParseUint(key, 10, 8); err == nil {
		return uint8(n), nil
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	if near := nearest.Word(name, names); near != "" {
		return 0, fmt.Errorf("no option has this name: did you mean %s (%d)?", near, byName[near])
	}
	return 0, fmt.Errorf("no option has this name: write its number, 2 to 254, or IANA's name in lower case with dashes")
}

// refused says why an option cannot be set here; "" if it can.
func refused(code uint8) string {
	switch where, own := ownKey[code]; {
	case own:
		return fmt.Sprintf("option %d (%s) has a place of its own: %s", code, registry[code].name, where)
	case owned(code):
		return fmt.Sprintf("option %d (%s) belongs to the server: take it out", code, registry[code].name)
	}
	return ""
}
