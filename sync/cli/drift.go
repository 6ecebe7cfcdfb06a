package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/drift"
)

func (p *program) driftCommand() *cobra.Command {
	var (
		c                       choice
		asJSON, asCSV, detailed bool
		page                    string
	)
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Compare both sides field by field; nothing is written",
		Long: `Compare NetBox with the Windows servers, field by field: what each side shows,
what a run would make of it and why, and which addresses have a status no scope
accepts. Nothing is written on either side.

Exit codes: 0 compared; 1 something could not be read; 2 there are differences
(only with --detailed-exitcode); 4 a guard would refuse; 64 command line,
settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync drift
  netbox-dhcp-sync drift --server dh1 --csv > drift.csv
  netbox-dhcp-sync drift --html drift.html --quiet --detailed-exitcode`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON && asCSV {
				return usagef("drift: --json and --csv contradict each other")
			}
			s, made, err := p.makePlan(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer s.Close()
			s.warnings()
			report := drift.New(made)
			if page != "" {
				if err := writePage(report, page); err != nil {
					return err
				}
			}
			if err := p.printDrift(report, asJSON, asCSV); err != nil {
				return err
			}
			return planned(made, detailed && report.Counts.Differences() > 0)
		},
	}
	c.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the report as CSV, for spreadsheets")
	cmd.Flags().StringVar(&page, "html", "", "write the report to this file as a page that needs nothing else")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit code 2 if there are differences")
	return cmd
}

func (p *program) printDrift(report *drift.Report, asJSON, asCSV bool) error {
	write := report.Text
	switch {
	case asJSON:
		write = report.JSON
	case asCSV:
		write = report.CSV
	case p.quiet:
		write = func(io.Writer) error { return nil }
	}
	return write(p.stdout)
}

func writePage(report *drift.Report, path string) error {
	var page bytes.Buffer
	if err := report.HTML(&page); err != nil {
		return err
	}
	if err := maybe.WriteFile(path, page.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
