package launch

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/writeback"
)

func (a *app) reserveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reserve ADDRESS",
		Short: "Make a running lease a reservation in NetBox; shows the plan, does it with --yes",
		Long: `Make the address of a running lease a static address of its client in NetBox. If
NetBox has the client's MAC on an interface, the address is assigned to that; otherwise
the field of netbox.fields.reservation_mac names the MAC, or that of
reservation_client_id the identifier of a client without a MAC. The address loses the
tag or status that makes it dynamic. An address of a range is made. The client keeps
its address throughout: before anything is written it is tried on NetBox as it would
be what the client gets when it renews.

Without --yes the plan is shown and nothing is done. NetBox is read again right before
the write, and left alone if it has changed. A second run finds nothing to do. The token
needs change on IP addresses, and add for those of ranges; use one of its own for this,
in NETBOX_TOKEN_FILE, which here goes before netbox.token_file.

Exit code 0 means that the plan was shown, that it was done or that there is nothing
to do, 1 that there is no such lease or that it could not be done, 64 that the command
line or the settings are wrong.`,
		Example: `  coredhcp-netbox leases reserve -c config.yml 10.0.0.105
  NETBOX_TOKEN_FILE=~/netbox-token coredhcp-netbox leases reserve -c config.yml 10.0.0.105 --yes`,
		Args: exactlyOne("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.reserve(cmd.Context(), args[0], yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "carry the plan out")
	return cmd
}

func (a *app) reserve(ctx context.Context, address string, yes bool) error {
	addr, file, err := a.addressAndSettings(address)
	if err != nil {
		return err
	}
	l, err := runningLease(ctx, file, addr)
	if err != nil {
		return err
	}
	operatorsToken(file)
	client, err := a.client(file)
	if err != nil {
		return err
	}
	defer client.Close()
	plan, err := a.planReservation(file, l)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	if len(plan.Steps) == 0 {
		_, err := fmt.Fprintf(a.stdout, "%s: nothing to do\n", addr)
		return err
	}
	fmt.Fprintf(a.stdout, "%s, leased by %s:\n  %s\n", addr, l.Shown(), strings.Join(plan.Steps, "\n  "))
	if !yes {
		_, err := fmt.Fprintln(a.stdout, "Nothing was done. Run again with --yes to carry this out.")
		return err
	}
	if err := writeback.Reserve(ctx, client, plan); err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: done; the server follows within netbox.poll.interval\n", addr)
	return err
}

// runningLease is the lease of an address that runs.
func runningLease(ctx context.Context, file *settings.File, addr netip.Addr) (lease.Lease, error) {
	list, err := knownLeases(ctx, file)
	if err != nil {
		return lease.Lease{}, err
	}
	for _, l := range list {
		if l.Address == addr && l.State == lease.PhaseRunning {
			return lease.Lease{Addr: l.Address, Client: l.Client, Hardware: l.Hardware, State: lease.Bound, Expires: l.Until, Hostname: l.Name}, nil
		}
	}
	return lease.Lease{}, fmt.Errorf("%s: no lease of this address runs, so there is no client to reserve it for", addr)
}

// planReservation says what has to change in NetBox, and tries whether the client then
// keeps its address.
func (a *app) planReservation(file *settings.File, l lease.Lease) (*writeback.Reservation, error) {
	log, err := a.errorsOnly()
	if err != nil {
		return nil, err
	}
	i, err := instance.Rehearsal(file, log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = i.Close() }() // a rehearsal keeps nothing
	plan, err := writeback.PlanReservation(i.Snapshot(), i.RecordFields(), file.NetBox.Dynamic.Status, l)
	if err != nil || len(plan.Steps) == 0 {
		return plan, err
	}
	i.Foresee(plan.After(i.RecordFields()))
	m, trace := lease.Renewal(l), new(lease.Trace)
	if !m.HasMAC { // its key is its identifier
		m.ClientIdentifier, _ = hex.DecodeString(strings.ReplaceAll(string(l.Client), ":", ""))
	}
	if d := i.Engine.Rehearse(m, trace); d.Verdict != lease.Ack || d.Addr.Addr() != l.Addr || !d.Static && d.Reason != lease.ReasonClaimed {
		why := string(d.Reason)
		if n := len(trace.Steps); n > 0 {
			why = cite(trace.Steps[n-1].Text, trace.Steps[n-1].Rule)
		}
		return nil, fmt.Errorf("%w: the client would not keep it as a static address: %s", writeback.ErrNotReservable, why)
	}
	return plan, nil
}
