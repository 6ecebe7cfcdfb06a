package main

import (
	pl_serverid "github.com/coredhcp/coredhcp/plugins/serverid"
	"github.com/coredhcp-netbox/coredhcp-netbox/launch"
	pl_dns "github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns"
	pl_gateway "github.com/coredhcp-netbox/coredhcp-netbox/plugins/gateway"
	pl_nak "github.com/coredhcp-netbox/coredhcp-netbox/plugins/nak"
	pl_netbox "github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox"
	pl_pxe "github.com/coredhcp-netbox/coredhcp-netbox/plugins/pxe"
)

func main() {
	launch.Main(&pl_serverid.Plugin, &pl_netbox.Plugin, &pl_gateway.Plugin, &pl_dns.Plugin, &pl_pxe.Plugin, &pl_nak.Plugin)
}
