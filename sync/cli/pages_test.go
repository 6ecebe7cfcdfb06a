package cli

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

// Each command that a page shows exists, with its flags and its arguments.
func TestCommandsOfPagesExist(t *testing.T) {
	checkout.TryCommands(t, "../..", "netbox-dhcp-sync", 15, func() *cobra.Command {
		return (&program{stdout: io.Discard, screen: &screen{out: io.Discard}}).rootCommand()
	})
}
