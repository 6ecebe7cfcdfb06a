package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretShowsItselfNowhere(t *testing.T) {
	s := Secret("hunter2")
	section := NetBox{EnvToken: s}
	var shown strings.Builder
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s", "%t"} {
		fmt.Fprintf(&shown, verb+verb+verb+verb, s, &s, section, []Secret{s})
	}
	shown.WriteString(s.String() + s.GoString())
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		for _, v := range []any{s, section, map[string]Secret{"a": s}} {
			text, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			shown.Write(text)
		}
	}
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2")} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("%q is shown", leak)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Error("Reveal does not reveal")
	}
}

func TestInlineTokenIsRefusedAndNotRepeated(t *testing.T) {
	for _, line := range []string{"token: hunter2", "token: {nbt: hunter2}", "token: [hunter2]", "token: &hunter2"} {
		_, err := parse(t, chain+"netbox:\n  url: https://n.example\n  "+line+"\n")
		want := "/etc/c/config.yml:11: netbox.token: a token is never a setting"
		if got := message(err); !strings.HasPrefix(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, token := range []string{"nbt_abcdefghijkl.secret", strings.Repeat("0aF9", 10)} {
		_, err := parse(t, chain+"netbox:\n  url: https://n.example\n  token_file: "+token+"\n")
		want := "/etc/c/config.yml:11: netbox.token_file: this looks like a token, not like the path of a file that holds one"
		if message(err) != want {
			t.Errorf("token in token_file: %q", message(err))
		}
	}
}

func TestToken(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		section NetBox
		want    string
		err     string
	}{
		"of the environment": {NetBox{EnvToken: "abc"}, "abc", ""},
		"of a file, trimmed": {NetBox{TokenFile: write("token", "\n abc \r\n")}, "abc", ""},
		"of an empty file":   {NetBox{TokenFile: write("empty", " \n")}, "", "is empty"},
		"of two words":       {NetBox{TokenFile: write("two", "Token abc")}, "", "more than one word"},
		"of PowerShell's >":  {NetBox{TokenFile: write("utf16", "\xff\xfea\x00b\x00c\x00\r\x00\n\x00")}, "", "is UTF-16"},
		"of another end":     {NetBox{TokenFile: write("utf16be", "\xfe\xff\x00a\x00b\x00c")}, "", "is UTF-16"},
		"without a mark":     {NetBox{TokenFile: write("bare", "a\x00b\x00c\x00")}, "", "Set-Content -Encoding ascii"},
		"with UTF-8's mark":  {NetBox{TokenFile: write("utf8", "\ufeffabc\r\n")}, "abc", ""},
		"of no file":         {NetBox{TokenFile: filepath.Join(folder, "absent")}, "", "read NetBox token: open"},
		"of nowhere":         {NetBox{}, "", "no NetBox token: set netbox.token_file"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.section.Token()
			if got.Reveal() != tc.want || (err == nil) != (tc.err == "") || !strings.Contains(message(err), tc.err) {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
			if strings.Contains(message(err), "abc") {
				t.Error("the error repeats the token")
			}
		})
	}
	if _, err := (NetBox{}).Token(); !errors.Is(err, ErrNoToken) {
		t.Errorf("want ErrNoToken, got %v", err)
	}
}

func TestAPathOfWindowsInDoubleQuotesIsNoticed(t *testing.T) {
	for text, want := range map[string]string{`"C:\new\a.token"`: "a path with a control character", `"C:\dhcp\a.token"`: "not YAML: found unknown escape character"} {
		_, err := parse(t, chain+"netbox:\n  url: https://n.example\n  token_file: "+text+"\n")
		if !strings.Contains(message(err), want) || !strings.Contains(message(err), "single quotes") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTokenFileOpenToAllIsWarnedAbout(t *testing.T) {
	folder := t.TempDir()
	config, token := filepath.Join(folder, "config.yml"), filepath.Join(folder, "token")
	text := chain + "netbox: {url: 'https://n.example', token_file: token}\n"
	for path, content := range map[string]string{config: text, token: "abc"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		if err := os.Chmod(token, mode); err != nil {
			t.Fatal(err)
		}
		f, err := Options{Getenv: noEnvironment}.Load(config)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Warnings) != want {
			t.Errorf("mode %o: warnings %v", mode, f.Warnings)
		}
	}
}
