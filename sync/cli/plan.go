package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/renameio/v2/maybe"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// maxPlan is the largest saved plan that is read.
const maxPlan = 256 << 20

func (p *program) planCommand() *cobra.Command {
	var (
		c                choice
		asJSON, detailed bool
		out              string
	)
	cmd := &cobra.Command{
		Use:   "plan [--out FILE]",
		Short: "Show what a run would do, and why; nothing is written",
		Long: `Read both sides and show what a run would do, each step with its reason and the
rule behind it, and what it would leave alone. Nothing is written on either side.

--out saves the plan for "apply FILE", which carries out exactly these steps or
none. -v shows everything: each entry, what is left alone, the scopes.

Exit codes: 0 planned; 1 something could not be read or decided; 2 there are
differences (only with --detailed-exitcode); 4 a guard would refuse, see
--allow-deletes; 64 command line, settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync plan
  netbox-dhcp-sync plan --server dh1 --out monday.plan && less monday.plan
  netbox-dhcp-sync plan --json | jq '.steps[] | select(.action == "delete")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, made, err := p.makePlan(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer s.Close()
			s.warnings()
			if err := p.printPlan(made, asJSON, out); err != nil {
				return err
			}
			return planned(made, detailed && !made.Empty())
		},
	}
	c.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON, which apply takes too")
	cmd.Flags().StringVar(&out, "out", "", "save the plan to this file")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit code 2 if there are differences")
	return cmd
}

// makePlan opens a session and plans. Close the session unless there is an
// error.
func (p *program) makePlan(ctx context.Context, c choice) (*session, *plan.Plan, error) {
	s, err := p.open(c, logrus.WarnLevel)
	if err != nil {
		return nil, nil, err
	}
	made, err := s.Plan(ctx, s.options)
	p.screen.endProgress()
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, made, nil
}

func (p *program) printPlan(made *plan.Plan, asJSON bool, out string) error {
	if asJSON || out != "" {
		data, err := made.JSON()
		if err != nil {
			return err
		}
		if out != "" {
			if err := maybe.WriteFile(out, data, 0o600); err != nil {
				return fmt.Errorf("save plan: %w", err)
			}
		}
		if asJSON {
			_, err = p.stdout.Write(data)
			return err
		}
	}
	if p.quiet {
		return nil
	}
	return report.Text(p.stdout, made, p.textOptions())
}

// textOptions fit standard output.
func (p *program) textOptions() report.TextOptions {
	o := report.TextOptions{Verbose: p.verbose > 0}
	if p.terminal(p.stdout) {
		o.Colour, o.Width = os.Getenv("NO_COLOR") == "", width(p.stdout)
	}
	return o
}

// planned is the exit code of a plan that was not carried out.
func planned(made *plan.Plan, differs bool) error {
	switch {
	case made.Refused():
		return ended{code: exit.Guard}
	case made.Failed():
		return ended{code: exit.Failed}
	case differs:
		return ended{code: exit.Differs}
	}
	return nil
}

func (p *program) applyCommand() *cobra.Command {
	var (
		c           choice
		yes, asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Carry out a saved plan, or one that is shown first",
		Long: `Carry out a plan that "plan --out FILE" saved: exactly these steps, or none if
either side has changed since. Name the same --server and --scope as then.
Without FILE a plan is made, shown, and carried out after a yes on the terminal;
--yes says so in advance.

Exit codes: as sync. 1 also if the saved plan does not fit any more, 64 if FILE
is no plan or there is nobody to ask.`,
		Example: `  netbox-dhcp-sync plan --out monday.plan
  netbox-dhcp-sync apply monday.plan
  netbox-dhcp-sync apply --server dh1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("apply takes one file, not %q too", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return p.applyFile(cmd.Context(), c, args[0], asJSON)
			}
			if !yes && !p.asksPeople() {
				return usagef("apply: no terminal, so there is nobody to ask: name a saved plan, or say --yes")
			}
			return p.planAskApply(cmd.Context(), c, yes, asJSON)
		},
	}
	c.addTo(cmd.Flags())
	c.addDryRun(cmd.Flags())
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the run as JSON instead of a line")
	return cmd
}

func (p *program) applyFile(ctx context.Context, c choice, path string, asJSON bool) error {
	saved, err := readPlan(path)
	if err != nil {
		return usageError{err}
	}
	s, err := p.open(c, logrus.WarnLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	run, _ := s.ApplySaved(ctx, saved, s.options) // the run tells the error
	return p.conclude(s, run, asJSON)
}

// planAskApply shows a plan and carries out that one or none.
func (p *program) planAskApply(ctx context.Context, c choice, yes, asJSON bool) error {
	s, made, err := p.makePlan(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	if !asJSON {
		if err := p.printPlan(made, false, ""); err != nil {
			return err
		}
		s.shown = !p.quiet
	}
	if s.File.Sync.DryRun {
		return planned(made, false)
	}
	if !made.Empty() {
		ok, err := p.confirmed(ctx, yes, "Carry this out?")
		if err != nil || !ok {
			return err
		}
	}
	run, _ := s.ApplySaved(ctx, made, s.options) // the run tells the error
	return p.conclude(s, run, asJSON)
}

func readPlan(path string) (*plan.Plan, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxPlan+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if len(data) > maxPlan {
		return nil, fmt.Errorf("read plan: %s is too large for one", path)
	}
	saved, err := plan.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", path, err)
	}
	return saved, nil
}
