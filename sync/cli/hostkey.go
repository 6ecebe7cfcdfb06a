package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/openssh"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// readHostKey is how a fingerprint is read on the host itself.
func readHostKey(key openssh.HostKey) string {
	name := map[string]string{
		"ssh-ed25519": "ed25519", "ssh-rsa": "rsa", "ecdsa-sha2-nistp256": "ecdsa", "ecdsa-sha2-nistp384": "ecdsa", "ecdsa-sha2-nistp521": "ecdsa",
	}[key.Type]
	switch {
	case key.Jump:
		return "for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done"
	case name == "":
		return `Get-ChildItem C:\ProgramData\ssh\ssh_host_*_key.pub | ForEach-Object { ssh-keygen -lf $_.FullName }`
	}
	return `ssh-keygen -lf C:\ProgramData\ssh\ssh_host_` + name + "_key.pub"
}

// fetchHostKey shows the host key of a server, or of the jump host in front of it.
func (p *program) fetchHostKey(ctx context.Context, f *settings.File, s settings.Server, asJSON bool) error {
	key, err := openssh.Fetch(ctx, mirror.OpenSSH(f, s))
	if err != nil {
		return err
	}
	if err := p.printTrust([]trust{{server: s, keys: []openssh.HostKey{key}}}, asJSON); err != nil || asJSON {
		return err
	}
	where := "the server"
	if key.Jump {
		where = "the jump host"
		fmt.Fprintf(p.stdout, "\nThis is the jump host on the way to %s: its key is trusted first. Fetch again after that for the key of the server.\n", s.Host)
	}
	fmt.Fprintf(p.stdout, "\nOn %s itself this shows the fingerprint:\n  %s\n", where, readHostKey(key))
	if s.SSH.KnownHosts != "" {
		fmt.Fprintf(p.stdout, "If it is the same, add the key to %s, as this prints it:\n  ssh-keyscan -p %d %s\n", s.SSH.KnownHosts, key.Port, key.Host)
		return nil
	}
	fmt.Fprintf(p.stdout, "If it is the same:\n  netbox-dhcp-sync cert trust %s --fingerprint %s\n", s.Host, key.Fingerprint)
	return nil
}

// ownersFile refuses to change host keys that stand in a file of the operator's.
func ownersFile(s settings.Server) error {
	if s.SSH.KnownHosts == "" {
		return nil
	}
	return usagef("the host keys of %s stand in %s, which is yours (ssh.known_hosts): change that file, or take the setting out", s.Host, s.SSH.KnownHosts)
}

// trustHostKey keeps the host key of a server, or of the jump host in front of it; done:
// it is the server's.
func (p *program) trustHostKey(ctx context.Context, f *settings.File, s settings.Server, fingerprint string) (done bool, err error) {
	if err := ownersFile(s); err != nil {
		return false, err
	}
	key, err := mirror.HostKeys(f, s).Trust(ctx, mirror.OpenSSH(f, s), fingerprint)
	if err != nil {
		return false, err
	}
	switch {
	case p.quiet:
	case key.Jump:
		fmt.Fprintf(p.stdout, "jump host %s: trusted its host key %s, and no other; now that of the server itself:\n  netbox-dhcp-sync cert fetch %s\n", key.Host, key.Fingerprint, s.Host)
	default:
		fmt.Fprintf(p.stdout, "%s: trusted its host key %s, and no other\n", s.Host, key.Fingerprint)
	}
	return !key.Jump, nil
}

// keptHostKeys are those of a server and of the jump host in front of it. One without a
// fingerprint stands for a host that none is kept of.
func keptHostKeys(f *settings.File, s settings.Server) ([]openssh.HostKey, error) {
	hosts := []openssh.HostKey{{Host: s.Host, Port: s.SSH.Port}}
	if jump, err := settings.ParseJump(s.SSH.Jump); err == nil && s.SSH.Jump != "" {
		hosts = []openssh.HostKey{{Host: jump.Host, Port: jump.Port, Jump: true}, hosts[0]}
	}
	var all []openssh.HostKey
	for _, host := range hosts {
		kept, err := mirror.HostKeys(f, s).Of(host.Host, host.Port)
		if err != nil {
			return nil, err
		}
		if len(kept) == 0 {
			kept = []openssh.HostKey{host}
		}
		for _, key := range kept {
			key.Jump = host.Jump
			all = append(all, key)
		}
	}
	return all, nil
}

// removeHostKeys forgets the host keys of a server. Those of a jump host stay: other
// servers may be behind it.
func removeHostKeys(f *settings.File, s settings.Server) error {
	if err := ownersFile(s); err != nil {
		return err
	}
	err := mirror.HostKeys(f, s).Remove(s.Host, s.SSH.Port)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no host key is kept for %s", s.Host)
	}
	return err
}

// hostKeyRows are a host key as rows of a table.
func hostKeyRows(key openssh.HostKey) [][2]string {
	host := net.JoinHostPort(key.Host, strconv.Itoa(key.Port))
	if key.Jump {
		host += ", the jump host"
	}
	if key.Fingerprint == "" {
		return [][2]string{{"host key", "none kept of " + host}}
	}
	kind := key.Type
	if key.Bits > 0 {
		kind += fmt.Sprintf(", %d bits", key.Bits)
	}
	return [][2]string{{"host key", "of " + host}, {"type", kind}, {"fingerprint", key.Fingerprint}}
}

// hostKeyJSON is a host key for programs.
type hostKeyJSON struct {
	Host        string `json:"host"`
	Port        int    `json:"port"`
	Jump        bool   `json:"jump_host"`
	Type        string `json:"type"`
	Bits        int    `json:"bits,omitempty"` // of RSA
	Fingerprint string `json:"fingerprint"`
}
