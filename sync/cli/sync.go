package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/status"
)

func (p *program) syncCommand() *cobra.Command {
	var (
		c       choice
		every   string
		service bool
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "sync [--server HOST] [--scope CIDR] [--every 60m]",
		Short: "Plan and apply: what cron and the timer run",
		Long: `Read both sides, plan, and carry the plan out. One line on standard output says
what was done; with --quiet only if there is something to look at. What failed,
was held back or contradicts itself is told on standard error. -v lists each
change that was made.

With --every or --service it stays and runs again and again, counted from the
start, until SIGTERM. The status page is served if sync.status.listen is set.

Exit codes: 0 done, or nothing to do; 1 finished with errors; 3 another run
holds the lock; 4 a guard held back what a person has to decide, and says what to
do; 64 command line, settings, or NetBox not prepared. A service ends with 0.`,
		Example: `  netbox-dhcp-sync sync --quiet
  netbox-dhcp-sync sync --server dh1 --scope 10.8.4.0/24 --dry-run
  netbox-dhcp-sync sync --every 30m`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !service && every == "" {
				return p.syncOnce(cmd.Context(), c, asJSON)
			}
			interval, err := parseInterval(every)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), c, interval, asJSON)
		},
	}
	c.addTo(cmd.Flags())
	c.addDryRun(cmd.Flags())
	cmd.Flags().StringVar(&every, "every", "", "stay, and run this often: 5m to 24h")
	cmd.Flags().BoolVar(&service, "service", false, "stay, and run at sync.interval")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole run as JSON instead of a line")
	return cmd
}

// parseInterval reads --every; empty is 0, which means sync.interval.
func parseInterval(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 5*time.Minute || d > 24*time.Hour {
		return 0, usagef("--every: want 5m to 24h, such as 60m, not %q", text)
	}
	return d, nil
}

func (p *program) syncOnce(ctx context.Context, c choice, asJSON bool) error {
	s, err := p.open(c, logrus.WarnLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	s.news = p.quiet
	run, err := s.Sync(ctx, s.options)
	p.screen.endProgress()
	if err == nil && run.DryRun && !p.quiet && !asJSON {
		if err := report.Text(p.stdout, run.Plan, p.textOptions()); err != nil {
			return err
		}
		s.shown = true
	}
	return p.conclude(s, run, asJSON)
}

// serve runs until ctx ends.
func (p *program) serve(ctx context.Context, c choice, every time.Duration, asJSON bool) error {
	s, err := p.open(c, logrus.InfoLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	if every == 0 {
		every = s.File.Sync.Interval
	}
	s.news = true
	s.log.WithField("interval", every.String()).Info("service started")
	group, ctx := errgroup.WithContext(ctx)
	if s.File.Sync.Status.Listen != "" {
		group.Go(func() error { return status.Serve(ctx, s.Mirror, s.log) })
	}
	group.Go(func() error {
		s.Loop(ctx, every, s.options, func(run *mirror.Run, _ error) {
			if ctx.Err() != nil {
				return // ended on purpose, in the middle of a run
			}
			if err := p.conclude(s, run, asJSON); message(err) != "" {
				s.log.WithError(err).Error("run not reported")
			}
		})
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	s.log.Info("service ended")
	return nil
}

// conclude prints the result of a run and returns its exit code.
func (p *program) conclude(s *session, run *mirror.Run, asJSON bool) error {
	p.screen.endProgress()
	s.report(run)
	switch {
	case asJSON:
		if err := p.printJSON(run); err != nil {
			return err
		}
	case s.shown && run.DryRun: // the plan ends with the same line
	case p.verbose > 0 && !s.shown && run.Plan != nil && run.Report != nil:
		if err := report.Changes(p.stdout, carriedOut(run), p.textOptions()); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, printable.Text(run.Summary))
	case !p.quiet || needsAttention(run):
		fmt.Fprintln(p.stdout, printable.Text(run.Summary))
	}
	if run.Outcome == mirror.Clean {
		return nil
	}
	return ended{code: run.Outcome.ExitCode()}
}

// carriedOut is the plan of a run with the steps that were done.
func carriedOut(run *mirror.Run) *plan.Plan {
	done := *run.Plan
	done.Steps = nil
	for _, r := range run.Report.Results {
		if r.Outcome == netboxio.Done {
			done.Steps = append(done.Steps, r.Step)
		}
	}
	return &done
}

// needsAttention reports whether a run has news: an end that no plan explains, or
// what no run of the last day told. The exit code tells what lasts (rule 3.8 point 2).
func needsAttention(run *mirror.Run) bool {
	if run.Error != "" || run.Plan == nil || len(run.Warnings) > len(run.Repeated) || run.Report != nil && run.Report.Failed() > 0 {
		return true
	}
	return slices.ContainsFunc(run.Plan.Notes, func(n plan.Note) bool { return report.Urgent(n.Level) && !n.Repeated })
}

// report logs what an operator has to look at: of the servers, of the plan unless
// it is shown, and of the steps.
func (s *session) report(run *mirror.Run) {
	for _, w := range run.Warnings {
		if s.news && slices.Contains(run.Repeated, w) {
			s.log.Debug(w)
			continue
		}
		s.log.Warn(w)
	}
	if run.Plan != nil && !s.shown {
		told := func(n plan.Note) bool { return s.news && n.Repeated }
		logNotes(s.log, slices.DeleteFunc(slices.Clone(run.Plan.Notes), told))
	}
	if run.Report == nil {
		return
	}
	for _, alike := range run.Report.Troubles() {
		first := alike.First
		entry := s.log.WithFields(logrus.Fields{"target": first.Step.Target, "step": report.StepTitle(&first.Step), "action": first.Step.Action, "reason": first.Error})
		what := "step"
		if alike.Count > 1 {
			entry = entry.WithFields(logrus.Fields{"steps": alike.Count, "such_as": strings.Join(alike.Steps, ", ")})
			what = "steps"
		}
		switch first.Outcome {
		case netboxio.Refused, netboxio.Failed:
			entry.Error(what + " failed")
		case netboxio.Changed, netboxio.Gone:
			entry.Info(what + " left to the next run: changed meanwhile")
		case netboxio.Done:
			entry.Warn(what + " done, but not as asked for")
		}
	}
}

func logNotes(log logrus.FieldLogger, notes []plan.Note) {
	for _, alike := range report.Together(notes) {
		n := alike.Common()
		entry := log.WithField("note", string(n.Level))
		for key, value := range map[string]string{"server": n.Server, "rule": n.Rule} {
			if value != "" {
				entry = entry.WithField(key, value)
			}
		}
		if n.Scope.IsValid() {
			entry = entry.WithField("subnet", n.Scope)
		}
		if n.Addr.IsValid() {
			entry = entry.WithField("addr", n.Addr)
		}
		if len(alike) > 1 {
			entry = entry.WithFields(logrus.Fields{"notes": len(alike), "such_as": strings.Join(alike.Examples(), ", ")})
		}
		switch n.Level {
		case plan.Failure, plan.Guard:
			entry.Error(n.Text)
		case plan.Conflict, plan.Warning:
			entry.Warn(n.Text)
		default:
			entry.Info(n.Text)
		}
	}
}
