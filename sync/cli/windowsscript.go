package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
)

func (p *program) windowsScriptCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "windows-script",
		Short: "Print the script to install on a Windows server, for a key that can do nothing else",
		Long: `Print the PowerShell script that a Windows DHCP server with transport: ssh runs
for a key that is bound to it. Without one, a run sends the same text at each
login, and the key can do whatever its account can. Without --write the script
has no route that changes anything: whoever holds the key can read only.

1. Make the folder on the server, as an administrator, so that only
   administrators write there, and put the script into it:
     $dir = 'C:\ProgramData\netbox-dhcp-sync'
     New-Item -ItemType Directory $dir
     icacls $dir /inheritance:r /grant '*S-1-5-32-544:(OI)(CI)F'
     icacls $dir /grant '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-545:(OI)(CI)RX'
     Copy-Item netbox-dhcp-sync.ps1 $dir
   (the numbers are Administrators, SYSTEM and Users, in every language).
2. Bind the key to it: one line in authorized_keys of the account (here it is
   broken at blanks), with the address of this machine and its public key:
     restrict,from="10.0.0.10",command="powershell -NoProfile
     -NonInteractive -OutputFormat Text -ExecutionPolicy RemoteSigned
     -File C:\ProgramData\netbox-dhcp-sync\netbox-dhcp-sync.ps1"
     ssh-ed25519 AAAA...
3. Say ssh: {bound: true} for the server. A run then warns if the key is not
   bound; without it, doctor only tells which it is.

The script has a version, as the one that is sent: after an upgrade of this
program doctor tells of another one, and a new copy is due. Settings are not
read, and nothing is contacted.

Exit codes: 0 printed; 64 the command line is wrong.`,
		Example: `  netbox-dhcp-sync windows-script > netbox-dhcp-sync.ps1
  netbox-dhcp-sync windows-script --write > netbox-dhcp-sync.ps1`,
		Args: noArguments,
		RunE: func(_ *cobra.Command, _ []string) error {
			_, err := io.WriteString(p.stdout, openssh.Script(write, true))
			return err
		},
	}
	cmd.Flags().BoolVar(&write, "write", false, "with the routes that change scopes and reservations, for servers that are pushed to")
	return cmd
}
