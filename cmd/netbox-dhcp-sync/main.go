// Command netbox-dhcp-sync mirrors Windows DHCP servers into NetBox, and
// writes back what it is allowed to.
package main

import (
	"context"
	"os"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
