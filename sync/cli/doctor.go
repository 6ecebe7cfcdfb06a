package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
)

func (p *program) doctorCommand() *cobra.Command {
	var alongside, asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check settings, NetBox and every server; each problem with its fix",
		Long: `Check everything a run needs: the settings, NetBox's address, version, token and
permissions, custom fields, tags and statuses, and for each server connection,
certificate or host key, token or key, rights and endpoint script. Each problem
comes with its fix. Nothing is changed.

Exit codes: 0 a run can work; 1 it cannot; 64 command line or settings.`,
		Example: `  netbox-dhcp-sync doctor
  netbox-dhcp-sync doctor --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context(), alongside, asJSON) },
	}
	cmd.Flags().BoolVar(&alongside, "alongside-plugin", false, "do not mind the plugin netbox-windows-dhcp")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

func (p *program) doctor(ctx context.Context, alongside, asJSON bool) error {
	s, err := p.open(choice{alongside: alongside}, logrus.ErrorLevel) // what is unusual is among the findings
	if err != nil {
		return err
	}
	defer s.Close()
	var findings []prepare.Finding
	for _, w := range s.File.Warnings {
		findings = append(findings, prepare.Finding{Severity: prepare.Warning, Object: "setting " + w.Key, Problem: w.Text})
	}
	findings = append(findings, s.Doctor(ctx, s.options)...)
	if err := ctx.Err(); err != nil {
		return err
	}
	failures := 0
	for _, f := range findings {
		if f.Severity == prepare.Failure {
			failures++
		}
	}
	if asJSON {
		err = p.findingsJSON(findings)
	} else {
		err = p.findingsText(s, findings, failures)
	}
	if err == nil && failures > 0 {
		return ended{code: exit.Failed}
	}
	return err
}

func (p *program) findingsText(s *session, findings []prepare.Finding, failures int) error {
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		if p.quiet && f.Severity == prepare.Notice {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Severity, printable.Text(f.Object), printable.Text(f.Problem))
		if f.Fix != "" {
			fmt.Fprintf(t, "\t\tfix: %s\n", printable.Text(f.Fix))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	switch {
	case failures > 0:
		fmt.Fprintf(p.stdout, "%s to solve\n", printable.Count(failures, "problem", "problems"))
	case !p.quiet:
		fmt.Fprintf(p.stdout, "ready: %s and %s\n", s.NetBox.URL(), printable.Count(len(s.File.Sync.Servers), "server", "servers"))
	}
	return nil
}

func (p *program) findingsJSON(findings []prepare.Finding) error {
	type finding struct {
		Severity string `json:"severity"`
		Object   string `json:"object"`
		Problem  string `json:"problem"`
		Fix      string `json:"fix,omitempty"`
	}
	list := []finding{}
	for _, f := range findings {
		list = append(list, finding{f.Severity.String(), f.Object, f.Problem, f.Fix})
	}
	return p.printJSON(list)
}

// printJSON prints a document no byte of which steers a terminal.
func (p *program) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", printable.JSON(data))
	return err
}

func (p *program) bootstrapCommand() *cobra.Command {
	var yes, same bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Create what NetBox lacks: custom fields, tags, a role, the option library, saved filters",
		Long: `Create in NetBox what the mirror needs and does not find: custom fields, tags, an
IPAM role, the option library as config contexts, saved filters and table
layouts. The list is shown first, and carried out after a yes on the terminal or
with --yes. A second run finds nothing to do.

The token needs more rights for this than for anything else; give one of its own
in NETBOX_TOKEN_FILE, which here goes before netbox.token_file.

Bootstrap also gives NetBox an id, and notes there which machine and state folder
remember it. While these differ from those of a run, or NetBox is at another
address or was restored, nothing is deleted on Windows servers. --same-netbox
says that all is right: it is still the NetBox that this state folder remembers.

Exit codes: 0 done, nothing to do, or not confirmed; 1 something stands in the
way or failed; 64 command line or settings.`,
		Example: `  netbox-dhcp-sync bootstrap
  NETBOX_TOKEN_FILE=admin.token netbox-dhcp-sync bootstrap --yes
  netbox-dhcp-sync bootstrap --same-netbox`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.bootstrap(cmd.Context(), yes, same) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&same, "same-netbox", false, "this is the NetBox that the state folder remembers, after a move or a restore")
	return cmd
}

func (p *program) bootstrap(ctx context.Context, yes, same bool) error {
	log, err := p.logger(logrus.WarnLevel)
	if err != nil {
		return err
	}
	f, err := p.load()
	if err != nil {
		return err
	}
	if path := os.Getenv("NETBOX_TOKEN_FILE"); path != "" { // the mirror's own token may not create anything
		f.NetBox.TokenFile, f.NetBox.EnvToken = path, ""
	}
	m, err := mirror.Open(f, log)
	if err != nil {
		return usageError{err}
	}
	defer m.Close()
	done, err := p.prepareNetBox(ctx, m, log, yes)
	if err != nil || !done || !same || f.Sync.DryRun {
		return err
	}
	if err := m.SameNetBox(ctx); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s is the NetBox that %s remembers\n", m.NetBox.URL(), f.Sync.StateDir)
	return nil
}

// prepareNetBox creates what is missing, after a yes; done: nothing is missing any
// more.
func (p *program) prepareNetBox(ctx context.Context, m *mirror.Mirror, log logrus.FieldLogger, yes bool) (done bool, err error) {
	todo, err := m.Bootstrap(ctx)
	if err != nil {
		return false, err
	}
	if todo.Empty() {
		if !p.quiet {
			fmt.Fprintf(p.stdout, "%s: nothing to do\n", m.NetBox.URL())
		}
		return true, nil
	}
	fmt.Fprintln(p.stdout, safeLines(strings.TrimRight(todo.String(), "\n")))
	if len(todo.Conflicts) > 0 {
		return false, ended{code: exit.Failed}
	}
	if m.File.Sync.DryRun {
		fmt.Fprintln(p.stdout, "Nothing was done: sync.dry_run is on.")
		return false, nil
	}
	ok, err := p.confirmed(ctx, yes, "Create this in "+m.NetBox.URL()+"?")
	if err != nil || !ok {
		return false, err
	}
	if err := todo.Apply(ctx, m.NetBox, log); err != nil {
		return false, err
	}
	fmt.Fprintf(p.stdout, "%s: done\n", m.NetBox.URL())
	return true, nil
}
