//go:build !unix

package owned

import "io/fs"

// OpenToOthers knows nothing where files have access lists instead of a mode.
func OpenToOthers(string, fs.FileInfo) string { return "" }
