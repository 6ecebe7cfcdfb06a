package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNoToken says that neither the settings nor the environment name a token.
var ErrNoToken = errors.New("no NetBox token: set netbox.token_file, NETBOX_TOKEN_FILE or NETBOX_TOKEN, " +
	"or give the service a systemd credential netbox_token")

// Token returns the API token: that of NETBOX_TOKEN, else the content of
// TokenFile without blanks around it. The file is read at each call, so that
// a renewed token is found without a restart. Errors name the file and never
// its content.
func (n NetBox) Token() (Secret, error) {
	if n.EnvToken != "" {
		return n.EnvToken, nil
	}
	if n.TokenFile == "" {
		return "", ErrNoToken
	}
	return readToken("NetBox token", n.TokenFile)
}

// Token returns the token for the server's PowerShell Universal: that of
// TokenEnv, else the content of TokenFile without blanks around it, read at
// each call. It is empty where neither is set. Errors name the variable or file
// and never its content.
func (s SyncServer) Token() (Secret, error) {
	what := "token of " + s.Host
	switch {
	case s.TokenEnv != "" && s.EnvToken == "":
		return "", fmt.Errorf("read %s: the environment variable %s is empty", what, s.TokenEnv)
	case s.TokenEnv != "":
		return oneWord(what, s.TokenEnv, s.EnvToken.Reveal())
	case s.TokenFile == "":
		return "", nil
	}
	return readToken(what, s.TokenFile)
}

// maxToken is what a file with a token may hold: many times a JWT, and less
// than hurts where something else is named.
const maxToken = 64 << 10

func readToken(what, path string) (Secret, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	if len(content) > maxToken {
		return "", fmt.Errorf("read %s: %s is too long for a token", what, path)
	}
	// Windows tools like to begin a text file with a mark of its encoding.
	return oneWord(what, path, strings.TrimPrefix(string(content), "\ufeff"))
}

// oneWord returns text without the blanks around it, if it can stand in a
// header.
func oneWord(what, source, text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fmt.Errorf("read %s: %s is empty", what, source)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("read %s: %s holds more than one word of plain text", what, source)
	}
	return Secret(text), nil
}

// tokenFileWarning says that everybody on the machine may read the token in the
// file at path; empty if not, if there is no file yet, or on Windows, where the
// mode tells nothing.
func tokenFileWarning(path string) string {
	if path == "" || runtime.GOOS == "windows" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read by everybody on this machine: chmod o= %s", path, path)
}

// serverCredential is the name of a server's token among systemd's
// credentials, which may hold no colon.
func serverCredential(host string) string {
	return "psu_" + strings.ReplaceAll(canonicalHost(host), ":", "-")
}

// findTokens looks for the tokens the file does not name among systemd's
// credentials in folder, and warns of what is missing or open to all.
func (f *SyncFile) findTokens(folder string) {
	for i := range f.Sync.Servers {
		s, at := &f.Sync.Servers[i], serverPath(i)
		if s.TokenFile == "" && s.TokenEnv == "" && folder != "" {
			name := serverCredential(s.Host)
			path := filepath.Join(folder, name)
			if _, err := os.Stat(path); err == nil { //nolint:gosec // G703: folder of systemd, name of a checked host
				s.TokenFile = path
				f.origins[at+".token_file"] = origin{text: "systemd credential " + name}
			}
		}
		switch text := tokenFileWarning(s.TokenFile); {
		case !s.Enabled:
		case text != "":
			f.warn(at+".token_file", "%s", text)
		case s.TokenFile == "" && s.TokenEnv == "":
			f.warn(at, "no token for %s: requests go out without one; set token_file or token_env, or give the service a systemd credential %s", s.Host, serverCredential(s.Host))
		case s.TokenEnv != "" && s.EnvToken == "":
			f.warn(at+".token_env", "the environment variable %s is empty", s.TokenEnv)
		}
	}
}
