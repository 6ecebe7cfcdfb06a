package settings

import (
	"errors"
	"fmt"
	"os"
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
	content, err := os.ReadFile(n.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read NetBox token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	switch {
	case token == "":
		return "", fmt.Errorf("read NetBox token: %s is empty", n.TokenFile)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("read NetBox token: %s holds more than one word", n.TokenFile)
	}
	return Secret(token), nil
}

// tokenFileWarning says that everybody on the machine may read the token;
// empty if not, or if there is no file yet.
func (n NetBox) tokenFileWarning() string {
	if n.TokenFile == "" {
		return ""
	}
	info, err := os.Stat(n.TokenFile)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read by everybody on this machine: chmod o= %s", n.TokenFile, n.TokenFile)
}
