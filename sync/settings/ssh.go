package settings

import (
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// The doors to the endpoint script of a server: values of Server.Transport.
const (
	TransportPSU = "psu" // PowerShell Universal
	TransportSSH = "ssh" // OpenSSH (rule 13)
)

// SSH is ssh: of an entry of sync.servers. It is looked at where Transport is
// TransportSSH.
type SSH struct {
	User           string `yaml:"user"` // account on the server, such as netbox-dhcp or CORP\netbox-dhcp
	Port           int    `yaml:"port"`
	KeyFile        string `yaml:"key_file"`        // private key to log in with
	PassphraseFile string `yaml:"passphrase_file"` // of KeyFile; empty: it has none
	Agent          bool   `yaml:"agent"`           // the agent of SSH_AUTH_SOCK signs, instead of KeyFile
	KnownHosts     string `yaml:"known_hosts"`     // trusted host keys; empty: those of cert trust
	Jump           string `yaml:"jump"`            // [user@]host[:port], as ParseJump reads it; empty: the connection is direct
	Command        string `yaml:"command"`         // starts PowerShell there
	Bound          bool   `yaml:"bound"`           // the key is bound to the installed script

	_ struct{} `yaml:"password" refuse:"a password is never sent: make a key pair with ssh-keygen -t ed25519, put the public half on the server, and name the private one in key_file"`
	_ struct{} `yaml:"passphrase" refuse:"a passphrase is never a setting, since this file is read, copied and backed up: write it to a file of its own and name that in passphrase_file; make a new key if others have seen this file"`
	_ struct{} `yaml:"key" refuse:"a key is never a setting, since this file is read, copied and backed up: name the file that holds it in key_file; make a new key if others have seen this file"`
}

// sshDefaults returns an empty ssh: of a server.
func sshDefaults() SSH { return SSH{Port: 22, Command: "powershell"} }

// OverSSH reports whether the server is asked through OpenSSH.
func (s Server) OverSSH() bool { return s.Transport == TransportSSH }

// Jump is a host on the way to a server.
type Jump struct {
	User string // empty: that of the server
	Host string // name or address, without brackets
	Port int    // 1 to 65535
}

// ParseJump reads [user@]host[:port]. An IPv6 address with a port is in brackets.
func ParseJump(text string) (Jump, error) {
	j := Jump{Host: text, Port: 22}
	if at := strings.LastIndex(text, "@"); at >= 0 {
		j.User, j.Host = text[:at], text[at+1:]
		if why := userMistake(j.User); why != "" {
			return Jump{}, errors.New(why)
		}
	}
	if host, port, err := net.SplitHostPort(j.Host); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return Jump{}, errors.New("want a port from 1 to 65535 behind the colon")
		}
		j.Host, j.Port = host, n
	} else if inner, ok := strings.CutPrefix(j.Host, "["); ok && strings.HasSuffix(inner, "]") {
		j.Host = strings.TrimSuffix(inner, "]")
	}
	if hostMistake(j.Host) != "" {
		return Jump{}, errors.New("want a host to go through, as [user@]host[:port], such as gate@jump.corp.example:2222")
	}
	return j, nil
}

// validateSSH reports what cannot be meant in ssh: of a server. Where the server is
// asked through PowerShell Universal the section may wait there for the move (rule
// 13.9), so nothing is missing in it then.
func validateSSH(r *strictyaml.Report, at string, s *Server) {
	switch why := userMistake(s.SSH.User); {
	case s.SSH.User == "" && s.OverSSH():
		r.Addf(at+".user", `want the account to log in as, such as netbox-dhcp or 'CORP\netbox-dhcp'`)
	case s.SSH.User != "" && why != "":
		r.Addf(at+".user", "%s", why)
	}
	validatePort(r, at, s.SSH.Port)
	if !commandForm.MatchString(s.SSH.Command) {
		r.Addf(at+".command", `want powershell, pwsh, or the path of an .exe without blanks, in letters, digits and : \ / . _ ~ -; `+
			`below Program Files give the short path, such as C:\PROGRA~1\PowerShell\7\pwsh.exe`)
	}
	if _, err := ParseJump(s.SSH.Jump); s.SSH.Jump != "" && err != nil {
		r.Addf(at+".jump", "%s", err)
	}
	if s.SSH.Agent && s.SSH.KeyFile != "" {
		r.Addf(at+".agent", "contradicts key_file: keep one of them")
	}
	if s.SSH.Agent && s.SSH.PassphraseFile != "" {
		r.Addf(at+".passphrase_file", "an agent knows the passphrase of its keys: leave this out, or name a key_file instead of agent: true")
	}
}

// commandForm is what may start PowerShell: it means the same to cmd.exe and to
// PowerShell as the shell of the account, without quotes (rule 13.4).
var commandForm = regexp.MustCompile(`^(?:powershell|pwsh|[A-Za-z0-9:\\/._~-]+\.exe)$`)

// looksLikeKey reports whether a text is a key instead of a path.
func looksLikeKey(s string) bool {
	return strings.Contains(s, "-----BEGIN ") || strings.HasPrefix(strings.TrimSpace(s), "ssh-") && strings.Contains(s, " AAAA")
}

// userMistake says why s is no account of a server; empty: it may be one. Windows
// has these letters in account names, and a domain before \ or behind @.
func userMistake(s string) string {
	domain, account, split := strings.Cut(s, `\`)
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return `want an account without blanks and control characters, in single quotes where a \ is in it: 'CORP\netbox-dhcp'`
	case strings.ContainsAny(s, `"/[]:;|=,+*?<>`), split && (domain == "" || account == "" || strings.ContainsAny(account, `\@`)), strings.HasPrefix(s, "@"), strings.HasSuffix(s, "@"), len(s) > 256:
		return `want an account such as netbox-dhcp, 'CORP\netbox-dhcp' or netbox-dhcp@corp.example`
	}
	return ""
}
