package launch

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

// Each command that a page shows exists, with its flags and its arguments.
func TestCommandsOfPagesExist(t *testing.T) {
	checkout.TryCommands(t, "..", "coredhcp-netbox", 40, func() *cobra.Command {
		return (&app{stdout: io.Discard, stderr: io.Discard}).rootCommand()
	})
}
