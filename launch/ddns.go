package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ddns"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func (a *app) ddnsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ddns",
		Short: "Names of clients in DNS: what is registered, what is not and why, remove all",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.ddnsListCommand(), a.ddnsStatusCommand(), a.ddnsCleanCommand())
	return cmd
}

func (a *app) ddnsListCommand() *cobra.Command {
	var zone string
	var states []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the records of clients in DNS, and those that wait or cannot be there",
		Long: `List the records of clients in DNS, by address: registered ones, those that wait
for their DNS server (pending, removing), names that are another's (conflict), names
of addresses that wait for such a name (held), and those that the DNS server
refuses. While the server runs it is asked over its control
socket; otherwise its file is read, without a lock and without a write.

Exit code 0 means that the list is whole, also if it is empty; 1 that it could not
be read; 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox ddns list -c config.yml
  coredhcp-netbox ddns list -c config.yml --zone dhcp.example.org --state conflict
  coredhcp-netbox ddns list -c config.yml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known := ddns.States()
			for _, state := range states {
				if !slices.Contains(known, state) {
					return usageError{fmt.Errorf("--state: want %s, not %q", strings.Join(known, ", "), state)}
				}
			}
			report, err := a.namesInDNS(cmd.Context())
			if err != nil {
				return err
			}
			list := slices.DeleteFunc(report.Entries, func(e ddns.Entry) bool {
				return zone != "" && !strings.EqualFold(e.Zone, strings.TrimSuffix(zone, ".")) || len(states) > 0 && !slices.Contains(states, e.State)
			})
			if asJSON {
				return a.printJSON(list)
			}
			return printNames(a.stdout, list)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "only records in this zone")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these: "+strings.Join(ddns.States(), ", "))
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) ddnsStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how many records each zone has, and what is wrong with it",
		Long: `Show how many records of clients each zone has, how many wait, are another's or
are refused, and why a zone cannot be updated, with the fix. While the server runs
it is asked over its control socket; otherwise its file is read, which does not say
how DNS servers fare: coredhcp-netbox check asks them.

Exit code 0 means that the answer is whole; 1 that it could not be read; 64 that
the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox ddns status -c config.yml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := a.namesInDNS(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(report.Zones)
			}
			return printZones(a.stdout, report.Zones)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// errNoZones says that names in DNS are off.
var errNoZones = errors.New("names in DNS are off: netbox.ddns.zones is empty")

// namesInDNS asks the server, or reads its file where it does not run.
func (a *app) namesInDNS(ctx context.Context) (report ddns.Report, err error) {
	file, err := a.readSettings()
	if err != nil {
		return report, err
	}
	err = askServer(ctx, file, "ddns", nil, &report)
	if !errors.Is(err, control.ErrNoServer) {
		return report, err
	}
	if report, err = ddns.ReadReport(instance.DDNSFile(file.NetBox), instance.DDNSZones(file.NetBox.DDNS)); err != nil {
		return report, err
	}
	if !file.NetBox.DDNS.On() && len(report.Entries) == 0 {
		return report, errNoZones
	}
	return report, nil
}

// namesOf answers the command ddns.
func namesOf(i *instance.Instance) (any, error) {
	report := i.NamesInDNS()
	if report == nil {
		return nil, errNoZones
	}
	return report, nil
}

func printNames(w io.Writer, list []ddns.Entry) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tSTATE\tNAME\tKIND\tDATA\tCLIENT")
	for _, e := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Address, e.State, printable.Text(e.Name), e.Kind, printable.Text(e.Data), printable.Text(e.Client))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, count(len(list), "record", "records"))
	return err
}

func printZones(w io.Writer, list []ddns.ZoneStatus) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ZONE\tSERVER\tREGISTERED\tPENDING\tREMOVING\tCONFLICTS\tREFUSED")
	for _, z := range list {
		server := z.Server
		if server == "" {
			server = "not in the settings"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\n", printable.Text(z.Zone), server, z.Registered, z.Pending, z.Removing, z.Conflicts, z.Refused)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, z := range list {
		if z.Trouble == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: since %s: %s\n  fix: %s\n", printable.Text(z.Zone), z.Since.Format(time.RFC3339), printable.Text(z.Trouble), z.Fix); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) ddnsCleanCommand() *cobra.Command {
	var zone string
	var yes bool
	cmd := &cobra.Command{
		Use:   "clean --zone ZONE",
		Short: "Remove what this server has in a zone; shows it, does it with --yes",
		Long: `Remove from a zone the records that this server made and still knows of. Without
--yes they are shown and nothing is done. A record goes only if its DHCID is ours
and its data are as we wrote them; what people or others made stays. The server
must not run: it would register the names of its leases again. To leave a zone for
good, stop the server, run this, take the zone out of netbox.ddns.zones, and start
the server.

Exit code 0 means that it was shown or done; 1 that something could not be removed:
run it again; 3 that the server runs; 64 that the command line or the settings are
wrong.`,
		Example: `  coredhcp-netbox ddns clean -c config.yml --zone dhcp.example.org
  coredhcp-netbox ddns clean -c config.yml --zone dhcp.example.org --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if zone == "" {
				return usageError{errors.New("want a zone of netbox.ddns.zones after --zone")}
			}
			return a.cleanDNS(cmd.Context(), zone, yes)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "zone of netbox.ddns.zones")
	cmd.Flags().BoolVar(&yes, "yes", false, "remove what is shown")
	return cmd
}

func (a *app) cleanDNS(ctx context.Context, zone string, yes bool) (err error) {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(file.NetBox.DDNS.Zones, func(z settings.DDNSZone) bool {
		return strings.EqualFold(strings.TrimSuffix(z.Name, "."), strings.TrimSuffix(zone, "."))
	}) {
		return usageError{fmt.Errorf("%s is no zone of netbox.ddns.zones: server and key stand there", zone)}
	}
	if _, err := os.Stat(instance.DDNSFile(file.NetBox)); yes && err == nil { // else there is nothing, and no folder is made
		unlock, err := lockNames(file.NetBox)
		if err != nil {
			return err
		}
		defer unlock()
	}
	c, err := ddns.OpenClean(instance.DDNSFile(file.NetBox), instance.DDNSZones(file.NetBox.DDNS), zone)
	if err != nil {
		return err
	}
	list := c.Entries()
	if err := printNames(a.stdout, list); err != nil {
		return err
	}
	switch {
	case len(list) == 0:
		return nil
	case !yes:
		_, err := fmt.Fprintln(a.stdout, "Nothing was done. Stop the server and run this again with --yes to remove them.")
		return err
	}
	removed, err := c.Remove(ctx)
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("%s removed, then: %w", count(removed, "record was", "records were"), err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s removed\n", zone, count(removed, "record was", "records were"))
	return err
}

// lockNames keeps servers off the names in DNS. Where one has them the exit code is that
// of a locked store.
func lockNames(s settings.NetBox) (unlock func(), err error) {
	unlock, err = instance.LockDDNS(s)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("the server runs, and would register the names again: stop it first (%w)", err)
	}
	return unlock, err
}

// checkNames asks the servers of all zones whether names can be registered (DNS-17).
func (a *app) checkNames(ctx context.Context, s settings.DDNS) error {
	failed := 0
	for _, zone := range instance.DDNSZones(s) {
		problems := ddns.CheckZone(ctx, zone)
		for _, p := range problems {
			fmt.Fprintf(a.stdout, "failure  zone %s: %v\n         fix: %s\n", zone.Name, printable.Text(p.Error()), p.Fix)
		}
		failed += len(problems)
		if len(problems) == 0 {
			fmt.Fprintf(a.stdout, "zone %s: %s takes updates signed with %s\n", zone.Name, zone.Server, zone.Key.Name)
		}
	}
	if failed > 0 {
		return errReported
	}
	return nil
}
