package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// change is what a command does to leases: on the engine of the server that runs, or on
// that of the store on disk where none does (C-11).
type change[Q, A any] func(ctx context.Context, i *instance.Instance, question Q) (A, error)

// command lets the running server do it.
func (do change[Q, A]) command(i *instance.Instance) control.Command {
	return control.Command{Changes: true, Do: func(ctx context.Context, text []byte) (any, error) {
		var question Q
		if err := json.Unmarshal(text, &question); err != nil {
			return nil, fmt.Errorf("not a question of this version: %w", err)
		}
		return do(ctx, i, question)
	}}
}

// ask has the running server do it, by its name there; where none runs it is done here.
func (do change[Q, A]) ask(ctx context.Context, a *app, file *settings.File, name string, question Q) (answer A, err error) {
	err = askServer(ctx, file, name, question, &answer)
	if !errors.Is(err, control.ErrNoServer) {
		return answer, err
	}
	err = a.alone(ctx, file, false, func(i *instance.Instance) (err error) {
		answer, err = do(ctx, i, question)
		return err
	})
	return answer, err
}

// alone opens the store on disk for do. The log has errors only, since the command says
// the rest.
func (a *app) alone(ctx context.Context, file *settings.File, anew bool, do func(*instance.Instance) error) error {
	log, err := a.errorsOnly()
	if err != nil {
		return err
	}
	return instance.Alone(ctx, file, log, anew, do)
}

// errorsOnly is the log of a command that says by itself what it does.
func (a *app) errorsOnly() (*logrus.Entry, error) {
	if a.logLevel == "info" {
		a.logLevel = "error"
	}
	return a.logger()
}

// quarantineEnd asks for the end of a quarantine.
type quarantineEnd struct {
	Address netip.Addr `json:"address"`
}

func endQuarantine(ctx context.Context, i *instance.Instance, end quarantineEnd) (quarantineEnd, error) {
	return end, i.Engine.EndQuarantine(ctx, end.Address)
}

func (a *app) unquarantineCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unquarantine ADDRESS",
		Short: "Let a declined address be leased again, now",
		Long: `Let an address that a client declined be leased again, now. Without this it
rests for netbox.lease.decline_time, since another host was seen to use it: find
that host first, or the next client declines it again. Only root and the user of
the server may do it. The running server does it, and logs who asked; where none
runs it is done in the store on disk.

coredhcp-netbox leases --state quarantined lists such addresses.

Exit code 0 means that the quarantine has ended, 1 that there was none or that it
could not be ended, 3 that a server has the store open that cannot be asked, 64
that the command line or the settings are wrong.`,
		Example: `  coredhcp-netbox leases -c config.yml --state quarantined
  coredhcp-netbox leases unquarantine -c config.yml 10.0.0.105`,
		Args: exactlyOne("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.unquarantine(cmd.Context(), args[0]) },
	}
}

func (a *app) unquarantine(ctx context.Context, address string) error {
	addr, file, err := a.addressAndSettings(address)
	if err != nil {
		return err
	}
	if _, err := change[quarantineEnd, quarantineEnd](endQuarantine).ask(ctx, a, file, "quarantine-end", quarantineEnd{addr}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: the quarantine has ended\n", addr)
	return err
}

// addressAndSettings are what a command about one address needs.
func (a *app) addressAndSettings(address string) (netip.Addr, *settings.File, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil || !addr.Is4() {
		return addr, nil, usageError{fmt.Errorf("want an IPv4 address, not %q", address)}
	}
	file, err := a.readSettings()
	return addr, file, err
}

// endOfLease asks for the end of a lease.
type endOfLease struct {
	Address netip.Addr `json:"address"`
	Force   bool       `json:"force"`
}

// endedLease is a lease that was ended.
type endedLease struct {
	Client string    `json:"client,omitempty"` // empty: it was ended before
	Until  time.Time `json:"until,omitzero"`   // nobody else gets the address before
}

func endLease(ctx context.Context, i *instance.Instance, end endOfLease) (endedLease, error) {
	ended, err := i.Engine.End(ctx, end.Address, end.Force)
	if err == nil {
		i.EndedByOperator(end.Address)
	}
	return endedLease{string(ended.Client), ended.Until}, err
}

func (a *app) endLeaseCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "end ADDRESS",
		Short: "End a running lease",
		Long: `End a running lease. Its client is not confirmed at the address any more: when
it renews it is refused where nak is authoritative, and gets no answer elsewhere;
either way it asks for another address. Nobody else gets this address before the
time that was promised to the client, since it may use it until then. NetBox shows
the address as taken until then, by 00:00:00:00:00:00.

With --force the address is free at once, for this client as for any other: do that
only if the client is known to be gone, or two hosts use one address. --force also
frees an address whose lease was ended before. lease.probe, if it is set, asks the
address before it is offered.

Only root and the user of the server may do it. The running server does it, and
logs who asked; where none runs it is done in the store on disk.

Exit code 0 means that the lease has ended, 1 that there was none or that it could
not be ended, 3 that a server has the store open that cannot be asked, 64 that the
command line or the settings are wrong.`,
		Example: `  coredhcp-netbox leases end -c config.yml 10.0.0.105
  coredhcp-netbox leases end -c config.yml 10.0.0.105 --force`,
		Args: exactlyOne("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.endLease(cmd.Context(), args[0], force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "let others have the address at once, whatever was promised")
	return cmd
}

func (a *app) endLease(ctx context.Context, address string, force bool) error {
	addr, file, err := a.addressAndSettings(address)
	if err != nil {
		return err
	}
	ended, err := change[endOfLease, endedLease](endLease).ask(ctx, a, file, "lease-end", endOfLease{addr, force})
	if err != nil {
		return err
	}
	what := "the lease of " + ended.Client + " has ended"
	if ended.Client == "" {
		what = "the lease was ended before"
	}
	until := "the address is free now"
	if !ended.Until.IsZero() {
		until = "nobody else gets the address before " + ended.Until.UTC().Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s; %s\n", addr, what, until)
	return err
}
