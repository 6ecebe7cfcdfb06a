//go:build unix

package owned

import (
	"io/fs"
	"syscall"
)

// OpenToOthers says how to close a file with a secret that others can read; empty:
// they cannot. A group may read what is root's, as it may a token (rule 13.8).
func OpenToOthers(path string, info fs.FileInfo) string {
	mode := info.Mode().Perm()
	stat, ok := info.Sys().(*syscall.Stat_t)
	ofRoot := ok && stat.Uid == 0
	switch {
	case mode&0o007 != 0:
		return path + " can be read or changed by every user of this machine: chmod go= " + path
	case mode&0o020 != 0:
		return path + " can be changed by a group: chmod g-w " + path
	case mode&0o040 != 0 && !ofRoot:
		return path + " can be read by a group: chmod g= " + path + ", or make root its owner: chown root " + path
	}
	return ""
}
