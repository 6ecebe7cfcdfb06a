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
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

func (p *program) certCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Look at, trust and forget certificates and host keys of servers",
		Long: `A server proves who it is: to transport psu by a certificate, which PowerShell
Universal makes for itself and no authority signed, and to transport ssh by its
host key. Trust it once, after comparing its fingerprint with the one the server
itself shows; from then on no other one is accepted from that server, and
nothing is sent to another one. What is trusted is kept below sync.state_dir.

On the server itself, in PowerShell, the fingerprints are
  of certificates (transport psu)
    Get-ChildItem Cert:\LocalMachine\My |
      ForEach-Object { $_.Subject + ' ' + $_.GetCertHashString('SHA256') }
  of its host key (transport ssh)
    ssh-keygen -lf C:\ProgramData\ssh\ssh_host_ed25519_key.pub`,
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

// server finds a server. It opens no mirror, which a damaged certificate would
// prevent, and needs no key: the host key is trusted before there is one.
func (p *program) server(name string) (*settings.File, settings.Server, error) {
	f, err := p.loadWith(settings.Options{WithoutKeys: true})
	if err != nil {
		return nil, settings.Server{}, err
	}
	s, err := findServer(f, name)
	return f, s, err
}

func (p *program) certFetchCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fetch HOST",
		Short: "Show the certificate or host key a server has; nothing is sent or trusted",
		Long: `Connect to a server of the settings and show what it proves itself with. Nothing
is kept.

With transport psu that is its certificate: names, issuer, end and SHA-256
fingerprint. No HTTP is spoken, no token is sent.

With transport ssh that is its host key: type and SHA-256 fingerprint. Nobody
logs in there. Where ssh.jump names a jump host whose key is not trusted yet,
it is the key of that one: trust it first, and fetch again.

Exit codes: 0 shown; 1 nothing could be had; 64 command line or settings.`,
		Example: `  netbox-dhcp-sync cert fetch dh1.corp.example
  netbox-dhcp-sync cert fetch dh1 --json`,
		Args: oneServer,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, s, err := p.server(args[0])
			if err != nil {
				return err
			}
			if s.OverSSH() {
				return p.fetchHostKey(cmd.Context(), f, s, asJSON)
			}
			if !s.HTTPS {
				return usagef("%s is set to https: false and has no certificate", s.Host)
			}
			c, err := psu.FetchCertificate(cmd.Context(), s.Host, s.Port, s.ServerName)
			if err != nil {
				return err
			}
			if err := p.printTrust([]trust{{server: s, certificate: &c}}, asJSON); err != nil || asJSON {
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
		Short: "Accept this certificate or host key from a server, and no other",
		Long: `Fetch the certificate of a server, or its host key with transport ssh, and keep
it if it has the fingerprint that was compared with the one on the server; any
other is refused. It replaces an older one. The key of a jump host (ssh.jump) is
trusted first, by the same command.

--file keeps the certificate of an authority of your own instead: then the
server has to show one that it signed, for the right name. A host key is signed
by nobody, so this is for transport psu.

Exit codes: 0 trusted; 1 another fingerprint, or nothing to fetch; 64 command
line or settings.`,
		Example: `  netbox-dhcp-sync cert trust dh1 --fingerprint 3A:5B:...:9F
  netbox-dhcp-sync cert trust dh2 --fingerprint SHA256:fbD2...
  netbox-dhcp-sync cert trust dh1 --file corp-root.pem`,
		Args: oneServer,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (fingerprint == "") == (file == "") {
				return usagef("cert trust: say --fingerprint, as cert fetch shows it and the server confirms it, or --file")
			}
			f, s, err := p.server(args[0])
			if err != nil {
				return err
			}
			done := true
			switch {
			case s.OverSSH() && file != "":
				return usagef("cert trust --file is for certificates, and %s has transport: ssh: say --fingerprint, as cert fetch shows it and the server confirms it", s.Host)
			case s.OverSSH():
				done, err = p.trustHostKey(cmd.Context(), f, s, fingerprint)
			default:
				err = p.trustCertificate(cmd.Context(), mirror.TrustStore(f), s, fingerprint, file)
			}
			if err != nil || !done {
				return err
			}
			return mirror.ForgetComputer(f, s.Host) // it may have another computer's name from now on
		},
	}
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "SHA-256 of the certificate, as pairs with colons; of a host key SHA256:...")
	cmd.Flags().StringVar(&file, "file", "", "PEM file with the certificate of an authority")
	return cmd
}

// trustCertificate keeps the certificate of a server, or of an authority.
func (p *program) trustCertificate(ctx context.Context, store psu.TrustStore, s settings.Server, fingerprint, file string) error {
	if !s.HTTPS {
		return usagef("%s is set to https: false and has no certificate", s.Host)
	}
	c, err := compared(ctx, store, s, fingerprint, file)
	if err != nil || p.quiet {
		return err
	}
	until := "without end"
	if !c.NotAfter.IsZero() {
		until = "until " + c.NotAfter.UTC().Format(time.DateOnly)
	}
	fmt.Fprintf(p.stdout, "%s: trusted %s, and no other certificate\n", s.Host, until)
	return nil
}

// compared is the certificate that is kept now.
func compared(ctx context.Context, store psu.TrustStore, s settings.Server, fingerprint, file string) (psu.Certificate, error) {
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
		Short: "Show the certificates and host keys that are trusted",
		Long: `Show the certificate or the host keys that are kept for a server, or for each. A
server without a certificate is trusted by the authorities of this machine; one
of transport ssh without a host key is not asked. Nothing is contacted.

Exit codes: 0 shown; 1 what is kept cannot be read; 64 command line or
settings.`,
		Example: "  netbox-dhcp-sync cert show",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return oneServer(cmd, args)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := p.loadWith(settings.Options{WithoutKeys: true})
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
			var list []trust
			for _, s := range servers {
				t, err := kept(f, s)
				if err != nil {
					return err
				}
				list = append(list, t)
			}
			return p.printTrust(list, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func (p *program) certRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove HOST",
		Short: "Forget the certificate or host key of a server",
		Long: `Forget the certificate that is kept for a server: from then on the authorities of
this machine decide. With transport ssh forget its host keys: from then on the
server is not asked until one is trusted. The key of a jump host stays.

Exit codes: 0 forgotten; 1 there is none; 64 command line or settings.`,
		Example: "  netbox-dhcp-sync cert remove dh1",
		Args:    oneServer,
		RunE: func(_ *cobra.Command, args []string) error {
			f, s, err := p.server(args[0])
			if err != nil {
				return err
			}
			if s.OverSSH() {
				err = removeHostKeys(f, s)
			} else if err = mirror.TrustStore(f).Remove(s.Host); errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("no certificate is kept for %s", s.Host)
			}
			if err != nil {
				return err
			}
			if !p.quiet {
				fmt.Fprintf(p.stdout, "%s: forgotten\n", s.Host)
			}
			return nil
		},
	}
}

// trust is what is known of a server by the door that is used.
type trust struct {
	server      settings.Server
	certificate *psu.Certificate  // of transport psu; nil: none
	keys        []openssh.HostKey // of transport ssh
}

// kept is what operators trusted of a server.
func kept(f *settings.File, s settings.Server) (t trust, err error) {
	t.server = s
	if s.OverSSH() {
		t.keys, err = keptHostKeys(f, s)
		return t, err
	}
	t.certificate, err = mirror.TrustStore(f).Load(s.Host)
	return t, err
}

func (p *program) printTrust(list []trust, asJSON bool) error {
	if asJSON {
		return p.trustJSON(list)
	}
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for i, one := range list {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "server\t%s\n", one.server.Host)
		for _, row := range one.rows() {
			if row[1] != "" {
				fmt.Fprintf(t, "%s\t%s\n", row[0], printable.Text(row[1]))
			}
		}
	}
	return t.Flush()
}

func (t trust) rows() (rows [][2]string) {
	if t.server.OverSSH() {
		for _, key := range t.keys {
			rows = append(rows, hostKeyRows(key)...)
		}
		return rows
	}
	c := t.certificate
	if c == nil {
		return [][2]string{{"certificate", "none kept: the authorities of this machine decide"}}
	}
	return [][2]string{
		{"subject", c.Subject}, {"issuer", c.Issuer}, {"DNS names", strings.Join(c.DNSNames, ", ")}, {"addresses", strings.Join(addresses(c), ", ")},
		{"self-signed", yesNo(c.SelfSigned)}, {"authority", yesNo(c.Authority)}, {"ends", endText(c.NotAfter)}, {"fingerprint", c.Fingerprint()},
	}
}

func addresses(c *psu.Certificate) []string {
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

func (p *program) trustJSON(list []trust) error {
	type certificate struct {
		Host        string    `json:"host"`
		Transport   string    `json:"transport"`
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
	type hostKeys struct {
		Host      string        `json:"host"`
		Transport string        `json:"transport"`
		Keys      []hostKeyJSON `json:"host_keys"`
	}
	all := []any{}
	for _, t := range list {
		host, transport := t.server.Host, t.server.Transport
		if t.server.OverSSH() {
			one := hostKeys{host, transport, []hostKeyJSON{}}
			for _, key := range t.keys {
				if key.Fingerprint != "" {
					one.Keys = append(one.Keys, hostKeyJSON{key.Host, key.Port, key.Jump, key.Type, key.Bits, key.Fingerprint})
				}
			}
			all = append(all, one)
			continue
		}
		one := certificate{Host: host, Transport: transport}
		if c := t.certificate; c != nil {
			one = certificate{host, transport, true, c.Subject, c.Issuer, c.DNSNames, addresses(c), c.SelfSigned, c.Authority, c.NotAfter.UTC(), c.Fingerprint()}
		}
		all = append(all, one)
	}
	return p.printJSON(all)
}
