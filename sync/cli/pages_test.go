package cli

import (
	"io"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

// Each command that a page shows exists, with its flags and its arguments.
func TestCommandsOfPagesExist(t *testing.T) {
	all := checkout.Commands(t, "../..", "netbox-dhcp-sync")
	if len(all) < 15 {
		t.Errorf("only %d commands found", len(all))
	}
	for _, c := range all {
		p := &program{stdout: io.Discard, screen: &screen{out: io.Discard}}
		cmd, rest, err := p.rootCommand().Find(slices.Clone(c.Args))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err != nil {
			t.Errorf("%s:%d: %v: %v", c.Page, c.Line, c.Args, err)
		}
	}
}
