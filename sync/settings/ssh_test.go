package settings

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rules 13.4, 13.7 and 13.8.
func TestMistakesInTheSSHOfAServer(t *testing.T) {
	const (
		blanks  = `want an account without blanks and control characters, in single quotes where a \ is in it: 'CORP\netbox-dhcp'`
		account = `want an account such as netbox-dhcp, 'CORP\netbox-dhcp' or netbox-dhcp@corp.example`
		command = `want powershell, pwsh, or the path of an .exe without blanks, in letters, digits and : \ / . _ ~ -; below Program Files give the short path, such as C:\PROGRA~1\PowerShell\7\pwsh.exe`
		jump    = "want a host to go through, as [user@]host[:port], such as gate@jump.corp.example:2222"
	)
	for name, tc := range map[string]struct{ entry, want string }{
		"another transport":        {"transport: winrm", `transport: want psu or ssh, not "winrm"`},
		"no account":               {"transport: ssh, ssh: {agent: true}", `ssh.user: want the account to log in as, such as netbox-dhcp or 'CORP\netbox-dhcp'`},
		"an account with a blank":  {"ssh: {user: 'net box'}", "ssh.user: " + blanks},
		"a domain in quotes":       {`ssh: {user: "CORP\netbox"}`, "ssh.user: " + blanks},
		"an invisible letter":      {`ssh: {user: "netbox\u202edhcp"}`, "ssh.user: " + blanks},
		"an address as account":    {"ssh: {user: 'ssh://netbox'}", "ssh.user: " + account},
		"a domain alone":           {`ssh: {user: 'CORP\'}`, "ssh.user: " + account},
		"no domain":                {`ssh: {user: '\netbox'}`, "ssh.user: " + account},
		"two domains":              {`ssh: {user: 'CORP\netbox@corp.example'}`, "ssh.user: " + account},
		"a domain in front of @":   {"ssh: {user: '@corp.example'}", "ssh.user: " + account},
		"user and password":        {"ssh: {user: 'netbox:hunter2'}", "ssh.user: " + account},
		"port":                     {"ssh: {port: 0}", "ssh.port: want 1 to 65535, not 0"},
		"two keys":                 {"ssh: {key_file: /k, agent: true}", "ssh.agent: contradicts key_file: keep one of them"},
		"passphrase of an agent":   {"ssh: {passphrase_file: /p, agent: true}", "ssh.passphrase_file: an agent knows the passphrase of its keys: leave this out, or name a key_file instead of agent: true"},
		"the key itself":           {`ssh: {key_file: "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n"}`, "ssh.key_file: this looks like a key, not like the path of a file; make a new key if others have seen this file"},
		"the public key itself":    {"ssh: {key_file: 'ssh-ed25519 AAAAC3Nhunter2 me'}", "ssh.key_file: this looks like a key, not like the path of a file; make a new key if others have seen this file"},
		"a command with arguments": {"ssh: {command: 'powershell -NoLogo'}", "ssh.command: " + command},
		"a path with a blank":      {`ssh: {command: 'C:\Program Files\PowerShell\7\pwsh.exe'}`, "ssh.command: " + command},
		"a command of the shell":   {"ssh: {command: 'a&b.exe'}", "ssh.command: " + command},
		"no program":               {"ssh: {command: bash}", "ssh.command: " + command},
		"no command":               {"ssh: {command: ''}", "ssh.command: " + command},
		"jump without a host":      {"ssh: {jump: 'gate@'}", "ssh.jump: " + jump},
		"jump with a path":         {"ssh: {jump: 'gate@jump/x'}", "ssh.jump: " + jump},
		"two jumps":                {"ssh: {jump: 'a,b'}", "ssh.jump: " + jump},
		"jump to no port":          {"ssh: {jump: 'jump:ssh'}", "ssh.jump: want a port from 1 to 65535 behind the colon"},
		"jump with a password":     {"ssh: {jump: 'gate:hunter2@jump'}", "ssh.jump: " + account},
		"a misspelt key":           {"ssh: {keyfile: /k}", "ssh.keyfile: unknown key; did you mean key_file?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, netboxSection+"sync:\n  servers:\n  - {host: dh0}\n  - {host: a, "+tc.entry+"}\n")
			if diff := cmp.Diff("/etc/c/config.yml:5: sync.servers[1]."+tc.want, message(err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(message(err), "hunter2") {
				t.Error("the secret is repeated")
			}
		})
	}
}

func TestAccountsAndCommandsAsWindowsHasThem(t *testing.T) {
	for _, user := range []string{"netbox-dhcp", `CORP\netbox-dhcp`, "netbox-dhcp@corp.example", `.\svc_dhcp$`, "müller", "o'neill"} {
		for _, command := range []string{"powershell", "pwsh", `C:\PROGRA~1\PowerShell\7\pwsh.exe`, "C:/ps-7/pwsh.exe"} {
			text := netboxSection + "sync: {servers: [{host: a, transport: ssh, ssh: {agent: true, user: \"" + strings.ReplaceAll(user, `\`, `\\`) + "\", command: '" + command + "'}}]}\n"
			f := mustParse(t, text)
			if s := f.Sync.Servers[0].SSH; s.User != user || s.Command != command {
				t.Errorf("%q, %q: %+v", user, command, s)
			}
		}
	}
}

// rule 13.9: changing transport is the whole move, so both doors may stand at a server
// and the one that is not used is not asked for anything.
func TestASettingsFileWithBothDoorsMovesByTheWordTransport(t *testing.T) {
	const both = `https: false, verify: false, %
      token_file: /t, ssh: {user: netbox-dhcp, key_file: /k}}`
	for transport, tc := range map[string]struct{ mistake, warning string }{
		"psu": {"port: https: false needs the port here, which is 5000 unless PowerShell Universal was told otherwise", "https: without HTTPS"},
		"ssh": {"", ""},
	} {
		text := netboxSection + "sync:\n  servers:\n    - {host: a, " + both + "\n"
		_, err := parse(t, strings.Replace(text, "%", "transport: "+transport+",", 1))
		if got := message(err); !strings.HasSuffix(got, tc.mistake) || (got == "") != (tc.mistake == "") {
			t.Errorf("%s: %s", transport, got)
		}
		f := mustParse(t, strings.Replace(text, "%", "port: 5000, transport: "+transport+",", 1))
		got := ""
		if len(f.Warnings) > 0 {
			got = f.Warnings[0].String()
		}
		if len(f.Warnings) > 1 || !strings.Contains(got, tc.warning) || (got == "") != (tc.warning == "") {
			t.Errorf("%s: warnings %v", transport, f.Warnings)
		}
	}
	mustParse(t, netboxSection+"sync: {servers: [{host: a, ssh: {command: pwsh}}]}\n") // without an account, which only SSH needs
}

func TestJumpHosts(t *testing.T) {
	for text, want := range map[string]Jump{
		"jump.corp.example":          {Host: "jump.corp.example", Port: 22},
		"gate@jump:2222":             {User: "gate", Host: "jump", Port: 2222},
		"gate@corp.example@10.1.1.9": {User: "gate@corp.example", Host: "10.1.1.9", Port: 22},
		`CORP\gate@jump`:             {User: `CORP\gate`, Host: "jump", Port: 22},
		"2001:db8::9":                {Host: "2001:db8::9", Port: 22},
		"[2001:db8::9]":              {Host: "2001:db8::9", Port: 22},
		"gate@[2001:db8::9]:2022":    {User: "gate", Host: "2001:db8::9", Port: 2022},
	} {
		if got, err := ParseJump(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseJump(f *testing.F) {
	for _, text := range []string{"jump", "gate@jump:22", "[::1]:2", "a@b@c", `D\u@[::1]`, "@", ":", "[", "]@["} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJump(text)
		if err == nil && (j.Host == "" || j.Port < 1 || j.Port > 65535 || strings.ContainsAny(j.Host, "@[]/ \n")) {
			t.Errorf("%q: %+v", text, j)
		}
	})
}

// sshKey is a file with a key as far as settings look into it.
const sshKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"

// keyFolder is a folder with a settings file of one server with transport ssh, and
// with other files.
func keyFolder(t *testing.T, ssh string, files map[string]string) (folder, config string) {
	t.Helper()
	folder = t.TempDir()
	config = filepath.Join(folder, "config.yml")
	files["config.yml"] = netboxSection + "sync:\n  servers:\n    - {host: DH1.corp.example, transport: ssh, ssh: {user: netbox-dhcp" + ssh + "}}\n"
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, config
}

// rule 13.8: what is wrong with a key is told when the file is loaded, with the fix.
func TestKeysThatCannotBeUsed(t *testing.T) {
	utf16 := func(s string) string { return "\xff\xfe" + strings.Join(strings.Split(s, ""), "\x00") + "\x00" }
	for name, tc := range map[string]struct {
		ssh, content string
		mode         os.FileMode
		owner        int // where the tests are root
		want         string
	}{
		"all is well":              {content: sshKey},
		"missing":                  {ssh: ", key_file: absent", want: "ssh.key_file: there is no DIR/absent"},
		"a folder":                 {ssh: ", key_file: .", want: "ssh.key_file: DIR is a folder: name the file with the key"},
		"the public half":          {content: "ssh-ed25519 AAAAhunter2 me\n", want: "ssh.key_file: DIR/key is the public half of a key pair, which belongs on the server: name the file of the private one here, which has no .pub"},
		"the public half by PuTTY": {content: "---- BEGIN SSH2 PUBLIC KEY ----\nhunter2\n", want: "ssh.key_file: DIR/key is the public half of a key pair"},
		"the form of PuTTY":        {content: "PuTTY-User-Key-File-3: ssh-ed25519\nhunter2\n", want: "ssh.key_file: DIR/key is in the form of PuTTY: export it in that of OpenSSH (puttygen DIR/key -O private-openssh-new -o FILE)"},
		"UTF-16":                   {content: utf16(sshKey), want: "ssh.key_file: DIR/key is UTF-16, as > of Windows PowerShell writes it: save it as plain text, as in Set-Content -Encoding ascii"},
		"empty":                    {content: "\n", want: "ssh.key_file: DIR/key is empty"},
		"something else":           {content: "hunter2", want: "ssh.key_file: DIR/key is no private key as ssh-keygen writes it"},
		"far too long":             {content: strings.Repeat("hunter2 ", 9000), want: "ssh.key_file: DIR/key is too long for a key"},
		"readable by all":          {content: sshKey, mode: 0o604, want: "ssh.key_file: DIR/key can be read or changed by every user of this machine: chmod go= DIR/key"},
		"writable by a group":      {content: sshKey, mode: 0o660, want: "ssh.key_file: DIR/key can be changed by a group: chmod g-w DIR/key"},
		"of root and a group":      {content: sshKey, mode: 0o640, owner: 0},
		"of another and a group":   {content: sshKey, mode: 0o640, owner: 59068, want: "ssh.key_file: DIR/key can be read by a group: chmod g= DIR/key, or make root its owner: chown root DIR/key"},
		"no key at all":            {ssh: ", port: 22", want: "ssh: no key to log in to DH1.corp.example with: set key_file or agent: true, or give the service a systemd credential ssh_dh1.corp.example, which only the service sees"},
		"an agent needs no file":   {ssh: ", agent: true"},
		"no passphrase":            {ssh: ", key_file: key, passphrase_file: absent", content: sshKey, want: "ssh.passphrase_file: there is no DIR/absent"},
		"an empty passphrase":      {ssh: ", key_file: key, passphrase_file: blank", content: sshKey, want: "ssh.passphrase_file: DIR/blank is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.ssh == "" {
				tc.ssh = ", key_file: key"
			}
			folder, config := keyFolder(t, tc.ssh, map[string]string{"key": tc.content, "blank": " \n"})
			if tc.mode != 0 {
				if runtime.GOOS == "windows" || tc.mode == 0o640 && os.Geteuid() != 0 {
					t.Skip("needs modes and owners of files")
				}
				if err := os.Chmod(filepath.Join(folder, "key"), tc.mode); err != nil {
					t.Fatal(err)
				}
				if os.Geteuid() == 0 {
					if err := os.Chown(filepath.Join(folder, "key"), tc.owner, -1); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := Options{Getenv: noEnvironment}.Load(config)
			got := message(err)
			want := strings.ReplaceAll(tc.want, "DIR", folder)
			if want != "" {
				want = "sync.servers[0]." + want
			}
			if !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("the key is repeated")
			}
		})
	}
}

// Commands that trust a host key come before there is a key, and what a disabled
// server would log in with is nobody's business.
func TestKeysAreLookedAtOnlyWhereTheyAreNeeded(t *testing.T) {
	_, config := keyFolder(t, ", key_file: absent", map[string]string{})
	if _, err := (Options{Getenv: noEnvironment, WithoutKeys: true}).Load(config); err != nil {
		t.Error(err)
	}
	_, config = keyFolder(t, ", key_file: absent}, enabled: false, vrf: '', scope_vrf: {", map[string]string{})
	if _, err := (Options{Getenv: noEnvironment}).Load(config); err != nil {
		t.Error(err)
	}
}

// rule 13.8: a key and its passphrase come from systemd where no file is named; no
// token is asked for.
func TestKeysAmongTheCredentialsOfSystemd(t *testing.T) {
	credentials := t.TempDir()
	for name, content := range map[string]string{"ssh_dh1.corp.example": sshKey, "ssh_dh1.corp.example_passphrase": "hunter2"} {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for ssh, want := range map[string]SSH{
		"":                 {KeyFile: filepath.Join(credentials, "ssh_dh1.corp.example"), PassphraseFile: filepath.Join(credentials, "ssh_dh1.corp.example_passphrase")},
		", key_file: key":  {KeyFile: "key", PassphraseFile: filepath.Join(credentials, "ssh_dh1.corp.example_passphrase")},
		", agent: true":    {Agent: true},
		", known_hosts: k": {KeyFile: filepath.Join(credentials, "ssh_dh1.corp.example"), PassphraseFile: filepath.Join(credentials, "ssh_dh1.corp.example_passphrase"), KnownHosts: "k"},
	} {
		folder, config := keyFolder(t, ssh, map[string]string{"key": sshKey})
		f, err := Options{Getenv: environment(map[string]string{"CREDENTIALS_DIRECTORY": credentials})}.Load(config)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []*string{&want.KeyFile, &want.KnownHosts} {
			if *path != "" && !filepath.IsAbs(*path) {
				*path = filepath.Join(folder, *path)
			}
		}
		want.User, want.Port, want.Command = "netbox-dhcp", 22, "powershell"
		if diff := cmp.Diff(want, f.Sync.Servers[0].SSH); diff != "" {
			t.Errorf("%s: %s", ssh, diff)
		}
		warned := slices.ContainsFunc(f.Warnings, func(w Warning) bool { return strings.Contains(w.Text, "no host key of DH1.corp.example is trusted") })
		if warned != (want.KnownHosts != "") || len(f.Warnings) > 1 {
			t.Errorf("%s: warnings %v", ssh, f.Warnings)
		}
		told := slices.ContainsFunc(f.Effective(), func(s Setting) bool {
			return s.Key == "sync.servers.DH1.corp.example.ssh.key_file" && s.Origin == "systemd credential ssh_dh1.corp.example"
		})
		if told != strings.HasPrefix(want.KeyFile, credentials) {
			t.Errorf("%s: the origin of the key is not told", ssh)
		}
	}
}

// rule 7: a copy of a production file logs in with a key of its own.
func TestAKeyInAnOverrideTakesThePlaceOfKeyPassphraseAndAgent(t *testing.T) {
	f := mustParse(t, netboxSection+`sync:
  servers:
    - {host: dh1, transport: ssh, ssh: {user: u, key_file: /prod, passphrase_file: /prod.phrase}}
    - {host: dh2, transport: ssh, ssh: {user: u, agent: true}}
    - {host: dh3, ssh: {port: 22}}
    - {host: dh4, transport: ssh, ssh: {user: u, key_file: /prod}}
  overrides:
    servers:
      dh1: {key_file: dev.key, port: 2222}
      dh2: {key_file: dev.key, passphrase_file: dev.phrase}
      dh3: {port: 2222}
      dh4: {passphrase_file: dev.phrase}
`)
	var lines []string
	for _, s := range forced(f) {
		lines = append(lines, s.Key+" = "+s.Value+" ("+s.Origin+")")
	}
	want := []string{
		`sync.servers.dh1.ssh.port = 2222 (override config.yml:10)`,
		`sync.servers.dh1.ssh.key_file = /etc/c/dev.key (override config.yml:10)`,
		`sync.servers.dh1.ssh.passphrase_file = "" (override config.yml:10)`,
		`sync.servers.dh1.ssh.agent = false (override config.yml:10)`,
		`sync.servers.dh2.ssh.key_file = /etc/c/dev.key (override config.yml:11)`,
		`sync.servers.dh2.ssh.passphrase_file = /etc/c/dev.phrase (override config.yml:11)`,
		`sync.servers.dh2.ssh.agent = false (override config.yml:11)`,
		`sync.servers.dh3.port = 2222 (override config.yml:12)`,
		`sync.servers.dh4.ssh.passphrase_file = /etc/c/dev.phrase (override config.yml:13)`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	_, err := parse(t, netboxSection+"sync:\n  servers: [{host: dh1, token_file: /t}]\n  overrides: {servers: {dh1: {key_file: '-----BEGIN PRIVATE hunter2'}}}\n")
	mistake := "/etc/c/config.yml:4: sync.overrides.servers.dh1.key_file: this looks like a key, not like the path of a file; make a new key if others have seen this file"
	if diff := cmp.Diff(mistake, message(err)); diff != "" {
		t.Error(diff)
	}
}
