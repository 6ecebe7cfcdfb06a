package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

func (p *program) certCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Look at, trust and forget certificates of servers",
		Long: `PowerShell Universal makes a certificate for itself that no authority signed.
Trust it once, after comparing its fingerprint with the one the server shows;
from then on no other certificate is accepted from that server, and no token is
sent to another one. Certificates are kept below sync.state_dir.

On the server itself, in PowerShell, the fingerprint is
  Get-ChildItem Cert:\LocalMachine\My |
    ForEach-Object { $_.Subject + ' ' + $_.GetCertHashString('SHA256') }`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.certFetchCommand(), p.certTrustCommand(), p.certShowCommand(), p.certRemoveCommand())
	return cmd
}

// oneServer refuses anything but the name of one server.
func oneServer(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("%s: name one server", cmd.CommandPath())
	}
	return nil
}

// server finds a server and the store of trusted certificates. It does not open
// the mirror, which a damaged certificate would prevent.
func (p *program) server(name string) (settings.Server, psu.TrustStore, error) {
	f, err := p.load()
	if err != nil {
		return settings.Server{}, psu.TrustStore{}, err
	}
	s, err := findServer(f, name)
	return s, mirror.TrustStore(f), err
}

func (p *program) certFetchCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fetch HOST",
		Short: "Show the certificate a server has; no token is sent, nothing is trusted",
		Long: `Connect to a server of the settings and show its certificate: names, issuer, end
and SHA-256 fingerprint. No HTTP is spoken, no token is sent, nothing is kept.

Exit codes: 0 shown; 1 no certificate could be had; 64 command line or settings.`,
		Example: "  netbox-dhcp-sync cert fetch dh1.corp.example",
		Args:    oneServer,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, _, err := p.server(args[0])
			if err != nil {
				return err
			}
			if !s.HTTPS {
				return usagef("%s is set to https: false and has no certificate", s.Host)
			}
			c, err := psu.FetchCertificate(cmd.Context(), s.Host, s.Port, s.ServerName)
			if err != nil {
				return err
			}
			if err := p.printCertificates([]hostCertificate{{s.Host, &c}}, asJSON); err != nil || asJSON {
				return err
			}
			fmt.Fprintf(p.stdout, "\nIf the server itself shows the same fingerprint:\n  netbox-dhcp-sync cert trust %s --fingerprint %s\n", s.Host, c.Fingerprint())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) certTrustCommand() *cobra.Command {
	var fingerprint, file string
	cmd := &cobra.Command{
		Use:   "trust HOST (--fingerprint SHA256 | --file PEM)",
		Short: "Accept this certificate from a server, and no other",
		Long: `Fetch the certificate of a server and keep it if it has the fingerprint that was
compared with the one on the server; any other is refused. It replaces an older
one. --file keeps the certificate of an authority of your own instead: then the
server has to show one that it signed, for the right name.

Exit codes: 0 trusted; 1 another fingerprint, or nothing to fetch; 64 command
line or settings.`,
		Example: `  netbox-dhcp-sync cert trust dh1 --fingerprint 3A:5B:...:9F
  netbox-dhcp-sync cert trust dh1 --file corp-root.pem`,
		Args: oneServer,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (fingerprint == "") == (file == "") {
				return usagef("cert trust: say --fingerprint, as cert fetch shows it and the server confirms it, or --file")
			}
			s, store, err := p.server(args[0])
			if err != nil {
				return err
			}
			if !s.HTTPS {
				return usagef("%s is set to https: false and has no certificate", s.Host)
			}
			c, err := trust(cmd.Context(), store, s, fingerprint, file)
			if err != nil {
				return err
			}
			if err := p.trustComputer(s.Host); err != nil {
				return err
			}
			if !p.quiet {
				until := "without end"
				if !c.NotAfter.IsZero() {
					until = "until " + c.NotAfter.UTC().Format(time.DateOnly)
				}
				fmt.Fprintf(p.stdout, "%s: trusted %s, and no other certificate\n", s.Host, until)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "SHA-256 of the certificate, as pairs with colons")
	cmd.Flags().StringVar(&file, "file", "", "PEM file with the certificate of an authority")
	return cmd
}

// trustComputer lets a server have another computer's name from now on.
func (p *program) trustComputer(host string) error {
	f, err := p.load()
	if err != nil {
		return err
	}
	return mirror.ForgetComputer(f, host)
}

func trust(ctx context.Context, store psu.TrustStore, s settings.Server, fingerprint, file string) (psu.Certificate, error) {
	if file == "" {
		return store.Trust(ctx, s.Host, s.Port, s.ServerName, fingerprint)
	}
	text, err := os.ReadFile(file) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return psu.Certificate{}, usageError{fmt.Errorf("read certificate: %w", err)}
	}
	c, err := psu.ParseCertificate(text)
	if err != nil {
		return c, usageError{fmt.Errorf("read certificate %s: %w", file, err)}
	}
	return c, store.Put(s.Host, c)
}

func (p *program) certShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [HOST]",
		Short: "Show the certificates that are trusted",
		Long: `Show the certificate that is kept for a server, or for each. A server without one
is trusted by the authorities of this machine. Nothing is contacted.

Exit codes: 0 shown; 1 a kept certificate cannot be read; 64 command line or
settings.`,
		Example: "  netbox-dhcp-sync cert show",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return oneServer(cmd, args)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := p.load()
			if err != nil {
				return err
			}
			servers := f.Sync.Servers
			if len(args) == 1 {
				s, err := findServer(f, args[0])
				if err != nil {
					return err
				}
				servers = []settings.Server{s}
			}
			var list []hostCertificate
			for _, s := range servers {
				c, err := mirror.TrustStore(f).Load(s.Host)
				if err != nil {
					return err
				}
				list = append(list, hostCertificate{s.Host, c})
			}
			return p.printCertificates(list, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) certRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove HOST",
		Short: "Forget the certificate of a server",
		Long: `Forget the certificate that is kept for a server. From then on the authorities of
this machine decide.

Exit codes: 0 forgotten; 1 there is none; 64 command line or settings.`,
		Example: "  netbox-dhcp-sync cert remove dh1",
		Args:    oneServer,
		RunE: func(_ *cobra.Command, args []string) error {
			s, store, err := p.server(args[0])
			if err != nil {
				return err
			}
			switch err := store.Remove(s.Host); {
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("no certificate is kept for %s", s.Host)
			case err != nil:
				return err
			}
			if !p.quiet {
				fmt.Fprintf(p.stdout, "%s: forgotten\n", s.Host)
			}
			return nil
		},
	}
}

// hostCertificate is a certificate of a server; nil: none is kept.
type hostCertificate struct {
	host string
	*psu.Certificate
}

func (p *program) printCertificates(list []hostCertificate, asJSON bool) error {
	if asJSON {
		return p.certificatesJSON(list)
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for i, c := range list {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "server\t%s\n", c.host)
		if c.Certificate == nil {
			fmt.Fprintf(t, "certificate\tnone kept: the authorities of this machine decide\n")
			continue
		}
		for _, row := range [][2]string{
			{"subject", c.Subject}, {"issuer", c.Issuer}, {"DNS names", strings.Join(c.DNSNames, ", ")}, {"addresses", strings.Join(c.addresses(), ", ")},
			{"self-signed", yesNo(c.SelfSigned)}, {"authority", yesNo(c.Authority)}, {"ends", endText(c.NotAfter)}, {"fingerprint", c.Fingerprint()},
		} {
			if row[1] != "" {
				fmt.Fprintf(t, "%s\t%s\n", row[0], printable.Text(row[1]))
			}
		}
	}
	return t.Flush()
}

func (c hostCertificate) addresses() []string {
	var list []string
	for _, ip := range c.IPs {
		list = append(list, ip.String())
	}
	return list
}

// endText is when a certificate ends.
func endText(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (p *program) certificatesJSON(list []hostCertificate) error {
	type certificate struct {
		Host        string    `json:"host"`
		Kept        bool      `json:"certificate"`
		Subject     string    `json:"subject,omitempty"`
		Issuer      string    `json:"issuer,omitempty"`
		DNSNames    []string  `json:"dns_names,omitempty"`
		Addresses   []string  `json:"addresses,omitempty"`
		SelfSigned  bool      `json:"self_signed"`
		Authority   bool      `json:"authority"`
		Ends        time.Time `json:"ends,omitzero"`
		Fingerprint string    `json:"fingerprint,omitempty"`
	}
	all := []certificate{}
	for _, c := range list {
		one := certificate{Host: c.host}
		if c.Certificate != nil {
			one = certificate{c.host, true, c.Subject, c.Issuer, c.DNSNames, c.addresses(), c.SelfSigned, c.Authority, c.NotAfter.UTC(), c.Fingerprint()}
		}
		all = append(all, one)
	}
	return p.printJSON(all)
}
