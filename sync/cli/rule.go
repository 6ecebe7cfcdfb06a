package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
)

func (p *program) ruleCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rule [ID]",
		Short: "Print the rule with an id of a plan or page; without an id, list all",
		Long: `Print what a rule says, by its id as plans, logs and pages name it. Without an
id all rules are listed. Settings are not read, and nothing is contacted.

Exit codes: 0 printed; 64 there is no such rule, and the nearest are named.`,
		Example: `  netbox-dhcp-sync rule 3.7 guard c
  netbox-dhcp-sync rule 3.5/4
  netbox-dhcp-sync rule | grep -i reservation`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := spec.Print(p.stdout, strings.Join(args, " "), asJSON); err != nil {
				return usageError{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
