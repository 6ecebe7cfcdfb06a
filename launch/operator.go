package launch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
)

// quarantineCommand has the name of before of leases unquarantine.
func (a *app) quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "quarantine",
		Short:  "End the quarantine of an address",
		Hidden: true,
		Args:   noSuchCommand,
		RunE:   func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	end := a.unquarantineCommand()
	end.Use, end.RunE = "end ADDRESS", func(cmd *cobra.Command, args []string) error {
		fmt.Fprintln(a.stderr, "coredhcp-netbox: quarantine end is called leases unquarantine now")
		return a.unquarantine(cmd.Context(), args[0])
	}
	cmd.AddCommand(end)
	return cmd
}

// accepted is how many rows were held against NetBox's word.
type accepted struct {
	Rows int `json:"rows"`
}

func (a *app) acceptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "accept",
		Short: "Say that what vanished from NetBox, or changed there in numbers, is meant",
		Long: `Say that NetBox shows what is true: rows that vanished from it without being
deleted, or that were deleted or changed in such numbers that the server doubts
it, count from now on. Until then it serves their hosts and leases as before and
refuses no client. Look at the log and at NetBox first: after this, clients whose
addresses are gone are refused. The server must run; only root and its own user
may ask, and it logs who did.

Exit code 0 means that it was done, 1 that the server does not run or follows no
NetBox, 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox accept -c config.yml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done accepted
			if err := a.askRunning(cmd.Context(), "accept", nil, &done); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.stdout, "accepted; %s were held against what NetBox shows\n", count(done.Rows, "row", "rows"))
			return err
		},
	}
}

// askRunning asks the running server, which alone can answer or do it.
func (a *app) askRunning(ctx context.Context, command string, question, answer any) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	err = askServer(ctx, file, command, question, answer)
	if errors.Is(err, control.ErrNoServer) {
		path, _ := socketOf(file) // askServer has shown that there is one
		return fmt.Errorf("%w (%s): start it first", err, path)
	}
	return err
}

// listRunning completes a command that prints what the running server answers to the
// command of its name: with show, or as JSON.
func listRunning[T any](a *app, cmd *cobra.Command, show func(io.Writer, T) error) *cobra.Command {
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var seen T
		if err := a.askRunning(cmd.Context(), cmd.Name(), nil, &seen); err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(seen)
		}
		return show(a.stdout, seen)
	}
	return cmd
}

// noSuchCommand refuses words that are no command.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.CommandPath())}
}

// exactlyOne wants one argument.
func exactlyOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("want one %s", name)}
		}
		return nil
	}
}

// atMostOne wants one argument or none.
func atMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("want one %s at most", name)}
		}
		return nil
	}
}
