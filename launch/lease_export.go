package launch

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/leasefile"
)

func (a *app) exportCommand() *cobra.Command {
	format := string(leasefile.JSONL)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all leases, for another server or to keep them",
		Long: `Write all leases to standard output. JSON lines have all that a lease is, and
leases import reads them again. The other formats are those of ISC dhcpd, Kea's memfile
and dnsmasq; what they have no words for is left out, and counted on standard error:
dnsmasq has running leases only. Kea's subnet_id is 0, which Kea corrects where
sanity-checks/lease-checks is fix or fix-del.

Exit code 0 means that all leases were written, 1 that they could not be read, 64
that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox leases export -c config.yml > leases.jsonl
  coredhcp-netbox leases export -c config.yml --format dhcpd > dhcpd.leases`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.export(cmd.Context(), leasefile.Format(format)) },
	}
	cmd.Flags().StringVar(&format, "format", format, "jsonl, dhcpd, kea or dnsmasq")
	return cmd
}

func (a *app) export(ctx context.Context, format leasefile.Format) error {
	switch format {
	case leasefile.JSONL, leasefile.DHCPD, leasefile.Kea, leasefile.Dnsmasq:
	default:
		return usageError{fmt.Errorf("--format: want jsonl, dhcpd, kea or dnsmasq, not %q", format)}
	}
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	list, err := knownLeases(ctx, file)
	if err != nil {
		return err
	}
	entries := make([]leasefile.Entry, len(list))
	for i, l := range list {
		entries[i] = l.entry()
	}
	written, err := leasefile.Write(a.stdout, format, entries)
	if left := len(list) - written; err == nil && left > 0 {
		fmt.Fprintf(a.stderr, "coredhcp-netbox: %s left out: the format %s has running leases only\n", count(left, "lease was", "leases were"), format)
	}
	return err
}

// entry is a lease as a file has it.
func (l leaseShown) entry() leasefile.Entry {
	e := leasefile.Entry{Addr: l.Address, Ends: l.Until, Name: l.Name, State: leasefile.Ended}
	switch l.State {
	case lease.PhaseRunning:
		e.State = leasefile.Leased
	case lease.PhaseQuarantined:
		e.State = leasefile.Abandoned
	case lease.PhaseWithdrawn:
		e.State = leasefile.Withdrawn
	}
	_, err := ipam.ParseMAC(string(l.Client))
	switch {
	case l.Hardware != "":
		e.Hardware, e.Key = string(l.Hardware), string(l.Client)
	case err == nil && !strings.HasPrefix(string(l.Client), "id/"):
		e.Hardware = string(l.Client)
	default:
		e.Key = string(l.Client)
	}
	return e
}
