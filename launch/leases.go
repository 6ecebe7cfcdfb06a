package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// What a lease is in a list.
const (
	leaseRuns        = "running"
	leaseEnded       = "ended"
	leaseQuarantined = "quarantined"
)

// leaseShown is a lease as people see it.
type leaseShown struct {
	Address netip.Addr     `json:"address"`
	Client  lease.ClientID `json:"client"`
	State   string         `json:"state"`
	Until   time.Time      `json:"until"`
	Name    string         `json:"name,omitempty"` // the client's own word
	Told    bool           `json:"in_netbox"`      // NetBox shows it
}

// leaseList is all leases by address, with their state at the time now.
func leaseList(leases []lease.Lease, now time.Time) []leaseShown {
	list := make([]leaseShown, 0, len(leases))
	for _, l := range leases {
		state := leaseEnded
		switch runs := now.Before(l.Expires); {
		case runs && l.State == lease.Bound:
			state = leaseRuns
		case runs && l.State == lease.Quarantined:
			state = leaseQuarantined
		}
		list = append(list, leaseShown{l.Addr, l.Client, state, l.Expires, l.Hostname, !l.Unsynced})
	}
	slices.SortFunc(list, func(a, b leaseShown) int { return a.Address.Compare(b.Address) })
	return list
}

// leaseFilter says which leases are listed; the zero value: all.
type leaseFilter struct {
	prefix netip.Prefix
	client lease.ClientID
	states []string
}

func newLeaseFilter(prefix, mac string, states []string) (f leaseFilter, err error) {
	if prefix != "" {
		if f.prefix, err = netip.ParsePrefix(prefix); err != nil {
			addr, notAddr := netip.ParseAddr(prefix)
			if notAddr != nil {
				return f, fmt.Errorf("--prefix: want a prefix such as 10.0.0.0/24, not %q", prefix)
			}
			f.prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		f.prefix = f.prefix.Masked()
	}
	if mac != "" {
		hardware, err := net.ParseMAC(mac)
		if err != nil {
			return f, fmt.Errorf("--mac: want a hardware address such as 52:54:00:12:34:56, not %q", mac)
		}
		f.client = lease.ClientID(strings.ToUpper(hardware.String()))
	}
	known := []string{leaseRuns, leaseEnded, leaseQuarantined}
	for _, state := range states {
		if !slices.Contains(known, state) {
			return f, fmt.Errorf("--state: want %s, not %q", strings.Join(known, ", "), state)
		}
	}
	f.states = states
	return f, nil
}

func (f leaseFilter) lets(l leaseShown) bool {
	return (!f.prefix.IsValid() || f.prefix.Contains(l.Address)) && (f.client == "" || f.client == l.Client) &&
		(len(f.states) == 0 || slices.Contains(f.states, l.State))
}

func (a *app) leasesCommand() *cobra.Command {
	var prefix, mac string
	var states []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List the leases that the server keeps",
		Long: `List the leases that the server keeps, by address: those that run, those that
ended and are remembered for their client, and addresses in quarantine. Static
addresses of NetBox have no lease. While the server runs it is asked over its
control socket; otherwise its store is read, without a lock and without a write.

Exit code 0 means that the list is whole, also if it is empty; 64 that the
command line or the settings are wrong; 1 that the leases could not be read.`,
		Example: `  coredhcp-netbox leases -c config.yml
  coredhcp-netbox leases -c config.yml --prefix 10.0.0.0/24 --state running
  coredhcp-netbox leases -c config.yml --mac 52:54:00:12:34:56 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := newLeaseFilter(prefix, mac, states)
			if err != nil {
				return usageError{err}
			}
			return a.leases(cmd.Context(), filter, asJSON)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only addresses in this prefix, or this address")
	cmd.Flags().StringVar(&mac, "mac", "", "only leases of this client")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these: running, ended, quarantined")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) leases(ctx context.Context, filter leaseFilter, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	list, err := knownLeases(ctx, file)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l leaseShown) bool { return !filter.lets(l) })
	if asJSON {
		return a.printJSON(list)
	}
	return printLeases(a.stdout, list)
}

// knownLeases asks the server, or reads its store where it does not run.
func knownLeases(ctx context.Context, file *settings.File) (list []leaseShown, err error) {
	err = askServer(ctx, file, "leases", nil, &list)
	if !errors.Is(err, control.ErrNoServer) {
		return list, err
	}
	stored, _, err := instance.StoredLeases(ctx, file.NetBox)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no server has run yet: there are none
		return nil, err
	}
	return leaseList(stored, time.Now()), nil
}

func printLeases(w io.Writer, list []leaseShown) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tCLIENT\tSTATE\tUNTIL\tIN NETBOX\tNAME")
	for _, l := range list {
		told := "yes"
		if !l.Told {
			told = "not yet"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Address, l.Client, l.State, l.Until.UTC().Format(time.RFC3339), told, printable.Text(l.Name))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, count(len(list), "lease", "leases"))
	return err
}
