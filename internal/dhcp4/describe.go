package dhcp4

import (
	"fmt"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Describe lists what a reply carries, by header field and option.
func Describe(resp *dhcpv4.DHCPv4) map[string]string {
	fields := make(map[string]string)
	for code, value := range resp.Options {
		name := dhcpv4.OptionCode(dhcpv4.GenericOptionCode(code)).String()
		one := dhcpv4.Options{code: value}.String()
		fields[fmt.Sprintf("option %3d", code)] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(one), name+":"))
	}
	if HeaderAddr(resp.YourIPAddr).IsValid() {
		fields["yiaddr"] = resp.YourIPAddr.String()
	}
	if HeaderAddr(resp.ServerIPAddr).IsValid() {
		fields["siaddr"] = resp.ServerIPAddr.String()
	}
	if resp.BootFileName != "" {
		fields["file"] = resp.BootFileName
	}
	return fields
}

// Plain is a value of Describe without the name of its option.
func Plain(text string) string {
	if _, value, named := strings.Cut(text, ": "); named {
		return strings.TrimSpace(value)
	}
	return text
}
