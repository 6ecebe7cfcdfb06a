package cli

import (
	"errors"
	"fmt"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.configShowCommand())
	return cmd
}

func (p *program) configShowCommand() *cobra.Command {
	var effective, asJSON bool
	cmd := &cobra.Command{
		Use:   "show [--effective]",
		Short: "Show what is set, and where; tokens and keys as (set)",
		Long: `Show the settings that are not defaults and where each comes from: a line of the
file, an override, the environment. --effective shows all of them. What is
forced, and what is not written for now, stands in front. Nothing is contacted.

Exit codes: 0 shown; 64 command line or settings.`,
		Example: `  netbox-dhcp-sync config show
  netbox-dhcp-sync config show --effective | grep guards`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			f, err := p.load()
			if err != nil {
				return err
			}
			if asJSON {
				return p.settingsJSON(f, effective)
			}
			return p.settingsText(f, effective)
		},
	}
	cmd.Flags().BoolVar(&effective, "effective", false, "defaults too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) settingsText(f *settings.File, effective bool) error {
	for _, b := range f.Notices() {
		fmt.Fprintf(p.stdout, "! %s: %s = %s (%s)\n", b.Effect, b.Key, printable.Text(b.Value), printable.Text(b.Origin))
	}
	for _, w := range f.Warnings {
		fmt.Fprintf(p.stdout, "! %s\n", printable.Text(w.String()))
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, s := range shownSettings(f, effective) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", printable.Text(s.Key), printable.Text(s.Value), printable.Text(s.Origin))
	}
	return t.Flush()
}

func (p *program) settingsJSON(f *settings.File, effective bool) error {
	type setting struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
		Forced bool   `json:"forced,omitempty"`
	}
	list := []setting{}
	for _, s := range shownSettings(f, effective) {
		list = append(list, setting(s))
	}
	return p.printJSON(list)
}

// shownSettings are the settings and, as the state they are in, the tokens and keys.
func shownSettings(f *settings.File, effective bool) []settings.Setting {
	var list []settings.Setting
	for _, s := range f.Effective() {
		if s.Key != "netbox.token" && (effective || s.Origin != "default") {
			list = append(list, s)
		}
	}
	list = append(list, tokenState("netbox.token", f.NetBox.Token, false))
	for _, s := range f.Sync.Servers {
		if s.OverSSH() {
			list = append(list, settings.Setting{Key: "sync.servers." + s.Host + ".ssh.key", Value: s.SSH.KeyState()})
			continue
		}
		list = append(list, tokenState("sync.servers."+s.Host+".token", s.Token, true))
	}
	return list
}

// tokenState says whether there is a token, and of an app token when it ends;
// never what it is.
func tokenState(key string, read func() (shared.Secret, error), app bool) settings.Setting {
	s := settings.Setting{Key: key, Value: "(set)"}
	token, err := read()
	switch {
	case errors.Is(err, shared.ErrNoToken), err == nil && token == "":
		s.Value = "(not set)"
	case err != nil:
		s.Value, s.Origin = "(cannot be read)", err.Error()
	case app:
		if ends, ok := psu.TokenExpiry(token.Reveal()); ok {
			s.Origin = "ends " + ends.UTC().Format(time.DateOnly)
		}
	}
	return s
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version and Go version",
		Long:    "Print the version of this program and of Go, for reports of trouble.\n\nExit code: 0.",
		Example: "  netbox-dhcp-sync version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return p.printJSON(map[string]string{"version": version.String(), "go": runtime.Version()})
			}
			fmt.Fprintf(p.stdout, "netbox-dhcp-sync %s (%s)\n", version.String(), runtime.Version())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
