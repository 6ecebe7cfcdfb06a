package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/decide"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// question is one address and the status it is to get.
type question struct {
	ip, vrf, status string
}

func (p *program) validateCommand() *cobra.Command {
	var (
		q      question
		c      choice
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "validate [--ip ADDRESS --status STATUS [--vrf VRF]]",
		Short: "Which addresses may not have the lease status? May this one?",
		Long: `An address may have the lease status only inside a DHCP scope of its VRF, and
outside that scope's exclusions. Without --ip both sides are read and every
address that breaks the rule is listed. With --ip one question is answered from
what NetBox holds, for scripts: no server is contacted and nothing is written.

Exit codes: 0 all is well; 1 it is not, and why is printed; 64 command line,
settings, or NetBox not prepared.`,
		Example: `  netbox-dhcp-sync validate
  netbox-dhcp-sync validate --ip 10.8.4.33/24 --status dhcp
  netbox-dhcp-sync validate --ip 10.8.4.33 --vrf red --status dhcp --quiet`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.ip != "" {
				return p.validateOne(cmd.Context(), q, asJSON)
			}
			if q.vrf != "" || q.status != "" {
				return usagef("validate: --vrf and --status need --ip")
			}
			return p.validateAll(cmd.Context(), c, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.ip, "ip", "", "an address, with or without its mask")
	f.StringVar(&q.vrf, "vrf", "", "name or route distinguisher of its VRF; default: the global table")
	f.StringVar(&q.status, "status", "", "the status it is to have; default: the lease status")
	f.BoolVar(&c.alongside, "alongside-plugin", false, "do not mind the plugin netbox-windows-dhcp")
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) validateAll(ctx context.Context, c choice, asJSON bool) error {
	s, made, err := p.makePlan(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	s.warnings()
	switch {
	case asJSON:
		if err := p.printJSON(append([]plan.Violation{}, made.Violations...)); err != nil {
			return err
		}
	case len(made.Violations) > 0:
		for _, v := range made.Violations {
			fmt.Fprintln(p.stdout, printable.Text(v.Text))
		}
	case !p.quiet:
		fmt.Fprintln(p.stdout, "every address with the lease status is in a scope that accepts it")
	}
	for _, n := range made.Notes {
		if n.Level == plan.Failure {
			logNotes(s.log, []plan.Note{n})
		}
	}
	if len(made.Violations) > 0 || made.Failed() {
		return ended{code: exit.Failed}
	}
	return nil
}

func (p *program) validateOne(ctx context.Context, q question, asJSON bool) error {
	addr, err := q.addr()
	if err != nil {
		return err
	}
	s, err := p.open(choice{}, logrus.WarnLevel)
	if err != nil {
		return err
	}
	defer s.Close()
	problem := ""
	if lease := s.File.Sync.Statuses.Lease; q.status == "" || q.status == lease {
		held, err := netboxio.Read(ctx, s.NetBox)
		if err != nil {
			return err
		}
		vrf, err := findVRF(held, q.vrf)
		if err != nil {
			return err
		}
		held.Addresses, err = netboxio.ReadAddresses(ctx, s.NetBox, []netip.Prefix{netip.PrefixFrom(addr, 32)}, nil)
		if err != nil {
			return err
		}
		in := &plan.Input{NetBox: held, Policy: recordedPolicy(s.File)}
		problem = decide.NewRoster(in).StatusProblem(plan.Place{VRF: vrf, Addr: addr})
	}
	if asJSON {
		if err := p.printJSON(map[string]any{"valid": problem == "", "problem": problem}); err != nil {
			return err
		}
	} else if problem != "" {
		fmt.Fprintln(p.stdout, printable.Text(problem))
	} else if !p.quiet {
		fmt.Fprintln(p.stdout, "valid")
	}
	if problem != "" {
		return ended{code: exit.Failed}
	}
	return nil
}

func (q question) addr() (netip.Addr, error) {
	text, _, masked := strings.Cut(q.ip, "/")
	addr, err := netip.ParseAddr(text)
	if err == nil && masked {
		_, err = netip.ParsePrefix(q.ip)
	}
	if err != nil || !addr.Is4() {
		return addr, usagef("--ip: want an IPv4 address such as 10.8.4.33/24, not %q", q.ip)
	}
	return addr, nil
}

// findVRF finds a VRF by name or route distinguisher; empty is the global
// table.
func findVRF(held *state.State, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	matches := slices.DeleteFunc(slices.Clone(held.VRFs), func(v state.VRF) bool { return v.Name != name && v.RD != name })
	switch len(matches) {
	case 0:
		return 0, usagef("--vrf: NetBox has no VRF %q", name)
	case 1:
		return matches[0].ID, nil
	}
	return 0, usagef("--vrf: NetBox has several VRFs %q: name the route distinguisher", name)
}

// recordedPolicy is what a roster has to know to read the scopes that NetBox
// holds.
func recordedPolicy(f *settings.File) plan.Policy {
	policy := plan.Policy{Mode: plan.Sync, LeaseStatus: f.Sync.Statuses.Lease, ReservationStatus: f.Sync.Statuses.Reservation}
	if tag := f.NetBox.Dynamic.Tag; tag != "" {
		policy.ExemptTags = []string{strings.ToLower(tag)}
	}
	for _, s := range f.Sync.Servers {
		policy.Servers = append(policy.Servers, plan.Server{ServerName: windhcp.ServerName{Host: s.Host, Aliases: s.Aliases}})
	}
	return policy
}
