// Package owned writes files that belong to the owner of their folder, also where
// root writes them. The service that uses the folder runs as a user of its own, and
// one command run by root must not leave files that it cannot read (rule 3.8
// point 26). It also says which files with a secret are open to others. It must not know
// what the files hold.
package owned

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2/maybe"
)

// WriteFile replaces a file as a whole.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := maybe.WriteFile(path, data, mode); err != nil {
		return err
	}
	return Give(path)
}

// Folder makes a folder unless it is there. The folder around it must be there for
// it to get that one's owner.
func Folder(path string, mode os.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	return Give(path)
}

// Give makes the owner of the folder around path that of path, if this process is
// root. It follows no link.
func Give(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, ok, err := ownerOf(filepath.Dir(path))
	if err != nil || !ok {
		return err
	}
	return os.Lchown(path, uid, gid)
}
