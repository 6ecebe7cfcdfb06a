package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/who"
)

func (a *app) whoCommand() *cobra.Command {
	var asked who.Asked
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "who [ADDRESS|PREFIX]",
		Short: "Say who had an address, and when",
		Long: `Say who had an address, and when: a line for each client and address, with all
renewals in it, static hosts included. FROM is when the client got it, LAST HEARD
when it asked last, UNTIL to when it was promised, ENDED when and how that ended.
Between LAST HEARD and the end nobody knows whether the client was still there.
Times are in UTC.

While the server runs it is asked over its control socket; otherwise its files are
read, without a lock and without a write. They are kept for netbox.history.keep.

Exit code 0 means that the answer is whole, also if nobody had it; 1 that the
history could not be read or none is kept, 64 that the command line or the
settings are wrong.`,
		Example: `  coredhcp-netbox who -c config.yml 10.1.2.3 --at 2026-11-01T14:05Z
  coredhcp-netbox who -c config.yml 10.1.2.3 --at 2h
  coredhcp-netbox who -c config.yml --mac 52:54:00:12:34:56 --from 2026-11-01 --to 2026-11-07
  coredhcp-netbox who -c config.yml --name laptop-17 --json
  coredhcp-netbox who -c config.yml --circuit Gi1/0/5 --from 24h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := asked.Query(args, time.Now())
			if err != nil {
				return usageError{err}
			}
			return a.who(cmd.Context(), q, asJSON)
		},
	}
	asked.AddTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (a *app) who(ctx context.Context, q history.Query, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	answer, err := knownSpans(ctx, file, q)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(answer)
	}
	return who.Show(a.stdout, answer)
}

// knownSpans asks the server, or reads its files where it does not run.
func knownSpans(ctx context.Context, file *settings.File, q history.Query) (answer history.Answer, err error) {
	err = askServer(ctx, file, "who", q, &answer)
	if !errors.Is(err, control.ErrNoServer) {
		return answer, err
	}
	folder := instance.HistoryFolder(file.NetBox)
	if folder == "" {
		return answer, instance.ErrNoHistory
	}
	return history.Read(ctx, folder, q)
}

func answerWho(i *instance.Instance) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, question []byte) (any, error) {
		var q history.Query
		if err := json.Unmarshal(question, &q); err != nil {
			return nil, fmt.Errorf("not a question of this version: %w", err)
		}
		return i.Who(ctx, q)
	}
}

func (a *app) historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Erase people and devices from the history",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.eraseCommand())
	return cmd
}

func (a *app) eraseCommand() *cobra.Command {
	var asked who.Asked
	var yes, asJSON bool
	var address string
	cmd := &cobra.Command{
		Use:   "erase --mac MAC | --client KEY | --name NAME | --address ADDRESS",
		Short: "Erase a client, a name or an address from what the server keeps; shows first, does it with --yes",
		Long: `Erase a client, a name or an address: from the history, from event files and what
waits to be delivered, and from the records of leases that ended. Running leases
stay, and so do their lines of the history: end the lease first. Where several keys
are given, what all of them fit is erased. What cannot be reached is listed.

Only root and the user of the server may do it; the log says that it was done, and
not of whom.

Exit code 0 means that it was done, or shown; 1 that it was not, 3 that a server
with another socket has the store open, 64 that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox history erase -c config.yml --mac 52:54:00:12:34:56
  coredhcp-netbox history erase -c config.yml --mac 52:54:00:12:34:56 --yes
  coredhcp-netbox history erase -c config.yml --name laptop-17 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := asked.Erasure(address, time.Now())
			if err != nil {
				return usageError{err}
			}
			return a.erase(cmd.Context(), q, yes, asJSON)
		},
	}
	asked.AddKeys(cmd.Flags())
	cmd.Flags().StringVar(&address, "address", "", "address, or prefix")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// erasedShown is what became of an erasure.
type erasedShown struct {
	instance.Erased
	Done      bool     `json:"done"`
	Unreached []string `json:"unreached"`
}

func (a *app) erase(ctx context.Context, what history.Query, do, asJSON bool) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	shown, command := erasedShown{Done: do, Unreached: instance.Unreached(file.NetBox)}, "erase-plan"
	if do {
		command = "erase"
	}
	err = askServer(ctx, file, command, what, &shown.Erased)
	if errors.Is(err, control.ErrNoServer) {
		shown.Erased, err = instance.EraseOffline(ctx, file.NetBox, what, do)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(shown)
	}
	return shown.print(a.stdout)
}

func (e erasedShown) print(w io.Writer) error {
	h := e.History
	fmt.Fprintf(w, "history       %s\n", count(h.Spans, "span", "spans"))
	if h.Damaged > 0 {
		fmt.Fprintf(w, "              %s that cannot be read any more\n", count(h.Damaged, "line", "lines"))
	}
	fmt.Fprintf(w, "event files   %s\nlease store   %s\n", count(e.Events, "line", "lines"), count(e.Leases, "ended lease", "ended leases"))
	if h.Running+e.Running > 0 {
		fmt.Fprintf(w, "stays         %s and %s of the history that run\n", count(e.Running, "lease", "leases"), count(h.Running, "span", "spans"))
	}
	return who.ShowEnd(w, e.Unreached, e.Done)
}

// answerErase erases what a question names, or with do false says what that would be.
func answerErase(i *instance.Instance, do bool) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, question []byte) (any, error) {
		var what history.Query
		if err := json.Unmarshal(question, &what); err != nil || !who.Whose(what) {
			return nil, errors.New("not a question of this version")
		}
		return i.Erase(ctx, what, do)
	}
}

// listWebhooks names webhooks whose secret cannot be read: they would get no event.
func listWebhooks(out io.Writer, e settings.Events) {
	for n, w := range e.Webhooks {
		if _, err := w.Secret(); err != nil {
			fmt.Fprintf(out, "warning  netbox.events.webhooks[%d] gets no events: %v\n", n, err)
		}
	}
}
