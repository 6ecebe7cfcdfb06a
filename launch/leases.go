package launch

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
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

// leaseShown is a lease as people see it.
type leaseShown struct {
	Address netip.Addr     `json:"address"`
	Client  lease.ClientID `json:"client"`
	// Hardware is the hardware address of a client that is told by its identifier.
	Hardware lease.ClientID `json:"hardware,omitempty"`
	State    lease.Phase    `json:"state"`
	Until    time.Time      `json:"until"`
	Name     string         `json:"name,omitempty"` // the client's own word
	Told     bool           `json:"in_netbox"`      // NetBox shows it
}

// leaseList is all leases by address, with their state at the time now.
func leaseList(leases []lease.Lease, now time.Time) []leaseShown {
	list := make([]leaseShown, 0, len(leases))
	for _, l := range leases {
		list = append(list, leaseShown{l.Addr, l.Client, l.Hardware, l.Phase(now), l.Expires, l.Hostname, !l.Unsynced})
	}
	slices.SortFunc(list, func(a, b leaseShown) int { return a.Address.Compare(b.Address) })
	return list
}

// leaseFilter says which leases are listed; the zero value: all.
type leaseFilter struct {
	prefix netip.Prefix
	client lease.ClientID
	name   string // part of the client's own name, in lower case
	states []lease.Phase
}

func newLeaseFilter(prefix, mac, name string, states []string) (f leaseFilter, err error) {
	f.name = strings.ToLower(name)
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
	for _, state := range states {
		phase := lease.Phase(state)
		if !slices.Contains(lease.Phases(), phase) {
			return f, fmt.Errorf("--state: want running, ended, quarantined or withdrawn, not %q", state)
		}
		f.states = append(f.states, phase)
	}
	return f, nil
}

func (f leaseFilter) lets(l leaseShown) bool {
	return (!f.prefix.IsValid() || f.prefix.Contains(l.Address)) && (f.client == "" || f.client == l.Client || f.client == l.Hardware) &&
		(f.name == "" || strings.Contains(strings.ToLower(l.Name), f.name)) && (len(f.states) == 0 || slices.Contains(f.states, l.State))
}

func (a *app) leasesCommand() *cobra.Command {
	var prefix, mac, name string
	var states []string
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "List the leases that the server keeps, and change them by hand",
		Long: `List the leases that the server keeps, by address: those that run, those that
ended and are remembered for their client, addresses in quarantine, and addresses
whose lease was ended by command and whose client may use them still (withdrawn).
Static addresses of NetBox have no lease. While the server runs it is asked over its
control socket; otherwise its store is read, without a lock and without a write.

Names are what clients call themselves. With --csv a cell that begins with = + - @, a
tab or a carriage return gets an apostrophe before it, so that no spreadsheet takes it
for a formula.

Exit code 0 means that the list is whole, also if it is empty; 64 that the
command line or the settings are wrong; 1 that the leases could not be read.`,
		Example: `  coredhcp-netbox leases -c config.yml
  coredhcp-netbox leases -c config.yml --prefix 10.0.0.0/24 --state running
  coredhcp-netbox leases -c config.yml --mac 52:54:00:12:34:56 --json
  coredhcp-netbox leases -c config.yml --name printer --csv > leases.csv`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := newLeaseFilter(prefix, mac, name, states)
			if err != nil {
				return usageError{err}
			}
			return a.leases(cmd.Context(), filter, a.leasePrinter(asJSON, asCSV))
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only addresses in this prefix, or this address")
	cmd.Flags().StringVar(&mac, "mac", "", "only leases of this client")
	cmd.Flags().StringVar(&name, "name", "", "only leases of clients whose name has this part, whatever its case")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these: running, ended, quarantined, withdrawn")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print as CSV, with a header")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	cmd.AddCommand(a.endLeaseCommand(), a.unquarantineCommand(), a.reserveCommand(), a.exportCommand(), a.importCommand())
	return cmd
}

// leasePrinter says how a list is printed.
func (a *app) leasePrinter(asJSON, asCSV bool) func([]leaseShown) error {
	switch {
	case asJSON:
		return func(list []leaseShown) error { return a.printJSON(list) }
	case asCSV:
		return func(list []leaseShown) error { return writeLeasesCSV(a.stdout, list) }
	}
	return func(list []leaseShown) error { return printLeases(a.stdout, list) }
}

func (a *app) leases(ctx context.Context, filter leaseFilter, show func([]leaseShown) error) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	list, err := knownLeases(ctx, file)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l leaseShown) bool { return !filter.lets(l) })
	return show(list)
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

// writeLeasesCSV writes a list for spreadsheets and scripts.
func writeLeasesCSV(w io.Writer, list []leaseShown) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"address", "client", "hardware", "state", "until", "in_netbox", "name"}}
	for _, l := range list {
		rows = append(rows, []string{l.Address.String(), string(l.Client), string(l.Hardware), string(l.State), l.Until.UTC().Format(time.RFC3339), strconv.FormatBool(l.Told), cell(l.Name)})
	}
	return out.WriteAll(rows)
}

// cell is text of a client that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		text = "'" + text
	}
	return printable.Text(text)
}
