package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/google/renameio/v2/maybe"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

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

--out saves the plan for "apply FILE", which makes the plan again and carries it
out if it is still the same. -v shows everything: each entry, what is left alone,
the scopes.

Exit codes: 0 planned; 1 something could not be read or decided; 2 there are
differences (only with --detailed-exitcode); 4 a guard holds back what a person
has to decide, and says what to do; 64 command line, settings, or NetBox not
prepared.`,
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
		Short: "Carry out the plan again if it is still the same as in FILE, or after a yes",
		Long: `Make the plan again, and carry it out if its steps are still those in FILE, which
"plan --out FILE" saved. If they are not, since either side has changed, nothing
is done. Name the same --server and --scope as then. Without FILE the plan is
shown, and carried out after a yes on the terminal if it is still the same then;
--yes says so in advance.

Exit codes: as sync. 1 also if the plan is not the same any more, 64 if FILE is
no plan or there is no terminal to ask at.`,
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
				return usagef("apply: there is no terminal to ask at: name a saved plan, or say --yes")
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

// applyFile carries out the plan of now if it is the one in the file.
func (p *program) applyFile(ctx context.Context, c choice, path string, asJSON bool) error {
	saved, err := plan.ReadFile(path)
	if err != nil {
		return usageError{err}
	}
	s, err := p.open(c, logrus.WarnLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	return p.applyIfSame(ctx, s, saved, asJSON)
}

// planAskApply shows a plan, and after a yes carries out that one or none.
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
	return p.applyIfSame(ctx, s, made, asJSON)
}

// applyIfSame makes the plan again and carries it out if its steps are those of
// known.
func (p *program) applyIfSame(ctx context.Context, s *session, known *plan.Plan, asJSON bool) error {
	digest, err := known.Digest()
	if err != nil {
		return err
	}
	options := s.options
	options.Digest = digest
	run, _ := s.Sync(ctx, options) // the run tells the error
	return p.conclude(s, run, asJSON)
}
