package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check settings, NetBox, permissions, tags and custom fields; each problem with its fix",
		Long: `Check the settings file and what it needs: NetBox's address, certificate and
version, the token and its permissions, tags and custom fields. Each problem
comes with its fix. Nothing is changed. Exit code 0 means that clients can be
served, 1 that they cannot, 64 that the settings file is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context()) },
	}
}

func (a *app) check(ctx context.Context) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if _, err := a.logger(); err != nil { // plugins log when they are set up
		return err
	}
	if err := a.checkForeign(file); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s: settings are right\n", file.Path)
	for _, w := range file.Warnings {
		fmt.Fprintf(a.stdout, "warning  %s\n", w)
	}
	if err := receive.RoomForBursts(); err != nil {
		fmt.Fprintf(a.stdout, "warning  %v\n", err)
	}
	listUnusedClasses(a.stdout, file.NetBox)
	listCircuits(ctx, a.stdout, file)
	listWebhooks(a.stdout, file.NetBox.Events)
	if notice := instance.AboutObjects(file.NetBox); notice != "" {
		fmt.Fprintf(a.stdout, "notice   %s\n", notice)
	}
	if err := checkBootFiles(a.stdout, file.NetBox); err != nil {
		return err
	}
	names := a.checkNames(ctx, file.NetBox.DDNS)
	if err := a.checkFacts(ctx, file); err != nil {
		return err
	}
	return names
}

// checkFacts looks at NetBox, or at the inventory that stands in for it.
func (a *app) checkFacts(ctx context.Context, file *settings.File) error {
	if file.NetBox.Inventory != "" {
		return a.checkInventory(file)
	}
	client, err := a.client(file)
	if err != nil {
		return err
	}
	defer client.Close()
	findings := prepare.Check(ctx, client, needs(file.NetBox))
	findings = append(findings, seen(ctx, a.stdout, client, file.NetBox)...)
	return a.printFindings(client.URL(), findings)
}

// shownProblems is how many problems of NetBox's data are listed one by one.
const shownProblems = 20

// neverWritten says that no server of this version has run yet.
func neverWritten(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ipam.ErrDiskFormat)
}

// unreadable says that the copy on disk cannot be read: the user who checks has no
// right to, or it is damaged.
func unreadable(out io.Writer, err error) {
	fmt.Fprintf(out, "notice   what the server last saw cannot be read: %v\n", err)
}

func listProblems(out io.Writer, problems []ipam.Problem, when string) {
	for _, p := range problems[:min(len(problems), shownProblems)] {
		fmt.Fprintf(out, "warning  %s%s\n", p, when)
	}
	if more := len(problems) - shownProblems; more > 0 {
		fmt.Fprintf(out, "warning  and %s in NetBox's data, see the log of the server\n", count(more, "more problem", "more problems"))
	}
}

// listUnusedClasses names the classes of config contexts that matched no client for
// 30 days (OPT-12).
func listUnusedClasses(out io.Writer, s settings.NetBox) {
	unused, err := instance.UnusedClasses(s)
	if err != nil {
		fmt.Fprintf(out, "notice   when classes of config contexts last matched a client cannot be read: %v\n", err)
	}
	for _, name := range unused[:min(len(unused), shownProblems)] {
		fmt.Fprintf(out, "notice   %s matched no client for 30 days: is the key as clients write it? explain --class TEXT tells\n", name)
	}
	if more := len(unused) - shownProblems; more > 0 {
		fmt.Fprintf(out, "notice   and %s that matched no client for 30 days\n", count(more, "more class", "more classes"))
	}
}

// seen reads NetBox as the server does. It lists what is wrong with the data, as the
// server last saw it where NetBox cannot be read: each costs only the object that it
// names (B-4). It finds what the token sees no more of the copy of NetBox that the
// server keeps on disk (T-1).
func seen(ctx context.Context, out io.Writer, client *netbox.Client, s settings.NetBox) (findings []prepare.Finding) {
	log := logrus.New()
	log.SetOutput(io.Discard) // what is to be said is in the findings
	now, err := instance.Look(ctx, client, s, log)
	if now.Unusable != nil && !neverWritten(now.Unusable) {
		unreadable(out, now.Unusable)
	}
	if err != nil {
		listProblems(out, now.Problems, fmt.Sprintf(" (as of %s)", now.Taken.UTC().Format(time.RFC3339)))
		if now.Taken.IsZero() { // the other findings say why NetBox cannot be read
			return nil
		}
		return []prepare.Finding{{Severity: prepare.Warning, Object: "last snapshot", Problem: "NetBox cannot be compared with it: " + err.Error()}}
	}
	listProblems(out, now.Problems, "")
	for _, l := range now.Losses {
		if l.Lost > 0 {
			findings = append(findings, prepare.Finding{
				Severity: prepare.Failure, Object: l.Table,
				Problem: fmt.Sprintf("the token does not see %d of %d that the server knows, last confirmed %s, and they were not deleted", l.Lost, l.Rows, now.Taken.UTC().Format(time.RFC3339)),
				Fix:     "check the permissions of the token's user and their constraints",
			})
		}
	}
	return findings
}

func (a *app) checkInventory(file *settings.File) error {
	snapshot, problems, err := instance.Inventory(file.NetBox)
	if err != nil {
		return configError(err)
	}
	for _, p := range problems {
		fmt.Fprintf(a.stdout, "problem  %s\n", p)
	}
	if len(problems) > 0 {
		return errReported
	}
	objects := snapshot.Objects()
	fmt.Fprintf(a.stdout, "%s: %s, %s, %s\n", file.NetBox.Inventory, count(len(objects.Prefixes), "prefix", "prefixes"),
		count(len(objects.Addresses), "address", "addresses"), count(len(objects.Machines), "machine", "machines"))
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// printFindings lists findings for people and turns failures into exit code 1.
func (a *app) printFindings(url string, findings []prepare.Finding) error {
	failed := 0
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Severity, f.Object, f.Problem)
		if f.Fix != "" {
			fmt.Fprintf(t, "\t\tfix: %s\n", f.Fix)
		}
		if f.Severity == prepare.Failure {
			failed++
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		fmt.Fprintf(a.stdout, "%s: %s to solve\n", url, count(failed, "problem", "problems"))
		return errReported
	}
	fmt.Fprintf(a.stdout, "%s: ready\n", url)
	return nil
}

func (a *app) bootstrapCommand() *cobra.Command {
	var yes, example bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Create the tags and custom fields the settings name; shows the plan, does it with --yes",
		Long: `Create the tags and custom fields that the settings name and NetBox lacks.
Without --yes the plan is shown and nothing is done. A second run finds nothing
to do. The token needs add and change on tags and custom fields, and with
--example add and view on config contexts; use one of its own for this, in
NETBOX_TOKEN_FILE, which here goes before netbox.token_file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.bootstrap(cmd.Context(), yes, example) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "carry the plan out")
	cmd.Flags().BoolVar(&example, "example", false, "also create an inactive config context that shows options for phones, and its tag")
	return cmd
}

func (a *app) bootstrap(ctx context.Context, yes, example bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	operatorsToken(file)
	client, err := a.client(file)
	if err != nil {
		return err
	}
	defer client.Close()
	log, err := a.logger()
	if err != nil {
		return err
	}
	all := needs(file.NetBox)
	if example {
		all = append(all, prepare.Example(file.NetBox.ContextKey)...)
	}
	plan, err := prepare.PlanFor(ctx, client, all)
	if err != nil {
		return err
	}
	if plan.Empty() {
		fmt.Fprintf(a.stdout, "%s: nothing to do\n", client.URL())
		return nil
	}
	fmt.Fprintln(a.stdout, strings.TrimRight(plan.String(), "\n"))
	if len(plan.Conflicts) > 0 {
		return errReported
	}
	if !yes {
		fmt.Fprintln(a.stdout, "Nothing was done. Run again with --yes to carry this out.")
		return nil
	}
	if err := plan.Apply(ctx, client, log); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s: done\n", client.URL())
	return nil
}

// operatorsToken takes the token of NETBOX_TOKEN_FILE, since that of the server may not
// change what people keep.
func operatorsToken(file *settings.File) {
	if path := os.Getenv("NETBOX_TOKEN_FILE"); path != "" {
		file.NetBox.TokenFile, file.NetBox.EnvToken = path, ""
	}
}

// needs lists what a server with these settings needs of NetBox.
func needs(s settings.NetBox) []prepare.Need {
	server := prepare.Server{
		Reads: follow.Tables(), VRF: s.VRF, Tags: []string{s.Dynamic.Tag, s.Gateway.Tag}, ServeTag: s.Network.ServeTag,
		MAC: s.Fields.MAC, Expire: s.Fields.Expire, Hostname: s.Fields.Hostname,
		ReservationMAC: s.Fields.ReservationMAC, ReservationClientID: s.Fields.ReservationClientID, ReadsOnly: s.Dynamic.WriteBack == "none",
		Circuits: len(s.Network.Circuits.Relays) > 0,
	}
	if s.Dynamic.WriteBack == "leased" {
		server.Made = follow.MadeField
	}
	return server.Needs()
}

// readSettings finds and reads the settings file.
func (a *app) readSettings() (*settings.File, error) {
	path, err := a.settingsPath()
	if err != nil {
		return nil, err
	}
	file, err := settings.Load(path)
	if err != nil {
		return nil, configError(err)
	}
	return file, nil
}

// client connects to the NetBox of the settings; it logs errors only, since
// the command says the rest.
func (a *app) client(file *settings.File) (*netbox.Client, error) {
	log, err := a.logger()
	if err != nil {
		return nil, err
	}
	if file.NetBox.URL == "" {
		return nil, usageError{fmt.Errorf("%s: netbox.inventory is used, so there is no NetBox to talk to", file.Path)}
	}
	client, err := instance.Client(file.NetBox, log)
	if err != nil {
		return nil, configError(err)
	}
	return client, nil
}
