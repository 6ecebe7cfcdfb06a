package settings

import (
	"fmt"
	"strings"

	shared "github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Token returns the token for the server's PowerShell Universal: that of
// TokenEnv, else the content of TokenFile without blanks around it, read at
// each call. It is empty where neither is set. Errors name the variable or file
// and never its content.
func (s Server) Token() (shared.Secret, error) {
	what := "token of " + s.Host
	switch {
	case s.TokenEnv != "" && s.EnvToken == "":
		return "", fmt.Errorf("read %s: the environment variable %s is empty", what, s.TokenEnv)
	case s.TokenEnv != "":
		return shared.OneWord(what, s.TokenEnv, s.EnvToken.Reveal())
	case s.TokenFile == "":
		return "", nil
	}
	return shared.ReadToken(what, s.TokenFile)
}

// serverCredential is the name of a server's token among systemd's
// credentials, which may hold no colon.
func serverCredential(host string) string {
	return "psu_" + strings.ReplaceAll(canonicalHost(host), ":", "-")
}

// findTokens looks for the tokens the file does not name among systemd's
// credentials in folder, and warns of what is missing or open to all.
func (f *File) findTokens(folder string) {
	for i := range f.Sync.Servers {
		s, at := &f.Sync.Servers[i], serverPath(i)
		if s.OverSSH() {
			continue
		}
		if s.TokenFile == "" && s.TokenEnv == "" {
			f.credential(folder, serverCredential(s.Host), at+".token_file", &s.TokenFile)
		}
		switch text := shared.TokenFileWarning(s.TokenFile); {
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
