package launch

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

func (a *app) unservedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unserved",
		Short: "List the clients that were not served within the last hour, and why",
		Long: `List the clients that got no answer, or a refusal, within the last hour since
they are not served where they are: their network has no tag of
network.serve_tag, a config context turns them away, no prefix holds them, their
pool is empty. The server must run; it remembers 1024 of them, in memory. With
coredhcp-netbox explain, the MAC and the relay of a line, the whole reason is
shown.

Exit code 0 means that the list is whole, also if it is empty; 1 that the server
does not run, 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox unserved -c config.yml
  coredhcp-netbox unserved -c config.yml --json`,
	}
	return listRunning(a, cmd, printUnserved)
}

func printUnserved(w io.Writer, list []instance.Unserved) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLIENT\tREASON\tWHERE\tMESSAGES\tLAST")
	for _, u := range list {
		where := "interface " + printable.Text(u.Interface)
		switch {
		case u.Network.IsValid():
			where = "prefix " + u.Network.String()
		case u.Relay.IsValid():
			where = "relay " + u.Relay.String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", u.Client, u.Reason, where, u.Messages, u.Last.Format(time.RFC3339))
	}
	_, err := fmt.Fprintln(t, count(len(list), "client", "clients"))
	return errors.Join(err, t.Flush())
}
