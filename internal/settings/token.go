package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"unicode"
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
	return ReadToken("NetBox token", n.TokenFile)
}

// maxToken is how many bytes a file with a token may hold: far more than a JWT
// has, and little to read if the setting names a wrong file.
const maxToken = 64 << 10

// ReadToken returns the content of a token file without blanks around it. Errors
// call the token what, and name the file but never its content.
func ReadToken(what, path string) (Secret, error) {
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
	if UTF16(content) {
		return "", fmt.Errorf("read %s: %s is UTF-16, as > of Windows PowerShell writes it: save it as plain text, as in Set-Content -Encoding ascii", what, path)
	}
	// Windows tools like to begin a text file with a mark of its encoding.
	return OneWord(what, path, strings.TrimPrefix(string(content), "\ufeff"))
}

// UTF16 reports whether a text is in the encoding that Windows calls Unicode: it
// begins with its mark, or has a zero in every other byte.
func UTF16(content []byte) bool {
	return bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}) || bytes.IndexByte(content, 0) >= 0
}

// OneWord returns the text of a token without the blanks around it, if it can
// stand in a header. Errors call the token what, and name its source but never
// the text.
func OneWord(what, source, text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fmt.Errorf("read %s: %s is empty", what, source)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("read %s: %s holds more than one word of plain text", what, source)
	}
	return Secret(text), nil
}

// PathMistake says why a text can hardly be meant as a path; empty: it may be one.
// In double quotes "C:\new" holds a line break.
func PathMistake(path string) string {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return `a path with a control character: put a path of Windows into single quotes, such as 'C:\dhcp\a.token'`
	}
	return ""
}

// TokenFileWarning says that every account of the machine may read the token in
// the file at path. It is empty if that is not so, if there is no file yet, and
// on Windows, where the mode tells nothing.
func TokenFileWarning(path string) string {
	if path == "" || runtime.GOOS == "windows" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read by every user of this machine: chmod o= %s", path, path)
}
