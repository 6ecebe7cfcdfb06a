package cli

import (
	"context"
	"fmt"

	"github.com/google/renameio/v2/maybe"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

func (p *program) importCommand() *cobra.Command {
	c := choice{mode: plan.Import}
	var (
		asJSON bool
		file   string
	)
	cmd := &cobra.Command{
		Use:   "import [--server HOST]",
		Short: "Record scopes and failover relationships that NetBox does not know",
		Long: `Record failover relationships, scopes, their options and exclusions in NetBox,
and make missing prefixes (sync.import.create_missing_prefixes). What NetBox has
already is never changed, so an import may be repeated. Leases and reservations
come with the next sync. What was made, passed over or failed is listed.

Exit codes: 0 done, or nothing to do; 1 some entries failed; 3 another run holds
the lock; 64 command line, settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync import --dry-run
  netbox-dhcp-sync import --server dh1 --report import.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runImport(cmd.Context(), c, file, asJSON) },
	}
	c.addTo(cmd.Flags())
	c.addDryRun(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON")
	cmd.Flags().BoolVar(&c.adoptRanges, "adopt-ranges", false, "people's own IP ranges of exactly a scope's span become its record")
	cmd.Flags().StringVar(&file, "report", "", "write the plan with its notes and what was created, skipped or failed to this file, as JSON")
	return cmd
}

func (p *program) runImport(ctx context.Context, c choice, file string, asJSON bool) error {
	s, err := p.open(c, logrus.WarnLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	run, runErr := s.Sync(ctx, s.options)
	p.screen.endProgress()
	if run.Plan != nil && file != "" {
		data, err := run.Plan.JSON()
		if err != nil {
			return err
		}
		if err := maybe.WriteFile(file, data, 0o600); err != nil {
			return fmt.Errorf("write import report: %w", err)
		}
	}
	if runErr == nil && !asJSON && !p.quiet {
		o := p.textOptions()
		o.Verbose = true // what was passed over belongs to the result (rule 4)
		if err := report.Text(p.stdout, run.Plan, o); err != nil {
			return err
		}
		if err := report.ImportText(p.stdout, run.Plan, run.DryRun); err != nil {
			return err
		}
		s.shown = true
	}
	return p.conclude(s, run, asJSON)
}

func (p *program) migrateCommand() *cobra.Command {
	c := choice{mode: plan.Migrate}
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Take over what the plugin netbox-windows-dhcp made",
		Long: `Mark reservations in NetBox as managed whose address and client a Windows
server has as a reservation too. NetBox does not show which addresses the plugin
netbox-windows-dhcp made; without the mark they are never cleaned up.
Addresses that it left in the global table move into the VRF of their scope, and
those without a tenant get that of their prefix (sync.inherit_tenant), where a
server has the same client on them.
The list is shown first, and written after a yes on the terminal or with --yes.

Exit codes: 0 done, nothing to do, or not confirmed; 1 finished with errors;
3 another run holds the lock; 64 command line, settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync migrate
  netbox-dhcp-sync migrate --scope 10.8.4.0/24 --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.planAskApply(cmd.Context(), c, yes, asJSON) },
	}
	c.addTo(cmd.Flags())
	c.addDryRun(cmd.Flags())
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON")
	return cmd
}

func (p *program) retireCommand() *cobra.Command {
	c := choice{mode: plan.Retire}
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "retire SERVER",
		Short: "Hand the scopes of a server that was replaced to the servers that list them now",
		Long: `Hand NetBox's records of the scopes of SERVER, which is disabled or not in the
settings any more, to the servers that list the same scopes now; --server says
which one where several do. A record that the new server has already takes its
place. Addresses stay as they are. The list is shown first, and written after a
yes on the terminal or with --yes.

Exit codes: 0 done, nothing to do, or not confirmed; 1 finished with errors;
3 another run holds the lock; 64 command line, settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync retire dh1.corp.example --dry-run
  netbox-dhcp-sync retire dh1.corp.example --server dh3 --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("retire: name one server, as NetBox shows it")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c.retired = args[0]
			f, err := p.load()
			if err != nil {
				return err
			}
			if s, ok := f.Sync.FindServer(c.retired); ok && s.Enabled {
				return usagef("retire: %s is in use as %s: take it out of sync.servers, or set enabled: false, first", c.retired, s.Host)
			}
			return p.planAskApply(cmd.Context(), c, yes, asJSON)
		},
	}
	c.addTo(cmd.Flags())
	c.addDryRun(cmd.Flags())
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON")
	return cmd
}
