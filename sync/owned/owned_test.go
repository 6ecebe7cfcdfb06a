//go:build unix

package owned

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// rule 3.8 point 26.
func TestWhatRootWritesBelongsToTheOwnerOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write for another user")
	}
	const user = 59068
	dir := t.TempDir()
	if err := os.Chown(dir, user, user); err != nil {
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "certificates")
	file := filepath.Join(inner, "a.pem")
	for range 2 { // made, and replaced
		if err := Folder(inner, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(file, []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]os.FileMode{inner: 0o700, file: 0o600} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			stat := info.Sys().(*syscall.Stat_t)
			if stat.Uid != user || stat.Gid != user || info.Mode().Perm() != mode {
				t.Errorf("%s belongs to %d:%d, mode %v", path, stat.Uid, stat.Gid, info.Mode())
			}
		}
	}
}
