package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
)

// maxKey is how many bytes a file with a key may hold: RSA of 16384 bits has 13 kB.
const maxKey = 64 << 10

// sshCredential is the name of a server's key among systemd's credentials.
func sshCredential(host string) string {
	return "ssh_" + strings.ReplaceAll(canonicalHost(host), ":", "-")
}

// findKeys looks for the keys that the file does not name among systemd's
// credentials in folder, and reports those that cannot be used (rule 13.8).
func (f *File) findKeys(folder string) {
	for i := range f.Sync.Servers {
		s, at := &f.Sync.Servers[i], serverPath(i)+".ssh"
		if !s.OverSSH() {
			continue
		}
		if s.SSH.KeyFile == "" && !s.SSH.Agent {
			f.credential(folder, sshCredential(s.Host), at+".key_file", &s.SSH.KeyFile)
		}
		if s.SSH.KeyFile != "" && s.SSH.PassphraseFile == "" {
			f.credential(folder, sshCredential(s.Host)+"_passphrase", at+".passphrase_file", &s.SSH.PassphraseFile)
		}
		if _, err := os.Stat(s.SSH.KnownHosts); s.SSH.KnownHosts != "" && s.Enabled && err != nil { //nolint:gosec // G703: the operator names the file
			f.warn(at+".known_hosts", "no host key of %s is trusted: %v", s.Host, err)
		}
	}
}

// credential takes a file of systemd's credentials for a setting, if there is one.
func (f *File) credential(folder, name, key string, path *string) {
	if folder == "" {
		return
	}
	file := filepath.Join(folder, name)
	if _, err := os.Stat(file); err == nil { //nolint:gosec // G703: folder of systemd, name of a checked host
		*path = file
		f.origins[key] = origin{text: "systemd credential " + name}
	}
}

// checkKeys reports keys that cannot be used. Errors name the file, and never its
// content.
func (f *File) checkKeys() {
	for i := range f.Sync.Servers {
		s, at := &f.Sync.Servers[i], serverPath(i)+".ssh"
		if !s.OverSSH() || !s.Enabled {
			continue
		}
		if s.SSH.KeyFile == "" && !s.SSH.Agent {
			f.report.Addf(at, "no key to log in to %s with: set key_file or agent: true, or give the service a systemd credential %s, which only the service sees", s.Host, sshCredential(s.Host))
			continue
		}
		if why := keyMistake(s.SSH.KeyFile); s.SSH.KeyFile != "" && why != "" {
			f.report.Addf(at+".key_file", "%s", why)
		}
		if why := secretMistake(s.SSH.PassphraseFile, "passphrase"); s.SSH.PassphraseFile != "" && why != "" {
			f.report.Addf(at+".passphrase_file", "%s", why)
		}
	}
}

// KeyState says what the mirror logs in to a server with, and never what it is.
func (s SSH) KeyState() string {
	switch {
	case s.Agent:
		return "(of the agent)"
	case s.KeyFile == "":
		return "(not set)"
	}
	return secretIsSet
}

// keyMistake says why a file holds no private key that is fit for use; empty: it
// may. What ssh-keygen writes is looked into by package openssh.
func keyMistake(path string) string {
	if why := secretMistake(path, "key"); why != "" {
		return why
	}
	content, err := head(path)
	switch text := strings.TrimSpace(string(content)); {
	case err != nil:
		return err.Error()
	case publicHalf(text):
		return path + " is the public half of a key pair, which belongs on the server: name the file of the private one here, which has no .pub"
	case strings.HasPrefix(text, "PuTTY-User-Key-File"):
		return path + " is in the form of PuTTY: export it in that of OpenSSH (puttygen " + path + " -O private-openssh-new -o FILE)"
	case !strings.Contains(text, "-----BEGIN ") || !strings.Contains(text, "PRIVATE KEY-----"):
		return path + " is no private key as ssh-keygen writes it"
	}
	return ""
}

// publicHalf reports whether a text is what a .pub file holds.
func publicHalf(text string) bool {
	for _, begin := range []string{"ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2 PUBLIC KEY", "-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

// secretMistake says why a file with a secret is not fit for use; empty: it may be.
func secretMistake(path, what string) string {
	info, err := os.Stat(path) //nolint:gosec // G703: the operator names the file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no " + path
	case err != nil:
		return err.Error()
	case info.IsDir():
		return fmt.Sprintf("%s is a folder: name the file with the %s", path, what)
	}
	if why := owned.OpenToOthers(path, info); why != "" {
		return why
	}
	content, err := head(path)
	switch {
	case err != nil:
		return err.Error()
	case len(content) > maxKey:
		return fmt.Sprintf("%s is too long for a %s", path, what)
	case len(bytes.TrimSpace(content)) == 0:
		return path + " is empty"
	case shared.UTF16(content):
		return path + " is UTF-16, as > of Windows PowerShell writes it: save it as plain text, as in Set-Content -Encoding ascii"
	}
	return ""
}

// head reads a file, but no more than tells that it is too long.
func head(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKey+1))
	return content, errors.Join(err, file.Close())
}
