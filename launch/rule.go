package launch

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
)

func (a *app) ruleCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rule [ID]",
		Short: "Print the rule with an id of a log line or of explain; without an id, list all",
		Long: `Print what a rule says, by its id as logs and explain name it. Without an id all
rules are listed. The settings file is not read.

Exit code 0 means that the rule was printed, 64 that there is none with that id;
then the nearest ids are named.`,
		Example: `  coredhcp-netbox rule D-7
  coredhcp-netbox rule | grep -i relay`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := spec.Print(a.stdout, strings.Join(args, " "), asJSON); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
