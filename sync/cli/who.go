package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/who"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
)

// errNoHistory says that none is kept.
var errNoHistory = errors.New("no history is kept: sync.history.keep is 0")

func (p *program) whoCommand() *cobra.Command {
	var asked who.Asked
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "who [ADDRESS|PREFIX]",
		Short: "Say who leased an address from a Windows server, and when",
		Long: `Say who leased an address from a Windows server, and when, as far as runs saw
it: FROM is when a run first saw the lease, LAST HEARD when one saw it last,
ENDED when it was over. What happened between two runs is not known. Times are in
UTC. Only files of the state folder are read; they are kept for
sync.history.keep.

Exit codes: 0 the answer is whole, also if nobody had it; 1 the history could not
be read or none is kept; 64 command line or settings.`,
		Example: `  netbox-dhcp-sync who 10.8.4.33 --at 2026-11-01T14:05Z
  netbox-dhcp-sync who --mac 52:54:00:12:34:56 --from 2026-11-01
  netbox-dhcp-sync who --name laptop-17 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := asked.Query(args, time.Now())
			if err != nil {
				return usageError{err}
			}
			return p.who(cmd.Context(), q, asJSON)
		},
	}
	asked.AddTo(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) who(ctx context.Context, q history.Query, asJSON bool) error {
	f, err := p.load()
	if err != nil {
		return err
	}
	folder := mirror.HistoryFolder(f)
	if folder == "" {
		return errNoHistory
	}
	answer, err := history.Read(ctx, folder, q)
	if err != nil {
		return err
	}
	if asJSON {
		return p.printJSON(answer)
	}
	return who.Show(p.stdout, answer)
}

func (p *program) historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Erase people and devices from the history of leases",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.eraseCommand())
	return cmd
}

func (p *program) eraseCommand() *cobra.Command {
	var asked who.Asked
	var yes, asJSON bool
	var address string
	cmd := &cobra.Command{
		Use:   "erase --mac MAC | --client ID | --name NAME | --address ADDRESS",
		Short: "Erase a client, a name or an address from the history; shows first, does it with --yes",
		Long: `Erase a client, a name or an address from the history of leases that runs saw.
Leases that a server still lists stay, and so do their lines: end them on the
server, and run once, first. Where several keys are given, what all of them fit
is erased.

Exit codes: 0 done, or shown; 1 not done; 3 a run is under way; 64 command line
or settings.`,
		Example: `  netbox-dhcp-sync history erase --mac 52:54:00:12:34:56
  netbox-dhcp-sync history erase --mac 52:54:00:12:34:56 --yes`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			q, err := asked.Erasure(address, time.Now())
			if err != nil {
				return usageError{err}
			}
			return p.erase(q, yes, asJSON)
		},
	}
	asked.AddKeys(cmd.Flags())
	cmd.Flags().StringVar(&address, "address", "", "address, or prefix")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// unreached is what an erasure cannot reach.
func unreached() []string {
	return []string{
		"the Windows servers and their logs, and what the next run reads of them",
		"NetBox: addresses, its change log and journal entries",
		"memory.json in the state folder, as long as a server lists the lease; logs, reports and saved plans",
		"backups of any of this",
	}
}

func (p *program) erase(q history.Query, yes, asJSON bool) error {
	f, err := p.load()
	if err != nil {
		return err
	}
	if mirror.HistoryFolder(f) == "" {
		return errNoHistory
	}
	erased, err := mirror.EraseHistory(f, q, time.Now(), yes)
	if errors.Is(err, mirror.ErrLocked) {
		return ended{code: exit.Locked, err: err}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return p.printJSON(struct {
			history.Erased
			Done      bool     `json:"done"`
			Unreached []string `json:"unreached"`
		}{erased, yes, unreached()})
	}
	fmt.Fprintf(p.stdout, "history  %s\n", printable.Count(erased.Spans, "span", "spans"))
	if erased.Damaged > 0 {
		fmt.Fprintf(p.stdout, "         %s that cannot be read any more\n", printable.Count(erased.Damaged, "line", "lines"))
	}
	if erased.Running > 0 {
		fmt.Fprintf(p.stdout, "stays    %s of leases that servers list\n", printable.Count(erased.Running, "span", "spans"))
	}
	return who.ShowEnd(p.stdout, unreached(), yes)
}
