package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func (a *app) circuitsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "circuits",
		Short: "List wrong cables, and relays and circuits of option 82 that tell nothing",
		Long: `List, of the relays in network.circuits.relays and of the last day: those that
passed messages on without option 82, circuits that led to no interface in NetBox
with the reason, and devices that NetBox has at another switch port than they
came by. The server must run; it remembers 1024 of each, in memory. How a circuit
is read is shown by coredhcp-netbox explain with --circuit-id and --remote-id.

Exit code 0 means that the lists are whole, also if they are empty; 1 that the
server does not run, 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox circuits -c config.yml
  coredhcp-netbox circuits -c config.yml --json`,
	}
	return listRunning(a, cmd, printCircuits)
}

func printCircuits(w io.Writer, seen instance.Circuits) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WRONG CABLE OF\tAT\tWHICH LEADS TO\tMESSAGES\tLAST")
	for _, c := range seen.WrongCables {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", printable.Text(c.Machine), printable.Text(c.Port), printable.Text(c.LeadsTo), c.Messages, c.Last.Format(time.RFC3339))
	}
	fmt.Fprintln(t, "\nRELAY WITHOUT OPTION 82\tMESSAGES\tWITH\tLAST")
	for _, r := range seen.Relays {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", r.Relay, r.Without, r.With, r.Last.Format(time.RFC3339))
	}
	fmt.Fprintln(t, "\nCIRCUIT\tREMOTE\tRELAY\tRESULT\tAT\tMESSAGES\tLAST")
	for _, c := range seen.Circuits {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", printable.Text(c.Circuit), printable.Text(c.Remote), c.Relay, c.Result, printable.Text(c.Switch+" "+c.Port), c.Messages, c.Last.Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(t, "\n%s, %s, %s\n", count(len(seen.WrongCables), "wrong cable", "wrong cables"),
		count(len(seen.Relays), "relay without option 82", "relays without option 82"), count(len(seen.Circuits), "circuit that leads nowhere", "circuits that lead nowhere"))
	return errors.Join(err, t.Flush())
}

// listCircuits asks the running server for what circuits did not tell; without one
// nothing is known (CL-17).
func listCircuits(ctx context.Context, out io.Writer, file *settings.File) {
	if len(file.NetBox.Network.Circuits.Relays) == 0 {
		return
	}
	var seen instance.Circuits
	err := askServer(ctx, file, "circuits", nil, &seen)
	switch {
	case errors.Is(err, control.ErrNoServer):
		fmt.Fprintln(out, "notice   the server does not run: which relays of netbox.network.circuits.relays set option 82 is not known")
		return
	case err != nil:
		fmt.Fprintf(out, "notice   the server does not say which relays of netbox.network.circuits.relays set option 82: %v\n", err)
		return
	}
	lines := warnings(seen)
	for _, line := range lines[:min(len(lines), shownProblems)] {
		fmt.Fprintf(out, "warning  %s\n", line)
	}
	if more := len(lines) - shownProblems; more > 0 {
		fmt.Fprintf(out, "warning  and %d more: coredhcp-netbox circuits lists them\n", more)
	}
}

// warnings says what is wrong, and the fix. A port without a cable in NetBox is no
// fault.
func warnings(seen instance.Circuits) (lines []string) {
	for _, r := range seen.Relays {
		lines = append(lines, fmt.Sprintf("relay %s passed %s on without option 82 within a day: let it set the option for each client, or take it off netbox.network.circuits.relays", r.Relay, count(r.Without, "message", "messages")))
	}
	for _, c := range seen.WrongCables {
		lines = append(lines, fmt.Sprintf("device %s is at the port of another one, %s, whose cable leads to %s: correct the cable, or the cable in NetBox", printable.Text(c.Machine), printable.Text(c.Port), printable.Text(c.LeadsTo)))
	}
	for _, c := range seen.Circuits {
		if c.Result != lease.CircuitNoCable {
			lines = append(lines, fmt.Sprintf("circuit-id %s, remote-id %q of relay %s leads nowhere: %s; explain --circuit-id shows how it is read", printable.Text(c.Circuit), c.Remote, c.Relay, c.Result.Words()))
		}
	}
	return lines
}
