package checkout

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommandsOfAPageAreFound(t *testing.T) {
	page := "# A page\n\n```sh\nsudo install bin/server /usr/local/bin/\nsudo -u server server run \\\n  --conf 'a b.yml'   # a comment\n```\n\n" +
		"1. In a list:\n\n   ```sh\n   TOKEN_FILE=x server ask \"$MAC\" | grep server\n   if true; then ./bin/server end $(cat address); fi\n   ```\n\n```yaml\nserver: no\n```\n"
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "page.md"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []Command{
		{"page.md", 5, []string{"run", "--conf", "a b.yml"}},
		{"page.md", 12, []string{"ask", "1"}},
		{"page.md", 13, []string{"end", "1"}},
	}
	if diff := cmp.Diff(want, Commands(t, folder, "server")); diff != "" {
		t.Error(diff)
	}
}
